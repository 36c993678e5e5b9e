/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vring.h - the driver side of a virtqueue, split or packed (virtio 1.2, 2.7
 * and 2.8).
 *
 * The ring as it lies in guest memory is open: hostile tests write what they
 * like there.  A well-behaved driver uses the functions, which are the same
 * for both formats:
 *
 *	add ──► publish ──► kick        (buffers go to the device)
 *	reap or wait, then reap         (and come back)
 *
 *   driver                                     device
 *	split: desc[], avail->ring[i], then
 *	packed: all but the first new head's flags, then
 *	(A) release avail->idx or flags ──►     acquire, reads entries
 *	(B) full fence, the device's wish       its wish, full fence, looks
 *	acquire used->idx or flags      ◄──     (C) release used->idx or flags
 *	(D) the driver's wish, full fence       full fence, the driver's wish
 *
 * (B) and (D) are the store-load orderings without which a kick or a call is
 * lost (virtio 1.2, 2.7.13.4.1, 2.7.14 and 2.8.21.3.1).
 *
 * The three parts lie at the smallest alignments that 2.7 and 2.8 allow, and
 * no larger ones, so that a device which expects more of them is found out.
 * For the same reason buffer ids of a packed ring are no positions in it, and
 * are nonsense in all but the last descriptor of a chain (2.8.6).
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
	uint16_t n;    /* descriptors of the ring; 0: not in use */
	uint16_t next; /* packed: the next free id */
};

/* A place in a packed ring, with the wrap counter of the lap (2.8.1). */
struct guest_place {
	uint16_t at;
	bool wrap;
};

struct guest_vring {
	struct guest_memory *mem;
	const struct guest_vring_format *format;
	uint16_t size; /* descriptors; of a split ring a power of two */
	bool event_idx;
	bool in_order; /* split: the device may return several as one (2.7.9) */
	uint64_t desc_gpa, avail_gpa, used_gpa; /* packed: both event areas */
	int kick_fd, call_fd, err_fd;		/* eventfds, ours */

	/* The ring itself; what the other format has is NULL. */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_packed_desc *packed;
	struct vring_packed_desc_event *driver_event, *device_event;

	/* Counted in entries if split, in descriptors if packed. */
	uint16_t next_avail;	      /* what publish() will have published */
	uint16_t published;	      /* what it has */
	uint16_t kicked;	      /* up to where the device was told */
	uint16_t next_used;	      /* split: of the next entry to reap */
	struct vring_used_elem batch; /* in_order: what it is in; or NONE */

	/* Packed: where both go on, and the head that publish() shows. */
	struct guest_place avail_at, used_at;
	struct vring_packed_desc *first;
	uint16_t first_flags;

	uint32_t first_base;	   /* what base() said at the last restart */
	uint16_t n_free;	   /* descriptors */
	uint16_t free_head;	   /* split: through desc[].next; packed: id */
	struct guest_chain *chain; /* by head, or by id */
	uint64_t *indirect_gpa;	   /* a table for each head or id */
	uint64_t n_kicks, n_calls;
	uint64_t n_bad; /* what the device wrote and made no sense */
};

/* Makes a ring of @size descriptors in @mem that starts at entry @first of
 * both rings; in a packed ring that is @first descriptors from the beginning
 * of the first lap.  Returns 0 or -ENOMEM. */
int guest_vring_init(struct guest_vring *r, struct guest_memory *mem,
    bool packed, uint16_t size, uint16_t first);
void guest_vring_fini(struct guest_vring *r);

/* Takes every buffer back and starts at entry @first, as after a reset. */
void guest_vring_restart(struct guest_vring *r, uint16_t first);

/* What SET_VRING_BASE is to say so that the device goes on behind the last
 * chain that it returned, and what GET_VRING_BASE says of a device that has
 * returned all it took (vhost-user, "Vring descriptor indices"). */
uint32_t guest_vring_base(const struct guest_vring *r);

/* Adds the chain b[0..n), as an indirect table if @indirect, under @cookie.
 * The device sees it after publish().  Returns the head's index or the
 * buffer's id, or -ENOSPC when too few descriptors are free. */
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

/* The event fields at the ends of a split ring (virtio 1.2, 2.7.10). */
static inline uint16_t *guest_vring_used_event(struct guest_vring *r)
{
	return &r->avail->ring[r->size];
}

static inline uint16_t *guest_vring_avail_event(struct guest_vring *r)
{
	return (uint16_t *)&r->used->ring[r->size];
}

#endif
