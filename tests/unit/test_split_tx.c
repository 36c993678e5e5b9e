/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_split_tx.c - frames into a guest's receiveq, lawful and hostile.
 */
#include <criterion/criterion.h>

#include "tests/unit/ring_source.h"

enum { W = VRING_DESC_F_WRITE, N = VRING_DESC_F_NEXT };
enum { IND = VRING_DESC_F_INDIRECT, HDR = VIRTIO_NET_HDR_LEN };

/* All of @n frames were dropped for @why and no buffer was used. */
static void expect_dropped(
    const struct ring *r, enum drop_reason why, uint64_t n)
{
	cr_assert_eq(r->counters.tx_packets, 0);
	cr_assert_eq(r->counters.tx_bytes, 0);
	cr_assert_eq(r->counters.drops[why], n, "%s", drop_name(why));
	cr_assert_eq(r->used->idx, 0);
	expect_canaries(r, NULL, 0);
}

static void expect_broken(struct ring *r, enum virtq_fault why)
{
	send_len(r, 100);
	expect_dropped(r, DROP_GUEST_RING_BROKEN, 1);
	cr_assert_eq(r->vq.fault, why, "%s", virtq_fault_name(r->vq.fault));
	cr_assert_eq(r->n_raised, 1);
	send_len(r, 100);
	expect_dropped(r, DROP_GUEST_RING_BROKEN, 2);
	cr_assert_eq(r->n_raised, 1);
	ring_close(r);
}

/* A chain of the writable buffers buf[0..n), from descriptor @i on. */
static void offer_chain(
    struct ring *r, unsigned i, const struct area buf[], unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		ring_desc(r, i + k, buf[k].gpa, buf[k].len,
		    k + 1 < n ? W | N : W, (uint16_t)(i + k + 1));
	ring_offer(r, (uint16_t)i);
}

/* One frame of @len bytes in segments of @seg into one chain. */
static void deliver(uint32_t len, uint32_t seg, uint8_t hdr_len,
    const struct area buf[], unsigned n)
{
	struct ring *r = ring_open(256);
	struct source s;

	source_init(&s, len, seg);
	r->vq.hdr_len = hdr_len;
	offer_chain(r, 5, buf, n);
	send_n(r, &s, 1);
	expect_sent(r, 1, len);
	expect_frame(r, buf, n, len, 1);
	cr_assert_eq(r->used->idx, 1);
	cr_assert_eq(ring_used(r, 0).id, 5);
	cr_assert_eq(ring_used(r, 0).len, hdr_len + len);
	cr_assert_eq(ring_calls(r), 1);
	free(s.rest);
	ring_close(r);
}

/* Frames of all lengths into buffers just large enough, and larger. */
Test(split_tx, case_79_writes_the_frame_and_no_more)
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

Test(split_tx, writes_to_chains_of_any_shape)
{
	for (uint32_t a = 0; a < 40; a++)
		deliver(300, 37, HDR,
		    (struct area[]){{BUFS + 0x2000, a}, {BUFS, 3},
			{BUFS + 0x1000, 0}, {BUFS + 0x4000, 100},
			{BUFS + 0x3000, 1000}},
		    5);
}

Test(split_tx, writes_across_adjacent_regions)
{
	for (uint32_t before = 1; before < 130; before++) {
		uint64_t at = GUEST_SEAM - before;

		deliver(118, 37, HDR, (struct area[]){{at, 130}}, 1);
		deliver(
		    118, 37, HDR, (struct area[]){{BUFS, HDR}, {at, 118}}, 2);
	}
}

Test(split_tx, writes_to_indirect_chains)
{
	for (unsigned off = 0; off <= 32; off++) {
		struct ring *r = ring_open(16);
		struct vring_desc t[] = {
		    {BUFS + 0x100, HDR, W | N, 1}, {BUFS, 200, W, 0}};
		uint64_t at = GUEST_SEAM - off;
		struct area buf[] = {
		    {BUFS + 0x100, HDR}, {BUFS, 100}, {at, sizeof(t)}};

		ring_write(r, at, t, sizeof(t));
		ring_offer_one(r, 3, at, sizeof(t), IND);
		send_len(r, 100);
		expect_sent(r, 1, 100);
		expect_canaries(r, buf, 3);
		for (uint32_t i = 0; i < 100; i++)
			cr_assert_eq(*ring_at(r, BUFS + i), ring_pattern(i));
		cr_assert_eq(ring_used(r, 0).len, HDR + 100);
		ring_close(r);
	}
}

