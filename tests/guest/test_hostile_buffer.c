/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_buffer.c - a driver whose ring is in order and whose buffers
 * are not.
 *
 * Chains are added as a good driver adds them, in either format; where they
 * point, how long they are and what happens to their bytes is what is wrong.
 * Cases in which the guest is merely odd end with its port up.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/guest/hostile.h"

static struct hostile h;
static struct guest_vring *tx, *rx;

enum { HDR = HOSTILE_HDR, FRAME = HOSTILE_FRAME, BUF_SIZE = HOSTILE_BUF_SIZE };

static void setup(const struct netdev_config *config)
{
	hostile_begin(&h, config);
	tx = netdev_tx_ring(&h.vm, 0);
	rx = netdev_rx_ring(&h.vm, 0);
}

static void start(void)
{
	setup(NULL);
}

static void start_empty(void)
{
	setup(&(struct netdev_config){.rx_empty = true});
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_buffer, .init = start, .fini = abandon, .timeout = 40);
TestSuite(
    hostile_rx_buffer, .init = start_empty, .fini = abandon, .timeout = 40);
TestSuite(hostile_buffer_other, .fini = abandon, .timeout = 40);

static void post(struct guest_vring *r, const struct guest_buf b[], unsigned n)
{
	cr_assert_geq(guest_vring_add(r, b, n, false, 0), 0);
	guest_vring_publish(r);
	guest_vring_kick_always(r);
}

static void post_one(struct guest_vring *r, uint64_t gpa, uint32_t len, bool in)
{
	post(r, &(struct guest_buf){gpa, len, in}, 1);
}

/* Frames for evil until its port breaks for @reason. */
static void provoke_until_broken(const char *reason)
{
	hostile_provoke(&h, 1000);
	hostile_expect_state(&h, "broken", reason);
	hostile_stop_provoking(&h);
}

Test(hostile_buffer, case_58_chain_longer_than_4_gigabytes)
{
	struct guest_buf b[40];

	for (unsigned i = 0; i < 40; i++)
		b[i] = (struct guest_buf){h.buf, 0x8000000, false};
	post(tx, b, 40);
	hostile_finish_broken(&h, "addr");
}

Test(hostile_buffer, case_58_frame_longer_than_any)
{
	const struct guest_buf b[] = {
	    {h.buf, BUF_SIZE, false}, {h.buf, BUF_SIZE, false}};

	post(tx, b, 2);
	hostile_finish_dropped(&h, "rx_oversize");
}

Test(hostile_buffer, case_63_empty_buffer_with_a_bad_address)
{
	const struct guest_buf b[] = {
	    {UINT64_MAX, 0, false}, {h.buf, HDR + FRAME, false}};

	post(tx, b, 2);
	hostile_await_sink(&h, 1);
	hostile_finish(&h);
}

Test(hostile_buffer, case_63_nothing_but_empty_buffers)
{
	const struct guest_buf b[] = {
	    {UINT64_MAX, 0, false}, {0, 0, false}, {h.buf, 0, false}};

	post(tx, b, 3);
	hostile_finish_dropped(&h, "rx_malformed");
}

Test(hostile_buffer, case_64_buffer_outside_memory)
{
	post_one(tx, 1ull << 50, HDR + FRAME, false);
	hostile_finish_broken(&h, "addr");
}

Test(hostile_buffer, case_64_last_byte_one_past_the_region)
{
	const struct guest_region *r = &h.vm.mem.region[0];

	post_one(tx, r->gpa + r->size - HDR - FRAME + 1, HDR + FRAME, false);
	hostile_finish_broken(&h, "addr");
}

Test(hostile_buffer, case_64_address_that_wraps)
{
	post_one(tx, UINT64_MAX - 10, HDR + FRAME, false);
	hostile_finish_broken(&h, "addr");
}

Test(hostile_buffer, case_64_second_buffer_outside_memory)
{
	const struct guest_buf b[] = {
	    {h.buf, HDR, false}, {1ull << 50, FRAME, false}};

	post(tx, b, 2);
	hostile_finish_broken(&h, "addr");
}

Test(hostile_buffer, case_64_buffer_outside_memory_in_an_indirect_table)
{
	const struct guest_buf b[] = {
	    {h.buf, HDR, false}, {1ull << 50, FRAME, false}};

	cr_assert_geq(guest_vring_add(tx, b, 2, true, 0), 0);
	guest_vring_publish(tx);
	guest_vring_kick_always(tx);
	hostile_finish_broken(&h, "addr");
}

Test(hostile_rx_buffer, case_64_receive_buffer_past_the_region)
{
	const struct guest_region *r = &h.vm.mem.region[0];

	post_one(rx, r->gpa + r->size - 100, 4096, true);
	provoke_until_broken("addr");
	hostile_finish(&h);
}

