/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed_tx.c - frames into the packed ring of a guest's receiveq.
 *
 * As in split_tx.c, a frame takes one chain, or with mergeable buffers as many
 * as it needs, and none at all if they are too few or too small.  What is to
 * be returned is kept until the end of the batch: writing to the ring earlier
 * would take its cache lines from a guest that watches them.
 */
#include "ports/peer/tally.h"
#include "ports/vhost/frame_out.h"
#include "ports/vhost/packed.h"
#include "ports/vhost/virtq_log.h"

enum { RETURNS_MAX = BATCH_MAX + GATHER_MAX };

struct tx {
	struct virtq *vq;
	const struct virtq_log *log;
	unsigned n_descs;   /* fetched ahead */
	unsigned n_used;    /* slots that hold frames */
	unsigned n_returns; /* chains that wait to be returned */
	unsigned end;	    /* this many slots are available, no more */
	uint8_t refused;    /* enum offload_bit that the guest does not take */
	struct packed_entry entry[BATCH_MAX];
	struct virtq_return returns[RETURNS_MAX];
};

static inline uint16_t place_of(const struct tx *t, unsigned k)
{
	return packed_place(t->vq, t->vq->next_avail, k);
}

/* The guest may have added more since.  Where it has not, nobody looks again
 * in this batch. */
static __attribute__((noinline)) bool fetch_slow(
    struct tx *t, unsigned k, struct packed_desc *d)
{
	if (k >= t->end)
		return false;
	if (packed_load(t->vq, place_of(t, k), d))
		return true;
	t->end = k;
	return false;
}

/* Descriptors from a slot on that are fetched. */
struct fetched {
	const struct packed_entry *e;
	unsigned n;
	struct packed_entry spare[2]; /* those not fetched ahead */
};

/* What there is @k slots after the next one to take; false: nothing. */
static inline bool fetch(struct tx *t, unsigned k, struct fetched *l)
{
	if (k < t->n_descs) {
		l->e = &t->entry[k];
		l->n = t->n_descs - k;
	} else {
		l->e = l->spare;
		l->n = fetch_slow(t, k, &l->spare[0].d);
	}
	return l->n;
}

/* One more, behind the only one that *l has, which is @k slots after the next
 * one to take. */
static bool fetch_second(struct tx *t, unsigned k, struct fetched *l)
{
	l->spare[0] = l->e[0];
	l->e = l->spare;
	l->n += fetch_slow(t, k + 1, &l->spare[1].d);
	return l->n == 2;
}

/* Goes on to the slot @k, which is @n behind the first one of *l. */
static bool fetch_next(struct tx *t, unsigned k, unsigned n, struct fetched *l)
{
	if (n >= l->n)
		return fetch(t, k, l);
	l->e += n;
	l->n -= n;
	return true;
}

static void return_all(struct tx *t)
{
	if (t->n_returns)
		packed_return(t->vq, t->returns, t->n_returns);
	t->n_returns = 0;
}

/* Any shape of chain, and several, the first of which begins with *l.  Each
 * looks at one descriptor at least, so the gather's limit is a limit to their
 * number too; tx_other() has seen to it that so many can be returned. */
static __attribute__((noinline)) enum drop_reason tx_slow(
    struct tx *t, const struct frame *f, struct fetched *l)
{
	struct virtq *vq = t->vq;
	uint32_t want = vq->hdr_len + f->len;
	struct virtq_return *to = &t->returns[t->n_returns];
	unsigned k = t->n_used, n = 0;
	struct virtq_return r = {.n_slots = 0};
	struct gather g;

	gather_init(&g);
	do {
		uint32_t before = g.len;
		enum virtq_fault fault;

		if (!fetch_next(t, k, r.n_slots, l))
			return DROP_GUEST_RING_FULL;
		fault = packed_gather(&g, vq, place_of(t, k), l->e, l->n,
		    VRING_DESC_F_WRITE, want, vq->size - k, &r);
		if (fault) {
			virtq_break(vq, fault);
			t->n_descs = 0; /* nothing follows a breach */
			return DROP_GUEST_RING_BROKEN;
		}
		if (g.full)
			return DROP_GUEST_BUFFER_SMALL;
		k += r.n_slots;
		r.len = g.len - before;
		to[n++] = r;
	} while (g.len < want && vq->mergeable);
	if (g.len < want)
		return DROP_GUEST_BUFFER_SMALL;
	frame_out_gathered(vq, &g, f, n);
	if (t->log)
		virtq_log_gather(vq, t->log, &g);
	t->n_returns += n;
	t->n_used = k;
	return DROP_NONE;
}

