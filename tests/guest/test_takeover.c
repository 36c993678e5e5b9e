/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_takeover.c - one switch takes another's place under its guests.
 *
 * A stream of numbered frames goes from vm1 to vm2 all the time, never more on
 * their way than there are buffers, so that none may be lost, doubled or
 * overtaken, whatever happens to the switch; the longest time in which none
 * arrives is the pause.  $TAKEOVERS is how many are measured (10).
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "switch/takeover_record.h"
#include "tests/guest/lan.h"

enum {
	WINDOW = 64, /* frames on their way */
	FRAME_LEN = 99,
	SLOW_MS = 10000, /* far more than a takeover may take */
	WAIT_MS = 5000,
	KILL_STEP_US = 200,
	SETTLE_MS = 5,
};

static struct lan lan;

static void clean_up(void)
{
	lan_abandon(&lan);
}

TestSuite(takeover, .fini = clean_up, .timeout = 60);

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct stream {
	uint32_t sent, received;
	uint64_t last_ns, gap_ns; /* of arrivals */
};

static void stream_begin(struct stream *s)
{
	*s = (struct stream){.last_ns = now_ns()};
}

static void note_arrival(struct stream *s)
{
	uint64_t now = now_ns();

	if (now - s->last_ns > s->gap_ns)
		s->gap_ns = now - s->last_ns;
	s->last_ns = now;
	s->received++;
}

/* Takes what has arrived: the next ones and no others. */
static void stream_take(struct stream *s, int timeout_ms)
{
	uint8_t frame[FRAME_LEN], got[LAN_FRAME_MAX];
	int n;

	while ((n = netdev_recv(&lan.vm[2], 0, got, sizeof(got), timeout_ms)) !=
	       -ETIMEDOUT) {
		cr_assert_eq(n, FRAME_LEN, "frame %u: %s", s->received,
		    n < 0 ? strerror(-n) : "another length");
		lan_build(
		    frame, FRAME_LEN, lan_mac(2), lan_mac(1), s->received);
		cr_assert_arr_eq(got, frame, FRAME_LEN);
		note_arrival(s);
		timeout_ms = 0;
	}
}

/* Sends one frame if there is room, and takes what has arrived. */
static void stream_step(struct stream *s)
{
	uint8_t frame[FRAME_LEN];
	bool room = s->sent - s->received < WINDOW;

	netdev_reap_tx(&lan.vm[1], 0);
	if (room) {
		lan_build(frame, FRAME_LEN, lan_mac(2), lan_mac(1), s->sent);
		if (!netdev_send(&lan.vm[1], 0, frame, FRAME_LEN, NULL))
			s->sent++;
	}
	stream_take(s, room ? 0 : 1);
}

static void stream_run(struct stream *s, unsigned ms)
{
	uint64_t end = now_ns() + ms * UINT64_C(1000000);

	while (now_ns() < end)
		stream_step(s);
}

static void stream_end(struct stream *s)
{
	uint64_t deadline = now_ns() + WAIT_MS * UINT64_C(1000000);

	while (s->received < s->sent && now_ns() < deadline)
		stream_take(s, 1);
	cr_assert_eq(s->received, s->sent, "%u of %u frames arrived",
	    s->received, s->sent);
}

/* Has another switch take over while the stream flows. */
static void succeed(struct stream *s)
{
	uint64_t deadline = now_ns() + SLOW_MS * UINT64_C(1000000);
	pid_t next = swd_start_successor(&lan.swd);

	cr_assert_gt(next, 0);
	while (!swd_is_succeeded(&lan.swd, next)) {
		cr_assert_lt(now_ns(), deadline, "nobody takes over");
		cr_assert_eq(
		    waitpid(next, NULL, WNOHANG), 0, "the other one ends");
		stream_step(s);
	}
}

/* The front ends have noticed nothing: the same connections, still read. */
static void expect_same_guests(void)
{
	for (unsigned i = 1; i <= lan.n; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vm%u", i);
		cr_expect_eq(frontend_sync(&lan.vm[i].fe), 0,
		    "%s is not answered any more", name);
		cr_expect_eq(swd_counter(&lan.swd, name, "connects"), 1);
	}
}

/* The last pause that the switch itself speaks of, us; 0: none. */
static unsigned pause_logged(void)
{
	char path[96], line[256];
	unsigned us = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/swd.log", lan.swd.dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, "after a pause of ");

		if (at)
			sscanf(at, "after a pause of %u", &us);
	}
	if (f)
		fclose(f);
	return us;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void start(const struct netdev_config *config)
{
	lan_start(&lan, 2, config, NULL);
	lan_announce(&lan, 1);
	lan_announce(&lan, 2);
}

