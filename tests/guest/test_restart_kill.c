/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_restart_kill.c - the switch is killed under load, again and again.
 *
 * Two guests, a thread each, send to each other without a pause and come back
 * whenever the switch is gone; it is killed at any moment and started anew.  At
 * the end every buffer that they ever gave has come back exactly once, and
 * every frame that arrived was as it was sent.  Frames on their way may be lost
 * or come twice; how many, and how long both guests waited for the next one, is
 * printed.
 *
 * $KILLS says how often (tests/net/test_kill.sh).
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/lan.h"

enum {
	KILLS = 12,
	BURST = 32,
	WINDOW = 128, /* frames that the other has not seen */
	OUTAGE_MS_MAX = 1000,
	PATIENCE_MS = 10000,
	LOST_US = 5000, /* what was not seen by then never will be */
	LEN_MIN = 60,
	LEN_MAX = 1514,
	SEQ_AT = LAN_HDR,
};

struct guest {
	struct netdev d;
	struct guest *other;
	unsigned no;
	bool failed;
	int64_t back_us;     /* when it was back last */
	uint32_t next;	     /* frame to send, from 1 */
	uint32_t first;	     /* frames up to it are not waited for */
	int64_t full_us;     /* since when the window is full; 0: it is not */
	uint32_t n_lives;    /* atomic: of the switch, that it has seen */
	uint32_t n_since;    /* atomic: frames from this one */
	uint32_t last;	     /* atomic: the highest that was seen */
	uint64_t n, n_again; /* frames; of them seen before */
};

static struct guest guest[2];
static struct swd swd;
static char config[] = "/tmp/swd-kill-XXXXXX";
static bool stopping; /* atomic */

#define LOAD(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static uint32_t build(uint8_t *frame, uint32_t seq, unsigned from, unsigned to)
{
	uint32_t len = LEN_MIN + seq * 37 % (LEN_MAX - LEN_MIN + 1);

	lan_build(frame, len, lan_mac(to), lan_mac(from), seq);
	memcpy(frame + SEQ_AT, &seq, sizeof(seq));
	return len;
}

/* How many more may be sent now. */
static uint32_t room(struct guest *g)
{
	uint32_t seen = LOAD(&g->other->last);
	uint32_t out = g->next - 1 - (seen > g->first ? seen : g->first);

	if (out < WINDOW) {
		g->full_us = 0;
	} else if (!g->full_us) {
		g->full_us = now_us();
	} else if (now_us() - g->full_us > LOST_US) {
		g->full_us = 0;
		g->first = g->next - 1;
		out = 0;
	}
	return WINDOW - out;
}

static void send_some(struct guest *g)
{
	uint32_t n = room(g);
	uint8_t frame[LEN_MAX];

	for (uint32_t i = 0; i < BURST && i < n; i++) {
		const struct netdev_layout l = {.parts = 1 + g->next % 3,
		    .joined = g->next % 2,
		    .indirect = g->next % 5 == 0};
		uint32_t len = build(frame, g->next, g->no, g->other->no);

		if (netdev_queue_frame(&g->d, 0, frame, len, &l, NULL))
			break;
		g->next++;
	}
	netdev_flush(&g->d, 0);
	netdev_reap_tx(&g->d, 0);
}

/* A frame is one that was sent, byte for byte. */
static bool take(struct guest *g, const uint8_t *frame, int len)
{
	uint8_t want[LEN_MAX];
	uint32_t seq;

	if (len < LEN_MIN)
		return false;
	memcpy(&seq, frame + SEQ_AT, sizeof(seq));
	if (build(want, seq, g->other->no, g->no) != (uint32_t)len ||
	    memcmp(frame, want, (size_t)len))
		return false;
	g->n++;
	if (seq <= g->last)
		g->n_again++;
	else
		STORE(&g->last, seq);
	STORE(&g->n_since, g->n_since + 1);
	return true;
}

static void receive_some(struct guest *g)
{
	uint8_t frame[2048];

	while (guest_vring_has_used(netdev_rx_ring(&g->d, 0))) {
		int len = netdev_recv(&g->d, 0, frame, sizeof(frame), 0);

		if (!take(g, frame, len))
			g->failed = true;
	}
}

