/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - a virtqueue as the front end describes it, and when it runs.
 *
 *	             memory, size, addresses, kick, SET_FEATURES all known
 *	 stopped ────────────────────────────────────────────────► running
 *	    ▲                                                         │
 *	    └── GET_VRING_BASE; one of them taken away or changed ────┘
 *
 * A running ring that is disabled does nothing on the way to the guest, and
 * throws away what the guest sends (vhost-user, "Ring states").
 *
 * Whatever changes a ring, or the memory that it lies in, goes
 *
 *	pause ──► change ──► resume
 *
 * where pause returns when no worker is in the ring, and resume starts every
 * ring that can run.
 *
 * Threads: control.
 */
#ifndef PORTS_VHOST_RING_H
#define PORTS_VHOST_RING_H

#include "ports/vhost/message.h"
#include "ports/vhost/virtq_log.h"

struct vhost_port;

struct vhost_ring {
	struct virtq vq; /* the workers', while the ring runs */
	bool discard;	 /* read by workers: enabled is off */

	bool running;
	bool has_addr, has_kick, enabled;
	bool base_is_ours; /* base is where we stopped */
	uint16_t base;	   /* place to go on at (struct virtq) */
	uint32_t num;	   /* descriptors, 0: not known */
	/* Of a packed ring: slots, driver's and device's event structures. */
	uint64_t desc_user, avail_user, used_user;
	int err_fd;
	/* Of its writes (ring_log.h). */
	bool log_ring;	    /* of those to the ring, too ... */
	uint64_t log_guest; /* ... as if its used part began here */
	struct virtq_log log[2];
} __attribute__((aligned(128))); /* two workers never share a line */

/* @n stopped rings without anything known; NULL: no memory. */
struct vhost_ring *vhost_rings_new(unsigned n);

/* Closes what the rings own, and frees them. */
void vhost_rings_free(struct vhost_ring *ring, unsigned n);

/* Takes rings [first, first + n) off the workers and notes where they
 * stopped.  They run again only after vhost_rings_resume(). */
void vhost_rings_pause(struct vhost_port *p, unsigned first, unsigned n);

/* Starts every stopped ring that can run, sets the port's state and
 * publishes.  VHOST_DONE, or VHOST_BROKEN: a ring lies where it cannot
 * (virtio 1.2, 2.7, 2.8), "ring_addr", or is of a size or at a place that it
 * cannot be, "ring_size", "ring_base". */
enum vhost_outcome vhost_rings_resume(struct vhost_port *p);

/* Finds out of each running ring, in which another process has been meanwhile,
 * where to go on; no worker is in any. */
void vhost_rings_rewind(struct vhost_port *p);

/* Forgets all about a stopped ring, except its call descriptor if @keep_call
 * and whether it is enabled. */
void vhost_ring_forget(struct vhost_ring *ring, bool keep_call);

/* Makes @fd (-1: none) the ring's in place of *slot, which is closed. */
void vhost_ring_set_fd(int *slot, int fd);

/* Bytes of the part that the device alone writes: used ring or event structure
 * (virtio 1.2, 2.7 and 2.8). */
uint64_t vhost_ring_used_size(
    const struct vhost_port *p, const struct vhost_ring *ring);

/* Tells the front end that its rings are broken, where it asked to be told. */
void vhost_rings_signal_error(struct vhost_port *p);

/* The doorbell of the control thread: opened with the first port, closed with
 * the last. */
int vhost_bell_get(struct err *e);
void vhost_bell_put(void);

#endif