static void finish(void)
{
	lan_both_ways(&lan);
	lan_settle(&lan);
	lan_finish(&lan);
}

/* Median and worst of v[0..n), which are sorted for that, in ms. */
static void print_times(const char *what, uint64_t v[], unsigned n)
{
	qsort(v, n, sizeof(v[0]), compare);
	fprintf(stderr, "%s: median %.2f ms, worst %.2f ms\n", what,
	    (double)v[n / 2] / 1e6, (double)v[n - 1] / 1e6);
}

Test(takeover, guests_notice_nothing_but_a_pause)
{
	unsigned n = (unsigned)atoi(getenv("TAKEOVERS") ?: "10");
	uint64_t *gap = calloc(3 * n, sizeof(*gap));
	uint64_t *still = gap + n, *quiet = gap + 2 * n;
	struct stream s;

	start(NULL);
	stream_begin(&s);
	for (unsigned i = 0; i < n; i++) {
		s.gap_ns = 0;
		stream_run(&s, 20);
		quiet[i] = s.gap_ns;
		s.gap_ns = 0;
		succeed(&s);
		gap[i] = s.gap_ns;
		cr_assert(lan_knows(&lan, lan_mac_text(1), 0, 1));
		cr_assert(lan_knows(&lan, lan_mac_text(2), 0, 2));
		still[i] = pause_logged() * UINT64_C(1000);
		cr_assert_gt(still[i], 0);
	}
	stream_end(&s);
	expect_same_guests();
	fprintf(stderr, "%u takeovers, %u frames, none lost\n", n, s.sent);
	print_times("no worker at the queues", still, n);
	print_times("no frame arrives", gap, n);
	print_times("... without a takeover", quiet, n);
	free(gap);
	finish();
}

/* Many queues, memory announced slot by slot, a switch that connects. */
Test(takeover, whatever_was_negotiated_stays)
{
	static const struct netdev_config queues = {
	    .pairs = 2, .regions = 3, .slots = true, .in_order = true};
	struct stream s;

	start(&queues);
	stream_begin(&s);
	succeed(&s);
	stream_end(&s);
	expect_same_guests();
	cr_expect_eq(swd_counter(&lan.swd, "vm1", "mem_regions"), 3);
	finish();
}

/* Settings, static addresses and what was counted are there again. */
Test(takeover, the_switch_is_what_it_was)
{
	uint64_t before;
	struct stream s;
	char port[32];

	start(NULL);
	stream_begin(&s);
	stream_run(&s, 20);
	stream_end(&s);
	lan_set(&lan, 2, "'flood':false");
	cr_assert_eq(swd_do(&lan.swd, "fdb.add",
			 "{'mac':'02:00:00:00:00:77','port':'vm1'}"),
	    0);
	lan_settle(&lan);
	before = swd_counter(&lan.swd, "vm1", "rx_packets");
	stream_begin(&s);
	succeed(&s);
	stream_end(&s);
	lan_settle(&lan);
	cr_expect_eq(
	    swd_counter(&lan.swd, "vm1", "rx_packets"), before + s.sent);
	cr_expect(swd_fdb_lookup(&lan.swd, "02:00:00:00:00:77", 0, port) &&
		  !strcmp(port, "vm1"));
	lan_set(&lan, 2, "'flood':true");
	finish();
}

/* What all ports counted together, those that are no more included. */
static uint64_t total(struct json_object *stats, const char *key)
{
	struct json_object *all = json_object_array_get_idx(
	    stats, json_object_array_length(stats) - 1);
	struct json_object *v = NULL;

	json_object_object_get_ex(all, key, &v);
	return json_object_get_uint64(v);
}

static void expect_in_balance(void)
{
	struct json_object *stats = swd_call(&lan.swd, "stats.show", NULL);

	cr_assert_not_null(stats);
	cr_expect_eq(total(stats, "rx_packets") + total(stats, "flooded"),
	    total(stats, "tx_packets") + total(stats, "rx_dropped") +
		total(stats, "tx_dropped"));
	json_object_put(stats);
}

static void expect_port(const char *name)
{
	struct json_object *port = swd_port(&lan.swd, name);

	cr_expect_not_null(port, "port %s is not there again", name);
	json_object_put(port);
}

