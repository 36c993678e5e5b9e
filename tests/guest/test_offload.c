/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_offload.c - what one guest leaves undone and another takes, or not.
 *
 * Guest 1 sends one large frame; what guest 2 gets of it depends on what it
 * negotiated, and is checked by code that shares nothing with the switch.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/guest/lan.h"
#include "tests/guest/segment.h"

enum { LARGE = 60000, BUFFER = 1526 };

#define TSO4  NETDEV_BIT(VIRTIO_NET_F_GUEST_TSO4)
#define TSO6  NETDEV_BIT(VIRTIO_NET_F_GUEST_TSO6)
#define ECN   NETDEV_BIT(VIRTIO_NET_F_GUEST_ECN)
#define CSUM  NETDEV_BIT(VIRTIO_NET_F_GUEST_CSUM)
#define MERGE NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF)

static struct lan lan;
static uint8_t frame[SEGMENT_MAX];
static unsigned at_vm = 2; /* the guest that is looked at */

static void clean_up(void)
{
	lan_abandon(&lan);
}

TestSuite(offload, .fini = clean_up, .timeout = 30);

static const struct segment tcp4 = {
    .proto = SEGMENT_TCP, .flags = SEGMENT_ACK, .seq = 77, .payload = LARGE};
static const struct segment tcp6 = {.ip6 = true,
    .proto = SEGMENT_TCP,
    .flags = SEGMENT_ACK | SEGMENT_PSH | SEGMENT_FIN,
    .seq = UINT32_MAX - 30000,
    .payload = LARGE};

static struct netdev_config sender(void)
{
	return (struct netdev_config){.frame_max = SEGMENT_MAX,
	    .ring_size = 64,
	    .offloads = NETDEV_SENDS};
}

/* A guest that takes @offloads, in buffers of packets that it merges. */
static struct netdev_config receiver(uint64_t offloads)
{
	return (struct netdev_config){
	    .rx_size = BUFFER, .ring_size = 256, .offloads = offloads};
}

static void begin(const struct netdev_config *from,
    const struct netdev_config *to, const char *params)
{
	lan_start_empty(&lan, NULL);
	lan_add(&lan, 1, from, params);
	lan_add(&lan, 2, to, params);
	lan_announce(&lan, 2);
}

/* The payload of a packet that fills the MTU to the last byte: a tag is not
 * counted. */
static uint32_t full(const struct segment *s)
{
	return (s->tagged ? 1518 : 1514) - s->hdr_len;
}

static struct virtio_net_hdr header_of(const struct segment *s)
{
	struct virtio_net_hdr hdr = {
	    .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .gso_type = s->proto == SEGMENT_UDP ? NETDEV_GSO_UDP_L4
			: s->ip6		? VIRTIO_NET_HDR_GSO_TCPV6
						: VIRTIO_NET_HDR_GSO_TCPV4,
	    .hdr_len = (uint16_t)s->hdr_len,
	    .gso_size = (uint16_t)full(s),
	    .csum_start = (uint16_t)s->l4,
	    .csum_offset = (uint16_t)(s->csum - s->l4),
	};

	if (s->flags & SEGMENT_CWR)
		hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	return hdr;
}

static const char *port_name(void)
{
	static char name[8];

	snprintf(name, sizeof(name), "vm%u", at_vm);
	return name;
}

/* Guest 1 sends @s to guest 2, undone.  Returns it with its places filled in;
 * the frame is in @frame. */
static struct segment send(struct segment s)
{
	const struct netdev_layout l = {.parts = 17};
	uint32_t len = segment_build(frame, &s, 2, 1);
	struct virtio_net_hdr hdr = header_of(&s);

	cr_assert_eq(
	    netdev_queue_frame(&lan.vm[1], 0, frame, len, &l, &hdr), 0);
	netdev_flush(&lan.vm[1], 0);
	return s;
}

/* The guest gets the frame that was sent, and the header with it. */
static void expect_whole(const struct segment *s)
{
	static uint8_t got[SEGMENT_MAX];
	struct virtio_net_hdr want = header_of(s);
	int len = netdev_recv(&lan.vm[at_vm], 0, got, sizeof(got), LAN_WAIT_MS);

	cr_assert_eq(len, s->hdr_len + s->payload);
	cr_assert_eq(memcmp(got, frame, (size_t)len), 0);
	cr_assert_eq(memcmp(&lan.vm[at_vm].rx_hdr.hdr, &want, sizeof(want)), 0);
}

