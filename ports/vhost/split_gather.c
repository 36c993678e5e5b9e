/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split_gather.c - walk a descriptor chain that nobody vouches for.
 *
 * The walk looks at each descriptor once, copies it, and believes the copy
 * only as far as it has checked it.  It ends after GATHER_MAX
 * descriptors whatever the guest links to what; loops of up to half that
 * length are recognised as such by Brent's method: one index, renewed at
 * every power of two, that the walk must not meet again.
 */
#include <assert.h>

#include "ports/vhost/split.h"

/* A descriptor table and how far the walk through it has come. */
struct walk {
	bool indirect; /* at guest address @table; else the ring's */
	uint64_t table;
	uint32_t n;			  /* descriptors in it */
	uint32_t steps;			  /* of them looked at */
	uint32_t seen;			  /* index not to be met again */
	const struct shared_desc *second; /* if fetched, the next to come */
};

/* Moves @w to descriptor @i of its table and fetches it to *d. */
static enum virtq_fault step(
    struct walk *w, const struct virtq *vq, uint32_t i, struct shared_desc *d)
{
	if (i >= w->n)
		return VIRTQ_DESC_INDEX;
	if (i == w->seen || ++w->steps > w->n)
		return VIRTQ_DESC_LOOP;
	if (!(w->steps & (w->steps - 1)))
		w->seen = i;
	if (w->second) {
		*d = *w->second;
		w->second = NULL;
	} else if (!w->indirect) {
		*d = shared_load_desc(&vq->desc[i]);
	} else if (!buffer_read(vq->mem, w->table + 16ull * i, d, sizeof(*d))) {
		return VIRTQ_DESC_ADDR;
	}
	return VIRTQ_NONE;
}

/* Enters the indirect table that @d refers to (virtio 1.2, 2.7.5.3). */
static enum virtq_fault enter(
    struct walk *w, const struct virtq *vq, const struct shared_desc *d)
{
	static_assert(
	    sizeof(*d) == sizeof(struct vring_desc), "as in the ring");
	uint32_t n = d->len / sizeof(*d);

	if (!vq->indirect || w->indirect || d->flags & VRING_DESC_F_NEXT ||
	    !n || d->len % sizeof(*d) || n > VIRTQ_SIZE_MAX)
		return VIRTQ_INDIRECT;
	if (d->addr + d->len < d->addr)
		return VIRTQ_DESC_ADDR;
	*w = (struct walk){true, d->addr, n, 0, UINT32_MAX, NULL};
	return VIRTQ_NONE;
}

enum virtq_fault split_gather(struct gather *g, const struct virtq *vq,
    const struct split_entry *e, const struct shared_desc *second,
    uint16_t direction, uint32_t want)
{
	struct walk w = {
	    .n = vq->size, .steps = 1, .seen = e->head, .second = second};
	struct shared_desc d = e->d;
	enum virtq_fault fault = VIRTQ_NONE;

	if (e->head >= vq->size)
		return VIRTQ_DESC_INDEX;
	for (;; fault = step(&w, vq, d.next, &d)) {
		if (fault)
			return fault;
		if (g->n_descs++ == GATHER_MAX) {
			g->full = true;
			return VIRTQ_NONE;
		}
		if (d.flags & VRING_DESC_F_INDIRECT) {
			fault = enter(&w, vq, &d);
			if (fault)
				return fault;
			d.next = 0; /* where the table begins */
			continue;
		}
		if ((d.flags & VRING_DESC_F_WRITE) != direction)
			return VIRTQ_DIRECTION;
		fault = gather_add(g, vq->mem, d.addr, d.len, want);
		if (fault || g->full || g->len == want ||
		    !(d.flags & VRING_DESC_F_NEXT))
			return fault;
	}
}
