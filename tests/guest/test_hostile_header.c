/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_header.c - virtio-net headers that lie.
 *
 * To a guest that negotiated no offload, every header that asks for one is a
 * breach: its frame is dropped by name.  To a guest that negotiated them all,
 * it is one where the frame does not bear it out.  Whatever else it says is
 * never believed.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/guest/hostile.h"
#include "tests/guest/segment.h"

static struct hostile h;

static void start_plain(void)
{
	hostile_start(&h);
	hostile_open(&h, NULL);
}

static void start(void)
{
	hostile_start(&h);
}

/* The machine negotiates what @sends says of NETDEV_SENDS. */
static void begin(uint64_t sends)
{
	hostile_open(&h,
	    &(struct netdev_config){
		.offloads = sends, .frame_max = SEGMENT_MAX, .ring_size = 64});
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_header, .init = start_plain, .fini = abandon, .timeout = 40);
TestSuite(hostile_offload, .init = start, .fini = abandon, .timeout = 40);

static void send(
    const uint8_t *frame, uint32_t len, const struct virtio_net_hdr *hdr)
{
	cr_assert_eq(netdev_queue_frame(&h.vm, 0, frame, len, NULL, hdr), 0);
	netdev_flush(&h.vm, 0);
	cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
}

/* All of @n frames that were sent are refused, as @reason and nothing else,
 * and the port goes on. */
