/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_packed_tx.c - frames into a packed receiveq, lawful and hostile.
 */
#include "tests/unit/packed_guest.h"
#include "tests/unit/ring_source.h"

enum { W = VRING_DESC_F_WRITE, N = VRING_DESC_F_NEXT };
enum { IND = VRING_DESC_F_INDIRECT, HDR = VIRTIO_NET_HDR_LEN, ID = 0xbeef };

/* The next buffer came back, of @n_slots, with @len bytes written. */
static void expect_back(
    struct packed *g, unsigned n_slots, uint16_t id, uint32_t len)
{
	struct packed_desc d;

	cr_assert(packed_get(g, n_slots, &d));
	cr_assert_eq(d.id, id);
	cr_assert_eq(d.len, len);
	cr_assert_eq(d.flags & ~PACKED_TURN, W);
}

static void expect_none_back(struct packed *g)
{
	struct packed_desc d;

	cr_assert_not(packed_get(g, 1, &d));
}

/* All of @n frames were dropped for @why and no buffer was used. */
static void expect_dropped(struct packed *g, enum drop_reason why, uint64_t n)
{
	cr_assert_eq(g->r->counters.tx_packets, 0);
	cr_assert_eq(g->r->counters.tx_bytes, 0);
	cr_assert_eq(g->r->counters.drops[why], n, "%s", drop_name(why));
	expect_none_back(g);
	expect_canaries(g->r, NULL, 0);
}

static void expect_broken(struct packed *g, enum virtq_fault why)
{
	enum virtq_fault fault;

	send_len(g->r, 100);
	fault = g->vq->fault;
	cr_assert_eq(fault, why, "%s", virtq_fault_name(fault));
	expect_dropped(g, DROP_GUEST_RING_BROKEN, 1);
	cr_assert_eq(g->r->n_raised, 1);
	send_len(g->r, 100);
	expect_dropped(g, DROP_GUEST_RING_BROKEN, 2);
	cr_assert_eq(g->r->n_raised, 1);
	packed_close(g);
}

/* A chain of the writable buffers buf[0..n). */
static void offer_chain(
    struct packed *g, uint16_t id, const struct area buf[], unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		packed_put(g, buf[k].gpa, buf[k].len,
		    k + 1 < n ? (uint16_t)~id : id, k + 1 < n ? W | N : W);
}

static void deliver_at(uint16_t place, uint32_t len, uint32_t seg,
    uint8_t hdr_len, const struct area buf[], unsigned n)
{
	struct packed *g = packed_open_at(100, place);
	struct source s;

	source_init(&s, len, seg);
	g->vq->hdr_len = hdr_len;
	offer_chain(g, ID, buf, n);
	send_n(g->r, &s, 1);
	expect_sent(g->r, 1, len);
	expect_frame(g->r, buf, n, len, 1);
	expect_back(g, n, ID, hdr_len + len);
	cr_assert_eq(g->seen, g->next);
	cr_assert_eq(g->vq->next_avail, g->next);
	cr_assert_eq(ring_calls(g->r), 1);
	free(s.rest);
	packed_close(g);
}

/* One frame of @len bytes in segments of @seg into one chain. */
static void deliver(uint32_t len, uint32_t seg, uint8_t hdr_len,
    const struct area buf[], unsigned n)
{
	deliver_at(PACKED_WRAP, len, seg, hdr_len, buf, n);
}

/* Frames of all lengths into buffers just large enough, and larger. */
Test(packed_tx, case_79_writes_the_frame_and_no_more)
{
	static const uint32_t len[] = {
	    14, 60, 63, 64, 65, 128, 129, 1514, 9018, FRAME_LEN_MAX};

	for (unsigned i = 0; i < sizeof(len) / sizeof(*len); i++)
		for (uint32_t more = 0; more < 80; more += 79) {
			uint32_t l = len[i], all = l + HDR + more;
			uint64_t data = BUFS + 0x1000;

			deliver(l, 1000, HDR, (struct area[]){{BUFS, all}}, 1);
			deliver(l, 3000, 10, (struct area[]){{BUFS, all}}, 1);
			deliver(l, 1000, HDR,
			    (struct area[]){{BUFS, HDR}, {data, l + more}}, 2);
			deliver(l, 1000, 10,
			    (struct area[]){{BUFS, 10}, {data, l + more}}, 2);
			deliver(l, 1000, HDR,
			    (struct area[]){{BUFS, 7}, {data, l + HDR}}, 2);
			deliver(l, 1000, HDR,
			    (struct area[]){
				{BUFS, HDR}, {BUFS + 20, 14}, {data, all}},
			    3);
		}
}

