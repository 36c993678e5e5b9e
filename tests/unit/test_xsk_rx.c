/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_xsk_rx.c - frames out of a card's rings, lawful and not.
 */
#include <criterion/criterion.h>

#include "tests/unit/xsk_kernel.h"

enum { SLOTS = 4096, GOAL = SLOTS / 4 };

/* A socket that has its slots. */
static struct kernel *start(void)
{
	struct kernel *k = kernel_open(SLOTS);

	xsk_fill(&k->x, &k->cache);
	kernel_check(k);
	return k;
}

/* @k's socket broke; it is not touched after. */
static void expect_broken(struct kernel *k)
{
	cr_assert_eq(k->x.fault, XSK_OWNER);
	cr_assert_eq(k->n_raised, 1);
	kernel_receive(k, 1, 60, 60);
	cr_assert_eq(kernel_poll(k), 0);
	cr_assert_eq(k->batch.n, 0);
	kernel_close(k);
}

/* One poll takes @n descriptors, no frame, and counts a drop of @bytes. */
static void expect_drop(
    struct kernel *k, unsigned n, enum drop_reason why, uint64_t bytes)
{
	cr_assert_eq(kernel_poll(k), n);
	cr_assert_eq(k->batch.n, 0);
	cr_assert_eq(k->batch.n_segs, 0);
	cr_assert_eq(k->x.fault, XSK_FINE);
	cr_assert_eq(k->counters.rx_packets, 1);
	cr_assert_eq(k->counters.rx_bytes, bytes);
	cr_assert_eq(k->counters.drops[why], 1, "%s", drop_name(why));
}

/* The next frame is received as if nothing had been. */
static void expect_recovered(struct kernel *k)
{
	uint64_t counted = k->counters.rx_packets;

	kernel_receive(k, 2, 100, 50);
	cr_assert_eq(kernel_poll(k), 2);
	cr_assert_eq(k->batch.n, 1);
	kernel_check_frame(&k->batch.f[0], 150);
	cr_assert_eq(k->counters.rx_packets, counted);
	kernel_close(k);
}

Test(xsk_rx, takes_frames_where_they_lie)
{
	struct kernel *k = start();

	for (unsigned i = 0; i < 3 * XSK_RING_SIZE; i++) {
		uint32_t len = 14 + i % 1700;

		kernel_receive(k, 1, len, len);
		cr_assert_eq(kernel_poll(k), 1);
		cr_assert_eq(k->batch.n, 1);
		cr_assert_eq(k->batch.f[0].flags, FRAME_OWNED);
		cr_assert_eq(k->batch.f[0].head_len, len);
		kernel_check_frame(&k->batch.f[0], len);
	}
	cr_assert_eq(k->counters.rx_packets, 0, "counted by the caller");
	kernel_close(k);
}

Test(xsk_rx, takes_a_batch_at_a_time)
{
	struct kernel *k = start();

	for (unsigned i = 0; i < 100; i++)
		kernel_receive(k, 1, 60, 60);
	cr_assert_eq(kernel_poll(k), BATCH_MAX);
	cr_assert_eq(k->batch.n, BATCH_MAX);
	cr_assert_eq(kernel_poll(k), 100 - BATCH_MAX);
	cr_assert_eq(kernel_poll(k), 0);
	kernel_close(k);
}

Test(xsk_rx, descriptor_repeats_a_frame)
{
	struct kernel *k = start();
	uint64_t addr = kernel_take_fill(k);

	kernel_give(k, addr, 60, 0);
	kernel_give(k, addr, 60, 0);
	kernel_receive(k, 1, 60, 60);
	cr_assert_eq(kernel_poll(k), 3);
	cr_assert_eq(
	    k->batch.n, 1, "the first was good, the last not looked at");
	expect_broken(k);
}

