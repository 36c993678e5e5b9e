/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_packed.c - frames out of a packed transmitq, lawful and hostile.
 */
#include "tests/unit/packed_guest.h"
#include "tests/unit/ring_batch.h"

enum { W = VRING_DESC_F_WRITE, N = VRING_DESC_F_NEXT };
enum { IND = VRING_DESC_F_INDIRECT, HDR = VIRTIO_NET_HDR_LEN, ID = 0xbeef };

/* The next buffer came back, of @n_slots and without a byte written. */
static void expect_back(struct packed *g, unsigned n_slots, uint16_t id)
{
	struct packed_desc d;

	cr_assert(packed_get(g, n_slots, &d));
	cr_assert_eq(d.id, id);
	cr_assert_eq(d.len, 0);
	cr_assert_eq(d.flags & ~PACKED_TURN, 0);
}

static void expect_none_back(struct packed *g)
{
	struct packed_desc d;

	cr_assert_not(packed_get(g, 1, &d));
}

static void done(struct packed *g)
{
	virtq_rx_done(g->vq, &g->r->w);
}

/* One buffer of @n_slots, of which a frame of @len bytes is made. */
static void expect_taken(struct packed *g, unsigned n_slots, uint32_t len)
{
	cr_assert_eq(rx(g->r), 1);
	cr_assert_eq(fault(g->r), VIRTQ_NONE);
	expect_frame(g->r, 0, len);
	expect_no_counts(g->r);
	expect_none_back(g);
	done(g);
	expect_back(g, n_slots, ID);
	cr_assert_eq(g->seen, g->next);
	expect_none_back(g);
	packed_close(g);
}

static void expect_one_drop(
    struct packed *g, unsigned n_slots, enum drop_reason why, uint64_t rx_bytes)
{
	cr_assert_eq(rx(g->r), 1);
	cr_assert_eq(batch.n, 0);
	cr_assert_eq(fault(g->r), VIRTQ_NONE);
	cr_assert_eq(g->r->counters.rx_packets, 1);
	cr_assert_eq(g->r->counters.rx_bytes, rx_bytes);
	cr_assert_eq(g->r->counters.drops[why], 1, "%s", drop_name(why));
	done(g);
	expect_back(g, n_slots, ID);
	packed_close(g);
}

static void expect_broken(struct packed *g, enum virtq_fault why)
{
	cr_assert_eq(rx(g->r), 0);
	cr_assert_eq(batch.n, 0);
	cr_assert_eq(fault(g->r), why, "%s", virtq_fault_name(fault(g->r)));
	cr_assert_eq(g->r->n_raised, 1);
	cr_assert_eq(g->r->counters.rx_packets, 1);
	cr_assert_eq(g->r->counters.drops[DROP_BAD_DESCRIPTOR], 1);
	cr_assert_eq(rx(g->r), 0);
	done(g);
	cr_assert(virtq_arm(g->vq));
	expect_none_back(g);
	cr_assert_eq(g->r->n_raised, 1);
	packed_close(g);
}

/* A header and frame of @len bytes at BUFS, cut into descriptors of part[0..n)
 * bytes and a last one with what is left, which has the id. */
static struct packed *cut_at(
    uint16_t place, uint32_t len, const uint32_t part[], unsigned n)
{
	struct packed *g = packed_open_at(300, place);
	uint64_t at = BUFS;

	ring_frame(g->r, at, len);
	for (unsigned i = 0; i < n; i++) {
		packed_put(g, at, part[i], (uint16_t)~ID, N);
		at += part[i];
	}
	packed_put(g, at, (uint32_t)(BUFS + HDR + len - at), ID, 0);
	return g;
}

static struct packed *cut(uint32_t len, const uint32_t part[], unsigned n)
{
	return cut_at(PACKED_WRAP, len, part, n);
}

Test(packed, takes_frames_of_every_length)
{
	static const uint32_t len[] = {
	    14, 15, 59, 60, 63, 64, 65, 128, 1514, 9018, FRAME_LEN_MAX};

	for (unsigned i = 0; i < sizeof(len) / sizeof(*len); i++) {
		expect_taken(cut(len[i], NULL, 0), 1, len[i]);
		expect_taken(cut(len[i], (uint32_t[]){HDR}, 1), 2, len[i]);
		expect_taken(cut(len[i], (uint32_t[]){HDR, 14}, 2), 3, len[i]);
	}
}

