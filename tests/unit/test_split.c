/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_split.c - frames out of a guest's transmitq, lawful and hostile.
 */
#include <criterion/criterion.h>

#include "tests/unit/ring_batch.h"

enum { W = VRING_DESC_F_WRITE, N = VRING_DESC_F_NEXT };
enum { IND = VRING_DESC_F_INDIRECT, HDR = VIRTIO_NET_HDR_LEN };

static void expect_one_drop(
    struct ring *r, enum drop_reason why, uint64_t rx_bytes)
{
	cr_assert_eq(rx(r), 1);
	cr_assert_eq(batch.n, 0);
	cr_assert_eq(fault(r), VIRTQ_NONE);
	cr_assert_eq(r->counters.rx_packets, 1);
	cr_assert_eq(r->counters.rx_bytes, rx_bytes);
	cr_assert_eq(r->counters.drops[why], 1, "%s", drop_name(why));
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(r->used->idx, 1);
	cr_assert_eq(ring_used(r, 0).len, 0);
	ring_close(r);
}

static void expect_broken(struct ring *r, enum virtq_fault why)
{
	cr_assert_eq(rx(r), 0);
	cr_assert_eq(batch.n, 0);
	cr_assert_eq(fault(r), why, "%s", virtq_fault_name(fault(r)));
	cr_assert_eq(r->n_raised, 1);
	cr_assert_eq(
	    r->counters.rx_packets, r->counters.drops[DROP_BAD_DESCRIPTOR]);
	cr_assert_eq(rx(r), 0);
	cr_assert(virtq_arm(&r->vq));
	cr_assert_eq(r->used->idx, 0);
	cr_assert_eq(r->n_raised, 1);
	ring_close(r);
}

static void expect_taken(struct ring *r, uint32_t len)
{
	cr_assert_eq(rx(r), 1);
	cr_assert_eq(fault(r), VIRTQ_NONE);
	expect_frame(r, 0, len);
	expect_no_counts(r);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(r->used->idx, 1);
	ring_close(r);
}

/* A header and frame of @len bytes at BUFS, cut into descriptors of part[0..n)
 * bytes and a last one with what is left; no further than the header at 0. */
static struct ring *cut(uint32_t len, const uint32_t part[], unsigned n)
{
	struct ring *r = ring_open(256);
	uint64_t at = BUFS;

	ring_frame(r, at, len);
	for (unsigned i = 0; i < n; i++) {
		ring_desc(r, i, at, part[i], N, (uint16_t)(i + 1));
		at += part[i];
	}
	ring_desc(r, n, at, (uint32_t)(BUFS + HDR + len - at), 0, 0);
	ring_offer(r, 0);
	return r;
}

Test(split, takes_frames_of_every_length)
{
	static const uint32_t len[] = {
	    14, 15, 59, 60, 63, 64, 65, 128, 1514, 9018, FRAME_LEN_MAX};

	for (unsigned i = 0; i < sizeof(len) / sizeof(*len); i++) {
		expect_taken(cut(len[i], NULL, 0), len[i]);
		expect_taken(cut(len[i], (uint32_t[]){HDR}, 1), len[i]);
		expect_taken(cut(len[i], (uint32_t[]){HDR, 14}, 2), len[i]);
	}
}

Test(split, takes_headers_of_any_layout)
{
	for (uint32_t a = 0; a < 90; a++) {
		expect_taken(cut(200, (uint32_t[]){a}, 1), 200);
		expect_taken(cut(200, (uint32_t[]){a, 0, 5}, 3), 200);
	}
}

Test(split, takes_legacy_headers)
{
	struct ring *r = ring_open(16);

	r->vq.hdr_len = VIRTIO_NET_HDR_LEN_LEGACY;
	ring_frame(r, BUFS, 100);
	ring_offer_one(r, 0, BUFS, 110, 0);
	ring_desc(r, 1, BUFS, 10, N, 2);
	ring_desc(r, 2, BUFS + 10, 100, 0, 0);
	ring_offer(r, 1);
	ring_desc(r, 3, BUFS, 3, N, 4);
	ring_desc(r, 4, BUFS + 3, 107, 0, 0);
	ring_offer(r, 3);
	cr_assert_eq(rx(r), 3);
	for (unsigned i = 0; i < 3; i++)
		expect_frame(r, i, 100);
	ring_close(r);
}

