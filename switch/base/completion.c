/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * completion.c - finish the checksums, cut the large frames, keep the order.
 */
#include "switch/base/checksum.h"
#include "switch/base/completion.h"

void completion_begin(struct completion *c, struct frame *const f[], unsigned n,
    uint8_t accepts, struct batch *room)
{
	c->f = f;
	c->n = n;
	c->next = c->n_refused = 0;
	c->accepts = accepts;
	c->cutting = false;
	c->room = room;
}

/* Appends segments of the frame being cut to out[n..BATCH_MAX).  Returns how
 * many out[] has then. */
static unsigned cut_more(struct completion *c, struct frame *out[], unsigned n)
{
	struct batch *b = c->room;
	unsigned first = b->n;

	segment_next(&c->cut, b, BATCH_MAX - n);
	c->cutting = c->cut.left;
	for (unsigned i = first; i < b->n; i++)
		out[n++] = &b->f[i];
	return n;
}

/* Puts the next frame into out[n] if it can leave in one piece.  Returns how
 * many out[] has then. */
static unsigned take_next(struct completion *c, struct frame *out[], unsigned n)
{
	struct frame *f = c->f[c->next++];
	bool is_ready = !completion_is_needed(f->offload.bits, c->accepts);

	if (!is_ready && f->offload.gso_size) {
		segment_begin(&c->cut, f, c->accepts);
		c->cutting = true;
	} else if (is_ready || checksum_finish(f)) {
		out[n++] = f;
	} else {
		c->n_refused++;
	}
	return n;
}

unsigned completion_next(struct completion *c, struct frame *out[])
{
	unsigned n = 0;

	c->room->n = c->room->n_segs = 0;
	while (n < BATCH_MAX && (c->cutting || c->next < c->n)) {
		if (!c->cutting) {
			n = take_next(c, out, n);
			continue;
		}
		n = cut_more(c, out, n);
		if (c->cutting)
			break; /* the room is used up, or out[] is */
	}
	return n;
}