/* Also what the frame needs no more belongs to the chain. */
Test(packed_tx, takes_chains_to_their_end)
{
	struct area buf[] = {{BUFS, 150}, {BUFS + 0x1000, 50},
	    {BUFS + 0x2000, 50}, {BUFS + 0x3000, 50}};

	for (unsigned n = 1; n <= 4; n++)
		deliver(100, 37, HDR, buf, n);
}

Test(packed_tx, writes_to_chains_round_the_end)
{
	struct area buf[] = {
	    {BUFS, HDR}, {BUFS + 0x1000, 60}, {BUFS + 0x2000, 90}};

	for (uint16_t i = 96; i < 100; i++)
		for (unsigned n = 2; n <= 3; n++) {
			deliver_at(i, 60 + (n - 2) * 30, 37, HDR, buf, n);
			deliver_at(i | PACKED_WRAP, 60, 37, HDR, buf, n);
		}
}

Test(packed_tx, writes_across_adjacent_regions)
{
	for (uint32_t before = 1; before < 130; before++) {
		uint64_t at = GUEST_SEAM - before;

		deliver(118, 37, HDR, (struct area[]){{at, 130}}, 1);
		deliver(
		    118, 37, HDR, (struct area[]){{BUFS, HDR}, {at, 118}}, 2);
	}
}

Test(packed_tx, writes_to_indirect_chains)
{
	for (unsigned off = 0; off <= 32; off++) {
		struct packed *g = packed_open(16);
		struct packed_desc t[] = {
		    {BUFS + 0x100, HDR, 0, W}, {BUFS, 200, 0, W}};
		uint64_t at = GUEST_SEAM - off;
		struct area buf[] = {
		    {BUFS + 0x100, HDR}, {BUFS, 100}, {at, sizeof(t)}};

		ring_write(g->r, at, t, sizeof(t));
		packed_put(g, at, sizeof(t), ID, IND);
		send_len(g->r, 100);
		expect_sent(g->r, 1, 100);
		expect_canaries(g->r, buf, 3);
		for (uint32_t i = 0; i < 100; i++)
			cr_assert_eq(*ring_at(g->r, BUFS + i), ring_pattern(i));
		expect_back(g, 1, ID, HDR + 100);
		packed_close(g);
	}
}

Test(packed_tx, merges_buffers)
{
	struct area buf[] = {{BUFS, 100}, {BUFS + 0x1000, 700},
	    {BUFS + 0x2000, 30}, {BUFS + 0x3000, 300}, {BUFS + 0x4000, 999}};
	static const uint32_t used[] = {100, 700, 30, 270, 12};
	struct packed *g = packed_open_at(7, 5);

	g->vq->mergeable = true;
	buf[3].len = 270;
	for (uint16_t i = 0; i < 5; i++)
		packed_put(g, buf[i].gpa, buf[i].len, 15 - i, W);
	packed_put(g, BUFS + 0x5000, 2000, 0, W);
	send_len(g->r, 1100);
	expect_sent(g->r, 1, 1100);
	expect_frame(g->r, buf, 5, 1100, 5);
	for (uint16_t i = 0; i < 5; i++)
		expect_back(g, 1, 15 - i, used[i]);
	expect_none_back(g);
	cr_assert_eq(ring_calls(g->r), 1);
	send_len(g->r, 60);
	expect_back(g, 1, 0, HDR + 60);
	packed_close(g);
}

Test(packed_tx, merges_chains)
{
	struct area buf[] = {{BUFS, HDR}, {BUFS + 0x100, 50},
	    {BUFS + 0x1000, 20}, {BUFS + 0x2000, 80}};
	struct packed *g = packed_open(16);

	g->vq->mergeable = true;
	offer_chain(g, 1, buf, 2);
	offer_chain(g, 2, buf + 2, 2);
	send_len(g->r, 120);
	expect_frame(g->r, buf, 4, 120, 2);
	expect_back(g, 2, 1, HDR + 50);
	expect_back(g, 2, 2, 70);
	packed_close(g);
}

