/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * egress.c - the frames of a batch that leave by one port.
 *
 * The port decides: whether a frame fits its MTU and VLAN, whether it takes
 * what the sender left undone, whether it would rather have many small frames
 * as one.  Each port is visited once for a batch, its queue locked once.
 */
#include "switch/base/completion.h"
#include "switch/base/merge.h"
#include "switch/forwarder.h"
#include "switch/vlan.h"

/* What a frame measures on the link: the segments of a GSO frame count. */
static uint32_t link_len(const struct frame *f)
{
	uint32_t len = f->len;

	if (f->offload.gso_size)
		len = (uint32_t)f->offload.hdr_len + f->offload.gso_size;
	if (eth_type_is_vlan(eth_be16(f->head + 2 * ETH_ADDR_LEN)))
		len -= ETH_VLAN_LEN;
	return len;
}

static enum drop_reason check_egress(
    const struct snapshot_port *to, struct frame *f)
{
	if (!to->up)
		return DROP_PORT_DOWN;
	if (f->len > to->max_len && link_len(f) > to->max_len)
		return DROP_MTU_EXCEEDED;
	return to->vlan_aware ? vlan_dress(to, f) : DROP_NONE;
}

static unsigned shape_slow(const struct snapshot_port *to,
    struct frame *const f[], unsigned n, struct counters *tx, uint64_t now)
{
	uint32_t len[BATCH_MAX];
	unsigned pass;

	for (unsigned i = 0; i < n; i++)
		len[i] = f[i]->len;
	pass = rate_take(to->rate_out, len, n, now);
	tx->drops[DROP_TAIL_DROP] += n - pass;
	return pass;
}

static void tx_lock(const struct snapshot_port *to, unsigned q)
{
	if (to->tx_shared >> q & 1)
		pthread_spin_lock(&to->tx_lock[q]);
}

static void tx_unlock(const struct snapshot_port *to, unsigned q)
{
	if (to->tx_shared >> q & 1)
		pthread_spin_unlock(&to->tx_lock[q]);
}

static void owe_flush(struct forwarder *fw, port_no no, unsigned q)
{
	if (!fw->owed_queues[no])
		fw->owed[fw->n_owed++] = no;
	fw->owed_queues[no] |= 1ull << q;
}

static void transmit(struct forwarder *fw, const struct passage *p, port_no no,
    struct frame *const f[], unsigned n)
{
	const struct snapshot_port *to = &p->snap->port[no];
	unsigned q = snapshot_tx_queue(p->snap, to, p->rank, p->queue);
	struct port_worker w = {.counters = fw->counters[no],
	    .bell = fw->bell,
	    .pool = fw->pool,
	    .now = p->now};

	tx_lock(to, q);
	to->port->ops->tx(to->port, q, f, n, &w);
	tx_unlock(to, q);
	if (to->port->ops->tx_flush)
		owe_flush(fw, no, q);
}

/* What came from a wire in pieces, for a port that takes it whole. */
static unsigned merge_slow(struct forwarder *fw, const struct snapshot_port *to,
    struct frame *f[], unsigned n, struct counters *tx)
{
	unsigned left;

	fw->merged.n = fw->merged.n_segs = 0;
	left = merge_frames(f, n, to->accepts, &fw->merged);
	tx->tx_merged += n - left;
	return left;
}

static void complete(struct forwarder *fw, const struct passage *p, port_no no,
    struct frame *const f[], unsigned n)
{
	struct counters *tx = fw->counters[no];
	struct frame *done[BATCH_MAX];
	struct completion c;
	unsigned some, total = 0;

	completion_begin(&c, f, n, p->snap->port[no].accepts, &fw->room);
	while ((some = completion_next(&c, done))) {
		for (unsigned i = 0; i < some; i++)
			tx->passed_through +=
			    completion_is_needed(done[i]->offload.bits, 0);
		transmit(fw, p, no, done, some);
		total += some;
	}
	tx->drops[DROP_NO_OFFLOAD] += c.n_refused;
	tx->tx_segments += total + c.n_refused - n;
}

/* What several ports want cut is cut once, with its checksums complete, which
 * is right for all; for what finds no room each port cuts it anew. */
static const struct cut *cut_once(struct forwarder *fw, const struct frame *f)
{
	struct cut *c =
	    &fw->cut_of[(f->flags & FRAME_TAGGED) != 0][f - fw->batch.f];
	struct segmenter s;

	if (c->n || f->n_left == 1)
		return c->n ? c : NULL;
	*c = (struct cut){.first = (uint8_t)fw->n_cuts};
	segment_begin(&s, f, 0);
	while (s.left && fw->n_cuts < CUTS_MAX) {
		struct batch *b = &fw->cuts[fw->n_cuts++];

		b->n = b->n_segs = 0;
		segment_next(&s, b, BATCH_MAX);
		c->n++;
	}
	if (!s.left)
		return c;
	fw->n_cuts = c->first;
	c->n = 0;
	return NULL;
}

