/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame_out.h - a frame into a guest's buffers: the one copy.
 *
 * A virtio-net header, then the frame.  The ring's code finds the buffers and
 * says how many chains they are of.
 *
 * Threads: the worker that serves the queue.
 */
#ifndef PORTS_VHOST_FRAME_OUT_H
#define PORTS_VHOST_FRAME_OUT_H

#include "ports/peer/plain.h"
#include "ports/vhost/buffer.h"

/* The header for @f in @n_buffers chains. */
static inline struct virtio_net_hdr frame_out_hdr(
    const struct virtq *vq, const struct frame *f, unsigned n_buffers)
{
	struct virtio_net_hdr hdr =
	    offload_hdr_for(&f->offload, vq->port->accepts);

	hdr.num_buffers = (uint16_t)n_buffers;
	return hdr;
}

static __attribute__((noinline)) void frame_out_hdr_slow(
    const struct virtq *vq, const struct frame *f, uint8_t __peer *hdr_at)
{
	struct virtio_net_hdr hdr = frame_out_hdr(vq, f, 1);

	shared_copy_out(hdr_at, &hdr, vq->hdr_len);
}

/* Header and frame to where @hdr_at and @data point, in one chain.  The header
 * of a finished frame is written as the two words that it is: one put together
 * from its members would have to wait for their stores. */
static inline void frame_out_linear(const struct virtq *vq,
    const struct frame *f, uint8_t __peer *hdr_at, uint8_t __peer *data)
{
	static const uint16_t num_buffers[] = {0, 1};
	const uint64_t nothing = 0;

	if (f->offload.bits) {
		frame_out_hdr_slow(vq, f, hdr_at);
	} else {
		shared_copy_out(hdr_at, &nothing, 8);
		if (vq->hdr_len == VIRTIO_NET_HDR_LEN)
			shared_copy_out(hdr_at + 8, num_buffers, 4);
		else
			shared_copy_out(hdr_at + 8, num_buffers, 2);
	}
	plain_copy(data, f);
}

/* Header and frame into the pieces of @g, gathered from @n_buffers chains,
 * which together are long enough. */
static inline void frame_out_gathered(const struct virtq *vq,
    const struct gather *g, const struct frame *f, unsigned n_buffers)
{
	struct virtio_net_hdr hdr = frame_out_hdr(vq, f, n_buffers);
	struct gather_cursor at = {g->piece, 0};

	gather_write(&at, (const void __peer *)&hdr, vq->hdr_len);
	gather_copy(&at, f);
}

#endif