/* Many at once: one publication, one notification, also across the end. */
Test(packed_tx, sends_a_batch_at_once)
{
	struct packed *g = packed_open_at(70, 40);
	struct source s;

	source_init(&s, 100, 4096);
	for (uint16_t i = 0; i < 64; i++)
		packed_put(g, BUFS + i * 0x800u, 1526, i, W);
	send_n(g->r, &s, 64);
	expect_sent(g->r, 64, 6400);
	for (uint16_t i = 0; i < 64; i++)
		expect_back(g, 1, i, HDR + 100);
	cr_assert_eq(ring_calls(g->r), 1);
	cr_assert_eq(g->vq->n_calls, 1);
	free(s.rest);
	packed_close(g);
}

Test(packed_tx, sends_more_than_a_batch)
{
	enum { MANY = 1000 };
	struct packed *g = packed_open(1024);
	static struct frame *f[MANY];
	struct source s;

	source_init(&s, 100, 4096);
	for (unsigned i = 0; i < MANY; i++) {
		f[i] = &s.f;
		packed_put(g, BUFS + i * 0x400u, 1000, (uint16_t)i, W);
	}
	virtq_tx(g->vq, f, MANY, &g->r->w);
	expect_sent(g->r, MANY, 100 * MANY);
	for (unsigned i = 0; i < MANY; i++)
		expect_back(g, 1, (uint16_t)i, HDR + 100);
	cr_assert_eq(ring_calls(g->r), 1);
	free(s.rest);
	packed_close(g);
}

/* More buffers in a batch than are returned at a time. */
Test(packed_tx, merges_very_many_buffers)
{
	struct packed *g = packed_open(4096);
	unsigned n_back = 0;
	struct source s;

	source_init(&s, 2500, 4096);
	g->vq->mergeable = true;
	for (unsigned i = 0; i < 4000; i++)
		packed_put(
		    g, BUFS + i * 0x40u, i % 100 ? 20 : 3000, (uint16_t)i, W);
	send_n(g->r, &s, 40);
	for (struct packed_desc d; packed_get(g, 1, &d); n_back++)
		cr_assert_eq(d.id, n_back);
	cr_assert_eq(g->r->counters.tx_packets +
			 g->r->counters.drops[DROP_GUEST_RING_FULL],
	    40);
	cr_assert_gt(g->r->counters.tx_packets, 30);
	cr_assert_gt(n_back, 2 * GATHER_MAX);
	cr_assert_eq(ring_calls(g->r), 1);
	free(s.rest);
	packed_close(g);
}

Test(packed_tx, case_75_guest_never_refills)
{
	struct packed *g = packed_open(4);
	struct source s;

	source_init(&s, 100, 4096);
	for (uint16_t i = 0; i < 4; i++)
		packed_put(g, BUFS + i * 0x800u, 1526, i, W);
	send_n(g->r, &s, 10);
	send_n(g->r, &s, 10);
	cr_assert_eq(g->r->counters.tx_packets, 4);
	cr_assert_eq(g->r->counters.drops[DROP_GUEST_RING_FULL], 16);
	cr_assert_eq(ring_calls(g->r), 1);
	for (uint16_t i = 0; i < 4; i++)
		expect_back(g, 1, i, HDR + 100);
	expect_none_back(g);
	packed_put(g, BUFS, 1526, 9, W);
	send_n(g->r, &s, 1);
	expect_back(g, 1, 9, HDR + 100);
	free(s.rest);
	packed_close(g);
}

/* A frame too long for what is left does not hold up a shorter one, and what
 * is too small stays for a frame that fits. */
Test(packed_tx, case_72_too_few_buffers)
{
	struct packed *g = packed_open(16);
	struct area buf[] = {{BUFS, HDR + 100}};

	g->vq->mergeable = true;
	packed_put(g, BUFS, HDR + 100, ID, W);
	send_len(g->r, 101);
	expect_dropped(g, DROP_GUEST_RING_FULL, 1);
	send_len(g->r, 100);
	cr_assert_eq(g->r->counters.tx_packets, 1);
	expect_frame(g->r, buf, 1, 100, 1);
	expect_back(g, 1, ID, HDR + 100);
	packed_close(g);
}

Test(packed_tx, drops_what_a_buffer_is_too_small_for)
{
	struct packed *g = packed_open(16);

	packed_put(g, BUFS, HDR + 99, 1, W);
	packed_put(g, BUFS, 2000, 2, W);
	send_len(g->r, 100);
	expect_dropped(g, DROP_GUEST_BUFFER_SMALL, 1);
	send_len(g->r, 99);
	expect_back(g, 1, 1, HDR + 99);
	send_len(g->r, 100);
	expect_back(g, 1, 2, HDR + 100);
	packed_close(g);
}