/* What cannot be handed over is opened anew; what it has counted is kept. */
Test(takeover, other_ports_are_opened_anew)
{
	uint8_t frame[60];
	struct stream s;

	start(NULL);
	cr_assert_eq(
	    swd_do(&lan.swd, "port.add", "{'name':'n','type':'null'}"), 0);
	cr_assert_eq(
	    swd_do(&lan.swd, "port.add", "{'name':'p','type':'pipe'}"), 0);
	lan_build(frame, sizeof(frame), lan_broadcast, lan_mac(1), 1);
	lan_send(&lan, 1, frame, sizeof(frame));
	lan_expect(&lan, 2, frame, sizeof(frame));
	stream_begin(&s);
	succeed(&s);
	stream_end(&s);
	expect_port("n");
	expect_port("p");
	lan_both_ways(&lan);
	expect_in_balance();
	cr_expect_eq(swd_stop(&lan.swd), 0);
}

/* Half a message arrives before, the other half after. */
Test(takeover, a_message_in_two_halves)
{
	const struct vu_header ask = {VU_GET_FEATURES, VU_VERSION, 0};
	struct vu_reply reply;
	struct stream s;

	start(NULL);
	cr_assert_eq(frontend_send_raw(&lan.vm[1].fe, &ask, 5, NULL, 0), 0);
	stream_begin(&s);
	succeed(&s);
	stream_end(&s);
	cr_assert_eq(frontend_send_raw(&lan.vm[1].fe, (const char *)&ask + 5,
			 sizeof(ask) - 5, NULL, 0),
	    0);
	cr_assert_eq(frontend_recv(&lan.vm[1].fe, &reply), 0);
	cr_expect_eq(reply.header.request, VU_GET_FEATURES);
	cr_expect_eq(reply.u64, lan.vm[1].fe.offered);
	finish();
}

/* A port in the client role whose peer leaves is sought by the next switch. */
Test(takeover, the_client_role_goes_on)
{
	static const struct netdev_config config = {.listen = true};
	struct stream s;

	lan_start(&lan, 2, &config, ",'role':'client'");
	lan_announce(&lan, 1);
	lan_announce(&lan, 2);
	stream_begin(&s);
	succeed(&s);
	stream_end(&s);
	expect_same_guests();
	netdev_disconnect(&lan.vm[2]);
	cr_assert(swd_await_state(&lan.swd, "vm2", "wait"));
	cr_assert_eq(netdev_reconnect(&lan.vm[2]), 0);
	cr_assert(swd_await_state(&lan.swd, "vm2", "up"));
	finish();
}

/* A process that goes through the protocol up to the end of @step and there
 * ends, or hangs. */
static void half_way(enum takeover_step step, bool hangs)
{
	struct json_object *doc = json_object_new_object(), *got = NULL;
	struct handover h = {0};
	struct sockaddr_un a;
	struct err e = {0};
	char path[96];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), rc;

	snprintf(path, sizeof(path), "%s/swd.sock", lan.swd.dir);
	rc = takeover_address(&a, path, &e);
	if (!rc && connect(fd, (struct sockaddr *)&a, sizeof(a)))
		rc = -errno;
	json_object_object_add(
	    doc, "types", json_tokener_parse("[\"vhost-user\"]"));
	for (unsigned at = TAKEOVER_HELLO; !rc && at <= step; at++)
		rc = at == TAKEOVER_HELLO ? takeover_send(fd, at, doc, NULL, &e)
		     : at == TAKEOVER_PREPARED || at == TAKEOVER_ACCEPTED
			 ? takeover_send(fd, at, NULL, NULL, &e)
			 : takeover_receive(fd, at, &got, &h, WAIT_MS, &e);
	if (rc)
		fprintf(stderr, "half way: %s\n", e.message);
	else if (hangs)
		pause();
	_exit(rc ? 1 : 0);
}

static pid_t start_half_way(enum takeover_step step, bool hangs)
{
	pid_t pid = fork();

	if (pid == 0)
		half_way(step, hangs);
	cr_assert_gt(pid, 0);
	return pid;
}

static void expect_the_old_one(pid_t pid)
{
	cr_assert(swd_alive(&lan.swd));
	cr_assert_eq(lan.swd.pid, pid);
	expect_same_guests();
}

