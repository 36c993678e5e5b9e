/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtq_log.c - what a queue's worker notes in the log of dirty pages.
 *
 * Pieces of a gather are pointers; the region that each of them lies in says
 * what the guest calls it.  No piece lies in two (gather_add()).
 */
#include "ports/vhost/virtq_log.h"

/* A log that is too small was refused before it got here (ring_log.h).  Were
 * it not, the machine must not be moved with pages missing. */
static void mark(const struct virtq *vq, const struct virtq_log *l,
    uint64_t guest, uint64_t len)
{
	if (dirty_log_mark(l->log, guest, len))
		return;
	guard_break(&l->log->guard);
	vq->port->env->raise(vq->port);
}

static void mark_piece(const struct virtq *vq, const struct virtq_log *l,
    const struct gather_piece *piece)
{
	for (unsigned i = 0; i < vq->mem->n; i++) {
		const struct vhost_region *r = &vq->mem->region[i];
		uint64_t offset = (uintptr_t)piece->data - (uintptr_t)r->host;

		if (offset < r->size) {
			mark(vq, l, r->guest + offset, piece->len);
			return;
		}
	}
}

void virtq_log_gather(
    const struct virtq *vq, const struct virtq_log *l, const struct gather *g)
{
	for (unsigned i = 0; i < g->n; i++)
		mark_piece(vq, l, &g->piece[i]);
}

void virtq_log_used_slow(const struct virtq *vq, const struct virtq_log *l,
    uint64_t offset, uint64_t len)
{
	if (l->ring)
		mark(vq, l, l->used + offset, len);
}

/* [first, first + n) of the ring's entries of @size bytes each, of which the
 * first is at guest address @base. */
static void mark_entries(const struct virtq *vq, const struct virtq_log *l,
    uint64_t base, uint64_t size, uint32_t first, uint32_t n)
{
	uint32_t to_end = vq->size - first;

	if (n > to_end) {
		mark(vq, l, base, (n - to_end) * size);
		n = to_end;
	}
	mark(vq, l, base + first * size, n * size);
}

void virtq_log_slots(const struct virtq *vq, const struct virtq_log *l,
    uint32_t first, uint32_t n)
{
	if (l->ring)
		mark_entries(
		    vq, l, l->slot, sizeof(struct vring_packed_desc), first, n);
}

void virtq_log_elements(const struct virtq *vq, const struct virtq_log *l,
    uint32_t first, uint32_t n)
{
	if (!l->ring)
		return;
	mark_entries(vq, l, l->used + offsetof(struct vring_used, ring),
	    sizeof(struct vring_used_elem), first, n);
	mark(vq, l, l->used + offsetof(struct vring_used, idx),
	    sizeof(vq->used->idx));
}
