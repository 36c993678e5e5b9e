/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split_rx.c - chains out of a guest's transmitq.
 *
 * Nearly every chain is one descriptor, or one for the header and one for the
 * frame, and takes the short way; all others are gathered.
 */
#include "ports/vhost/frame_in.h"
#include "ports/vhost/split.h"

/* @second was fetched as well if @has_second. */
static __attribute__((noinline)) enum frame_in_outcome rx_slow(
    struct frame_in *in, const struct split_entry *e, struct shared_desc second,
    bool has_second)
{
	struct gather g;
	enum virtq_fault fault;

	gather_init(&g);
	fault = split_gather(&g, in->vq, e, has_second ? &second : NULL, 0,
	    in->vq->hdr_len + FRAME_IN_WANT);
	in->n_descs += g.n_descs;
	if (fault)
		return frame_in_breach(in, fault);
	return frame_in_gathered(in, &g);
}

/* One descriptor, or the header in one and the frame in the next. */
static inline enum frame_in_outcome rx_one(
    struct frame_in *in, const struct split_entry *e)
{
	struct virtq *vq = in->vq;
	struct shared_desc d = e->d;
	const uint8_t __peer *data;
	uint32_t len;
	bool apart;

	if (__builtin_expect(e->head >= vq->size, 0))
		return frame_in_breach(in, VIRTQ_DESC_INDEX);
	if (!e->at)
		return rx_slow(in, e, d, false);
	data = e->at + vq->hdr_len;
	len = d.len - vq->hdr_len;
	apart = d.flags == VRING_DESC_F_NEXT && !len && d.next < vq->size;
	if (apart) {
		d = shared_load_desc(&vq->desc[d.next]);
		data = buffer_whole(vq, d.addr, d.len);
		len = d.len;
	}
	if (d.flags || !data || !plain_len_is_lawful(len))
		return rx_slow(in, e, d, apart);
	return frame_in_linear(in, e->at, data, len);
}

unsigned split_rx(struct virtq *vq, struct batch *b, struct port_worker *w)
{
	struct split_entry e[BATCH_MAX];
	struct frame_in in = {vq, b, w->counters, 0};
	unsigned n, i;

	if (!virtq_usable(vq))
		return 0;
	n = split_available(vq);
	if (n > BATCH_MAX)
		n = BATCH_MAX;
	split_fetch_all(e, vq, n, false);
	for (i = 0; i < n && in.n_descs < FRAME_IN_DESCS_MAX; i++) {
		shared_chain(i);
		if (rx_one(&in, &e[i]) != FRAME_IN_TAKEN)
			break;
		vq->taken[i] = e[i].head;
	}
	vq->next_avail = (uint16_t)(vq->next_avail + i);
	vq->n_taken = i;
	return i;
}

/* To a driver that counts on the order, the last chain says it for all of
 * them, where the first one's element would be (virtio 1.2, 2.7.9). */
void split_rx_done(struct virtq *vq, struct port_worker *w)
{
	unsigned n = vq->n_taken;

	if (!n)
		return;
	if (vq->in_order)
		split_use(vq, 0, vq->taken[n - 1], 0);
	else
		for (unsigned i = 0; i < n; i++)
			split_use(vq, i, vq->taken[i], 0);
	vq->n_taken = 0;
	split_publish(vq, n, w);
}
