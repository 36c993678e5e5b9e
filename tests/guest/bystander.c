/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bystander.c - two innocent guests whose traffic nothing may disturb.
 *
 * Frames carry their number and the time they were sent; a way is one
 * direction.  The thread sleeps on the call descriptors until a frame arrives
 * or the next one is due, so that what it measures is not its own polling.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/guest/bystander.h"

enum {
	FRAME_LEN = 128,
	ETHERTYPE = 0x88b6,	   /* local experimental (IEEE 802) */
	AWAY_NS = 2000000,	   /* a gap in the thread's own life */
	DELAY_PERIOD_NS = 5000000, /* between two looks at schedstat */
	LATENCIES_MAX = 1 << 20,
};

static const uint64_t magic = UINT64_C(0x62797374616e6421);

struct stamp {
	uint64_t magic, number;
	int64_t sent_ns;
	uint64_t away_ns;  /* of the thread, until it was sent */
	uint64_t delay_ns; /* of the switch, until it was sent */
};

/* One direction: its frames leave @from and arrive at @to. */
struct way {
	struct netdev *from, *to;
	uint8_t dst, src;
	uint64_t sent, received, next;
};

struct bystander {
	struct swd *swd;
	struct netdev by[2];
	struct way way[2];
	pthread_t thread;
	bool stop; /* atomic */
	int64_t interval_ns;
	int64_t woke_ns;	 /* when the thread last ran */
	int64_t delay_looked_ns; /* when schedstat was last read */
	uint64_t away_ns, delay_ns;
	uint32_t *latency; /* ns */
	uint64_t n_latencies;
	struct bystander_report report;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void build(uint8_t *f, const struct way *w, const struct stamp *s)
{
	static const uint8_t addr[5] = {0x02, 0x00, 0x00, 0x00, 0xb1};

	memcpy(f, addr, 5);
	f[5] = w->dst;
	memcpy(f + 6, addr, 5);
	f[11] = w->src;
	f[12] = ETHERTYPE >> 8;
	f[13] = ETHERTYPE & 0xff;
	memcpy(f + 14, s, sizeof(*s));
	memset(f + 14 + sizeof(*s), (int)(s->number & 0xff),
	    FRAME_LEN - 14 - sizeof(*s));
}

static void send_one(struct bystander *b, struct way *w)
{
	const struct stamp s = {
	    .magic = magic,
	    .number = w->sent,
	    .sent_ns = now_ns(),
	    .away_ns = b->away_ns,
	    .delay_ns = b->delay_ns,
	};
	uint8_t frame[FRAME_LEN];

	build(frame, w, &s);
	if (netdev_send(w->from, 0, frame, FRAME_LEN, NULL) == 0)
		w->sent++;
	else
		b->report.full++;
}

static void look_at_delay(struct bystander *b, int64_t now)
{
	b->delay_ns = swd_run_delay_ns(b->swd);
	b->delay_looked_ns = now;
}

/* What of a latency is the switch's doing: a long one is cut by what explains
 * it, and counted. */
static int64_t judge(struct bystander *b, const struct stamp *s, int64_t now)
{
	const int64_t limit = BYSTANDER_STALL_MS * INT64_C(1000000);
	int64_t late = now - s->sent_ns;

	if (late <= limit)
		return late;
	look_at_delay(b, now);
	late -= (int64_t)(b->away_ns - s->away_ns);
	late -= (int64_t)(b->delay_ns - s->delay_ns);
	if (late > limit)
		b->report.stalls++;
	else
		b->report.excused++;
	return late > 0 ? late : 0;
}

static void take_one(
    struct bystander *b, struct way *w, const uint8_t *got, int len)
{
	uint8_t frame[FRAME_LEN];
	struct stamp s = {0};
	int64_t now = now_ns(), late;

	if (len == FRAME_LEN)
		memcpy(&s, got + 14, sizeof(s));
	if (s.magic != magic) {
		b->report.foreign++;
		return;
	}
	build(frame, w, &s);
	if (memcmp(frame, got, FRAME_LEN) != 0) {
		b->report.corrupted++;
		return;
	}
	w->received++;
	if (s.number < w->next)
		b->report.reordered++;
	else
		w->next = s.number + 1;
	late = judge(b, &s, now);
	if (b->n_latencies < LATENCIES_MAX)
		b->latency[b->n_latencies++] =
		    late < UINT32_MAX ? (uint32_t)late : UINT32_MAX;
}

static void take_all(struct bystander *b, struct way *w)
{
	static __thread uint8_t got[2048];
	int len;

	while (
	    (len = netdev_recv(w->to, 0, got, sizeof(got), 0)) != -ETIMEDOUT) {
		if (len < 0)
			b->report.corrupted++;
		else
			take_one(b, w, got, len);
	}
}

/* Sleeps until a frame arrives or @until; notes how long it was away. */
static void rest(struct bystander *b, int64_t until)
{
	struct pollfd p[2];
	int64_t left = until - now_ns();
	struct timespec t = {0};
	bool idle = true;
	int64_t woke, away;

	for (unsigned i = 0; i < 2; i++) {
		struct guest_vring *r = netdev_rx_ring(&b->by[i], 0);

		p[i] = (struct pollfd){.fd = r->call_fd, .events = POLLIN};
		idle = guest_vring_arm(r) && idle;
	}
	if (idle && left > 0) {
		t.tv_nsec = left;
		ppoll(p, 2, &t, NULL);
	}
	for (unsigned i = 0; i < 2; i++)
		guest_vring_disarm(netdev_rx_ring(&b->by[i], 0));
	woke = now_ns();
	away = woke - b->woke_ns - (left > 0 ? left : 0);
	if (away > AWAY_NS)
		b->away_ns += (uint64_t)away;
	b->woke_ns = woke;
}

static bool all_received(const struct bystander *b)
{
	return b->way[0].received == b->way[0].sent &&
	       b->way[1].received == b->way[1].sent;
}

static void *run(void *arg)
{
	struct bystander *b = arg;
	int64_t due = now_ns(), drained;

	b->woke_ns = due;
	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		int64_t now = now_ns();

		if (now - b->delay_looked_ns > DELAY_PERIOD_NS)
			look_at_delay(b, now);
		if (now >= due) {
			send_one(b, &b->way[0]);
			send_one(b, &b->way[1]);
			due = now + b->interval_ns;
		}
		rest(b, due);
		take_all(b, &b->way[0]);
		take_all(b, &b->way[1]);
	}
	drained = now_ns() + BYSTANDER_DRAIN_MS * INT64_C(1000000);
	while (!all_received(b) && now_ns() < drained) {
		rest(b, now_ns() + b->interval_ns);
		take_all(b, &b->way[0]);
		take_all(b, &b->way[1]);
	}
	return NULL;
}

