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

/* False also for the difference of a length and a larger one. */
static inline bool frame_in_len_is_lawful(uint32_t len)
{
	return len - FRAME_LEN_MIN <= FRAME_LEN_MAX - FRAME_LEN_MIN;
}

static inline bool frame_in_is_plain(const struct virtio_net_hdr *hdr)
{
	return !(hdr->flags | hdr->gso_type);
}

static inline uint32_t frame_in_head_len(
    const struct virtio_net_hdr *hdr, uint32_t len)
{
	uint32_t most =
	    frame_in_is_plain(hdr) ? BUFFER_HEAD_PLAIN : FRAME_HEAD_MAX;

	return len < most ? len : most;
}

/* The rest of a frame of @len bytes that begins with @head_len copied ones. */
static inline void frame_in_describe(
    struct frame_in *in, struct frame *f, uint32_t len, uint32_t head_len)
{
	struct batch *b = in->b;

	f->head = batch_head(b, b->n);
	f->segs = &b->segs[b->n_segs];
	f->len = len;
	f->head_len = (uint16_t)head_len;
	f->n_segs = 0;
	f->flags = 0;
	f->tci = 0;
}

static inline enum drop_reason frame_in_offload(
    struct frame_in *in, struct frame *f, const struct virtio_net_hdr *hdr)
{
	f->offload = (struct offload){0};
	if (frame_in_is_plain(hdr))
		return DROP_NONE;
	return frame_in_offload_slow(f, hdr, in->vq->allowed);
}

/* frame_in_linear() when the header says that something is left to do. */
enum frame_in_outcome frame_in_linear_slow(struct frame_in *in,
    const uint8_t *hdr_at, const uint8_t *data, uint32_t len);

/* Header at @hdr_at, a whole frame of a lawful length at data[0..len). */
static inline __attribute__((always_inline)) enum frame_in_outcome
frame_in_linear(struct frame_in *in, const uint8_t *hdr_at, const uint8_t *data,
    uint32_t len)
{
	struct batch *b = in->b;
	struct frame *f = &b->f[b->n];
	uint16_t undone; /* flags and gso_type */

	shared_copy_in(&undone, hdr_at, sizeof(undone));
	if (undone || b->n_segs == BATCH_SEGS_MAX)
		return frame_in_linear_slow(in, hdr_at, data, len);
	f->offload = (struct offload){0};
	if (len > BUFFER_HEAD_PLAIN) {
		frame_in_describe(in, f, len, BUFFER_HEAD_PLAIN);
		shared_copy_in(f->head, data, BUFFER_HEAD_PLAIN);
		f->segs[0] = (struct frame_seg){
		    data + BUFFER_HEAD_PLAIN, len - BUFFER_HEAD_PLAIN};
		f->n_segs = 1;
		b->n_segs++;
	} else {
		frame_in_describe(in, f, len, len);
		if (len == BUFFER_HEAD_PLAIN)
			shared_copy_in(f->head, data, BUFFER_HEAD_PLAIN);
		else
			shared_copy_in(f->head, data, len);
	}
	b->n++;
	return FRAME_IN_TAKEN;
}

#endif