Test(split_tx, merges_buffers)
{
	struct area buf[] = {{BUFS, 100}, {BUFS + 0x1000, 700},
	    {BUFS + 0x2000, 0}, {BUFS + 0x3000, 300}, {BUFS + 0x4000, 999}};
	static const uint32_t used[] = {100, 700, 0, 300, 12};
	struct ring *r = ring_open(16);

	r->vq.mergeable = true;
	for (uint16_t i = 0; i < 5; i++)
		ring_offer_one(r, 15 - i, buf[i].gpa, buf[i].len, W);
	ring_offer_one(r, 0, BUFS + 0x5000, 2000, W);
	send_len(r, 1100);
	expect_sent(r, 1, 1100);
	expect_frame(r, buf, 5, 1100, 5);
	cr_assert_eq(r->used->idx, 5);
	for (unsigned i = 0; i < 5; i++) {
		cr_assert_eq(ring_used(r, i).id, 15 - i);
		cr_assert_eq(ring_used(r, i).len, used[i]);
	}
	cr_assert_eq(ring_calls(r), 1);
	send_len(r, 60);
	cr_assert_eq(r->used->idx, 6);
	cr_assert_eq(ring_used(r, 5).id, 0);
	cr_assert_eq(ring_used(r, 5).len, HDR + 60);
	ring_close(r);
}

Test(split_tx, merges_chains)
{
	struct area buf[] = {{BUFS, HDR}, {BUFS + 0x100, 50},
	    {BUFS + 0x1000, 20}, {BUFS + 0x2000, 80}};
	struct ring *r = ring_open(16);

	r->vq.mergeable = true;
	offer_chain(r, 0, buf, 2);
	offer_chain(r, 8, buf + 2, 2);
	send_len(r, 120);
	expect_frame(r, buf, 4, 120, 2);
	cr_assert_eq(ring_used(r, 0).len, HDR + 50);
	cr_assert_eq(ring_used(r, 1).len, 70);
	ring_close(r);
}

/* Many at once: one publication, one notification, indices that wrap. */
Test(split_tx, sends_a_batch_at_once)
{
	struct ring *r = ring_open(64);
	struct source s;

	source_init(&s, 100, 4096);
	virtq_start(&r->vq, 65530);
	r->avail->idx = 65530;
	for (uint16_t i = 0; i < 64; i++)
		ring_offer_one(r, i, BUFS + i * 0x800u, 1526, W);
	send_n(r, &s, 64);
	expect_sent(r, 64, 6400);
	cr_assert_eq(r->used->idx, (uint16_t)(65530 + 64));
	for (unsigned i = 0; i < 64; i++) {
		cr_assert_eq(ring_used(r, 65530 + i).id, i);
		cr_assert_eq(ring_used(r, 65530 + i).len, 112);
	}
	cr_assert_eq(ring_calls(r), 1);
	cr_assert_eq(r->vq.n_calls, 1);
	free(s.rest);
	ring_close(r);
}

Test(split_tx, sends_more_than_a_batch)
{
	struct ring *r = ring_open(256);
	struct frame *f[200];
	struct source s;

	source_init(&s, 100, 4096);
	for (unsigned i = 0; i < 200; i++) {
		f[i] = &s.f;
		ring_offer_one(r, (uint16_t)i, BUFS + i * 0x800u, 1526, W);
	}
	virtq_tx(&r->vq, f, 200, &r->w);
	expect_sent(r, 200, 20000);
	for (unsigned i = 0; i < 200; i++)
		cr_assert_eq(ring_used(r, i).id, i);
	free(s.rest);
	ring_close(r);
}

Test(split_tx, does_not_ask_for_kicks)
{
	struct ring *r = ring_open(16);

	ring_offer_one(r, 0, BUFS, 1526, W);
	send_len(r, 100);
	cr_assert_eq(r->used->flags, VRING_USED_F_NO_NOTIFY);
	ring_close(r);
}