/* Port by@i and the guest on it. */
static int join(struct bystander *b, const char *bridge, unsigned i)
{
	char name[8], path[108];
	const struct netdev_config c = {.socket = path, .ring_size = 4096};
	int err;

	snprintf(name, sizeof(name), "by%u", i + 1);
	swd_socket(b->swd, name, path, sizeof(path));
	err = swd_do(b->swd, "port.add",
	    "{'name':'%s','type':'vhost-user','bridge':'%s'}", name,
	    bridge ? bridge : "br0");
	if (!err)
		err = netdev_open(&b->by[i], &c);
	if (!err && !swd_await_state(b->swd, name, "up"))
		err = -ETIMEDOUT;
	if (err)
		fprintf(stderr, "bystander %s: %s\n", name, strerror(-err));
	return err;
}

struct bystander *bystander_start(
    struct swd *s, const char *bridge, unsigned interval_us)
{
	struct bystander *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->swd = s;
	b->by[0].fe.fd = b->by[0].fe.listen_fd = -1;
	b->by[1].fe.fd = b->by[1].fe.listen_fd = -1;
	b->interval_ns =
	    (interval_us ? interval_us : BYSTANDER_INTERVAL_US) * INT64_C(1000);
	b->latency = calloc(LATENCIES_MAX, sizeof(*b->latency));
	b->way[0] = (struct way){&b->by[0], &b->by[1], 2, 1, 0, 0, 0};
	b->way[1] = (struct way){&b->by[1], &b->by[0], 1, 2, 0, 0, 0};
	if (!b->latency || join(b, bridge, 0) != 0)
		goto free_all;
	if (join(b, bridge, 1) != 0)
		goto close_first;
	if (pthread_create(&b->thread, NULL, run, b) == 0)
		return b;
	netdev_close(&b->by[1]);
close_first:
	netdev_close(&b->by[0]);
free_all:
	free(b->latency);
	free(b);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void bystander_stop(struct bystander *b, struct bystander_report *report)
{
	struct bystander_report *r = &b->report;
	uint64_t n = b->n_latencies;

	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	pthread_join(b->thread, NULL);
	n = b->n_latencies;
	r->sent = b->way[0].sent + b->way[1].sent;
	r->received = b->way[0].received + b->way[1].received;
	r->lost = r->sent - r->received;
	qsort(b->latency, n, sizeof(*b->latency), by_value);
	if (n) {
		r->p50_ns = b->latency[n / 2];
		r->p999_ns = b->latency[n * 999 / 1000];
		r->max_ns = b->latency[n - 1];
	}
	*report = *r;
}

bool bystander_undisturbed(const struct bystander *b,
    const struct bystander_report *r, uint64_t p999_us)
{
	bool intact =
	    netdev_faultless(&b->by[0]) && netdev_faultless(&b->by[1]);
	/* What a sanitizer checks on the way takes its time. */
	bool in_time = getenv("SWD_SANITIZED") ||
		       (!r->stalls && r->p999_ns <= p999_us * 1000);

	if (r->received && !r->lost && !r->reordered && !r->corrupted &&
	    !r->full && in_time && intact)
		return true;
	fprintf(stderr,
	    "bystander: %" PRIu64 " sent, %" PRIu64 " lost, %" PRIu64
	    " reordered, %" PRIu64 " corrupted, %" PRIu64 " ring full, %" PRIu64
	    " stalls (%" PRIu64 " excused), p50 %" PRIu64 " ns, p99.9 %" PRIu64
	    " ns, max %" PRIu64 " ns, memory %s\n",
	    r->sent, r->lost, r->reordered, r->corrupted, r->full, r->stalls,
	    r->excused, r->p50_ns, r->p999_ns, r->max_ns,
	    intact ? "intact" : "damaged");
	return false;
}

void bystander_end(struct bystander *b)
{
	if (!b)
		return;
	netdev_close(&b->by[0]);
	netdev_close(&b->by[1]);
	free(b->latency);
	free(b);
}
