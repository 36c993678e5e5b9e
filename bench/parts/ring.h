/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - the driver side of a virtqueue for a guest that is not to be the
 * limit.
 *
 * A ring has one buffer for each of its places, laid out once.  Buffers go to
 * the device and come back in the order of the places, round and round, so all
 * that changes is two numbers, which count for ever:
 *
 *	   taken                     given             taken + size
 *	     │ ── the device's ─────── │ ── ours ──────── │
 *	place k lies at k & mask, in lap k >> shift
 *
 * A device that returns buffers in another order (without IN_ORDER it may)
 * only changes which buffer has which place: order[] says so, and is what the
 * next lap gives.  In a split ring, order[] is the available ring itself.
 *
 * What a batch of n costs, in cache lines that the device also uses:
 *
 *	          split                         packed
 *	take      used->idx; n / 8 of used      n / 4 of the descriptors
 *	          entries (none if IN_ORDER
 *	          and the ring transmits)
 *	give      avail->idx, after the first   n / 4 of the descriptors
 *	          lap
 *	kick      used->flags, in the line of   the device's event line
 *	          used->idx, or avail_event
 *
 * and none for a buffer, which is for whoever fills or reads it.
 *
 * Life: card.h makes them.  Threads: one.
 */
#ifndef BENCH_PARTS_RING_H
#define BENCH_PARTS_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

enum { RING_SIZE_MAX = 32768, RING_BATCH_MAX = 256 };

struct ring_split {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

struct ring_packed {
	struct vring_packed_desc *desc;
	struct vring_packed_desc_event *driver, *device;
};

struct ring {
	/* Does not change while the card is up. */
	bool is_packed, in_order, event_idx, receives;
	uint32_t size, mask, shift; /* places: a power of two */
	uint32_t offered; /* bytes of a buffer, as the device is told */
	uint32_t stride;  /* bytes from one buffer to the next */
	uint8_t *data;
	uint64_t data_gpa;
	union {
		struct ring_split split;
		struct ring_packed packed;
	};
	uint16_t *order;
	int kick_fd, call_fd;

	uint32_t given, taken;
	uint32_t told; /* `given` when a kick was last thought of */
	uint64_t n_kicks;
	const char *fault; /* what the device did wrong, or NULL */
};

void split_init(struct ring *r);
unsigned split_take(struct ring *r, uint32_t len[], unsigned max);
void split_give(struct ring *r, unsigned n);
bool split_kick_wanted(const struct ring *r);
void split_calls_on(struct ring *r);

void packed_init(struct ring *r);
unsigned packed_take(struct ring *r, uint32_t len[], unsigned max);
void packed_give(struct ring *r, unsigned n);
bool packed_kick_wanted(const struct ring *r);
void packed_calls_on(struct ring *r);

/* Takes up to @max buffers back, from place r->taken on; the caller need not
 * know, but may: len[0..n) gets their used lengths unless it is NULL.  Returns
 * n; 0 for ever once the device has broken a rule (r->fault). */
static inline unsigned ring_take(struct ring *r, uint32_t len[], unsigned max)
{
	return r->is_packed ? packed_take(r, len, max)
			    : split_take(r, len, max);
}

/* Has the device call for each buffer that it returns; not with event_idx. */
static inline void ring_calls_on(struct ring *r)
{
	if (r->is_packed)
		packed_calls_on(r);
	else
		split_calls_on(r);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Gives the device the next @n (at most ring_idle()) buffers, at once. */
static inline void ring_give(struct ring *r, unsigned n)
{
	if (r->is_packed)
		packed_give(r, n);
	else
		split_give(r, n);
	r->given += n;
}

/* How many buffers are ours. */
static inline unsigned ring_idle(const struct ring *r)
{
	return r->size - (r->given - r->taken);
}

static inline uint32_t ring_buffer_no(const struct ring *r, uint32_t place)
{
	return r->order[place & r->mask];
}

static inline uint64_t ring_buffer_gpa(const struct ring *r, uint32_t no)
{
	return r->data_gpa + (uint64_t)no * r->stride;
}

/* The buffer of @place: the virtio-net header, and behind it the frame. */
static inline uint8_t *ring_buffer(const struct ring *r, uint32_t place)
{
	return r->data + (uint64_t)ring_buffer_no(r, place) * r->stride;
}

/* Tells the device of what was given since the last time, if it wants to be
 * told.  A full fence lies between the two: without it a device that is about
 * to sleep and a driver that looks whether it sleeps could miss each other
 * (virtio 1.2, 2.7.13.4.1 and 2.8.21.3.1). */
static inline void ring_kick(struct ring *r)
{
	static const uint64_t one = 1;
	bool wanted;

	if (r->told == r->given)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wanted = r->is_packed ? packed_kick_wanted(r) : split_kick_wanted(r);
	r->told = r->given;
	if (!wanted)
		return;
	r->n_kicks++;
	if (write(r->kick_fd, &one, sizeof(one)) != sizeof(one))
		r->fault = "the kick descriptor took no kick";
}

#endif