static bool is_cut(const struct guest *g)
{
	struct pollfd p = {.fd = g->d.fe.fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}

/* Rings are enabled before they start, because a back end discards what is in
 * one that is started and not enabled (vhost-user, "Ring states"). */
static int start_rings(struct guest *g)
{
	int err = netdev_connect(&g->d);

	for (unsigned k = 0; k < 2 && !err; k++)
		err = frontend_tell_state(&g->d.fe, VU_SET_VRING_ENABLE, k, 1);
	return err ? err : netdev_start(&g->d);
}

static void come_back(struct guest *g)
{
	int64_t deadline = now_us() + PATIENCE_MS * 1000;
	int err;

	receive_some(g); /* from the switch that was */
	do {
		netdev_disconnect(&g->d);
		err = start_rings(g);
	} while (err && now_us() < deadline);
	if (err)
		g->failed = true;
	g->first = g->next - 1;
	g->back_us = now_us();
	STORE(&g->n_since, 0);
	STORE(&g->n_lives, g->n_lives + 1);
}

static void *live(void *arg)
{
	struct guest *g = arg;

	while (!LOAD(&stopping) && !g->failed) {
		if (is_cut(g))
			come_back(g);
		send_some(g);
		receive_some(g);
		guest_vring_wait(netdev_rx_ring(&g->d, 0), 1);
	}
	return NULL;
}

static bool hears(const struct guest *g, uint32_t life)
{
	return LOAD(&g->n_lives) == life && LOAD(&g->n_since);
}

/* Both have got a frame from the switch of that number. */
static bool await_both(uint32_t life)
{
	int64_t deadline = now_us() + PATIENCE_MS * 1000;

	while (!hears(&guest[0], life) || !hears(&guest[1], life)) {
		if (now_us() > deadline || guest[0].failed || guest[1].failed)
			return false;
		usleep(500);
	}
	return true;
}

static void open_guest(unsigned i, const struct netdev_config *usual)
{
	struct netdev_config c = *usual;
	struct guest *g = &guest[i];
	char name[8], path[108];

	*g = (struct guest){.other = &guest[1 - i], .no = i + 1, .next = 1};
	snprintf(name, sizeof(name), "vm%u", i + 1);
	swd_socket(&swd, name, path, sizeof(path));
	c.socket = path;
	c.stale_base = true;
	/* No pattern in receive buffers: a switch that was killed may have
	 * written to one more than its successor says it did. */
	c.fast = true;
	cr_assert_eq(netdev_create(&g->d, &c), 0);
	cr_assert_eq(start_rings(g), 0);
}

static void start_all(const struct netdev_config *usual)
{
	static const char *const options[] = {"-c", config, NULL};
	static const char ports[] = "port add vm1 type vhost-user\n"
				    "port add vm2 type vhost-user\n";
	int fd = mkstemp(config);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, ports, sizeof(ports) - 1), sizeof(ports) - 1);
	close(fd);
	cr_assert_eq(swd_start(&swd, options), 0);
	for (unsigned i = 0; i < 2; i++)
		open_guest(i, usual);
}

static void clean_up(void)
{
	swd_fini(&swd);
	unlink(config);
}

/* Without new ones, the other sends until @g has got all its buffers back. */
static void drain_rx(struct guest *g)
{
	unsigned size = g->d.config.ring_size;
	struct netdev_queue *q = &g->d.q[0];

	g->d.hold_rx = true;
	for (unsigned i = 0; i < 2 * size && q->n_free < size; i++) {
		uint8_t frame[LEN_MAX];
		uint32_t len =
		    build(frame, g->other->next++, g->other->no, g->no);

		cr_assert_eq(netdev_send(&g->other->d, 0, frame, len, NULL), 0);
		guest_vring_wait(netdev_rx_ring(&g->d, 0), 2000);
		receive_some(g);
	}
	cr_expect_eq(q->n_free, size, "vm%u: %u receive buffers are lost",
	    g->no, size - q->n_free);
}