Test(packed, takes_headers_of_any_layout)
{
	for (uint32_t a = 0; a < 90; a++) {
		expect_taken(cut(200, (uint32_t[]){a}, 1), 2, 200);
		expect_taken(cut(200, (uint32_t[]){a, 0, 5}, 3), 4, 200);
	}
}

/* Chains across the end of the ring, in rounds of both kinds. */
Test(packed, takes_chains_round_the_end)
{
	for (uint16_t i = 296; i < 300; i++)
		for (unsigned wrap = 0; wrap <= PACKED_WRAP;
		     wrap += PACKED_WRAP) {
			uint16_t at = (uint16_t)(i | wrap);

			expect_taken(cut_at(at, 90, NULL, 0), 1, 90);
			expect_taken(
			    cut_at(at, 90, (uint32_t[]){HDR}, 1), 2, 90);
			expect_taken(
			    cut_at(at, 90, (uint32_t[]){5, 40}, 2), 3, 90);
		}
}

Test(packed, takes_legacy_headers)
{
	struct packed *g = packed_open(16);

	g->vq->hdr_len = VIRTIO_NET_HDR_LEN_LEGACY;
	ring_frame(g->r, BUFS, 100);
	packed_put(g, BUFS, 110, 1, 0);
	packed_put(g, BUFS, 10, 0, N);
	packed_put(g, BUFS + 10, 100, 2, 0);
	packed_put(g, BUFS, 3, 0, N);
	packed_put(g, BUFS + 3, 107, 3, 0);
	cr_assert_eq(rx(g->r), 3);
	for (unsigned i = 0; i < 3; i++)
		expect_frame(g->r, i, 100);
	done(g);
	expect_back(g, 1, 1);
	expect_back(g, 2, 2);
	expect_back(g, 2, 3);
	packed_close(g);
}

/* Rings of any size, the smallest and the largest too, many times round. */
Test(packed, goes_round_rings_of_any_size)
{
	static const uint32_t size[] = {1, 2, 3, 7, 63, 64, 65, 100, 32768};

	for (unsigned s = 0; s < sizeof(size) / sizeof(*size); s++) {
		struct packed *g = packed_open(size[s]);
		unsigned n = 0, want = 3 * size[s] + 5;
		uint16_t offered = 0, got = 0;

		ring_frame(g->r, BUFS, 60);
		while (n < want) {
			while ((uint16_t)(offered - got) < size[s] &&
			       offered - got < 100) {
				packed_put(g, BUFS, HDR + 60, offered, 0);
				offered++;
			}
			cr_assert_gt(rx(g->r), 0);
			cr_assert_eq(
			    batch.n, size[s] < BATCH_MAX ? size[s] : BATCH_MAX);
			n += batch.n;
			done(g);
			for (unsigned i = 0; i < batch.n; i++)
				expect_back(g, 1, got++);
			expect_none_back(g);
		}
		packed_close(g);
	}
}

/* What was taken comes back all at once: the first slot is the last written. */
Test(packed, returns_a_batch)
{
	struct packed *g = packed_open(128);

	ring_frame(g->r, BUFS, 60);
	for (uint16_t i = 0; i < 100; i++)
		packed_put(g, BUFS, HDR + 60, (uint16_t)(i * 7), 0);
	cr_assert_eq(rx(g->r), BATCH_MAX);
	expect_none_back(g);
	done(g);
	cr_assert_eq(ring_calls(g->r), 1);
	cr_assert_eq(rx(g->r), 36);
	done(g);
	for (uint16_t i = 0; i < 100; i++)
		expect_back(g, 1, (uint16_t)(i * 7));
	cr_assert_eq(ring_calls(g->r), 1);
	packed_close(g);
}

/* Chains of two descriptors fill a batch as well. */
Test(packed, a_batch_is_of_frames)
{
	struct packed *g = packed_open(256);

	ring_frame(g->r, BUFS, 60);
	for (uint16_t i = 0; i < 100; i++) {
		packed_put(g, BUFS, HDR, 0, N);
		packed_put(g, BUFS + HDR, 60, i, 0);
	}
	cr_assert_eq(rx(g->r), BATCH_MAX);
	cr_assert_eq(batch.n, BATCH_MAX);
	done(g);
	cr_assert_eq(rx(g->r), 36);
	done(g);
	for (uint16_t i = 0; i < 100; i++)
		expect_back(g, 2, i);
	packed_close(g);
}