Test(packed_tx, case_73_as_many_mergeable_buffers_as_allowed)
{
	for (unsigned more = 0; more < 2; more++) {
		struct packed *g = packed_open(1024);

		g->vq->mergeable = true;
		for (uint16_t i = 0; i < 1000; i++)
			packed_put(g, BUFS + i * 64u, 33, i, W);
		send_len(g->r, GATHER_MAX * 33 - HDR + more);
		cr_assert_eq(g->r->counters.tx_packets, !more);
		cr_assert_eq(
		    g->r->counters.drops[DROP_GUEST_BUFFER_SMALL], more);
		packed_close(g);
	}
}

/* One frame more than there can be buffers for, where as many wait to be
 * returned as may: what is found out about the last one is not kept. */
Test(packed_tx, case_73_too_many_buffers_behind_a_full_batch)
{
	enum { LEN = 1000, FRAMES = BATCH_MAX / 2 };
	struct packed *g = packed_open(1024);
	struct source s;

	source_init(&s, LEN, 4096);
	g->vq->mergeable = true;
	for (uint16_t i = 0; i < 2 * FRAMES; i++)
		packed_put(g, BUFS + i * 0x400u, (LEN + HDR) / 2, i, W);
	for (uint16_t i = 0; i <= GATHER_MAX; i++)
		packed_put(g, BUFS + i, 1, ID, W);
	send_n(g->r, &s, FRAMES + 1);
	cr_assert_eq(g->r->counters.tx_packets, FRAMES);
	cr_assert_eq(g->r->counters.drops[DROP_GUEST_BUFFER_SMALL], 1);
	for (uint16_t i = 0; i < 2 * FRAMES; i++)
		expect_back(g, 1, i, (LEN + HDR) / 2);
	expect_none_back(g);
	free(s.rest);
	packed_close(g);
}

Test(packed_tx, case_52_avail_jump)
{
	for (uint32_t first = 5; first <= HDR; first += HDR - 5) {
		struct packed *g = packed_open(16);

		packed_put(g, BUFS, first, ID, W | N);
		expect_broken(g, VIRTQ_AVAIL_JUMP);
	}
}

Test(packed_tx, case_57_a_chain_without_an_end)
{
	static const uint32_t size[] = {1, 2, 16, 512, 513, 32768};

	for (unsigned s = 0; s < sizeof(size) / sizeof(*size); s++)
		for (uint32_t len = 0; len <= HDR; len += HDR) {
			struct packed *g = packed_open(size[s]);

			for (uint32_t i = 0; i < size[s]; i++)
				packed_put(g, BUFS, len, ID, W | N);
			expect_broken(g, VIRTQ_DESC_LOOP);
		}
}

Test(packed_tx, case_57_chains_longer_than_a_frame_needs)
{
	struct packed *g = packed_open(1024);

	for (unsigned i = 1; i < PACKED_CHAIN_MAX; i++)
		packed_put(g, BUFS, 0, 0, W | N);
	packed_put(g, BUFS, 2000, ID, W);
	send_len(g->r, 100);
	expect_dropped(g, DROP_GUEST_BUFFER_SMALL, 1);
	packed_close(g);
}

Test(packed_tx, case_60_indirect)
{
	static const uint32_t len[] = {0, 15, 17, 1u << 31};
	struct packed *g;

	for (unsigned i = 0; i < 4; i++) {
		g = packed_open(16);
		packed_put(g, BUFS, len[i], ID, IND);
		expect_broken(g, VIRTQ_INDIRECT);
	}
	g = packed_open(16);
	packed_put(g, BUFS, 32, ID, IND | N);
	packed_put(g, BUFS, 2000, ID, W);
	expect_broken(g, VIRTQ_INDIRECT);
	g = packed_open(16);
	g->vq->indirect = false;
	packed_put(g, BUFS, 16, ID, IND);
	expect_broken(g, VIRTQ_INDIRECT);
}

Test(packed_tx, case_63_empty_descriptor_with_bad_address)
{
	struct area buf[] = {{UINT64_MAX, 0}, {BUFS, 200}};
	struct packed *g = packed_open(16);

	offer_chain(g, ID, buf, 2);
	send_len(g->r, 100);
	expect_sent(g->r, 1, 100);
	expect_frame(g->r, buf + 1, 1, 100, 1);
	packed_close(g);
}

