/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_checksum.c - the Internet checksum against one made byte by byte.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/checksum.h"
#include "switch/base/eth.h"

enum { LEN_MAX = 70000 };

static uint64_t state = 88172645463325252ull;

static uint32_t draw(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 16) % n);
}

/* RFC 1071, 1: big-endian words, an odd byte padded with zero. */
static uint16_t naive(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

/* As a message would show it; 0 and 0xffff are the same number. */
static uint16_t value(uint64_t sum)
{
	uint16_t v = checksum_be16(checksum_fold(sum));

	return v == 0xffff ? 0 : v;
}

static uint16_t expected(const uint8_t *p, size_t n)
{
	return value(checksum_be16(naive(p, n)));
}

/* In a block that ends where the data does, for the sanitizers to watch. */
static uint8_t *data_of(size_t n, uint8_t fill, size_t offset)
{
	uint8_t *p = malloc(n + offset + 1);

	for (size_t i = 0; i <= n + offset; i++)
		p[i] = fill ? fill : (uint8_t)draw(256);
	return p;
}

/* The example of RFC 1071, 3. */
Test(checksum, rfc_1071)
{
	static const uint8_t p[] = {0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7};

	cr_assert_eq(value(checksum_add(0, 0, p, sizeof(p))), 0xddf2);
}

Test(checksum, every_short_length_and_alignment)
{
	for (size_t n = 0; n <= 300; n++)
		for (size_t offset = 0; offset < 9; offset++) {
			uint8_t *block = data_of(n, 0, offset);
			uint8_t *p = block + offset + 1;

			cr_assert_eq(
			    value(checksum_add(0, 0, p, n)), expected(p, n));
			free(block);
		}
}

/* All carries there can be. */
Test(checksum, full_of_ones)
{
	static const size_t len[] = {1, 2, 63, 64, 65, 1500, 65535, LEN_MAX};

	for (unsigned i = 0; i < sizeof(len) / sizeof(*len); i++) {
		uint8_t *p = data_of(len[i], 0xff, 0);

		cr_assert_eq(
		    value(checksum_add(0, 0, p, len[i])), expected(p, len[i]));
		free(p);
	}
}

Test(checksum, pieces_of_any_length)
{
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t n = draw(round % 10 ? 3000 : LEN_MAX), at = 0, some;
		uint8_t *p = data_of(n, round % 7 ? 0 : 0xff, 0);
		uint64_t sum = 0;

		for (; at < n; at += some) {
			some = 1 + draw(round % 3 ? 9 : n - at);
			if (some > n - at)
				some = n - at;
			sum = checksum_add(sum, at, p + at, some);
		}
		cr_assert_eq(value(sum), expected(p, n));
		free(p);
	}
}

Test(checksum, folds_the_largest_sums)
{
	cr_assert_eq(checksum_fold(0), 0);
	cr_assert_eq(checksum_fold(0xffff), 0xffff);
	cr_assert_eq(checksum_fold(UINT64_MAX), 0xffff);
	cr_assert_eq(checksum_fold(0xffffffff00000000ull), 0xffff);
	cr_assert_eq(checksum_fold(0x00000001fffeffffull), 0xffff);
	cr_assert_eq(checksum_fold(0xfffffffffffffffeull), 0xfffe);
}

/* p[0..n) as a frame whose head has @head_len bytes and the rest is cut at
 * random. */
static struct frame frame_of(
    uint8_t *p, uint32_t n, uint32_t head_len, struct frame_seg *segs)
{
	struct frame f = {
	    .head = p, .segs = segs, .len = n, .head_len = (uint16_t)head_len};

	for (uint32_t at = head_len, some; at < n; at += some) {
		some = f.n_segs == FRAME_SEGS_MAX - 1 ? n - at : 1 + draw(90);
		if (some > n - at)
			some = n - at;
		segs[f.n_segs++] = (struct frame_seg){p + at, some};
	}
	return f;
}

/* After completion the naive sum of everything from the start is all ones,
 * as a receiver checks it, and nothing but the field has changed. */
Test(checksum, finish)
{
	static struct frame_seg segs[FRAME_SEGS_MAX];

	for (unsigned round = 0; round < 3000; round++) {
		uint32_t n = 60 + draw(4000), start = 14 + draw(30);
		uint32_t offset = draw(8) * 2, field = start + offset;
		uint8_t *p = data_of(n, round % 50 ? 0 : 0xff, 0), *q;
		struct frame f = frame_of(p, n, 60, segs);

		q = malloc(n);
		memcpy(q, p, n);
		f.offload = (struct offload){.bits = OFFLOAD_CSUM,
		    .csum_start = (uint16_t)start,
		    .csum_offset = (uint16_t)offset};
		cr_assert(checksum_finish(&f));
		cr_assert_eq(f.offload.bits, OFFLOAD_VALID);
		cr_assert_eq(memcmp(p, q, field), 0);
		cr_assert_eq(
		    memcmp(p + field + 2, q + field + 2, n - field - 2), 0);
		/* The field began as the pseudo-header's sum. */
		cr_assert_eq(value((uint64_t)naive(p + start, n - start) +
				   eth_be16(q + field)),
		    0);
		free(p);
		free(q);
	}
}

/* Completes a checksum that is to be 0; returns how it is written. */
static uint16_t finish_zero(uint16_t offset)
{
	uint8_t p[60] = {0};
	struct frame f = {.head = p,
	    .len = 60,
	    .head_len = 60,
	    .offload = {
		.bits = OFFLOAD_CSUM, .csum_start = 34, .csum_offset = offset}};

	eth_put_be16(p + 34 + offset, 0xedff);
	eth_put_be16(p + 54, 0x1200);
	cr_assert(checksum_finish(&f));
	return eth_be16(p + 34 + offset);
}

/* A sum of 0 would tell UDP, and nobody else, that there is none. */
Test(checksum, finish_avoids_zero_for_udp)
{
	cr_assert_eq(finish_zero(6), 0xffff);
	cr_assert_eq(finish_zero(16), 0);
}

Test(checksum, finish_needs_the_field_in_the_head)
{
	static struct frame_seg segs[FRAME_SEGS_MAX];
	uint8_t p[200] = {0};
	struct frame f = frame_of(p, 200, 100, segs), before;

	f.offload = (struct offload){
	    .bits = OFFLOAD_CSUM, .csum_start = 83, .csum_offset = 16};
	before = f;
	cr_assert_not(checksum_finish(&f));
	cr_assert_eq(memcmp(&f, &before, sizeof(f)), 0);
	f.offload.csum_start = 82;
	cr_assert(checksum_finish(&f));
}
