/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed.c - the light guest's packed ring (virtio 1.2, 2.8).
 *
 * A place is one descriptor, which the driver writes to give the buffer and
 * the device overwrites to return it.  Who wrote last is told by two bits
 * whose meaning changes with every lap (2.8.1).
 */
#include "bench/parts/ring.h"

enum {
	AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	USED = 1 << VRING_PACKED_DESC_F_USED,
};

/* The wrap counter at @place; it begins as 1. */
static bool wrap_of(const struct ring *r, uint32_t place)
{
	return !(place >> r->shift & 1);
}

void packed_init(struct ring *r)
{
	for (uint32_t i = 0; i < r->size; i++)
		r->order[i] = (uint16_t)i;
	r->packed.driver->flags = VRING_PACKED_EVENT_FLAG_DISABLE;
}

/* The buffers that one used descriptor returns: with IN_ORDER also those
 * before the one that it names (2.8.8). */
static unsigned returned_by(
    struct ring *r, const struct vring_packed_desc *d, uint32_t place)
{
	unsigned id = d->id, n = 1;

	if (id > r->mask)
		r->fault = "a used descriptor names no buffer";
	else if (!r->in_order)
		r->order[place & r->mask] = (uint16_t)id;
	else
		n = ((id - place) & r->mask) + 1;
	if (n > r->given - place || (n > 1 && r->receives))
		r->fault = "buffers were returned that nothing says the length "
			   "of, or that the device does not have";
	return r->fault ? 0 : n;
}

static bool is_used(const struct ring *r, uint32_t place)
{
	uint16_t flags = __atomic_load_n(
	    &r->packed.desc[place & r->mask].flags, __ATOMIC_ACQUIRE);

	return (flags & (AVAIL | USED)) ==
	       (wrap_of(r, place) ? AVAIL | USED : 0);
}

unsigned packed_take(struct ring *r, uint32_t len[], unsigned max)
{
	uint32_t place = r->taken, end = place + max;

	if ((int32_t)(r->given - end) < 0)
		end = r->given;
	while ((int32_t)(end - place) > 0 && is_used(r, place)) {
		const struct vring_packed_desc *d =
		    &r->packed.desc[place & r->mask];
		unsigned n = returned_by(r, d, place);

		if (!n)
			break;
		if (r->receives && d->len > r->offered)
			r->fault = "a frame is longer than its buffer";
		if (len)
			len[place - r->taken] = d->len;
		place += n;
	}
	end = place - r->taken;
	r->taken = place;
	return end;
}

/* Makes the descriptor of @place available, but for its flags; returns them. */
static uint16_t write_descriptor(struct ring *r, uint32_t place)
{
	struct vring_packed_desc *d = &r->packed.desc[place & r->mask];
	uint32_t no = ring_buffer_no(r, place);

	d->addr = ring_buffer_gpa(r, no);
	d->len = r->offered;
	d->id = (uint16_t)no;
	return (r->receives ? VRING_DESC_F_WRITE : 0) |
	       (wrap_of(r, place) ? AVAIL : USED);
}

/* The device looks at the first one's flags before any other's. */
void packed_give(struct ring *r, unsigned n)
{
	uint16_t flags;

	if (!n)
		return;
	for (uint32_t place = r->given + 1; place != r->given + n; place++) {
		flags = write_descriptor(r, place);
		r->packed.desc[place & r->mask].flags = flags;
	}
	flags = write_descriptor(r, r->given);
	__atomic_store_n(
	    &r->packed.desc[r->given & r->mask].flags, flags, __ATOMIC_RELEASE);
}

bool packed_kick_wanted(const struct ring *r)
{
	uint16_t flags =
	    __atomic_load_n(&r->packed.device->flags, __ATOMIC_ACQUIRE);
	uint16_t at =
	    __atomic_load_n(&r->packed.device->off_wrap, __ATOMIC_RELAXED);
	uint16_t event = at & 0x7fff, given = (uint16_t)(r->given & r->mask);

	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !r->event_idx)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	if (at >> VRING_PACKED_EVENT_F_WRAP_CTR != wrap_of(r, r->given))
		event = (uint16_t)(event - r->size);
	return vring_need_event(
	    event, given, (uint16_t)(given - (r->given - r->told)));
}

void packed_calls_on(struct ring *r)
{
	r->packed.driver->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
}
