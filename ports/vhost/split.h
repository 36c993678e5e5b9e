/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split.h - what both directions of a split virtqueue have in common.
 *
 * An entry is an element of the available ring with the first descriptor of
 * its chain, fetched.  Most chains end there, or one descriptor later; the
 * others are gathered: walked to their end, or to as many bytes as are
 * wanted, and noted as pieces of our address space.
 *
 * Threads: the worker that serves the queue.
 */
#ifndef PORTS_VHOST_SPLIT_H
#define PORTS_VHOST_SPLIT_H

#include "ports/vhost/access.h"
#include "ports/vhost/virtq.h"

/* Descriptors and pieces for one frame; the header may take some of them. */
enum { SPLIT_GATHER_MAX = FRAME_SEGS_MAX + 16, SPLIT_LINE = 64 };

struct split_entry {
	struct shared_desc d;
	uint16_t head; /* not checked */
};

struct split_piece {
	uint8_t *data;
	uint32_t len;
};

struct split_gather {
	uint32_t len;	  /* bytes of all pieces */
	uint32_t n;	  /* pieces */
	uint32_t n_descs; /* looked at */
	bool full;	  /* more than SPLIT_GATHER_MAX of either */
	struct split_piece piece[SPLIT_GATHER_MAX];
};

/* A place in a gather. */
struct split_cursor {
	const struct split_piece *piece;
	uint32_t offset;
};

/* Whether @vq may be served; breaks it if its memory went away. */
static inline bool split_usable(struct virtq *vq)
{
	if (__atomic_load_n(&vq->fault, __ATOMIC_RELAXED))
		return false;
	if (!__atomic_load_n(&vq->mem->broken, __ATOMIC_RELAXED))
		return true;
	virtq_break(vq, VIRTQ_MEM_SHRUNK);
	return false;
}

/* Chains that wait in @vq, looked up once; 0 also if that broke it. */
static inline unsigned split_available(struct virtq *vq)
{
	uint16_t idx = shared_load_acquire(&vq->avail->idx); /* (A) */
	uint16_t n = (uint16_t)(idx - vq->next_avail);

	if (n <= vq->size)
		return n;
	virtq_break(vq, VIRTQ_AVAIL_JUMP);
	return 0;
}

/* The entry @k places after the next one to take. */
static inline struct split_entry split_entry(const struct virtq *vq, unsigned k)
{
	uint32_t mask = vq->size - 1;
	uint16_t head =
	    shared_load(&vq->avail->ring[(vq->next_avail + k) & mask]);

	return (struct split_entry){
	    shared_load_desc(&vq->desc[head & mask]), head};
}

/* All of @d's bytes in one piece, or NULL if that is not so simple. */
static inline uint8_t *split_whole(
    const struct virtq *vq, const struct shared_desc *d)
{
	uint32_t got;
	uint8_t *p = vhost_memory_at(vq->mem, d->addr, d->len, &got);

	return p && got == d->len ? p : NULL;
}

/* Fetches the first bytes of @d's buffer ahead: a batch's worth of cache lines
 * that the guest's core holds arrives together instead of one after the
 * other.  A header and 64 bytes of frame are two lines. */
static inline void split_prefetch(
    const struct virtq *vq, const struct shared_desc *d, bool to_write)
{
	uint32_t got;
	const uint8_t *p = vhost_memory_at(vq->mem, d->addr, d->len, &got);

	if (!p)
		return;
	if (to_write) {
		__builtin_prefetch(p, 1);
		__builtin_prefetch(p + SPLIT_LINE, 1);
	} else {
		__builtin_prefetch(p, 0);
		__builtin_prefetch(p + SPLIT_LINE, 0);
	}
}

/* Fills the used element @k places after the next one. */
static inline void split_use(
    const struct virtq *vq, unsigned k, uint16_t head, uint32_t len)
{
	struct vring_used_elem *u =
	    &vq->used->ring[(vq->next_used + k) & (vq->size - 1)];

	u->id = head;
	u->len = len;
}

/* Adds the buffers of entry @e to @g until it holds @want bytes or the chain
 * ends; nothing beyond them is noted.  All must have the @direction
 * (VRING_DESC_F_WRITE or 0).  Returns how the chain broke the rules, or
 * VIRTQ_NONE. (virtio 1.2, 2.7.5) */
enum virtq_fault split_gather(struct split_gather *g, const struct virtq *vq,
    const struct split_entry *e, uint16_t direction, uint32_t want);

/* Publishes the @n used elements just filled; notifies if asked to. */
void split_publish(struct virtq *vq, unsigned n, struct port_worker *w);

#endif
