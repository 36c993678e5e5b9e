/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_log_packed.c - what a packed ring's device writes is logged, no more.
 *
 * The slots lie in the guest's memory, from GUEST_BASE on; the device's event
 * structure is said to be at EVENT, where the guest has none.
 */
#include "tests/unit/log_watch.h"
#include "tests/unit/packed_guest.h"
#include "tests/unit/ring_source.h"

#define EVENT 0x5ff0ull

enum { W = VRING_DESC_F_WRITE, N = VRING_DESC_F_NEXT };
enum { IND = VRING_DESC_F_INDIRECT, HDR = VIRTIO_NET_HDR_LEN, ID = 0xbeef };

static void offer_chain(struct packed *g, const struct area buf[], unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		packed_put(
		    g, buf[k].gpa, buf[k].len, ID, k + 1 < n ? W | N : W);
}

/* A frame of @len bytes into the chain buf[0..n), @place on in a ring of some
 * pages: @pages pages are written beside those of the ring, which are @slots. */
static void deliver_at(uint16_t place, uint32_t len, const struct area buf[],
    unsigned n, unsigned pages, unsigned slots)
{
	struct packed *g = packed_open_at(1000, place);
	struct watch *w = watch_open(g->r, EVENT, true);
	struct source s;

	source_init(&s, len, 1000);
	offer_chain(g, buf, n);
	watch(w);
	send_n(g->r, &s, 1);
	expect_sent(g->r, 1, len);
	expect_frame(g->r, buf, n, len, 1);
	cr_assert_eq(expect_logged(w), pages + slots);
	free(s.rest);
	watch_close(w);
	packed_close(g);
}

static void deliver(
    uint32_t len, const struct area buf[], unsigned n, unsigned pages)
{
	deliver_at(PACKED_WRAP, len, buf, n, pages, 1);
}

Test(log_packed, a_frame_in_one_buffer)
{
	deliver(60, (struct area[]){{BUFS, 2000}}, 1, 1);
	deliver(1514, (struct area[]){{BUFS + 4000, 2000}}, 1, 2);
	deliver(FRAME_LEN_MAX, (struct area[]){{BUFS, 0x20000}}, 1, 17);
}

Test(log_packed, a_header_apart_from_its_frame)
{
	uint64_t data = BUFS + 0x3000;

	deliver(60, (struct area[]){{BUFS, HDR}, {data, 60}}, 2, 2);
	deliver(1514, (struct area[]){{data, HDR}, {BUFS, 1514}}, 2, 2);
}

Test(log_packed, buffers_of_any_shape)
{
	deliver(300,
	    (struct area[]){{BUFS + 0x2000, 39}, {BUFS, 3},
		{BUFS + 0x4ff0, 100}, {BUFS + 0x3000, 1000}},
	    4, 5);
	deliver(118, (struct area[]){{GUEST_SEAM - 50, 130}}, 1, 2);
	deliver(100,
	    (struct area[]){
		{BUFS, 64}, {BUFS + 0x1000, 48}, {BUFS + 0x2000, 1000}},
	    3, 2);
}

Test(log_packed, case_34_zero_length_descriptors)
{
	deliver(100,
	    (struct area[]){{BUFS + 0x1000, 0}, {BUFS, 64}, {BUFS + 0x2000, 0},
		{UINT64_MAX, 0}, {BUFS + 0x3000, 48}, {BUFS + 0x4000, 0}},
	    6, 2);
}

/* A chain's slots at the end of a page, of the ring, and of both. */
Test(log_packed, slots_round_the_ring)
{
	static const struct area buf[] = {{BUFS, 64}, {BUFS + 0x1000, 48},
	    {BUFS + 0x2000, 0}, {BUFS + 0x3000, 0}};

	for (unsigned i = 253; i <= 255; i++)
		deliver_at((uint16_t)(PACKED_WRAP | i), 100, buf, 4, 2, 2);
	deliver_at(PACKED_WRAP | 256, 100, buf, 4, 2, 1);
	for (unsigned i = 997; i <= 999; i++) {
		deliver_at((uint16_t)(PACKED_WRAP | i), 100, buf, 4, 2, 2);
		deliver_at((uint16_t)i, 100, buf, 4, 2, 2);
	}
	deliver_at(996, 100, buf, 4, 2, 1);
}

Test(log_packed, a_frame_in_merged_buffers)
{
	static const struct area buf[] = {{BUFS, 100}, {BUFS + 0x1000, 700},
	    {BUFS + 0x3000, 300}, {BUFS + 0x4000, 999}};
	struct packed *g = packed_open(16);
	struct watch *w = watch_open(g->r, EVENT, true);

	g->vq->mergeable = true;
	for (unsigned i = 0; i < 4; i++)
		packed_put(g, buf[i].gpa, buf[i].len, ID, W);
	watch(w);
	send_len(g->r, 1100);
	expect_sent(g->r, 1, 1100);
	expect_frame(g->r, buf, 4, 1100, 4);
	cr_assert_eq(expect_logged(w), 5);
	watch_close(w);
	packed_close(g);
}

