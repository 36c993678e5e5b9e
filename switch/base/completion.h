/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * completion.h - the frames for a port that accepts less than they need.
 *
 * Checksums are completed in the frame itself, where every port that it has
 * still to go to finds it done.  Large frames are cut (segment.h) and stay
 * whole for the others.
 *
 *	completion_begin(&c, f, n, to->accepts, room);
 *	while ((n = completion_next(&c, out)))
 *		tx(out, n);
 *
 * Life: the frames of one completion_next() are valid until the next one.
 * Threads: only the worker that has the frames.
 * Ownership: frames that are passed on keep theirs; segments are borrowed.
 */
#ifndef SWITCH_BASE_COMPLETION_H
#define SWITCH_BASE_COMPLETION_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/frame.h"
#include "switch/base/segment.h"

struct completion {
	struct frame *const *f;
	unsigned n, next; /* f[next..n) are still to come */
	unsigned n_refused;
	uint8_t accepts; /* and OFFLOAD_VALID, which needs no completion */
	bool cutting;	 /* f[next - 1], by @cut */
	struct segmenter cut;
	struct batch *room;
};

/* Whether frames whose offload bits are together @bits can leave by a port
 * that accepts @accepts only after completion. */
static inline bool completion_is_needed(uint8_t bits, uint8_t accepts)
{
	return bits & ~(accepts | OFFLOAD_VALID);
}

/* Begins with f[0..n), frames of one batch on their way to a port that accepts
 * @accepts (enum offload_bit); their segments are made in @room. */
void completion_begin(struct completion *c, struct frame *const f[], unsigned n,
    uint8_t accepts, struct batch *room);

/* The next frames, which the port accepts, in order, to out[0..BATCH_MAX).
 * Returns how many; 0: that was all.  Frames that cannot be completed are
 * left out, and counted in c->n_refused. */
unsigned completion_next(struct completion *c, struct frame *out[]);

#endif
