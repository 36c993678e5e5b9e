/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split_gather.c - walk a descriptor chain that nobody vouches for.
 *
 * The walk looks at each descriptor once, copies it, and believes the copy
 * only as far as it has checked it.  It ends after SPLIT_GATHER_MAX
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
	uint32_t n;	/* descriptors in it */
	uint32_t steps; /* of them looked at */
	uint32_t seen;	/* index not to be met again */
};

/* buf[0..n) from guest memory at @addr, across regions. */
static bool read_guest(
    const struct vhost_memory *m, uint64_t addr, void *buf, uint32_t n)
{
	uint8_t *to = buf;

	while (n) {
		uint32_t got;
		const uint8_t *p = vhost_memory_at(m, addr, n, &got);

		if (!p)
			return false;
		shared_copy_in(to, p, got);
		to += got;
		addr += got;
		n -= got;
	}
	return true;
}

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
	if (!w->indirect)
		*d = shared_load_desc(&vq->desc[i]);
	else if (!read_guest(vq->mem, w->table + 16ull * i, d, sizeof(*d)))
		return VIRTQ_DESC_ADDR;
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
	*w = (struct walk){true, d->addr, n, 0, UINT32_MAX};
	return VIRTQ_NONE;
}

/* Notes @d's buffer in @g, cut off at @want bytes. */
static enum virtq_fault add_buffer(struct split_gather *g,
    const struct vhost_memory *m, const struct shared_desc *d, uint32_t want)
{
	uint64_t addr = d->addr, last = addr + d->len - 1;
	uint32_t len = d->len, got;

	if (!len)
		return VIRTQ_NONE;
	if (last < addr || !vhost_memory_at(m, last, 1, &got))
		return VIRTQ_DESC_ADDR;
	if (len > want - g->len)
		len = want - g->len;
	for (; len; addr += got, len -= got) {
		uint8_t *p = vhost_memory_at(m, addr, len, &got);

		if (!p)
			return VIRTQ_DESC_ADDR;
		if (g->n == SPLIT_GATHER_MAX) {
			g->full = true;
			return VIRTQ_NONE;
		}
		g->piece[g->n++] = (struct split_piece){p, got};
		g->len += got;
	}
	return VIRTQ_NONE;
}

enum virtq_fault split_gather(struct split_gather *g, const struct virtq *vq,
    const struct split_entry *e, uint16_t direction, uint32_t want)
{
	struct walk w = {.n = vq->size, .steps = 1, .seen = e->head};
	struct shared_desc d = e->d;
	enum virtq_fault fault = VIRTQ_NONE;

	if (e->head >= vq->size)
		return VIRTQ_DESC_INDEX;
	for (;; fault = step(&w, vq, d.next, &d)) {
		if (fault)
			return fault;
		if (g->n_descs++ == SPLIT_GATHER_MAX) {
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
		fault = add_buffer(g, vq->mem, &d, want);
		if (fault || g->full || g->len == want ||
		    !(d.flags & VRING_DESC_F_NEXT))
			return fault;
	}
}