Test(split, takes_buffers_across_adjacent_regions)
{
	for (uint32_t before = 1; before < 130; before++) {
		struct ring *r = ring_open(16);

		ring_frame(r, GUEST_SEAM - before, 118);
		ring_offer_one(r, 0, GUEST_SEAM - before, HDR + 118, 0);
		expect_taken(r, 118);
	}
}

/* A table of n descriptors, the first referring to the header, at @gpa. */
static void put_table(struct ring *r, uint64_t gpa, uint32_t len)
{
	struct vring_desc t[] = {
	    {BUFS, 5, N, 2}, {BUFS + 50, len - 38, 0, 0}, {BUFS + 5, 45, N, 1}};

	ring_frame(r, BUFS, len);
	ring_write(r, gpa, t, sizeof(t));
}

Test(split, case_60_takes_unaligned_and_cut_up_indirect_tables)
{
	for (unsigned off = 0; off <= 48; off++) {
		struct ring *r = ring_open(16);

		put_table(r, GUEST_SEAM - off, 100);
		ring_offer_one(r, 3, GUEST_SEAM - off, 48, IND);
		expect_taken(r, 100);
	}
}

Test(split, takes_an_indirect_table_at_the_end_of_a_chain)
{
	struct ring *r = ring_open(16);
	struct vring_desc t = {BUFS + HDR, 100, 0, 0};

	ring_frame(r, BUFS, 100);
	ring_write(r, BUFS + 0x1000, &t, sizeof(t));
	ring_desc(r, 7, BUFS, HDR, N, 9);
	/* WRITE has no meaning here (2.7.5.3.2). */
	ring_desc(r, 9, BUFS + 0x1000, 16, IND | W, 0);
	ring_offer(r, 7);
	expect_taken(r, 100);
}

static void break_indirect(
    uint64_t gpa, uint32_t len, uint16_t flags, enum virtq_fault why)
{
	struct ring *r = ring_open(16);

	put_table(r, BUFS + 0x1000, 100);
	ring_offer_one(r, 0, gpa, len, flags);
	expect_broken(r, why);
}

Test(split, case_60_takes_a_table_as_large_as_a_ring)
{
	struct ring *r = ring_open(16);

	put_table(r, GUEST_SEAM, 100);
	ring_offer_one(r, 0, GUEST_SEAM, 16 * VIRTQ_SIZE_MAX, IND);
	expect_taken(r, 100);
}

Test(split, case_60_indirect)
{
	uint64_t gpa = BUFS + 0x1000;
	struct vring_desc nested = {BUFS + 0x2000, 16, IND, 0};
	struct ring *r;

	break_indirect(gpa, 0, IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 15, IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 17, IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 1u << 31, IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 16 * (VIRTQ_SIZE_MAX + 1), IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 48, IND | N, VIRTQ_INDIRECT);
	break_indirect(gpa, 32, IND, VIRTQ_DESC_INDEX);
	break_indirect(GUEST_END, 48, IND, VIRTQ_DESC_ADDR);
	break_indirect(GUEST_END - 8, 48, IND, VIRTQ_DESC_ADDR);
	break_indirect(UINT64_MAX - 15, 48, IND, VIRTQ_DESC_ADDR);

	r = ring_open(16);
	ring_write(r, gpa, &nested, sizeof(nested));
	ring_frame(r, BUFS + 0x2000, 100);
	ring_offer_one(r, 0, gpa, 16, IND);
	expect_broken(r, VIRTQ_INDIRECT);

	r = ring_open(16);
	r->vq.indirect = false;
	put_table(r, gpa, 100);
	ring_offer_one(r, 0, gpa, 48, IND);
	expect_broken(r, VIRTQ_INDIRECT);
}

/* A table whose addresses wrap: its second half lies at guest address 0. */
Test(split, case_60_indirect_table_wraps)
{
	struct ring *r = ring_open(16);

	r->mem->region[0].guest = 0;
	r->mem->region[1].guest = UINT64_MAX - REGION_SIZE + 1;
	ring_offer_one(r, 0, UINT64_MAX - 15, 48, IND);
	ring_desc(r, 0, 0, 0, 0, 0);
	ring_desc(r, 1, UINT64_MAX - 15, 48, IND, 0);
	r->avail->ring[0] = 1;
	memset(ring_at(r, UINT64_MAX - 15), 0, 16);
	expect_broken(r, VIRTQ_DESC_ADDR);
}