/* A slot of a chain that is behind its first one is as the first one. */
Test(packed, marks_all_slots_of_a_chain)
{
	struct packed *g =
	    cut_at(298 | PACKED_WRAP, 100, (uint32_t[]){5, 6, 7, 8}, 4);

	cr_assert_eq(rx(g->r), 1);
	done(g);
	expect_back(g, 5, ID);
	for (unsigned i = 0; i < 300; i++)
		cr_assert_eq(!!(g->slot[i].flags & PACKED_USED), i >= 3);
	packed_close(g);
}

Test(packed, takes_buffers_across_adjacent_regions)
{
	for (uint32_t before = 1; before < 130; before++) {
		struct packed *g = packed_open(16);

		ring_frame(g->r, GUEST_SEAM - before, 118);
		packed_put(g, GUEST_SEAM - before, HDR + 118, ID, 0);
		expect_taken(g, 1, 118);
	}
}

/* A table of three descriptors at @gpa, used in order; ids and all flags but
 * the direction have no meaning there. */
static void put_table(struct packed *g, uint64_t gpa, uint32_t len)
{
	struct packed_desc t[] = {{BUFS, 5, 77, PACKED_USED | N},
	    {BUFS + 5, 45, 78, PACKED_TURN}, {BUFS + 50, len - 38, 79, N}};

	ring_frame(g->r, BUFS, len);
	ring_write(g->r, gpa, t, sizeof(t));
}

Test(packed, case_60_takes_unaligned_and_cut_up_indirect_tables)
{
	for (unsigned off = 0; off <= 48; off++) {
		struct packed *g = packed_open(16);

		put_table(g, GUEST_SEAM - off, 100);
		/* WRITE has no meaning with INDIRECT. */
		packed_put(
		    g, GUEST_SEAM - off, 48, ID, off % 2 ? IND | W : IND);
		expect_taken(g, 1, 100);
	}
}

static void break_indirect(
    uint64_t gpa, uint32_t len, unsigned flags, enum virtq_fault why)
{
	struct packed *g = packed_open(16);

	put_table(g, BUFS + 0x1000, 100);
	packed_put(g, gpa, len, ID, flags);
	packed_put(g, BUFS, HDR, ID, 0);
	expect_broken(g, why);
}

Test(packed, case_60_indirect)
{
	uint64_t gpa = BUFS + 0x1000;
	struct packed_desc nested = {BUFS + 0x2000, 16, 0, IND};
	struct packed *g;

	break_indirect(gpa, 0, IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 15, IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 17, IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 1u << 31, IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 16 * (VIRTQ_SIZE_MAX + 1), IND, VIRTQ_INDIRECT);
	break_indirect(gpa, 48, IND | N, VIRTQ_INDIRECT);
	break_indirect(GUEST_END, 48, IND, VIRTQ_DESC_ADDR);
	break_indirect(GUEST_END - 8, 48, IND, VIRTQ_DESC_ADDR);
	break_indirect(UINT64_MAX - 15, 48, IND, VIRTQ_DESC_ADDR);

	g = packed_open(16);
	ring_write(g->r, gpa, &nested, sizeof(nested));
	ring_frame(g->r, BUFS + 0x2000, 100);
	packed_put(g, gpa, 16, ID, IND);
	expect_broken(g, VIRTQ_INDIRECT);

	g = packed_open(16);
	put_table(g, gpa, 100);
	packed_put(g, BUFS, HDR, ID, N);
	packed_put(g, gpa, 48, ID, IND);
	expect_broken(g, VIRTQ_INDIRECT);

	g = packed_open(16);
	g->vq->indirect = false;
	put_table(g, gpa, 100);
	packed_put(g, gpa, 48, ID, IND);
	expect_broken(g, VIRTQ_INDIRECT);
}

