/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring_rx.c - frames out of a pipe's ring.
 *
 * Nearly every frame is one buffer and takes the short way; chains are
 * gathered.  A chain that ends with the ring instead of by itself is dropped,
 * one without a lawful end breaks the ring: nobody can say where the next
 * frame would begin.
 */
#include "ports/peer/gather.h"
#include "ports/peer/plain.h"
#include "ports/pipe/ring.h"

/* A poll ends with the frame in which its slot BATCH_MAX lies. */
static_assert(BATCH_MAX + GATHER_MAX <= BATCH_SEGS_MAX,
    "a batch has room for whatever a poll may find");

/* One poll of a ring. */
struct intake {
	struct pipe_ring *r;
	struct batch *b;
	struct counters *counters;
	unsigned n_available, n_taken; /* slots */
	const struct pipe_slot *slot;  /* fetched ahead */
	unsigned n_fetched;
};

static void refuse(
    const struct intake *in, enum drop_reason why, uint32_t len_bytes)
{
	in->counters->rx_packets++;
	in->counters->rx_bytes += len_bytes;
	in->counters->drops[why]++;
}

/* Breaks the ring; the frame counts as one of unknown length. */
static bool breach(const struct intake *in, enum pipe_fault fault)
{
	pipe_ring_break(in->r, fault);
	refuse(in, DROP_BAD_DESCRIPTOR, 0);
	return false;
}

static void add_piece(struct gather *g, const struct pipe_slot *s)
{
	uint32_t len = s->len, want = FRAME_LEN_MAX + 1 - g->len;

	if (len > want)
		len = want;
	if (!len)
		return;
	g->piece[g->n++] = (struct gather_piece){s->at, len};
	g->len += len;
}

/* Gathers the chain that begins @in->n_taken places after the next slot, and
 * unlinks it: not every sender resets the flag when it fills a slot anew with a
 * frame of one buffer.  PIPE_NONE, with g->full if it has no end here. */
static enum pipe_fault gather_chain(const struct intake *in, struct gather *g)
{
	gather_init(g);
	for (;;) {
		unsigned k = in->n_taken + g->n_descs;
		struct pipe_slot s;

		g->full = k == in->n_available;
		if (g->full)
			return PIPE_NONE;
		if (g->n_descs == GATHER_MAX)
			return PIPE_CHAIN;
		s = k < in->n_fetched ? in->slot[k] : pipe_ring_fetch(in->r, k);
		if (!s.at)
			return PIPE_DESC;
		g->n_descs++;
		add_piece(g, &s);
		if (!(s.flags & MEMIF_DESC_NEXT))
			return PIPE_NONE;
		pipe_ring_unlink(in->r, k);
	}
}

static enum drop_reason judge(const struct gather *g)
{
	if (g->full || g->n > FRAME_SEGS_MAX)
		return DROP_RX_MALFORMED;
	if (g->len > FRAME_LEN_MAX)
		return DROP_RX_OVERSIZE;
	return g->len < FRAME_LEN_MIN ? DROP_RX_RUNT : DROP_NONE;
}

static void take(const struct intake *in, const struct gather *g)
{
	struct batch *b = in->b;
	struct frame *f = &b->f[b->n];
	struct gather_cursor at = {g->piece, 0};

	f->offload = (struct offload){0};
	plain_describe(b, f, g->len, g->len < PLAIN_HEAD ? g->len : PLAIN_HEAD);
	gather_read(&at, f->head, f->head_len);
	gather_borrow(b, f, g, at);
	b->n++;
}

/* Any frame.  False: it broke the ring. */
static __attribute__((noinline)) bool rx_slow(struct intake *in)
{
	struct gather g;
	enum pipe_fault fault = gather_chain(in, &g);
	enum drop_reason why;

	if (fault)
		return breach(in, fault);
	why = judge(&g);
	if (why != DROP_NONE)
		refuse(in, why, g.full ? 0 : g.len);
	else
		take(in, &g);
	in->n_taken += g.n_descs;
	return true;
}

static inline bool is_plain(const struct pipe_slot *s)
{
	return s->at && !(s->flags & MEMIF_DESC_NEXT) &&
	       plain_len_is_lawful(s->len);
}

/* Takes the frames that begin in the next slots s[0..n), as far as the ring is
 * sound; returns how many slots they had. */
static inline unsigned take_all(
    struct intake *in, const struct pipe_slot s[], unsigned n)
{
	unsigned k = 0;

	in->slot = s;
	in->n_fetched = n;
	while (k < n) {
		if (__builtin_expect(is_plain(&s[k]), 1)) {
			plain_borrow(in->b, s[k].at, s[k].len);
			k++;
			continue;
		}
		in->n_taken = k;
		if (!rx_slow(in))
			break;
		k = in->n_taken;
	}
	return k;
}

static __attribute__((noinline)) void stop_listening(struct pipe_ring *r)
{
	r->listening = false;
	shared_store(&r->shared->flags, MEMIF_RING_MASK_INT);
}

unsigned pipe_ring_rx(
    struct pipe_ring *r, struct batch *b, struct port_worker *w)
{
	struct pipe_slot s[BATCH_MAX];
	struct intake in = {.r = r, .b = b, .counters = w->counters};
	unsigned n;

	shared_begin();
	if (!pipe_ring_usable(r))
		return 0;
	in.n_available = pipe_ring_available(r);
	if (!in.n_available)
		return 0;
	if (__builtin_expect(r->listening, 0))
		stop_listening(r);
	n = in.n_available < BATCH_MAX ? in.n_available : BATCH_MAX;
	for (unsigned k = 0; k < n; k++) {
		s[k] = pipe_ring_fetch(r, k);
		shared_prefetch_to_read(s[k].at);
	}
	n = take_all(&in, s, n);
	r->n_taken = (uint16_t)n;
	return n;
}

void pipe_ring_rx_done(struct pipe_ring *r)
{
	unsigned n = r->n_taken;

	if (r->buffers)
		for (unsigned k = 0; k < n; k++)
			pipe_ring_put_own(r, k, 0, r->buffer_size);
	r->n_taken = 0;
	pipe_ring_publish(r, n);
}