Test(xsk_rx, descriptor_repeats_a_frame_of_an_earlier_batch)
{
	struct kernel *k = start();
	uint64_t addr = kernel_take_fill(k);

	kernel_give(k, addr, 60, 0);
	cr_assert_eq(kernel_poll(k), 1);
	kernel_give(k, addr, 60, 0);
	kernel_poll(k);
	cr_assert_eq(k->batch.n, 0);
	expect_broken(k);
}

Test(xsk_rx, descriptor_names_a_slot_that_we_own)
{
	struct kernel *k = start();
	uint32_t slot = (uint32_t)pool_get(&k->cache);

	k->n_held = 1;
	kernel_give(k, (uint64_t)slot << POOL_FRAME_SHIFT | 256, 60, 0);
	kernel_poll(k);
	expect_broken(k);
}

Test(xsk_rx, descriptor_names_a_slot_that_is_being_sent)
{
	struct kernel *k = start();

	kernel_make(k, 1, 60);
	kernel_tx(k);
	kernel_give(k, k->in_flight[0].addr, 60, 0);
	kernel_poll(k);
	cr_assert_eq(k->x.n_sending, 1);
	expect_broken(k);
}

Test(xsk_rx, descriptor_names_what_is_not_there)
{
	static const uint64_t addr[] = {
	    (SLOTS - 1ull) * POOL_FRAME_SIZE + 256, /* never lent */
	    (uint64_t)SLOTS * POOL_FRAME_SIZE + 256,
	    (1ull << 32) * POOL_FRAME_SIZE + 256, /* slot 0 in 32 bits */
	    1ull << 32, 1ull << 63, UINT64_MAX};

	for (unsigned i = 0; i < sizeof(addr) / sizeof(*addr); i++) {
		struct kernel *k = start();

		kernel_give(k, addr[i], 60, 0);
		kernel_poll(k);
		expect_broken(k);
	}
}

Test(xsk_rx, descriptor_leaves_its_slot)
{
	static const struct {
		uint64_t offset;
		uint32_t len;
	} bad[] = {{256, 0}, {256, POOL_FRAME_SIZE - 255}, {256, UINT32_MAX},
	    {256, UINT32_MAX - 255}, {POOL_FRAME_SIZE - 1, 2},
	    {FRAME_HEADROOM - 1, 60}, {0, 60}};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct kernel *k = start();
		uint64_t addr = kernel_take_fill(k) - XDP_PACKET_HEADROOM;

		kernel_give(k, addr + bad[i].offset, bad[i].len, 0);
		kernel_poll(k);
		cr_assert_eq(k->batch.n, 0);
		cr_assert_eq(k->x.n_filled, GOAL - 1, "the slot is back");
		expect_broken(k);
	}
}

Test(xsk_rx, descriptor_uses_all_of_its_slot)
{
	struct kernel *k = start();
	uint64_t addr = kernel_take_fill(k) - XDP_PACKET_HEADROOM;

	kernel_give(
	    k, addr + FRAME_HEADROOM, POOL_FRAME_SIZE - FRAME_HEADROOM, 0);
	cr_assert_eq(kernel_poll(k), 1);
	cr_assert_eq(k->batch.n, 1);
	cr_assert_eq(k->x.fault, XSK_FINE);
	kernel_close(k);
}

Test(xsk_rx, descriptor_in_a_frame_is_bad)
{
	struct kernel *k = start();

	kernel_receive(k, 1, 60, 60);
	kernel_receive_part(k, 3, 100, 100, false);
	kernel_give(k, UINT64_MAX, 100, 0);
	cr_assert_eq(kernel_poll(k), 5);
	cr_assert_eq(k->batch.n, 1);
	cr_assert_eq(k->counters.rx_packets, 1);
	cr_assert_eq(k->counters.rx_bytes, 300);
	cr_assert_eq(k->counters.drops[DROP_RX_MALFORMED], 1);
	expect_broken(k);
}

Test(xsk_rx, ring_index_jumps)
{
	struct kernel *k = start();

	k->rx.producer += 5 * XSK_RING_SIZE;
	kernel_poll(k);
	cr_assert_eq(k->batch.n, 0);
	expect_broken(k);
}