Test(log_packed, a_frame_in_an_indirect_chain)
{
	struct packed *g = packed_open(16);
	struct watch *w = watch_open(g->r, EVENT, true);
	struct vring_packed_desc t[] = {
	    {BUFS + 0x1000, HDR, 0, W}, {BUFS + 0x2000, 200, 0, W}};

	ring_write(g->r, BUFS, t, sizeof(t));
	packed_put(g, BUFS, sizeof(t), ID, IND);
	watch(w);
	send_len(g->r, 100);
	expect_sent(g->r, 1, 100);
	cr_assert_eq(expect_logged(w), 3);
	watch_close(w);
	packed_close(g);
}

/* All slots of the ring in one batch, so that it ends where it began. */
Test(log_packed, a_whole_ring_at_once)
{
	struct packed *g = packed_open_at(48, PACKED_WRAP | 5);
	struct watch *w = watch_open(g->r, EVENT, true);
	struct source s;

	source_init(&s, 100, 4096);
	for (unsigned i = 0; i < 48; i++)
		packed_put(g, BUFS + i * 0x1000ull, 200, ID, W);
	watch(w);
	send_n(g->r, &s, 48);
	expect_sent(g->r, 48, 4800);
	cr_assert_eq(expect_logged(w), 49);
	free(s.rest);
	watch_close(w);
	packed_close(g);
}

Test(log_packed, what_a_guest_sends)
{
	static struct batch b;
	struct packed *g = packed_open_at(1000, PACKED_WRAP | 254);
	struct watch *w = watch_open(g->r, EVENT, true);

	for (unsigned i = 0; i < 4; i++) {
		ring_frame(g->r, BUFS + i * 0x1000ull, 100);
		packed_put(g, BUFS + i * 0x1000ull, HDR + 100, ID, 0);
	}
	watch(w);
	b.n = b.n_segs = 0;
	cr_assert_eq(virtq_rx(g->vq, &b, &g->r->w), 4);
	cr_assert_eq(watch_n(w), 0);
	virtq_rx_done(g->vq, &g->r->w);
	cr_assert_eq(expect_logged(w), 2);
	watch_close(w);
	packed_close(g);
}

Test(log_packed, when_the_guest_is_to_notify)
{
	struct packed *g = packed_open(16);
	struct watch *w = watch_open(g->r, EVENT, true);

	watch(w);
	cr_assert(virtq_arm(g->vq));
	cr_assert_eq(watch_n(w), 1);
	cr_assert(watch_bit(w, EVENT));
	watch(w);
	virtq_disarm(g->vq);
	cr_assert_eq(watch_n(w), 1);
	cr_assert(watch_bit(w, EVENT));
	watch_close(w);
	packed_close(g);
}

Test(log_packed, a_ring_that_is_not_wanted)
{
	struct packed *g = packed_open(16);
	struct watch *w = watch_open(g->r, EVENT, false);

	packed_put(g, BUFS, 1000, ID, W);
	watch(w);
	send_len(g->r, 100);
	expect_sent(g->r, 1, 100);
	cr_assert(virtq_arm(g->vq));
	virtq_disarm(g->vq);
	cr_assert_eq(watch_n(w), 1);
	cr_assert(watch_bit(w, BUFS));
	watch_close(w);
	packed_close(g);
}

/* A batch that a killed device was about to return, and we return for it. */
Test(log_packed, what_is_put_right_after_a_kill)
{
	struct packed *g = packed_open(600);
	struct watch *w = watch_open(g->r, EVENT, true);
	uint16_t place;

	for (unsigned i = 0; i < 300; i++)
		packed_fill(g, i, BUFS, 100, ID,
		    i == 290 ? PACKED_AVAIL | PACKED_RETURNING : PACKED_TURN);
	watch(w);
	cr_assert(packed_recover(g->vq, &place));
	cr_assert_eq(place, PACKED_WRAP | 300);
	cr_assert_eq(expect_logged(w), 1);
	cr_assert(watch_bit(w, GUEST_BASE + 290 * 16));
	watch_close(w);
	packed_close(g);
}

Test(log_packed, no_log_no_bits)
{
	struct packed *g = packed_open(16);
	struct watch *w = watch_open(g->r, EVENT, true);

	g->vq->log = NULL;
	packed_put(g, BUFS, 1000, ID, W);
	watch(w);
	send_len(g->r, 100);
	cr_assert(virtq_arm(g->vq));
	virtq_disarm(g->vq);
	expect_sent(g->r, 1, 100);
	cr_assert_eq(watch_n(w), 0);
	watch_close(w);
	packed_close(g);
}
