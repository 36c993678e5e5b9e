/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_log_split.c - what a split ring's device writes is logged, and no more.
 */
#include "tests/unit/log_watch.h"
#include "tests/unit/ring_source.h"

enum { W = VRING_DESC_F_WRITE, N = VRING_DESC_F_NEXT };
enum { IND = VRING_DESC_F_INDIRECT, HDR = VIRTIO_NET_HDR_LEN };

static struct watch *open_watch(struct ring *r, bool with_ring)
{
	uint64_t used = GUEST_BASE +
			(uint64_t)((uint8_t *)r->used - r->mem->region[0].host);

	return watch_open(r, used, with_ring);
}

static void offer_chain(
    struct ring *r, unsigned i, const struct area buf[], unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		ring_desc(r, i + k, buf[k].gpa, buf[k].len,
		    k + 1 < n ? W | N : W, (uint16_t)(i + k + 1));
	ring_offer(r, (uint16_t)i);
}

/* A frame of @len bytes, in segments, into the chain buf[0..n): @pages pages
 * beside the used ring's are written. */
static void deliver(uint32_t len, uint8_t hdr_len, const struct area buf[],
    unsigned n, unsigned pages)
{
	struct ring *r = ring_open(256);
	struct watch *w = open_watch(r, true);
	struct source s;

	source_init(&s, len, 1000);
	r->vq.hdr_len = hdr_len;
	offer_chain(r, 5, buf, n);
	watch(w);
	send_n(r, &s, 1);
	expect_sent(r, 1, len);
	expect_frame(r, buf, n, len, 1);
	cr_assert_eq(ring_used(r, 0).id, 5);
	cr_assert_eq(ring_used(r, 0).len, hdr_len + len);
	cr_assert_eq(expect_logged(w), pages + 1);
	free(s.rest);
	watch_close(w);
	ring_close(r);
}

Test(log_split, a_frame_in_one_buffer)
{
	deliver(60, HDR, (struct area[]){{BUFS, 2000}}, 1, 1);
	deliver(60, 10, (struct area[]){{BUFS, 2000}}, 1, 1);
	deliver(1514, HDR, (struct area[]){{BUFS + 4000, 2000}}, 1, 2);
	deliver(9000, HDR, (struct area[]){{BUFS + 4095, 9012}}, 1, 4);
	deliver(FRAME_LEN_MAX, HDR, (struct area[]){{BUFS, 0x20000}}, 1, 17);
}

Test(log_split, a_header_apart_from_its_frame)
{
	uint64_t data = BUFS + 0x3000;

	deliver(60, HDR, (struct area[]){{BUFS, HDR}, {data, 60}}, 2, 2);
	deliver(60, 10, (struct area[]){{BUFS, 10}, {data + 4090, 60}}, 2, 3);
	deliver(1514, HDR, (struct area[]){{data, HDR}, {BUFS, 1514}}, 2, 2);
}

Test(log_split, buffers_of_any_shape)
{
	deliver(300, HDR,
	    (struct area[]){{BUFS + 0x2000, 39}, {BUFS, 3},
		{BUFS + 0x4ff0, 100}, {BUFS + 0x3000, 1000}},
	    4, 5);
}

/* Buffers behind the end of the frame stay as they are, and clean. */
Test(log_split, buffers_that_the_frame_does_not_reach)
{
	deliver(100, HDR,
	    (struct area[]){
		{BUFS, 64}, {BUFS + 0x1000, 48}, {BUFS + 0x2000, 1000}},
	    3, 2);
	deliver(100, HDR, (struct area[]){{BUFS, 0x10000}}, 1, 1);
}

Test(log_split, case_34_zero_length_descriptors)
{
	deliver(100, HDR,
	    (struct area[]){{BUFS + 0x1000, 0}, {BUFS, 64}, {BUFS + 0x2000, 0},
		{GUEST_BASE, 0}, {BUFS + 0x3000, 48}, {BUFS + 0x4000, 0}},
	    6, 2);
	deliver(100, HDR, (struct area[]){{UINT64_MAX, 0}, {0, 0}, {BUFS, 112}},
	    3, 1);
}

Test(log_split, a_buffer_across_two_regions)
{
	for (uint32_t before = 1; before < 130; before += 7)
		deliver(118, HDR, (struct area[]){{GUEST_SEAM - before, 130}},
		    1, 2);
}

Test(log_split, a_frame_in_merged_buffers)
{
	static const struct area buf[] = {{BUFS, 100}, {BUFS + 0x1000, 700},
	    {BUFS + 0x2000, 0}, {BUFS + 0x3000, 300}, {BUFS + 0x4000, 999}};
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, true);

	r->vq.mergeable = true;
	for (unsigned i = 0; i < 5; i++)
		ring_offer_one(r, (uint16_t)i, buf[i].gpa, buf[i].len, W);
	watch(w);
	send_len(r, 1100);
	expect_sent(r, 1, 1100);
	expect_frame(r, buf, 5, 1100, 5);
	cr_assert_eq(expect_logged(w), 5);
	watch_close(w);
	ring_close(r);
}

/* The table is read only, and so it is not dirty. */
Test(log_split, a_frame_in_an_indirect_chain)
{
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, true);
	struct vring_desc t[] = {
	    {BUFS + 0x1000, HDR, W | N, 1}, {BUFS + 0x2000, 200, W, 0}};

	ring_write(r, BUFS, t, sizeof(t));
	ring_offer_one(r, 3, BUFS, sizeof(t), IND);
	watch(w);
	send_len(r, 100);
	expect_sent(r, 1, 100);
	cr_assert_eq(expect_logged(w), 3);
	watch_close(w);
	ring_close(r);
}

/* Batches, so many that the ring is used several times, in one whose parts are
 * of several pages. */