Test(xsk_rx, takes_frames_of_several_buffers)
{
	struct kernel *k = start();

	for (unsigned n = 1; n <= 37; n++) {
		kernel_receive(k, n, 1770, 33);
		cr_assert_eq(kernel_poll(k), n);
		cr_assert_eq(k->batch.n, 1);
		cr_assert_eq(k->batch.n_segs, n - 1);
		kernel_check_frame(&k->batch.f[0], (n - 1) * 1770 + 33);
	}
	kernel_close(k);
}

Test(xsk_rx, batch_ends_within_a_frame)
{
	struct kernel *k = start();
	unsigned n_frames = 0, n_descs = 0;

	for (unsigned i = 0; i < 40; i++)
		kernel_receive(k, 5, 1792, 900);
	while ((n_descs += kernel_poll(k)) < 200) {
		cr_assert_eq(k->batch.n, 13, "the last is ended");
		for (unsigned i = 0; i < k->batch.n; i++)
			kernel_check_frame(&k->batch.f[i], 4 * 1792 + 900);
		n_frames += k->batch.n;
	}
	cr_assert_eq(n_frames + k->batch.n, 40);
	cr_assert_eq(k->counters.rx_packets, 0, "none was refused");
	kernel_close(k);
}

Test(xsk_rx, frame_is_never_ended)
{
	struct kernel *k = start();

	kernel_receive_part(k, 10, 100, 100, false);
	expect_drop(k, 10, DROP_RX_MALFORMED, 1000);
	/* Its rest, over several polls, is no frame. */
	for (unsigned i = 0; i < 3; i++) {
		kernel_receive_part(k, 7, 100, 100, false);
		cr_assert_eq(kernel_poll(k), 7);
		cr_assert_eq(k->batch.n, 0);
	}
	kernel_receive(k, 3, 100, 100);
	cr_assert_eq(kernel_poll(k), 3);
	cr_assert_eq(k->batch.n, 0);
	cr_assert_eq(k->counters.rx_packets, 1, "counted once");
	expect_recovered(k);
}

Test(xsk_rx, frame_is_refused_and_the_next_is_not)
{
	struct kernel *k = start();

	kernel_receive_part(k, 2, 100, 100, false);
	kernel_poll(k);
	kernel_receive(k, 2, 100, 100);
	kernel_receive(k, 1, 60, 60);
	cr_assert_eq(kernel_poll(k), 3);
	cr_assert_eq(k->batch.n, 1);
	kernel_check_frame(&k->batch.f[0], 60);
	expect_recovered(k);
}

Test(xsk_rx, frame_of_one_byte_fragments)
{
	struct kernel *k = start();

	kernel_receive(k, 60, 1, 1);
	expect_drop(k, 60, DROP_RX_RUNT, 60);
	expect_recovered(k);
}

Test(xsk_rx, frame_of_one_byte_fragments_behind_its_head)
{
	struct kernel *k = start();

	kernel_give(k, kernel_take_fill(k), 14, XDP_PKT_CONTD);
	kernel_receive(k, FRAME_SEGS_MAX, 1, 1);
	cr_assert_eq(kernel_poll(k), 1 + FRAME_SEGS_MAX);
	cr_assert_eq(k->batch.n, 1);
	cr_assert_eq(k->batch.f[0].len, 14 + FRAME_SEGS_MAX);
	expect_recovered(k);
}

Test(xsk_rx, frame_of_too_many_fragments)
{
	struct kernel *k = start();

	kernel_receive(k, FRAME_SEGS_MAX + 100, 100, 100);
	expect_drop(k, FRAME_SEGS_MAX + 2, DROP_RX_MALFORMED,
	    100 * (FRAME_SEGS_MAX + 1));
	while (kernel_poll(k))
		cr_assert_eq(k->batch.n, 0);
	cr_assert_eq(k->counters.rx_packets, 1);
	expect_recovered(k);
}

