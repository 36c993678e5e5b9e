/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed_recover.c - where a device that was killed has to go on.
 *
 * USED is the device's bit: it is the wrap counter of the round in which the
 * device last passed a slot, and stays so when the driver fills the slot
 * again.  Along the ring it changes once, at the seam between this round and
 * the one before, and that is the place.  A batch that the device was about to
 * return has a marked slot, and is brought to an end first; that may be cut off
 * again at any moment and begun anew.  Other patterns are of devices that skip
 * slots without marking them.
 */
#include "ports/vhost/packed.h"
#include "ports/vhost/virtq_log.h"

static uint16_t flags_at(const struct virtq *vq, uint16_t place)
{
	return shared_poll(&vq->slot[place & PACKED_INDEX].flags);
}

/* Whether the device has passed @place, in the round that this is. */
static bool is_passed(const struct virtq *vq, uint16_t place)
{
	return !(flags_at(vq, place) & PACKED_USED) == !(place & PACKED_WRAP);
}

static bool find_returning(const struct virtq *vq, uint16_t *place)
{
	for (uint32_t i = 0; i < vq->size; i++) {
		uint16_t flags = flags_at(vq, (uint16_t)i);

		if (!(flags & PACKED_RETURNING) ||
		    !(flags & PACKED_AVAIL) == !(flags & PACKED_USED))
			continue;
		*place =
		    (uint16_t)(i | (flags & PACKED_AVAIL ? PACKED_WRAP : 0));
		return true;
	}
	return false;
}

static void log_slot(const struct virtq *vq, uint16_t place)
{
	const struct virtq_log *l = virtq_log(vq);

	if (l)
		virtq_log_slots(vq, l, place & PACKED_INDEX, 1);
}

/* Marks the slots behind the first one, at @place, of a chain that is known to
 * be whole, as passed or as not.  Their flags are the driver's otherwise. */
static void mark_rest(const struct virtq *vq, uint16_t place, bool passed)
{
	for (uint32_t n = 1; n < vq->size; n++) {
		uint16_t flags;

		place = packed_place(vq, place, 1);
		flags = flags_at(vq, place);
		packed_turn(vq, place,
		    passed ? packed_used_at(place)
			   : packed_available_at(place));
		log_slot(vq, place);
		if (!(flags & VRING_DESC_F_NEXT))
			return;
	}
}

/* The chain of the marked slot at @place, those behind it that were returned,
 * and the slots of the next one that were marked too early. */
static void finish(const struct virtq *vq, uint16_t place)
{
	uint16_t flags = flags_at(vq, place), next = packed_place(vq, place, 1);
	struct packed_desc d;

	if (flags & VRING_DESC_F_NEXT)
		mark_rest(vq, place, true);
	for (uint32_t n = 1; n < vq->size && is_passed(vq, next); n++)
		next = packed_place(vq, next, 1);
	if (packed_load(vq, next, &d) && d.flags & VRING_DESC_F_NEXT)
		mark_rest(vq, next, false);
	shared_store_release(&vq->slot[place & PACKED_INDEX].flags,
	    (uint16_t)(packed_used_at(place) | (flags & VRING_DESC_F_WRITE)));
	log_slot(vq, place);
}

bool packed_recover(const struct virtq *vq, uint16_t *place)
{
	uint16_t at;
	uint32_t seam = vq->size;
	bool first, last, used;

	shared_begin();
	if (find_returning(vq, &at))
		finish(vq, at);
	first = last = flags_at(vq, 0) & PACKED_USED;
	for (uint32_t i = 1; i < vq->size; i++, last = used) {
		used = flags_at(vq, (uint16_t)i) & PACKED_USED;
		if (used == last)
			continue;
		if (seam != vq->size)
			return false;
		seam = i;
	}
	if (seam == vq->size)
		*place = first ? 0 : PACKED_WRAP;
	else
		*place = (uint16_t)(seam | (first ? PACKED_WRAP : 0));
	return true;
}