static void expect_all_back(void)
{
	for (unsigned i = 0; i < 2; i++)
		cr_expect_eq(netdev_drain_tx(&guest[i].d, 0, LAN_WAIT_MS), 0,
		    "vm%u: %u sent buffers are lost", i + 1,
		    guest[i].d.config.ring_size - guest[i].d.q[1].n_free);
	for (unsigned i = 0; i < 2; i++)
		receive_some(&guest[i]);
	for (unsigned i = 0; i < 2; i++)
		drain_rx(&guest[i]);
	for (unsigned i = 0; i < 2; i++) {
		const struct netdev_faults *f = &guest[i].d.faults;

		cr_expect(netdev_faultless(&guest[i].d),
		    "vm%u: rings %ju %ju tx_written %ju rx_short %ju long %ju "
		    "past_end %ju header %ju missing %ju",
		    i + 1, (uintmax_t)guest[i].d.q[0].ring.n_bad,
		    (uintmax_t)guest[i].d.q[1].ring.n_bad,
		    (uintmax_t)f->tx_written, (uintmax_t)f->rx_short,
		    (uintmax_t)f->rx_long, (uintmax_t)f->rx_past_end,
		    (uintmax_t)f->rx_header, (uintmax_t)f->rx_missing);
		cr_expect_not(guest[i].failed, "vm%u", i + 1);
	}
	cr_expect(swd_conserved(&swd));
}

/* Microseconds from a kill until the switch was gone, the next one was there,
 * the guests were back, and both heard each other; and of these, how many the
 * next one did not wait for a processor that was busy with others. */
struct outage {
	int64_t gone, up, back, over, own;
};

static int by_time(const void *a, const void *b)
{
	const struct outage *x = a, *y = b;

	return x->over < y->over ? -1 : x->over > y->over;
}

static void report(const char *what, struct outage o[], unsigned n)
{
	uint64_t sent = guest[0].next + guest[1].next - 2;
	uint64_t got = guest[0].n + guest[1].n;
	uint64_t again = guest[0].n_again + guest[1].n_again;
	const struct outage *median = &o[n / 2], *worst = &o[n - 1];

	qsort(o, n, sizeof(o[0]), by_time);
	fprintf(stderr,
	    "# %s, %s rings: %u kills, outage median %.1f ms, worst %.1f ms "
	    "(gone after %.1f, up after %.1f, guests back after %.1f); of %ju "
	    "frames %ju lost, %ju twice\n",
	    what, guest[0].d.packed ? "packed" : "split", n,
	    (double)median->over / 1e3, (double)worst->over / 1e3,
	    (double)worst->gone / 1e3, (double)worst->up / 1e3,
	    (double)worst->back / 1e3, (uintmax_t)sent,
	    (uintmax_t)(sent - (got - again)), (uintmax_t)again);
	for (unsigned i = 0; i < n; i++)
		cr_expect_lt(o[i].own, OUTAGE_MS_MAX * 1000);
}

static struct outage kill_once(uint32_t no)
{
	struct outage o;
	int64_t start;

	usleep((useconds_t)(1000 + rand() % 20000));
	start = now_us();
	swd_kill(&swd);
	o.gone = now_us() - start;
	cr_assert_eq(swd_respawn(&swd), 0);
	o.up = now_us() - start;
	cr_assert(await_both(no), "stuck after %u kills", no);
	o.over = now_us() - start;
	o.back = guest[0].back_us > guest[1].back_us ? guest[0].back_us
						     : guest[1].back_us;
	o.back -= start;
	o.own = o.over - o.gone - (int64_t)swd_run_delay_ns(&swd) / 1000;
	return o;
}

static void kill_and_kill(const char *what, const struct netdev_config *usual)
{
	const char *said = getenv("KILLS");
	unsigned n = said ? (unsigned)atoi(said) : KILLS;
	struct outage *o = calloc(n, sizeof(*o));
	pthread_t thread[2];

	start_all(usual);
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, live, &guest[i]);
	cr_assert(await_both(0), "no frames to begin with");
	for (unsigned i = 0; i < n; i++)
		o[i] = kill_once(i + 1);
	STORE(&stopping, true);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	report(what, o, n);
	expect_all_back();
	cr_expect_eq(swd_stop(&swd), 0);
	for (unsigned i = 0; i < 2; i++)
		netdev_close(&guest[i].d);
	free(o);
}

TestSuite(restart_kill, .fini = clean_up, .timeout = 3000);

Test(restart_kill, guests_without_notes)
{
	kill_and_kill("without notes", &(struct netdev_config){0});
}

Test(restart_kill, guests_with_notes)
{
	kill_and_kill("with notes", &(struct netdev_config){.inflight = true});
}

Test(restart_kill, guests_that_want_order)
{
	kill_and_kill("in order",
	    &(struct netdev_config){.in_order = true, .inflight = true});
}
