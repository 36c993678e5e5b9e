/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vring_packed.c - the driver side of a packed virtqueue (virtio 1.2, 2.8).
 *
 * One ring of descriptors for both sides, each of which goes round it and
 * counts its laps in one bit.  A descriptor is
 *
 *	available  if its AVAIL flag is the lap's bit and its USED flag is not
 *	used       if both are
 *
 * so that what was written a lap ago is neither.  Descriptors lie in the order
 * in which they were added, and so a free one is always the next; what needs a
 * list are the ids, and it is kept outside the ring.
 *
 * This driver is strict where drivers of the wild are not: the length that a
 * device says it wrote counts only with the WRITE flag (2.8.3), a wish that is
 * reserved or was not negotiated is nonsense (2.8.10).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "tests/guest/vring_format.h"

enum {
	F_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	F_USED = 1 << VRING_PACKED_DESC_F_USED,
	WRAP = 1 << VRING_PACKED_EVENT_F_WRAP_CTR,
	ID_NONSENSE = 0xbad0,
};

static int packed_alloc(struct guest_vring *r)
{
	uint64_t ring_size = sizeof(*r->packed) * r->size;
	uint64_t event_size = sizeof(struct vring_packed_desc_event);

	r->desc_gpa = guest_vring_alloc(r, ring_size, 16);
	r->avail_gpa = guest_vring_alloc(r, event_size, 4);
	r->used_gpa = guest_vring_alloc(r, event_size, 4);
	r->packed = guest_memory_at(r->mem, r->desc_gpa, ring_size);
	r->driver_event = guest_memory_at(r->mem, r->avail_gpa, event_size);
	r->device_event = guest_memory_at(r->mem, r->used_gpa, event_size);
	return r->packed && r->driver_event && r->device_event ? 0 : -ENOMEM;
}

static void advance(
    const struct guest_vring *r, struct guest_place *p, unsigned n)
{
	unsigned at = p->at + n;

	p->wrap ^= at >= r->size;
	p->at = (uint16_t)(at >= r->size ? at - r->size : at);
}

/* A place as SET_VRING_BASE and the event areas have it. */
static uint16_t encode(struct guest_place p)
{
	return (uint16_t)(p.at | (p.wrap ? WRAP : 0));
}

/* What the flags are of a descriptor that was used in the lap of @wrap. */
static uint16_t used_flags(bool wrap)
{
	return wrap ? F_AVAIL | F_USED : 0;
}

/* The ring as if all before @first had been used, one by one. */
static void packed_restart(struct guest_vring *r, uint16_t first)
{
	const struct guest_place p = {
	    (uint16_t)(first % r->size), !(first / r->size & 1)};

	for (uint16_t i = 0; i < r->size; i++) {
		r->packed[i] = (struct vring_packed_desc){
		    .flags = used_flags(i < p.at ? p.wrap : !p.wrap)};
		/* From the last to the first. */
		r->chain[i].next = (uint16_t)(i ? i - 1 : GUEST_VRING_NONE);
	}
	r->free_head = (uint16_t)(r->size - 1);
	r->avail_at = r->used_at = p;
	r->first = NULL;
	*r->driver_event = *r->device_event = (struct vring_packed_desc_event){
	    .flags = VRING_PACKED_EVENT_FLAG_ENABLE};
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static bool is_used(const struct guest_vring *r, struct guest_place p)
{
	uint16_t flags =
	    __atomic_load_n(&r->packed[p.at].flags, __ATOMIC_ACQUIRE); /* C */

	return (flags & (F_AVAIL | F_USED)) == used_flags(p.wrap);
}

/* The device returns chains in the order of the ring, so that what it has not
 * returned begins behind the last that it has. */
static uint32_t packed_base(const struct guest_vring *r)
{
	struct guest_place p = r->used_at;
	unsigned seen = 0;

	while (seen < r->size && is_used(r, p)) {
		uint16_t id = r->packed[p.at].id;
		unsigned n =
		    id < r->size && r->chain[id].n ? r->chain[id].n : 1;

		advance(r, &p, n);
		seen += n;
	}
	return encode(p) | (uint32_t)encode(p) << 16;
}

/* Writes the next descriptor; the first since publish() stays unavailable. */
static void put(struct guest_vring *r, uint64_t addr, uint32_t len, uint16_t id,
    uint16_t flags)
{
	struct vring_packed_desc *d = &r->packed[r->avail_at.at];

	d->addr = addr;
	d->len = len;
	d->id = id;
	flags |= r->avail_at.wrap ? F_AVAIL : F_USED;
	if (r->first) {
		__atomic_store_n(&d->flags, flags, __ATOMIC_RELAXED);
	} else {
		r->first = d;
		r->first_flags = flags;
	}
	advance(r, &r->avail_at, 1);
}

/* b[0..n) in the table of buffer @id.  Of the flags only WRITE means anything
 * there (2.8.7). */
static int put_indirect(
    struct guest_vring *r, uint16_t id, const struct guest_buf b[], unsigned n)
{
	struct vring_packed_desc *table = guest_vring_table(r, id);

	if (!table)
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++)
		table[i] = (struct vring_packed_desc){
		    .addr = b[i].gpa,
		    .len = b[i].len,
		    .id = ID_NONSENSE,
		    .flags = b[i].in ? VRING_DESC_F_WRITE : 0,
		};
	put(r, r->indirect_gpa[id], (uint32_t)(n * sizeof(*table)), id,
	    VRING_DESC_F_INDIRECT);
	return 0;
}

