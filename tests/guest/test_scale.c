/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_scale.c - a table of a million addresses: learned, shown, aged, flushed.
 *
 * What takes long must not hold up who else talks to the switch: while a walk
 * over the table goes on, another connection asks again and again, and the
 * longest that it waited is told.  The bound on it for the walk that would take
 * seconds in one go leaves room for a busy machine.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/lan.h"

enum {
	FDB_SIZE = 1 << 20,
	WAIT_MS = 60000,
	LONGEST_MS = 500,  /* that somebody else may wait */
	GROWTH_KIB = 8192, /* of the switch, while it tells of a million */
	MAC_TEXT = 17,
};

static struct lan lan;
static unsigned n_live = 1000000;
static uint8_t *n_seen; /* of each address, in the answer to fdb.show */

static void start(void)
{
	const struct netdev_config usual = {0};

	if (getenv("SWD_SANITIZED"))
		n_live = 50000;
	lan_start_empty(&lan, NULL);
	cr_assert_eq(swd_do(&lan.swd, "bridge.add",
			 "{'name':'big','ageing':0,'fdb_size':%d}", FDB_SIZE),
	    0);
	for (unsigned i = 1; i <= 2; i++)
		lan_add(&lan, i, &usual, ",'bridge':'big'");
}

static void clean_up(void)
{
	free(n_seen);
	lan_abandon(&lan);
}

TestSuite(scale, .init = start, .fini = clean_up, .timeout = 180);

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int connect_control(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(
	    to.sun_path, sizeof(to.sun_path), "%.60s/swd.sock", lan.swd.dir);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0, "%s",
	    strerror(errno));
	return fd;
}

static void ask(int fd, const char *method, const char *params)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}\n",
	    method, params);

	cr_assert_eq(send(fd, line, (size_t)n, MSG_NOSIGNAL), n);
}

static unsigned n_entries(void)
{
	struct json_object *o =
	    swd_call(&lan.swd, "bridge.show", "{\"name\":\"big\"}");
	struct json_object *v;
	int n;

	cr_assert_eq(json_pointer_get(o, "/0/fdb_entries", &v), 0);
	n = json_object_get_int(v);
	json_object_put(o);
	return (unsigned)n;
}

static void teach(unsigned first, unsigned n)
{
	lan_teach(&lan.vm[1], first, n);
	lan_settle(&lan);
}

