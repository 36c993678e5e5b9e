/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split_tx.c - frames into the chains of a guest's receiveq.
 *
 * Each frame goes into one chain, or with mergeable buffers into as many as
 * it takes.  Chains are counted as used only once the whole frame has its
 * place; until then nothing is written, so giving up costs nothing and leaves
 * no trace.  A chain that is too small for a frame stays available for the
 * next one, as with Linux vhost-net, DPDK and QEMU: it is no fault of the
 * buffer's, and a guest would take its return with length 0 for an error.
 */
#include "ports/peer/tally.h"
#include "ports/vhost/frame_out.h"
#include "ports/vhost/split.h"
#include "ports/vhost/virtq_log.h"

struct tx {
	struct virtq *vq;
	const struct virtq_log *log;
	unsigned n_entries; /* fetched ahead */
	unsigned n_avail;   /* chains known to be available */
	unsigned n_used;    /* chains that hold frames */
	bool looked_again;
	uint8_t refused; /* enum offload_bit that the guest does not take */
	struct split_entry entry[BATCH_MAX];
};

/* What was fetched of the chain that is to be filled. */
struct looked {
	const struct split_entry *e;
	struct shared_desc second; /* the one that it links to */
	bool has_second;
};

/* Whether there are more than @n chains, all that are known of; asks once in
 * a call.  A guest that takes its index back is not followed. */
static bool find_more(struct tx *t, unsigned n)
{
	unsigned n_avail;

	if (t->looked_again)
		return false;
	t->looked_again = true;
	n_avail = split_available(t->vq);
	if (n_avail <= n)
		return false;
	t->n_avail = n_avail;
	return true;
}

static enum drop_reason why_none(const struct tx *t)
{
	return virtq_is_broken(t->vq) ? DROP_GUEST_RING_BROKEN
				      : DROP_GUEST_RING_FULL;
}

/* The entry @k; those that were not fetched ahead are fetched to *spare. */
static inline const struct split_entry *entry_at(
    const struct tx *t, unsigned k, struct split_entry *spare)
{
	struct buffer_window win = {0};

	if (k < t->n_entries)
		return &t->entry[k];
	split_fetch(spare, t->vq, &win, k);
	return spare;
}

/* Any shape of chain, and several, of which what was looked at is *first.
 * Each looks at one descriptor at least, so the gather's limit is a limit to
 * their number too. */
static __attribute__((noinline)) enum drop_reason tx_slow(
    struct tx *t, const struct frame *f, const struct looked *first)
{
	struct virtq *vq = t->vq;
	uint32_t want = vq->hdr_len + f->len, before, len[GATHER_MAX];
	uint16_t head[GATHER_MAX];
	struct gather g;
	unsigned n = 0;

	gather_init(&g);
	do {
		struct split_entry spare;
		const struct split_entry *e = first->e;
		enum virtq_fault fault;

		if (t->n_used + n == t->n_avail && !find_more(t, t->n_used + n))
			return why_none(t);
		if (n)
			e = entry_at(t, t->n_used + n, &spare);
		before = g.len;
		fault = split_gather(&g, vq, e,
		    !n && first->has_second ? &first->second : NULL,
		    VRING_DESC_F_WRITE, want);
		if (fault) {
			virtq_break(vq, fault);
			t->n_entries = 0; /* nothing follows a breach */
			return DROP_GUEST_RING_BROKEN;
		}
		if (g.full)
			return DROP_GUEST_BUFFER_SMALL;
		head[n] = e->head;
		len[n++] = g.len - before;
	} while (g.len < want && vq->mergeable);
	if (g.len < want)
		return DROP_GUEST_BUFFER_SMALL;
	frame_out_gathered(vq, &g, f, n);
	if (t->log)
		virtq_log_gather(vq, t->log, &g);
	for (unsigned i = 0; i < n; i++)
		split_use(vq, t->n_used + i, head[i], len[i]);
	t->n_used += n;
	return DROP_NONE;
}

/* The header in one descriptor, the frame in the next. */
static bool tx_apart(struct tx *t, const struct frame *f, struct looked *l)
{
	struct virtq *vq = t->vq;
	const struct split_entry *e = l->e;
	struct shared_desc d = e->d;
	uint8_t __peer *data;

	if (!e->at || e->head >= vq->size || d.len != vq->hdr_len ||
	    d.flags != (VRING_DESC_F_WRITE | VRING_DESC_F_NEXT) ||
	    d.next >= vq->size)
		return false;
	d = l->second = shared_load_desc(&vq->desc[d.next]);
	l->has_second = true;
	if (d.flags != VRING_DESC_F_WRITE || d.len < f->len)
		return false;
	data = buffer_whole(vq, d.addr, d.len);
	if (!data)
		return false;
	frame_out_linear(vq, f, e->at, data);
	split_use(vq, t->n_used++, e->head, vq->hdr_len + f->len);
	return true;
}

static __attribute__((noinline)) enum drop_reason tx_other(
    struct tx *t, const struct frame *f)
{
	struct looked l = {.has_second = false};
	struct split_entry spare;

	shared_begin();
	if (virtq_is_broken(t->vq))
		return DROP_GUEST_RING_BROKEN;
	if (f->offload.bits & t->refused)
		return DROP_NO_OFFLOAD;
	if (t->n_used == t->n_avail && !find_more(t, t->n_used))
		return why_none(t);
	l.e = entry_at(t, t->n_used, &spare);
	return !t->log && tx_apart(t, f, &l) ? DROP_NONE : tx_slow(t, f, &l);
}

/* One descriptor that was fetched ahead and is large enough. */
static inline bool tx_plain(struct tx *t, const struct frame *f)
{
	struct virtq *vq = t->vq;
	const struct split_entry *e;
	uint32_t len = vq->hdr_len + f->len;

	if (__builtin_expect(t->n_used >= t->n_entries, 0))
		return false;
	e = &t->entry[t->n_used];
	if (__builtin_expect(!e->at || e->head >= vq->size || e->d.len < len ||
				 e->d.flags != VRING_DESC_F_WRITE ||
				 f->offload.bits & t->refused,
		0))
		return false;
	frame_out_linear(vq, f, e->at, e->at + vq->hdr_len);
	split_use(vq, t->n_used++, e->head, len);
	return true;
}

/* Looks at what waits in the ring, as much of it as @n frames may need. */
static void tx_begin(struct tx *t, struct virtq *vq, unsigned n)
{
	t->vq = vq;
	t->log = virtq_log(vq);
	t->refused = (uint8_t) ~(vq->port->accepts | OFFLOAD_VALID);
	t->n_used = 0;
	t->looked_again = false;
	t->n_avail = split_available(vq);
	t->n_entries = t->n_avail < n ? t->n_avail : n;
	if (t->n_entries > BATCH_MAX)
		t->n_entries = BATCH_MAX;
	if (__builtin_expect(t->log != NULL, 0))
		t->n_entries = 0; /* nobody takes the short way */
	split_fetch_all(t->entry, vq, t->n_entries, true);
}

/* A frame too long for what is left of the ring does not hold up shorter
 * ones; an empty or broken ring holds up all, and is not looked at again. */
void split_tx(struct virtq *vq, struct frame *const f[], unsigned n,
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
	vq->next_avail = (uint16_t)(vq->next_avail + t.n_used);
	if (t.n_used)
		split_publish(vq, t.n_used, w);
}
