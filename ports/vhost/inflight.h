/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inflight.h - memory in which a back end leaves word for its successor.
 *
 * A front end that negotiated INFLIGHT_SHMFD keeps a file of memory for its
 * back end and hands it to the next one, should this one be killed
 * (vhost-user, "Inflight I/O tracking"):
 *
 *	GET_INFLIGHT_FD  made by us ──► the front end keeps the descriptor
 *	SET_INFLIGHT_FD  handed back, whoever made it, before the rings start
 *
 *	| ring 0: header, an entry a descriptor | ring 1 | ... each of whole lines
 *
 * In flight is what was taken and not returned.  A device that returns buffers
 * in the order in which it takes them need not write that down: it is all
 * from where the ring was returned to, and the ring says that by itself, in
 * used->idx or in its USED bits.  Ours is such a device, within a batch and
 * from batch to batch, so that:
 *
 *  - No descriptor is ever noted as in flight.  What is noted is the place
 *    that the ring was returned to, once a batch: of a split ring behind
 *    used->idx; of a packed one as one word before and one after the flags that
 *    show the batch to the driver, as the specification wants it.  Rings that
 *    have no such memory pay a test of a pointer a batch.
 *  - A successor finds nothing to do but to go on at that place, which is what
 *    the ring says as well.  Where the two differ the ring is right: the memory
 *    may be left over from before the guest was started anew.  Only a packed
 *    ring that does not tell is looked up here.
 *  - Descriptors that a back end of another make noted, which it took and had
 *    not returned, perhaps out of order, are returned by inflight_resume().
 *
 * Everything in it is a hint: the front end can write what it likes.  Rings,
 * entries and lists are bounded by the size of the ring, which is known from
 * elsewhere; a header that does not fit to it means that nothing was noted.
 *
 * Life: opened by a message, closed by the next one or with the session; no
 * ring that uses it is live at either moment.
 * Threads: inflight_note_*() the worker that serves the ring; all else control.
 * Ownership: the mapping; descriptors stay the caller's.
 */
#ifndef PORTS_VHOST_INFLIGHT_H
#define PORTS_VHOST_INFLIGHT_H

#include <assert.h>

#include "ports/peer/access.h"
#include "ports/vhost/message.h"
#include "ports/vhost/virtq.h"

enum { INFLIGHT_VERSION = 1 };

/* "DescStateSplit", "QueueRegionSplit" */
struct inflight_split_desc {
	uint16_t inflight; /* and padding: only bit 0 is ever set */
	uint16_t padding[2];
	uint16_t next; /* in the list of the last batch that was returned */
	uint64_t counter;
};

struct inflight_split {
	uint64_t features;
	uint16_t version, desc_num;
	uint16_t last_batch_head, used_idx;
	struct inflight_split_desc desc[];
};

/* "DescStatePacked", "QueueRegionPacked" */
struct inflight_packed_desc {
	uint16_t inflight; /* and padding */
	uint16_t next;	   /* in the list of free entries */
	uint16_t last;	   /* entry of the chain's last descriptor */
	uint16_t num;	   /* descriptors of the chain */
	uint64_t counter;
	uint16_t id, flags;
	uint32_t len;
	uint64_t addr;
};

/* Where the ring was returned to, and where it was before that batch, is one
 * word, so that no half of it is ever seen: used_idx, old_used_idx,
 * used_wrap_counter, old_used_wrap_counter, and padding. */
struct inflight_packed {
	uint64_t features;
	uint16_t version, desc_num;
	uint16_t free_head, old_free_head;
	uint64_t progress;
	uint64_t padding;
	struct inflight_packed_desc desc[];
};

static_assert(sizeof(struct inflight_split) == 16, "shared format");
static_assert(sizeof(struct inflight_split_desc) == 16, "shared format");
static_assert(sizeof(struct inflight_packed) == 32, "shared format");
static_assert(sizeof(struct inflight_packed_desc) == 32, "shared format");

struct vhost_inflight {
	struct guard guard;
	struct mapping map;
	uint64_t size; /* bytes mapped */
	uint16_t n_queues, queue_size;
};

/* Makes a file of zeroes for m->n_queues rings of m->queue_size descriptors and
 * sets m->size and m->offset.  Returns 0 with the descriptor in *fd, or -errno
 * with a sentence. */
int vhost_inflight_create(struct vhost_inflight_msg *m, int *fd, struct err *e);

/* Maps what @m says of @fd.  -EINVAL for sizes that cannot be, another -errno
 * for a descriptor that is not memory or cannot be mapped. */
int vhost_inflight_open(struct vhost_inflight **in,
    const struct vhost_inflight_msg *m, int fd, struct err *e);

/* Accepts NULL. */
void vhost_inflight_close(struct vhost_inflight *in);

/* The part of ring @i, of @size descriptors and the format said; NULL if @in
 * (NULL: none) has none for such a ring. */
void __peer *vhost_inflight_queue(
    const struct vhost_inflight *in, unsigned i, uint32_t size, bool packed);

/* What a predecessor left, looked at before virtq_start(); vq->inflight and the
 * ring are set.  place() of a packed ring: false if nothing was noted.
 * resume() returns to the driver, unused and in the order in which they were
 * taken, the chains that were noted as in flight when the ring was returned to
 * @place, and says where the ring goes on. */
bool inflight_place(const struct virtq *vq, uint16_t *place);
uint16_t inflight_resume(struct virtq *vq, uint16_t place);

/* Notes that nothing is in flight and the ring was returned to @place. */
void inflight_begin(const struct virtq *vq, uint16_t place);

static inline uint64_t inflight_progress(uint16_t place, uint16_t before)
{
	return (place & INT16_MAX) | (uint64_t)(before & INT16_MAX) << 16 |
	       (uint64_t)(place >> 15) << 32 | (uint64_t)(before >> 15) << 40;
}

/* The split ring @vq, if its notes are kept, was returned to @idx. */
static inline void inflight_note_split(const struct virtq *vq, uint16_t idx)
{
	struct inflight_split __peer *q = vq->inflight;

	if (__builtin_expect(q != NULL, 0))
		shared_store(&q->used_idx, idx);
}

/* The packed ring @vq is about to be returned from @before to @place; and it
 * was, with both the same. */
static inline void inflight_note_packed(
    const struct virtq *vq, uint16_t place, uint16_t before)
{
	struct inflight_packed __peer *q = vq->inflight;

	if (__builtin_expect(q != NULL, 0))
		shared_store_u64(
		    &q->progress, inflight_progress(place, before));
}

#endif
