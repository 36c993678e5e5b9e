/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed.c - a packed ring's end of a batch, and notifications both ways.
 *
 * The driver looks at the slots in order, so that whatever is written behind
 * the first one stays unseen until the first one is.
 */
#include <assert.h>

#include "ports/vhost/inflight.h"
#include "ports/vhost/packed.h"
#include "ports/vhost/virtq_log.h"

/* What is to be in a slot to return *r, with the bits @turn: id and length are
 * where the slot has them, and the flags where *r has the number of slots. */
static inline uint64_t returned(const struct virtq_return *r, uint64_t turn)
{
	uint64_t v;

	static_assert(sizeof(*r) == sizeof(v) &&
			  offsetof(struct virtq_return, id) == sizeof(r->len),
	    "as in a slot");
	memcpy(&v, r, sizeof(v));
	v &= UINT64_MAX >> 16;
	return v | (r->len ? turn | VRING_DESC_F_WRITE : turn) << 48;
}

static inline void put(
    struct virtq *vq, uint16_t place, const struct virtq_return *r)
{
	shared_store_u64(&vq->slot[place & PACKED_INDEX].len,
	    returned(r, packed_used_at(place)));
}

/* Marks the slots of a chain behind its first one at @place.  Returns the
 * place behind the last. */
static __attribute__((noinline)) uint16_t mark_slow(
    struct virtq *vq, uint16_t place, unsigned n_slots)
{
	while (--n_slots) {
		place = packed_place(vq, place, 1);
		packed_turn(vq, place, packed_used_at(place));
	}
	return packed_place(vq, place, 1);
}

static inline uint16_t mark(struct virtq *vq, uint16_t place, unsigned n_slots)
{
	if (__builtin_expect(n_slots > 1, 0))
		return mark_slow(vq, place, n_slots);
	return packed_place(vq, place, 1);
}

/* All but that the first slot is shown to the driver: says in it what it will
 * say and that it does, then marks and fills the others, in order and of each
 * chain the first one last.  So whoever finds the ring like this knows from the
 * first slot what to end, and every chain behind it is returned or untouched.
 * Returns the place behind all. */
static inline uint16_t prepare(
    struct virtq *vq, const struct virtq_return r[], unsigned n)
{
	uint16_t place = vq->next_used;
	uint64_t turn = packed_available_at(place) | PACKED_RETURNING;

	if (r[0].n_slots > 1)
		turn |= VRING_DESC_F_NEXT;
	shared_store_u64(
	    &vq->slot[place & PACKED_INDEX].len, returned(&r[0], turn));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	place = mark(vq, place, r[0].n_slots);
	for (unsigned i = 1; i < n; i++) {
		uint16_t next = mark(vq, place, r[i].n_slots);

		put(vq, place, &r[i]);
		place = next;
	}
	return place;
}

/* Slots from place @a on to place @b, which may be in the next round. */
static uint32_t distance(const struct virtq *vq, uint16_t a, uint16_t b)
{
	uint32_t rounds = (a ^ b) & PACKED_WRAP ? vq->size : 0;
	uint32_t d = (b & PACKED_INDEX) - (a & PACKED_INDEX) + rounds;

	return d < 2 * vq->size ? d : d + 2 * vq->size;
}

static __attribute__((noinline)) void log_slow(
    const struct virtq *vq, const struct virtq_log *l, uint16_t first)
{
	virtq_log_slots(
	    vq, l, first & PACKED_INDEX, distance(vq, first, vq->next_used));
}

void packed_return(struct virtq *vq, const struct virtq_return r[], unsigned n)
{
	const struct virtq_log *l = virtq_log(vq);
	uint16_t first = vq->next_used, place = packed_place(vq, first, 1);

	if (n > 1 || r[0].n_slots > 1)
		place = prepare(vq, r, n);
	inflight_note_packed(vq, place, first);
	shared_store_u64_release(&vq->slot[first & PACKED_INDEX].len,
	    returned(&r[0], packed_used_at(first))); /* (B) */
	inflight_note_packed(vq, place, place);
	vq->next_used = place;
	if (__builtin_expect(l != NULL, 0))
		log_slow(vq, l, first);
}

/* Whether the guest wants to hear of slots [old, new) (virtio 1.2, 2.8.10). */
static bool call_is_wanted(const struct virtq *vq, uint16_t old, uint16_t new)
{
	uint32_t event, flags;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* (C) */
	event = shared_poll_u32(vq->driver_event);
	flags = event >> 16;
	if (flags == VRING_PACKED_EVENT_FLAG_DESC && vq->event_idx)
		return distance(vq, old, (uint16_t)event) <
		       distance(vq, old, new);
	return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
}

void packed_call(struct virtq *vq, struct port_worker *w)
{
	uint16_t old = vq->signalled;

	vq->signalled = vq->next_used;
	if (vq->call_fd < 0 || !call_is_wanted(vq, old, vq->signalled))
		return;
	if (!virtq_call(vq, w))
		vq->signalled = old;
}

static void say(struct virtq *vq, uint16_t place, uint32_t flags)
{
	shared_store_u32(vq->device_event, flags << 16 | place);
	virtq_log_used(vq, 0, sizeof(*vq->device_event));
}

void packed_kicks_off(struct virtq *vq)
{
	say(vq, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
}

void packed_kicks_on(struct virtq *vq)
{
	if (vq->event_idx)
		say(vq, vq->next_avail, VRING_PACKED_EVENT_FLAG_DESC);
	else
		say(vq, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
}

bool packed_is_empty(const struct virtq *vq)
{
	struct packed_desc d;

	return !packed_load(vq, vq->next_avail, &d);
}
