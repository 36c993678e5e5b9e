/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_ring.c - a driver that breaks the rules of the split ring.
 *
 * Descriptors and indices are written by hand.  Cases in which the guest is
 * merely odd end with its port up; cases in which it breaks the ring end with
 * the port broken, for the reason that `port show` gives.  What buffers can be
 * up to in any ring is in test_hostile_buffer.c.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/guest/hostile.h"

static struct hostile h;
static struct guest_vring *tx, *rx;

enum { HDR = HOSTILE_HDR, FRAME = HOSTILE_FRAME };

static void setup(bool rx_empty)
{
	hostile_begin(&h, &(struct netdev_config){.rings = NETDEV_RINGS_SPLIT,
			      .rx_empty = rx_empty});
	tx = netdev_tx_ring(&h.vm, 0);
	rx = netdev_rx_ring(&h.vm, 0);
}

static void start(void)
{
	setup(false);
}

static void start_empty(void)
{
	setup(true);
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_ring, .init = start, .fini = abandon, .timeout = 40);
TestSuite(hostile_rx_ring, .init = start_empty, .fini = abandon, .timeout = 40);

static void put_desc(struct guest_vring *r, unsigned i, uint64_t addr,
    uint32_t len, uint16_t flags, uint16_t next)
{
	r->desc[i] = (struct vring_desc){addr, len, flags, next};
}

/* Makes head available @n times and kicks. */
static void post(struct guest_vring *r, uint16_t head, unsigned n)
{
	uint16_t idx = r->avail->idx;

	for (unsigned i = 0; i < n; i++)
		r->avail->ring[(uint16_t)(idx + i) & (r->size - 1)] = head;
	__atomic_store_n(&r->avail->idx, (uint16_t)(idx + n), __ATOMIC_RELEASE);
	guest_vring_kick_always(r);
}

static void post_desc(
    uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	put_desc(tx, 0, addr, len, flags, next);
	post(tx, 0, 1);
}

Test(hostile_ring, case_52_avail_index_jumps_past_the_ring)
{
	tx->avail->idx = (uint16_t)(tx->avail->idx + tx->size + 1);
	guest_vring_kick_always(tx);
	hostile_finish_broken(&h, "avail_jump");
}

Test(hostile_ring, case_52_avail_index_jumps_half_way_round)
{
	tx->avail->idx = (uint16_t)(tx->avail->idx + 32768);
	guest_vring_kick_always(tx);
	hostile_finish_broken(&h, "avail_jump");
}

Test(hostile_ring, case_54_head_past_the_ring)
{
	put_desc(tx, 0, h.buf, HDR + FRAME, 0, 0);
	post(tx, (uint16_t)tx->size, 1);
	hostile_finish_broken(&h, "desc_index");
}

Test(hostile_ring, case_55_next_past_the_ring)
{
	post_desc(h.buf, HDR, VRING_DESC_F_NEXT, (uint16_t)tx->size);
	hostile_finish_broken(&h, "desc_index");
}

Test(hostile_ring, case_55_next_is_ffff)
{
	post_desc(h.buf, HDR, VRING_DESC_F_NEXT, 0xffff);
	hostile_finish_broken(&h, "desc_index");
}

Test(hostile_ring, case_57_self_loop)
{
	post_desc(h.buf, 1, VRING_DESC_F_NEXT, 0);
	hostile_finish_broken(&h, "desc_loop");
}

Test(hostile_ring, case_57_self_loop_of_empty_buffers)
{
	post_desc(h.buf, 0, VRING_DESC_F_NEXT, 0);
	hostile_finish_broken(&h, "desc_loop");
}

Test(hostile_rx_ring, case_57_self_loop_on_the_receive_ring)
{
	put_desc(rx, 0, h.buf, 0, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 0);
	post(rx, 0, 1);
	hostile_provoke(&h, 1000);
	hostile_expect_state(&h, "broken", "desc_loop");
	hostile_stop_provoking(&h);
	hostile_finish(&h);
}

static void indirect(uint32_t len, uint16_t flags, uint16_t inner_flags)
{
	uint64_t table = guest_memory_alloc(&h.vm.mem, 65536, 16);
	struct vring_desc *d = guest_memory_at(&h.vm.mem, table, 65536);

	for (unsigned i = 0; i < 4096; i++)
		d[i] = (struct vring_desc){
		    h.buf, 1, VRING_DESC_F_NEXT, (uint16_t)(i + 1)};
	d[0].flags = inner_flags;
	post_desc(table, len, (uint16_t)(VRING_DESC_F_INDIRECT | flags), 1);
}

Test(hostile_ring, case_60_indirect_table_of_no_bytes)
{
	indirect(0, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_ring, case_60_indirect_table_of_15_bytes)
{
	indirect(15, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_ring, case_60_indirect_table_of_17_bytes)
{
	indirect(17, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_ring, case_60_indirect_table_of_2_gigabytes)
{
	indirect(0x80000000, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_ring, case_60_indirect_inside_indirect)
{
	indirect(32, 0, VRING_DESC_F_INDIRECT);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_ring, case_60_indirect_and_next)
{
	indirect(32, VRING_DESC_F_NEXT, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_ring, case_60_indirect_table_outside_memory)
{
	post_desc(1ull << 50, 32, VRING_DESC_F_INDIRECT, 0);
	hostile_finish_broken(&h, "addr");
}

Test(hostile_ring, case_60_indirect_table_unaligned_is_fine)
{
	uint64_t table = guest_memory_alloc(&h.vm.mem, 64, 16) + 3;
	struct vring_desc d = {h.buf, HDR + FRAME, 0, 0};

	guest_memory_write(&h.vm.mem, table, &d, sizeof(d));
	post_desc(table, sizeof(d), VRING_DESC_F_INDIRECT, 0);
	hostile_await_sink(&h, 1);
	hostile_finish(&h);
}

Test(hostile_ring, case_76_random_notification_wishes)
{
	uint8_t frame[FRAME] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};
	uint32_t x = 12345;

	for (int i = 0; i < 2000; i++) {
		x = x * 1664525 + 1013904223;
		*guest_vring_used_event(tx) = (uint16_t)(x >> 16);
		tx->avail->flags = (uint16_t)x;
		netdev_send(&h.vm, 0, frame, sizeof(frame), NULL);
		guest_vring_kick_always(tx);
		netdev_reap_tx(&h.vm, 0);
	}
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}
