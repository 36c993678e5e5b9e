/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_ring.c - a driver that breaks the rules of the split ring.
 *
 * Descriptors and indices are written by hand.  Cases in which the guest is
 * merely odd end with its port up; cases in which it breaks the ring end with
 * the port broken, for the reason that `port show` gives.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/guest/hostile.h"

static struct hostile h;
static struct guest_vring *tx, *rx;
static uint64_t buf; /* gpa of 64 KiB, zeroes but for a broadcast address */

enum { BUF_SIZE = 65536, HDR = 12, FRAME = 60 };

static void setup(const struct netdev_config *config)
{
	uint8_t *p;

	hostile_start(&h);
	hostile_open(&h, config);
	tx = netdev_tx_ring(&h.vm, 0);
	rx = netdev_rx_ring(&h.vm, 0);
	buf = guest_memory_alloc(&h.vm.mem, BUF_SIZE, 64);
	cr_assert_neq(buf, 0);
	p = guest_memory_at(&h.vm.mem, buf, BUF_SIZE);
	memset(p, 0, BUF_SIZE);
	memset(p + HDR, 0xff, 6);
	p[HDR + 6] = 2;
	p[HDR + 7] = 1;
}

static void start(void)
{
	setup(NULL);
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_ring, .init = start, .fini = abandon, .timeout = 40);
TestSuite(hostile_ring_other, .fini = abandon, .timeout = 40);

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

