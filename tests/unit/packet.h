/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.h - random TCP and UDP packets, and a second opinion on them.
 *
 * Everything here is written byte by byte from the RFCs and shares nothing
 * with the code under test: offsets, sums and the segmentation of a packet.
 */
#ifndef TESTS_UNIT_PACKET_H
#define TESTS_UNIT_PACKET_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/eth.h"
#include "switch/base/frame.h"

enum { PACKET_MAX = FRAME_LEN_MAX + 64, TCP = 6, UDP = 17 };

struct packet {
	uint32_t len, l3, l4, hdr_len;
	bool ip4;
	uint8_t proto;
	uint8_t data[PACKET_MAX];
};

/* How a packet is to be made. */
struct shape {
	bool ip4;
	uint8_t proto;
	unsigned n_tags;
	unsigned ip_words; /* IPv4 options; 8 bytes each of IPv6 options */
	unsigned tcp_words;
	uint32_t payload;
};

static uint64_t packet_seed = 88172645463325252ull;

static inline uint32_t draw(uint32_t n)
{
	packet_seed ^= packet_seed << 13;
	packet_seed ^= packet_seed >> 7;
	packet_seed ^= packet_seed << 17;
	return (uint32_t)((packet_seed >> 16) % n);
}

static inline uint32_t naive_sum(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline uint32_t naive_pseudo(const struct packet *p)
{
	const uint8_t *ip = p->data + p->l3;
	uint32_t sum = naive_sum(0, ip + (p->ip4 ? 12 : 8), p->ip4 ? 8 : 32);

	sum += p->len - p->l4 + p->proto;
	return (sum & 0xffff) + (sum >> 16);
}

static inline uint32_t csum_at(const struct packet *p)
{
	return p->l4 + (p->proto == TCP ? 16 : 6);
}

/* Lengths and the IPv4 header's sum, right for p->len. */
static inline void packet_set_lengths(struct packet *p)
{
	uint8_t *ip = p->data + p->l3;

	if (p->ip4) {
		eth_put_be16(ip + 2, (uint16_t)(p->len - p->l3));
		eth_put_be16(ip + 10, 0);
		eth_put_be16(ip + 10,
		    (uint16_t)~naive_sum(0, ip, p->l4 - (size_t)p->l3));
	} else {
		eth_put_be16(ip + 4, (uint16_t)(p->len - p->l3 - 40));
	}
	if (p->proto == UDP)
		eth_put_be16(p->data + p->l4 + 4, (uint16_t)(p->len - p->l4));
}

/* The checksum as a sender leaves it for others to complete. */
static inline void packet_set_partial(struct packet *p)
{
	packet_set_lengths(p);
	eth_put_be16(p->data + csum_at(p), (uint16_t)naive_pseudo(p));
}

static inline void packet_set_csum(struct packet *p)
{
	uint16_t sum;

	packet_set_partial(p);
	sum = (uint16_t)~naive_sum(0, p->data + p->l4, p->len - p->l4);
	if (!sum && p->proto == UDP) /* where it would mean: none */
		sum = 0xffff;
	eth_put_be16(p->data + csum_at(p), sum);
}

/* Whether a receiver would find every length and checksum right. */
static inline bool packet_is_right(const struct packet *p)
{
	const uint8_t *ip = p->data + p->l3;

	if (p->ip4 && (eth_be16(ip + 2) != p->len - p->l3 ||
			  naive_sum(0, ip, p->l4 - p->l3) != 0xffff))
		return false;
	if (!p->ip4 && eth_be16(ip + 4) != p->len - p->l3 - 40)
		return false;
	if (p->proto == UDP &&
	    (eth_be16(p->data + p->l4 + 4) != p->len - p->l4 ||
		!eth_be16(p->data + p->l4 + 6)))
		return false;
	return naive_sum(naive_pseudo(p), p->data + p->l4, p->len - p->l4) ==
	       0xffff;
}

static inline void packet_make(struct packet *p, const struct shape *s)
{
	uint32_t ip_len = s->ip4 ? 20 + 4 * s->ip_words : 40 + 8 * s->ip_words;
	uint8_t *ip, *l4;

	p->ip4 = s->ip4;
	p->proto = s->proto;
	p->l3 = 14 + 4 * s->n_tags;
	p->l4 = p->l3 + ip_len;
	p->hdr_len = p->l4 + (s->proto == TCP ? 20 + 4 * s->tcp_words : 8);
	p->len = p->hdr_len + s->payload;
	for (uint32_t i = 0; i < p->len; i++)
		p->data[i] = (uint8_t)draw(256);
	for (unsigned i = 0; i < s->n_tags; i++)
		eth_put_be16(
		    p->data + 12 + 4 * i, i + 1 < s->n_tags ? 0x88a8 : 0x8100);
	eth_put_be16(p->data + p->l3 - 2, s->ip4 ? 0x0800 : 0x86dd);
	ip = p->data + p->l3;
	l4 = p->data + p->l4;
	if (s->ip4) {
		ip[0] = (uint8_t)(0x45 + s->ip_words);
		eth_put_be16(ip + 6, draw(2) ? 0x4000 : 0);
		ip[9] = s->proto;
	} else {
		ip[0] = (uint8_t)(0x60 | (ip[0] & 15));
		ip[6] = s->ip_words ? 60 : s->proto;
		ip[40] = s->ip_words ? s->proto : ip[40];
		ip[41] = s->ip_words ? (uint8_t)(s->ip_words - 1) : ip[41];
	}
	if (s->proto == TCP) {
		l4[12] = (uint8_t)((5 + s->tcp_words) << 4);
		l4[13] = 0x10;
	}
	packet_set_csum(p);
}

static inline struct shape packet_shape(uint32_t payload)
{
	return (struct shape){.ip4 = draw(2),
	    .proto = draw(2) ? TCP : UDP,
	    .n_tags = draw(3),
	    .ip_words = draw(2) ? draw(4) : 0,
	    .tcp_words = draw(11),
	    .payload = payload};
}

/* What RFC 9293, RFC 768 and a card's TSO make of @p: out[0..n), of which
 * each has @size bytes of payload but for the last.  Returns n. */
static inline unsigned packet_segment(
    const struct packet *p, uint32_t size, struct packet *out)
{
	uint32_t at = p->hdr_len;
	unsigned n = 0;

	for (; at < p->len; at += size, n++) {
		struct packet *o = &out[n];
		uint32_t some = p->len - at < size ? p->len - at : size;
		uint8_t *l4 = o->data + p->l4;

		memcpy(o, p, offsetof(struct packet, data));
		o->len = p->hdr_len + some;
		memcpy(o->data, p->data, p->hdr_len);
		memcpy(o->data + p->hdr_len, p->data + at, some);
		if (p->ip4) {
			uint8_t *id = o->data + p->l3 + 4;

			eth_put_be16(id, (uint16_t)(eth_be16(id) + n));
		}
		if (p->proto == TCP) {
			uint32_t seq = eth_be32(l4 + 4) + n * size;

			eth_put_be16(l4 + 4, (uint16_t)(seq >> 16));
			eth_put_be16(l4 + 6, (uint16_t)seq);
			if (n)
				l4[13] &= 0x7f;
			if (at + some < p->len)
				l4[13] &= 0xf6;
		}
		packet_set_csum(o);
	}
	return n;
}

/* @p as a frame: its first @head_len bytes in a head, the rest in segments of
 * 1 to @most bytes.  Every piece lies in a block of its own that ends with
 * it, for the sanitizers to watch. */
static inline struct frame packet_frame(
    const struct packet *p, uint32_t head_len, uint32_t most)
{
	struct frame f = {.len = p->len, .head_len = (uint16_t)head_len};

	f.head = malloc(head_len);
	memcpy(f.head, p->data, head_len);
	f.segs = malloc(FRAME_SEGS_MAX * sizeof(*f.segs));
	for (uint32_t at = head_len, n; at < p->len; at += n) {
		uint8_t *piece;

		n = 1 + draw(most);
		if (n > p->len - at || f.n_segs == FRAME_SEGS_MAX - 1)
			n = p->len - at;
		piece = malloc(n);
		memcpy(piece, p->data + at, n);
		f.segs[f.n_segs++] = (struct frame_seg){piece, n};
	}
	return f;
}

static inline void packet_frame_free(struct frame *f)
{
	for (unsigned i = 0; i < f->n_segs; i++)
		free((void *)f->segs[i].data);
	free(f->segs);
	free(f->head);
}

/* The state of @p as a frame whose sender left all of it undone. */
static inline struct offload packet_offload(
    const struct packet *p, uint32_t size)
{
	uint8_t bit = p->proto == UDP ? OFFLOAD_USO
		      : p->ip4	      ? OFFLOAD_TSO4
				      : OFFLOAD_TSO6;
	struct offload o = {.bits = OFFLOAD_CSUM,
	    .csum_start = (uint16_t)p->l4,
	    .csum_offset = (uint16_t)(csum_at(p) - p->l4)};

	if (size) {
		o.bits |= bit;
		o.hdr_len = (uint8_t)p->hdr_len;
		o.gso_size = (uint16_t)size;
	}
	return o;
}

/* All bytes of @f to out[0..f->len). */
static inline void frame_flatten(const struct frame *f, uint8_t *out)
{
	uint32_t at = f->head_len;

	memcpy(out, f->head, at);
	for (unsigned i = 0; i < f->n_segs; i++) {
		cr_assert_gt(f->segs[i].len, 0);
		memcpy(out + at, f->segs[i].data, f->segs[i].len);
		at += f->segs[i].len;
	}
	cr_assert_eq(at, f->len);
}

#endif
