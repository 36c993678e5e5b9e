/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split.h - what both directions of a split virtqueue have in common.
 *
 * An entry is an element of the available ring with the first descriptor of
 * its chain, fetched.  Most chains end there, or one descriptor later; the
 * others are walked to their end, or to as many bytes as are wanted, and their
 * buffers gathered.
 *
 * Threads: the worker that serves the queue.
 */
#ifndef PORTS_VHOST_SPLIT_H
#define PORTS_VHOST_SPLIT_H

#include "ports/vhost/buffer.h"

struct split_entry {
	struct shared_desc d;
	uint8_t __peer *at; /* where its buffer is whole, or NULL */
	uint16_t head;	    /* not checked */
};

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

/* Fetches the entry @k places after the next one to take. */
static inline void split_fetch(struct split_entry *e, const struct virtq *vq,
    struct buffer_window *win, unsigned k)
{
	uint32_t mask = vq->size - 1;
	uint16_t head =
	    shared_load(&vq->avail->ring[(vq->next_avail + k) & mask]);
	struct shared_desc d = shared_load_desc(&vq->desc[head & mask]);

	e->d = d;
	e->at = buffer_find(win, vq->mem, d.addr, d.len);
	e->head = head;
}

/* Fetches the next @n entries, and their buffers ahead. */
static inline void split_fetch_all(
    struct split_entry e[], const struct virtq *vq, unsigned n, bool to_write)
{
	struct buffer_window win = {0};

	for (unsigned k = 0; k < n; k++) {
		shared_chain(k);
		split_fetch(&e[k], vq, &win, k);
		buffer_prefetch(e[k].at, to_write);
	}
}

/* Fills the used element @k places after the next one. */
static inline void split_use(
    const struct virtq *vq, unsigned k, uint16_t head, uint32_t len)
{
	struct vring_used_elem __peer *u =
	    &vq->used->ring[(vq->next_used + k) & (vq->size - 1)];

	shared_store_u32(&u->id, head);
	shared_store_u32(&u->len, len);
}

/* Adds the buffers of entry @e to @g until it holds @want bytes or the chain
 * ends; nothing beyond them is noted.  All must have the @direction
 * (VRING_DESC_F_WRITE or 0).  The descriptor that the first one links to, if
 * it was fetched, is *second; else NULL.  Returns how the chain broke the
 * rules, or VIRTQ_NONE. (virtio 1.2, 2.7.5) */
enum virtq_fault split_gather(struct gather *g, const struct virtq *vq,
    const struct split_entry *e, const struct shared_desc *second,
    uint16_t direction, uint32_t want);

/* Publishes the @n used elements just filled; notifies if asked to. */
void split_publish(struct virtq *vq, unsigned n, struct port_worker *w);

/* As virtq.h has them. */
unsigned split_rx(struct virtq *vq, struct batch *b, struct port_worker *w);
void split_rx_done(struct virtq *vq, struct port_worker *w);
void split_tx(struct virtq *vq, struct frame *const f[], unsigned n,
    struct port_worker *w);

/* Notifications from the guest, off and on. */
void split_kicks_off(struct virtq *vq);
void split_kicks_on(struct virtq *vq);
bool split_is_empty(const struct virtq *vq);

/* Control; @vq is not live. */
void split_start(struct virtq *vq);

#endif
