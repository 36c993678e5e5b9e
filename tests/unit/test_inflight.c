/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_inflight.c - what back ends leave to their successors, and hostile
 * contents of the place where they do.
 *
 * The notes of back ends of another make, which take and return in any order,
 * are written here as the specification has them written.
 */
#include <criterion/criterion.h>

#include "ports/vhost/inflight.h"
#include "tests/unit/packed_guest.h"

enum { SIZE = 16, HDR = VIRTIO_NET_HDR_LEN, FRAME = 60 };

static struct batch batch;
static uint64_t memory[1024];

static void *notes(struct virtq *vq)
{
	memset(memory, 0, sizeof(memory));
	vq->inflight = memory;
	return memory;
}

static unsigned serve(struct virtq *vq, struct port_worker *w)
{
	unsigned n;

	batch.n = batch.n_segs = 0;
	n = virtq_rx(vq, &batch, w);
	virtq_rx_done(vq, w);
	return n;
}

/* A split ring at 0 whose driver has offered all heads, in order. */
static struct ring *open_split(struct inflight_split **q)
{
	struct ring *r = ring_open(SIZE);

	for (uint16_t i = 0; i < SIZE; i++) {
		ring_frame(r, BUFS + i * 2048, FRAME);
		ring_offer_one(r, i, BUFS + i * 2048, HDR + FRAME, 0);
	}
	*q = notes(&r->vq);
	inflight_begin(&r->vq, 0);
	return r;
}

/* A back end of another make takes @head. */
static void take(struct inflight_split *q, uint16_t head)
{
	static uint64_t counter;

	q->desc[head].counter = counter++;
	q->desc[head].inflight = 1;
}

/* And returns it, all but to note that at the end. */
static void give(struct ring *r, struct inflight_split *q, uint16_t head)
{
	r->used->ring[r->used->idx % SIZE].id = head;
	q->desc[head].next = q->last_batch_head;
	q->last_batch_head = head;
	r->used->idx++;
}

Test(inflight, out_of_order_in_a_split_ring)
{
	struct inflight_split *q;
	struct ring *r = open_split(&q);
	uint16_t place;

	for (uint16_t i = 0; i < 7; i++)
		take(q, i);
	give(r, q, 3);
	q->desc[3].inflight = 0;
	q->used_idx = r->used->idx;
	give(r, q, 5); /* these were not noted any more */
	give(r, q, 0);
	place = inflight_resume(&r->vq, r->used->idx);
	cr_assert_eq(place, 7);
	cr_assert_eq(r->used->idx, 7);
	for (unsigned k = 0; k < 4; k++) {
		static const uint16_t left[] = {1, 2, 4, 6};

		cr_assert_eq(ring_used(r, 3 + k).id, left[k]);
		cr_assert_eq(ring_used(r, 3 + k).len, 0);
	}
	inflight_begin(&r->vq, place);
	cr_assert_eq(inflight_resume(&r->vq, place), place, "only once");
	virtq_start(&r->vq, place);
	cr_assert_eq(serve(&r->vq, &r->w), SIZE - 7);
	for (unsigned k = 7; k < SIZE; k++)
		cr_assert_eq(ring_used(r, k).id, k);
	cr_assert_eq(q->used_idx, SIZE);
	ring_close(r);
}

/* Killed once more between what it shows and what it notes. */
Test(inflight, resumed_twice)
{
	struct inflight_split *q;
	struct ring *r = open_split(&q);
	static uint8_t before[sizeof(memory)];

	for (uint16_t i = 0; i < 5; i++)
		take(q, i);
	memcpy(before, q, sizeof(before));
	cr_assert_eq(inflight_resume(&r->vq, 0), 5);
	for (uint16_t i = 0; i < 5; i++)
		q->desc[i].inflight = 1;
	cr_assert_eq(inflight_resume(&r->vq, 5), 5);
	cr_assert_eq(r->used->idx, 5);
	ring_close(r);
}

/* A packed ring of which all slots are offered as chains of 1, 2 and 1. */
static struct packed *open_packed(struct inflight_packed **q)
{
	struct packed *g = packed_open(SIZE);

	for (uint16_t i = 0; i < SIZE / 4; i++)
		for (uint16_t k = 0; k < 4; k++)
			packed_put(g, BUFS, k == 1 ? HDR : HDR + FRAME,
			    (uint16_t)(10 * i + k),
			    k == 1 ? VRING_DESC_F_NEXT : 0);
	ring_frame(g->r, BUFS, FRAME);
	*q = notes(g->vq);
	inflight_begin(g->vq, PACKED_WRAP);
	return g;
}

