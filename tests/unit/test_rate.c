/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_rate.c - the token bucket, and the list of cores.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "switch/base/clock.h"
#include "switch/cpulist.h"
#include "switch/rate.h"

enum { MBIT = 1000000 };

static uint64_t seconds(double s)
{
	return (uint64_t)(s * 1e6 * (double)clock_cycles_per_us());
}

Test(rate, lets_the_burst_by_and_then_the_rate)
{
	struct rate_config config = {100 * MBIT, 200000};
	struct rate *r = rate_open(&config);
	uint64_t now = clock_cycles() + seconds(1), bytes = 0;
	uint32_t len[64];

	for (int i = 0; i < 64; i++)
		len[i] = 1000;
	for (int i = 0; i < 10; i++)
		bytes += 1000 * rate_take(r, len, 64, now);
	cr_assert_eq(bytes, 200000, "burst: %lu", bytes);
	bytes = 0;
	for (int ms = 0; ms < 1000; ms++)
		bytes += 1000 * rate_take(r, len, 64, now += seconds(0.001));
	cr_assert(bytes > 12400000 && bytes <= 12600000, "%lu", bytes);
	rate_close(r);
}

Test(rate, does_not_run_backwards)
{
	struct rate_config config = {8 * MBIT, 70000};
	struct rate *r = rate_open(&config);
	uint64_t now = clock_cycles() + seconds(1);
	uint32_t len[] = {70000};

	cr_assert_eq(rate_take(r, len, 1, now), 1);
	cr_assert_eq(rate_take(r, len, 1, now - seconds(0.5)), 0);
	cr_assert_eq(rate_take(r, len, 1, now), 0);
	cr_assert_eq(rate_take(r, len, 1, now + seconds(0.1)), 1);
	rate_close(r);
}

Test(rate, a_bucket_always_holds_the_longest_frame)
{
	struct rate_config config = {1000, 1};
	struct rate *r = rate_open(&config);
	uint32_t len[] = {65553};

	cr_assert_eq(rate_take(r, len, 1, clock_cycles()), 1);
	rate_close(r);
}

Test(rate, unlimited_is_no_bucket)
{
	struct rate_config config = {0, 5};

	cr_assert_null(rate_open(&config));
	rate_close(NULL);
}

Test(cpulist, reads_lists_and_ranges)
{
	unsigned cpu[8], last[1];
	char both[32];
	struct err e;

	cr_assert_eq(cpulist_last(last, &e), 1);
	snprintf(both, sizeof(both), "%u,%u-%u", last[0], last[0], last[0]);
	cr_assert_eq(cpulist_parse(both, cpu, 8, &e), 2);
	cr_assert_eq(cpu[1], last[0]);
}

Test(cpulist, names_what_is_wrong)
{
	static const char *const bad[] = {
	    "", ",", "x", "0,", "1-", "-1", "3-1", "0 1", "99999", "0x1"};
	unsigned cpu[8];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err e = {0};

		cr_assert_lt(
		    cpulist_parse(bad[i], cpu, 8, &e), 0, "%s", bad[i]);
		cr_assert(e.message[0], "%s", bad[i]);
	}
}
