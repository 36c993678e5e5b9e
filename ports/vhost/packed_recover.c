/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed_recover.c - where a device that was killed has to go on.
 *
 * USED is the device's bit: it is the wrap counter of the round in which the
 * device last passed a slot, and stays so when the driver fills the slot
 * again.  Along the ring it changes once, at the seam between this round and
 * the one before, and that is the place.  One slot that lags behind in front
 * of the seam is the first of a batch that was about to be returned.  Other
 * patterns are of devices that skip slots without marking them.
 */
#include "ports/vhost/packed.h"
#include "ports/vhost/virtq_log.h"

enum { SEAMS_MAX = 3 };

/* Borders between slots at which USED changes: i is that in front of slot i,
 * vq->size the one at which the next round begins. */
struct seams {
	unsigned n; /* may be more than are noted */
	uint32_t at[SEAMS_MAX];
};

static bool is_used(const struct virtq *vq, uint32_t i)
{
	return shared_poll(&vq->slot[i].flags) & PACKED_USED;
}

static struct seams find_seams(const struct virtq *vq)
{
	struct seams s = {0};
	bool first = is_used(vq, 0), last = first;

	for (uint32_t i = 1; i <= vq->size && s.n <= SEAMS_MAX; i++) {
		bool used = i < vq->size ? is_used(vq, i) : !first;

		if (used != last && s.n++ < SEAMS_MAX)
			s.at[s.n - 1] = i;
		last = used;
	}
	return s;
}

/* The slot between two seams, of three.  Where all three follow each other it
 * is the first one, and the batch has one chain more. */
static bool find_lagging(
    const struct virtq *vq, const struct seams *s, uint32_t *slot)
{
	const uint32_t *at = s->at;
	bool around = at[0] == 1 && at[2] == vq->size;

	if (at[1] == at[0] + 1 && !around)
		*slot = at[0];
	else if (at[2] == at[1] + 1)
		*slot = at[1];
	else if (around)
		*slot = 0;
	else
		return false;
	return true;
}

/* Id and length are there; packed_return() writes them first. */
static bool finish(const struct virtq *vq, uint32_t slot)
{
	uint16_t __peer *p = &vq->slot[slot].flags;
	uint16_t flags = shared_poll(p);
	uint16_t used = flags & PACKED_AVAIL ? PACKED_TURN : 0;
	const struct virtq_log *l = virtq_log(vq);

	if (!(flags & PACKED_AVAIL) == !(flags & PACKED_USED))
		return false;
	used |= flags & VRING_DESC_F_WRITE;
	if (!shared_replace(p, flags, used))
		return false;
	if (l)
		virtq_log_slots(vq, l, slot, 1);
	return true;
}

bool packed_recover(const struct virtq *vq, uint16_t *place)
{
	struct seams s = find_seams(vq);
	uint32_t slot;

	if (s.n == SEAMS_MAX && find_lagging(vq, &s, &slot) && finish(vq, slot))
		s = find_seams(vq);
	if (s.n != 1)
		return false;
	if (s.at[0] == vq->size)
		*place = is_used(vq, 0) ? 0 : PACKED_WRAP;
	else
		*place =
		    (uint16_t)(s.at[0] | (is_used(vq, 0) ? PACKED_WRAP : 0));
	return true;
}
