/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance.h - which queues should go to which worker, from what they cost.
 *
 * Loads in, moves out; nothing here knows a port or a thread.  One queue after
 * the other is taken off the worker that has most to do and given to the one
 * where the busier of the two has least to do then, as long as that is less
 * than before.  The result counts only if the most loaded worker gains enough
 * by it: every move stops the world for a moment.
 *
 * Threads: any; nothing here keeps state.
 */
#ifndef SWITCH_BALANCE_H
#define SWITCH_BALANCE_H

#include <stdint.h>

enum {
	BALANCE_WORKERS_MAX = 64,
	BALANCE_MOVES_MAX = 8, /* at a time */
};

struct balance_queue {
	uint64_t load;	  /* cycles that it cost, or anything else additive */
	uint64_t allowed; /* workers that may serve it (bit id); 0: it stays */
	uint8_t worker;	  /* that serves it */
	uint8_t to;	  /* that should serve it; by balance_plan() */
};

/* What counts as a gain. */
struct balance_rule {
	uint64_t least;	    /* load of a worker that is worth a move */
	unsigned threshold; /* per cent of the highest load to be saved */
};

/* Sets @to of q[0..n).  Of the workers in @workers nobody has more to do than
 * the most loaded one has now.  Returns how many queues move, at most
 * BALANCE_MOVES_MAX. */
unsigned balance_plan(struct balance_queue q[], unsigned n, uint64_t workers,
    struct balance_rule rule);

/* What each worker has to do (load[0..BALANCE_WORKERS_MAX)), and would have. */
void balance_loads(const struct balance_queue q[], unsigned n,
    uint64_t before[], uint64_t after[]);

/* The variance of load[] over the workers in @workers. */
double balance_variance(const uint64_t load[], uint64_t workers);

#endif
