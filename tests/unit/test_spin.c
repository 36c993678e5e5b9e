/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_spin.c - how long an empty queue is polled.
 */
#include <criterion/criterion.h>

#include "switch/spin.h"

enum { US = 1000 /* cycles */ };

Test(spin, words)
{
	cr_expect_eq(spin_parse("always"), SPIN_ALWAYS);
	cr_expect_eq(spin_parse("never"), SPIN_NEVER);
	cr_expect_eq(spin_parse("adaptive"), SPIN_ADAPTIVE);
	cr_expect_eq(spin_parse("default"), SPIN_DEFAULT);
	for (enum spin s = SPIN_DEFAULT; s <= SPIN_ADAPTIVE; s++)
		cr_expect_eq(spin_parse(spin_name(s)), s);
}

Test(spin, a_worker_s_own_word_counts_more)
{
	cr_expect_eq(spin_resolve(SPIN_DEFAULT, SPIN_DEFAULT), SPIN_ADAPTIVE);
	cr_expect_eq(spin_resolve(SPIN_DEFAULT, SPIN_NEVER), SPIN_NEVER);
	cr_expect_eq(spin_resolve(SPIN_ALWAYS, SPIN_NEVER), SPIN_ALWAYS);
}

Test(spin, what_adapts_starts_in_the_middle_and_remembers)
{
	cr_expect_eq(spin_cycles(SPIN_ALWAYS, 7 * US, US), UINT64_MAX);
	cr_expect_eq(spin_cycles(SPIN_NEVER, 7 * US, US), 0);
	cr_expect_eq(spin_cycles(SPIN_ADAPTIVE, 0, US), SPIN_FIRST_US * US);
	cr_expect_eq(spin_cycles(SPIN_ADAPTIVE, 7 * US, US), 7 * US);
	cr_expect_eq(
	    spin_cycles(SPIN_ADAPTIVE, UINT64_MAX, US), SPIN_FIRST_US * US);
}

Test(spin, woken_soon_again_and_again_it_spins_longer_to_a_bound)
{
	uint64_t spin = SPIN_MIN_US * US, before = 0;

	for (unsigned i = 0; i < 10; i++) {
		cr_assert(spin > before || spin == SPIN_MAX_US * US);
		before = spin;
		spin = spin_adapt(spin, 20 * US, US);
	}
	cr_expect_eq(spin, SPIN_MAX_US * US);
}

Test(spin, single_frames_far_apart_are_not_waited_for)
{
	uint64_t spin = SPIN_FIRST_US * US;

	for (unsigned i = 0; i < 10; i++)
		spin = spin_adapt(spin, 1000000 * US, US);
	cr_expect_eq(spin, SPIN_MIN_US * US);
}

Test(spin, in_between_it_stays)
{
	cr_expect_eq(spin_adapt(33 * US, 500 * US, US), 33 * US);
}
