/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - frames and batches: what flows from port to port.
 *
 * A frame is a descriptor, not a buffer:
 *
 *      head (our memory)             segs[0..n_segs) (owner's memory)
 *     +------------------+          +-----------+   +-----------+
 *     | checked bytes    |  then    | payload   |   | payload   |
 *     +------------------+          +-----------+   +-----------+
 *      head_len                      len             len
 *      `----------------------- len ----------------------------'
 *
 * The head is read once from whoever sent the frame and lies in memory that
 * nobody else can write: every decision is made on it and it is what leaves.
 * FRAME_HEADROOM bytes before it are free for a VLAN tag.
 *
 *  - Borrowed frames: the segments lie in a guest's or an application's
 *    memory and may change at any moment.  They are valid until the rx_done
 *    of the queue that they came from.  tx copies them.
 *  - Owned frames (FRAME_OWNED): the head and each segment lie in packet
 *    memory (pool.h), each in a slot of its own; the head may be all there
 *    is.  The last tx (n_left 1) may take it (set FRAME_TAKEN) and becomes
 *    responsible for the return of its slots; what no tx took goes back at
 *    rx_done.
 *
 * A batch is what one queue gave in one poll: up to BATCH_MAX frames with the
 * memory of their heads and segments.
 *
 * Life: a batch belongs to a worker and is reused for ever.
 * Threads: only its worker.
 */
#ifndef SWITCH_BASE_FRAME_H
#define SWITCH_BASE_FRAME_H

#include <stdint.h>

#include "switch/base/offload.h"
#include "switch/base/shared.h"

typedef uint16_t port_no; /* index of a port in a snapshot */

enum {
	PORT_NONE = 0xffff,
	BATCH_MAX = 64,
	BATCH_SEGS_MAX = 512, /* of all frames of a batch together */
	FRAME_SEGS_MAX = 256, /* of one frame: more is malformed */
	FRAME_HEAD_MAX = 256, /* bytes copied and checked at most */
	FRAME_HEADROOM = 16,  /* before the head, for a tag */
	FRAME_LEN_MIN = 14,   /* shorter is a runt */
	FRAME_LEN_MAX = 65535 + 18,
};

enum frame_flag {
	FRAME_OWNED = 1 << 0,  /* all of it lies in packet memory */
	FRAME_TAKEN = 1 << 1,  /* a tx took it: rx_done leaves it alone */
	FRAME_TAGGED = 1 << 2, /* head carries the 802.1Q tag of its network */
};

struct frame_seg {
	const uint8_t __peer *data; /* if borrowed, shared: copy, never look */
	uint32_t len;		    /* bytes, > 0 */
};

/* A segment in memory of ours, and where it lies if it is one. */
static inline struct frame_seg frame_seg_own(const uint8_t *data, uint32_t len)
{
	return (struct frame_seg){(const uint8_t __peer *)data, len};
}

static inline const uint8_t *frame_seg_at(const struct frame_seg *s)
{
	return shared_raw(const uint8_t, s->data);
}

struct frame {
	uint8_t *head;
	struct frame_seg *segs;
	uint32_t len;	   /* bytes of the whole frame, head included */
	uint16_t head_len; /* bytes of it that lie at @head */
	uint16_t n_segs;
	uint16_t flags;	 /* enum frame_flag */
	uint16_t tci;	 /* priority and VLAN id, set by the classifier */
	uint16_t n_left; /* egress ports still to come; 1: this tx may take */
	struct offload offload;
};

struct batch {
	unsigned n, n_segs;
	struct frame f[BATCH_MAX];
	struct frame_seg segs[BATCH_SEGS_MAX];
	uint8_t heads[BATCH_MAX][FRAME_HEADROOM + FRAME_HEAD_MAX]
	    __attribute__((aligned(64)));
};

/* Where the head of the frame that will be f[i] is to be copied to. */
static inline uint8_t *batch_head(struct batch *b, unsigned i)
{
	return b->heads[i] + FRAME_HEADROOM;
}

#endif
