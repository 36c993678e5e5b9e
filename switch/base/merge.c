/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * merge.c - generic receive offload within one batch.
 *
 * First every frame is assigned to a run: it continues the open run of its
 * flow, or ends that and perhaps begins another.  Flows are told apart by a
 * small hash; two flows that share a bucket end each other's runs, which costs
 * a merge and never the order.  Then the runs of more than one frame are
 * written out, each in one piece.
 *
 * Most batches have nothing to merge, so what is expensive comes last: the
 * payloads are summed only when all else has matched.
 */
#include <netinet/in.h>
#include <string.h>

#include "switch/base/checksum.h"
#include "switch/base/eth.h"
#include "switch/base/layers.h"
#include "switch/base/merge.h"

enum { BUCKETS = 64, NONE = 0xff };

/* A frame as far as merging is concerned. */
struct part {
	uint8_t bit;  /* what it would be merged to; 0: not this one */
	uint8_t flow; /* bucket; NONE: not told apart from any flow */
	uint8_t next; /* part of the run; NONE: the last */
	bool follows; /* is part of a run that began before */
	uint8_t l3, l4, hdr_len;
	bool is_verified; /* its checksums */
	uint32_t len;	  /* of the payload */
};

/* A run of parts, named by its first; one that is open takes more. */
struct run {
	uint8_t first, last;
	uint8_t n;
	bool is_fixed_id; /* of n > 1: all IPv4 identifications are equal */
	uint32_t len;	  /* of the payloads together */
	uint32_t n_segs;
};

struct merger {
	struct frame **f;
	uint8_t accepts;
	uint32_t n_segs;       /* of all runs of more than one part */
	uint8_t open[BUCKETS]; /* run[] of the flow, or NONE */
	struct part part[BATCH_MAX];
	struct run run[BATCH_MAX]; /* by its first part */
};

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Of addresses and ports.  Both ends choose these and may choose one bucket:
 * they lose by it. */
static uint8_t bucket_of(const struct layers *p)
{
	const uint8_t *ip = p->head + p->l3;
	uint64_t h = eth_be32(p->head + p->l4);

	if (p->type == ETH_TYPE_IP4) {
		h ^= load64(ip + IP4_ADDRS);
	} else {
		for (unsigned i = 0; i < 32; i += 8)
			h = (h << 7 | h >> 57) ^ load64(ip + IP6_ADDRS + i);
	}
	return (uint8_t)((h ^ h >> 29) * 0x9e3779b97f4a7c15ull >> 58);
}

/* The segmentation that would restore such a packet; 0: none. */
static uint8_t bit_of(const struct layers *p)
{
	bool ip4 = p->type == ETH_TYPE_IP4;

	if (p->l4 - p->l3 != (ip4 ? IP4_HDR_LEN : IP6_HDR_LEN))
		return 0;
	if (p->proto == IPPROTO_UDP)
		return OFFLOAD_USO;
	return ip4 ? OFFLOAD_TSO4 : OFFLOAD_TSO6;
}

/* Whether the lengths in the headers say that the frame ends where it does. */
static bool lengths_fit(const struct layers *p, uint32_t len)
{
	const uint8_t *ip = p->head + p->l3;
	uint32_t l3_len = p->type == ETH_TYPE_IP4
			      ? eth_be16(ip + IP4_LEN)
			      : eth_be16(ip + IP6_LEN) + (uint32_t)IP6_HDR_LEN;

	if (l3_len != len - p->l3)
		return false;
	return p->proto == IPPROTO_TCP ||
	       eth_be16(p->head + p->l4 + UDP_LEN) == len - p->l4;
}

/* Whether what the sender left undone, if anything, is the L4 checksum. */
static bool offload_fits(const struct layers *p, const struct offload *o)
{
	if (!(o->bits & OFFLOAD_CSUM))
		return true;
	return !o->gso_size && o->csum_start == p->l4 &&
	       o->csum_offset ==
		   (p->proto == IPPROTO_TCP ? TCP_CSUM : UDP_CSUM);
}