Test(log_split, batches_round_a_large_ring)
{
	enum { SIZE = 2048 };
	struct ring *r = ring_open(SIZE);
	struct watch *w = open_watch(r, true);
	uint16_t next = 0;

	for (unsigned round = 0; round < 100; round++) {
		struct source s;

		source_init(&s, 100 + round, 4096);
		for (unsigned i = 0; i < BATCH_MAX; i++, next++)
			ring_offer_one(r, next % SIZE,
			    BUFS + (next % 700) * 2048ull, 1000, W);
		memset(ring_at(r, BUFS), CANARY, REGION_SIZE - BUFS_AT);
		memset(ring_at(r, GUEST_SEAM), CANARY, REGION_SIZE);
		watch(w);
		send_n(r, &s, BATCH_MAX);
		cr_assert_geq(expect_logged(w), BATCH_MAX / 2 + 1);
		free(s.rest);
	}
	cr_assert_eq(r->counters.tx_packets, 100 * BATCH_MAX);
	watch_close(w);
	ring_close(r);
}

/* What the guest sends is read; only the ring is written. */
static void take_and_return(bool in_order, bool with_ring)
{
	static struct batch b;
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, with_ring);

	r->vq.in_order = in_order;
	for (uint16_t i = 0; i < 3; i++) {
		ring_frame(r, BUFS + i * 0x1000ull, 100);
		ring_offer_one(
		    r, (uint16_t)(i + 1), BUFS + i * 0x1000ull, HDR + 100, 0);
	}
	watch(w);
	b.n = b.n_segs = 0;
	cr_assert_eq(virtq_rx(&r->vq, &b, &r->w), 3);
	cr_assert_eq(watch_n(w), 0);
	virtq_rx_done(&r->vq, &r->w);
	if (with_ring)
		cr_assert_eq(expect_logged(w), 1);
	else
		cr_assert_eq(watch_n(w), 0);
	watch_close(w);
	ring_close(r);
}

Test(log_split, what_a_guest_sends)
{
	take_and_return(false, true);
	take_and_return(true, true);
	take_and_return(false, false);
}

static void arm_and_disarm(bool event_idx)
{
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, true);

	r->vq.event_idx = event_idx;
	r->vq.next_avail = r->avail->idx = 7;
	watch(w);
	cr_assert(virtq_arm(&r->vq));
	cr_assert_eq(expect_logged(w), 1);
	watch(w);
	virtq_disarm(&r->vq);
	cr_assert_eq(expect_logged(w), event_idx ? 0 : 1);
	watch_close(w);
	ring_close(r);
}

Test(log_split, when_the_guest_is_to_notify)
{
	arm_and_disarm(false);
	arm_and_disarm(true);
}

Test(log_split, a_ring_that_starts)
{
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, true);

	r->used->flags = 0x5555;
	watch(w);
	virtq_start(&r->vq, 3);
	cr_assert_eq(expect_logged(w), 1);
	watch_close(w);
	ring_close(r);
}

/* Without VHOST_VRING_F_LOG the buffers alone are logged. */
Test(log_split, a_ring_that_is_not_wanted)
{
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, false);

	ring_offer_one(r, 0, BUFS, 1000, W);
	watch(w);
	send_len(r, 100);
	expect_sent(r, 1, 100);
	cr_assert_eq(watch_n(w), 1);
	cr_assert(watch_bit(w, BUFS));
	watch_close(w);
	ring_close(r);
}

/* The front end's idea of where the ring is may be nowhere in memory. */
Test(log_split, a_ring_at_an_address_of_the_front_end)
{
	struct ring *r = ring_open(16);
	struct watch *w = watch_open(r, 0x3ffd, true);

	ring_offer_one(r, 0, BUFS, 1000, W);
	watch(w);
	send_len(r, 100);
	expect_sent(r, 1, 100);
	cr_assert_eq(watch_n(w), 3);
	cr_assert(watch_bit(w, BUFS));
	cr_assert(watch_bit(w, 0x4001), "the element");
	cr_assert(watch_bit(w, 0x3fff), "the index, across a page's end");
	watch_close(w);
	ring_close(r);
}

Test(log_split, frames_that_are_dropped_leave_nothing)
{
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, true);

	watch(w);
	send_len(r, 100);
	ring_offer_one(r, 0, BUFS, 50, W);
	watch(w);
	send_len(r, 100);
	cr_assert_eq(r->counters.drops[DROP_GUEST_RING_FULL], 1);
	cr_assert_eq(r->counters.drops[DROP_GUEST_BUFFER_SMALL], 1);
	cr_assert_eq(expect_logged(w), 0);
	watch_close(w);
	ring_close(r);
}

/* A log that has no bit for what was written is as good as lost. */
Test(log_split, case_33_a_log_too_small_is_broken)
{
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, true);

	w->log.size = BUFS / DIRTY_LOG_PAGE / 8;
	ring_offer_one(r, 0, BUFS, 1000, W);
	watch(w);
	send_len(r, 100);
	expect_sent(r, 1, 100);
	cr_assert(guard_is_broken(&w->log.guard));
	cr_assert_geq(r->n_raised, 1);
	cr_assert_not(watch_bit(w, BUFS));
	watch_close(w);
	ring_close(r);
}

Test(log_split, no_log_no_bits)
{
	struct ring *r = ring_open(16);
	struct watch *w = open_watch(r, true);

	r->vq.log = NULL;
	ring_offer_one(r, 0, BUFS, 1000, W);
	watch(w);
	send_len(r, 100);
	cr_assert(virtq_arm(&r->vq));
	virtq_disarm(&r->vq);
	expect_sent(r, 1, 100);
	cr_assert_eq(watch_n(w), 0);
	watch_close(w);
	ring_close(r);
}
