/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed.h - what both directions of a packed virtqueue have in common.
 *
 * One ring of slots takes descriptors both ways: the driver fills slots in
 * order, the device overwrites them in order with what it returns.  Two bits
 * of a slot's flags say whose turn it is, against a wrap counter that each
 * side keeps and flips at the end of the ring (virtio 1.2, 2.8.1):
 *
 *	wrap counter     1               0
 *	available        AVAIL           USED
 *	used             AVAIL, USED     neither
 *
 * A chain is a run of slots, of which the last has the buffer's id, and is
 * returned in the first one alone.  The others are not the driver's to look
 * at, but their bits are put right as well: USED is then never wrong in a slot
 * that the device has passed, and since no driver changes it, it tells for all
 * times where the device is.  That is what packed_recover() reads.
 *
 * A batch of several slots is returned back to front as the driver sees it: the
 * first slot, which hides the others, is shown last.  Until then it is marked,
 * and a device that is killed on the way leaves a batch of which the chains up
 * to some point are returned and the others as they were:
 *
 *	first slot           chains returned           the next one
 *	RETURNING, id, len   USED ... USED             slots behind its first
 *	                                               perhaps marked USED
 *
 * Threads: the worker that serves the queue.
 */
#ifndef PORTS_VHOST_PACKED_H
#define PORTS_VHOST_PACKED_H

#include "ports/vhost/buffer.h"

enum {
	PACKED_WRAP = 1 << 15, /* in a place */
	PACKED_INDEX = PACKED_WRAP - 1,
	PACKED_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	PACKED_USED = 1 << VRING_PACKED_DESC_F_USED,
	PACKED_TURN = PACKED_AVAIL | PACKED_USED,
	/* In the first slot of a batch that is being returned: what it will
	 * say, with NEXT if the chain has more slots.  Reserved, and gone when
	 * the driver looks. */
	PACKED_RETURNING = 1 << 3,
	/* Slots of a chain: more is taken for one that does not end. */
	PACKED_CHAIN_MAX = 512,
};

/* A descriptor, fetched, as it lies in the ring and in indirect tables. */
struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags; /* of those in the ring, without PACKED_TURN */
};

struct packed_entry {
	struct packed_desc d;
	uint8_t __peer *at; /* where its buffer is whole, or NULL */
};

/* The place @n slots, at most all of them, after @place. */
static inline uint16_t packed_place(
    const struct virtq *vq, uint16_t place, uint32_t n)
{
	uint32_t i = (place & PACKED_INDEX) + n;

	if (i < vq->size)
		return (uint16_t)(place + n);
	return (uint16_t)((~place & PACKED_WRAP) | (i - vq->size));
}

/* The two bits of what is available, and of what is used, at @place. */
static inline uint16_t packed_available_at(uint16_t place)
{
	return place & PACKED_WRAP ? PACKED_AVAIL : PACKED_USED;
}

static inline uint16_t packed_used_at(uint16_t place)
{
	return place & PACKED_WRAP ? PACKED_TURN : 0;
}

/* Sets the two bits of the slot at @place, and leaves the rest of it. */
static inline void packed_turn(
    const struct virtq *vq, uint16_t place, uint16_t turn)
{
	uint16_t __peer *flags = &vq->slot[place & PACKED_INDEX].flags;

	shared_store(
	    flags, (uint16_t)((shared_poll(flags) & ~PACKED_TURN) | turn));
}

/* Fetches the descriptor in slot @i; false unless its turn is @turn. */
static inline bool packed_load_slot(
    const struct virtq *vq, uint32_t i, uint64_t turn, struct packed_desc *d)
{
	const struct vring_packed_desc __peer *slot = &vq->slot[i];
	uint64_t rest = shared_load_u64_acquire(&slot->len); /* (A) */

	rest ^= turn << 48;
	if (rest & (uint64_t)PACKED_TURN << 48)
		return false;
	shared_look_once(&slot->len, &rest, sizeof(rest));
	d->addr = shared_poll_u64(&slot->addr);
	shared_look_once(&slot->addr, &d->addr, sizeof(d->addr));
	d->len = (uint32_t)rest;
	d->id = (uint16_t)(rest >> 32);
	d->flags = (uint16_t)(rest >> 48);
	return true;
}

/* Fetches the descriptor at @place; false if it is not available. */
static inline bool packed_load(
    const struct virtq *vq, uint16_t place, struct packed_desc *d)
{
	return packed_load_slot(
	    vq, place & PACKED_INDEX, packed_available_at(place), d);
}

/* Fetches what is available from @place on, at most @max descriptors and one
 * batch, and their buffers ahead.  Returns how many. */
static inline unsigned packed_fetch_all(const struct virtq *vq, uint16_t place,
    struct packed_entry e[BATCH_MAX], unsigned max, bool to_write)
{
	uint32_t slot = place & PACKED_INDEX;
	uint64_t turn = packed_available_at(place);
	struct buffer_window win = {0};
	unsigned n;

	if (max > BATCH_MAX)
		max = BATCH_MAX;
	for (n = 0; n < max && packed_load_slot(vq, slot, turn, &e[n].d); n++) {
		e[n].at = buffer_find(&win, vq->mem, e[n].d.addr, e[n].d.len);
		buffer_prefetch(e[n].at, to_write);
		if (++slot == vq->size) {
			slot = 0;
			turn ^= PACKED_TURN;
		}
	}
	return n;
}

/* Adds the buffers of the chain at @place, which takes up at most @most slots
 * and of which e[0..n_fetched), n_fetched > 0, is fetched, to @g until it holds
 * @want bytes or the chain ends.  All must have the @direction
 * (VRING_DESC_F_WRITE or 0).  Returns how the chain broke the rules, or
 * VIRTQ_NONE with id and slots in *r. (virtio 1.2, 2.8.6 to 2.8.8) */
enum virtq_fault packed_gather(struct gather *g, const struct virtq *vq,
    uint16_t place, const struct packed_entry e[], unsigned n_fetched,
    uint16_t direction, uint32_t want, uint32_t most, struct virtq_return *r);

/* Returns r[0..n), n > 0: the driver sees none of them or all. */
void packed_return(struct virtq *vq, const struct virtq_return r[], unsigned n);

/* Notifies, if asked to, of what was returned. */
void packed_call(struct virtq *vq, struct port_worker *w);

/* As virtq.h has them. */
unsigned packed_rx(struct virtq *vq, struct batch *b, struct port_worker *w);
void packed_rx_done(struct virtq *vq, struct port_worker *w);
void packed_tx(struct virtq *vq, struct frame *const f[], unsigned n,
    struct port_worker *w);

/* Notifications from the guest, off and on. */
void packed_kicks_off(struct virtq *vq);
void packed_kicks_on(struct virtq *vq);
bool packed_is_empty(const struct virtq *vq);

/* Finds the *place at which a device that was killed has to go on in @vq, of
 * which slots and size are set; what it had returned of a batch that it was at
 * is shown to the driver.  False if the slots do not tell: a device was there that does not mark
 * all of them.  Where such a device returned nothing but single descriptors and
 * one chain at last, the place is that chain's second slot, which is wrong.
 * Control; @vq is not live. */
bool packed_recover(const struct virtq *vq, uint16_t *place);

#endif