/* Each would do but for its length: what it begins with is enough. */
Test(packed, case_60_indirect_table_is_judged_as_a_whole)
{
	struct packed_desc all = {GUEST_SEAM, FRAME_LEN_MAX + 1000, 0, 0};
	struct packed *g = packed_open(16);

	ring_write(g->r, BUFS, &all, sizeof(all));
	packed_put(g, BUFS, 16 * (VIRTQ_SIZE_MAX + 1), ID, IND);
	expect_broken(g, VIRTQ_INDIRECT);

	g = packed_open(16);
	g->r->mem->region[0].guest = 0;
	g->r->mem->region[1].guest = UINT64_MAX - REGION_SIZE + 1;
	all.addr = BUFS_AT;
	ring_write(g->r, UINT64_MAX - 15, &all, sizeof(all));
	packed_put(g, UINT64_MAX - 15, 48, ID, IND);
	expect_broken(g, VIRTQ_DESC_ADDR);
}

/* As many entries as a frame may have pieces, and one more. */
Test(packed, case_60_tables_have_an_end)
{
	for (unsigned n = GATHER_MAX; n <= GATHER_MAX + 1; n++) {
		struct packed *g = packed_open(16);
		struct packed_desc t = {BUFS, 0, 0, 0};

		ring_frame(g->r, BUFS, 60);
		for (unsigned i = 0; i < n; i++) {
			t.len = i ? 0 : HDR + 60;
			ring_write(g->r, GUEST_SEAM + 16 * i, &t, sizeof(t));
		}
		packed_put(g, GUEST_SEAM, 16 * n, ID, IND);
		if (n == GATHER_MAX)
			expect_taken(g, 1, 60);
		else
			expect_one_drop(g, 1, DROP_RX_MALFORMED, 0);
	}
}

Test(packed, case_61_indirect_changes_later)
{
	struct packed *g = packed_open(16);

	put_table(g, BUFS + 0x1000, 100);
	packed_put(g, BUFS + 0x1000, 48, ID, IND);
	cr_assert_eq(rx(g->r), 1);
	memset(g->slot, 0xff, 16 * 16);
	memset(ring_at(g->r, BUFS + 0x1000), 0xff, 48);
	expect_frame(g->r, 0, 100);
	packed_close(g);
}

/* A chain of which the last slot is not there yet. */
Test(packed, case_52_avail_jump)
{
	for (uint32_t first = 0; first <= HDR; first += HDR) {
		struct packed *g = packed_open(16);

		ring_frame(g->r, BUFS, 60);
		packed_put(g, BUFS, first, ID, N);
		cr_assert_not(virtq_arm(g->vq));
		expect_broken(g, VIRTQ_AVAIL_JUMP);
	}
}

/* All slots, and none of them the last one of a chain. */
Test(packed, case_57_a_chain_without_an_end)
{
	static const uint32_t size[] = {1, 2, 16, 63, 512, 513, 32768};

	for (unsigned s = 0; s < sizeof(size) / sizeof(*size); s++)
		for (uint32_t len = 0; len <= HDR; len += HDR) {
			struct packed *g = packed_open(size[s]);

			for (uint32_t i = 0; i < size[s]; i++)
				packed_put(g, BUFS, len, ID, N);
			expect_broken(g, VIRTQ_DESC_LOOP);
		}
}

/* A chain that goes on in what this poll has taken already. */
Test(packed, case_57_a_chain_into_the_batch)
{
	struct packed *g = packed_open(4);

	ring_frame(g->r, BUFS, 60);
	packed_put(g, BUFS, HDR + 60, 1, 0);
	packed_put(g, BUFS, HDR + 60, 2, 0);
	packed_put(g, BUFS, HDR, 3, N);
	packed_put(g, BUFS, HDR, 4, N);
	cr_assert_eq(rx(g->r), 2);
	cr_assert_eq(fault(g->r), VIRTQ_DESC_LOOP);
	done(g);
	expect_back(g, 1, 1);
	expect_back(g, 1, 2);
	packed_close(g);
}

/* As long as lawful, and longer than a frame has pieces. */
Test(packed, skips_long_chains)
{
	for (unsigned n = GATHER_MAX; n <= PACKED_CHAIN_MAX + 1; n++) {
		struct packed *g = packed_open(1000);

		ring_frame(g->r, BUFS, 60);
		packed_put(g, BUFS, HDR + 60, ID, N);
		for (unsigned i = 2; i < n; i++)
			packed_put(g, BUFS, 0, 0, N);
		packed_put(g, BUFS, 0, ID, 0);
		if (n == GATHER_MAX)
			expect_taken(g, n, 60);
		else if (n <= PACKED_CHAIN_MAX)
			expect_one_drop(g, n, DROP_RX_MALFORMED, 0);
		else
			expect_broken(g, VIRTQ_DESC_LOOP);
	}
}