/* A back end of another make takes the chain of @n slots with buffer @id,
 * whose entries it takes from its list of free ones. */
static uint16_t take_packed(struct inflight_packed *q, uint16_t id, uint16_t n)
{
	static uint64_t counter;
	uint16_t head = q->free_head, last = head;

	q->desc[head].num = n;
	q->desc[head].counter = counter++;
	q->desc[head].inflight = 1;
	for (uint16_t k = 0; k < n; k++) {
		last = q->free_head;
		q->desc[last].id = id;
		q->free_head = q->desc[last].next;
	}
	q->desc[head].last = last;
	q->old_free_head = q->free_head;
	return head;
}

static void free_packed(struct inflight_packed *q, uint16_t head)
{
	q->desc[q->desc[head].last].next = q->free_head;
	q->free_head = head;
}

static void expect_got(struct packed *g, uint16_t id, unsigned n)
{
	struct packed_desc d;

	cr_assert(packed_get(g, n, &d), "buffer %u", id);
	cr_assert_eq(d.id, id, "%u, not %u", d.id, id);
	cr_assert_eq(d.len, 0);
}

/* Of eight chains that were taken, two later ones were returned, of which the
 * notes say so or do not say so yet. */
static void resume_packed(bool noted, bool shown)
{
	struct inflight_packed *q;
	struct packed *g = open_packed(&q);
	struct virtq_return r[] = {{0, 2, 2}, {0, 13, 1}};
	uint16_t entry[6], place = PACKED_WRAP | 3, next;

	for (uint16_t i = 0; i < 6; i++)
		entry[i] = take_packed(q,
		    (uint16_t)(10 * (i / 3) + i % 3 + (i % 3 > 0)),
		    i % 3 == 1 ? 2 : 1);
	free_packed(q, entry[1]); /* buffer 2, of two slots */
	free_packed(q, entry[5]); /* buffer 13 */
	inflight_note_packed(g->vq, place, PACKED_WRAP);
	g->vq->inflight = NULL;
	g->vq->next_used = PACKED_WRAP;
	if (shown)
		packed_return(g->vq, r, 2);
	g->vq->inflight = q;
	if (noted) {
		q->desc[entry[1]].inflight = q->desc[entry[5]].inflight = 0;
		q->old_free_head = q->free_head;
		inflight_note_packed(g->vq, place, place);
	}
	cr_assert(inflight_place(g->vq, &next));
	cr_assert_eq(next, shown ? place : PACKED_WRAP);
	next = inflight_resume(g->vq, next);
	cr_assert_eq(next, PACKED_WRAP | 8);
	if (shown) {
		expect_got(g, 2, 2);
		expect_got(g, 13, 1);
	}
	expect_got(g, 0, 1);
	if (!shown)
		expect_got(g, 2, 2);
	expect_got(g, 3, 1);
	expect_got(g, 10, 1);
	expect_got(g, 12, 2);
	if (!shown)
		expect_got(g, 13, 1);
	cr_assert_eq(inflight_resume(g->vq, next), next, "only once");
	inflight_begin(g->vq, next);
	virtq_start(g->vq, next);
	cr_assert_eq(serve(g->vq, &g->r->w), 6);
	expect_got(g, 20, 1);
	expect_got(g, 22, 2);
	packed_close(g);
}

Test(inflight, out_of_order_in_a_packed_ring)
{
	resume_packed(true, true);
	resume_packed(false, true);
	resume_packed(false, false);
}

/* The notes of our own: where the ring is, and nothing in flight. */
Test(inflight, notes_of_our_own)
{
	struct inflight_packed *p;
	struct packed *g = open_packed(&p);
	uint16_t place;

	cr_assert(inflight_place(g->vq, &place));
	cr_assert_eq(place, PACKED_WRAP);
	cr_assert_eq(serve(g->vq, &g->r->w), 12);
	cr_assert(inflight_place(g->vq, &place));
	cr_assert_eq(place, g->vq->next_used);
	cr_assert_eq(place, 0, "the next round");
	cr_assert_eq(inflight_resume(g->vq, place), place);
	packed_close(g);
}

/* A ring that was made anew, and notes of the one before. */
Test(inflight, stale_notes_say_nothing_of_a_ring_that_tells)
{
	struct inflight_packed *p;
	struct packed *g = open_packed(&p);
	uint16_t place;

	inflight_note_packed(g->vq, 5, 5);
	p->desc[0].inflight = 1;
	p->desc[0].num = 1;
	p->free_head = p->old_free_head = 1;
	cr_assert(packed_recover(g->vq, &place));
	cr_assert_eq(place, PACKED_WRAP);
	cr_assert_eq(inflight_resume(g->vq, place), place);
	packed_close(g);
}

