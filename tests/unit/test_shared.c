/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shared.c - a peer that changes whatever is looked at.
 */
#include <criterion/criterion.h>

#include "switch/base/shared.h"

static uint8_t memory[4096] __attribute__((aligned(64)));

/* What a look at memory[at..at + n), all zero, finds. */
static const uint8_t *look(size_t at, size_t n)
{
	static uint8_t copy[sizeof(memory)];

	memcpy(copy, memory + at, n);
	shared_looked((uintptr_t)memory + at, copy, n);
	return copy;
}

static bool are_all(const uint8_t *p, size_t n, uint8_t value)
{
	while (n && p[n - 1] == value)
		n--;
	return !n;
}

static void begin(void)
{
	shared_forget();
}

TestSuite(shared, .init = begin);

Test(shared, the_first_look_is_right)
{
	cr_assert(are_all(look(0, 4096), 4096, 0));
}

Test(shared, the_second_look_is_wrong)
{
	look(10, 4);
	cr_assert(are_all(look(10, 4), 4, 0xff));
	cr_assert(are_all(look(10, 4), 4, 0xff));
}

Test(shared, each_byte_counts_for_itself)
{
	const uint8_t *copy;

	look(62, 4); /* two lines */
	copy = look(60, 8);
	cr_assert(are_all(copy, 2, 0));
	cr_assert(are_all(copy + 2, 4, 0xff));
	cr_assert(are_all(copy + 6, 2, 0));
}

Test(shared, a_new_poll_may_look_again)
{
	look(0, 100);
	shared_forget();
	cr_assert(are_all(look(0, 100), 100, 0));
}

/* Without room the oldest looks are forgotten, and nothing else happens. */
Test(shared, any_number_of_looks)
{
	static uint8_t many[1 << 20];

	for (int i = 0; i < 3; i++)
		shared_looked((uintptr_t)many, many, sizeof(many));
	look(0, 8);
	cr_assert(are_all(look(0, 8), 8, 0xff));
}