/* Nothing sent: nothing published, nobody notified. */
Test(split_tx, case_75_guest_never_refills)
{
	struct ring *r = ring_open(16);
	struct source s;

	source_init(&s, 100, 4096);
	for (uint16_t i = 0; i < 10; i++)
		ring_offer_one(r, i, BUFS + i * 0x800u, 1526, W);
	send_n(r, &s, 16);
	cr_assert_eq(r->counters.tx_packets, 10);
	cr_assert_eq(r->counters.drops[DROP_GUEST_RING_FULL], 6);
	cr_assert_eq(ring_calls(r), 1);
	for (unsigned i = 0; i < 1000; i++)
		send_n(r, &s, 64);
	cr_assert_eq(r->counters.drops[DROP_GUEST_RING_FULL], 64006);
	cr_assert_eq(r->used->idx, 10);
	cr_assert_eq(ring_calls(r), 0);
	cr_assert_eq(r->vq.fault, VIRTQ_NONE);
	ring_offer_one(r, 0, BUFS, 1526, W);
	send_n(r, &s, 2);
	cr_assert_eq(r->counters.tx_packets, 11);
	free(s.rest);
	ring_close(r);
}

/* A frame that does not fit takes nothing, the next one that does fits. */
static void too_small(struct ring *r, uint32_t len, enum drop_reason why)
{
	struct source big, small;
	struct frame *f[3] = {&big.f, &small.f, &big.f};

	source_init(&big, len, 4096);
	source_init(&small, 60, 4096);
	send_n(r, &big, 3);
	expect_dropped(r, why, 3);
	virtq_tx(&r->vq, f, 2, &r->w);
	cr_assert_eq(r->counters.tx_packets, 1);
	cr_assert_eq(r->counters.tx_bytes, 60);
	cr_assert_eq(r->counters.drops[why], 4);
	cr_assert_geq(r->used->idx, 1);
	cr_assert_eq(r->vq.fault, VIRTQ_NONE);
	free(big.rest);
	free(small.rest);
	ring_close(r);
}

Test(split_tx, drops_what_a_buffer_is_too_small_for)
{
	struct area two[] = {{BUFS, HDR}, {BUFS + 0x1000, 99}};
	struct ring *r = ring_open(16);

	ring_offer_one(r, 0, BUFS, HDR + 99, W);
	too_small(r, 100, DROP_GUEST_BUFFER_SMALL);
	r = ring_open(16);
	offer_chain(r, 0, two, 2);
	too_small(r, 100, DROP_GUEST_BUFFER_SMALL);
}

Test(split_tx, case_70_buffer_shorter_than_the_header)
{
	for (uint32_t len = 0; len < HDR; len++) {
		struct ring *r = ring_open(16);

		ring_offer_one(r, 0, BUFS, len, W);
		send_len(r, 60);
		expect_dropped(r, DROP_GUEST_BUFFER_SMALL, 1);
		ring_close(r);
	}
}

Test(split_tx, case_72_too_few_buffers)
{
	struct ring *r = ring_open(16);

	r->vq.mergeable = true;
	for (uint16_t i = 0; i < 3; i++)
		ring_offer_one(r, i, BUFS + i * 0x1000u, 100, W);
	too_small(r, 300, DROP_GUEST_RING_FULL);
}

/* Each frame is bounded, and takes nothing when it meets the bound. */
Test(split_tx, case_73_countless_mergeable_buffers)
{
	struct ring *r = ring_open(2048);

	r->vq.mergeable = true;
	for (uint16_t i = 0; i < 2000; i++)
		ring_offer_one(r, i, BUFS + i * 64u, 33, W);
	too_small(r, 65536, DROP_GUEST_BUFFER_SMALL);
	r = ring_open(1024);
	r->vq.mergeable = true;
	for (uint16_t i = 0; i < 1000; i++)
		ring_offer_one(r, i, BUFS, 0, W);
	send_len(r, 60);
	expect_dropped(r, DROP_GUEST_BUFFER_SMALL, 1);
	ring_close(r);
}

