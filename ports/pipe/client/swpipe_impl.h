/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swpipe_impl.h - what the files of libswpipe share.
 *
 * One region holds everything, and nothing in it is ever believed:
 *
 *	ring 0 to server | ring 0 to client | ring 1 ... | buffers, likewise
 *
 * Buffer i of a ring belongs to slot i for ever, so an address is computed,
 * never read from a descriptor; of what the server writes only tail, and of
 * a descriptor len and flags, are used, and checked.  Descriptors are written
 * anew, whole, each time that a slot is handed over.
 *
 * Life: swpipe_open() ─► any number of batches ─► swpipe_close().
 * Threads: see swpipe.h.  Each side of a queue has a structure of its own,
 * on cache lines of its own.
 * Ownership: the pipe owns its queues, the memory and all descriptors.
 */
#ifndef PORTS_PIPE_CLIENT_SWPIPE_IMPL_H
#define PORTS_PIPE_CLIENT_SWPIPE_IMPL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "ports/pipe/client/swpipe.h"
#include "ports/pipe/memif.h"

enum {
	SWPIPE_QUEUES_MAX = 256,
	SWPIPE_LOG2_SLOTS_MIN = 3, /* rings keep to their own cache lines */
	SWPIPE_BUF_SIZE_MIN = 64,
	SWPIPE_BUF_SIZE_MAX = 65536,
};

/* One side of a queue: the ring, and how far this side has got.  To the
 * server, [tail, head) is on its way; to the client, [released, peeked) is in
 * the hands of the application and [peeked, tail) is still to be taken. */
struct swpipe_side {
	struct memif_ring *ring;
	uint8_t *bufs;	     /* of slot 0 ... */
	uint32_t buf_offset; /* ... and where that is in the region */
	uint32_t stride;     /* from one slot's buffer to the next, bytes */
	uint32_t buf_size;   /* bytes of it that are offered */
	uint16_t mask;	     /* slots - 1 */
	uint16_t head;	     /* as published: sent, or released */
	uint16_t peeked;
	uint16_t tail; /* as last read */
	bool armed;
	int event_fd;	 /* by which the sender wakes the receiver */
	uint32_t broken; /* atomic */
} __attribute__((aligned(64)));

struct swpipe_queue {
	struct swpipe_side rx, tx;
	struct swpipe *pipe;
	int poll_fd; /* an epoll set: rx.event_fd and the socket */
} __attribute__((aligned(64)));

struct swpipe {
	int fd; /* the socket */
	int memory_fd;
	uint8_t *memory;
	size_t memory_size;
	unsigned n_queues, log2_slots, buf_size;
	struct swpipe_queue *queue;
	pthread_mutex_t lock; /* of the socket and what follows */
	int ended;	      /* -errno, once there is no server any more */
	char why[SWPIPE_ERR_SIZE];
};

/* Writes the sentence to @err, if that is not NULL, and returns @code. */
int swpipe_fail(char *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Creates the memory for what was agreed upon, and the queues with their
 * descriptors; unmap frees them.  Rings are idle and all zero but for their
 * cookies. */
int swpipe_map(struct swpipe *p, char *err);
void swpipe_unmap(struct swpipe *p);

/* Lays out one side over the ring at @ring_offset and its buffers from
 * @buf_offset; p->memory is there. */
void swpipe_side_init(struct swpipe_side *s, const struct swpipe *p,
    size_t ring_offset, size_t buf_offset);

/* Offers all buffers of the ring to the client: the server is connected, and
 * has no longer a reason to set the indices to zero. */
void swpipe_rx_start(struct swpipe_side *rx);

/* Talks to the server on the connected socket p->fd until both agree and the
 * memory is mapped on both sides. */
int swpipe_handshake(
    struct swpipe *p, const struct swpipe_options *o, char *err);

/* Tells the server that we go. */
void swpipe_goodbye(struct swpipe *p);

/* Reads what the server has to say, without waiting; returns 0 or -errno with
 * p->why set.  p->lock is held. */
int swpipe_listen(struct swpipe *p);

#endif
