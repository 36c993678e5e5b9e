/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtq.h - a guest's virtqueue as the device side sees it.
 *
 * A virtqueue is a split ring or a packed one.  Which of them is asked once a
 * batch, in virtq.c; split.h and packed.h have the rest.
 *
 * The control thread fills in the first group of members while the queue is
 * not live, then lets workers at it.  A worker never trusts what it reads
 * from the ring: each value is read once into a local, checked, and only the
 * local is used.  A guest that breaks the rules of the ring gets its queue
 * marked broken by virtq_break(): from then on the queue is empty for rx and
 * a named drop for tx, until the control thread has taken the port apart.  The
 * batch in which the fault is found is finished; nothing follows it.
 *
 *	guest                                 device
 *	descriptors, ring[], then
 *	avail->idx (release)    ───(A)──►     avail->idx (acquire), then ring[]
 *	used->idx (acquire)     ◄──(B)───     payload, used ring[], then
 *	                                      used->idx (release)
 *	used_event or flags,    ◄──(C)──►     used->idx, full barrier,
 *	full barrier, used->idx               used_event or flags
 *	avail->idx, full        ◄──(D)──►     avail_event or flags, full
 *	barrier, avail_event                  barrier, avail->idx
 *
 * In a packed ring the flags of the first descriptor stand for both indices,
 * the driver's event structure for used_event, the device's for avail_event.
 *
 * (C) and (D): store, barrier, load on both sides, so that one of the two at
 * least sees the other's store and no notification is lost.
 *
 * Threads: one worker at a time for each queue; control only while not live.
 */
#ifndef PORTS_VHOST_VIRTQ_H
#define PORTS_VHOST_VIRTQ_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/port.h"
#include "ports/vhost/memory.h"

enum { VIRTQ_SIZE_MAX = 32768 };

/* Why a queue was broken; the name is the port's `reason`. */
#define VIRTQ_FAULTS(X)                                                        \
	X(NONE, "")                                                            \
	X(AVAIL_JUMP, "avail_jump")                                            \
	X(DESC_INDEX, "desc_index")                                            \
	X(DESC_LOOP, "desc_loop")                                              \
	X(DESC_ADDR, "addr")                                                   \
	X(DIRECTION, "direction")                                              \
	X(INDIRECT, "indirect")                                                \
	X(MEM_SHRUNK, "mem_shrunk")

enum virtq_fault {
#define X(id, name) VIRTQ_##id,
	VIRTQ_FAULTS(X)
#undef X
};

/* A chain on its way back to a packed ring. */
struct virtq_return {
	uint32_t len; /* bytes written */
	uint16_t id, n_slots;
};

struct virtq_log;

struct virtq {
	/* Written by control while the queue is not live. */
	const struct vhost_memory *mem;
	union {
		struct {
			struct vring_desc __peer *desc;
			struct vring_avail __peer *avail;
			struct vring_used __peer *used;
		};
		struct {
			struct vring_packed_desc __peer *slot;
			struct vring_packed_desc_event __peer *driver_event;
			struct vring_packed_desc_event __peer *device_event;
		};
	};
	struct port *port;
	uint32_t size;	      /* descriptors; of a split ring, a power of two */
	int kick_fd, call_fd; /* -1: none; the guest polls */
	uint8_t hdr_len;      /* virtio-net header: 10 or 12 bytes */
	bool packed, mergeable, indirect, event_idx, in_order;
	uint8_t allowed;       /* enum offload_bit that the guest negotiated */
	void __peer *inflight; /* notes for a successor (inflight.h), or NULL */

	/* Also while the queue is live: atomic, NULL: see virtq_log.h. */
	const struct virtq_log *log;

	/* Written by the worker that serves it, first by virtq_start().  Places
	 * in the ring: indices that count for ever, or in a packed ring the
	 * slot, and in bit 15 the wrap counter. */
	uint16_t next_avail; /* the next entry to take */
	uint16_t next_used;  /* the next entry to return */
	uint16_t signalled;  /* next_used at the last notification */
	bool armed;
	uint32_t fault;		   /* atomic enum virtq_fault */
	uint64_t n_kicks, n_calls; /* atomic: wake-ups, notifications */
	uint32_t n_taken;	   /* chains between rx and rx_done ... */
	union {
		uint16_t taken[BATCH_MAX]; /* ... and their heads, or */
		struct virtq_return returns[BATCH_MAX]; /* all of them */
	};
};

/* Readies @vq, whose first group of members is set, to go on at ring index
 * @base (a place, as next_avail) with notifications from the guest off.
 * Control; @vq is not live. */
void virtq_start(struct virtq *vq, uint16_t base);

/* Takes up to BATCH_MAX frames of guest queue @vq (a transmitq) into the
 * empty @b; frames are borrowed until virtq_rx_done().  Counts what it
 * refuses.  Returns how many chains it consumed; if any, the caller owes a
 * virtq_rx_done() even when @b stayed empty.  Worker. (virtio 1.2, 2.7.13) */
unsigned virtq_rx(struct virtq *vq, struct batch *b, struct port_worker *w);

/* Returns every chain that virtq_rx() took, in order, with length 0, and
 * notifies the guest if it asked for it (virtio 1.2, 2.7.8 to 2.7.10). */
void virtq_rx_done(struct virtq *vq, struct port_worker *w);

/* Copies f[0..n) into buffers of guest queue @vq (a receiveq), publishes
 * them at once, and notifies at most once.  Counts every frame: sent, or
 * dropped.  A frame for which there are too few or too small buffers takes
 * none.  Worker. (virtio 1.2, 5.1.6.3, 5.1.6.4) */
void virtq_tx(struct virtq *vq, struct frame *const f[], unsigned n,
    struct port_worker *w);

/* Notifications from the guest: on, with the answer whether the queue is
 * still empty; and off (virtio 1.2, 2.7.7, 2.7.10). */
bool virtq_arm(struct virtq *vq);
void virtq_disarm(struct virtq *vq);

/* Marks @vq broken for @why and raises its port.  Worker. */
void virtq_break(struct virtq *vq, enum virtq_fault why);

/* Tells the guest of what was just returned.  Returns false if it has to be
 * told again.  For the code of a ring format; worker. */
bool virtq_call(struct virtq *vq, struct port_worker *w);

static inline bool virtq_is_broken(const struct virtq *vq)
{
	return __atomic_load_n(&vq->fault, __ATOMIC_RELAXED);
}

/* Whether @vq may be served; breaks it if its memory went away.  Worker. */
static inline bool virtq_usable(struct virtq *vq)
{
	if (virtq_is_broken(vq))
		return false;
	if (!__atomic_load_n(&vq->mem->guard.broken, __ATOMIC_RELAXED))
		return true;
	virtq_break(vq, VIRTQ_MEM_SHRUNK);
	return false;
}

/* "avail_jump" for VIRTQ_AVAIL_JUMP. */
const char *virtq_fault_name(enum virtq_fault why);

#endif
