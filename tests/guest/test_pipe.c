/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pipe.c - a machine and an application on one bridge.
 *
 * What the machine leaves undone is done on the way to the application, whose
 * frames have no header that could say what is left; what the application sends
 * is whole.  Both of memif's roles, because the frame is written elsewhere.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/guest/app.h"
#include "tests/guest/lan.h"
#include "tests/guest/segment.h"

enum { LARGE = 60000, MSS_TCP = 1400, MACHINE = 1, APPLICATION = 2 };

static struct lan lan;
static struct app app;
static bool app_is_open;

static void clean_up(void)
{
	if (app_is_open)
		app_close(&app);
	app_is_open = false;
	lan_abandon(&lan);
}

TestSuite(pipe, .fini = clean_up, .timeout = 30);

/* Machine 1 at vm1 and an application at p2, whose address is known. */
static void begin(bool app_is_server)
{
	const struct netdev_config machine = {.frame_max = SEGMENT_MAX,
	    .ring_size = 64,
	    .offloads = NETDEV_SENDS};
	struct app_config c = {.server = app_is_server};
	uint8_t frame[60];
	char path[108];

	lan_start_empty(&lan, NULL);
	lan_add(&lan, MACHINE, &machine, ",'mtu':9000");
	snprintf(path, sizeof(path), "%s/p2", lan.swd.dir);
	c.socket = path;
	cr_assert_eq(swd_do(&lan.swd, "port.add",
			 "{'name':'p2','type':'pipe','socket':'%s',"
			 "'role':'%s','mtu':9000}",
			 path, app_is_server ? "client" : "server"),
	    0);
	cr_assert_eq(app_open(&app, &c), 0);
	app_is_open = true;
	cr_assert(swd_await_state(&lan.swd, "p2", "up"));
	lan_build(frame, sizeof(frame), lan_broadcast, lan_mac(APPLICATION), 1);
	cr_assert(app_await_free(&app, 0, 1));
	cr_assert_eq(app_send(&app, 0, frame, sizeof(frame)), 0);
	lan_expect(&lan, MACHINE, frame, sizeof(frame));
}

static void finish(void)
{
	cr_expect(app_intact(&app));
	app_close(&app);
	app_is_open = false;
	lan_finish(&lan);
}

/* The machine sends @s, its checksum undone, and to be cut into pieces of @mss
 * bytes unless that is 0.  Returns it with its places filled in. */
static struct segment send_undone(struct segment s, uint16_t mss)
{
	static uint8_t frame[SEGMENT_MAX];
	const struct netdev_layout l = {.parts = 17};
	uint32_t len = segment_build(frame, &s, APPLICATION, MACHINE);
	struct virtio_net_hdr hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .hdr_len = (uint16_t)s.hdr_len,
	    .gso_size = mss,
	    .csum_start = (uint16_t)s.l4,
	    .csum_offset = (uint16_t)(s.csum - s.l4)};

	if (mss)
		hdr.gso_type = s.proto == SEGMENT_UDP ? NETDEV_GSO_UDP_L4
			       : s.ip6		      ? VIRTIO_NET_HDR_GSO_TCPV6
				       : VIRTIO_NET_HDR_GSO_TCPV4;
	cr_assert_eq(
	    netdev_queue_frame(&lan.vm[MACHINE], 0, frame, len, &l, &hdr), 0);
	netdev_flush(&lan.vm[MACHINE], 0);
	return s;
}

/* One packet of @s, @at bytes into its payload; returns how many it has. */
static uint32_t expect_packet(
    const struct segment *s, uint32_t at, uint16_t mss)
{
	uint32_t left = s->payload - at, size = mss && left > mss ? mss : left;
	static uint8_t got[LAN_FRAME_MAX];
	struct segment is;
	int len = app_recv(&app, 0, got, sizeof(got), LAN_WAIT_MS);

	cr_assert_gt(len, 0, "nothing %u bytes into it", at);
	cr_assert(segment_parse(&is, got, (uint32_t)len, false));
	cr_assert_eq(is.payload, size);
	if (s->proto == SEGMENT_TCP)
		cr_assert_eq(is.seq, s->seq + at);
	for (uint32_t i = 0; i < size; i++)
		cr_assert_eq(
		    got[is.hdr_len + i], segment_byte(s->seq + at + i));
	return size;
}

static void arrives_complete(struct segment s, uint16_t mss)
{
	for (int server = 0; server < 2; server++) {
		uint32_t at = 0;
		unsigned n = 0;

		begin(server);
		s = send_undone(s, mss);
		for (; at < s.payload; n++)
			at += expect_packet(&s, at, mss);
		cr_expect(
		    swd_await_counter(&lan.swd, "p2", "tx_segments", n - 1));
		cr_expect_eq(app_n_waiting(&app, 0), 0);
		finish();
	}
}

static const struct segment tcp4 = {
    .proto = SEGMENT_TCP, .flags = SEGMENT_ACK, .seq = 77, .payload = LARGE};
static const struct segment tcp6 = {.ip6 = true,
    .proto = SEGMENT_TCP,
    .flags = SEGMENT_ACK,
    .seq = UINT32_MAX - 30000,
    .payload = LARGE};
static const struct segment udp4 = {.proto = SEGMENT_UDP, .payload = LARGE};

Test(pipe, case_94_segments_are_cut_and_summed)
{
	arrives_complete(tcp4, MSS_TCP);
	arrives_complete(tcp6, MSS_TCP);
	arrives_complete(udp4, MSS_TCP);
}

/* A packet of 8000 bytes is a chain of four buffers. */
Test(pipe, segments_longer_than_a_buffer_are_chained)
{
	arrives_complete(tcp4, 8000);
}

Test(pipe, checksums_are_completed)
{
	struct segment s = {
	    .proto = SEGMENT_TCP, .flags = SEGMENT_ACK, .payload = 1000};

	arrives_complete(s, 0);
	s.proto = SEGMENT_UDP;
	arrives_complete(s, 0);
	s.ip6 = true;
	arrives_complete(s, 0);
}

/* Each way frames of many sizes, the odd ones and the longest among them. */
Test(pipe, frames_of_all_sizes)
{
	static const uint32_t size[] = {
	    60, 63, 64, 65, 128, 1514, 2047, 2048, 2049, 4096, 6145, 9014};
	static uint8_t frame[LAN_FRAME_MAX], got[LAN_FRAME_MAX];

	for (int server = 0; server < 2; server++) {
		begin(server);
		for (unsigned i = 0; i < sizeof(size) / sizeof(*size); i++) {
			lan_build(frame, size[i], lan_mac(APPLICATION),
			    lan_mac(MACHINE), i);
			lan_send(&lan, MACHINE, frame, size[i]);
			cr_assert_eq(
			    app_recv(&app, 0, got, sizeof(got), LAN_WAIT_MS),
			    size[i]);
			cr_assert_arr_eq(got, frame, size[i]);
			lan_build(frame, size[i], lan_mac(MACHINE),
			    lan_mac(APPLICATION), i);
			cr_assert_eq(app_send(&app, 0, frame, size[i]), 0);
			lan_expect(&lan, MACHINE, frame, size[i]);
		}
		finish();
	}
}
