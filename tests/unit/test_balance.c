/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_balance.c - which queues move, and what is true of every plan.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "switch/balance.h"

enum { QUEUES = 40, ROUNDS = 20000 };

static const struct balance_rule any = {.threshold = 0};

static uint64_t highest(const uint64_t load[], uint64_t workers)
{
	uint64_t most = 0;

	for (unsigned id = 0; id < BALANCE_WORKERS_MAX; id++)
		if (workers >> id & 1 && load[id] > most)
			most = load[id];
	return most;
}

Test(balance, two_busy_queues_part)
{
	struct balance_queue q[] = {{100, 3, 0, 0}, {100, 3, 0, 0}};

	cr_assert_eq(balance_plan(q, 2, 3, any), 1);
	cr_expect_eq(q[0].to + q[1].to, 1);
}

Test(balance, one_queue_has_nowhere_better_to_go)
{
	struct balance_queue q[] = {{100, 3, 0, 0}, {0, 3, 0, 0}};

	cr_expect_eq(balance_plan(q, 2, 3, any), 0);
}

Test(balance, what_was_moved_by_hand_stays)
{
	struct balance_queue q[] = {{100, 0, 0, 0}, {100, 0, 0, 0}};

	cr_expect_eq(balance_plan(q, 2, 3, any), 0);
}

Test(balance, only_workers_that_may_serve_it)
{
	struct balance_queue q[] = {
	    {100, 0x3, 0, 0}, {100, 0x3, 0, 0}, {90, 0x3, 1, 0}};

	/* Worker 2 is idle but on the wrong side of the machine. */
	cr_expect_eq(balance_plan(q, 3, 7, any), 1);
	cr_expect_neq(q[0].to, 2);
	cr_expect_neq(q[1].to, 2);
}

Test(balance, a_gain_below_the_threshold_is_none)
{
	struct balance_queue q[] = {
	    {60, 3, 0, 0}, {20, 3, 0, 0}, {30, 3, 1, 0}};

	/* From 80 and 30 to 60 and 50: a quarter less for the first. */
	cr_expect_eq(balance_plan(q, 3, 3, (struct balance_rule){0, 26}), 0);
	cr_expect_eq(q[1].to, 0);
	cr_expect_eq(balance_plan(q, 3, 3, (struct balance_rule){0, 25}), 1);
	cr_expect_eq(q[1].to, 1);
}

Test(balance, workers_with_little_to_do_are_left_in_peace)
{
	struct balance_queue q[] = {{10, 3, 0, 0}, {10, 3, 0, 0}};

	cr_expect_eq(balance_plan(q, 2, 3, (struct balance_rule){21, 1}), 0);
	cr_expect_eq(balance_plan(q, 2, 3, (struct balance_rule){20, 1}), 1);
}

Test(balance, several_overloaded_workers_are_relieved_at_once)
{
	struct balance_queue q[] = {
	    {50, 15, 0, 0}, {50, 15, 0, 0}, {50, 15, 1, 0}, {50, 15, 1, 0}};

	cr_expect_eq(balance_plan(q, 4, 15, (struct balance_rule){0, 50}), 2);
}

Test(balance, at_most_so_many_at_a_time)
{
	struct balance_queue q[QUEUES];

	for (unsigned i = 0; i < QUEUES; i++)
		q[i] = (struct balance_queue){100, 3, 0, 0};
	cr_expect_eq(balance_plan(q, QUEUES, 3, any), BALANCE_MOVES_MAX);
}

Test(balance, variance)
{
	const uint64_t load[BALANCE_WORKERS_MAX] = {1, 5, 100, 3};

	cr_expect_float_eq(balance_variance(load, 3), 4, 1e-9);
	cr_expect_float_eq(balance_variance(load, 11), 8.0 / 3, 1e-9);
	cr_expect_eq(balance_variance(load, 0), 0);
}

static unsigned random_queues(struct balance_queue q[], uint64_t *workers)
{
	unsigned n = (unsigned)rand() % QUEUES, n_workers;

	n_workers = 1 + (unsigned)rand() % 8;
	*workers = (UINT64_C(1) << n_workers) - 1;
	for (unsigned i = 0; i < n; i++)
		q[i] = (struct balance_queue){
		    .load = rand() % 4 ? (uint64_t)rand() % 1000 : 0,
		    .allowed = rand() % 5 ? (uint64_t)rand() & *workers : 0,
		    .worker = (uint8_t)((unsigned)rand() % n_workers)};
	return n;
}

static void check(const struct balance_queue q[], unsigned n, uint64_t workers,
    struct balance_rule rule, unsigned moves)
{
	uint64_t before[BALANCE_WORKERS_MAX], after[BALANCE_WORKERS_MAX];
	unsigned moved = 0;

	for (unsigned i = 0; i < n; i++) {
		if (q[i].to == q[i].worker)
			continue;
		moved++;
		cr_assert(q[i].allowed >> q[i].to & 1);
		cr_assert_gt(q[i].load, 0);
	}
	cr_assert_eq(moved, moves);
	cr_assert_leq(moves, BALANCE_MOVES_MAX);
	balance_loads(q, n, before, after);
	cr_assert_leq(highest(after, workers), highest(before, workers));
	if (moves) {
		cr_assert_leq(highest(after, workers) * 100,
		    highest(before, workers) * (100 - rule.threshold));
		cr_assert_lt(balance_variance(after, workers),
		    balance_variance(before, workers));
	}
}

Test(balance, no_plan_makes_it_worse)
{
	struct balance_queue q[QUEUES];
	unsigned planned = 0;

	srand(1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct balance_rule rule = {0, (unsigned)rand() % 40};
		uint64_t workers;
		unsigned n = random_queues(q, &workers), moves;

		moves = balance_plan(q, n, workers, rule);
		check(q, n, workers, rule, moves);
		planned += moves != 0;
	}
	cr_assert_gt(planned, ROUNDS / 10, "only %u plans", planned);
}

/* Plan after plan, there is one that changes nothing. */
Test(balance, plans_come_to_an_end)
{
	struct balance_queue q[QUEUES];

	srand(2);
	for (unsigned i = 0; i < ROUNDS / 10; i++) {
		uint64_t workers;
		unsigned n = random_queues(q, &workers), plans = 0;

		while (balance_plan(q, n, workers, any)) {
			cr_assert_lt(plans++, 10 * QUEUES);
			for (unsigned k = 0; k < n; k++)
				q[k].worker = q[k].to;
		}
	}
}