Test(xsk_rx, frame_is_too_long)
{
	struct kernel *k = start();

	kernel_receive(k, 37, 1792, 1792);
	expect_drop(k, 37, DROP_RX_OVERSIZE, 36 * 1792);
	expect_recovered(k);
}

Test(xsk_rx, frame_of_the_greatest_length)
{
	struct kernel *k = start();

	kernel_receive(k, 37, 1792, FRAME_LEN_MAX - 36 * 1792);
	cr_assert_eq(kernel_poll(k), 37);
	cr_assert_eq(k->batch.n, 1);
	kernel_check_frame(&k->batch.f[0], FRAME_LEN_MAX);
	expect_recovered(k);
}

Test(xsk_rx, batch_of_longest_chains_has_room)
{
	struct kernel *k = start();

	for (unsigned i = 0; i < 31; i++)
		kernel_receive(k, 2, 60, 60);
	kernel_give(k, kernel_take_fill(k), 14, XDP_PKT_CONTD);
	kernel_receive(k, FRAME_SEGS_MAX, 1, 1);
	cr_assert_eq(kernel_poll(k), 62 + 1 + FRAME_SEGS_MAX);
	cr_assert_eq(k->batch.n, 32);
	cr_assert_eq(k->batch.n_segs, 31 + FRAME_SEGS_MAX);
	expect_recovered(k);
}

Test(xsk_rx, runts)
{
	for (uint32_t len = 1; len < FRAME_LEN_MIN; len++) {
		struct kernel *k = start();

		kernel_receive(k, 1, len, len);
		expect_drop(k, 1, DROP_RX_RUNT, len);
		expect_recovered(k);
	}
}

Test(xsk_rx, head_without_addresses)
{
	struct kernel *k = start();

	kernel_receive(k, 2, 13, 1000);
	expect_drop(k, 2, DROP_RX_RUNT, 1013);
	expect_recovered(k);
}

Test(xsk_rx, fill_takes_a_fair_share)
{
	struct kernel *k = start();

	cr_assert_eq(k->x.n_filled, GOAL);
	cr_assert_eq(k->fill.producer - k->fill.consumer, GOAL);
	xsk_fill(&k->x, &k->cache);
	cr_assert_eq(k->x.n_filled, GOAL);
	kernel_close(k);
}

Test(xsk_rx, fill_does_not_overrun_the_ring)
{
	struct kernel *k = kernel_open(16 * XSK_RING_SIZE);

	xsk_fill(&k->x, &k->cache);
	cr_assert_eq(k->x.n_filled, XSK_RING_SIZE);
	/* The kernel has frames in hand and takes no slots. */
	for (unsigned i = 0; i < 200; i++)
		kernel_receive(k, 1, 60, 60);
	k->fill.consumer -= 200;
	for (unsigned i = 0; i < 10; i++)
		kernel_poll(k);
	cr_assert_eq(k->fill.producer - k->fill.consumer, XSK_RING_SIZE);
	kernel_close(k);
}

/* All slots that are left; the test has them then. */
static uint32_t take_all(struct kernel *k, uint32_t slot[])
{
	int64_t s;

	while ((s = pool_get(&k->cache)) >= 0)
		slot[k->n_held++] = (uint32_t)s;
	return k->n_held;
}

static void put_all(struct kernel *k, const uint32_t slot[])
{
	while (k->n_held)
		pool_put(&k->cache, slot[--k->n_held]);
}

Test(xsk_rx, pool_is_empty)
{
	struct kernel *k = kernel_open(SLOTS);
	uint32_t slot[SLOTS];

	take_all(k, slot);
	for (unsigned left = 0; left < 130; left++) {
		for (unsigned i = 0; i < left; i++)
			pool_put(&k->cache, slot[--k->n_held]);
		cr_assert_eq(kernel_poll(k), 0);
		cr_assert_eq(k->cache.n + k->x.n_filled, left);
		/* What the kernel got it uses, and all is taken again. */
		while (k->fill.consumer != k->fill.producer)
			kernel_receive(k, 1, 60, 60);
		while (k->x.n_filled) {
			cr_assert_gt(kernel_poll(k), 0);
			for (unsigned i = 0; i < k->batch.n; i++)
				slot[k->n_held++] =
				    pool_slot(k->pool, k->batch.f[i].head);
			k->batch.n = 0;
			take_all(k, slot);
		}
		take_all(k, slot);
		cr_assert_eq(k->n_held, SLOTS);
	}
	put_all(k, slot);
	kernel_poll(k);
	cr_assert_eq(k->x.n_filled, GOAL, "nothing is stuck");
	cr_assert_eq(k->x.fault, XSK_FINE);
	expect_recovered(k);
}

