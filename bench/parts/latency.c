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
 * A probe during which this thread was preempted tells of the machine and not
 * of the switch; it is thrown away, and counted.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench/parts/frames.h"
#include "bench/parts/run.h"
#include "bench/parts/waited.h"
#include "switch/base/clock.h"

enum { TIMES_MAX = 1 << 24, PATIENCE_MS = 200, N_PERCENTILES = 5 };

struct probes {
	uint32_t *cycles; /* of each probe */
	unsigned n, lost, disturbed;
	uint32_t seq;
	unsigned turn; /* of the other guests' queues */
};

static const double percentile[N_PERCENTILES] = {50, 90, 99, 99.9, 99.99};

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

static void probe(struct traffic *t, const struct run *run, struct probes *p)
{
	uint64_t patience = PATIENCE_MS * 1000 * clock_cycles_per_us();
	unsigned g = p->seq & 1;
	struct ring *tx = &t->host[g].card.tx[0];
	struct ring *rx = &t->host[!g].card.rx[0];
	long before = preemptions();
	uint64_t start, now;
	bool here;

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
	if (!here)
		p->lost++;
	else if (preemptions() != before)
		p->disturbed++;
	else if (p->n < TIMES_MAX)
		p->cycles[p->n++] = (uint32_t)(now - start);
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
		next += pause;
		probe(t, run, p);
		if (pause)
			pass_time(t, p, next);
		traffic_check(t);
	} while ((int64_t)(until - clock_cycles()) > 0);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double ns(uint32_t cycles)
{
	return (double)cycles * 1000 / (double)clock_cycles_per_us();
}

/* Prints the @q-th percentile, or "-" if too few probes lie above it. */
static void print_percentile(const struct probes *p, double q, const char *name)
{
	unsigned above = (unsigned)((double)p->n * (100 - q) / 100);

	if (name)
		printf("%-8s ", name);
	if (above)
		printf("%.0f", ns(p->cycles[p->n - 1 - above]));
	else
		putchar('-');
	fputs(name ? " ns\n" : " ", stdout);
}

static void print(struct traffic *t, const struct run *run, struct probes *p,
    double waited, double others_mpps)
{
	qsort(p->cycles, p->n, sizeof(*p->cycles), compare);
	for (unsigned i = 0; i < N_PERCENTILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%g %%", percentile[i]);
		print_percentile(p, percentile[i], run->readable ? name : NULL);
	}
	if (!run->readable) {
		printf("%.0f %u %u %.1f %.3f\n", ns(p->cycles[p->n - 1]), p->n,
		    p->lost, waited, others_mpps);
		return;
	}
	printf("max      %.0f ns\n", ns(p->cycles[p->n - 1]));
	printf("probes   %u, %u lost, %u disturbed, %lu kicks\n", p->n, p->lost,
	    p->disturbed,
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
	struct probes p = {.cycles = calloc(TIMES_MAX, sizeof(*p.cycles))};
	uint64_t waited, received, start;
	double us;

	if (!p.cycles)
		card_die("out of memory");
	for (unsigned g = 0; g < RUN_PROBED && run->guest_sleeps; g++)
		ring_calls_on(&t->host[g].card.rx[0]);
	traffic_pace(t);
	probe_until(t, run, &p, clock_cycles() + cycles_of(run->warmup));
	p.n = p.lost = p.disturbed = 0;
	waited = waited_ns(run->switch_pid);
	received = traffic_received(t);
	start = clock_cycles();
	probe_until(t, run, &p, start + cycles_of(run->seconds));
	us = (double)(clock_cycles() - start) / (double)clock_cycles_per_us();
	waited = waited_ns(run->switch_pid) - waited;
	received = traffic_received(t) - received;
	if (!p.n)
		card_die("no frame arrived");
	print(t, run, &p, (double)waited / us / 10, (double)received / us);
	free(p.cycles);
}