Test(split, case_52_avail_jump)
{
	static const uint16_t jump[] = {257, 32768, 65535};

	for (unsigned i = 0; i < 3; i++) {
		struct ring *r = ring_open(256);

		ring_frame(r, BUFS, 60);
		ring_desc(r, 0, BUFS, HDR + 60, 0, 0);
		r->avail->idx = jump[i];
		cr_assert_not(virtq_arm(&r->vq));
		expect_broken(r, VIRTQ_AVAIL_JUMP);
	}
}

Test(split, case_52_a_full_ring_is_no_jump)
{
	struct ring *r = ring_open(256);
	unsigned n = 0, got;

	ring_frame(r, BUFS, 60);
	virtq_start(&r->vq, 65500);
	r->avail->idx = 65500;
	for (uint16_t i = 0; i < 256; i++)
		ring_offer_one(r, i, BUFS, HDR + 60, 0);
	while ((got = rx(r))) {
		cr_assert_eq(got, BATCH_MAX);
		cr_assert_eq(batch.n, BATCH_MAX);
		virtq_rx_done(&r->vq, &r->w);
		n += got;
		cr_assert_eq(r->used->idx, (uint16_t)(65500 + n));
	}
	cr_assert_eq(n, 256);
	for (unsigned i = 0; i < 256; i++)
		cr_assert_eq(ring_used(r, 65500 + i).id, i);
	ring_close(r);
}

Test(split, case_54_head_index)
{
	static const uint16_t head[] = {16, 17, 32, 65535};

	for (unsigned i = 0; i < 4; i++) {
		struct ring *r = ring_open(16);

		ring_frame(r, BUFS, 60);
		for (unsigned k = 0; k < 64; k++)
			ring_desc(r, k, BUFS, HDR + 60, 0, 0);
		ring_offer(r, head[i]);
		expect_broken(r, VIRTQ_DESC_INDEX);
		r = ring_open(16);
		for (unsigned k = 0; k < 64; k++)
			ring_desc(r, k, BUFS, 6, N, 3);
		ring_offer(r, head[i]);
		expect_broken(r, VIRTQ_DESC_INDEX);
	}
}

/* Nor is it looked at: the table ends where the guest's memory does. */
Test(split, case_54_nothing_is_read_past_the_table)
{
	for (uint16_t head = 16; head < 20; head++) {
		struct ring *r = ring_open(16);

		r->vq.desc = (void *)ring_at(r, GUEST_END - 16 * 16);
		ring_offer(r, head);
		expect_broken(r, VIRTQ_DESC_INDEX);
	}
}

/* Past the table lies what would be a fine descriptor. */
Test(split, case_55_next_index)
{
	static const uint32_t first[] = {HDR, 5};

	for (unsigned i = 0; i < 2; i++) {
		struct ring *r = ring_open(16);

		ring_frame(r, BUFS, 60);
		ring_desc(r, 2, BUFS, first[i], N, 16);
		ring_desc(r, 16, BUFS + first[i], HDR + 60 - first[i], 0, 0);
		ring_offer(r, 2);
		expect_broken(r, VIRTQ_DESC_INDEX);
	}
}

/* Rings of @size, loops of @n descriptors of @len bytes, entered over a tail. */
static void loop(uint32_t size, unsigned n, unsigned tail, uint32_t len)
{
	struct ring *r = ring_open(size);

	for (unsigned i = 0; i < n + tail; i++)
		ring_desc(r, i, BUFS, len, N, (uint16_t)(i + 1));
	ring_desc(r, n + tail - 1, BUFS, len, N, (uint16_t)tail);
	ring_offer(r, 0);
#ifdef PEER_CHANGES
	/* A descriptor that is met again is another one by then. */
	rx(r);
	cr_assert_neq(fault(r), VIRTQ_NONE);
	ring_close(r);
#else
	expect_broken(r, VIRTQ_DESC_LOOP);
#endif
}

