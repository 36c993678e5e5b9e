/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring_tx.c - frames into a pipe's ring: the one copy.
 *
 * A frame goes into one buffer, or into as many as it takes.  Slots count as
 * used only once the whole frame has its place; until then nothing is written,
 * so giving up costs nothing and leaves no trace.
 */
#include "ports/peer/gather.h"
#include "ports/peer/plain.h"
#include "ports/peer/tally.h"
#include "ports/pipe/ring.h"

struct tx {
	struct pipe_ring *r;
	unsigned n_slots;     /* fetched ahead */
	unsigned n_available; /* slots known to be available */
	unsigned n_used;      /* slots that hold frames */
	bool looked_again;
	struct pipe_slot slot[BATCH_MAX];
};

/* What is in the slot @k places after the next one from here on. */
static inline void fill(const struct pipe_ring *r, unsigned k,
    const struct pipe_slot *s, uint16_t flags, uint32_t len)
{
	if (r->buffers)
		pipe_ring_put_own(r, k, flags, len);
	else
		pipe_ring_put(r, k, flags, s->region, len);
}

/* Of a buffer of ours everything is known: what its descriptor says is what the
 * last frame left there. */
static inline struct pipe_slot fetch_free(const struct pipe_ring *r, unsigned k)
{
	if (!r->buffers)
		return pipe_ring_fetch(r, k);
	return (struct pipe_slot){
	    .at = pipe_ring_own_buffer(r, k), .len = r->buffer_size};
}

/* The slot @k, fetched ahead or not. */
static struct pipe_slot slot_at(const struct tx *t, unsigned k)
{
	return k < t->n_slots ? t->slot[k] : fetch_free(t->r, k);
}

/* Whether there are more than @n slots, all that are known of; asks once in a
 * call. */
static bool find_more(struct tx *t, unsigned n)
{
	unsigned n_available;

	if (t->looked_again)
		return false;
	t->looked_again = true;
	n_available = pipe_ring_available(t->r);
	if (n_available <= n)
		return false;
	t->n_available = n_available;
	return true;
}

/* A frame that finds no place although @n slots, all there are, were free for
 * it, never will. */
static enum drop_reason why_none(const struct tx *t, unsigned n)
{
	if (pipe_ring_is_broken(t->r))
		return DROP_GUEST_RING_BROKEN;
	return n > t->r->mask ? DROP_GUEST_BUFFER_SMALL : DROP_GUEST_RING_FULL;
}

/* Any frame, into several slots if it takes them. */
static __attribute__((noinline)) enum drop_reason tx_slow(
    struct tx *t, const struct frame *f)
{
	struct pipe_ring *r = t->r;
	struct pipe_slot s[GATHER_MAX];
	uint32_t len[GATHER_MAX];
	struct gather_cursor at;
	struct gather g;
	unsigned n = 0;

	gather_init(&g);
	while (g.len < f->len) {
		if (t->n_used + n == t->n_available &&
		    !find_more(t, t->n_used + n))
			return why_none(t, n);
		if (n == GATHER_MAX)
			return DROP_GUEST_BUFFER_SMALL;
		s[n] = slot_at(t, t->n_used + n);
		if (!s[n].at) {
			pipe_ring_break(r, PIPE_DESC);
			return DROP_GUEST_RING_BROKEN;
		}
		len[n] = s[n].len;
		if (len[n] > f->len - g.len)
			len[n] = f->len - g.len;
		if (len[n])
			g.piece[g.n++] = (struct gather_piece){s[n].at, len[n]};
		g.len += len[n];
		n++;
	}
	at = (struct gather_cursor){g.piece, 0};
	gather_copy(&at, f);
	for (unsigned i = 0; i < n; i++)
		fill(r, t->n_used + i, &s[i], i + 1 < n ? MEMIF_DESC_NEXT : 0,
		    len[i]);
	t->n_used += n;
	return DROP_NONE;
}

static __attribute__((noinline)) enum drop_reason tx_other(
    struct tx *t, const struct frame *f)
{
	shared_begin();
	if (pipe_ring_is_broken(t->r))
		return DROP_GUEST_RING_BROKEN;
	if (f->offload.bits & ~OFFLOAD_VALID)
		return DROP_NO_OFFLOAD;
	return tx_slow(t, f);
}

/* One slot that was fetched ahead and is large enough. */
static inline bool tx_plain(struct tx *t, const struct frame *f)
{
	const struct pipe_slot *s;

	if (__builtin_expect(t->n_used >= t->n_slots, 0))
		return false;
	s = &t->slot[t->n_used];
	if (__builtin_expect(
		!s->at || s->len < f->len || f->offload.bits & ~OFFLOAD_VALID,
		0))
		return false;
	plain_copy(s->at, f);
	fill(t->r, t->n_used++, s, 0, f->len);
	return true;
}

/* Looks at what is free in the ring, as much of it as @n frames may need. */
static void tx_begin(struct tx *t, struct pipe_ring *r, unsigned n)
{
	t->r = r;
	t->n_used = 0;
	t->looked_again = false;
	t->n_available = pipe_ring_available(r);
	t->n_slots = t->n_available < n ? t->n_available : n;
	if (t->n_slots > BATCH_MAX)
		t->n_slots = BATCH_MAX;
	for (unsigned k = 0; k < t->n_slots; k++) {
		t->slot[k] = fetch_free(r, k);
		shared_prefetch_to_write(t->slot[k].at);
	}
}

/* A receiver that cannot be told misses one notification. */
static void notify(struct pipe_ring *r, struct port_worker *w)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* (C) */
	if (shared_poll(&r->shared->flags) & MEMIF_RING_MASK_INT || r->fd < 0)
		return;
	__atomic_store_n(&r->n_bells, r->n_bells + 1, __ATOMIC_RELAXED);
	doorbell_ring(w->bell, r->fd);
}

void pipe_ring_tx(struct pipe_ring *r, struct frame *const f[], unsigned n,
    struct port_worker *w)
{
	struct tally tally = {.counters = w->counters};
	struct tx t;

	shared_begin();
	if (!pipe_ring_usable(r)) {
		w->counters->drops[DROP_GUEST_RING_BROKEN] += n;
		return;
	}
	tx_begin(&t, r, n);
	for (unsigned i = 0; i < n; i++)
		tally_add(&tally, f[i],
		    tx_plain(&t, f[i]) ? DROP_NONE : tx_other(&t, f[i]));
	tally_end(&tally);
	if (!t.n_used)
		return;
	pipe_ring_publish(r, t.n_used);
	notify(r, w);
}
