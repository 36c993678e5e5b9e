/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split_rx.c - frames out of a guest's transmitq, without copying them.
 *
 * A chain is a virtio-net header followed by a frame, cut into buffers as the
 * guest likes.  Only the header and the first bytes of the frame are copied
 * to us; the rest stays where it is and is pointed at.  Nearly every chain is
 * one descriptor, or one for the header and one for the frame, and takes the
 * short way through rx_linear(); all others are gathered.
 */
#include "ports/vhost/split.h"

enum {
	HEAD_PLAIN = 64,     /* bytes of a finished frame that are copied */
	RX_DESCS_MAX = 1024, /* after so many gathered, the poll ends */
};

enum outcome {
	RX_TAKEN, /* the chain, its frame in the batch or refused */
	RX_LATER, /* no room left in the batch */
	RX_BROKE, /* the queue */
};

struct rx {
	struct virtq *vq;
	struct batch *b;
	struct counters *counters;
	uint32_t n_descs;
};

static enum outcome refuse(
    struct rx *r, enum drop_reason why, uint32_t len_bytes)
{
	r->counters->rx_packets++;
	r->counters->rx_bytes += len_bytes;
	r->counters->drops[why]++;
	return RX_TAKEN;
}

/* The chain counts as one refused frame of unknown length. */
static __attribute__((noinline)) enum outcome breach(
    struct rx *r, enum virtq_fault fault)
{
	virtq_break(r->vq, fault);
	refuse(r, DROP_BAD_DESCRIPTOR, 0);
	return RX_BROKE;
}

static inline bool hdr_is_plain(const struct virtio_net_hdr *hdr)
{
	return !(hdr->flags | hdr->gso_type);
}

static inline uint32_t head_len_of(
    const struct virtio_net_hdr *hdr, uint32_t len)
{
	uint32_t most = hdr_is_plain(hdr) ? HEAD_PLAIN : FRAME_HEAD_MAX;

	return len < most ? len : most;
}

/* The rest of a frame of @len bytes that begins with @head_len copied ones. */
static inline void describe(
    struct rx *r, struct frame *f, uint32_t len, uint32_t head_len)
{
	struct batch *b = r->b;

	f->head = batch_head(b, b->n);
	f->segs = &b->segs[b->n_segs];
	f->len = len;
	f->head_len = (uint16_t)head_len;
	f->n_segs = 0;
	f->flags = 0;
	f->tci = 0;
}

static __attribute__((noinline)) enum drop_reason offload_slow(
    struct frame *f, const struct virtio_net_hdr *hdr, uint8_t allowed)
{
	return offload_parse(
	    &f->offload, hdr, f->head, f->head_len, f->len, allowed);
}

static inline enum drop_reason offload(
    struct rx *r, struct frame *f, const struct virtio_net_hdr *hdr)
{
	f->offload = (struct offload){0};
	if (hdr_is_plain(hdr))
		return DROP_NONE;
	return offload_slow(f, hdr, r->vq->allowed);
}

/* Header at @hdr_at, a whole frame of a lawful length at data[0..len). */
static inline enum outcome rx_linear(
    struct rx *r, const uint8_t *hdr_at, const uint8_t *data, uint32_t len)
{
	struct batch *b = r->b;
	struct frame *f = &b->f[b->n];
	struct virtio_net_hdr hdr;
	enum drop_reason why;
	uint32_t head_len;

	if (b->n_segs == BATCH_SEGS_MAX)
		return RX_LATER;
	shared_copy_in(&hdr, hdr_at, VIRTIO_NET_HDR_LEN_LEGACY);
	head_len = head_len_of(&hdr, len);
	describe(r, f, len, head_len);
	if (head_len == HEAD_PLAIN)
		shared_copy_in(f->head, data, HEAD_PLAIN);
	else
		shared_copy_in(f->head, data, head_len);
	why = offload(r, f, &hdr);
	if (why != DROP_NONE)
		return refuse(r, why, len);
	if (len > head_len) {
		f->segs[0] =
		    (struct frame_seg){data + head_len, len - head_len};
		f->n_segs = 1;
		b->n_segs++;
	}
	b->n++;
	return RX_TAKEN;
}

/* dst[0..n) from the place @at, which moves on. */
static void read_pieces(struct split_cursor *at, void *dst, uint32_t n)
{
	uint8_t *to = dst;

	while (n) {
		uint32_t left = at->piece->len - at->offset;
		uint32_t some = left < n ? left : n;

		shared_copy_in(to, at->piece->data + at->offset, some);
		to += some;
		n -= some;
		at->offset += some;
		if (at->offset == at->piece->len)
			*at = (struct split_cursor){at->piece + 1, 0};
	}
}