Test(hostile_buffer, case_66_buffer_is_the_ring_itself)
{
	post_one(tx, tx->desc_gpa, 1024, false);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

Test(hostile_rx_buffer, case_66_receive_buffer_is_the_ring_itself)
{
	post_one(rx, rx->desc_gpa, 4096, true);
	post_one(rx, rx->avail_gpa, 4096, true);
	hostile_provoke(&h, 1000);
	hostile_await_sink(&h, 20);
	hostile_stop_provoking(&h);
	hostile_finish(&h);
}

Test(hostile_buffer, case_67_writable_buffer_on_the_transmit_ring)
{
	post_one(tx, h.buf, HDR + FRAME, true);
	hostile_finish_broken(&h, "direction");
}

Test(hostile_buffer, case_67_mixed_directions)
{
	const struct guest_buf b[] = {
	    {h.buf, HDR, false}, {h.buf, FRAME, true}};

	post(tx, b, 2);
	hostile_finish_broken(&h, "direction");
}

Test(hostile_rx_buffer, case_67_readable_buffer_on_the_receive_ring)
{
	uint8_t *p = guest_memory_at(&h.vm.mem, h.buf, BUF_SIZE);

	memset(p, 0x5a, BUF_SIZE);
	post_one(rx, h.buf, 4096, false);
	provoke_until_broken("direction");
	for (unsigned i = 0; i < BUF_SIZE; i++)
		cr_assert_eq(p[i], 0x5a, "byte %u was written", i);
	hostile_finish(&h);
}

Test(hostile_buffer, case_69_header_in_twelve_buffers)
{
	struct guest_buf b[HDR + 1];

	for (unsigned i = 0; i < HDR; i++)
		b[i] = (struct guest_buf){h.buf + i, 1, false};
	b[HDR] = (struct guest_buf){h.buf + HDR, FRAME, false};
	post(tx, b, HDR + 1);
	hostile_await_sink(&h, 1);
	hostile_finish(&h);
}

Test(hostile_buffer, case_69_chain_shorter_than_the_header)
{
	post_one(tx, h.buf, HDR - 1, false);
	hostile_finish_dropped(&h, "rx_malformed");
}

Test(hostile_buffer, case_97_runts)
{
	for (uint32_t len = 0; len < 14; len++)
		post_one(tx, h.buf, HDR + len, false);
	hostile_await_drops(&h, "rx_runt", 14);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

Test(hostile_buffer_other, case_70_receive_buffers_shorter_than_the_header)
{
	setup(&(struct netdev_config){
	    .rx_empty = true, .without = NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF)});
	for (unsigned i = 0; i < 16; i++)
		post_one(rx, h.buf + 64 * i, i, true);
	hostile_provoke(&h, 1000);
	hostile_await_drops(&h, "guest_buffer_small", 10);
	hostile_stop_provoking(&h);
	hostile_finish(&h);
}

Test(hostile_rx_buffer, case_72_too_few_buffers_and_an_idle_guest)
{
	uint64_t cpu;

	post_one(rx, h.buf, 100, true);
	hostile_provoke(&h, 1000);
	hostile_await_drops(&h, "guest_ring_full", 10);
	hostile_stop_provoking(&h);
	cpu = swd_cpu_ms(&h.swd);
	cr_expect_not(
	    guest_vring_has_used(rx), "part of a frame was delivered");
	cr_assert(swd_alive(&h.swd));
	cr_expect_leq(swd_cpu_ms(&h.swd) - cpu, 1000);
	hostile_finish(&h);
}

Test(hostile_buffer_other, case_73_frame_over_very_many_small_buffers)
{
	setup(&(struct netdev_config){.rx_empty = true, .ring_size = 1024});
	for (unsigned i = 0; i < 1024; i++)
		post_one(rx, h.buf + 33 * i, 3, true);
	hostile_provoke(&h, 1000);
	hostile_await_drops(&h, "guest_buffer_small", 10);
	hostile_stop_provoking(&h);
	cr_expect_not(
	    guest_vring_has_used(rx), "part of a frame was delivered");
	hostile_finish(&h);
}

Test(hostile_rx_buffer, case_75_guest_never_refills)
{
	uint64_t rss = swd_rss_kib(&h.swd);

	hostile_provoke(&h, 100000);
	hostile_await_drops(&h, "guest_ring_full", 50000);
	hostile_stop_provoking(&h);
	cr_expect_leq(swd_rss_kib(&h.swd), rss + 2048);
	hostile_finish(&h);
}

/* A bridge member that gets frames to one address and nothing else: what
 * reaches it was decided on with that address. */
static void open_witness(struct netdev *witness)
{
	char path[108];

	swd_socket(&h.swd, "witness", path, sizeof(path));
	cr_assert_eq(swd_do(&h.swd, "port.add",
			 "{'name':'witness','type':'vhost-user',"
			 "'bridge':'other','flood':false,'bcast_flood':false,"
			 "'mcast_flood':false}"),
	    0);
	cr_assert_eq(
	    netdev_open(witness, &(struct netdev_config){.socket = path}), 0);
	cr_assert_eq(swd_do(&h.swd, "fdb.add",
			 "{'mac':'02:aa:00:00:00:01','port':'witness'}"),
	    0);
}

/* Flips the destination of a frame while the switch looks at it: what was
 * decided for one address must not leave with another. */
Test(hostile_buffer, case_78_frame_changed_after_it_was_classified)
{
	static const uint8_t mine[6] = {2, 0xaa, 0, 0, 0, 1};
	uint8_t *p = guest_memory_at(&h.vm.mem, h.buf, BUF_SIZE);
	struct netdev witness;
	uint8_t frame[2048];
	uint64_t cookie;
	uint32_t len;
	unsigned n = 0;

	open_witness(&witness);
	for (int i = 0; i < 5000; i++) {
		memcpy(p + HDR, mine, 6);
		post_one(tx, h.buf, HDR + FRAME, false);
		while (!guest_vring_reap(tx, &cookie, &len)) {
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

Test(hostile_buffer, case_79_no_stale_bytes_reach_the_guest)
{
	uint8_t frame[2048];

	hostile_provoke(&h, 1000);
	for (int i = 0; i < 200; i++) {
		int len = netdev_recv(&h.vm, 0, frame, sizeof(frame), 2000);

		cr_assert_eq(len, 1500);
		for (int k = 14; k < len; k++)
			cr_assert_eq(frame[k], 0, "byte %d of frame %d", k, i);
	}
	hostile_stop_provoking(&h);
	cr_expect(netdev_faultless(&h.vm));
	hostile_finish(&h);
}