Test(split_tx, case_73_as_many_mergeable_buffers_as_allowed)
{
	enum { MAX = FRAME_SEGS_MAX + 16 };

	for (unsigned more = 0; more < 2; more++) {
		struct ring *r = ring_open(1024);

		r->vq.mergeable = true;
		for (uint16_t i = 0; i < 1000; i++)
			ring_offer_one(r, i, BUFS + i * 64u, 33, W);
		send_len(r, MAX * 33 - HDR + more);
		cr_assert_eq(r->used->idx, more ? 0 : MAX);
		cr_assert_eq(r->counters.drops[DROP_GUEST_BUFFER_SMALL], more);
		ring_close(r);
	}
}

Test(split_tx, case_52_avail_jump)
{
	struct ring *r = ring_open(256);

	ring_desc(r, 0, BUFS, 2000, W, 0);
	r->avail->idx = 257;
	expect_broken(r, VIRTQ_AVAIL_JUMP);
}

Test(split_tx, case_54_head_index)
{
	static const uint16_t head[] = {16, 17, 65535};

	for (unsigned i = 0; i < 3; i++) {
		struct ring *r = ring_open(16);

		for (unsigned k = 0; k < 64; k++)
			ring_desc(r, k, BUFS, 2000, W, 0);
		ring_offer(r, head[i]);
		expect_broken(r, VIRTQ_DESC_INDEX);
		r = ring_open(16);
		for (unsigned k = 0; k < 64; k++)
			ring_desc(r, k, BUFS, HDR, W | N, 5);
		ring_desc(r, 5, BUFS + 100, 2000, W, 0);
		ring_offer(r, head[i]);
		expect_broken(r, VIRTQ_DESC_INDEX);
	}
}

Test(split_tx, case_55_next_index)
{
	static const uint32_t first[] = {HDR, 5};

	for (unsigned i = 0; i < 2; i++) {
		struct ring *r = ring_open(16);

		ring_desc(r, 2, BUFS, first[i], W | N, 16);
		ring_desc(r, 16, BUFS + 0x1000, 2000, W, 0);
		ring_offer(r, 2);
		expect_broken(r, VIRTQ_DESC_INDEX);
	}
}

Test(split_tx, case_57_loops)
{
	static const uint32_t len[] = {0, 1, HDR, 60};

	for (unsigned i = 0; i < 4; i++) {
		struct ring *r = ring_open(256);

		ring_desc(r, 0, BUFS, len[i], W | N, 0);
		ring_offer(r, 0);
		expect_broken(r, VIRTQ_DESC_LOOP);
	}
}

Test(split_tx, case_57_terminates)
{
	struct ring *r = ring_open(1024);

	for (unsigned i = 0; i < 1024; i++)
		ring_desc(r, i, BUFS, 0, W | N, (uint16_t)((i + 1) % 1024));
	ring_offer(r, 0);
	send_len(r, 100);
	expect_dropped(r, DROP_GUEST_BUFFER_SMALL, 1);
	ring_close(r);
}

Test(split_tx, case_60_indirect)
{
	static const uint32_t len[] = {0, 15, 17, 1u << 31};
	struct ring *r;

	for (unsigned i = 0; i < 4; i++) {
		r = ring_open(16);
		ring_offer_one(r, 0, GUEST_BASE, len[i], IND);
		expect_broken(r, VIRTQ_INDIRECT);
	}
	r = ring_open(16);
	ring_offer_one(r, 0, GUEST_BASE, 32, IND | N);
	expect_broken(r, VIRTQ_INDIRECT);
	r = ring_open(16);
	r->vq.indirect = false;
	ring_desc(r, 1, BUFS, 2000, W, 0);
	ring_offer_one(r, 0, GUEST_BASE + 16, 16, IND);
	expect_broken(r, VIRTQ_INDIRECT);
}

Test(split_tx, case_63_empty_descriptor_with_bad_address)
{
	struct area buf[] = {{UINT64_MAX, 0}, {BUFS, 200}};
	struct ring *r = ring_open(16);

	offer_chain(r, 0, buf, 2);
	send_len(r, 100);
	expect_sent(r, 1, 100);
	expect_frame(r, buf + 1, 1, 100, 1);
	ring_close(r);
}