static void bad_address(uint64_t gpa, uint32_t len)
{
	struct packed *g = packed_open(16);

	packed_put(g, gpa, len, ID, W);
	expect_broken(g, VIRTQ_DESC_ADDR);
	g = packed_open(16);
	packed_put(g, BUFS, HDR, ID, W | N);
	packed_put(g, gpa, len, ID, W);
	expect_broken(g, VIRTQ_DESC_ADDR);
}

Test(packed_tx, case_64_addresses)
{
	bad_address(GUEST_BASE - 1, 2000);
	bad_address(GUEST_END, 2000);
	bad_address(GUEST_END - 50, 2000);
	bad_address(GUEST_END - 1999, 2000);
	bad_address(UINT64_MAX - 100, 2000);
	bad_address(0, 2000);
}

Test(packed_tx, case_64_address_of_the_header_alone)
{
	struct packed *g = packed_open(16);

	packed_put(g, GUEST_END, HDR, ID, W | N);
	packed_put(g, BUFS, 2000, ID, W);
	expect_broken(g, VIRTQ_DESC_ADDR);
}

Test(packed_tx, case_67_direction)
{
	struct packed *g = packed_open(16);

	packed_put(g, BUFS, 2000, ID, 0);
	expect_broken(g, VIRTQ_DIRECTION);
	g = packed_open(16);
	packed_put(g, BUFS, HDR, ID, W | N);
	packed_put(g, BUFS + 0x1000, 2000, ID, 0);
	expect_broken(g, VIRTQ_DIRECTION);
	g = packed_open(16);
	packed_put(g, BUFS, HDR, ID, N);
	packed_put(g, BUFS + 0x1000, 2000, ID, W);
	expect_broken(g, VIRTQ_DIRECTION);
}

/* The buffer is the ring: the guest harms itself, and the device survives. */
Test(packed_tx, case_66_buffer_is_the_ring)
{
	struct packed *g = packed_open(256);
	struct source s;

	source_init(&s, 1500, 4096);
	memset(s.head, 0xff, sizeof(s.head));
	memset(s.rest, 0x80, 1500 - 64);
	for (uint16_t i = 0; i < 256; i++)
		packed_put(g, GUEST_BASE + i * 16u % 2048, 2000, i, W);
	for (unsigned i = 0; i < 20; i++)
		send_n(g->r, &s, 64);
	expect_canaries(g->r, NULL, 0);
	free(s.rest);
	packed_close(g);
}

Test(packed_tx, finishes_the_batch_of_a_breach)
{
	struct packed *g = packed_open(16);
	struct source s;

	source_init(&s, 100, 4096);
	packed_put(g, BUFS, 2000, 1, W);
	packed_put(g, BUFS, 2000, 2, 0);
	packed_put(g, BUFS, 2000, 3, W);
	send_n(g->r, &s, 5);
	cr_assert_eq(g->r->counters.tx_packets, 1);
	cr_assert_eq(g->r->counters.drops[DROP_GUEST_RING_BROKEN], 4);
	expect_back(g, 1, 1, HDR + 100);
	expect_none_back(g);
	free(s.rest);
	packed_close(g);
}

Test(packed_tx, case_27_memory_shrunk)
{
	struct packed *g = packed_open(16);

	packed_put(g, BUFS, 2000, ID, W);
	g->r->mem->guard.broken = 1;
	expect_broken(g, VIRTQ_MEM_SHRUNK);
}

Test(packed_tx, case_94_offload_state_only_to_who_accepts_it)
{
	struct packed *g = packed_open(16);
	struct virtio_net_hdr hdr;
	struct source s;

	source_init(&s, 1000, 4096);
	s.f.offload = (struct offload){
	    .bits = OFFLOAD_CSUM, .csum_start = 34, .csum_offset = 16};
	packed_put(g, BUFS, 2000, ID, W);
	send_n(g->r, &s, 1);
	expect_dropped(g, DROP_NO_OFFLOAD, 1);
	g->r->port.accepts = OFFLOAD_CSUM;
	send_n(g->r, &s, 1);
	ring_read(g->r, BUFS, &hdr, sizeof(hdr));
	cr_assert_eq(hdr.flags, 1);
	cr_assert_eq(hdr.csum_start, 34);
	cr_assert_eq(hdr.num_buffers, 1);
	expect_back(g, 1, ID, HDR + 1000);
	free(s.rest);
	packed_close(g);
}