Test(split, case_57_loops)
{
	loop(256, 1, 0, 0);
	loop(256, 1, 0, HDR);
	loop(256, 1, 0, 1500);
	loop(1024, 1, 0, 0);
	loop(1024, 1, 5, 1500);
	loop(1024, 128, 0, 1);
	loop(256, 256, 0, 0);
	loop(256, 156, 100, 1);
	loop(16, 13, 3, 0);
}

/* An endless chain that is too long to be told from a long one. */
Test(split, case_57_terminates)
{
	struct ring *r = ring_open(1024);

	for (unsigned i = 0; i < 1024; i++)
		ring_desc(r, i, BUFS, 0, N, (uint16_t)((i + 1) % 1024));
	ring_offer(r, 0);
	expect_one_drop(r, DROP_RX_MALFORMED, 0);
}

Test(split, case_57_indirect_loop)
{
	struct ring *r = ring_open(16);
	struct vring_desc t[] = {{BUFS, 1, N, 1}, {BUFS, 1, N, 1}};

	ring_write(r, BUFS + 0x1000, t, sizeof(t));
	ring_offer_one(r, 0, BUFS + 0x1000, 32, IND);
	expect_broken(r, VIRTQ_DESC_LOOP);
}

Test(split, case_58_oversize)
{
	struct ring *r;

	expect_one_drop(cut(FRAME_LEN_MAX + 1, NULL, 0), DROP_RX_OVERSIZE, 0);
	expect_one_drop(
	    cut(FRAME_LEN_MAX + 1, (uint32_t[]){HDR}, 1), DROP_RX_OVERSIZE, 0);
	expect_one_drop(cut(FRAME_LEN_MAX + 1, (uint32_t[]){3, 2000}, 2),
	    DROP_RX_OVERSIZE, 0);
	r = ring_open(16);
	for (unsigned i = 0; i < 8; i++)
		ring_desc(r, i, GUEST_SEAM, REGION_SIZE, i < 7 ? N : 0,
		    (uint16_t)(i + 1));
	ring_offer(r, 0);
	expect_one_drop(r, DROP_RX_OVERSIZE, 0);
}

/* The sum of the lengths, cut to 32 bits, would be that of a small frame. */
Test(split, case_58_sum_wraps)
{
	static uint8_t nowhere[1];
	struct ring *r = ring_open(16);
	uint8_t *host = r->mem->region[1].host;

	r->mem->region[1].size = 1ull << 32;
	r->mem->region[1].host = nowhere;
	ring_desc(r, 0, GUEST_SEAM, 1u << 31, N, 1);
	ring_desc(r, 1, GUEST_SEAM, 1u << 31, N, 2);
	ring_desc(r, 2, BUFS, HDR + 60, 0, 0);
	ring_offer(r, 0);
	cr_assert_eq(rx(r), 1);
	cr_assert_eq(r->counters.drops[DROP_RX_OVERSIZE], 1);
	cr_assert_eq(batch.n, 0);
	r->mem->region[1].host = host;
	ring_close(r);
}

Test(split, case_61_indirect_changes_later)
{
	struct ring *r = ring_open(16);

	put_table(r, BUFS + 0x1000, 100);
	ring_offer_one(r, 0, BUFS + 0x1000, 48, IND);
	cr_assert_eq(rx(r), 1);
	memset(r->desc, 0xff, 16 * 16);
	memset(ring_at(r, BUFS + 0x1000), 0xff, 48);
	expect_frame(r, 0, 100);
	ring_close(r);
}

Test(split, case_63_empty_descriptor_with_bad_address)
{
	struct ring *r = ring_open(16);

	ring_frame(r, BUFS, 60);
	ring_desc(r, 0, UINT64_MAX, 0, N, 1);
	ring_desc(r, 1, BUFS, HDR + 60, N, 2);
	ring_desc(r, 2, GUEST_END + 5, 0, 0, 0);
	ring_offer(r, 0);
	expect_taken(r, 60);
	r = ring_open(16);
	ring_offer_one(r, 0, UINT64_MAX, 0, 0);
	expect_one_drop(r, DROP_RX_MALFORMED, 0);
}

