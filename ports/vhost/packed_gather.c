/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed_gather.c - walk a run of slots that nobody vouches for.
 *
 * A chain cannot loop, for it runs along the ring; it can only be too long.
 * It has to be walked to its end, with or without a wish for its buffers: the
 * id is there, and the next chain begins behind it.
 */
#include <assert.h>

#include "ports/vhost/packed.h"

/* One buffer more, as long as there is room and a wish for it. */
static enum virtq_fault add(struct gather *g, const struct virtq *vq,
    const struct packed_desc *d, uint16_t direction, uint32_t want)
{
	if (g->n_descs++ >= GATHER_MAX)
		g->full = true;
	if (g->full || g->len == want)
		return VIRTQ_NONE;
	if ((d->flags & VRING_DESC_F_WRITE) != direction)
		return VIRTQ_DIRECTION;
	return gather_add(g, vq->mem, d->addr, d->len, want);
}

/* The descriptors of the indirect table that @d refers to, all and in order;
 * of their flags only the direction counts (virtio 1.2, 2.8.8). */
static enum virtq_fault add_table(struct gather *g, const struct virtq *vq,
    const struct packed_desc *d, uint16_t direction, uint32_t want)
{
	static_assert(
	    sizeof(*d) == sizeof(struct vring_packed_desc), "as in the ring");
	uint32_t n = d->len / sizeof(*d);
	enum virtq_fault fault = VIRTQ_NONE;

	if (!vq->indirect || !n || d->len % sizeof(*d) || n > VIRTQ_SIZE_MAX)
		return VIRTQ_INDIRECT;
	if (d->addr + d->len < d->addr)
		return VIRTQ_DESC_ADDR;
	for (uint32_t i = 0; i < n && !fault && !g->full && g->len < want;
	     i++) {
		struct packed_desc e;

		if (!buffer_read(vq->mem, d->addr + 16ull * i, &e, sizeof(e)))
			return VIRTQ_DESC_ADDR;
		if (e.flags & VRING_DESC_F_INDIRECT)
			return VIRTQ_INDIRECT;
		fault = add(g, vq, &e, direction, want);
	}
	return fault;
}

enum virtq_fault packed_gather(struct gather *g, const struct virtq *vq,
    uint16_t place, const struct packed_entry e[], unsigned n_fetched,
    uint16_t direction, uint32_t want, uint32_t most, struct virtq_return *r)
{
	struct packed_desc d = e[0].d;
	enum virtq_fault fault;
	uint32_t n = 1;

	if (d.flags & VRING_DESC_F_INDIRECT && !(d.flags & VRING_DESC_F_NEXT)) {
		*r = (struct virtq_return){0, d.id, 1};
		return add_table(g, vq, &d, direction, want);
	}
	for (;; n++) {
		if (d.flags & VRING_DESC_F_INDIRECT)
			return VIRTQ_INDIRECT;
		fault = add(g, vq, &d, direction, want);
		if (fault)
			return fault;
		if (!(d.flags & VRING_DESC_F_NEXT))
			break;
		if (n == most || n == PACKED_CHAIN_MAX)
			return VIRTQ_DESC_LOOP;
		place = packed_place(vq, place, 1);
		if (n < n_fetched)
			d = e[n].d;
		else if (!packed_load(vq, place, &d))
			return VIRTQ_AVAIL_JUMP;
	}
	*r = (struct virtq_return){0, d.id, (uint16_t)n};
	return VIRTQ_NONE;
}
