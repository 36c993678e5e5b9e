/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vring.h - the driver side of a split virtqueue (virtio 1.2, 2.7).
 *
 * desc, avail and used are the ring as it lies in guest memory: hostile tests
 * write what they like there.  A well-behaved driver uses the functions:
 *
 *	add ──► publish ──► kick        (buffers go to the device)
 *	reap or wait, then reap         (and come back)
 *
 *   driver                                     device
 *	desc[], avail->ring[i]
 *	(A) release avail->idx          ──►     acquire, reads entries
 *	(B) full fence, avail_event/flags       full fence, avail->idx
 *	acquire used->idx               ◄──     (C) release used->idx
 *	(D) used_event/flags, full fence        full fence, reads used_event
 *
 * (B) and (D) are the store-load orderings without which a kick or a call is
 * lost (virtio 1.2, 2.7.13.4.1 and 2.7.14).
 *
 * The three parts lie at the smallest alignments that 2.7 allows, and no
 * larger ones, so that a device which expects more of them is found out.
 *
 * Life: init (allocates in guest memory), then use; restart() forgets what the
 * device had and begins anew; fini closes the descriptors.
 * Threads: one at a time.
 */
#ifndef TESTS_GUEST_VRING_H
#define TESTS_GUEST_VRING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/guest/memory.h"

enum {
	GUEST_VRING_BUFS_MAX = 64, /* buffers of one chain that add() takes */
	GUEST_VRING_NONE = 0xffff,
};

/* One buffer of a chain. */
struct guest_buf {
	uint64_t gpa;
	uint32_t len; /* bytes */
	bool in;      /* the device writes it */
};

/* What the driver remembers of a chain that the device has. */
struct guest_chain {
	uint64_t cookie;
	uint16_t n; /* descriptors in the ring's table; 0: not in use */
};

struct guest_vring {
	struct guest_memory *mem;
	uint16_t size; /* descriptors, a power of two */
	bool event_idx;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	int kick_fd, call_fd, err_fd; /* eventfds, ours */

	uint16_t n_free, free_head; /* chained through desc[].next */
	uint16_t next_avail;	    /* what publish() will write to idx */
	uint16_t published;	    /* what it has written */
	uint16_t kicked;	    /* up to where the device was told */
	uint16_t next_used;	    /* of the next entry to reap */
	struct guest_chain *chain;  /* by head */
	uint64_t *indirect_gpa;	    /* a table for each head */
	uint64_t n_kicks, n_calls;
	uint64_t n_bad; /* entries of the used ring that made no sense */
};

/* Makes a ring of @size descriptors in @mem that starts at entry @first of
 * both rings.  Returns 0 or -ENOMEM. */
int guest_vring_init(struct guest_vring *r, struct guest_memory *mem,
    uint16_t size, uint16_t first);
void guest_vring_fini(struct guest_vring *r);

/* Takes every buffer back and starts at entry @first, as after a reset. */
void guest_vring_restart(struct guest_vring *r, uint16_t first);

/* Adds the chain b[0..n), as an indirect table if @indirect, under @cookie.
 * The device sees it after publish().  Returns the head's index, or -ENOSPC
 * when too few descriptors are free. */
int guest_vring_add(struct guest_vring *r, const struct guest_buf b[],
    unsigned n, bool indirect, uint64_t cookie);

/* Shows the device everything that was added. */
void guest_vring_publish(struct guest_vring *r);

/* Tells the device, if it asked to be told of what was published since the
 * last time.  Returns whether it did. */
bool guest_vring_kick(struct guest_vring *r);

/* Tells the device in any case. */
void guest_vring_kick_always(struct guest_vring *r);

/* Whether the device has returned a chain that was not reaped. */
bool guest_vring_has_used(const struct guest_vring *r);

/* Takes one returned chain back: its cookie and how many bytes the device
 * says it wrote.  False: none, or one that makes no sense (n_bad). */
bool guest_vring_reap(struct guest_vring *r, uint64_t *cookie, uint32_t *len);

/* Asks for a call at the next returned chain, or for none.  arm() says whether
 * there is nothing to reap, so that sleeping is safe. */
bool guest_vring_arm(struct guest_vring *r);
void guest_vring_disarm(struct guest_vring *r);

/* Sleeps on the call descriptor until a chain can be reaped.  False: the time
 * was up; a call that the device forgot ends like this as well. */
bool guest_vring_wait(struct guest_vring *r, int timeout_ms);

/* The event fields at the ends of the rings (virtio 1.2, 2.7.10). */
static inline uint16_t *guest_vring_used_event(struct guest_vring *r)
{
	return &r->avail->ring[r->size];
}

static inline uint16_t *guest_vring_avail_event(struct guest_vring *r)
{
	return (uint16_t *)&r->used->ring[r->size];
}

#endif