/* The address that "02:00:..." stands for. */
static unsigned address_of(const char *text)
{
	unsigned b[4];

	cr_assert_eq(
	    sscanf(text, "02:00:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3]),
	    4, "%.17s", text);
	return b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

/* Counts the addresses in text[0..n), and returns where a name that is not
 * complete begins. */
static size_t count_macs(const char *text, size_t n)
{
	static const char key[] = "\"mac\":\"";
	const size_t len = sizeof(key) - 1;
	const char *at = text, *end = text + n;

	while ((at = memmem(at, (size_t)(end - at), key, len))) {
		unsigned i;

		if ((size_t)(end - at) < len + MAC_TEXT)
			return (size_t)(at - text);
		i = address_of(at + len);
		if (i < n_live)
			n_seen[i]++;
		at += len + MAC_TEXT;
	}
	return n > len ? n - len : 0;
}

/* Reads the answer to fdb.show to its end. */
static void *read_show(void *arg)
{
	int fd = *(int *)arg;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	static char text[1 << 16];
	size_t n = 0;

	while (poll(&p, 1, WAIT_MS) == 1) {
		ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		size_t keep;

		cr_assert_gt(got, 0);
		n += (size_t)got;
		text[n] = '\0';
		keep = count_macs(text, n);
		if (text[n - 1] == '\n')
			return NULL;
		memmove(text, text + keep, n - keep);
		n -= keep;
	}
	cr_assert_fail("the answer has no end");
	return NULL;
}

/* Whether the whole line of an answer waits at @fd. */
static bool is_answered(int fd)
{
	char text[128];
	ssize_t n = recv(fd, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT);

	return n > 0 && text[n - 1] == '\n';
}

/* How long it takes to ask something else, in ms. */
static double ask_another(void)
{
	double t = now_ms();

	json_object_put(swd_call(&lan.swd, "bridge.show", NULL));
	return now_ms() - t;
}

static double longer(double a, double b)
{
	return a > b ? a : b;
}

Test(scale, a_million_addresses_are_shown_while_others_come_and_go)
{
	double longest = 0;
	unsigned n_once = 0;
	uint64_t rss;
	pthread_t reader;
	int fd, slow;

	n_seen = calloc(n_live, 1);
	teach(0, n_live);
	/* Of ten million, a few find both their buckets full. */
	cr_assert_geq(n_entries(), n_live - 3);
	rss = swd_rss_kib(&lan.swd);
	slow = connect_control();
	ask(slow, "fdb.show", "{}"); /* and does not read */
	fd = connect_control();
	ask(fd, "fdb.show", "{\"bridge\":\"big\"}");
	pthread_create(&reader, NULL, read_show, &fd);
	for (unsigned i = 0; i < 8; i++)
		teach(n_live + 1000 * i, 1000);
	while (pthread_tryjoin_np(reader, NULL))
		longest = longer(longest, ask_another());
	cr_log_info(
	    "another waits %.1f ms for a show of %u\n", longest, n_live);
	cr_expect_leq(longest, LONGEST_MS);
	cr_expect_leq(swd_rss_kib(&lan.swd), rss + GROWTH_KIB);
	for (unsigned i = 0; i < n_live; i++) {
		cr_assert_leq(n_seen[i], 1, "address %u", i);
		n_once += n_seen[i];
	}
	cr_expect_geq(n_once, n_live - 3);
	close(fd);
	close(slow);
	lan_finish(&lan);
}

Test(scale, a_million_addresses_are_flushed_while_others_ask)
{
	char answer[128] = {0}, *removed;
	double longest = 0;
	unsigned n;
	int fd = connect_control();

	teach(0, n_live);
	n = n_entries();
	cr_expect_geq(n, n_live - 3);
	ask(fd, "fdb.flush", "{\"bridge\":\"big\"}");
	while (!is_answered(fd))
		longest = longer(longest, ask_another());
	cr_log_info("another waits %.1f ms for a flush\n", longest);
	cr_assert_gt(recv(fd, answer, sizeof(answer) - 1, 0), 0);
	removed = strstr(answer, "\"removed\":");
	cr_assert_not_null(removed, "%s", answer);
	cr_expect_eq(strtoul(removed + strlen("\"removed\":"), NULL, 10), n);
	cr_expect_eq(n_entries(), 0);
	close(fd);
	lan_finish(&lan);
}

/* Waits until the table is empty; the longest that an answer took, in ms. */
static double await_empty(void)
{
	double start_ms = now_ms(), longest = 0;

	while (n_entries()) {
		longest = longer(longest, ask_another());
		cr_assert_lt(now_ms() - start_ms, WAIT_MS);
	}
	return longest;
}

Test(scale, a_flush_ends_though_nobody_waits_for_it)
{
	int fd = connect_control();

	teach(0, n_live);
	cr_expect_geq(n_entries(), n_live - 3);
	ask(fd, "fdb.flush", "{\"bridge\":\"big\"}");
	close(fd);
	await_empty();
	lan_finish(&lan);
}

/* The first fdb_entries in the only answer to @requests, all of which are there
 * before the first is served. */
static unsigned entries_told(const char *requests)
{
	static const char key[] = "\"fdb_entries\":";
	char text[4096] = "", *at;
	int fd = connect_control();
	size_t n = 0;

	cr_assert_gt(send(fd, requests, strlen(requests), MSG_NOSIGNAL), 0);
	while (!strchr(text, '\n')) {
		ssize_t got = recv(fd, text + n, sizeof(text) - 1 - n, 0);

		cr_assert_gt(got, 0);
		n += (size_t)got;
	}
	close(fd);
	at = strstr(text, key);
	cr_assert_not_null(at, "%s", text);
	return (unsigned)strtoul(at + sizeof(key) - 1, NULL, 10);
}

/* How many of big's addresses there are right after @method with @params. */
static unsigned n_after(const char *method, const char *params)
{
	char text[512];

	snprintf(text, sizeof(text),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s}\n"
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bridge.show\","
	    "\"params\":{\"name\":\"big\"}}\n",
	    method, params);
	return entries_told(text);
}

static void forgotten_in_steps(const char *method, const char *params)
{
	unsigned n;

	teach(0, n_live);
	n = n_entries();
	cr_expect_geq(n, n_live - 3);
	cr_expect_gt(n_after(method, params), n / 2, "all in one step");
	cr_log_info("another waits %.1f ms meanwhile\n", await_empty());
}

Test(scale, a_port_that_goes_down_is_forgotten_in_steps)
{
	forgotten_in_steps("port.set", "{\"name\":\"vm1\",\"state\":\"down\"}");
	lan_set(&lan, 1, "'state':'up'");
	teach(0, 1);
	cr_expect_eq(n_entries(), 1);
	lan_finish(&lan);
}

/* Its number and its addresses are free for others at once. */
Test(scale, a_port_that_leaves_is_forgotten_in_steps)
{
	static const char mac[] = "02:00:00:ff:ff:ff";
	const struct netdev_config usual = {0};

	teach(0, n_live);
	cr_assert_eq(
	    swd_do(&lan.swd, "fdb.add", "{'mac':'%s','port':'vm1'}", mac), 0);
	cr_expect_gt(n_after("port.del", "{\"name\":\"vm1\"}"), n_live / 2,
	    "all in one step");
	cr_expect_eq(
	    swd_do(&lan.swd, "fdb.add", "{'mac':'%s','port':'vm2'}", mac), 0,
	    "a static address of a port that left is in the way");
	netdev_close(&lan.vm[1]);
	lan_add(&lan, 1, &usual, ",'bridge':'big'");
	lan.n = 2;
	for (unsigned i = 0; n_entries() > 1 && i < WAIT_MS; i++)
		usleep(1000);
	cr_expect_eq(n_entries(), 1);
	teach(0, 1000);
	cr_expect_eq(n_entries(), 1001);
	lan_finish(&lan);
}

Test(scale, a_port_that_comes_has_no_address_of_one_that_left)
{
	teach(0, n_live);
	cr_expect_eq(
	    entries_told("{\"jsonrpc\":\"2.0\",\"method\":\"port.del\","
			 "\"params\":{\"name\":\"vm1\"}}\n"
			 "{\"jsonrpc\":\"2.0\",\"method\":\"port.add\","
			 "\"params\":{\"name\":\"n\",\"type\":\"null\","
			 "\"bridge\":\"big\"}}\n"
			 "{\"jsonrpc\":\"2.0\",\"id\":1,"
			 "\"method\":\"port.show\",\"params\":{"
			 "\"name\":\"n\",\"details\":true}}\n"),
	    0, "it has them");
	await_empty();
	cr_expect_eq(swd_stop(&lan.swd), 0);
}

Test(scale, a_bridge_leaves_that_is_still_forgetting)
{
	teach(0, n_live);
	cr_assert_eq(swd_do(&lan.swd, "port.del", "{'name':'vm1'}"), 0);
	cr_assert_eq(swd_do(&lan.swd, "port.del", "{'name':'vm2'}"), 0);
	cr_expect_eq(swd_do(&lan.swd, "bridge.del", "{'name':'big'}"), 0);
	cr_assert_eq(
	    swd_do(&lan.swd, "port.add", "{'name':'n','type':'null'}"), 0);
	cr_expect_eq(swd_stop(&lan.swd), 0);
}

Test(scale, a_million_addresses_age_while_others_ask)
{
	double longest;

	teach(0, n_live);
	cr_expect_geq(n_entries(), n_live - 3);
	cr_assert_eq(
	    swd_do(&lan.swd, "bridge.set", "{'name':'big','ageing':1}"), 0);
	longest = await_empty();
	cr_log_info("another waits %.1f ms for a sweep\n", longest);
	lan_finish(&lan);
}