Test(packed, bounds_the_work_of_a_poll)
{
	struct packed *g = packed_open(32768);

	for (unsigned i = 0; i < 64; i++)
		for (unsigned k = 0; k < 500; k++)
			packed_put(g, BUFS, 0, (uint16_t)i, k < 499 ? N : 0);
	cr_assert_eq(rx(g->r), 3);
	cr_assert_eq(g->r->counters.drops[DROP_RX_MALFORMED], 3);
	done(g);
	cr_assert_eq(rx(g->r), 3);
	done(g);
	for (uint16_t i = 0; i < 6; i++)
		expect_back(g, 500, i);
	expect_none_back(g);
	packed_close(g);
}

/* Slots in which the two bits are as they cannot be, or are of other rounds. */
Test(packed, takes_nothing_that_is_not_its_turn)
{
	static const unsigned turn[] = {0, PACKED_USED, PACKED_TURN};

	for (unsigned i = 0; i < 3; i++) {
		struct packed *g = packed_open(16);

		ring_frame(g->r, BUFS, 60);
		packed_fill(g, 0, BUFS, HDR + 60, ID, turn[i]);
		packed_fill(g, 1, BUFS, HDR + 60, ID, PACKED_AVAIL);
		cr_assert_eq(rx(g->r), 0);
		cr_assert(virtq_arm(g->vq));
		packed_fill(g, 0, BUFS, HDR + 60, ID, PACKED_AVAIL);
		cr_assert_not(virtq_arm(g->vq));
		cr_assert_eq(rx(g->r), 2);
		packed_close(g);
	}
}

Test(packed, case_58_oversize)
{
	expect_one_drop(
	    cut(FRAME_LEN_MAX + 1, NULL, 0), 1, DROP_RX_OVERSIZE, 0);
	expect_one_drop(cut(FRAME_LEN_MAX + 1, (uint32_t[]){HDR}, 1), 2,
	    DROP_RX_OVERSIZE, 0);
	expect_one_drop(cut(FRAME_LEN_MAX + 1, (uint32_t[]){3, 2000}, 2), 3,
	    DROP_RX_OVERSIZE, 0);
}

/* What is beyond the largest frame is not looked at, but belongs to it. */
Test(packed, case_58_sum_wraps)
{
	struct packed *g = packed_open(16);

	for (unsigned i = 0; i < 8; i++)
		packed_put(g, GUEST_SEAM, REGION_SIZE, 0, N);
	packed_put(g, 1, 1u << 31, 0, N | W);
	packed_put(g, BUFS, HDR + 60, ID, 0);
	expect_one_drop(g, 10, DROP_RX_OVERSIZE, 0);
}

Test(packed, case_63_empty_descriptor_with_bad_address)
{
	struct packed *g = packed_open(16);

	ring_frame(g->r, BUFS, 60);
	packed_put(g, UINT64_MAX, 0, 0, N);
	packed_put(g, BUFS, HDR + 60, 0, N);
	packed_put(g, GUEST_END + 5, 0, ID, 0);
	expect_taken(g, 3, 60);
	g = packed_open(16);
	packed_put(g, UINT64_MAX, 0, ID, 0);
	expect_one_drop(g, 1, DROP_RX_MALFORMED, 0);
}

static void bad_address(uint64_t gpa, uint32_t len)
{
	struct packed *g = packed_open(16);

	packed_put(g, gpa, len, ID, 0);
	expect_broken(g, VIRTQ_DESC_ADDR);

	g = packed_open(16);
	ring_frame(g->r, BUFS, 60);
	packed_put(g, BUFS, HDR, ID, N);
	packed_put(g, gpa, len, ID, 0);
	expect_broken(g, VIRTQ_DESC_ADDR);

	g = packed_open(16);
	packed_put(g, gpa, HDR, ID, N);
	packed_put(g, BUFS, 60, ID, 0);
	expect_broken(g, VIRTQ_DESC_ADDR);
}

