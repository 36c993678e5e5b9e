/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain.h - frames that are one piece of a peer's memory, as nearly all are.
 *
 * Borrowed on the way in: the first bytes are copied to us, the rest stays
 * where it is and is pointed at.  Copied on the way out, from wherever they
 * are: the one copy.
 *
 * Threads: the worker that serves the queue.
 */
#ifndef PORTS_PEER_PLAIN_H
#define PORTS_PEER_PLAIN_H

#include <stdbool.h>

#include "ports/peer/access.h"
#include "switch/base/frame.h"

enum {
	/* The head of a finished frame, worth a copy of fixed length. */
	PLAIN_HEAD = 64,
};

/* False also for the difference of a length and a larger one. */
static inline bool plain_len_is_lawful(uint32_t len)
{
	return len - FRAME_LEN_MIN <= FRAME_LEN_MAX - FRAME_LEN_MIN;
}

/* Makes @f, the next frame of @b, one of @len bytes of which @head_len are
 * about to be copied to its head; but for its offload. */
static inline void plain_describe(
    struct batch *b, struct frame *f, uint32_t len, uint32_t head_len)
{
	f->head = batch_head(b, b->n);
	f->segs = &b->segs[b->n_segs];
	f->len = len;
	f->head_len = (uint16_t)head_len;
	f->n_segs = 0;
	f->flags = 0;
	f->tci = 0;
}

/* Adds the finished frame data[0..len), whose length is lawful, to @b, which
 * has room for a frame and a segment. */
static inline __attribute__((always_inline)) void plain_borrow(
    struct batch *b, const uint8_t __peer *data, uint32_t len)
{
	struct frame *f = &b->f[b->n];

	f->offload = (struct offload){0};
	if (len > PLAIN_HEAD) {
		plain_describe(b, f, len, PLAIN_HEAD);
		shared_copy_in(f->head, data, PLAIN_HEAD);
		f->segs[0] =
		    (struct frame_seg){data + PLAIN_HEAD, len - PLAIN_HEAD};
		f->n_segs = 1;
		b->n_segs++;
	} else {
		plain_describe(b, f, len, len);
		if (len == PLAIN_HEAD)
			shared_copy_in(f->head, data, PLAIN_HEAD);
		else
			shared_copy_in(f->head, data, len);
	}
	b->n++;
}

/* All of @f to data[0..f->len). */
static inline void plain_copy(uint8_t __peer *data, const struct frame *f)
{
	if (f->head_len == PLAIN_HEAD)
		shared_copy_out(data, f->head, PLAIN_HEAD);
	else
		shared_copy_out(data, f->head, f->head_len);
	data += f->head_len;
	for (unsigned i = 0; i < f->n_segs; i++) {
		shared_carry(data, f->segs[i].data, f->segs[i].len);
		data += f->segs[i].len;
	}
}

#endif
