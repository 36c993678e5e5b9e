/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swpipe.h - frames to and from a switch, through shared memory.
 *
 * The client side of memif 2.0, as spoken by swd's pipe ports, by DPDK's
 * net_memif and by VPP.  Frames are read and written where they lie; nothing
 * is copied on this side.  swpipe(3) has the whole story and an example.
 *
 * Threads: each queue has two sides, rx and tx, and each side belongs to one
 * thread at a time; swpipe_check() is for any thread, the rest for one.
 */
#ifndef SWPIPE_H
#define SWPIPE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct swpipe;
struct swpipe_queue;

#define SWPIPE_ERR_SIZE 256 /* bytes of a sentence */

struct swpipe_options {	    /* 0, NULL: the default */
	const char *socket; /* path, or "@NAME" for an abstract name */
	const char *secret; /* up to 24 bytes */
	const char *name;   /* what to be called by the other side */
	uint32_t id;	    /* interface behind the socket */
	unsigned n_queues;  /* wanted: 1 */
	unsigned n_slots;   /* wanted, of each ring: 1024 */
	unsigned buf_size;  /* of each slot, bytes: 2048 */
	unsigned wait_ms;   /* for a server that is not there yet: 0 */
};

struct swpipe_buf { /* a frame, or a part of one */
	uint8_t *data;
	uint32_t len;  /* bytes of frame; room, as reserved */
	uint32_t more; /* 1: the frame goes on in the next of the array */
};

/* Connects.  Returns 0, or -errno with a sentence in @err (may be NULL). */
int swpipe_open(struct swpipe **p, const struct swpipe_options *o, char *err);

/* Says goodbye and frees everything, buffers and queues included. */
void swpipe_close(struct swpipe *p);

/* How many queues were agreed upon; queue @i of them. */
unsigned swpipe_n_queues(const struct swpipe *p);
struct swpipe_queue *swpipe_queue(struct swpipe *p, unsigned i);

/* Slots of each of the queue's rings, and bytes of each slot's buffer. */
unsigned swpipe_n_slots(const struct swpipe_queue *q);
unsigned swpipe_buf_size(const struct swpipe_queue *q);

/* Returns 0 while the pipe is good; else -errno, with a sentence in @err. */
int swpipe_check(struct swpipe *p, char *err);

/* Puts the next whole frames into b[0..max).  They stay readable until
 * released.  Returns how many parts, 0 if there is none, -EMSGSIZE if one
 * frame alone has more than @max parts, -EPROTO if the ring is broken. */
int swpipe_rx_peek(struct swpipe_queue *q, struct swpipe_buf b[], unsigned max);

/* Gives back the oldest @n parts that were peeked. */
void swpipe_rx_release(struct swpipe_queue *q, unsigned n);

/* Puts up to @n free buffers into b[0..n): the same ones again, until some
 * are submitted.  Returns how many; 0: the ring is full, or broken. */
unsigned swpipe_tx_reserve(
    struct swpipe_queue *q, struct swpipe_buf b[], unsigned n);

/* Sends the first @n reserved buffers, whole frames, after the caller set
 * len (up to the room) and more, and notifies the other side if it asked. */
void swpipe_tx_submit(
    struct swpipe_queue *q, const struct swpipe_buf b[], unsigned n);

/* What to poll for POLLIN: readable if the queue is armed and has frames, or
 * if the pipe has ended.  Never read it. */
int swpipe_fd(const struct swpipe_queue *q);

/* Asks to be notified, until the next swpipe_rx_peek().  Returns 1 if there
 * are no frames, so that one may sleep; 0 if there are; -errno if the pipe has
 * ended. */
int swpipe_arm(struct swpipe_queue *q);

/* Sleeps up to @timeout_ms (-1: for ever) until there are frames.  Returns 1
 * if there are, 0 if not, -errno if the pipe has ended. */
int swpipe_wait(struct swpipe_queue *q, int timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
