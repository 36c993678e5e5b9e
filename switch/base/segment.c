/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.c - TCP and UDP segmentation.
 *
 * A segment differs from the headers it was made of in its lengths, its
 * IPv4 identification, its sequence number and a few flags (tcp_gso_segment,
 * __udp_gso_segment and inet_gso_segment in Linux).  Its checksum field gets
 * the sum of its pseudo-header; from there it is a frame like any other whose
 * checksum is left to be completed.
 *
 * The pseudo-header's sum is the original's, only its length is exchanged: the
 * sender alone knows the destination that is behind a routing header.
 */
#include <assert.h>
#include <string.h>

#include "switch/base/checksum.h"
#include "switch/base/eth.h"
#include "switch/base/layers.h"
#include "switch/base/segment.h"

static uint32_t l4_len(const struct frame *f)
{
	return f->len - f->offload.csum_start;
}

static uint16_t csum_field(const struct frame *f)
{
	uint16_t sum;

	memcpy(&sum, f->head + f->offload.csum_start + f->offload.csum_offset,
	    sizeof(sum));
	return sum;
}

/* The sum of the IPv4 header, but for what each segment has its own of. */
static uint16_t ip4_sum(const uint8_t *ip, uint32_t len)
{
	uint8_t copy[64];

	memcpy(copy, ip, len);
	memset(copy + IP4_LEN, 0, 2);
	memset(copy + IP4_ID, 0, 2);
	memset(copy + IP4_CSUM, 0, 2);
	return checksum_fold(checksum_add(0, 0, copy, len));
}

void segment_begin(struct segmenter *s, const struct frame *f, uint8_t accepts)
{
	const struct offload *o = &f->offload;
	uint16_t len = checksum_be16((uint16_t)l4_len(f));
	struct layers p;

	assert(o->bits & OFFLOAD_GSO && o->hdr_len <= f->head_len);
	layers_parse(&p, f->head, f->head_len);
	*s = (struct segmenter){.f = f,
	    .piece = frame_seg_own(
		f->head + o->hdr_len, f->head_len - (uint32_t)o->hdr_len),
	    .left = f->len - o->hdr_len,
	    .l3 = (uint16_t)p.l3,
	    .phdr = checksum_fold((uint64_t)csum_field(f) + (uint16_t)~len),
	    .is_first = true,
	    .is_ip4 = p.type == ETH_TYPE_IP4,
	    .finishing = !(accepts & OFFLOAD_CSUM)};
	if (s->is_ip4) {
		const uint8_t *ip = f->head + p.l3;

		s->id = eth_be16(ip + IP4_ID);
		s->ip_sum = ip4_sum(ip, p.l4 - p.l3);
	}
	if (!(o->bits & OFFLOAD_USO))
		s->seq = eth_be32(f->head + o->csum_start + TCP_SEQ);
}

/* The next @size bytes of payload become the segments of @to. */
static void slice(struct segmenter *s, struct frame *to, uint32_t size)
{
	s->left -= size;
	while (size) {
		uint32_t n = s->piece.len < size ? s->piece.len : size;

		if (!n) {
			s->piece = s->f->segs[s->next++];
			continue;
		}
		to->segs[to->n_segs++] = (struct frame_seg){s->piece.data, n};
		s->piece.data += n;
		s->piece.len -= n;
		size -= n;
	}
}

static void write_ip(struct segmenter *s, struct frame *to)
{
	uint8_t *ip = to->head + s->l3;
	uint32_t len = to->len - s->l3;
	uint16_t sum;

	if (!s->is_ip4) {
		eth_put_be16(ip + IP6_LEN, (uint16_t)(len - IP6_HDR_LEN));
		return;
	}
	eth_put_be16(ip + IP4_LEN, (uint16_t)len);
	eth_put_be16(ip + IP4_ID, s->id);
	sum = (uint16_t)~checksum_fold((uint64_t)s->ip_sum +
				       checksum_be16((uint16_t)len) +
				       checksum_be16(s->id++));
	memcpy(ip + IP4_CSUM, &sum, sizeof(sum));
}

/* FIN and PSH speak of the end of the data, CWR is said once (RFC 3168,
 * 6.1.2). */
static void write_tcp(struct segmenter *s, uint8_t *tcp, uint32_t size)
{
	uint8_t clear = s->is_first ? 0 : TCP_F_CWR;

	if (s->left)
		clear |= TCP_F_FIN | TCP_F_PSH;
	tcp[TCP_FLAGS] &= (uint8_t)~clear;
	eth_put_be16(tcp + TCP_SEQ, (uint16_t)(s->seq >> 16));
	eth_put_be16(tcp + TCP_SEQ + 2, (uint16_t)s->seq);
	s->seq += size;
}

static void write_l4(struct segmenter *s, struct frame *to, uint32_t size)
{
	uint8_t *l4 = to->head + to->offload.csum_start;
	uint16_t len = (uint16_t)l4_len(to), sum;

	if (s->f->offload.bits & OFFLOAD_USO)
		eth_put_be16(l4 + UDP_LEN, len);
	else
		write_tcp(s, l4, size);
	sum = checksum_fold((uint64_t)s->phdr + checksum_be16(len));
	memcpy(l4 + to->offload.csum_offset, &sum, sizeof(sum));
	if (s->finishing)
		checksum_finish(to);
}

static void cut(struct segmenter *s, struct batch *b)
{
	const struct offload *o = &s->f->offload;
	uint32_t size = s->left < o->gso_size ? s->left : o->gso_size;
	struct frame *to = &b->f[b->n];

	*to = (struct frame){.head = batch_head(b, b->n),
	    .segs = &b->segs[b->n_segs],
	    .len = o->hdr_len + size,
	    .head_len = o->hdr_len,
	    .flags = s->f->flags & FRAME_TAGGED,
	    .tci = s->f->tci,
	    .n_left = 1,
	    .offload = {.bits = OFFLOAD_CSUM,
		.csum_start = o->csum_start,
		.csum_offset = o->csum_offset}};
	memcpy(to->head, s->f->head, o->hdr_len);
	slice(s, to, size);
	write_ip(s, to);
	write_l4(s, to, size);
	s->is_first = false;
	b->n_segs += to->n_segs;
	b->n++;
}

unsigned segment_next(struct segmenter *s, struct batch *b, unsigned max)
{
	unsigned before = b->n;

	if (max > BATCH_MAX - before)
		max = BATCH_MAX - before;
	while (s->left && b->n - before < max &&
	       b->n_segs + 1u + s->f->n_segs - s->next <= BATCH_SEGS_MAX)
		cut(s, b);
	return b->n - before;
}
