/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split.c - the light guest's split ring (virtio 1.2, 2.7).
 *
 * Descriptors and available ring are written once; a lap later they say what
 * they have to say again, unless the device has changed the order.
 */
#include "bench/parts/ring.h"

void split_init(struct ring *r)
{
	for (uint32_t i = 0; i < r->size; i++) {
		r->split.desc[i] = (struct vring_desc){
		    .addr = ring_buffer_gpa(r, i),
		    .len = r->offered,
		    .flags = r->receives ? VRING_DESC_F_WRITE : 0,
		};
		r->split.avail->ring[i] = (uint16_t)i;
	}
	r->order = r->split.avail->ring;
	/* We poll.  With EVENT_IDX used_event counts instead, and lies behind:
	 * one call in 65536 buffers. */
	r->split.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	if (r->event_idx)
		r->split.avail->ring[r->size] = UINT16_MAX;
}

/* Reads the used entries of the next @n places. */
static void read_entries(struct ring *r, uint32_t len[], unsigned n)
{
	uint32_t bad = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t at = (r->taken + i) & r->mask;
		struct vring_used_elem e = r->split.used->ring[at];

		bad |=
		    (uint32_t)(e.id > r->mask) | (uint32_t)(e.len > r->offered);
		if (r->order[at] != e.id)
			r->order[at] = (uint16_t)(e.id & r->mask);
		if (len)
			len[i] = e.len;
	}
	if (bad)
		r->fault = "a used entry names no buffer, or too long a one";
}

unsigned split_take(struct ring *r, uint32_t len[], unsigned max)
{
	uint16_t idx = __atomic_load_n(&r->split.used->idx, __ATOMIC_ACQUIRE);
	unsigned n = (uint16_t)(idx - r->taken);

	if (__builtin_expect(n > r->given - r->taken || r->fault, 0)) {
		if (!r->fault)
			r->fault = "more buffers were used than are available";
		return 0;
	}
	if (n > max)
		n = max;
	if (r->receives || !r->in_order)
		read_entries(r, len, n);
	r->taken += n;
	return n;
}

void split_give(struct ring *r, unsigned n)
{
	__atomic_store_n(
	    &r->split.avail->idx, (uint16_t)(r->given + n), __ATOMIC_RELEASE);
}

bool split_kick_wanted(const struct ring *r)
{
	uint16_t *event = (uint16_t *)&r->split.used->ring[r->size];

	if (r->event_idx)
		return vring_need_event(
		    __atomic_load_n(event, __ATOMIC_RELAXED),
		    (uint16_t)r->given, (uint16_t)r->told);
	return !(__atomic_load_n(&r->split.used->flags, __ATOMIC_RELAXED) &
		 VRING_USED_F_NO_NOTIFY);
}

void split_calls_on(struct ring *r)
{
	r->split.avail->flags = 0;
}
