/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_age.c - how long addresses live, and sweeping in bounded steps.
 */
#include <criterion/criterion.h>

#include "learning/age.h"
#include "learning/fdb.h"

static uint64_t key_of(uint32_t i)
{
	return fdb_key(0, 0x020000000000ull + i);
}

static struct fdb *open_filled(uint32_t n, uint32_t now)
{
	struct fdb *fdb = fdb_open(n, NULL);

	for (uint32_t i = 0; i < n; i++)
		fdb_add(fdb, key_of(i), 1, false, now, NULL);
	return fdb;
}

Test(age, a_lookup_checks_it)
{
	struct fdb *fdb = open_filled(1, 1000);

	cr_assert_eq(fdb_lookup(fdb, key_of(0), 1300), 1);
	cr_assert_eq(fdb_lookup(fdb, key_of(0), 1301), FDB_NONE);
	fdb_set_ageing(fdb, 10);
	cr_assert_eq(fdb_lookup(fdb, key_of(0), 1010), 1);
	cr_assert_eq(fdb_lookup(fdb, key_of(0), 1011), FDB_NONE);
	fdb_set_ageing(fdb, 0);
	cr_assert_eq(fdb_lookup(fdb, key_of(0), 1000u + INT32_MAX), 1);
	fdb_set_ageing(fdb, UINT32_MAX);
	cr_assert_eq(fdb_lookup(fdb, key_of(0), 1000u + INT32_MAX), 1);
	fdb_close(fdb);
}

Test(age, a_clock_behind_or_wrapping_expires_nothing)
{
	struct fdb *fdb = open_filled(1, UINT32_MAX - 5);

	cr_assert_eq(fdb_lookup(fdb, key_of(0), UINT32_MAX - 6), 1);
	cr_assert_eq(fdb_lookup(fdb, key_of(0), 294), 1);
	cr_assert_eq(fdb_lookup(fdb, key_of(0), 295), FDB_NONE);
	fdb_close(fdb);
}

Test(age, static_entries_have_none)
{
	struct fdb *fdb = fdb_open(100, NULL);

	fdb_add(fdb, key_of(1), 2, true, 0, NULL);
	cr_assert_eq(fdb_lookup(fdb, key_of(1), 100000), 2);
	cr_assert(fdb_sweep(fdb, 100000, UINT32_MAX));
	cr_assert_eq(fdb_count(fdb), 1);
	fdb_close(fdb);
}

Test(age, a_step_is_bounded_and_the_next_goes_on)
{
	enum { STEP = 10 };
	struct fdb *fdb = open_filled(1000, 0);
	uint32_t n_steps = (fdb_n_buckets(fdb) + STEP - 1) / STEP;
	uint32_t before = fdb_count(fdb), left = before;

	for (uint32_t i = 1; i < n_steps; i++) {
		cr_assert_not(fdb_sweep(fdb, 1000, STEP));
		cr_assert_leq(left - fdb_count(fdb), 4 * STEP);
		left = fdb_count(fdb);
	}
	cr_assert(fdb_sweep(fdb, 1000, STEP));
	cr_assert_eq(fdb_count(fdb), 0);
	cr_assert_eq(fdb_port_count(fdb, 1), 0);
	cr_assert(fdb_sweep(fdb, 1000, STEP), "an empty table is one step");
	fdb_close(fdb);
}

Test(age, the_living_stay)
{
	struct fdb *fdb = fdb_open(2000, NULL);

	for (uint32_t i = 0; i < 1000; i++)
		fdb_add(fdb, key_of(i), 1, false, i, NULL);
	while (!fdb_sweep(fdb, 800, 7))
		;
	for (uint32_t i = 0; i < 1000; i++)
		cr_assert_eq(
		    fdb_lookup(fdb, key_of(i), 800), i >= 500 ? 1 : FDB_NONE);
	cr_assert_eq(fdb_count(fdb), 500);
	fdb_close(fdb);
}

Test(age, a_round_follows_the_other)
{
	struct fdb *fdb = fdb_open(1000, NULL);

	for (uint32_t round = 1; round < 5; round++) {
		for (uint32_t i = 0; i < 100; i++)
			fdb_add(fdb, key_of(i), 1, false, round * 1000, NULL);
		fdb_add(fdb, key_of(100), 1, true, 0, NULL);
		while (!fdb_sweep(fdb, round * 1000 + 999, 100))
			;
		cr_assert_eq(fdb_count(fdb), 1);
	}
	fdb_close(fdb);
}

Test(age, a_dump_leaves_out_the_expired)
{
	struct fdb *fdb = fdb_open(10, NULL);
	struct fdb_entry out[10];
	uint64_t cursor = 0;

	fdb_add(fdb, key_of(1), 1, false, 0, NULL);
	fdb_add(fdb, key_of(2), 1, false, 500, NULL);
	fdb_add(fdb, key_of(3), 1, true, 0, NULL);
	cr_assert_eq(fdb_dump(fdb, &cursor, out, 10, 499), 2);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(out[i].age_s, out[i].is_static ? 499 : 0);
	fdb_close(fdb);
}