/* Whoever dies at whatever step, the one that ran goes on. */
Test(takeover, a_successor_that_dies_is_forgotten)
{
	struct stream s;
	pid_t old;
	int status;

	start(NULL);
	old = lan.swd.pid;
	stream_begin(&s);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned step = TAKEOVER_HELLO; step <= TAKEOVER_YOURS;
		     step++) {
			pid_t pid = start_half_way(step, false);

			while (!waitpid(pid, &status, WNOHANG))
				stream_step(&s);
			cr_expect_eq(status, 0, "step %u", step);
			stream_run(&s, 10);
		}
	stream_end(&s);
	expect_the_old_one(old);
	succeed(&s); /* and the next one may */
	stream_end(&s);
	finish();
}

/* One that says nothing any more is waited for as long as is bearable, and
 * ended if it could be at the rings. */
Test(takeover, a_successor_that_hangs_is_left_behind)
{
	static const enum takeover_step steps[] = {
	    TAKEOVER_PLACES, TAKEOVER_YOURS};
	struct stream s;
	pid_t old;
	int status;

	start(NULL);
	old = lan.swd.pid;
	stream_begin(&s);
	for (unsigned i = 0; i < 2; i++) {
		pid_t pid = start_half_way(steps[i], true);

		stream_run(&s, 1500);
		cr_expect_lt(s.gap_ns, UINT64_C(1300000000));
		if (steps[i] != TAKEOVER_YOURS)
			kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_expect(WIFSIGNALED(status));
	}
	stream_end(&s);
	expect_the_old_one(old);
	finish();
}

/* Whether @pid has taken over by @deadline. */
static bool takes_over_by(struct stream *s, pid_t pid, uint64_t deadline)
{
	do {
		if (swd_is_succeeded(&lan.swd, pid))
			return true;
		stream_step(s);
	} while (now_ns() < deadline);
	return false;
}

/* A real one, killed ever later in its life until it is too late for that. */
Test(takeover, a_successor_killed_at_any_time)
{
	/* With a sanitizer a process takes its time to end. */
	const unsigned slow = getenv("SWD_SANITIZED") ? 20 : 1;
	unsigned n = 0;
	struct stream s;
	pid_t pid;

	start(NULL);
	stream_begin(&s);
	for (;; n++) {
		pid = swd_start_successor(&lan.swd);
		if (takes_over_by(&s, pid,
			now_ns() + n * slow * KILL_STEP_US * UINT64_C(1000)))
			break;
		kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
		stream_run(&s, slow * SETTLE_MS);
		/* It was the switch already, and the one before is leaving. */
		if (takes_over_by(&s, 0, 0))
			break;
	}
	fprintf(stderr, "%u successors killed before they had taken over\n", n);
	cr_expect_gt(n, 10);
	if (!lan.swd.pid)
		return;
	stream_end(&s);
	expect_same_guests();
	finish();
}

/* A socket where a service manager would listen. */
static int listen_as_manager(struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(
	    a->sun_path, sizeof(a->sun_path), "/tmp/swd-notify-%d", getpid());
	unlink(a->sun_path);
	cr_assert_eq(bind(fd, (struct sockaddr *)a, sizeof(*a)), 0);
	return fd;
}

/* Whether the manager is told @what among what is said within @ms. */
static bool manager_hears(int fd, const char *what)
{
	const struct timeval wait = {.tv_sec = 2};
	char text[256];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	while ((n = recv(fd, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		if (strstr(text, what))
			return true;
	}
	return false;
}

/* The service manager is told by the first, and hears from the second, which
 * it has told nothing. */
Test(takeover, the_service_manager_is_told)
{
	struct sockaddr_un a;
	struct stream s;
	char main_pid[32];
	int fd = listen_as_manager(&a);

	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	start(NULL);
	unsetenv("NOTIFY_SOCKET");
	cr_expect(manager_hears(fd, "READY=1"));
	stream_begin(&s);
	succeed(&s);
	stream_end(&s);
	snprintf(main_pid, sizeof(main_pid), "MAINPID=%d", lan.swd.pid);
	cr_expect(manager_hears(fd, main_pid));
	cr_expect(manager_hears(fd, "READY=1"));
	finish();
	close(fd);
	unlink(a.sun_path);
}

/* Only the switch's own user is let in. */
Test(takeover, strangers_are_turned_away)
{
	struct stream s;
	pid_t pid;
	int status;

	if (geteuid())
		return;
	start(NULL);
	pid = fork();
	if (pid == 0) {
		if (setuid(65534))
			_exit(2);
		half_way(TAKEOVER_HELLO, false);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	stream_begin(&s);
	stream_run(&s, 10);
	stream_end(&s);
	finish();
}
