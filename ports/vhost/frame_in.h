/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame_in.h - a guest's buffers become a frame of a batch.
 *
 * What a guest sends is a virtio-net header followed by a frame, cut into
 * buffers as it likes.  Only the header and the first bytes of the frame are
 * copied to us; the rest stays where it is and is pointed at.  The ring's code
 * finds the buffers: both in one piece each take the short way, inline, and
 * all others are gathered.
 *
 * Threads: the worker that serves the queue.
 */
#ifndef PORTS_VHOST_FRAME_IN_H
#define PORTS_VHOST_FRAME_IN_H

#include "ports/peer/plain.h"
#include "ports/vhost/buffer.h"

enum {
	/* Of a frame with its header: one byte more is too many. */
	FRAME_IN_WANT = FRAME_LEN_MAX + 1,
	/* After so many descriptors gathered, the poll ends. */
	FRAME_IN_DESCS_MAX = 1024,
};

enum frame_in_outcome {
	FRAME_IN_TAKEN, /* the chain, its frame in the batch or refused */
	FRAME_IN_LATER, /* no room left in the batch */
	FRAME_IN_BROKE, /* the queue */
};

/* One poll of a queue. */
struct frame_in {
	struct virtq *vq;
	struct batch *b;
	struct counters *counters;
	uint32_t n_descs; /* gathered */
};

/* Counts a frame of @len_bytes as refused for @why. */
static inline enum frame_in_outcome frame_in_refuse(
    struct frame_in *in, enum drop_reason why, uint32_t len_bytes)
{
	in->counters->rx_packets++;
	in->counters->rx_bytes += len_bytes;
	in->counters->drops[why]++;
	return FRAME_IN_TAKEN;
}

/* Breaks the queue; the chain counts as a refused frame of unknown length. */
enum frame_in_outcome frame_in_breach(
    struct frame_in *in, enum virtq_fault fault);

/* The header and frame in @g, gathered up to FRAME_IN_WANT bytes of frame. */
enum frame_in_outcome frame_in_gathered(
    struct frame_in *in, const struct gather *g);

enum drop_reason frame_in_offload_slow(
    struct frame *f, const struct virtio_net_hdr *hdr, uint8_t allowed);

static inline bool frame_in_is_plain(const struct virtio_net_hdr *hdr)
{
	return !(hdr->flags | hdr->gso_type);
}

static inline uint32_t frame_in_head_len(
    const struct virtio_net_hdr *hdr, uint32_t len)
{
	uint32_t most = frame_in_is_plain(hdr) ? PLAIN_HEAD : FRAME_HEAD_MAX;

	return len < most ? len : most;
}

static inline enum drop_reason frame_in_offload(
    struct frame_in *in, struct frame *f, const struct virtio_net_hdr *hdr)
{
	f->offload = (struct offload){0};
	if (frame_in_is_plain(hdr))
		return DROP_NONE;
	return frame_in_offload_slow(f, hdr, in->vq->allowed);
}

/* frame_in_linear() when the header, which begins with @undone, says that
 * something is left to do. */
enum frame_in_outcome frame_in_linear_slow(struct frame_in *in, uint16_t undone,
    const uint8_t __peer *hdr_at, const uint8_t __peer *data, uint32_t len);

/* Header at @hdr_at, a whole frame of a lawful length at data[0..len). */
static inline __attribute__((always_inline)) enum frame_in_outcome
frame_in_linear(struct frame_in *in, const uint8_t __peer *hdr_at,
    const uint8_t __peer *data, uint32_t len)
{
	struct batch *b = in->b;
	uint16_t undone; /* flags and gso_type */

	shared_copy_in(&undone, hdr_at, sizeof(undone));
	if (undone || b->n_segs == BATCH_SEGS_MAX)
		return frame_in_linear_slow(in, undone, hdr_at, data, len);
	plain_borrow(b, data, len);
	return FRAME_IN_TAKEN;
}

#endif