/* The chain comes back, refused for @reason, and the port goes on. */
static void expect_drop(const char *reason)
{
	cr_assert(swd_await_drops(&h.swd, "evil", reason, 1), "%s", reason);
	cr_expect_eq(swd_drops(&h.swd, "evil", reason), 1);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

static void expect_broken(const char *reason)
{
	hostile_expect_state(&h, "broken", reason);
	hostile_finish(&h);
}

Test(hostile_ring, case_52_avail_index_jumps_past_the_ring)
{
	tx->avail->idx = (uint16_t)(tx->avail->idx + tx->size + 1);
	guest_vring_kick_always(tx);
	expect_broken("avail_jump");
}

Test(hostile_ring, case_52_avail_index_jumps_half_way_round)
{
	tx->avail->idx = (uint16_t)(tx->avail->idx + 32768);
	guest_vring_kick_always(tx);
	expect_broken("avail_jump");
}

Test(hostile_ring, case_54_head_past_the_ring)
{
	put_desc(tx, 0, buf, HDR + FRAME, 0, 0);
	post(tx, (uint16_t)tx->size, 1);
	expect_broken("desc_index");
}

Test(hostile_ring, case_55_next_past_the_ring)
{
	post_desc(buf, HDR, VRING_DESC_F_NEXT, (uint16_t)tx->size);
	expect_broken("desc_index");
}

Test(hostile_ring, case_55_next_is_ffff)
{
	post_desc(buf, HDR, VRING_DESC_F_NEXT, 0xffff);
	expect_broken("desc_index");
}

Test(hostile_ring, case_57_self_loop)
{
	post_desc(buf, 1, VRING_DESC_F_NEXT, 0);
	expect_broken("desc_loop");
}

Test(hostile_ring, case_57_self_loop_of_empty_buffers)
{
	post_desc(buf, 0, VRING_DESC_F_NEXT, 0);
	expect_broken("desc_loop");
}

Test(hostile_ring_other, case_57_self_loop_on_the_receive_ring)
{
	setup(&(struct netdev_config){.rx_empty = true});
	put_desc(rx, 0, buf, 0, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 0);
	post(rx, 0, 1);
	hostile_provoke(&h, 1000);
	hostile_expect_state(&h, "broken", "desc_loop");
	hostile_stop_provoking(&h);
	hostile_finish(&h);
}

Test(hostile_ring, case_58_chain_longer_than_4_gigabytes)
{
	for (unsigned i = 0; i < 200; i++)
		put_desc(tx, i, buf, 0x8000000, VRING_DESC_F_NEXT,
		    (uint16_t)(i + 1));
	put_desc(tx, 200, buf, BUF_SIZE, 0, 0);
	post(tx, 0, 1);
	expect_broken("addr");
}

Test(hostile_ring, case_58_frame_longer_than_any)
{
	put_desc(tx, 0, buf, BUF_SIZE, VRING_DESC_F_NEXT, 1);
	put_desc(tx, 1, buf, BUF_SIZE, 0, 0);
	post(tx, 0, 1);
	expect_drop("rx_oversize");
}

static void indirect(uint32_t len, uint16_t flags, uint16_t inner_flags)
{
	uint64_t table = guest_memory_alloc(&h.vm.mem, 65536, 16);
	struct vring_desc *d = guest_memory_at(&h.vm.mem, table, 65536);

	for (unsigned i = 0; i < 4096; i++)
		d[i] = (struct vring_desc){
		    buf, 1, VRING_DESC_F_NEXT, (uint16_t)(i + 1)};
	d[0].flags = inner_flags;
	post_desc(table, len, (uint16_t)(VRING_DESC_F_INDIRECT | flags), 1);
}

Test(hostile_ring, case_60_indirect_table_of_no_bytes)
{
	indirect(0, 0, 0);
	expect_broken("indirect");
}

Test(hostile_ring, case_60_indirect_table_of_15_bytes)
{
	indirect(15, 0, 0);
	expect_broken("indirect");
}

Test(hostile_ring, case_60_indirect_table_of_17_bytes)
{
	indirect(17, 0, 0);
	expect_broken("indirect");
}

Test(hostile_ring, case_60_indirect_table_of_2_gigabytes)
{
	indirect(0x80000000, 0, 0);
	expect_broken("indirect");
}

Test(hostile_ring, case_60_indirect_inside_indirect)
{
	indirect(32, 0, VRING_DESC_F_INDIRECT);
	expect_broken("indirect");
}

Test(hostile_ring, case_60_indirect_and_next)
{
	indirect(32, VRING_DESC_F_NEXT, 0);
	expect_broken("indirect");
}

Test(hostile_ring, case_60_indirect_table_outside_memory)
{
	post_desc(1ull << 50, 32, VRING_DESC_F_INDIRECT, 0);
	expect_broken("addr");
}

Test(hostile_ring, case_60_indirect_table_unaligned_is_fine)
{
	uint64_t table = guest_memory_alloc(&h.vm.mem, 64, 16) + 3;
	struct vring_desc d = {buf, HDR + FRAME, 0, 0};

	guest_memory_write(&h.vm.mem, table, &d, sizeof(d));
	post_desc(table, sizeof(d), VRING_DESC_F_INDIRECT, 0);
	hostile_await_sink(&h, 1);
	hostile_finish(&h);
}

Test(hostile_ring, case_63_empty_buffer_with_a_bad_address)
{
	put_desc(tx, 0, UINT64_MAX, 0, VRING_DESC_F_NEXT, 1);
	put_desc(tx, 1, buf, HDR + FRAME, 0, 0);
	post(tx, 0, 1);
	hostile_await_sink(&h, 1);
	hostile_finish(&h);
}

Test(hostile_ring, case_64_buffer_outside_memory)
{
	post_desc(1ull << 50, HDR + FRAME, 0, 0);
	expect_broken("addr");
}

Test(hostile_ring, case_64_last_byte_one_past_the_region)
{
	const struct guest_region *r = &h.vm.mem.region[0];

	post_desc(r->gpa + r->size - HDR - FRAME + 1, HDR + FRAME, 0, 0);
	expect_broken("addr");
}

Test(hostile_ring, case_64_address_that_wraps)
{
	post_desc(UINT64_MAX - 10, HDR + FRAME, 0, 0);
	expect_broken("addr");
}

Test(hostile_ring_other, case_64_receive_buffer_past_the_region)
{
	const struct guest_region *r;

	setup(&(struct netdev_config){.rx_empty = true});
	r = &h.vm.mem.region[0];
	put_desc(rx, 0, r->gpa + r->size - 100, 4096, VRING_DESC_F_WRITE, 0);
	post(rx, 0, 1);
	hostile_provoke(&h, 1000);
	hostile_expect_state(&h, "broken", "addr");
	hostile_stop_provoking(&h);
	hostile_finish(&h);
}

Test(hostile_ring, case_66_buffer_is_the_ring_itself)
{
	post_desc(tx->used_gpa, 1024, 0, 0);
	hostile_await_drops(&h, "rx_malformed", 0);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

Test(hostile_ring_other, case_66_receive_buffer_is_the_ring_itself)
{
	setup(&(struct netdev_config){.rx_empty = true});
	put_desc(rx, 0, rx->desc_gpa, 4096, VRING_DESC_F_WRITE, 0);
	put_desc(rx, 1, rx->avail_gpa, 4096, VRING_DESC_F_WRITE, 0);
	post(rx, 0, 1);
	post(rx, 1, 1);
	hostile_provoke(&h, 1000);
	hostile_await_sink(&h, 20);
	hostile_stop_provoking(&h);
	hostile_finish(&h);
}

Test(hostile_ring, case_67_writable_buffer_on_the_transmit_ring)
{
	post_desc(buf, HDR + FRAME, VRING_DESC_F_WRITE, 0);
	expect_broken("direction");
}

Test(hostile_ring, case_67_mixed_directions)
{
	put_desc(tx, 0, buf, HDR, VRING_DESC_F_NEXT, 1);
	put_desc(tx, 1, buf, FRAME, VRING_DESC_F_WRITE, 0);
	post(tx, 0, 1);
	expect_broken("direction");
}

Test(hostile_ring_other, case_67_readable_buffer_on_the_receive_ring)
{
	uint8_t *p;

	setup(&(struct netdev_config){.rx_empty = true});
	p = guest_memory_at(&h.vm.mem, buf, BUF_SIZE);
	memset(p, 0x5a, BUF_SIZE);
	put_desc(rx, 0, buf, 4096, 0, 0);
	post(rx, 0, 1);
	hostile_provoke(&h, 1000);
	hostile_expect_state(&h, "broken", "direction");
	hostile_stop_provoking(&h);
	for (unsigned i = 0; i < BUF_SIZE; i++)
		cr_assert_eq(p[i], 0x5a, "byte %u was written", i);
	hostile_finish(&h);
}

Test(hostile_ring, case_69_header_in_twelve_buffers)
{
	for (unsigned i = 0; i < HDR; i++)
		put_desc(
		    tx, i, buf + i, 1, VRING_DESC_F_NEXT, (uint16_t)(i + 1));
	put_desc(tx, HDR, buf + HDR, FRAME, 0, 0);
	post(tx, 0, 1);
	hostile_await_sink(&h, 1);
	hostile_finish(&h);
}

Test(hostile_ring, case_69_chain_shorter_than_the_header)
{
	post_desc(buf, HDR - 1, 0, 0);
	expect_drop("rx_malformed");
}

Test(hostile_ring, case_97_runts)
{
	for (uint32_t len = 0; len < 14; len++) {
		put_desc(tx, len, buf, HDR + len, 0, 0);
		post(tx, (uint16_t)len, 1);
	}
	hostile_await_drops(&h, "rx_runt", 14);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

Test(hostile_ring_other, case_70_receive_buffers_shorter_than_the_header)
{
	setup(&(struct netdev_config){
	    .rx_empty = true, .without = NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF)});
	for (unsigned i = 0; i < 16; i++)
		put_desc(rx, i, buf + 64 * i, i, VRING_DESC_F_WRITE, 0);
	for (uint16_t i = 0; i < 16; i++)
		post(rx, i, 1);
	hostile_provoke(&h, 1000);
	hostile_await_drops(&h, "guest_buffer_small", 10);
	hostile_stop_provoking(&h);
	hostile_finish(&h);
}

Test(hostile_ring_other, case_72_too_few_buffers_and_an_idle_guest)
{
	uint64_t cpu;

	setup(&(struct netdev_config){.rx_empty = true});
	put_desc(rx, 0, buf, 100, VRING_DESC_F_WRITE, 0);
	post(rx, 0, 1);
	hostile_provoke(&h, 1000);
	hostile_await_drops(&h, "guest_ring_full", 10);
	hostile_stop_provoking(&h);
	cpu = swd_cpu_ms(&h.swd);
	cr_expect_eq(rx->used->idx, 0, "part of a frame was delivered");
	cr_assert(swd_alive(&h.swd));
	cr_expect_leq(swd_cpu_ms(&h.swd) - cpu, 1000);
	hostile_finish(&h);
}

Test(hostile_ring_other, case_73_frame_over_very_many_small_buffers)
{
	setup(&(struct netdev_config){.rx_empty = true, .ring_size = 1024});
	for (unsigned i = 0; i < 1024; i++)
		put_desc(
		    rx, i, buf + 33 * (i % 1900), 3, VRING_DESC_F_WRITE, 0);
	for (uint16_t i = 0; i < 1024; i++)
		post(rx, i, 1);
	hostile_provoke(&h, 1000);
	hostile_await_drops(&h, "guest_buffer_small", 10);
	hostile_stop_provoking(&h);
	cr_expect_eq(rx->used->idx, 0, "part of a frame was delivered");
	hostile_finish(&h);
}

Test(hostile_ring_other, case_75_guest_never_refills)
{
	uint64_t rss;

	setup(&(struct netdev_config){.rx_empty = true});
	rss = swd_rss_kib(&h.swd);
	hostile_provoke(&h, 100000);
	hostile_await_drops(&h, "guest_ring_full", 50000);
	hostile_stop_provoking(&h);
	cr_expect_leq(swd_rss_kib(&h.swd), rss + 2048);
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

/* Flips the destination of a frame while the switch looks at it: what was
 * decided for one address must not leave with another.  Port `sink` is told
 * of one address alone and floods are off, so that every frame that reaches
 * it was decided on with that address. */
Test(hostile_ring, case_78_frame_changed_after_it_was_classified)
{
	uint8_t *p = guest_memory_at(&h.vm.mem, buf, BUF_SIZE);
	struct netdev witness;
	char path[108];
	uint8_t frame[2048];
	unsigned n = 0;

	swd_socket(&h.swd, "witness", path, sizeof(path));
	cr_assert_eq(swd_do(&h.swd, "port.add",
			 "{'name':'witness','type':'vhost-user',"
			 "'bridge':'other','flood':false,'bcast_flood':false,"
			 "'mcast_flood':false}"),
	    0);
	cr_assert_eq(
	    netdev_open(&witness, &(struct netdev_config){.socket = path}), 0);
	cr_assert_eq(swd_do(&h.swd, "fdb.add",
			 "{'mac':'02:aa:00:00:00:01','port':'witness'}"),
	    0);
	put_desc(tx, 0, buf, HDR + FRAME, 0, 0);
	for (int i = 0; i < 5000; i++) {
		static const uint8_t mine[6] = {2, 0xaa, 0, 0, 0, 1};
		uint16_t want = (uint16_t)(tx->used->idx + 1);

		memcpy(p + HDR, mine, 6);
		post(tx, 0, 1);
		while (
		    __atomic_load_n(&tx->used->idx, __ATOMIC_ACQUIRE) != want) {
			memset(p + HDR, 0x06, 6);
			memcpy(p + HDR, mine, 6);
		}
		while (netdev_recv(&witness, 0, frame, sizeof(frame), 0) > 0) {
			cr_assert_arr_eq(frame, mine, 6);
			n++;
		}
	}
	cr_expect_gt(n, 0);
	netdev_close(&witness);
	cr_assert_eq(swd_do(&h.swd, "port.del", "{'name':'witness'}"), 0);
	hostile_finish(&h);
}

Test(hostile_ring_other, case_79_no_stale_bytes_reach_the_guest)
{
	uint8_t frame[2048];
	int len;

	setup(NULL);
	hostile_provoke(&h, 1000);
	for (int i = 0; i < 200; i++) {
		len = netdev_recv(&h.vm, 0, frame, sizeof(frame), 2000);
		cr_assert_eq(len, 1500);
		for (int k = 14; k < len; k++)
			cr_assert_eq(frame[k], 0, "byte %d of frame %d", k, i);
	}
	hostile_stop_provoking(&h);
	cr_expect(netdev_faultless(&h.vm));
	hostile_finish(&h);
}
