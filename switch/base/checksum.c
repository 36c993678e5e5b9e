/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.c - sum memory as fast as it can be read.
 *
 * Ones' complement addition does not care how wide the words are: a sum of
 * 32-bit words folds to the same 16 bits (RFC 1071, 2C).  So each 64-bit lane
 * is two words, and needs no masking: one accumulator takes the whole lanes
 * and loses its carries, the other takes the upper words exactly, and what the
 * first is short of is what the second knows.
 */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "switch/base/checksum.h"
#include "switch/base/eth.h"
#include "switch/base/layers.h"

enum { BLOCK = 64 };

typedef uint64_t lanes2 __attribute__((vector_size(16)));
typedef uint64_t lanes4 __attribute__((vector_size(32)));

/* p[0..n) in pairs of vectors, as many as there are; the rest is left.  Exact
 * up to 2^32 blocks. */
#define SUM_BLOCKS(lanes, p, n)                                                \
	({                                                                     \
		lanes whole = {0}, upper = {0};                                \
		uint64_t total = 0;                                            \
		for (; n >= 2 * sizeof(lanes); n -= 2 * sizeof(lanes)) {       \
			lanes a, b;                                            \
			memcpy(&a, p, sizeof(a));                              \
			memcpy(&b, p + sizeof(a), sizeof(b));                  \
			whole += a + b;                                        \
			upper += (a >> 32) + (b >> 32);                        \
			p += 2 * sizeof(lanes);                                \
		}                                                              \
		whole += upper - (upper << 32);                                \
		for (unsigned i = 0; i < sizeof(lanes) / 8; i++)               \
			total += whole[i];                                     \
		total;                                                         \
	})

static inline uint64_t sum_words(const uint8_t *p, size_t n)
{
	uint64_t sum = 0, word;

	for (; n >= sizeof(word); p += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum += (word >> 32) + (uint32_t)word;
	}
	for (word = 0; n; n--)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		word = word << 8 | p[n - 1];
#else
		word |= (uint64_t)p[n - 1] << (8 - n) * 8;
#endif
	return sum + (word >> 32) + (uint32_t)word;
}

static uint64_t sum_vectors(const uint8_t *p, size_t n)
{
	uint64_t sum = SUM_BLOCKS(lanes2, p, n);

	return sum + sum_words(p, n);
}

#ifdef __x86_64__
static __attribute__((target("avx2"))) uint64_t sum_wide(
    const uint8_t *p, size_t n)
{
	uint64_t sum = SUM_BLOCKS(lanes4, p, n);

	return sum + sum_words(p, n);
}
#endif

static inline uint64_t sum_memory(const uint8_t *p, size_t n)
{
	if (n < BLOCK)
		return sum_words(p, n);
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return sum_wide(p, n);
#endif
	return sum_vectors(p, n);
}

/* A sum of 32-bit words times 2^8 is its rotation (modulo 2^32 - 1). */
uint64_t checksum_add(uint64_t sum, uint32_t at, const void *p, size_t n)
{
	uint64_t some = sum_memory(p, n);
	uint32_t folded;

	some = (some >> 32) + (uint32_t)some;
	folded = (uint32_t)(some >> 32) + (uint32_t)some;
	return sum + (at & 1 ? folded << 8 | folded >> 24 : folded);
}

uint64_t checksum_frame(const struct frame *f, uint32_t start)
{
	uint32_t at = f->head_len - start;
	uint64_t sum = checksum_add(0, 0, f->head + start, at);

	for (unsigned i = 0; i < f->n_segs; i++) {
		sum = checksum_add(sum, at,
		    shared_raw(const uint8_t, f->segs[i].data), f->segs[i].len);
		at += f->segs[i].len;
	}
	return sum;
}

/* To UDP a result of 0 would mean that there is no checksum, and is sent as its
 * other form (RFC 768); all others send it as it is (RFC 1071, 1). */
bool checksum_finish(struct frame *f)
{
	const struct offload *o = &f->offload;
	uint32_t field = o->csum_start + (uint32_t)o->csum_offset;
	uint16_t sum;

	assert(o->bits & OFFLOAD_CSUM && !o->gso_size);
	if (field + sizeof(sum) > f->head_len)
		return false;
	sum = (uint16_t)~checksum_fold(checksum_frame(f, o->csum_start));
	if (!sum && o->csum_offset == UDP_CSUM)
		sum = 0xffff;
	memcpy(f->head + field, &sum, sizeof(sum));
	f->offload = (struct offload){.bits = OFFLOAD_VALID};
	return true;
}

/* Bytes of L4 according to the IP header; 0 if the frame does not end there. */
static uint32_t l4_len_of(const struct layers *p, const struct frame *f)
{
	const uint8_t *ip = p->head + p->l3;
	uint32_t len = p->type == ETH_TYPE_IP4
			   ? eth_be16(ip + IP4_LEN)
			   : eth_be16(ip + IP6_LEN) + (uint32_t)IP6_HDR_LEN;

	return p->l3 + len == f->len && p->l4 < f->len ? f->len - p->l4 : 0;
}

static __attribute__((noinline)) void detect_slow(struct frame *f)
{
	struct layers p;
	uint16_t offset, field;
	uint32_t len;
	uint64_t pseudo;

	if (!layers_parse(&p, f->head, f->head_len) || p.fragment)
		return;
	if (p.proto != IPPROTO_TCP && p.proto != IPPROTO_UDP)
		return;
	offset = p.proto == IPPROTO_TCP ? TCP_CSUM : UDP_CSUM;
	len = l4_len_of(&p, f);
	if (!len || !layers_hdr_len(&p))
		return;
	pseudo = layers_pseudo_sum(&p, len);
	memcpy(&field, f->head + p.l4 + offset, sizeof(field));
	/* One right checksum in 65536 looks like that, too. */
	if (field != checksum_fold(pseudo) ||
	    checksum_fold(pseudo + checksum_frame(f, p.l4)) == 0xffff)
		return;
	f->offload = (struct offload){.bits = OFFLOAD_CSUM,
	    .csum_start = (uint16_t)p.l4,
	    .csum_offset = offset};
}

void checksum_detect(struct frame *f)
{
	uint16_t type;

	if (f->head_len < ETH_HDR_LEN)
		return;
	type = eth_be16(f->head + 2 * ETH_ADDR_LEN);
	if (type == ETH_TYPE_IP4 || type == ETH_TYPE_IP6 ||
	    eth_type_is_vlan(type))
		detect_slow(f);
}
