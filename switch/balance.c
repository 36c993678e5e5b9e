/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance.c - which queues should go to which worker, from what they cost.
 *
 * Each move lowers the sum of the squares of the loads, so there is an end.
 */
#include <stdbool.h>
#include <string.h>

#include "switch/balance.h"

struct candidate {
	struct balance_queue *queue; /* NULL: none */
	unsigned to;
	uint64_t highest; /* of the two workers, afterwards */
};

static unsigned most_loaded(const uint64_t load[], uint64_t workers)
{
	unsigned most = (unsigned)__builtin_ctzll(workers);

	for (; workers; workers &= workers - 1) {
		unsigned id = (unsigned)__builtin_ctzll(workers);

		if (load[id] > load[most])
			most = id;
	}
	return most;
}

/* Whether @q can leave @from: it has not been moved before. */
static bool can_leave(const struct balance_queue *q, unsigned from)
{
	return q->worker == from && q->to == from && q->allowed && q->load;
}

static void consider(struct candidate *best, struct balance_queue *q,
    const uint64_t load[], uint64_t workers)
{
	for (workers &= q->allowed; workers; workers &= workers - 1) {
		unsigned id = (unsigned)__builtin_ctzll(workers);
		uint64_t there = load[id] + q->load;
		uint64_t here = load[q->worker] - q->load;
		uint64_t highest = there > here ? there : here;

		if (id != q->worker && highest < best->highest)
			*best = (struct candidate){q, id, highest};
	}
}

static bool move_one(
    struct balance_queue q[], unsigned n, uint64_t load[], uint64_t workers)
{
	unsigned from = most_loaded(load, workers);
	struct candidate best = {.highest = load[from]};

	for (unsigned i = 0; i < n; i++)
		if (can_leave(&q[i], from))
			consider(&best, &q[i], load, workers);
	if (!best.queue)
		return false;
	best.queue->to = (uint8_t)best.to;
	load[from] -= best.queue->load;
	load[best.to] += best.queue->load;
	return true;
}

static bool is_enough(uint64_t before, uint64_t after, struct balance_rule rule)
{
	return before >= rule.least &&
	       (double)(before - after) * 100 >=
		   (double)before * (double)rule.threshold;
}

unsigned balance_plan(struct balance_queue q[], unsigned n, uint64_t workers,
    struct balance_rule rule)
{
	uint64_t load[BALANCE_WORKERS_MAX], after[BALANCE_WORKERS_MAX];
	unsigned moves = 0;

	for (unsigned i = 0; i < n; i++)
		q[i].to = q[i].worker;
	if (!workers)
		return 0;
	balance_loads(q, n, load, after);
	while (moves < BALANCE_MOVES_MAX && move_one(q, n, after, workers))
		moves++;
	if (moves && is_enough(load[most_loaded(load, workers)],
			 after[most_loaded(after, workers)], rule))
		return moves;
	for (unsigned i = 0; i < n; i++)
		q[i].to = q[i].worker;
	return 0;
}

void balance_loads(const struct balance_queue q[], unsigned n,
    uint64_t before[], uint64_t after[])
{
	memset(before, 0, BALANCE_WORKERS_MAX * sizeof(*before));
	memset(after, 0, BALANCE_WORKERS_MAX * sizeof(*after));
	for (unsigned i = 0; i < n; i++) {
		before[q[i].worker] += q[i].load;
		after[q[i].to] += q[i].load;
	}
}

double balance_variance(const uint64_t load[], uint64_t workers)
{
	double n = __builtin_popcountll(workers), sum = 0, squares = 0;

	for (uint64_t left = workers; left; left &= left - 1) {
		double x = (double)load[__builtin_ctzll(left)];

		sum += x;
		squares += x * x;
	}
	return n > 0 ? squares / n - sum / n * (sum / n) : 0;
}