static void bad_address(uint64_t gpa, uint32_t len)
{
	struct ring *r = ring_open(16);

	ring_offer_one(r, 0, gpa, len, 0);
	expect_broken(r, VIRTQ_DESC_ADDR);

	r = ring_open(16);
	ring_frame(r, BUFS, 60);
	ring_desc(r, 0, BUFS, HDR, N, 1);
	ring_desc(r, 1, gpa, len, 0, 0);
	ring_offer(r, 0);
	expect_broken(r, VIRTQ_DESC_ADDR);

	r = ring_open(16);
	ring_desc(r, 0, gpa, len, N, 1);
	ring_desc(r, 1, BUFS, 100, 0, 0);
	ring_offer(r, 0);
	expect_broken(r, VIRTQ_DESC_ADDR);

	r = ring_open(16);
	ring_desc(r, 0, gpa, HDR, N, 1);
	ring_desc(r, 1, BUFS, 100, 0, 0);
	if (gpa > GUEST_END - HDR || gpa < GUEST_BASE) {
		ring_offer(r, 0);
		expect_broken(r, VIRTQ_DESC_ADDR);
	} else {
		ring_close(r);
	}
}

Test(split, case_64_addresses)
{
	bad_address(0, 100);
	bad_address(GUEST_BASE - 1, 100);
	bad_address(GUEST_END, 100);
	bad_address(GUEST_END - 99, 100);
	bad_address(GUEST_END - 1, 0xffffffff);
	bad_address(GUEST_BASE, 0xffffffff);
	bad_address(UINT64_MAX, 100);
	bad_address(UINT64_MAX - 98, 100);
	bad_address(UINT64_MAX - 50, 100);
}

/* Behind a buffer in the same region, which is looked into first. */
Test(split, case_64_past_the_region_of_the_buffer_before)
{
	struct ring *r = ring_open(16);

	ring_frame(r, GUEST_END - 2000, 100);
	ring_offer_one(r, 0, GUEST_END - 2000, HDR + 100, 0);
	ring_offer_one(r, 1, GUEST_END - 100, 200, 0);
	cr_assert_eq(rx(r), 1);
	cr_assert_eq(fault(r), VIRTQ_DESC_ADDR);
	expect_frame(r, 0, 100);
	ring_close(r);
}

Test(split, case_64_the_last_byte_may_be_used)
{
	struct ring *r = ring_open(16);

	ring_frame(r, GUEST_END - 112, 100);
	ring_offer_one(r, 0, GUEST_END - 112, 112, 0);
	expect_taken(r, 100);
}

/* A hole between two regions is in neither. */
Test(split, case_64_hole)
{
	struct ring *r = ring_open(16);

	r->mem->region[1].guest += 1;
	ring_offer_one(r, 0, GUEST_SEAM - 50, 100, 0);
	expect_broken(r, VIRTQ_DESC_ADDR);
}

/* Guest addresses that wrap stay in memory where the last byte of the address
 * space and the first are both mapped. */
Test(split, case_64_wrap_into_memory)
{
	struct ring *r = ring_open(16);

	r->mem->region[0].guest = 0;
	r->mem->region[1].guest = UINT64_MAX - REGION_SIZE + 1;
	ring_offer_one(r, 0, UINT64_MAX - 50, 100, 0);
	expect_broken(r, VIRTQ_DESC_ADDR);
}

Test(split, case_66_buffer_is_the_ring)
{
	struct ring *r = ring_open(256);

	memset(r->desc, 0, 200);
	ring_desc(r, 20, GUEST_BASE, 200, 0, 0);
	ring_offer(r, 20);
	cr_assert_eq(rx(r), 1);
	cr_assert_eq(batch.n, 1);
	virtq_rx_done(&r->vq, &r->w);
	ring_close(r);
}

