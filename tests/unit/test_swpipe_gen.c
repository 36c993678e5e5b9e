/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_swpipe_gen.c - what swpipe-gen makes of the numbers of frames.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "ports/pipe/client/gen_stream.h"

static struct stream_table t;

static void setup(void)
{
	t = (struct stream_table){0};
	cr_assert_eq(stream_table_open(&t), 0);
}

static void teardown(void)
{
	stream_table_close(&t);
}

static void see(uint32_t flow, const uint64_t seq[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		stream_see(&t, 7, flow, seq[i]);
}

static void expect(uint64_t lost, uint64_t late)
{
	cr_assert_eq(t.lost, lost, "%lu", t.lost);
	cr_assert_eq(t.late, late, "%lu", t.late);
}

TestSuite(swpipe_gen, .init = setup, .fini = teardown);

Test(swpipe_gen, nothing_is_missing)
{
	see(1, (uint64_t[]){0, 1, 2, 3}, 4);
	expect(0, 0);
}

/* Who comes later does not miss what was before. */
Test(swpipe_gen, the_first_number_is_as_good_as_any)
{
	see(1, (uint64_t[]){1000, 1001}, 2);
	expect(0, 0);
}

Test(swpipe_gen, a_gap_is_lost)
{
	see(1, (uint64_t[]){0, 1, 5, 6, 8}, 5);
	expect(4, 0);
}

Test(swpipe_gen, what_comes_late_is_not_lost)
{
	see(1, (uint64_t[]){0, 2, 1, 3}, 4);
	expect(0, 1);
}

Test(swpipe_gen, each_flow_of_each_sender_has_its_own_numbers)
{
	for (uint32_t flow = 0; flow < 1000; flow++)
		see(flow, (uint64_t[]){0, 1}, 2);
	for (uint32_t flow = 0; flow < 1000; flow++)
		see(flow, (uint64_t[]){2, 4}, 2);
	stream_see(&t, 8, 0, 100);
	expect(1000, 0);
}

/* More streams than it remembers do not make it count nonsense for those it
 * does. */
Test(swpipe_gen, too_many_flows)
{
	see(0, (uint64_t[]){0}, 1);
	for (uint32_t flow = 1; flow < 1 << 18; flow++)
		see(flow, (uint64_t[]){0}, 1);
	expect(0, 0);
	see(0, (uint64_t[]){1, 3}, 2);
	expect(1, 0);
}