/* Header and frame to where @hdr_at and @data point, in one chain. */
static inline void tx_linear(struct tx *t, const struct frame *f, uint16_t id,
    uint16_t n_slots, uint8_t __peer *hdr_at, uint8_t __peer *data)
{
	frame_out_linear(t->vq, f, hdr_at, data);
	t->returns[t->n_returns++] =
	    (struct virtq_return){t->vq->hdr_len + f->len, id, n_slots};
	t->n_used += n_slots;
}

/* The header in one descriptor, the frame in the next. */
static bool tx_apart(struct tx *t, const struct frame *f, struct fetched *l)
{
	struct virtq *vq = t->vq;
	const struct packed_desc *d = &l->e[0].d, *next;
	uint8_t __peer *p, *data;

	if (d->flags != (VRING_DESC_F_WRITE | VRING_DESC_F_NEXT) ||
	    d->len != vq->hdr_len ||
	    (l->n < 2 && !fetch_second(t, t->n_used, l)))
		return false;
	d = &l->e[0].d;
	next = &l->e[1].d;
	if (next->flags != VRING_DESC_F_WRITE || next->len < f->len)
		return false;
	p = buffer_whole(vq, d->addr, d->len);
	data = buffer_whole(vq, next->addr, next->len);
	if (!p || !data)
		return false;
	tx_linear(t, f, next->id, 2, p, data);
	return true;
}

static __attribute__((noinline)) enum drop_reason tx_other(
    struct tx *t, const struct frame *f)
{
	struct fetched l;

	shared_begin();
	if (virtq_is_broken(t->vq))
		return DROP_GUEST_RING_BROKEN;
	if (f->offload.bits & t->refused)
		return DROP_NO_OFFLOAD;
	if (t->n_returns > RETURNS_MAX - GATHER_MAX)
		return_all(t);
	if (!fetch(t, t->n_used, &l))
		return DROP_GUEST_RING_FULL;
	return !t->log && tx_apart(t, f, &l) ? DROP_NONE : tx_slow(t, f, &l);
}

/* One descriptor that was fetched ahead and is large enough.  No more chains
 * than slots wait to be returned, and so there is room for this one. */
static inline bool tx_plain(struct tx *t, const struct frame *f)
{
	struct virtq *vq = t->vq;
	const struct packed_entry *e;

	if (__builtin_expect(t->n_used >= t->n_descs, 0))
		return false;
	e = &t->entry[t->n_used];
	if (__builtin_expect(!e->at || e->d.len < vq->hdr_len + f->len ||
				 e->d.flags != VRING_DESC_F_WRITE ||
				 f->offload.bits & t->refused,
		0))
		return false;
	tx_linear(t, f, e->d.id, 1, e->at, e->at + vq->hdr_len);
	return true;
}

/* Looks at what waits in the ring, as much of it as @n frames may need. */
static void tx_begin(struct tx *t, struct virtq *vq, unsigned n)
{
	t->vq = vq;
	t->log = virtq_log(vq);
	t->refused = (uint8_t) ~(vq->port->accepts | OFFLOAD_VALID);
	t->n_used = t->n_returns = 0;
	t->end = vq->size;
	if (__builtin_expect(t->log != NULL, 0))
		n = 0; /* nobody takes the short way */
	t->n_descs = packed_fetch_all(
	    vq, vq->next_avail, t->entry, n < vq->size ? n : vq->size, true);
}

static void tx_end(struct tx *t, struct port_worker *w)
{
	struct virtq *vq = t->vq;

	if (!t->n_used)
		return;
	return_all(t);
	vq->next_avail = place_of(t, t->n_used);
	packed_call(vq, w);
}

/* A frame too long for what is left of the ring does not hold up shorter
 * ones; an empty or broken ring holds up all, and is not looked at again. */
void packed_tx(struct virtq *vq, struct frame *const f[], unsigned n,
    struct port_worker *w)
{
	struct tally tally = {.counters = w->counters};
	struct tx t;

	if (!virtq_usable(vq)) {
		w->counters->drops[DROP_GUEST_RING_BROKEN] += n;
		return;
	}
	tx_begin(&t, vq, n);
	for (unsigned i = 0; i < n; i++)
		tally_add(&tally, f[i],
		    tx_plain(&t, f[i]) ? DROP_NONE : tx_other(&t, f[i]));
	tally_end(&tally);
	tx_end(&t, w);
}