Test(xsk_rx, arm_refuses_while_starved)
{
	struct kernel *k = kernel_open(SLOTS);
	uint32_t slot[SLOTS];

	take_all(k, slot);
	kernel_poll(k);
	cr_assert_not(xsk_arm(&k->x), "nothing would wake it");
	put_all(k, slot);
	kernel_poll(k);
	cr_assert(xsk_arm(&k->x));
	kernel_close(k);
}

Test(xsk_rx, arm_sees_what_came_meanwhile)
{
	struct kernel *k = start();

	cr_assert(xsk_arm(&k->x));
	kernel_receive(k, 1, 60, 60);
	cr_assert_not(xsk_arm(&k->x));
	cr_assert_eq(kernel_poll(k), 1);
	cr_assert(xsk_arm(&k->x));
	kernel_close(k);
}

Test(xsk_rx, arm_lets_go_of_a_broken_socket)
{
	struct kernel *k = kernel_open(SLOTS);

	xsk_break(&k->x, XSK_STALLED);
	cr_assert(xsk_arm(&k->x), "a worker need not poll it");
	kernel_close(k);
}

Test(xsk_rx, kernel_is_woken_if_it_asks)
{
	struct kernel *k = start();

	kernel_poll(k);
	xsk_arm(&k->x);
	cr_assert_eq(k->n_recvfrom, 0);
	k->fill.flags = XDP_RING_NEED_WAKEUP;
	kernel_poll(k);
	cr_assert_eq(k->n_recvfrom, 1);
	xsk_arm(&k->x);
	cr_assert_eq(k->n_recvfrom, 2);
	kernel_close(k);
}

Test(xsk_rx, busy_polling_drives_the_card_when_nothing_came)
{
	struct kernel *k = start();

	k->x.busy_poll = true;
	kernel_poll(k);
	cr_assert_eq(k->n_recvfrom, 1);
	kernel_receive(k, 1, 60, 60);
	kernel_poll(k);
	cr_assert_eq(k->n_recvfrom, 1);
	kernel_close(k);
}

Test(xsk_rx, memory_beyond_4_gib)
{
	struct kernel *k = kernel_open((5ull << 30) / POOL_FRAME_SIZE);
	const uint64_t wanted = 1ull << 32;

	/* Slots come in order the first time. */
	while (pool_get(&k->cache) <= (int64_t)(wanted >> POOL_FRAME_SHIFT))
		k->n_held++;
	k->n_held++;
	xsk_fill(&k->x, &k->cache);
	for (unsigned i = 0; i < XSK_RING_SIZE / 2; i++) {
		uint64_t addr = kernel_take_fill(k);

		cr_assert_gt(addr, wanted);
		kernel_write(k->pool->base + addr, 0, 60);
		kernel_give(k, addr, 60, 0);
	}
	for (unsigned n = 0; n < XSK_RING_SIZE / 2; n += BATCH_MAX) {
		kernel_done(k);
		cr_assert_eq(xsk_rx(&k->x, &k->batch, &k->w), BATCH_MAX);
		cr_assert_eq(k->batch.n, BATCH_MAX);
		for (unsigned i = 0; i < BATCH_MAX; i++) {
			cr_assert_gt(
			    kernel_addr(k, k->batch.f[i].head), wanted);
			kernel_check_frame(&k->batch.f[i], 60);
		}
	}
	kernel_close(k);
}
