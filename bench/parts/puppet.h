/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * puppet.h - a guest that is played by the thread which serves it.
 *
 * No cache line changes cores between the two, so what is measured are the
 * switch's own instructions.  A puppet has a ring to send by and one to receive
 * by, as the switch sees them, and SLOT bytes for each descriptor.
 *
 * Ownership: the puppet owns its memory.  Threads: one.
 */
#ifndef BENCH_PARTS_PUPPET_H
#define BENCH_PARTS_PUPPET_H

#include "ports/vhost/virtq.h"

enum puppet_ring {
	PUPPET_SPLIT,
	PUPPET_SPLIT_IN_ORDER,
	PUPPET_PACKED,
	PUPPET_N_RINGS,
};

/* How a buffer lies in the ring. */
enum puppet_shape {
	PUPPET_WHOLE, /* one descriptor */
	PUPPET_APART, /* the header in one, the frame in the next */
};

struct puppet {
	struct port port; /* first: the switch hands it back */
	struct virtq sends, receives;
	struct vhost_memory *mem;
	uint8_t *bytes;
	uint16_t sends_at, receives_at; /* the next place to offer */
};

/* Lays out @p, with rings of @ring; cannot fail but by abort(). */
void puppet_open(struct puppet *p, enum puppet_ring ring);
void puppet_close(struct puppet *p);

/* The first byte of the @i-th next frame that @p sends. */
uint8_t *puppet_frame(struct puppet *p, unsigned i, enum puppet_shape shape);

/* Makes the next @n buffers available: frames of @len bytes to be sent, and
 * room for frames, @len bytes with the header, to be received. */
void puppet_send(
    struct puppet *p, unsigned n, uint32_t len, enum puppet_shape shape);
void puppet_expect(struct puppet *p, unsigned n, uint32_t len);

#endif
