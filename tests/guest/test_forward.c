/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_forward.c - frames of every size and shape from guest to guest.
 *
 * Where a frame goes first; then that it arrives byte for byte, whatever the
 * two guests negotiated and however their buffers are cut.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/guest/lan.h"

static struct lan lan;

static void clean_up(void)
{
	lan_abandon(&lan);
}

TestSuite(forward, .fini = clean_up, .timeout = 30);

static unsigned bit(unsigned i)
{
	return 1u << i;
}

Test(forward, learned_unicast_goes_to_one_port)
{
	lan_start(&lan, 3, NULL, NULL);
	lan_announce(&lan, 1);
	lan_announce(&lan, 2);
	cr_expect_eq(lan_probe(&lan, 2, lan_mac(1), lan_mac(2)), bit(1));
	cr_expect_eq(lan_probe(&lan, 1, lan_mac(2), lan_mac(1)), bit(2));
	cr_expect_eq(lan_probe(&lan, 3, lan_mac(2), lan_mac(3)), bit(2));
	lan_finish(&lan);
}

Test(forward, unknown_unicast_is_flooded_and_counted)
{
	lan_start(&lan, 3, NULL, NULL);
	cr_expect_eq(
	    lan_probe(&lan, 1, lan_stranger(1), lan_mac(1)), bit(2) | bit(3));
	cr_expect_eq(swd_counter(&lan.swd, "vm1", "flooded"), 1);
	cr_expect_eq(swd_counter(&lan.swd, "vm1", "rx_packets"), 1);
	cr_expect_eq(swd_counter(&lan.swd, "vm1", "rx_bytes"), 60);
	cr_expect_eq(swd_counter(&lan.swd, "vm2", "tx_packets"), 1);
	cr_expect_eq(swd_counter(&lan.swd, "vm2", "tx_bytes"), 60);
	lan_finish(&lan);
}

Test(forward, broadcast_and_multicast_reach_all_others)
{
	const struct lan_mac group = {{0x01, 0x00, 0x5e, 1, 2, 3}};

	lan_start(&lan, 3, NULL, NULL);
	for (unsigned i = 1; i <= 3; i++)
		lan_announce(&lan, i);
	cr_expect_eq(lan_probe(&lan, 2, group, lan_mac(2)), bit(1) | bit(3));
	lan_finish(&lan);
}

Test(forward, never_out_of_the_port_it_came_in_by)
{
	lan_start(&lan, 2, NULL, NULL);
	lan_announce(&lan, 1);
	cr_expect_eq(lan_probe(&lan, 1, lan_mac(1), lan_stranger(1)), 0);
	cr_expect(swd_await_drops(&lan.swd, "vm1", "port_loopback_filter", 1));
	lan_finish(&lan);
}

Test(forward, alone_on_the_bridge)
{
	lan_start(&lan, 1, NULL, NULL);
	cr_expect_eq(lan_probe(&lan, 1, lan_broadcast, lan_mac(1)), 0);
	cr_expect(swd_await_drops(&lan.swd, "vm1", "port_list_is_empty", 1));
	lan_finish(&lan);
}

/* Sends frames of all lengths from @first to @last both ways, in bursts of
 * @burst, cut in as many ways as there are. */