static void bad_address(uint64_t gpa, uint32_t len)
{
	struct area header[] = {{BUFS, HDR}, {gpa, len}};
	struct ring *r = ring_open(16);

	ring_offer_one(r, 0, gpa, len, W);
	expect_broken(r, VIRTQ_DESC_ADDR);
	r = ring_open(16);
	offer_chain(r, 0, header, 2);
	expect_broken(r, VIRTQ_DESC_ADDR);
	r = ring_open(16);
	header[0] = (struct area){gpa, HDR};
	header[1] = (struct area){BUFS, 2000};
	offer_chain(r, 0, header, 2);
	if (!ring_at(r, gpa))
		expect_broken(r, VIRTQ_DESC_ADDR);
	else
		ring_close(r);
}

Test(split_tx, case_64_addresses)
{
	bad_address(0, 2000);
	bad_address(GUEST_BASE - 1, 2000);
	bad_address(GUEST_END, 2000);
	bad_address(GUEST_END - 1999, 2000);
	bad_address(GUEST_END - 1999, UINT32_MAX);
	bad_address(UINT64_MAX, 2000);
	bad_address(UINT64_MAX - 50, 2000);
}

Test(split_tx, case_66_buffer_is_the_ring)
{
	struct ring *r = ring_open(256);

	ring_offer_one(r, 0, GUEST_BASE, 0x7000, W);
	ring_offer_one(r, 1, GUEST_BASE, 0x7000, W);
	send_len(r, 0x6000);
	send_len(r, 0x6000);
	ring_close(r);
}

/* The first of three frames lands on avail->idx and sets it to @idx. */
static void rewrite_index(struct ring *r, uint16_t idx)
{
	uint64_t gpa = GUEST_BASE + (uint64_t)((uint8_t *)&r->avail->idx -
					       r->mem->region[0].host);
	struct source s;

	source_init(&s, 60, 4096);
	memcpy(s.head + 20, &idx, 2);
	for (uint16_t i = 0; i < 4; i++)
		ring_desc(r, i, BUFS + i * 0x1000u, 2000, W, 0);
	ring_offer_one(r, 0, gpa - HDR - 20, HDR + 60, W);
	memcpy(s.head + 22, (uint16_t[]){0, 1, 2, 3}, 8);
	send_n(r, &s, 3);
	free(s.rest);
}

/* Once in a call the index is read again: more, less, and a jump. */
Test(split_tx, case_66_buffer_is_the_index)
{
	struct ring *r = ring_open(16);

	rewrite_index(r, 3);
	cr_assert_eq(r->counters.tx_packets, 3);
	ring_close(r);
	r = ring_open(16);
	rewrite_index(r, 2);
	cr_assert_eq(r->counters.tx_packets, 2);
	cr_assert_eq(r->counters.drops[DROP_GUEST_RING_FULL], 1);
	ring_close(r);
	r = ring_open(16);
	rewrite_index(r, 0);
	cr_assert_eq(r->counters.tx_packets, 1);
	cr_assert_eq(r->counters.drops[DROP_GUEST_RING_FULL], 2);
	ring_close(r);
	r = ring_open(16);
	rewrite_index(r, 17);
	cr_assert_eq(r->counters.tx_packets, 1);
	cr_assert_eq(r->counters.drops[DROP_GUEST_RING_BROKEN], 2);
	cr_assert_eq(r->vq.fault, VIRTQ_AVAIL_JUMP);
	cr_assert_eq(r->used->idx, 1);
	ring_close(r);
}

/* A guest that puts in one buffer at a time while we put out frames. */
Test(split_tx, case_66_the_index_is_read_twice_at_most)
{
	struct ring *r = ring_open(16);
	uint64_t gpa = GUEST_BASE + (uint64_t)((uint8_t *)&r->avail->idx -
					       r->mem->region[0].host);
	struct source s[2];
	struct frame *f[] = {&s[0].f, &s[1].f, &s[1].f};

	for (uint16_t i = 0; i < 2; i++) {
		uint16_t idx[] = {(uint16_t)(i + 2), 0, 1, 2};

		source_init(&s[i], 60, 4096);
		memcpy(s[i].head + 20, idx, sizeof(idx));
		ring_desc(r, i, gpa - HDR - 20, HDR + 60, W, 0);
	}
	ring_desc(r, 2, BUFS, 2000, W, 0);
	ring_offer(r, 0);
	virtq_tx(&r->vq, f, 3, &r->w);
	cr_assert_eq(r->counters.tx_packets, 2);
	cr_assert_eq(r->counters.drops[DROP_GUEST_RING_FULL], 1);
	free(s[0].rest);
	free(s[1].rest);
	ring_close(r);
}