static void send_cut(struct forwarder *fw, const struct passage *p, port_no no,
    const struct cut *c)
{
	struct frame *f[BATCH_MAX];

	for (unsigned k = c->first; k < (unsigned)c->first + c->n; k++) {
		struct batch *b = &fw->cuts[k];

		for (unsigned i = 0; i < b->n; i++)
			f[i] = &b->f[i];
		transmit(fw, p, no, f, b->n);
		fw->counters[no]->tx_segments += b->n;
	}
	fw->counters[no]->tx_segments--; /* the first is the frame itself */
}

/* Frames with something left to be done, for a port that does not do all of
 * it, or does. */
static void pass_or_complete_slow(struct forwarder *fw, const struct passage *p,
    port_no no, struct frame *const f[], unsigned n)
{
	uint8_t accepts = p->snap->port[no].accepts;
	unsigned begin = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct cut *c = NULL;

		if (f[i]->offload.gso_size &&
		    completion_is_needed(f[i]->offload.bits, accepts))
			c = cut_once(fw, f[i]);
		if (!c)
			continue;
		complete(fw, p, no, f + begin, i - begin);
		send_cut(fw, p, no, c);
		begin = i + 1;
	}
	complete(fw, p, no, f + begin, n - begin);
}

/* The frames of @eg that may leave by port @no, f[0..n); returns n. */
static unsigned collect(struct forwarder *fw, const struct passage *p,
    port_no no, struct frame *f[])
{
	const struct snapshot_port *to = &p->snap->port[no];
	const struct egress *eg = &fw->egress[no];
	unsigned n = 0;

	for (unsigned s = 0; s < eg->n_spans; s++)
		for (unsigned i = eg->span[s].first; i < eg->span[s].end; i++) {
			struct frame *one = fw->f[i];
			enum drop_reason why = check_egress(to, one);

			if (why != DROP_NONE) {
				fw->counters[no]->drops[why]++;
				continue;
			}
			f[n++] = one;
		}
	return n;
}

/* Every offload bit that any of f[0..n) has. */
static uint8_t undone_of(struct frame *const f[], unsigned n)
{
	uint8_t undone = 0;

	for (unsigned i = 0; i < n; i++)
		undone |= f[i]->offload.bits;
	return undone;
}

/* The frames of @eg have one port less to go to. */
static void settle(struct forwarder *fw, const struct egress *eg)
{
	for (unsigned s = 0; s < eg->n_spans; s++)
		for (unsigned i = eg->span[s].first; i < eg->span[s].end; i++)
			fw->f[i]->n_left--;
}

void egress_send(struct forwarder *fw, const struct passage *p, port_no no)
{
	const struct snapshot_port *to = &p->snap->port[no];
	struct counters *tx = fw->counters[no];
	struct frame *f[BATCH_MAX];
	unsigned n = collect(fw, p, no, f);

	if (to->rate_out)
		n = shape_slow(to, f, n, tx, p->now);
	if (n > 1 && p->from->from_wire && merge_is_wanted(to->accepts))
		n = merge_slow(fw, to, f, n, tx);
	if (completion_is_needed(undone_of(f, n), 0))
		pass_or_complete_slow(fw, p, no, f, n);
	else if (n)
		transmit(fw, p, no, f, n);
	if (fw->floods)
		settle(fw, &fw->egress[no]);
	fw->egress[no].n_spans = 0;
}

/* Flushes queues @owed of port @no; returns those that want it again. */
static uint64_t flush_port(struct forwarder *fw, const struct snapshot *snap,
    port_no no, uint64_t owed, uint64_t now)
{
	const struct snapshot_port *to = &snap->port[no];
	struct port_worker w = {.counters = fw->counters[no],
	    .bell = fw->bell,
	    .pool = fw->pool,
	    .now = now};
	uint64_t again = 0;

	for (; owed; owed &= owed - 1) {
		unsigned q = (unsigned)__builtin_ctzll(owed);
		bool more;

		tx_lock(to, q);
		more = to->port->ops->tx_flush(to->port, q, &w);
		tx_unlock(to, q);
		again |= (uint64_t)more << q;
	}
	return again;
}

bool forward_flush(
    struct forwarder *fw, const struct snapshot *snap, uint64_t now)
{
	unsigned i = 0;

	while (i < fw->n_owed) {
		port_no no = fw->owed[i];
		uint64_t *owed = &fw->owed_queues[no];

		*owed = flush_port(fw, snap, no, *owed, now);
		if (*owed)
			i++;
		else
			fw->owed[i] = fw->owed[--fw->n_owed];
	}
	return fw->n_owed;
}

void forward_adopt(
    struct forwarder *fw, const struct snapshot *snap, unsigned id)
{
	const struct snapshot_worker *mine = &snap->worker[id];

	while (fw->n_owed)
		fw->owed_queues[fw->owed[--fw->n_owed]] = 0;
	for (unsigned i = 0; i < mine->n_polls; i++) {
		const struct poll *p = &mine->poll[i];

		if (p->from->port->ops->tx_flush)
			owe_flush(fw, p->no, p->queue);
	}
}
