/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtq_log.h - what a queue's worker notes in the log of dirty pages.
 *
 * Buffers are noted at their own guest addresses.  The ring is noted if the
 * front end wants it so (VHOST_VRING_F_LOG): what the device writes of a split
 * ring is the used ring, of a packed one its event structure, both where the
 * front end says, and the slots, of which it says nothing and whose addresses
 * are those of the memory that they lie in.
 *
 * A queue that is not logged pays one branch for each place in which a batch
 * is ended or begun.  One that is takes the long way with every frame, in
 * which all buffers are gathered, and it is the gather that is noted.
 *
 * Life: vq->log is set and cleared while workers are in the queue; what it
 * points at is constant from before until a grace period after.
 * Threads: the worker that serves the queue; control while it is not live.
 */
#ifndef PORTS_VHOST_VIRTQ_LOG_H
#define PORTS_VHOST_VIRTQ_LOG_H

#include "ports/peer/gather.h"
#include "ports/vhost/dirty_log.h"
#include "ports/vhost/virtq.h"

struct virtq_log {
	struct dirty_log *log;
	bool ring;     /* the ring as well */
	uint64_t used; /* guest address of used ring or event structure */
	uint64_t slot; /* guest address of the slots of a packed ring */
};

/* What @vq's writes are noted in, for as long as the caller's batch lasts;
 * NULL: nothing is. */
static inline const struct virtq_log *virtq_log(const struct virtq *vq)
{
	return __atomic_load_n(&vq->log, __ATOMIC_ACQUIRE);
}

/* Notes what was written to all pieces of @g. */
void virtq_log_gather(
    const struct virtq *vq, const struct virtq_log *l, const struct gather *g);

/* Notes [offset, offset + len) of the used ring, or event structure. */
void virtq_log_used_slow(const struct virtq *vq, const struct virtq_log *l,
    uint64_t offset, uint64_t len);

static inline void virtq_log_used(
    const struct virtq *vq, uint64_t offset, uint64_t len)
{
	const struct virtq_log *l = virtq_log(vq);

	if (__builtin_expect(l != NULL, 0))
		virtq_log_used_slow(vq, l, offset, len);
}

/* Notes @n slots from slot @first on, round the end of the ring. */
void virtq_log_slots(const struct virtq *vq, const struct virtq_log *l,
    uint32_t first, uint32_t n);

/* Notes @n elements of a split ring's used ring from @first on, in the same
 * way, and its index. */
void virtq_log_elements(const struct virtq *vq, const struct virtq_log *l,
    uint32_t first, uint32_t n);

#endif