static void exchange(
    uint32_t first, uint32_t last, uint32_t step, unsigned burst)
{
	static uint8_t frame[LAN_FRAME_MAX];
	uint32_t len = first, check = first;

	while (check <= last) {
		cr_assert_eq(netdev_drain_tx(&lan.vm[1], 0, LAN_WAIT_MS), 0);
		cr_assert_eq(netdev_drain_tx(&lan.vm[2], 0, LAN_WAIT_MS), 0);
		for (unsigned i = 0; i < burst && len <= last; i++) {
			const struct netdev_layout l = {
			    .parts = len % 5,
			    .joined = len & 1,
			    .indirect = len % 3 == 0 &&
					frontend_has(&lan.vm[1].fe,
					    VIRTIO_RING_F_INDIRECT_DESC),
			};

			lan_build(frame, len, lan_mac(2), lan_mac(1), len);
			cr_assert_eq(netdev_queue_frame(
					 &lan.vm[1], 0, frame, len, &l, NULL),
			    0);
			lan_build(frame, len, lan_mac(1), lan_mac(2), len + 9);
			cr_assert_eq(netdev_queue_frame(
					 &lan.vm[2], 0, frame, len, &l, NULL),
			    0);
			len += step;
		}
		netdev_flush(&lan.vm[1], 0);
		netdev_flush(&lan.vm[2], 0);
		for (; check < len; check += step) {
			lan_build(frame, check, lan_mac(2), lan_mac(1), check);
			lan_expect(&lan, 2, frame, check);
			lan_build(
			    frame, check, lan_mac(1), lan_mac(2), check + 9);
			lan_expect(&lan, 1, frame, check);
		}
	}
}

/* Two equal machines exchange every length up to a full frame. */
static void exchange_all(const struct netdev_config *config)
{
	lan_start(&lan, 2, config, NULL);
	lan_announce(&lan, 1);
	lan_announce(&lan, 2);
	exchange(60, 1514, 1, config->ring_size == 64 ? 8 : 24);
	lan_settle(&lan);
	lan_finish(&lan);
}

Test(forward, all_sizes)
{
	exchange_all(&(struct netdev_config){0});
}

Test(forward, all_sizes_not_mergeable)
{
	exchange_all(&(struct netdev_config){
	    .without = NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF)});
}

Test(forward, all_sizes_legacy_header_of_10_bytes)
{
	exchange_all(&(struct netdev_config){
	    .without = NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF) |
		       NETDEV_BIT(VIRTIO_F_VERSION_1),
	    .rx_parts = 2});
}

Test(forward, all_sizes_legacy_mergeable)
{
	exchange_all(
	    &(struct netdev_config){.without = NETDEV_BIT(VIRTIO_F_VERSION_1)});
}

Test(forward, all_sizes_without_event_index)
{
	exchange_all(&(struct netdev_config){
	    .without = NETDEV_BIT(VIRTIO_RING_F_EVENT_IDX)});
}

Test(forward, all_sizes_in_order)
{
	exchange_all(&(struct netdev_config){.in_order = true});
}

Test(forward, all_sizes_in_order_as_indices_wrap)
{
	exchange_all(&(struct netdev_config){
	    .in_order = true, .ring_size = 64, .first_index = 65000});
}

Test(forward, all_sizes_without_anything)
{
	exchange_all(&(struct netdev_config){.without = ~UINT64_C(0)});
}

Test(forward, all_sizes_into_indirect_buffers_of_many_pieces)
{
	exchange_all(&(struct netdev_config){.rx_parts = 7,
	    .rx_indirect = true,
	    .without = NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF)});
}

Test(forward, all_sizes_into_small_mergeable_buffers)
{
	exchange_all(&(struct netdev_config){.rx_size = 190, .ring_size = 512});
}

Test(forward, all_sizes_as_indices_wrap)
{
	exchange_all(
	    &(struct netdev_config){.ring_size = 64, .first_index = 65000});
}

Test(forward, each_guest_by_its_own_features)
{
	const struct netdev_config legacy = {
	    .without = NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF) |
		       NETDEV_BIT(VIRTIO_F_VERSION_1)};
	const struct netdev_config small = {.rx_size = 100, .ring_size = 1024};

	lan_start_empty(&lan, NULL);
	lan_add(&lan, 1, &legacy, NULL);
	lan_add(&lan, 2, &small, NULL);
	lan_announce(&lan, 1);
	lan_announce(&lan, 2);
	exchange(60, 1514, 7, 16);
	lan_finish(&lan);
}

