/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - what light guests are asked to measure, and the three answers.
 *
 * Each prints its numbers in one line, or, for a person, one a line with its
 * name.  Threads: one.  Errors: a sentence, and the program's end.
 */
#ifndef BENCH_PARTS_RUN_H
#define BENCH_PARTS_RUN_H

#include "bench/parts/traffic.h"

struct run {
	double seconds, warmup;
	double pause_us;      /* latency: between two probes */
	bool guest_sleeps;    /* latency: until it is called */
	uint32_t n_addresses; /* learning */
	int switch_pid;	      /* or 0 */
	bool readable;
};

/* How many frames all guests receive. */
void run_throughput(struct traffic *t, const struct run *run);

/* How long one frame takes from the first guest to the second, or back, while
 * the others play their pattern. */
void run_latency(struct traffic *t, const struct run *run);

/* How many of n_addresses the switch learns, at the rate of the traffic's
 * configuration, when the first guest sends from them, and then the third;
 * the fourth and further play their pattern. */
void run_learning(struct traffic *t, const struct run *run);

/* Plays all guests for @s seconds. */
void run_for(struct traffic *t, double s);

/* How many of the first guests have no part in the pattern. */
enum { RUN_PROBED = 2, RUN_LEARNED = 3 };

#endif
