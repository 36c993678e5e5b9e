/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue.h - one queue of a tap interface: a frame by readv, a frame by writev.
 *
 * Frames are read straight into packet memory.  How long the next one is
 * nobody knows before it is read, so there is always room for the longest:
 *
 *	 iov[0]     iov[1]               iov[2]          iov[TAP_SLOTS]
 *	+--------+ +----+-------------+ +-----------+   +-----------+
 *	| header | |room| head        | | segs[0]   |...| segs[...] |
 *	+--------+ +----+-------------+ +-----------+   +-----------+
 *	            one slot each
 *
 * A frame leaves with the slots that it fills, from the front, and only these
 * are replaced before the next read: one for an ordinary frame.  That the
 * kernel is shown all places for it costs nothing that could be measured.
 * (It cuts what does not fit without a word; a frame that fills all the room
 * is therefore refused, and the room is more than a frame may have.)
 *
 * Life: init with a descriptor, fini.  Ownership: the queue owns descriptor
 * and prepared slots; fini needs a pool_cache to give the latter back.
 * Threads: rx by the worker that owns the queue; tx by one worker at a time;
 * init and fini by control, while neither runs.
 */
#ifndef PORTS_TAP_QUEUE_H
#define PORTS_TAP_QUEUE_H

#include <sys/uio.h>

#include "ports/port.h"

enum {
	TAP_HEAD_ROOM = POOL_FRAME_SIZE - FRAME_HEADROOM,
	TAP_SLOTS = 1 + (FRAME_LEN_MAX - TAP_HEAD_ROOM) / POOL_FRAME_SIZE + 1,
};

struct tap_queue {
	struct port *port; /* whose accepts hold, and whom to raise */
	int fd;		   /* non-blocking */

	/* The worker that reads. */
	bool drained;	   /* the last read found the queue empty */
	uint8_t n_missing; /* iov[1..n_missing] have no slot */
	struct virtio_net_hdr hdr;
	struct iovec iov[1 + TAP_SLOTS];

	uint32_t raised; /* atomic: control was told that something is odd */
} __attribute__((aligned(64)));

/* Takes over @fd, or any descriptor that keeps messages apart. */
void tap_queue_init(struct tap_queue *q, struct port *port, int fd);

/* Closes the descriptor and puts the prepared slots into @cache. */
void tap_queue_fini(struct tap_queue *q, struct pool_cache *cache);

/* As ops->rx, ops->tx and ops->arm.  An interface that is no more is reported
 * by env->raise(), once until tap_queue_listen(). */
unsigned tap_queue_rx(
    struct tap_queue *q, struct batch *b, struct port_worker *w);
void tap_queue_tx(struct tap_queue *q, struct frame *const f[], unsigned n,
    struct port_worker *w);
bool tap_queue_arm(const struct tap_queue *q);

/* Control has looked: the next oddity is to be reported again. */
void tap_queue_listen(struct tap_queue *q);

#endif