/* What must hold whatever is noted: chains of the ring and no others, each
 * once, and no more of them than the driver has offered. */
static void expect_bounded_split(struct ring *r, uint16_t from)
{
	uint16_t place = inflight_resume(&r->vq, from);
	uint16_t n = (uint16_t)(place - from);
	uint32_t seen = 0;

	cr_assert_leq(n, SIZE);
	cr_assert_eq(r->used->idx, place);
	for (uint16_t k = 0; k < n; k++) {
		uint32_t id = ring_used(r, from + k).id;

		cr_assert_lt(id, SIZE);
		cr_assert_not(seen >> id & 1);
		seen |= 1u << id;
	}
}

Test(inflight, case_18_corrupted_notes_of_a_split_ring)
{
	struct inflight_split *q;
	struct ring *r = open_split(&q);

	take(q, 3);
	q->version = 7;
	cr_assert_eq(inflight_resume(&r->vq, 0), 0);
	q->version = 1;
	q->desc_num = SIZE * 2;
	cr_assert_eq(inflight_resume(&r->vq, 0), 0);
	q->desc_num = SIZE;
	q->used_idx = (uint16_t)-5; /* a list that turns in circles ... */
	q->last_batch_head = 2;
	q->desc[2].next = 4;
	q->desc[4].next = 2;
	expect_bounded_split(r, 0);
	take(q, 6);
	q->used_idx = (uint16_t)(r->used->idx - 5);
	q->last_batch_head = 0xfff0; /* ... one that leads nowhere ... */
	expect_bounded_split(r, r->used->idx);
	q->used_idx = 1000; /* ... and a batch larger than the ring */
	take(q, 7);
	expect_bounded_split(r, r->used->idx);
	for (uint16_t i = 0; i < SIZE; i++)
		take(q, i);
	r->avail->idx = r->used->idx; /* more than were offered */
	q->used_idx = r->used->idx;
	cr_assert_eq(inflight_resume(&r->vq, r->used->idx), r->used->idx);
	ring_close(r);
}

/* Nonsense in all of it but the header. */
static void scribble(void *from, size_t skip)
{
	for (size_t i = skip / 2; i < sizeof(memory) / 2; i++)
		((uint16_t *)from)[i] =
		    (uint16_t)(rand() % 3 ? rand() % (SIZE + 2) : rand());
}

Test(inflight, case_18_random_notes)
{
	for (unsigned i = 0; i < 200; i++) {
		struct inflight_packed *p;
		struct inflight_split *q;
		struct packed *g;
		struct ring *r = open_split(&q);
		uint16_t place;

		scribble(q, 12);
		expect_bounded_split(r, 0);
		ring_close(r);
		g = open_packed(&p);
		scribble(p, 12);
		p->progress &= 0x101000f000f;
		if (inflight_place(g->vq, &place)) {
			uint16_t next = inflight_resume(g->vq, place);

			cr_assert_lt(place & PACKED_INDEX, SIZE);
			cr_assert_lt(next & PACKED_INDEX, SIZE);
			inflight_begin(g->vq, next);
		}
		packed_close(g);
	}
}

/* What a ring that was resized has of memory for another size. */
Test(inflight, case_16_each_ring_has_its_part_or_none)
{
	struct vhost_inflight_msg m = {.n_queues = 3, .queue_size = 256};
	struct vhost_inflight *in;
	struct err e;
	int fd;

	cr_assert_eq(vhost_inflight_create(&m, &fd, &e), 0);
	cr_assert_eq(vhost_inflight_open(&in, &m, fd, &e), 0);
	for (unsigned packed = 0; packed < 2; packed++) {
		uint8_t *q = vhost_inflight_queue(in, 2, 256, packed);

		cr_assert_not_null(q);
		memset(q, 0, packed ? 32 + 256 * 32 : 16 + 256 * 16);
		cr_assert_null(vhost_inflight_queue(in, 3, 256, packed));
		cr_assert_null(vhost_inflight_queue(in, 0, 128, packed));
		cr_assert_null(vhost_inflight_queue(in, 0, 1024, packed));
	}
	vhost_inflight_close(in);
	m.size = 3 * (16 + 256 * 16 + 48); /* enough for split ones alone */
	cr_assert_eq(vhost_inflight_open(&in, &m, fd, &e), 0);
	cr_assert_not_null(vhost_inflight_queue(in, 2, 256, false));
	cr_assert_null(vhost_inflight_queue(in, 2, 256, true));
	cr_assert_null(vhost_inflight_queue(NULL, 0, 256, true));
	vhost_inflight_close(in);
	close(fd);
}