/* Nothing but ACK, ECE and PSH; a datagram that has a checksum. */
static bool l4_fits(const struct layers *p)
{
	const uint8_t *l4 = p->head + p->l4;

	if (p->proto == IPPROTO_UDP)
		return l4[UDP_CSUM] | l4[UDP_CSUM + 1];
	return (l4[TCP_FLAGS] & ~(TCP_F_ECE | TCP_F_PSH)) == TCP_F_ACK;
}

/* A TCP or UDP packet with all of its headers in the head. */
static void inspect_l4(struct part *t, const struct frame *f,
    const struct layers *p, uint8_t accepts)
{
	uint32_t hdr_len = layers_hdr_len(p);
	uint8_t bit = bit_of(p) & accepts;

	if (!hdr_len)
		return;
	t->flow = bucket_of(p);
	t->len = f->len - hdr_len;
	if (!bit || !t->len || hdr_len > OFFLOAD_HDR_LEN_MAX || !l4_fits(p) ||
	    !lengths_fit(p, f->len) || !offload_fits(p, &f->offload))
		return;
	t->bit = bit;
	t->l3 = (uint8_t)p->l3;
	t->l4 = (uint8_t)p->l4;
	t->hdr_len = (uint8_t)hdr_len;
}

/* Whether the ports, or that there are any, are out of sight. */
static bool hides_l4(const struct layers *p)
{
	if (p->type != ETH_TYPE_IP4 && p->type != ETH_TYPE_IP6)
		return false;
	return p->fragment || p->proto == IPPROTO_FRAGMENT ||
	       p->proto == IPPROTO_AH || p->proto == IPPROTO_NONE;
}

/* Fills in *t.  Returns false if @f may belong to any flow, which it must not
 * be overtaken by then. */
static bool inspect(struct part *t, const struct frame *f, uint8_t accepts)
{
	struct layers p;

	*t = (struct part){.flow = NONE, .next = NONE};
	if (!layers_parse(&p, f->head, f->head_len) || hides_l4(&p))
		return false;
	if (p.proto != IPPROTO_TCP && p.proto != IPPROTO_UDP)
		return true;
	inspect_l4(t, f, &p, accepts);
	return t->flow != NONE;
}

/* Pieces of payload: the rest of the head, and the segments. */
static uint32_t n_pieces(const struct part *t, const struct frame *f)
{
	return f->n_segs + (f->head_len > t->hdr_len);
}

/* Whether the packet is what its checksums say; asked once. */
static bool verify(struct part *t, const struct frame *f)
{
	struct layers p;
	uint64_t sum;

	if (t->is_verified)
		return true;
	if (t->l4 - t->l3 == IP4_HDR_LEN &&
	    checksum_fold(checksum_add(0, 0, f->head + t->l3, IP4_HDR_LEN)) !=
		0xffff)
		return false;
	if (!(f->offload.bits & (OFFLOAD_CSUM | OFFLOAD_VALID))) {
		layers_parse(&p, f->head, f->head_len);
		sum = layers_pseudo_sum(&p, f->len - t->l4);
		sum += checksum_frame(f, t->l4);
		if (checksum_fold(sum) != 0xffff)
			return false;
	}
	t->is_verified = true;
	return true;
}

static bool same(const uint8_t *a, const uint8_t *b, unsigned from, unsigned to)
{
	return !memcmp(a + from, b + from, to - from);
}

/* Of packets that may not be fragmented, the identifications mean nothing;
 * they still have to count or to stand still. */
static bool id_continues(
    struct run *r, const uint8_t *first_ip, const uint8_t *ip)
{
	uint16_t id = eth_be16(ip + IP4_ID);
	uint16_t first = eth_be16(first_ip + IP4_ID);
	bool may_stand = eth_be16(ip + IP4_FRAGMENT) & IP4_DF;

	if (r->n == 1)
		r->is_fixed_id = may_stand && id == first;
	return id == (uint16_t)(first + (r->is_fixed_id ? 0 : r->n));
}

static bool ip_continues(struct run *r, const struct part *t,
    const uint8_t *first, const uint8_t *head)
{
	const uint8_t *a = first + t->l3, *b = head + t->l3;

	if (t->l4 - t->l3 != IP4_HDR_LEN)
		return same(a, b, 0, IP6_LEN) &&
		       same(a, b, IP6_NEXT, IP6_HDR_LEN);
	return same(a, b, 0, IP4_LEN) && same(a, b, IP4_FRAGMENT, IP4_CSUM) &&
	       same(a, b, IP4_ADDRS, IP4_HDR_LEN) && id_continues(r, a, b);
}