/* What the gathered chain is refused for before it is looked into. */
static enum drop_reason judge_length(
    const struct virtq *vq, const struct split_gather *g, uint32_t *len)
{
	*len = 0;
	if (g->full || g->len < vq->hdr_len)
		return DROP_RX_MALFORMED;
	if (g->len - vq->hdr_len > FRAME_LEN_MAX)
		return DROP_RX_OVERSIZE;
	*len = g->len - vq->hdr_len;
	return *len < FRAME_LEN_MIN ? DROP_RX_RUNT : DROP_NONE;
}

/* The frame of @len bytes behind the header in @g. */
static enum outcome rx_gathered(
    struct rx *r, const struct split_gather *g, uint32_t len)
{
	struct batch *b = r->b;
	struct frame *f = &b->f[b->n];
	struct split_cursor at = {g->piece, 0};
	const struct split_piece *end = g->piece + g->n;
	struct virtio_net_hdr hdr;
	enum drop_reason why;

	read_pieces(&at, &hdr, r->vq->hdr_len);
	describe(r, f, len, head_len_of(&hdr, len));
	read_pieces(&at, f->head, f->head_len);
	why = offload(r, f, &hdr);
	if (end - at.piece > FRAME_SEGS_MAX)
		why = DROP_RX_MALFORMED;
	if (why != DROP_NONE)
		return refuse(r, why, len);
	for (; at.piece < end; at = (struct split_cursor){at.piece + 1, 0})
		f->segs[f->n_segs++] = (struct frame_seg){
		    at.piece->data + at.offset, at.piece->len - at.offset};
	b->n_segs += f->n_segs;
	b->n++;
	return RX_TAKEN;
}

static __attribute__((noinline)) enum outcome rx_slow(
    struct rx *r, const struct split_entry *e)
{
	struct split_gather g;
	enum virtq_fault fault;
	enum drop_reason why;
	uint32_t len;

	g.len = g.n = g.n_descs = 0;
	g.full = false;
	fault =
	    split_gather(&g, r->vq, e, 0, r->vq->hdr_len + FRAME_LEN_MAX + 1u);
	r->n_descs += g.n_descs;
	if (fault)
		return breach(r, fault);
	why = judge_length(r->vq, &g, &len);
	if (why != DROP_NONE)
		return refuse(r, why, len);
	if (g.n > BATCH_SEGS_MAX - r->b->n_segs)
		return RX_LATER;
	return rx_gathered(r, &g, len);
}

/* False also for the difference of a length and a larger one. */
static inline bool len_is_lawful(uint32_t len)
{
	return len - FRAME_LEN_MIN <= FRAME_LEN_MAX - FRAME_LEN_MIN;
}

/* One descriptor, or the header in one and the frame in the next. */
static inline enum outcome rx_one(struct rx *r, const struct split_entry *e)
{
	struct virtq *vq = r->vq;
	uint32_t hdr_len = vq->hdr_len;
	struct shared_desc d = e->d;
	const uint8_t *p, *data;

	if (e->head >= vq->size)
		return breach(r, VIRTQ_DESC_INDEX);
	if (!d.flags && len_is_lawful(d.len - hdr_len)) {
		p = split_whole(vq, &d);
		if (p)
			return rx_linear(r, p, p + hdr_len, d.len - hdr_len);
	} else if (d.flags == VRING_DESC_F_NEXT && d.len == hdr_len &&
		   d.next < vq->size) {
		p = split_whole(vq, &d);
		d = shared_load_desc(&vq->desc[d.next]);
		if (p && !d.flags && len_is_lawful(d.len)) {
			data = split_whole(vq, &d);
			if (data)
				return rx_linear(r, p, data, d.len);
		}
	}
	return rx_slow(r, e);
}

unsigned virtq_rx(struct virtq *vq, struct batch *b, struct port_worker *w)
{
	struct split_entry e[BATCH_MAX];
	struct rx r = {vq, b, w->counters, 0};
	unsigned n, i;

	if (!split_usable(vq))
		return 0;
	n = split_available(vq);
	if (n > BATCH_MAX)
		n = BATCH_MAX;
	for (i = 0; i < n; i++)
		e[i] = split_entry(vq, i);
	for (i = 0; i < n; i++)
		split_prefetch(vq, &e[i].d, false);
	for (i = 0; i < n && r.n_descs < RX_DESCS_MAX; i++) {
		if (rx_one(&r, &e[i]) != RX_TAKEN)
			break;
		vq->taken[i] = e[i].head;
	}
	vq->next_avail = (uint16_t)(vq->next_avail + i);
	vq->n_taken = i;
	return i;
}

void virtq_rx_done(struct virtq *vq, struct port_worker *w)
{
	unsigned n = vq->n_taken;

	for (unsigned i = 0; i < n; i++)
		split_use(vq, i, vq->taken[i], 0);
	vq->n_taken = 0;
	if (n)
		split_publish(vq, n, w);
}
