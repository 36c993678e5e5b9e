/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * latency.c - how long one frame takes from one light guest to another.
 *
 * Both guests being on one thread, there is one clock: from just before the
 * frame is published, and the switch kicked if it wants to be, until the used
 * entry is seen.  The frame goes forth, the next one back.  Where other guests
 * load the switch meanwhile, each look at the ring is followed by one turn of
 * one of their queues, some tenths of a microsecond, which is how exact the
 * times are then.
 *
 * A probe tells of the machine and not of the switch if another program had
 * the cpu of this thread during it; or that of the switch, whose process has to
 * be known (-p), since the last probe; or if this thread came late, since a
 * switch that is left alone falls asleep.  Such a probe is thrown away, and
 * counted.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>

#include "bench/parts/frames.h"
#include "bench/parts/run.h"
#include "bench/parts/times.h"
#include "bench/parts/waited.h"
#include "switch/base/clock.h"

enum { PATIENCE_MS = 200, LATE_US = 20 };

struct probes {
	struct times times;
	unsigned lost, disturbed;
	struct waited waited; /* the switch */
	uint64_t waited_ns;   /* at the end of the last probe */
	uint32_t seq;
	unsigned turn; /* of the other guests' queues */
};

static long preemptions(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

/* Gives one queue of the guests that are not probed its turn. */
static void play_others(struct traffic *t, struct probes *p)
{
	unsigned n = (t->n - RUN_PROBED) * t->card.pairs;

	if (!n)
		return;
	p->turn = p->turn + 1 < n ? p->turn + 1 : 0;
	traffic_turn(
	    t, RUN_PROBED + p->turn / t->card.pairs, p->turn % t->card.pairs);
}

/* Whether the frame with number @seq has come in at @rx; takes whatever has. */
static bool has_come(struct ring *rx, uint32_t seq)
{
	uint32_t place = rx->taken;
	unsigned n = ring_take(rx, NULL, RING_BATCH_MAX);
	bool here = false;

	for (unsigned i = 0; i < n; i++)
		here |=
		    frame_mark(ring_buffer(rx, place + i) + CARD_HDR_LEN).seq ==
		    seq;
	return here;
}

/* Until the switch calls, for at most a while. */
static void sleep_until_called(struct ring *rx)
{
	struct pollfd p = {.fd = rx->call_fd, .events = POLLIN};
	uint64_t calls;

	if (poll(&p, 1, PATIENCE_MS) == 1 &&
	    read(rx->call_fd, &calls, sizeof(calls)) < 0)
		rx->fault = "the call descriptor cannot be read";
}

/* Lays out the next frame from guest @g to guest @to. */
static void prepare(
    struct traffic *t, struct ring *tx, uint8_t g, uint8_t to, uint32_t seq)
{
	uint8_t *frame;

	if (!ring_idle(tx))
		ring_take(tx, NULL, RING_SIZE_MAX);
	frame = ring_buffer(tx, tx->given) + CARD_HDR_LEN;
	frame_lay(frame, t->card.tx_len, (struct frame_end){.guest = to},
	    (struct frame_end){.guest = g}, 0);
	frame_set_seq(frame, seq);
}

/* Whether the switch has waited for its cpu since this was last asked. */
static bool switch_disturbed(struct probes *p)
{
	uint64_t was = p->waited_ns;

	p->waited_ns = waited_ask(&p->waited);
	return p->waited_ns - was > LATE_US * 1000;
}

/* One probe, which should have begun at @due. */
static void probe(
    struct traffic *t, const struct run *run, struct probes *p, uint64_t due)
{
	uint64_t patience = PATIENCE_MS * 1000 * clock_cycles_per_us();
	unsigned g = p->seq & 1;
	struct ring *tx = &t->host[g].card.tx[0];
	struct ring *rx = &t->host[!g].card.rx[0];
	long before = preemptions();
	uint64_t start, now;
	bool here, disturbed;

	prepare(t, tx, (uint8_t)g, !g, ++p->seq);
	start = clock_cycles();
	ring_give(tx, 1);
	ring_kick(tx);
	do {
		if (run->guest_sleeps)
			sleep_until_called(rx);
		here = has_come(rx, p->seq);
		now = clock_cycles();
		if (!here)
			play_others(t, p);
	} while (!here && now - start < patience);
	ring_give(rx, ring_idle(rx));
	ring_kick(rx);
	disturbed = switch_disturbed(p) || preemptions() != before ||
		    start - due > LATE_US * clock_cycles_per_us();
	if (!here)
		p->lost++;
	else if (disturbed)
		p->disturbed++;
	else
		times_add(&p->times, now - start);
}

/* Plays the other guests, or spins as a guest does, until @until. */
static void pass_time(struct traffic *t, struct probes *p, uint64_t until)
{
	while ((int64_t)(until - clock_cycles()) > 0)
		play_others(t, p);
}

static void probe_until(
    struct traffic *t, const struct run *run, struct probes *p, uint64_t until)
{
	uint64_t pause =
	    (uint64_t)(run->pause_us * (double)clock_cycles_per_us());
	uint64_t next = clock_cycles();

	do {
		probe(t, run, p, next);
		traffic_check(t);
		next += pause;
		if (clock_cycles() > next)
			next = clock_cycles();
		pass_time(t, p, next);
	} while ((int64_t)(until - clock_cycles()) > 0);
}

static void print(struct traffic *t, const struct run *run, struct probes *p,
    double waited, double others_mpps)
{
	times_print(&p->times, run->readable);
	if (!run->readable) {
		printf(" %u %u %.1f %.3f\n", p->times.n, p->lost, waited,
		    others_mpps);
		return;
	}
	printf("probes   %u, %u lost, %u disturbed, %lu kicks\n", p->times.n,
	    p->lost, p->disturbed,
	    (unsigned long)(t->host[0].card.tx[0].n_kicks +
			    t->host[1].card.tx[0].n_kicks));
	printf("others   %.3f Mpps\nwaited   %.1f %% of a cpu\n", others_mpps,
	    waited);
}

static uint64_t cycles_of(double s)
{
	return (uint64_t)(s * 1e6 * (double)clock_cycles_per_us());
}

void run_latency(struct traffic *t, const struct run *run)
{
	struct probes p = {0};
	uint64_t waited, received, start;
	double us;

	waited_open(&p.waited, run->switch_pid);
	if (!times_open(&p.times))
		card_die("out of memory");
	for (unsigned g = 0; g < RUN_PROBED && run->guest_sleeps; g++)
		ring_calls_on(&t->host[g].card.rx[0]);
	traffic_pace(t);
	probe_until(t, run, &p, clock_cycles() + cycles_of(run->warmup));
	p.times.n = p.lost = p.disturbed = 0;
	waited = waited_ns(run->switch_pid);
	received = traffic_received(t);
	start = clock_cycles();
	probe_until(t, run, &p, start + cycles_of(run->seconds));
	us = (double)(clock_cycles() - start) / (double)clock_cycles_per_us();
	waited = waited_ns(run->switch_pid) - waited;
	received = traffic_received(t) - received;
	if (!p.times.n)
		card_die("no frame arrived");
	print(t, run, &p, (double)waited / us / 10, (double)received / us);
	times_close(&p.times);
	waited_close(&p.waited);
}
