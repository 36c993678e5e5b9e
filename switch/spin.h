/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin.h - how long an empty receive queue is polled before it is armed.
 *
 *	always     for ever: lowest latency, a whole core
 *	never      not at all: it is armed as soon as it is found empty
 *	adaptive   as long as its frames are worth waiting for (the default)
 *
 * Adaptive: every queue has a time of its own, 50 us at first.  A queue woken
 * within 100 us of being armed would have been served sooner by polling on:
 * its time doubles, to 200 us at most.  One that slept a millisecond was not
 * worth what it was polled: its time halves, to 6 us at least.  So a queue
 * whose frames come close together stays polled, and single frames far apart
 * cost little more than their own work.
 *
 * Threads: any; nothing here keeps state.
 */
#ifndef SWITCH_SPIN_H
#define SWITCH_SPIN_H

#include <stdint.h>

enum {
	SPIN_FIRST_US = 50,
	SPIN_MIN_US = 6,
	SPIN_MAX_US = 200,
	SPIN_SOON_US = 100,
	SPIN_LATE_US = 1000,
};

/* What the administrator says, of one worker or of all. */
enum spin {
	SPIN_DEFAULT, /* as all workers; of all: adaptive */
	SPIN_ALWAYS,
	SPIN_NEVER,
	SPIN_ADAPTIVE,
};

/* "always" and so on, as in the grammar; an unknown word is the default. */
const char *spin_name(enum spin spin);
enum spin spin_parse(const char *word);

/* What counts for a worker that was told @own, where all were told @all. */
enum spin spin_resolve(enum spin own, enum spin all);

/* For how many cycles a queue is polled under @spin, if so far it was polled
 * for @before (0: it is new), with @us cycles in a microsecond. */
uint64_t spin_cycles(enum spin spin, uint64_t before, uint64_t us);

/* The adaptive time that follows on @before when a queue was woken @asleep
 * cycles after it was armed. */
uint64_t spin_adapt(uint64_t before, uint64_t asleep, uint64_t us);

#endif
