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
#include "ports/vhost/frame_out.h"
#include "ports/vhost/split.h"

struct tx {
	struct virtq *vq;
	unsigned n_entries; /* fetched ahead */
	unsigned n_avail;   /* chains known to be available */
	unsigned n_used;    /* chains that hold frames */
	bool looked_again;
	struct split_entry entry[BATCH_MAX];
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

/* Any shape of chain, and several.  Each looks at one descriptor at least,
 * so the gather's limit is a limit to their number too. */
static __attribute__((noinline)) enum drop_reason tx_slow(
    struct tx *t, const struct frame *f)
{
	struct virtq *vq = t->vq;
	uint32_t want = vq->hdr_len + f->len, before, len[GATHER_MAX];
	uint16_t head[GATHER_MAX];
	struct gather g;
	unsigned n = 0;

	gather_init(&g);
	do {
		struct split_entry spare;
		const struct split_entry *e;
		enum virtq_fault fault;

		if (t->n_used + n == t->n_avail && !find_more(t, t->n_used + n))
			return why_none(t);
		e = entry_at(t, t->n_used + n, &spare);
		before = g.len;
		fault = split_gather(&g, vq, e, VRING_DESC_F_WRITE, want);
		if (fault) {
			virtq_break(vq, fault);
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
	for (unsigned i = 0; i < n; i++)
		split_use(vq, t->n_used + i, head[i], len[i]);
	t->n_used += n;
	return DROP_NONE;
}

/* One descriptor, or the header in one and the frame in the next. */
static inline enum drop_reason tx_one(struct tx *t, const struct frame *f)
{
	struct virtq *vq = t->vq;
	uint32_t hdr_len = vq->hdr_len, len;
	const struct split_entry *e;
	struct split_entry spare;
	struct shared_desc d;
	uint8_t *data;

	if (f->offload.bits & ~(vq->port->accepts | OFFLOAD_VALID))
		return DROP_NO_OFFLOAD;
	if (t->n_used == t->n_avail && !find_more(t, t->n_used))
		return why_none(t);
	e = entry_at(t, t->n_used, &spare);
	if (!e->at || e->head >= vq->size)
		return tx_slow(t, f);
	d = e->d;
	len = d.len - hdr_len;
	data = e->at + hdr_len;
	if (d.flags == (VRING_DESC_F_WRITE | VRING_DESC_F_NEXT) && !len &&
	    d.next < vq->size) {
		d = shared_load_desc(&vq->desc[d.next]);
		data = buffer_whole(vq, d.addr, d.len);
		len = d.len;
	}
	if (d.flags != VRING_DESC_F_WRITE || !data || d.len < len ||
	    len < f->len)
		return tx_slow(t, f);
	frame_out_linear(vq, f, e->at, data);
	split_use(vq, t->n_used++, e->head, hdr_len + f->len);
	return DROP_NONE;
}

/* Looks at what waits in the ring, as much of it as @n frames may need. */
static void tx_begin(struct tx *t, struct virtq *vq, unsigned n)
{
	t->vq = vq;
	t->n_used = 0;
	t->looked_again = false;
	t->n_avail = split_available(vq);
	t->n_entries = t->n_avail < n ? t->n_avail : n;
	if (t->n_entries > BATCH_MAX)
		t->n_entries = BATCH_MAX;
	split_fetch_all(t->entry, vq, t->n_entries, true);
}

/* A frame too long for what is left of the ring does not hold up shorter
 * ones; an empty or broken ring holds up all, and is not looked at again. */
void split_tx(struct virtq *vq, struct frame *const f[], unsigned n,
    struct port_worker *w)
{
	struct counters *c = w->counters;
	struct tx t;
	unsigned i = 0;

	if (virtq_usable(vq)) {
		tx_begin(&t, vq, n);
		for (; i < n && !virtq_is_broken(vq); i++) {
			enum drop_reason why = tx_one(&t, f[i]);

			if (why != DROP_NONE) {
				c->drops[why]++;
				continue;
			}
			c->tx_packets++;
			c->tx_copied++;
			c->tx_bytes += f[i]->len;
		}
		vq->next_avail = (uint16_t)(vq->next_avail + t.n_used);
		if (t.n_used)
			split_publish(vq, t.n_used, w);
	}
	c->drops[DROP_GUEST_RING_BROKEN] += n - i;
}
