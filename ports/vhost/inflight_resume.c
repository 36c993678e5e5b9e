/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inflight_resume.c - what a predecessor noted, when a ring starts.
 *
 * Ours leaves nothing to do.  Of one that noted descriptors as in flight, and
 * may have returned others that it took later, it would be wrong to go on
 * behind the last that was returned: some would come twice and some never.
 * What it had is returned unused, frames being what a network may lose, and
 * noted as returned by the rules that it noted it by (vhost-user, "Inflight I/O
 * tracking").  All that is read is a hint, bounded each time that it is read.
 */
#include <stdlib.h>

#include "ports/vhost/access.h"
#include "ports/vhost/inflight.h"
#include "ports/vhost/packed.h"
#include "ports/vhost/split.h"

/* A chain in flight: the entry of its first descriptor, and when it came. */
struct flight {
	uint64_t counter;
	uint16_t entry;
	bool over; /* it was returned, only not noted any more */
};

static int by_counter(const void *a, const void *b)
{
	const struct flight *x = a, *y = b;

	if (x->counter != y->counter)
		return x->counter < y->counter ? -1 : 1;
	return x->entry - y->entry;
}

static bool fits(const struct virtq *vq, const uint16_t __peer *version,
    const uint16_t __peer *desc_num)
{
	return shared_poll(version) == INFLIGHT_VERSION &&
	       shared_poll(desc_num) == vq->size;
}

/* f[0..n), noted as in flight and not over, in order; returns how many. */
static unsigned sort_out(struct flight f[], unsigned n)
{
	unsigned left = 0;

	for (unsigned i = 0; i < n; i++)
		if (!f[i].over)
			f[left++] = f[i];
	qsort(f, left, sizeof(f[0]), by_counter);
	return left;
}

/* Of a split ring, every entry that is marked is a head. */
static unsigned collect_split(const struct virtq *vq,
    const struct inflight_split __peer *q, struct flight f[])
{
	uint16_t used = shared_poll(&vq->used->idx);
	uint16_t n_batch = (uint16_t)(used - shared_poll(&q->used_idx));
	uint16_t i = shared_poll(&q->last_batch_head);

	if (n_batch > vq->size)
		return 0; /* not of this ring */
	for (uint32_t k = 0; k < vq->size; k++)
		f[k] = (struct flight){shared_poll_u64(&q->desc[k].counter),
		    (uint16_t)k, !(shared_poll(&q->desc[k].inflight) & 1)};
	for (; n_batch && i < vq->size; n_batch--) {
		f[i].over = true;
		i = shared_poll(&q->desc[i].next);
	}
	return sort_out(f, vq->size);
}

static uint16_t resume_split(
    struct virtq *vq, uint16_t place, struct flight f[])
{
	struct inflight_split __peer *q = vq->inflight;
	unsigned n = collect_split(vq, q, f);
	uint16_t n_avail =
	    (uint16_t)(shared_load_acquire(&vq->avail->idx) - place);

	if (n > n_avail || n_avail > vq->size)
		return place;
	vq->next_used = place;
	for (unsigned k = 0; k < n; k++) {
		split_use(vq, k, f[k].entry, 0);
		shared_store(&q->desc[f[k].entry].next,
		    shared_poll(&q->last_batch_head));
		shared_store(&q->last_batch_head, f[k].entry);
	}
	place = (uint16_t)(place + n);
	shared_store_release(&vq->used->idx, place);
	for (unsigned k = 0; k < n; k++)
		shared_store(&q->desc[f[k].entry].inflight, 0);
	return place;
}

static void begin_split(const struct virtq *vq, uint16_t place)
{
	struct inflight_split __peer *q = vq->inflight;

	for (uint32_t i = 0; i < vq->size; i++)
		shared_store(&q->desc[i].inflight, 0);
	shared_store(&q->used_idx, place);
	shared_store(&q->desc_num, (uint16_t)vq->size);
	shared_store_release(&q->version, INFLIGHT_VERSION);
}

/* The place noted, and whether a batch was about to be returned and was. */
static bool read_progress(
    const struct virtq *vq, uint16_t *place, bool *committed)
{
	const struct inflight_packed __peer *q = vq->inflight;
	uint64_t word = shared_poll_u64(&q->progress);
	uint16_t now = (uint16_t)((word & INT16_MAX) | (word >> 32 & 1) << 15);
	uint16_t old =
	    (uint16_t)((word >> 16 & INT16_MAX) | (word >> 40 & 1) << 15);
	struct packed_desc d;

	if (!fits(vq, &q->version, &q->desc_num) ||
	    (now & PACKED_INDEX) >= vq->size ||
	    (old & PACKED_INDEX) >= vq->size)
		return false;
	*committed = now != old && !packed_load(vq, old, &d);
	*place = *committed ? now : old;
	return true;
}

bool inflight_place(const struct virtq *vq, uint16_t *place)
{
	bool committed;

	return vq->inflight && read_progress(vq, place, &committed);
}

/* Of a packed ring, an entry that is marked is a head, unless it is in the list
 * of those that are free. */
static unsigned collect_packed(const struct virtq *vq,
    const struct inflight_packed __peer *q, bool committed, struct flight f[])
{
	uint16_t i = shared_poll(committed ? &q->free_head : &q->old_free_head);

	for (uint32_t k = 0; k < vq->size; k++)
		f[k] = (struct flight){shared_poll_u64(&q->desc[k].counter),
		    (uint16_t)k, !(shared_poll(&q->desc[k].inflight) & 1)};
	for (uint32_t k = 0; k < vq->size && i < vq->size; k++) {
		f[i].over = true;
		i = shared_poll(&q->desc[i].next);
	}
	return sort_out(f, vq->size);
}

/* What there is to return for f[0..n) to r[0..n).  How many slots that takes,
 * or 0 if it is more than there are. */
static uint32_t describe_packed(const struct virtq *vq,
    const struct inflight_packed __peer *q, const struct flight f[], unsigned n,
    struct virtq_return r[])
{
	uint32_t n_slots = 0;

	for (unsigned k = 0; k < n; k++) {
		const struct inflight_packed_desc __peer *d =
		    &q->desc[f[k].entry];
		uint16_t last = shared_poll(&d->last);
		uint16_t num = shared_poll(&d->num);

		if (last >= vq->size || !num || num > vq->size - n_slots)
			return 0;
		n_slots += num;
		r[k] = (struct virtq_return){
		    0, shared_poll(&q->desc[last].id), num};
	}
	return n_slots;
}

/* Puts the entries of f[0..n) on the list of free ones at @head.  Returns what
 * is its head then. */
static uint16_t free_entries(const struct virtq *vq,
    struct inflight_packed __peer *q, const struct flight f[], unsigned n,
    uint16_t head)
{
	for (unsigned k = 0; k < n; k++) {
		uint16_t last = shared_poll(&q->desc[f[k].entry].last);

		if (last < vq->size)
			shared_store(&q->desc[last].next, head);
		head = f[k].entry;
	}
	return head;
}

static uint16_t resume_packed(struct virtq *vq, uint16_t place,
    struct flight f[], struct virtq_return r[])
{
	struct inflight_packed __peer *q = vq->inflight;
	uint16_t noted, head, next;
	uint32_t n_slots;
	bool committed;
	unsigned n;

	if (!read_progress(vq, &noted, &committed) || noted != place)
		return place;
	n = collect_packed(vq, q, committed, f);
	n_slots = describe_packed(vq, q, f, n, r);
	if (!n_slots)
		return place;
	head = shared_poll(committed ? &q->free_head : &q->old_free_head);
	shared_store(&q->old_free_head, head);
	inflight_note_packed(vq, place, place);
	head = free_entries(vq, q, f, n, head);
	shared_store(&q->free_head, head);
	next = packed_place(vq, place, n_slots);
	inflight_note_packed(vq, next, place);
	vq->inflight = NULL; /* it is noted already */
	vq->next_used = place;
	packed_return(vq, r, n);
	vq->inflight = q;
	for (unsigned k = 0; k < n; k++)
		shared_store(&q->desc[f[k].entry].inflight, 0);
	shared_store(&q->old_free_head, head);
	inflight_note_packed(vq, next, next);
	return next;
}

static void begin_packed(const struct virtq *vq, uint16_t place)
{
	struct inflight_packed __peer *q = vq->inflight;

	for (uint32_t i = 0; i < vq->size; i++) {
		shared_store(&q->desc[i].inflight, 0);
		shared_store(&q->desc[i].next, (uint16_t)(i + 1));
	}
	shared_store(&q->free_head, 0);
	shared_store(&q->old_free_head, 0);
	inflight_note_packed(vq, place, place);
	shared_store(&q->desc_num, (uint16_t)vq->size);
	shared_store_release(&q->version, INFLIGHT_VERSION);
}

uint16_t inflight_resume(struct virtq *vq, uint16_t place)
{
	struct inflight_split __peer *q = vq->inflight;
	struct virtq_return *r;
	struct flight *f;

	/* Both formats have these members in the same place. */
	if (!q || !fits(vq, &q->version, &q->desc_num))
		return place;
	f = malloc(vq->size * sizeof(*f));
	r = malloc(vq->size * sizeof(*r));
	if (f && r)
		place = vq->packed ? resume_packed(vq, place, f, r)
				   : resume_split(vq, place, f);
	free(f);
	free(r);
	return place;
}

void inflight_begin(const struct virtq *vq, uint16_t place)
{
	if (vq->inflight && vq->packed)
		begin_packed(vq, place);
	else if (vq->inflight)
		begin_split(vq, place);
}
