/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_merge.c - frames that are nearly segments of one flow.
 *
 * The input is a list of changes and what is to be different in a sound frame;
 * from it come up to 16 frames that follow each other as a sender would number
 * them, each with its changes, and with lengths and IPv4 checksums made right
 * where that is asked for.  What
 * is merged must be acceptable to a receiver, and when it is cut again give
 * the same frames but for what segmentation numbers by itself.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "switch/base/checksum.h"
#include "switch/base/merge.h"
#include "switch/base/segment.h"
#include "tests/fuzz/sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_MAX = 16, LEN_MAX = 300, CHANGE = 3, FIXED = 64, DATA = 4 + FIXED };

struct source {
	struct frame f;
	struct frame_seg seg;
	uint32_t len;
	uint8_t all[LEN_MAX];
};

static struct source source[N_MAX];

/* Number @i of the flow that @p begins. */
static void follow(struct source *s, const struct layers *p, unsigned i)
{
	uint8_t *ip = s->all + p->l3, *l4 = s->all + p->l4;
	uint32_t hdr_len = layers_hdr_len(p), seq;

	if (p->type == ETH_TYPE_IP4)
		eth_put_be16(
		    ip + IP4_ID, (uint16_t)(eth_be16(ip + IP4_ID) + i));
	if (p->proto != IPPROTO_TCP || !hdr_len)
		return;
	seq = eth_be32(l4 + TCP_SEQ) + i * (s->len - hdr_len);
	eth_put_be16(l4 + TCP_SEQ, (uint16_t)(seq >> 16));
	eth_put_be16(l4 + TCP_SEQ + 2, (uint16_t)seq);
}

static void set_lengths(struct source *s, const struct layers *p)
{
	uint8_t *ip = s->all + p->l3;
	uint16_t sum;

	if (p->proto == IPPROTO_UDP && layers_hdr_len(p))
		eth_put_be16(
		    s->all + p->l4 + UDP_LEN, (uint16_t)(s->len - p->l4));
	if (p->type == ETH_TYPE_IP6)
		eth_put_be16(
		    ip + IP6_LEN, (uint16_t)(s->len - p->l3 - IP6_HDR_LEN));
	if (p->type != ETH_TYPE_IP4)
		return;
	eth_put_be16(ip + IP4_LEN, (uint16_t)(s->len - p->l3));
	memset(ip + IP4_CSUM, 0, 2);
	sum = (uint16_t)~checksum_fold(checksum_add(0, 0, ip, IP4_HDR_LEN));
	memcpy(ip + IP4_CSUM, &sum, 2);
}

/* As a frame with @head_len bytes of head, in memory that ends with it. */
static void make_frame(struct source *s, uint32_t head_len, uint8_t bits)
{
	uint8_t *rest;

	if (head_len > s->len)
		head_len = s->len;
	s->f = (struct frame){.head = malloc(head_len),
	    .segs = &s->seg,
	    .len = s->len,
	    .head_len = (uint16_t)head_len,
	    .offload = {.bits = ~bits & OFFLOAD_VALID}};
	memcpy(s->f.head, s->all, head_len);
	if (head_len == s->len)
		return;
	rest = malloc(s->len - head_len);
	memcpy(rest, s->all + head_len, s->len - head_len);
	s->seg = (struct frame_seg){rest, s->len - head_len};
	s->f.n_segs = 1;
}

static void free_source(struct source *s)
{
	free(s->f.head);
	if (s->f.n_segs)
		free((void *)s->seg.data);
}

/* Everything but identification and checksums. */
static bool same(const struct frame *cut, const struct source *s)
{
	uint8_t a[LEN_MAX], b[LEN_MAX];
	uint32_t at = cut->head_len;
	struct layers p;

	if (cut->len != s->len)
		return false;
	memcpy(a, cut->head, at);
	for (unsigned i = 0; i < cut->n_segs; i++) {
		memcpy(a + at, cut->segs[i].data, cut->segs[i].len);
		at += cut->segs[i].len;
	}
	memcpy(b, s->all, s->len);
	if (!layers_parse(&p, b, s->len))
		return false;
	at = p.l4 + (p.proto == IPPROTO_TCP ? TCP_CSUM : UDP_CSUM);
	if (at + 2 > s->len)
		return false;
	memcpy(a + at, b + at, 2);
	if (p.type == ETH_TYPE_IP4) {
		memcpy(a + p.l3 + IP4_ID, b + p.l3 + IP4_ID, 2);
		memcpy(a + p.l3 + IP4_CSUM, b + p.l3 + IP4_CSUM, 2);
	}
	return !memcmp(a, b, s->len);
}

/* Source number @k or a later one is @f; returns the number. */
static unsigned find(const struct frame *f, unsigned k, unsigned n)
{
	while (k < n && !same(f, &source[k]))
		k++;
	assert(k < n);
	return k + 1;
}

static void check_merged(const struct frame *f, unsigned n)
{
	static struct batch b;
	struct virtio_net_hdr hdr;
	struct segmenter s;
	struct offload o;
	unsigned k = 0;

	offload_to_hdr(&f->offload, &hdr);
	assert(offload_parse(&o, &hdr, f->head, f->head_len, f->len,
		   f->offload.bits) == DROP_NONE);
	assert(!memcmp(&o, &f->offload, sizeof(o)));
	b.n = b.n_segs = 0;
	segment_begin(&s, f, 0);
	assert(segment_next(&s, &b, BATCH_MAX) > 1 && !s.left);
	for (unsigned i = 0; i < b.n; i++)
		k = find(&b.f[i], k, n);
}

/* Frame number @i, of @len bytes at @data, with its changes[]; the input that
 * is before these says the rest. */
static void make_source(struct source *s, const uint8_t *data, uint32_t len,
    unsigned i, const uint8_t changes[FIXED])
{
	struct layers p;
	bool sound;

	s->len = len;
	sound_frame(s->all, LEN_MAX, changes[-4] >> 4);
	for (uint32_t k = 0; k < len; k++)
		s->all[k] ^= data[k];
	sound = layers_parse(&p, s->all, len) && p.l4 <= len;
	if (sound)
		follow(s, &p, i);
	for (unsigned k = 0; k + CHANGE <= FIXED; k += CHANGE)
		if (changes[k] == i)
			s->all[changes[k + 1] % len] ^= changes[k + 2];
	if (sound && !(changes[-1] & 1))
		set_lengths(s, &p);
	make_frame(s, 1u + FRAME_LEN_MIN + changes[-2], changes[-3]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct batch room;
	struct frame *f[N_MAX];
	unsigned n, m, last = 0;
	uint32_t len;

	if (size < DATA + FRAME_LEN_MIN)
		return 0;
	n = 1 + data[0] % N_MAX;
	len = (uint32_t)size - DATA;
	if (len > LEN_MAX)
		len = LEN_MAX;
	for (unsigned i = 0; i < n; i++) {
		make_source(&source[i], data + DATA, len, i, data + 4);
		f[i] = &source[i].f;
	}
	room.n = room.n_segs = 0;
	m = merge_frames(f, n, 0xff, &room);
	assert(m >= 1 && m <= n && (m < n) == (room.n > 0));
	for (unsigned i = 0; i < m; i++) {
		if (f[i] >= room.f && f[i] < room.f + BATCH_MAX) {
			check_merged(f[i], n);
			continue;
		}
		while (last < n && f[i] != &source[last].f)
			last++;
		assert(last < n);
	}
	for (unsigned i = 0; i < n; i++)
		free_source(&source[i]);
	return 0;
}