Test(split_tx, case_67_direction)
{
	struct ring *r = ring_open(16);

	ring_offer_one(r, 0, BUFS, 2000, 0);
	expect_broken(r, VIRTQ_DIRECTION);
	for (unsigned i = 0; i < 2; i++) {
		r = ring_open(16);
		ring_desc(r, 0, BUFS, HDR - i, i ? W | N : N, 1);
		ring_desc(r, 1, BUFS + 0x1000, 2000, i ? 0 : W, 0);
		ring_offer(r, 0);
		expect_broken(r, VIRTQ_DIRECTION);
		r = ring_open(16);
		ring_desc(r, 0, BUFS, HDR, W | N, 1);
		ring_desc(r, 1, BUFS + 0x1000, 2000, i ? 0 : N, 2);
		ring_offer(r, 0);
		expect_broken(r, VIRTQ_DIRECTION);
	}
}

/* What was written before the breach is published. */
Test(split_tx, finishes_the_batch_of_a_breach)
{
	struct ring *r = ring_open(16);
	struct source s;

	source_init(&s, 100, 4096);
	ring_offer_one(r, 0, BUFS, 2000, W);
	ring_offer_one(r, 1, BUFS, 2000, 0);
	ring_offer_one(r, 2, BUFS, 2000, W);
	send_n(r, &s, 5);
	cr_assert_eq(r->counters.tx_packets, 1);
	cr_assert_eq(r->counters.drops[DROP_GUEST_RING_BROKEN], 4);
	cr_assert_eq(r->used->idx, 1);
	cr_assert_eq(r->vq.fault, VIRTQ_DIRECTION);
	free(s.rest);
	ring_close(r);
}

/* Not even to a frame short enough not to notice. */
Test(split_tx, sends_nothing_after_a_breach)
{
	struct ring *r = ring_open(16);
	struct source s[2];
	struct frame *f[] = {&s[0].f, &s[1].f};

	source_init(&s[0], 1000, 4096);
	source_init(&s[1], 60, 4096);
	ring_offer_one(r, 0, BUFS, 100, W | N);
	virtq_tx(&r->vq, f, 2, &r->w);
	expect_dropped(r, DROP_GUEST_RING_BROKEN, 2);
	cr_assert_eq(r->vq.fault, VIRTQ_DESC_LOOP);
	free(s[0].rest);
	free(s[1].rest);
	ring_close(r);
}

/* Found while a long frame was merged; a short one would fit before it. */
Test(split_tx, sends_nothing_after_a_breach_that_a_long_frame_found)
{
	struct ring *r = ring_open(16);
	struct source s[2];
	struct frame *f[] = {&s[0].f, &s[1].f};

	source_init(&s[0], 1000, 4096);
	source_init(&s[1], 60, 4096);
	r->vq.mergeable = true;
	ring_offer_one(r, 0, BUFS, 100, W);
	ring_offer_one(r, 1, BUFS + 0x1000, 2000, 0);
	virtq_tx(&r->vq, f, 2, &r->w);
	cr_assert_eq(r->vq.fault, VIRTQ_DIRECTION);
	expect_dropped(r, DROP_GUEST_RING_BROKEN, 2);
	free(s[0].rest);
	free(s[1].rest);
	ring_close(r);
}

/* What follows the last descriptor that is needed is not looked at. */
Test(split_tx, looks_no_further_than_needed)
{
	struct area buf[] = {{BUFS, 50}, {BUFS + 0x1000, 100}};
	struct ring *r = ring_open(16);

	ring_desc(r, 0, BUFS, 50, W | N, 1);
	ring_desc(r, 1, BUFS + 0x1000, 100, W | N, 999);
	ring_offer(r, 0);
	send_len(r, 100);
	expect_sent(r, 1, 100);
	expect_frame(r, buf, 2, 100, 1);
	ring_close(r);
}

Test(split_tx, case_27_memory_shrunk)
{
	struct ring *r = ring_open(16);

	ring_offer_one(r, 0, BUFS, 2000, W);
	r->mem->guard.broken = 1;
	expect_broken(r, VIRTQ_MEM_SHRUNK);
}