static void expect_drops(unsigned n, const char *reason)
{
	hostile_await_drops(&h, reason, n);
	cr_expect_eq(swd_drops(&h.swd, "evil", reason), n);
	cr_expect_eq(hostile_sink(&h), 0);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

/* One frame under each of the headers. */
static void expect_refused(const struct virtio_net_hdr hdr[], unsigned n,
    uint32_t len, const char *reason)
{
	static uint8_t frame[1514] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1, 0, 0, 0, 1, 0x08, 0x00};

	for (unsigned i = 0; i < n; i++)
		send(frame, len, &hdr[i]);
	expect_drops(n, reason);
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

static uint8_t frame[SEGMENT_MAX];

/* A packet with @payload, in @frame, and the header that is right for it. */
static uint32_t build(
    uint8_t proto, bool ip6, uint32_t payload, struct virtio_net_hdr *hdr)
{
	struct segment s = {.proto = proto,
	    .ip6 = ip6,
	    .flags = SEGMENT_ACK,
	    .payload = payload};
	uint32_t len = segment_build(frame, &s, 9, 1);

	*hdr = (struct virtio_net_hdr){
	    .flags = CSUM,
	    .gso_type = proto == SEGMENT_UDP ? NETDEV_GSO_UDP_L4
			: ip6		     ? VIRTIO_NET_HDR_GSO_TCPV6
					     : VIRTIO_NET_HDR_GSO_TCPV4,
	    .hdr_len = (uint16_t)s.hdr_len,
	    .gso_size = 1000,
	    .csum_start = (uint16_t)s.l4,
	    .csum_offset = (uint16_t)(s.csum - s.l4),
	};
	return len;
}

Test(hostile_offload, case_85_checksum_over_what_is_not_its_own)
{
	struct virtio_net_hdr good;
	uint32_t len = build(SEGMENT_TCP, false, 500, &good);
	static const uint16_t where[][2] = {{0, 0}, {13, 2}, {14, 16}, {33, 16},
	    {34, 15}, {34, 6}, {553, 0}, {554, 16}, {0xffff, 0xffff}};

	begin(NETDEV_SENDS);
	for (unsigned i = 0; i < N(where); i++) {
		struct virtio_net_hdr hdr = {.flags = CSUM,
		    .csum_start = where[i][0],
		    .csum_offset = where[i][1]};

		send(frame, len, &hdr);
	}
	expect_drops(N(where), "bad_csum");
}

Test(hostile_offload, case_87_88_segments_of_a_size_that_is_none)
{
	static const uint16_t size[] = {0, 1, 7, 8, 62, 0xffff};
	struct virtio_net_hdr hdr;
	uint32_t len = build(SEGMENT_TCP, false, 64000, &hdr);

	begin(NETDEV_SENDS);
	for (unsigned i = 0; i < N(size); i++) {
		hdr.gso_size = size[i];
		send(frame, len, &hdr);
	}
	expect_drops(N(size), "bad_gso");
}

Test(hostile_offload, case_90_94_header_length_is_computed)
{
	static const uint16_t hdr_len[] = {0, 1, 13, 53, 55, 1054, 0xffff};
	struct virtio_net_hdr hdr;
	uint32_t len = build(SEGMENT_TCP, false, 10001, &hdr);

	begin(NETDEV_SENDS);
	for (unsigned i = 0; i < N(hdr_len); i++) {
		hdr.hdr_len = hdr_len[i];
		send(frame, len, &hdr);
	}
	hostile_await_sink(&h, 11 * N(hdr_len));
	cr_expect_eq(hostile_sink(&h), 11 * N(hdr_len));
	cr_expect_eq(
	    swd_counter(&h.swd, "sink", "tx_bytes"), 60u + 10001 * 7 + 54 * 77);
	hostile_finish(&h);
}

/* As many segments as a frame may have, from as many frames as fit: they cost
 * the machine its own share, and its neighbours nothing. */
Test(hostile_offload, case_87_a_flood_of_small_segments)
{
	struct virtio_net_hdr hdr;
	uint32_t len = build(SEGMENT_TCP, false, 65000, &hdr);
	uint64_t n = 0;

	begin(NETDEV_SENDS);
	hdr.gso_size = 64;
	for (unsigned i = 0; i < 500; i++) {
		while (!netdev_queue_frame(&h.vm, 0, frame, len, NULL, &hdr))
			n++;
		netdev_flush(&h.vm, 0);
		cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
	}
	hostile_await_sink(&h, 1016 * n);
	cr_expect_eq(hostile_sink(&h), 1016 * n);
	hostile_finish(&h);
}

/* What is at @at becomes @value, and the packet is not of its type. */
static void send_spoiled(
    struct virtio_net_hdr hdr, uint32_t len, unsigned at, uint8_t value)
{
	uint8_t was = frame[at];

	frame[at] = value;
	send(frame, len, &hdr);
	frame[at] = was;
}

Test(hostile_offload, case_91_types_that_do_not_match)
{
	static const uint8_t wrong[] = {2, 3, 4, 5, 6, 0x7f, 0x80, 0x84, 0x85};
	struct virtio_net_hdr hdr, other;
	uint32_t len = build(SEGMENT_TCP, false, 5000, &hdr);

	begin(NETDEV_SENDS);
	for (unsigned i = 0; i < N(wrong); i++) {
		other = hdr;
		other.gso_type = wrong[i];
		send(frame, len, &other);
	}
	send_spoiled(hdr, len, 12, 0);	  /* EtherType 0 */
	send_spoiled(hdr, len, 13, 6);	  /* ARP */
	send_spoiled(hdr, len, 14, 0x65); /* not IPv4 */
	send_spoiled(hdr, len, 14, 0x44); /* a header of 16 bytes */
	send_spoiled(hdr, len, 20, 0x20); /* more fragments */
	send_spoiled(hdr, len, 21, 1);	  /* a later fragment */
	send_spoiled(hdr, len, 23, SEGMENT_UDP);
	send_spoiled(hdr, len, 46, 4 << 4); /* a TCP header of 16 bytes */
	hdr.flags = 0;			    /* segments without a checksum */
	send(frame, len, &hdr);
	expect_drops(N(wrong) + 9, "bad_gso");
}

Test(hostile_offload, case_93_offloads_never_negotiated)
{
	struct virtio_net_hdr hdr;
	uint32_t len;

	begin(
	    NETDEV_BIT(VIRTIO_NET_F_CSUM) | NETDEV_BIT(VIRTIO_NET_F_HOST_TSO4));
	len = build(SEGMENT_TCP, true, 5000, &hdr);
	send(frame, len, &hdr);
	len = build(SEGMENT_UDP, false, 5000, &hdr);
	send(frame, len, &hdr);
	len = build(SEGMENT_TCP, false, 5000, &hdr);
	hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	send(frame, len, &hdr);
	expect_drops(3, "bad_gso");
}

/* TSO was acknowledged, the checksums that it needs were not. */
Test(hostile_offload, case_93_offloads_without_their_ground)
{
	struct virtio_net_hdr hdr;
	uint32_t len = build(SEGMENT_TCP, false, 5000, &hdr);

	begin(NETDEV_SENDS & ~NETDEV_BIT(VIRTIO_NET_F_CSUM));
	send(frame, len, &hdr);
	expect_drops(1, "bad_csum");
}

Test(hostile_offload, case_96_total_length_wraps)
{
	struct virtio_net_hdr hdr;
	uint32_t most = 65535 - 40;

	begin(NETDEV_SENDS);
	for (uint32_t more = 1; more <= 4; more++)
		send(frame, build(SEGMENT_TCP, false, most + more, &hdr), &hdr);
	expect_drops(4, "bad_gso");
}