static bool l4_continues(const struct run *r, const struct part *t,
    const uint8_t *first, const uint8_t *head)
{
	const uint8_t *a = first + t->l4, *b = head + t->l4;

	if (!same(a, b, 0, 4))
		return false;
	if (t->bit == OFFLOAD_USO)
		return true;
	return same(a, b, TCP_ACK, TCP_FLAGS) &&
	       !((a[TCP_FLAGS] ^ b[TCP_FLAGS]) & ~TCP_F_PSH) &&
	       same(a, b, TCP_WINDOW, TCP_CSUM) &&
	       same(a, b, TCP_CSUM + 2, t->hdr_len - (unsigned)t->l4) &&
	       eth_be32(a + TCP_SEQ) + r->len == eth_be32(b + TCP_SEQ);
}

/* Whether one more part is within every limit. */
static bool has_room(const struct merger *g, const struct run *r,
    const struct part *t, uint32_t pieces)
{
	uint32_t len = t->hdr_len + r->len + t->len;
	uint32_t before = r->n == 1 ? r->n_segs : 0;

	return len - t->l3 <= IP_LEN_MAX && len <= FRAME_LEN_MAX &&
	       r->n_segs + pieces <= FRAME_SEGS_MAX &&
	       g->n_segs + before + pieces <= BATCH_SEGS_MAX;
}

/* Whether part @i continues the run @r, the cheap questions first. */
static bool continues(struct merger *g, struct run *r, unsigned i)
{
	struct part *t = &g->part[i], *t0 = &g->part[r->first];
	const struct frame *f = g->f[i], *f0 = g->f[r->first];

	return t->bit == t0->bit && t->l3 == t0->l3 && t->l4 == t0->l4 &&
	       t->hdr_len == t0->hdr_len && t->len <= t0->len &&
	       f->tci == f0->tci && !((f->flags ^ f0->flags) & FRAME_TAGGED) &&
	       same(f->head, f0->head, 0, t->l3) &&
	       l4_continues(r, t, f0->head, f->head) &&
	       ip_continues(r, t, f0->head, f->head) &&
	       has_room(g, r, t, n_pieces(t, f)) && verify(t0, f0) &&
	       verify(t, f);
}

static void append(struct merger *g, struct run *r, unsigned i)
{
	struct part *t = &g->part[i];
	uint32_t pieces = n_pieces(t, g->f[i]);

	if (r->n == 1)
		g->n_segs += r->n_segs;
	g->n_segs += pieces;
	r->n_segs += pieces;
	r->len += t->len;
	r->n++;
	g->part[r->last].next = (uint8_t)i;
	r->last = (uint8_t)i;
	t->follows = true;
}

/* Whether nothing may come after part @i in its run: PSH was said, or it is
 * the shorter last one. */
static bool ends_run(const struct merger *g, const struct run *r, unsigned i)
{
	const struct part *t = &g->part[i];

	if (t->len < g->part[r->first].len)
		return true;
	return t->bit != OFFLOAD_USO &&
	       g->f[i]->head[t->l4 + TCP_FLAGS] & TCP_F_PSH;
}

/* Whether a run can have segments of the size of @t. */
static bool can_begin(const struct part *t)
{
	return t->bit &&
	       t->len >= (t->bit == OFFLOAD_USO ? 1 : OFFLOAD_TCP_SIZE_MIN);
}

/* Part @i goes to the open run of its flow, or ends it. */
static void assign(struct merger *g, unsigned i)
{
	struct part *t = &g->part[i];
	uint8_t *open;
	struct run *r;

	if (!inspect(t, g->f[i], g->accepts)) {
		memset(g->open, NONE, sizeof(g->open));
		return;
	}
	if (t->flow == NONE)
		return;
	open = &g->open[t->flow];
	r = *open == NONE ? NULL : &g->run[*open];
	if (t->bit && r && continues(g, r, i)) {
		append(g, r, i);
	} else {
		*open = NONE;
		if (!can_begin(t))
			return;
		r = &g->run[i];
		*r = (struct run){.first = (uint8_t)i,
		    .last = (uint8_t)i,
		    .n = 1,
		    .len = t->len,
		    .n_segs = n_pieces(t, g->f[i])};
		*open = (uint8_t)i;
	}
	if (ends_run(g, r, i))
		*open = NONE;
}

