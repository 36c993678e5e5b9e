/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed_rx.c - chains out of the packed ring of a guest's transmitq.
 *
 * Nearly every chain is one descriptor, or one for the header and one for the
 * frame, and takes the short way; all others are gathered.
 */
#include "ports/vhost/frame_in.h"
#include "ports/vhost/packed.h"

static __attribute__((noinline)) enum frame_in_outcome rx_slow(
    struct frame_in *in, const struct packed_entry *e, unsigned n, unsigned k,
    struct virtq_return *r)
{
	struct virtq *vq = in->vq;
	struct gather g;
	enum virtq_fault fault;

	gather_init(&g);
	fault = packed_gather(&g, vq, packed_place(vq, vq->next_avail, k), e, n,
	    0, vq->hdr_len + FRAME_IN_WANT, vq->size - k, r);
	in->n_descs += g.n_descs;
	if (fault)
		return frame_in_breach(in, fault);
	return frame_in_gathered(in, &g);
}

/* The chain of e[0], @k slots after the next one to take, of which e[0..n)
 * were fetched.  One descriptor, or the header in one and the frame in the
 * next; what is to be returned goes to *r. */
static inline __attribute__((always_inline)) enum frame_in_outcome rx_one(
    struct frame_in *in, const struct packed_entry *e, unsigned n, unsigned k,
    struct virtq_return *r)
{
	uint32_t hdr_len = in->vq->hdr_len, len = e->d.len - hdr_len;
	uint16_t flags = e->d.flags;
	const uint8_t __peer *data;

	if (!e->at)
		return rx_slow(in, e, n, k, r);
	data = e->at + hdr_len;
	*r = (struct virtq_return){0, e->d.id, 1};
	if (flags == VRING_DESC_F_NEXT && !len && n > 1) {
		data = e[1].at;
		len = e[1].d.len;
		flags = e[1].d.flags;
		*r = (struct virtq_return){0, e[1].d.id, 2};
	}
	if (flags || !data || !plain_len_is_lawful(len))
		return rx_slow(in, e, n, k, r);
	return frame_in_linear(in, e->at, data, len);
}

/* Where chains are of several descriptors, those fetched at once make fewer
 * frames than there is room for, and the next are fetched. */
unsigned packed_rx(struct virtq *vq, struct batch *b, struct port_worker *w)
{
	struct packed_entry e[BATCH_MAX];
	struct frame_in in = {vq, b, w->counters, 0};
	unsigned k = 0, n = 0, i, n_fetched, from;

	if (!virtq_usable(vq))
		return 0;
	n_fetched = packed_fetch_all(vq, vq->next_avail, e, vq->size, false);
	if (!n_fetched)
		return 0;
	for (;;) {
		from = k;
		for (i = 0; i < n_fetched && n < BATCH_MAX &&
			    in.n_descs < FRAME_IN_DESCS_MAX;
		     n++) {
			struct virtq_return *r = &vq->returns[n];

			shared_chain(n);
			if (rx_one(&in, &e[i], n_fetched - i, k, r) !=
			    FRAME_IN_TAKEN)
				goto out;
			i += r->n_slots;
			k = from + i;
		}
		if (n == BATCH_MAX || n_fetched < BATCH_MAX ||
		    in.n_descs >= FRAME_IN_DESCS_MAX)
			break;
		n_fetched =
		    packed_fetch_all(vq, packed_place(vq, vq->next_avail, k), e,
			vq->size - k, false);
	}
out:
	vq->next_avail = packed_place(vq, vq->next_avail, k);
	vq->n_taken = n;
	return n;
}

void packed_rx_done(struct virtq *vq, struct port_worker *w)
{
	if (!vq->n_taken)
		return;
	packed_return(vq, vq->returns, vq->n_taken);
	vq->n_taken = 0;
	packed_call(vq, w);
}