/* One packet of what was cut from @s, @at bytes into its payload. */
static uint32_t expect_packet(const struct segment *s, uint32_t at, bool undone)
{
	const struct virtio_net_hdr *hdr = &lan.vm[at_vm].rx_hdr.hdr;
	uint32_t left = s->payload - at, size = left < full(s) ? left : full(s);
	static uint8_t got[LAN_FRAME_MAX];
	uint8_t flags = s->flags;
	struct segment is;
	int len = netdev_recv(&lan.vm[at_vm], 0, got, sizeof(got), LAN_WAIT_MS);

	cr_assert_gt(len, 0, "nothing %u bytes into it", at);
	cr_assert(segment_parse(&is, got, (uint32_t)len, undone));
	if (at)
		flags &= (uint8_t)~SEGMENT_CWR;
	if (at + size < s->payload)
		flags &= (uint8_t) ~(SEGMENT_FIN | SEGMENT_PSH);
	cr_assert_eq(is.payload, size);
	cr_assert_eq(is.flags, flags, "flags %#x", is.flags);
	if (s->proto == SEGMENT_TCP)
		cr_assert_eq(is.seq, s->seq + at);
	for (uint32_t i = 0; i < size; i++)
		cr_assert_eq(
		    got[is.hdr_len + i], segment_byte(s->seq + at + i));
	cr_assert_eq(hdr->gso_type, 0);
	cr_assert_eq(hdr->flags, undone ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0);
	cr_assert(
	    !undone || (hdr->csum_start == s->l4 &&
			   hdr->csum_start + hdr->csum_offset == s->csum));
	return size;
}

static void expect_cut(const struct segment *s, bool undone)
{
	uint32_t at = 0;
	unsigned n = 0;

	for (; at < s->payload; n++)
		at += expect_packet(s, at, undone);
	lan_settle(&lan);
	lan_expect_silence(&lan, at_vm);
	cr_expect_eq(swd_counter(&lan.swd, port_name(), "tx_segments"), n - 1);
	cr_expect_eq(swd_counter(&lan.swd, port_name(), "passed_through"),
	    undone ? n : 0);
}

/* What becomes of @s on its way to a guest with @config. */
static void passes(const struct segment *s, const struct netdev_config *config)
{
	struct netdev_config from = sender();
	struct segment sent;

	begin(&from, config, NULL);
	sent = send(*s);
	expect_whole(&sent);
	cr_expect_eq(swd_counter(&lan.swd, port_name(), "passed_through"), 1);
	cr_expect_eq(swd_counter(&lan.swd, port_name(), "tx_segments"), 0);
	lan_finish(&lan);
}

static void is_cut(
    const struct segment *s, const struct netdev_config *config, bool undone)
{
	struct netdev_config from = sender();
	struct segment sent;

	begin(&from, config, NULL);
	sent = send(*s);
	expect_cut(&sent, undone);
	lan_finish(&lan);
}

Test(offload, passes_into_merged_buffers)
{
	struct netdev_config to = receiver(NETDEV_TAKES);

	passes(&tcp4, &to);
	passes(&tcp6, &to);
}

/* What Linux gives without mergeable buffers: a header and 17 pages. */
Test(offload, passes_into_large_buffers)
{
	const struct netdev_config to = {.rx_size = 18 * 4096,
	    .rx_parts = 19,
	    .rx_indirect = true,
	    .ring_size = 64,
	    .without = MERGE,
	    .offloads = NETDEV_TAKES};

	passes(&tcp4, &to);
	passes(&tcp6, &to);
}

Test(offload, passes_datagrams)
{
	struct netdev_config to = receiver(NETDEV_TAKES);
	struct segment udp = {.proto = SEGMENT_UDP, .payload = LARGE};

	passes(&udp, &to);
	udp.ip6 = true;
	passes(&udp, &to);
}

Test(offload, case_94_is_cut_and_summed_for_who_takes_nothing)
{
	struct netdev_config to = receiver(0);
	struct segment udp = {.proto = SEGMENT_UDP, .payload = LARGE};

	is_cut(&tcp4, &to, false);
	is_cut(&tcp6, &to, false);
	is_cut(&udp, &to, false);
}

Test(offload, is_cut_for_who_takes_the_other_family)
{
	struct netdev_config to = receiver(CSUM | TSO6 | ECN);

	is_cut(&tcp4, &to, true);
	passes(&tcp6, &to);
	to.offloads = CSUM | TSO4 | ECN;
	is_cut(&tcp6, &to, true);
	passes(&tcp4, &to);
}

/* Nobody has announced himself: everybody gets it, in the form that he takes,
 * the two that take nothing out of one cutting. */
Test(offload, a_flood_is_cut_for_who_takes_nothing)
{
	const struct netdev_config nothing = receiver(0);
	const struct netdev_config all = receiver(NETDEV_TAKES);
	struct netdev_config from = sender();
	struct segment sent;

	lan_start_empty(&lan, NULL);
	lan_add(&lan, 1, &from, NULL);
	lan_add(&lan, 2, &nothing, NULL);
	lan_add(&lan, 3, &all, NULL);
	lan_add(&lan, 4, &nothing, NULL);
	sent = send(tcp4);
	for (at_vm = 2; at_vm <= 4; at_vm++) {
		if (at_vm == 3)
			expect_whole(&sent);
		else
			expect_cut(&sent, false);
	}
	cr_expect_eq(swd_counter(&lan.swd, "vm1", "flooded"), 2);
	lan_finish(&lan);
}

