/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.h - one large frame cut into the packets that it stands for.
 *
 * What a card would do with TSO and USO, and as Linux does it: each segment is
 * a frame of its own with new headers, in the memory of a batch, and with
 * segments that point to slices of the original's payload.  No payload is
 * copied; the egress port's tx copies it to where it goes.
 *
 *     original   [headers|pay]  [load ..........] [...............]
 *     segments   [headers]-----^^^^  ^^^^^
 *                [headers]----------------^^^^^^   ^^^
 *                [headers]----------------------------^^^^^^^^^^^^
 *
 * Life: segment_begin(), then segment_next() while something is left, with
 * the batch emptied when it is full.  The segments are valid as long as the
 * batch is not emptied and the original is.
 * Threads: only the worker that has the frame.
 * Ownership: the segments are borrowed frames that nobody takes.
 */
#ifndef SWITCH_BASE_SEGMENT_H
#define SWITCH_BASE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/frame.h"

struct segmenter {
	const struct frame *f;
	struct frame_seg piece; /* what is left of the one being cut */
	uint32_t left;		/* payload bytes not cut yet */
	uint32_t seq;		/* TCP: of the next segment */
	uint16_t next;		/* f->segs[next..] come after @piece */
	uint16_t l3;
	uint16_t id;	 /* IPv4: of the next segment */
	uint16_t ip_sum; /* IPv4 header, but for length, id, sum */
	uint16_t phdr;	 /* sum of the pseudo-header but for the length */
	bool is_first;	 /* no segment is cut yet */
	bool is_ip4;	 /* else IPv6 */
	bool finishing;	 /* the checksums, too */
};

/* Begins to cut @f, whose offload_parse()d state has a gso_size, for a port
 * that accepts @accepts (enum offload_bit): without OFFLOAD_CSUM the segments
 * leave with their checksums complete.  @f stays as it is, so another port
 * can still have it whole. */
void segment_begin(struct segmenter *s, const struct frame *f, uint8_t accepts);

/* Appends up to @max of the next segments to @b, in order, as many as there
 * is room for; an empty @b has room for at least one.  Returns how many.  All
 * are cut when s->left is 0. */
unsigned segment_next(struct segmenter *s, struct batch *b, unsigned max);

#endif