Test(packed, case_64_addresses)
{
	bad_address(GUEST_BASE - 1, 100);
	bad_address(GUEST_END, 100);
	bad_address(0, 100);
	bad_address(UINT64_MAX, 100);
	bad_address(UINT64_MAX - 50, 100);
	bad_address(GUEST_END - 1, 100);
}

Test(packed, case_67_direction)
{
	struct packed *g = packed_open(16);

	packed_put(g, BUFS, HDR + 60, ID, W);
	expect_broken(g, VIRTQ_DIRECTION);
	g = packed_open(16);
	packed_put(g, BUFS, HDR, ID, N);
	packed_put(g, BUFS + HDR, 60, ID, W);
	expect_broken(g, VIRTQ_DIRECTION);
	g = packed_open(16);
	packed_put(g, BUFS, HDR, ID, N | W);
	packed_put(g, BUFS + HDR, 60, ID, 0);
	expect_broken(g, VIRTQ_DIRECTION);
}

Test(packed, case_97_runts)
{
	for (uint32_t len = 0; len < FRAME_LEN_MIN; len++) {
		expect_one_drop(cut(len, NULL, 0), 1, DROP_RX_RUNT, len);
		expect_one_drop(
		    cut(len, (uint32_t[]){HDR}, 1), 2, DROP_RX_RUNT, len);
	}
}

/* The frame leaves as it was when it was looked at, and so does its id. */
Test(packed, case_78_all_changes_later)
{
	struct packed *g = packed_open(16);

	ring_frame(g->r, BUFS, 64);
	packed_put(g, BUFS, HDR + 64, ID, 0);
	cr_assert_eq(rx(g->r), 1);
	memset(ring_at(g->r, BUFS), 0xff, HDR + 64);
	memset(g->slot, 0xff, 16 * 16);
	expect_frame(g->r, 0, 64);
	done(g);
	expect_back(g, 1, ID);
	packed_close(g);
}

/* Case 84: what finds no room is left where it is. */
Test(packed, case_84_leaves_what_does_not_fit)
{
	struct packed *g = packed_open(1024);

	ring_frame(g->r, BUFS, 400);
	for (uint16_t i = 0; i < 3; i++) {
		packed_put(g, BUFS, HDR + 64, 0, N);
		for (unsigned k = 0; k < 200; k++)
			packed_put(
			    g, BUFS + HDR + 64 + k, 1, i, k < 199 ? N : 0);
	}
	cr_assert_eq(rx(g->r), 2);
	expect_frame(g->r, 0, 264);
	expect_frame(g->r, 1, 264);
	done(g);
	cr_assert_eq(rx(g->r), 1);
	expect_frame(g->r, 0, 264);
	done(g);
	for (uint16_t i = 0; i < 3; i++)
		expect_back(g, 201, i);
	expect_no_counts(g->r);
	packed_close(g);
}

/* What came before the breach is forwarded and returned, nothing after it. */
Test(packed, finishes_the_batch_of_a_breach)
{
	struct packed *g = packed_open(16);

	ring_frame(g->r, BUFS, 60);
	packed_put(g, BUFS, HDR + 60, ID, 0);
	packed_put(g, BUFS, HDR + 60, ID, W);
	packed_put(g, BUFS, HDR + 60, ID, 0);
	cr_assert_eq(rx(g->r), 1);
	expect_frame(g->r, 0, 60);
	cr_assert_eq(fault(g->r), VIRTQ_DIRECTION);
	cr_assert_eq(g->r->counters.drops[DROP_BAD_DESCRIPTOR], 1);
	done(g);
	expect_back(g, 1, ID);
	cr_assert_eq(rx(g->r), 0);
	done(g);
	expect_none_back(g);
	packed_close(g);
}

Test(packed, case_27_memory_shrunk)
{
	struct packed *g = packed_open(16);

	ring_frame(g->r, BUFS, 60);
	packed_put(g, BUFS, HDR + 60, ID, 0);
	g->r->mem->guard.broken = 1;
	cr_assert_eq(rx(g->r), 0);
	cr_assert_eq(fault(g->r), VIRTQ_MEM_SHRUNK);
	expect_none_back(g);
	packed_close(g);
}
