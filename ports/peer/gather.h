/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gather.h - a frame's buffers in a peer's memory that are more than one piece.
 *
 * The code of a ring format notes the pieces, of which each is checked to be
 * memory of the peer's; a cursor then reads or writes them in order.
 *
 * Life: the caller's stack.  Threads: the worker that serves the queue.
 */
#ifndef PORTS_PEER_GATHER_H
#define PORTS_PEER_GATHER_H

#include <stdbool.h>

#include "ports/peer/access.h"
#include "switch/base/frame.h"

enum {
	/* Descriptors and pieces for one frame; a header may take some. */
	GATHER_MAX = FRAME_SEGS_MAX + 16,
};

struct gather_piece {
	uint8_t __peer *data;
	uint32_t len;
};

struct gather {
	uint32_t len;	  /* bytes of all pieces */
	uint32_t n;	  /* pieces */
	uint32_t n_descs; /* looked at */
	bool full;	  /* more than GATHER_MAX of either */
	struct gather_piece piece[GATHER_MAX];
};

/* A place in a gather. */
struct gather_cursor {
	const struct gather_piece *piece;
	uint32_t offset;
};

/* Empties @g, of which 4 KiB stay as they are. */
static inline void gather_init(struct gather *g)
{
	g->len = g->n = g->n_descs = 0;
	g->full = false;
}

/* How many of @n bytes there are before the piece ends. */
static inline uint32_t gather_left(const struct gather_cursor *at, uint32_t n)
{
	uint32_t left = at->piece->len - at->offset;

	return left < n ? left : n;
}

static inline void gather_move(struct gather_cursor *at, uint32_t n)
{
	at->offset += n;
	if (at->offset == at->piece->len)
		*at = (struct gather_cursor){at->piece + 1, 0};
}

/* dst[0..n) from the place @at, which moves on. */
static inline void gather_read(struct gather_cursor *at, void *dst, uint32_t n)
{
	uint8_t *to = dst;

	while (n) {
		uint32_t some = gather_left(at, n);

		shared_copy_in(to, at->piece->data + at->offset, some);
		to += some;
		n -= some;
		gather_move(at, some);
	}
}

/* src[0..n) to the place @at, which moves on. */
static inline void gather_write(
    struct gather_cursor *at, const void __peer *src, uint32_t n)
{
	const uint8_t __peer *from = src;

	while (n) {
		uint32_t some = gather_left(at, n);

		shared_carry(at->piece->data + at->offset, from, some);
		from += some;
		n -= some;
		gather_move(at, some);
	}
}

/* Adds what is left of @g behind @at to the segments of @f, which is to be the
 * next frame of @b: there is room for g->n more. */
static inline void gather_borrow(struct batch *b, struct frame *f,
    const struct gather *g, struct gather_cursor at)
{
	const struct gather_piece *end = g->piece + g->n;

	for (; at.piece < end; at = (struct gather_cursor){at.piece + 1, 0})
		f->segs[f->n_segs++] = (struct frame_seg){
		    at.piece->data + at.offset, at.piece->len - at.offset};
	b->n_segs += f->n_segs;
}

/* All of @f to the place @at, which moves on. */
static inline void gather_copy(struct gather_cursor *at, const struct frame *f)
{
	gather_write(at, (const void __peer *)f->head, f->head_len);
	for (unsigned i = 0; i < f->n_segs; i++)
		gather_write(at, f->segs[i].data, f->segs[i].len);
}

#endif