static void put_direct(
    struct guest_vring *r, uint16_t id, const struct guest_buf b[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		bool last = i + 1 == n;
		unsigned flags = b[i].in ? VRING_DESC_F_WRITE : 0;

		put(r, b[i].gpa, b[i].len, last ? id : ID_NONSENSE,
		    (uint16_t)(flags | (last ? 0 : VRING_DESC_F_NEXT)));
	}
}

static int packed_add(struct guest_vring *r, const struct guest_buf b[],
    unsigned n, bool indirect, uint64_t cookie)
{
	uint16_t id = r->free_head, next = r->chain[id].next;
	uint16_t used = indirect ? 1 : (uint16_t)n;

	if (!indirect)
		put_direct(r, id, b, n);
	else if (put_indirect(r, id, b, n) != 0)
		return -ENOSPC;
	r->free_head = next;
	r->n_free = (uint16_t)(r->n_free - used);
	r->next_avail = (uint16_t)(r->next_avail + used);
	r->chain[id] = (struct guest_chain){.cookie = cookie, .n = used};
	return id;
}

static void packed_publish(struct guest_vring *r)
{
	if (r->first)
		__atomic_store_n(
		    &r->first->flags, r->first_flags, __ATOMIC_RELEASE); /* A */
	r->first = NULL;
}

/* What an event area says, read at once. */
static struct vring_packed_desc_event read_event(
    const struct vring_packed_desc_event *e)
{
	struct vring_packed_desc_event copy;
	uint32_t word;

	static_assert(sizeof(copy) == sizeof(word), "an event area is a word");
	word = __atomic_load_n((const uint32_t *)e, __ATOMIC_RELAXED);
	memcpy(&copy, &word, sizeof(copy));
	return copy;
}

static bool packed_wants_kick(struct guest_vring *r, uint16_t n)
{
	struct vring_packed_desc_event e = read_event(r->device_event);
	int behind;

	switch (e.flags) {
	case VRING_PACKED_EVENT_FLAG_ENABLE:
		return true;
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	case VRING_PACKED_EVENT_FLAG_DESC:
		if (!r->event_idx)
			break;
		/* How far the next descriptor is past the one named. */
		behind = r->avail_at.at - (e.off_wrap & (WRAP - 1));
		if (!(e.off_wrap & WRAP) == r->avail_at.wrap)
			behind += r->size;
		return behind > 0 && behind <= n;
	}
	r->n_bad++;
	return true;
}

static bool packed_has_used(const struct guest_vring *r)
{
	return is_used(r, r->used_at);
}

static bool packed_reap(struct guest_vring *r, uint64_t *cookie, uint32_t *len)
{
	const struct vring_packed_desc d = r->packed[r->used_at.at];
	struct guest_chain *chain = d.id < r->size ? &r->chain[d.id] : NULL;

	if (!chain || !chain->n) {
		r->n_bad++;
		advance(r, &r->used_at, 1);
		return false;
	}
	*cookie = chain->cookie;
	*len = d.flags & VRING_DESC_F_WRITE ? d.len : 0;
	advance(r, &r->used_at, chain->n);
	r->n_free = (uint16_t)(r->n_free + chain->n);
	*chain = (struct guest_chain){.next = r->free_head};
	r->free_head = d.id;
	return true;
}

/* The place counts only with the flags that say so, and is there before. */
static void packed_wish(struct guest_vring *r, bool calls)
{
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (calls)
		flags = r->event_idx ? VRING_PACKED_EVENT_FLAG_DESC
				     : VRING_PACKED_EVENT_FLAG_ENABLE;
	if (calls && r->event_idx)
		__atomic_store_n(&r->driver_event->off_wrap, encode(r->used_at),
		    __ATOMIC_RELAXED);
	__atomic_store_n(&r->driver_event->flags, flags, __ATOMIC_RELEASE);
}

const struct guest_vring_format guest_vring_packed = {
    .alloc = packed_alloc,
    .restart = packed_restart,
    .base = packed_base,
    .add = packed_add,
    .publish = packed_publish,
    .has_used = packed_has_used,
    .reap = packed_reap,
    .wants_kick = packed_wants_kick,
    .wish = packed_wish,
};