static struct virtio_net_hdr hand_over(
    uint8_t bits, uint8_t accepts, uint32_t first_len, struct ring **ring)
{
	struct area buf[] = {{BUFS, first_len}, {BUFS + 0x1000, 2000}};
	struct ring *r = ring_open(16);
	struct virtio_net_hdr hdr;
	struct source s;

	source_init(&s, 1000, 4096);
	s.f.offload = (struct offload){.bits = bits,
	    .hdr_len = 54,
	    .gso_size = 400,
	    .csum_start = 34,
	    .csum_offset = 16};
	r->port.accepts = accepts;
	offer_chain(r, 0, buf, 2);
	send_n(r, &s, 1);
	ring_read(r, BUFS, &hdr, sizeof(hdr));
	free(s.rest);
	*ring = r;
	return hdr;
}

Test(split_tx, case_94_offload_state_only_to_who_accepts_it)
{
	enum { TSO = OFFLOAD_CSUM | OFFLOAD_TSO4 };
	struct virtio_net_hdr hdr;
	struct ring *r;

	for (uint32_t n = HDR; n < 3000; n += 2000) {
		hand_over(TSO, OFFLOAD_CSUM, n, &r);
		expect_dropped(r, DROP_NO_OFFLOAD, 1);
		ring_close(r);
		hand_over(OFFLOAD_CSUM, 0, n, &r);
		expect_dropped(r, DROP_NO_OFFLOAD, 1);
		ring_close(r);
		hdr = hand_over(TSO, TSO, n, &r);
		expect_sent(r, 1, 1000);
		cr_assert_eq(hdr.flags, 1);
		cr_assert_eq(hdr.gso_type, 1);
		cr_assert_eq(hdr.gso_size, 400);
		cr_assert_eq(hdr.hdr_len, 54);
		cr_assert_eq(hdr.csum_start, 34);
		cr_assert_eq(hdr.csum_offset, 16);
		cr_assert_eq(hdr.num_buffers, 1);
		ring_close(r);
		hdr = hand_over(OFFLOAD_VALID, TSO, n, &r);
		expect_sent(r, 1, 1000);
		cr_assert_eq(hdr.flags, 0);
		ring_close(r);
		hdr = hand_over(OFFLOAD_VALID, 0xff, n, &r);
		cr_assert_eq(hdr.flags, 2);
		ring_close(r);
	}
}

/* A frame of 64 KB in buffers of a packet each, as a Linux guest has them that
 * received nothing but packets so far: 44 of them, or none. */
Test(split_tx, case_73_a_large_frame_takes_many_buffers_or_none)
{
	enum { SIZE = 1526, LEN = 65549, NEEDED = (HDR + LEN - 1) / SIZE + 1 };
	struct ring *r = ring_open(256);
	struct area buf[NEEDED];

	r->vq.mergeable = true;
	for (unsigned i = 0; i < NEEDED; i++)
		buf[i] = (struct area){BUFS + i * 0x800u, SIZE};
	for (uint16_t i = 0; i + 1 < NEEDED; i++)
		ring_offer_one(r, i, buf[i].gpa, SIZE, W);
	send_len(r, LEN);
	expect_dropped(r, DROP_GUEST_RING_FULL, 1);
	r->counters = (struct counters){0};
	ring_offer_one(r, NEEDED - 1, buf[NEEDED - 1].gpa, SIZE, W);
	send_len(r, LEN);
	cr_assert_eq(r->counters.tx_packets, 1);
	expect_frame(r, buf, NEEDED, LEN, NEEDED);
	cr_assert_eq(r->used->idx, NEEDED);
	ring_close(r);
}

/* The same in what a Linux guest gives that takes large frames and does not
 * merge buffers: a header, the rest of its page, and 17 pages. */
Test(split_tx, a_large_frame_takes_a_chain_of_pages)
{
	struct area buf[19] = {{BUFS, HDR}, {BUFS + HDR, 4096 - HDR}};

	for (unsigned i = 2; i < 19; i++)
		buf[i] = (struct area){BUFS + 0x1000 * (2u * i), 4096};
	deliver(65549, 4096, HDR, buf, 19);
	deliver(60, 4096, HDR, buf, 19);
}