/* Half of USO is none. */
Test(offload, datagrams_are_cut_for_who_takes_one_family)
{
	struct netdev_config to =
	    receiver(CSUM | NETDEV_BIT(NETDEV_F_GUEST_USO4));
	struct segment udp = {.proto = SEGMENT_UDP, .payload = LARGE};

	is_cut(&udp, &to, true);
}

/* virtio 1.2, 5.1.3.1: segmentation stands on checksums. */
Test(offload, features_without_their_ground_count_for_nothing)
{
	struct netdev_config to = receiver(NETDEV_TAKES & ~CSUM);

	is_cut(&tcp4, &to, false);
	is_cut(&tcp6, &to, false);
}

Test(offload, congestion_window_reduced_is_said_once)
{
	struct segment s = tcp4;
	struct netdev_config to = receiver(NETDEV_TAKES);

	s.flags |= SEGMENT_CWR | SEGMENT_PSH;
	passes(&s, &to);
	to.offloads &= ~ECN;
	is_cut(&s, &to, true);
}

Test(offload, a_large_frame_is_measured_by_its_segments)
{
	struct netdev_config from = sender(), to = receiver(NETDEV_TAKES);
	struct segment s = tcp4;

	s.tagged = true;
	passes(&s, &to);
	to.offloads = CSUM;
	is_cut(&s, &to, true);
	begin(&from, &to, NULL);
	lan_set(&lan, 2, "'mtu':1400");
	send(tcp4);
	cr_expect(swd_await_drops(&lan.swd, "vm2", "mtu_exceeded", 1));
	lan_finish(&lan);
}

Test(offload, too_few_buffers_take_nothing)
{
	struct netdev_config from = sender(), to = receiver(NETDEV_TAKES);
	struct segment s = tcp4;
	unsigned needed = (12 + 54 + LARGE + BUFFER - 1) / BUFFER;

	to.rx_empty = true;
	lan_start_empty(&lan, NULL);
	lan_add(&lan, 1, &from, NULL);
	lan_add(&lan, 2, &to, NULL);
	cr_assert_eq(
	    netdev_fill_rx(&lan.vm[at_vm], 0, 0, needed - 1), needed - 1);
	s = send(s);
	cr_expect(swd_await_drops(&lan.swd, "vm2", "guest_ring_full", 1));
	cr_assert_eq(netdev_fill_rx(&lan.vm[at_vm], 0, 0, 1), 1);
	s = send(s);
	expect_whole(&s);
	lan_finish(&lan);
}

static uint64_t offered(void)
{
	return lan.vm[2].fe.offered & (NETDEV_SENDS | NETDEV_TAKES);
}

static void expect_words(const char *key, const char *words)
{
	struct json_object *port = swd_port(&lan.swd, "vm2"), *v = NULL;

	cr_assert(json_object_object_get_ex(port, key, &v), "no %s", key);
	cr_expect_str_eq(json_object_to_json_string_ext(v, 0), words);
	json_object_put(port);
}

Test(offload, what_was_negotiated_is_shown)
{
	struct netdev_config from = sender(), to = receiver(NETDEV_TAKES);

	begin(&from, &to, NULL);
	cr_expect_eq(offered(), NETDEV_SENDS | NETDEV_TAKES);
	expect_words("offload", "true");
	expect_words(
	    "offloads", "[\"csum\",\"tso4\",\"tso6\",\"ecn\",\"uso\"]");
	expect_words("offloads_sent", "[]");
	lan_finish(&lan);
}

Test(offload, is_off_where_it_is_switched_off)
{
	struct netdev_config any = receiver(NETDEV_TAKES | NETDEV_SENDS);

	begin(&any, &any, ",'offload':false");
	cr_expect_eq(offered(), 0);
	expect_words("offload", "false");
	expect_words("offloads", "[]");
	cr_expect_eq(
	    swd_do(&lan.swd, "port.set", "{'name':'vm2','offload':true}"),
	    -EREMOTEIO);
	lan_finish(&lan);
}

/* A machine that starts anew may take something else. */
Test(offload, another_driver_is_another_negotiation)
{
	struct netdev_config from = sender(), to = receiver(NETDEV_TAKES);
	struct segment s;

	begin(&from, &to, NULL);
	s = send(tcp4);
	expect_whole(&s);
	netdev_disconnect(&lan.vm[at_vm]);
	cr_assert(swd_await_state(&lan.swd, "vm2", "wait"));
	lan.vm[2].config.offloads = 0;
	cr_assert_eq(netdev_reconnect(&lan.vm[at_vm]), 0);
	cr_assert(swd_await_state(&lan.swd, "vm2", "up"));
	s = send(tcp4);
	for (uint32_t at = 0; at < s.payload;)
		at += expect_packet(&s, at, false);
	lan_finish(&lan);
}