Test(split, case_67_direction)
{
	static const uint16_t flags[][3] = {
	    {W, 0, 0}, {N, W, 0}, {N | W, 0, 0}, {N, N, W}, {N, N | W, 0}};
	struct vring_desc t = {BUFS, 100, W, 0};
	struct ring *r;

	for (unsigned i = 0; i < 5; i++) {
		static const uint32_t lens[] = {HDR, 6};

		for (unsigned k = 0; k < 2; k++) {
			r = ring_open(16);
			ring_desc(r, 0, BUFS, lens[k], flags[i][0], 1);
			ring_desc(r, 1, BUFS, 60, flags[i][1], 2);
			ring_desc(r, 2, BUFS, 60, flags[i][2], 0);
			ring_offer(r, 0);
			expect_broken(r, VIRTQ_DIRECTION);
		}
	}
	r = ring_open(16);
	ring_write(r, BUFS + 0x1000, &t, sizeof(t));
	ring_offer_one(r, 0, BUFS + 0x1000, 16, IND);
	expect_broken(r, VIRTQ_DIRECTION);
}

Test(split, case_69_header_of_twelve_descriptors)
{
	static const uint32_t one[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

	expect_taken(cut(100, one, 12), 100);
	expect_taken(cut(100, one, 11), 100);
}

Test(split, case_70_shorter_than_the_header)
{
	for (uint32_t len = 0; len < HDR; len++) {
		struct ring *r = ring_open(16);

		ring_offer_one(r, 0, BUFS, len, 0);
		expect_one_drop(r, DROP_RX_MALFORMED, 0);
	}
}

Test(split, case_97_runts)
{
	for (uint32_t len = 0; len < FRAME_LEN_MIN; len++) {
		expect_one_drop(cut(len, NULL, 0), DROP_RX_RUNT, len);
		expect_one_drop(
		    cut(len, (uint32_t[]){HDR}, 1), DROP_RX_RUNT, len);
		expect_one_drop(
		    cut(len, (uint32_t[]){4, 8}, 2), DROP_RX_RUNT, len);
	}
}

/* The frame leaves as it was when it was looked at. */
Test(split, case_78_frame_changes_later)
{
	struct ring *r = ring_open(16);

	ring_frame(r, BUFS, 64);
	ring_offer_one(r, 0, BUFS, HDR + 64, 0);
	cr_assert_eq(rx(r), 1);
	memset(ring_at(r, BUFS), 0xff, HDR + 64);
	expect_frame(r, 0, 64);
	ring_close(r);
}

/* Frame behind descriptor @i: a header with 64 bytes, then @n of one byte. */
static void offer_many(struct ring *r, unsigned i, unsigned n)
{
	ring_desc(r, i, BUFS, HDR + 64, N, (uint16_t)(i + 1));
	for (unsigned k = 0; k < n; k++)
		ring_desc(r, i + 1 + k, BUFS + HDR + 64 + k, 1,
		    k + 1 < n ? N : 0, (uint16_t)(i + 2 + k));
	ring_offer(r, (uint16_t)i);
}

Test(split, takes_as_many_segments_as_allowed)
{
	struct ring *r = ring_open(1024);

	ring_frame(r, BUFS, 400);
	offer_many(r, 0, FRAME_SEGS_MAX);
	expect_taken(r, 64 + FRAME_SEGS_MAX);
	r = ring_open(1024);
	offer_many(r, 0, FRAME_SEGS_MAX + 1);
	ring_frame(r, BUFS, 400);
	expect_one_drop(r, DROP_RX_MALFORMED, 64 + FRAME_SEGS_MAX + 1);
	r = ring_open(1024);
	ring_frame(r, BUFS, 400);
	offer_many(r, 0, 300);
	expect_one_drop(r, DROP_RX_MALFORMED, 0);
}

/* One buffer across more regions than a frame may have segments. */
Test(split, takes_as_many_regions_as_allowed)
{
	for (unsigned n = 200; n <= 400; n += 200) {
		struct ring *r = ring_open(16);
		struct vhost_memory *m =
		    calloc(1, sizeof(*m) + n * sizeof(*m->region));

		m->n = n;
		for (unsigned i = 0; i < n; i++)
			m->region[i] = (struct vhost_region){.guest = i,
			    .size = 1,
			    .host = ring_at(r, BUFS) + i};
		ring_frame(r, BUFS, 600);
		r->vq.mem = m;
		ring_offer_one(r, 0, 0, n, 0);
		cr_assert_eq(rx(r), 1);
		cr_assert_eq(batch.n, n == 200);
		cr_assert_eq(r->counters.drops[DROP_RX_MALFORMED], n != 200);
		ring_close(r);
		free(m);
	}
}

/* Case 84: what finds no room is left where it is. */
Test(split, case_84_leaves_what_does_not_fit)
{
	struct ring *r = ring_open(1024);

	ring_frame(r, BUFS, 400);
	offer_many(r, 0, 256);
	offer_many(r, 300, 255);
	ring_offer_one(r, 600, BUFS, HDR + 100, 0);
	ring_offer_one(r, 601, BUFS, HDR + 101, 0);
	offer_many(r, 602, 200);
	offer_many(r, 602, 200);
	offer_many(r, 602, 200);
	cr_assert_eq(rx(r), 3);
	cr_assert_eq(batch.n, 3);
	cr_assert_eq(batch.n_segs, BATCH_SEGS_MAX);
	expect_frame(r, 0, 320);
	expect_frame(r, 1, 319);
	expect_frame(r, 2, 100);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(r->used->idx, 3);
	cr_assert_eq(rx(r), 3);
	expect_frame(r, 0, 101);
	expect_frame(r, 2, 264);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(rx(r), 1);
	expect_frame(r, 0, 264);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(r->used->idx, 7);
	expect_no_counts(r);
	ring_close(r);
}

Test(split, bounds_the_work_of_a_poll)
{
	struct ring *r = ring_open(1024);

	for (unsigned i = 0; i < 1024; i++)
		ring_desc(r, i, BUFS, 0, N, (uint16_t)((i + 1) % 1024));
	for (unsigned i = 0; i < 64; i++)
		ring_offer(r, 0);
	cr_assert_eq(rx(r), 4);
	cr_assert_eq(r->counters.drops[DROP_RX_MALFORMED], 4);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(rx(r), 4);
	ring_close(r);
}

/* What came before the breach is forwarded and returned, nothing after it. */
Test(split, finishes_the_batch_of_a_breach)
{
	struct ring *r = ring_open(16);

	ring_frame(r, BUFS, 60);
	ring_offer_one(r, 0, BUFS, HDR + 60, 0);
	ring_offer_one(r, 1, BUFS, HDR + 60, W);
	ring_offer_one(r, 2, BUFS, HDR + 60, 0);
	cr_assert_eq(rx(r), 1);
	expect_frame(r, 0, 60);
	cr_assert_eq(fault(r), VIRTQ_DIRECTION);
	cr_assert_eq(r->counters.rx_packets, 1);
	cr_assert_eq(r->counters.drops[DROP_BAD_DESCRIPTOR], 1);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(r->used->idx, 1);
	cr_assert_eq(rx(r), 0);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(r->used->idx, 1);
	ring_close(r);
}

/* One element for all, where the first one's would be, also round the end. */
Test(split, returns_a_batch_in_order)
{
	struct ring *r = ring_open(64);

	r->vq.in_order = true;
	virtq_start(&r->vq, 50);
	r->avail->idx = 50;
	ring_frame(r, BUFS, 60);
	memset(r->used->ring, 0xee, 64 * sizeof(*r->used->ring));
	for (uint16_t i = 0; i < 30; i++)
		ring_offer_one(r, (uint16_t)(50 + i) % 64, BUFS, HDR + 60, 0);
	cr_assert_eq(rx(r), 30);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(r->used->idx, 80);
	cr_assert_eq(ring_used(r, 50).id, (50 + 29) % 64);
	cr_assert_eq(ring_used(r, 50).len, 0);
	cr_assert_eq(ring_used(r, 51).id, 0xeeeeeeee);
	ring_offer_one(r, 80 % 64, BUFS, HDR + 60, 0);
	cr_assert_eq(rx(r), 1);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(r->used->idx, 81);
	cr_assert_eq(ring_used(r, 80).id, 80 % 64);
	ring_close(r);
}

Test(split, case_27_memory_shrunk)
{
	struct ring *r = ring_open(16);

	ring_frame(r, BUFS, 60);
	ring_offer_one(r, 0, BUFS, HDR + 60, 0);
	r->mem->guard.broken = 1;
	expect_broken(r, VIRTQ_MEM_SHRUNK);
}

/* The header is judged by offload_parse(), on up to FRAME_HEAD_MAX bytes. */
static void with_header(struct virtio_net_hdr hdr, uint8_t allowed,
    const uint32_t part[], unsigned n, enum drop_reason why)
{
	struct ring *r = cut(400, part, n);

	r->vq.allowed = allowed;
	ring_write(r, BUFS, &hdr, HDR);
	if (why != DROP_NONE) {
		expect_one_drop(r, why, 400);
		return;
	}
	cr_assert_eq(rx(r), 1);
	cr_assert_eq(batch.n, 1);
	cr_assert_eq(batch.f[0].offload.bits, OFFLOAD_CSUM);
	cr_assert_eq(batch.f[0].offload.csum_start, 40);
	cr_assert_eq(batch.f[0].head_len, FRAME_HEAD_MAX);
	cr_assert_eq(batch.f[0].n_segs, 1);
	cr_assert_eq(batch.f[0].segs[0].len, 400 - FRAME_HEAD_MAX);
	for (unsigned i = 0; i < FRAME_HEAD_MAX; i++)
		cr_assert_eq(batch.f[0].head[i], ring_pattern(i));
	ring_close(r);
}

Test(split, case_93_flags_never_negotiated)
{
	static const uint32_t parts[] = {HDR, 5, 7};
	struct virtio_net_hdr csum = {.flags = 1, .csum_start = 40};
	struct virtio_net_hdr gso = {.gso_type = 1, .gso_size = 100};

	for (unsigned i = 0; i < 3; i++) {
		const uint32_t *p = &parts[i == 2 ? 1 : 0];

		with_header(csum, OFFLOAD_CSUM, p, i, DROP_NONE);
		with_header(csum, 0, p, i, DROP_BAD_CSUM);
		with_header(gso, 0, p, i, DROP_BAD_GSO);
		gso.flags = 1;
		with_header(gso, 0, p, i, DROP_BAD_CSUM);
		with_header(gso, OFFLOAD_CSUM, p, i, DROP_BAD_GSO);
		gso.flags = 0;
	}
}

/* A TCP segment of 64 KB in a header and 17 pages, as Linux has it. */
static struct ring *large(uint8_t allowed)
{
	static const uint8_t tcp[] = {0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2,
	    0x08, 0x00, 0x45, 0, 0xff, 0xff, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0,
	    1, 10, 0, 0, 2, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10};
	const struct virtio_net_hdr hdr = {.flags = 1,
	    .gso_type = 1,
	    .hdr_len = 54,
	    .gso_size = 1448,
	    .csum_start = 34,
	    .csum_offset = 16};
	struct ring *r = ring_open(256);
	uint32_t left = 14 + 65535 - 54;

	r->vq.allowed = allowed;
	ring_frame(r, BUFS, 54);
	ring_write(r, BUFS, &hdr, HDR);
	ring_write(r, BUFS + HDR, tcp, sizeof(tcp));
	ring_desc(r, 0, BUFS, HDR + 54, N, 1);
	for (uint16_t i = 1; left; i++) {
		uint32_t n = left < 4096 ? left : 4096;

		left -= n;
		ring_desc(r, i, BUFS + 0x2000 * i, n, left ? N : 0, i + 1);
	}
	ring_offer(r, 0);
	return r;
}

Test(split, takes_large_frames_of_who_may_send_them)
{
	enum { TSO = OFFLOAD_CSUM | OFFLOAD_TSO4 };
	struct ring *r = large(TSO);
	const struct frame *f = &batch.f[0];

	cr_assert_eq(rx(r), 1);
	cr_assert_eq(batch.n, 1);
	cr_assert_eq(f->len, 14 + 65535);
	cr_assert_eq(f->head_len, FRAME_HEAD_MAX);
	cr_assert_eq(f->n_segs, 16);
	cr_assert_eq(f->offload.bits, TSO);
	cr_assert_eq(f->offload.gso_size, 1448);
	cr_assert_eq(f->offload.hdr_len, 54);
	ring_close(r);
	expect_one_drop(large(OFFLOAD_CSUM), DROP_BAD_GSO, 14 + 65535);
	expect_one_drop(large(0), DROP_BAD_CSUM, 14 + 65535);
	expect_one_drop(
	    large((uint8_t)~OFFLOAD_TSO4), DROP_BAD_GSO, 14 + 65535);
}
