/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed_guest.h - a guest's side of a packed virtqueue.
 *
 * As ring_guest.h, on whose memory it lies, with the ring's slots in place of
 * its three parts.  The event structures are outside the guest's memory.
 *
 * Life: packed_open, packed_close.  Threads: one.
 */
#ifndef TESTS_UNIT_PACKED_GUEST_H
#define TESTS_UNIT_PACKED_GUEST_H

#include "ports/vhost/packed.h"
#include "tests/unit/ring_guest.h"

/* The guest's own places in the ring, and the event structures. */
struct packed {
	struct ring *r;
	struct virtq *vq;
	struct vring_packed_desc *slot;
	uint16_t next; /* to be offered */
	uint16_t seen; /* to be got back */
	struct vring_packed_desc_event driver, device;
};

/* A started queue of @size, any number, at @place. */
static inline struct packed *packed_open_at(uint32_t size, uint16_t place)
{
	struct packed *g = calloc(1, sizeof(*g));

	g->r = ring_open(16);
	g->vq = &g->r->vq;
	g->slot = (void *)g->r->mem->region[0].host;
	memset(g->slot, 0, BUFS_AT);
	g->vq->packed = true;
	g->vq->size = size;
	g->vq->slot = g->slot;
	g->vq->driver_event = &g->driver;
	g->vq->device_event = &g->device;
	g->next = g->seen = place;
	/* Of the round before, all used. */
	for (uint32_t i = 0; i < size; i++)
		g->slot[i].flags = (i < (place & PACKED_INDEX)) == (place >> 15)
				       ? PACKED_TURN
				       : 0;
	virtq_start(g->vq, place);
	return g;
}

static inline struct packed *packed_open(uint32_t size)
{
	return packed_open_at(size, PACKED_WRAP);
}

static inline void packed_close(struct packed *g)
{
	ring_close(g->r);
	free(g);
}

/* Fills slot @i as it is said, whosever turn it is. */
static inline void packed_fill(struct packed *g, unsigned i, uint64_t addr,
    uint32_t len, uint16_t id, unsigned flags)
{
	shared_u64 *word = (shared_u64 *)&g->slot[i];

	__atomic_store_n(&word[0], addr, __ATOMIC_RELAXED);
	__atomic_store_n(&word[1],
	    (uint64_t)flags << 48 | (uint64_t)id << 32 | len, __ATOMIC_RELEASE);
}

/* Offers the next slot. */
static inline void packed_put(
    struct packed *g, uint64_t addr, uint32_t len, uint16_t id, unsigned flags)
{
	packed_fill(g, g->next & PACKED_INDEX, addr, len, id,
	    flags | packed_available_at(g->next));
	g->next = packed_place(g->vq, g->next, 1);
}

/* Takes back the buffer of the next @n_slots slots.  False: none is used. */
static inline bool packed_get(
    struct packed *g, unsigned n_slots, struct packed_desc *d)
{
	shared_u64 *word = (shared_u64 *)&g->slot[g->seen & PACKED_INDEX];
	uint64_t rest = __atomic_load_n(&word[1], __ATOMIC_ACQUIRE);

	d->len = (uint32_t)rest;
	d->id = (uint16_t)(rest >> 32);
	d->flags = (uint16_t)(rest >> 48);
	if ((d->flags & PACKED_TURN) != packed_used_at(g->seen))
		return false;
	g->seen = packed_place(g->vq, g->seen, n_slots);
	return true;
}

#endif
