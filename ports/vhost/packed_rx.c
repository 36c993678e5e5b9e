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
    struct frame_in *in, const struct packed_desc *d, unsigned k,
    struct virtq_return *r)
{
	struct virtq *vq = in->vq;
	struct gather g;
	enum virtq_fault fault;

	gather_init(&g);
	fault = packed_gather(&g, vq, packed_place(vq, vq->next_avail, k), d, 0,
	    vq->hdr_len + FRAME_IN_WANT, vq->size - k, r);
	in->n_descs += g.n_descs;
	if (fault)
		return frame_in_breach(in, fault);
	return frame_in_gathered(in, &g);
}

/* The chain of e[0], @k slots after the next one to take, of which e[0..n)
 * were fetched.  One descriptor, or the header in one and the frame in the
 * next; what is to be returned goes to *r. */
static inline enum frame_in_outcome rx_one(struct frame_in *in,
    const struct packed_entry *e, unsigned n, unsigned k,
    struct virtq_return *r)
{
	uint32_t len = e->d.len - in->vq->hdr_len;
	const struct packed_entry *last = e;
	const uint8_t *data;

	if (!e->at)
		return rx_slow(in, &e->d, k, r);
	data = e->at + in->vq->hdr_len;
	if (e->d.flags == VRING_DESC_F_NEXT && !len && n > 1) {
		last = e + 1;
		data = last->at;
		len = last->d.len;
	}
	if (last->d.flags || !data || !frame_in_len_is_lawful(len))
		return rx_slow(in, &e->d, k, r);
	*r = (struct virtq_return){0, last->d.id, (uint16_t)(last - e + 1)};
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
	do {
		from = k;
		n_fetched = packed_peek(vq, packed_place(vq, vq->next_avail, k),
		    e, vq->size - k, false);
		for (i = 0; i < n_fetched && n < BATCH_MAX &&
			    in.n_descs < FRAME_IN_DESCS_MAX;
		     n++) {
			struct virtq_return *r = &vq->returns[n];

			if (rx_one(&in, &e[i], n_fetched - i, k, r) !=
			    FRAME_IN_TAKEN)
				goto out;
			i += r->n_slots;
			k = from + i;
		}
	} while (n < BATCH_MAX && n_fetched == BATCH_MAX &&
		 in.n_descs < FRAME_IN_DESCS_MAX);
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
