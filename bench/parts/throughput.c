/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * throughput.c - how many frames light guests receive.
 *
 * The rate is that of the fastest window: two virtual cores may move away from
 * each other for a while, and back, which no switch can help.
 */
#include <stdio.h>

#include "bench/parts/run.h"
#include "bench/parts/waited.h"
#include "switch/base/clock.h"

enum { DRAIN_MS = 200, WINDOW_MS = 250 };

struct reading {
	uint64_t cycles, received, waited, busy;
};

static struct reading take_reading(
    const struct traffic *t, const struct run *run)
{
	return (struct reading){.waited = waited_ns(run->switch_pid),
	    .cycles = clock_cycles(),
	    .received = traffic_received(t),
	    .busy = t->busy_cycles};
}

static long long offered(const struct traffic *t)
{
	return (long long)(traffic_sent(t) + traffic_refused(t));
}

static uint64_t kicks(const struct traffic *t)
{
	uint64_t n = 0;

	for (unsigned g = 0; g < t->n; g++)
		for (unsigned q = 0; q < t->card.pairs; q++)
			n += t->host[g].card.rx[q].n_kicks +
			     t->host[g].card.tx[q].n_kicks;
	return n;
}

static void print_readable(const struct traffic *t, double mpps, double waited,
    const struct reading *begin, const struct reading *end)
{
	double busy = (double)(end->busy - begin->busy);

	printf("received  %.3f Mpps, %.2f Gbit/s\n", mpps,
	    mpps * t->card.tx_len * 8 / 1000);
	printf("lost      %lld of %lld (%lu refused by full rings)\n",
	    offered(t) - (long long)traffic_received(t), offered(t),
	    (unsigned long)traffic_refused(t));
	printf("waited    %.1f %% of a cpu\n", waited);
	printf("guests    %.1f cycles for a frame sent and received, %.0f %% "
	       "busy\n",
	    busy / (double)(end->received - begin->received),
	    busy * 100 / (double)(end->cycles - begin->cycles));
	printf("kicks     %lu\n", (unsigned long)kicks(t));
	printf(
	    "memory    %s pages\n", t->host[0].card.huge ? "huge" : "ordinary");
	if (t->config.look == TRAFFIC_VERIFY)
		printf("verified  %lu damaged, %lu misplaced, %lu late\n",
		    (unsigned long)t->damaged, (unsigned long)t->misplaced,
		    (unsigned long)t->late);
}

static double us_between(const struct reading *begin, const struct reading *end)
{
	return (double)(end->cycles - begin->cycles) /
	       (double)clock_cycles_per_us();
}

static void print(const struct traffic *t, const struct run *run, double mpps,
    const struct reading *begin, const struct reading *end)
{
	double waited =
	    (double)(end->waited - begin->waited) / us_between(begin, end) / 10;

	if (run->readable)
		print_readable(t, mpps, waited, begin, end);
	else
		printf("%.3f %lld %.1f\n", mpps,
		    offered(t) - (long long)traffic_received(t), waited);
}

void run_for(struct traffic *t, double s)
{
	double cycles = s * 1e6 * (double)clock_cycles_per_us();

	traffic_run(t, clock_cycles() + (uint64_t)cycles);
}

/* Plays for all the windows of the run; returns the millions of
 * frames a second of the fastest, and where the last one ended in *end. */
static double fastest(struct traffic *t, const struct run *run,
    const struct reading *begin, struct reading *end)
{
	double best = 0, window = WINDOW_MS / 1e3;

	*end = *begin;
	for (double s = 0; s < run->seconds; s += window) {
		struct reading now;
		double mpps;

		run_for(t, window);
		now = take_reading(t, run);
		mpps = (double)(now.received - end->received) /
		       us_between(end, &now);
		best = mpps > best ? mpps : best;
		*end = now;
	}
	return best;
}

void run_throughput(struct traffic *t, const struct run *run)
{
	struct reading begin, end;
	double mpps;

	traffic_pace(t);
	run_for(t, run->warmup);
	begin = take_reading(t, run);
	mpps = fastest(t, run, &begin, &end);
	traffic_stop(t, DRAIN_MS);
	traffic_check(t);
	if (end.received == begin.received)
		card_die("no frame arrived");
	print(t, run, mpps, &begin, &end);
	if (t->damaged || t->misplaced)
		card_die("%lu frames were damaged, %lu misplaced",
		    (unsigned long)t->damaged, (unsigned long)t->misplaced);
}
