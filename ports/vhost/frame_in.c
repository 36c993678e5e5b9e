/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame_in.c - the rarer ways for a guest's buffers to become a frame.
 *
 * Gathered pieces, offloads, and what is refused or breaks the queue.
 */
#include "ports/vhost/frame_in.h"

__attribute__((noinline)) enum frame_in_outcome frame_in_breach(
    struct frame_in *in, enum virtq_fault fault)
{
	virtq_break(in->vq, fault);
	frame_in_refuse(in, DROP_BAD_DESCRIPTOR, 0);
	return FRAME_IN_BROKE;
}

enum drop_reason frame_in_offload_slow(
    struct frame *f, const struct virtio_net_hdr *hdr, uint8_t allowed)
{
	return offload_parse(
	    &f->offload, hdr, f->head, f->head_len, f->len, allowed);
}

/* What the gathered chain is refused for before it is looked into. */
static enum drop_reason judge_length(
    const struct virtq *vq, const struct gather *g, uint32_t *len)
{
	*len = 0;
	if (g->full || g->len < vq->hdr_len)
		return DROP_RX_MALFORMED;
	if (g->len - vq->hdr_len > FRAME_LEN_MAX)
		return DROP_RX_OVERSIZE;
	*len = g->len - vq->hdr_len;
	return *len < FRAME_LEN_MIN ? DROP_RX_RUNT : DROP_NONE;
}

/* The frame of @len bytes behind the header in @g. */
static enum frame_in_outcome take(
    struct frame_in *in, const struct gather *g, uint32_t len)
{
	struct batch *b = in->b;
	struct frame *f = &b->f[b->n];
	struct gather_cursor at = {g->piece, 0};
	struct virtio_net_hdr hdr;
	enum drop_reason why;

	gather_read(&at, &hdr, in->vq->hdr_len);
	plain_describe(b, f, len, frame_in_head_len(&hdr, len));
	gather_read(&at, f->head, f->head_len);
	why = frame_in_offload(in, f, &hdr);
	if (g->piece + g->n - at.piece > FRAME_SEGS_MAX)
		why = DROP_RX_MALFORMED;
	if (why != DROP_NONE)
		return frame_in_refuse(in, why, len);
	gather_borrow(b, f, g, at);
	b->n++;
	return FRAME_IN_TAKEN;
}

enum frame_in_outcome frame_in_gathered(
    struct frame_in *in, const struct gather *g)
{
	uint32_t len;
	enum drop_reason why = judge_length(in->vq, g, &len);

	if (why != DROP_NONE)
		return frame_in_refuse(in, why, len);
	if (g->n > BATCH_SEGS_MAX - in->b->n_segs)
		return FRAME_IN_LATER;
	return take(in, g, len);
}

enum frame_in_outcome frame_in_linear_slow(struct frame_in *in, uint16_t undone,
    const uint8_t __peer *hdr_at, const uint8_t __peer *data, uint32_t len)
{
	struct batch *b = in->b;
	struct frame *f = &b->f[b->n];
	struct virtio_net_hdr hdr;
	enum drop_reason why;

	if (b->n_segs == BATCH_SEGS_MAX)
		return FRAME_IN_LATER;
	memcpy(&hdr, &undone, sizeof(undone));
	shared_copy_in((uint8_t *)&hdr + sizeof(undone),
	    hdr_at + sizeof(undone),
	    VIRTIO_NET_HDR_LEN_LEGACY - sizeof(undone));
	plain_describe(b, f, len, frame_in_head_len(&hdr, len));
	shared_copy_in(f->head, data, f->head_len);
	why = frame_in_offload(in, f, &hdr);
	if (why != DROP_NONE)
		return frame_in_refuse(in, why, len);
	if (len > f->head_len) {
		f->segs[0] =
		    (struct frame_seg){data + f->head_len, len - f->head_len};
		f->n_segs = 1;
		b->n_segs++;
	}
	b->n++;
	return FRAME_IN_TAKEN;
}
