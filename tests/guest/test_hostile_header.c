/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_header.c - virtio-net headers that lie.
 *
 * No offload is offered to guests, so every header that asks for one is a
 * breach: its frame is dropped by name, and whatever else it says is never
 * believed.  What a validator that may accept them does is in test_offload.c.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/guest/hostile.h"

static struct hostile h;

static void start(void)
{
	hostile_start(&h);
	hostile_open(&h, NULL);
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_header, .init = start, .fini = abandon, .timeout = 40);

/* Sends one frame under each of the headers; all are refused, as @reason and
 * nothing else, and the port goes on. */
static void expect_refused(const struct virtio_net_hdr hdr[], unsigned n,
    uint32_t len, const char *reason)
{
	static uint8_t frame[1514] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1, 0, 0, 0, 1, 0x08, 0x00};

	for (unsigned i = 0; i < n; i++) {
		cr_assert_eq(
		    netdev_queue_frame(&h.vm, 0, frame, len, NULL, &hdr[i]), 0);
		netdev_flush(&h.vm, 0);
	}
	cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
	hostile_await_drops(&h, reason, n);
	cr_expect_eq(swd_drops(&h.swd, "evil", reason), n);
	cr_expect_eq(hostile_sink(&h), 0);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

#define CSUM	 VIRTIO_NET_HDR_F_NEEDS_CSUM
#define N(array) (sizeof(array) / sizeof((array)[0]))

Test(hostile_header, case_85_checksum_outside_the_frame)
{
	static const struct virtio_net_hdr hdr[] = {
	    {.flags = CSUM, .csum_start = 60},
	    {.flags = CSUM, .csum_start = 0xffff},
	    {.flags = CSUM, .csum_start = 58, .csum_offset = 1},
	    {.flags = CSUM, .csum_start = 34, .csum_offset = 0xffff},
	    {.flags = CSUM, .csum_start = 0, .csum_offset = 0},
	};

	expect_refused(hdr, N(hdr), 60, "bad_csum");
}

Test(hostile_header, case_87_segments_of_nearly_nothing)
{
	struct virtio_net_hdr hdr[7];

	for (uint16_t i = 0; i < 7; i++)
		hdr[i] = (struct virtio_net_hdr){
		    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = i};
	expect_refused(hdr, N(hdr), 1514, "bad_gso");
}

Test(hostile_header, case_88_segments_of_nearly_everything)
{
	static const struct virtio_net_hdr hdr[] = {
	    {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0xffff},
	    {.gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 0xffff},
	};

	expect_refused(hdr, N(hdr), 1514, "bad_gso");
}

Test(hostile_header, case_91_types_that_do_not_exist_or_match)
{
	static const struct virtio_net_hdr hdr[] = {
	    {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1400},
	    {.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 1400},
	    {.gso_type = 2, .gso_size = 1400},
	    {.gso_type = 0x7f, .gso_size = 1400},
	    {.gso_type = 0xff, .gso_size = 1400},
	};

	expect_refused(hdr, N(hdr), 1514, "bad_gso");
}

Test(hostile_header, case_93_offloads_never_negotiated)
{
	static const struct virtio_net_hdr hdr[] = {
	    {.flags = CSUM, .csum_start = 34, .csum_offset = 16},
	};

	expect_refused(hdr, N(hdr), 60, "bad_csum");
}

/* hdr_len is a hint of the guest's about a frame that needs nothing. */
Test(hostile_header, case_90_header_length_is_never_believed)
{
	static const uint16_t hdr_len[] = {0, 1, 13, 61, 1515, 0xffff};
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};

	for (unsigned i = 0; i < N(hdr_len); i++) {
		struct virtio_net_hdr hdr = {.hdr_len = hdr_len[i]};

		cr_assert_eq(netdev_queue_frame(
				 &h.vm, 0, frame, sizeof(frame), NULL, &hdr),
		    0);
		netdev_flush(&h.vm, 0);
	}
	hostile_await_sink(&h, N(hdr_len));
	hostile_finish(&h);
}