/* The payload of @f to the segments of @to, which are the last of @b. */
static void add_payload(
    struct batch *b, struct frame *to, const struct frame *f, uint32_t hdr_len)
{
	if (f->head_len > hdr_len)
		b->segs[b->n_segs++] =
		    frame_seg_own(f->head + hdr_len, f->head_len - hdr_len);
	for (unsigned i = 0; i < f->n_segs; i++)
		b->segs[b->n_segs++] = f->segs[i];
	to->n_segs = (uint16_t)(&b->segs[b->n_segs] - to->segs);
}

/* Lengths and checksums of the headers of a merged frame; the one of L4
 * becomes the sum of the pseudo-header. */
static void write_headers(struct frame *to, const struct part *t)
{
	uint8_t *ip = to->head + t->l3, *l4 = to->head + t->l4;
	uint16_t len = (uint16_t)(to->len - t->l4), sum;
	struct layers p;

	if (t->l4 - t->l3 == IP4_HDR_LEN) {
		eth_put_be16(ip + IP4_LEN, (uint16_t)(to->len - t->l3));
		memset(ip + IP4_CSUM, 0, sizeof(sum));
		sum = (uint16_t)~checksum_fold(
		    checksum_add(0, 0, ip, IP4_HDR_LEN));
		memcpy(ip + IP4_CSUM, &sum, sizeof(sum));
	} else {
		eth_put_be16(ip + IP6_LEN, len);
	}
	if (t->bit == OFFLOAD_USO)
		eth_put_be16(l4 + UDP_LEN, len);
	layers_parse(&p, to->head, to->head_len);
	sum = checksum_fold(layers_pseudo_sum(&p, len));
	memcpy(to->head + to->offload.csum_start + to->offload.csum_offset,
	    &sum, sizeof(sum));
}

/* The run @r as a frame in @b. */
static struct frame *write_run(
    const struct merger *g, const struct run *r, struct batch *b)
{
	const struct part *t = &g->part[r->first];
	const struct frame *f = g->f[r->first];
	struct frame *to = &b->f[b->n];

	*to = (struct frame){.head = batch_head(b, b->n),
	    .segs = &b->segs[b->n_segs],
	    .len = t->hdr_len + r->len,
	    .head_len = t->hdr_len,
	    .flags = f->flags & FRAME_TAGGED,
	    .tci = f->tci,
	    .n_left = 1,
	    .offload = {.bits = OFFLOAD_CSUM | t->bit,
		.hdr_len = t->hdr_len,
		.gso_size = (uint16_t)t->len,
		.csum_start = t->l4,
		.csum_offset = t->bit == OFFLOAD_USO ? UDP_CSUM : TCP_CSUM}};
	memcpy(to->head, f->head, t->hdr_len);
	for (unsigned i = r->first; i != NONE; i = g->part[i].next)
		add_payload(b, to, g->f[i], t->hdr_len);
	if (t->bit != OFFLOAD_USO)
		to->head[t->l4 + TCP_FLAGS] |=
		    g->f[r->last]->head[t->l4 + TCP_FLAGS];
	write_headers(to, t);
	b->n++;
	return to;
}

unsigned merge_frames(
    struct frame *f[], unsigned n, uint8_t accepts, struct batch *room)
{
	struct merger g;
	unsigned n_out = 0;

	if (n < 2 || !merge_is_wanted(accepts))
		return n;
	g.f = f;
	g.accepts = accepts & OFFLOAD_GSO;
	g.n_segs = 0;
	memset(g.open, NONE, sizeof(g.open));
	for (unsigned i = 0; i < n; i++)
		assign(&g, i);
	if (!g.n_segs)
		return n;
	for (unsigned i = 0; i < n; i++)
		if (g.part[i].next != NONE && !g.part[i].follows)
			f[n_out++] = write_run(&g, &g.run[i], room);
		else if (!g.part[i].follows)
			f[n_out++] = f[i];
	return n_out;
}