Test(forward, between_packed_and_split_rings)
{
	const struct netdev_config packed = {
	    .rings = NETDEV_RINGS_PACKED, .ring_size = 100};
	const struct netdev_config split = {
	    .rings = NETDEV_RINGS_SPLIT, .in_order = true};

	lan_start_empty(&lan, NULL);
	lan_add(&lan, 1, &packed, NULL);
	lan_add(&lan, 2, &split, NULL);
	lan_announce(&lan, 1);
	lan_announce(&lan, 2);
	exchange(60, 1514, 3, 16);
	lan_settle(&lan);
	lan_finish(&lan);
}

Test(forward, jumbo_frames_mergeable)
{
	lan_start(&lan, 2,
	    &(struct netdev_config){.frame_max = 9014, .rx_size = 1526},
	    ",'mtu':9000");
	exchange(60, 9014, 199, 8);
	exchange(9014, 9014, 1, 1);
	lan_finish(&lan);
}

Test(forward, jumbo_frames_in_one_buffer)
{
	lan_start(&lan, 2,
	    &(struct netdev_config){.frame_max = 9014,
		.without = NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF)},
	    ",'mtu':9000");
	exchange(60, 9014, 199, 8);
	exchange(9014, 9014, 1, 1);
	lan_finish(&lan);
}

Test(forward, every_layout)
{
	uint8_t frame[1514];

	lan_start(&lan, 2, NULL, NULL);
	for (unsigned k = 0; k < 4 * NETDEV_PARTS_MAX; k++) {
		const struct netdev_layout l = {
		    .parts = 1 + k / 4, .joined = k & 1, .indirect = k & 2};
		uint32_t len = 60 + 11 * k;

		lan_build(frame, len, lan_mac(2), lan_mac(1), k);
		cr_assert_eq(netdev_send(&lan.vm[1], 0, frame, len, &l), 0);
		lan_expect(&lan, 2, frame, len);
	}
	lan_finish(&lan);
}

Test(forward, bursts_larger_than_a_batch)
{
	uint8_t frame[60];

	lan_start(&lan, 2, NULL, NULL);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 120; i++) {
			lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1),
			    round * 120 + i);
			cr_assert_eq(netdev_queue_frame(&lan.vm[1], 0, frame,
					 sizeof(frame), NULL, NULL),
			    0);
		}
		netdev_flush(&lan.vm[1], 0);
		for (unsigned i = 0; i < 120; i++) {
			lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1),
			    round * 120 + i);
			lan_expect(&lan, 2, frame, sizeof(frame));
		}
		cr_assert_eq(netdev_drain_tx(&lan.vm[1], 0, LAN_WAIT_MS), 0);
	}
	lan_finish(&lan);
}

Test(forward, a_full_guest_is_a_counted_drop)
{
	const struct netdev_config deaf = {.rx_empty = true};
	const struct netdev_config usual = {0};
	uint8_t frame[60];

	lan_start_empty(&lan, NULL);
	lan_add(&lan, 1, &usual, NULL);
	lan_add(&lan, 2, &deaf, NULL);
	netdev_fill_rx(&lan.vm[2], 0, 0, 5);
	lan.vm[2].hold_rx = true;
	for (unsigned i = 0; i < 12; i++) {
		lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1), i);
		lan_send(&lan, 1, frame, sizeof(frame));
	}
	lan_settle(&lan);
	cr_expect(swd_await_drops(&lan.swd, "vm2", "guest_ring_full", 7));
	for (unsigned i = 0; i < 5; i++) {
		lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1), i);
		lan_expect(&lan, 2, frame, sizeof(frame));
	}
	lan_expect_silence(&lan, 2);
	lan_finish(&lan);
}

Test(forward, two_workers)
{
	static const char *const options[] = {"-w", "0,1", NULL};
	const struct netdev_config usual = {0};

	lan_start_empty(&lan, options);
	for (unsigned i = 1; i <= 3; i++)
		lan_add(&lan, i, &usual, NULL);
	for (unsigned i = 1; i <= 3; i++)
		lan_announce(&lan, i);
	exchange(60, 1514, 5, 24);
	lan_expect_silence(&lan, 3);
	lan_settle(&lan);
	lan_finish(&lan);
}
