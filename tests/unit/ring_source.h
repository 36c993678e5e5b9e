/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring_source.h - frames for a guest's receiveq, and what is to become of them.
 *
 * Frames of a pattern go in, and every byte of the guest's memory is compared
 * afterwards, whether it was to be written or not.
 *
 * Threads: one.
 */
#ifndef TESTS_UNIT_RING_SOURCE_H
#define TESTS_UNIT_RING_SOURCE_H

#include <criterion/criterion.h>

#include "tests/unit/ring_guest.h"

/* A frame of len bytes of the pattern, in a head and segments of seg bytes. */
struct source {
	struct frame f;
	struct frame_seg seg[FRAME_SEGS_MAX];
	uint8_t head[FRAME_HEAD_MAX];
	uint8_t *rest;
};

static inline void source_init(struct source *s, uint32_t len, uint32_t seg)
{
	uint32_t head_len = len < 64 ? len : 64, at = 0;

	*s = (struct source){.rest = malloc(len)};
	s->f = (struct frame){.head = s->head,
	    .segs = s->seg,
	    .len = len,
	    .head_len = (uint16_t)head_len};
	for (uint32_t i = 0; i < len; i++)
		*(i < 64 ? &s->head[i] : &s->rest[i - 64]) = ring_pattern(i);
	while (at < len - head_len) {
		uint32_t n =
		    len - head_len - at < seg ? len - head_len - at : seg;

		s->seg[s->f.n_segs++] = (struct frame_seg){s->rest + at, n};
		at += n;
	}
}

static inline void send_n(struct ring *r, struct source *s, unsigned n)
{
	struct frame *f[BATCH_MAX];

	for (unsigned i = 0; i < n; i++)
		f[i] = &s->f;
	virtq_tx(&r->vq, f, n, &r->w);
}

static inline void send_len(struct ring *r, uint32_t len)
{
	struct source s;

	source_init(&s, len, 4096);
	send_n(r, &s, 1);
	free(s.rest);
}

/* Which bytes of guest memory the device may have written to: buf[0..n). */
struct area {
	uint64_t gpa;
	uint32_t len;
};

/* Every byte from BUFS to the end, but those of buf[0..n), is as it was. */
static inline void expect_canaries(
    const struct ring *r, const struct area buf[], unsigned n)
{
	static uint8_t want[2 * REGION_SIZE];
	const uint8_t *first = r->mem->region[0].host;

	memset(want, CANARY, sizeof(want));
	for (unsigned i = 0; i < n; i++)
		for (uint64_t g = buf[i].gpa; g < buf[i].gpa + buf[i].len; g++)
			want[g - GUEST_BASE] = *ring_at(r, g);
	cr_assert_eq(
	    memcmp(first + BUFS_AT, want + BUFS_AT, REGION_SIZE - BUFS_AT), 0);
	cr_assert_eq(
	    memcmp(r->mem->region[1].host, want + REGION_SIZE, REGION_SIZE), 0);
}

/* The buffers buf[0..n) hold a finished frame of @len bytes behind a header
 * that is zero but for num_buffers, and not one byte more was written. */
static inline void expect_frame(const struct ring *r, const struct area buf[],
    unsigned n, uint32_t len, unsigned num_buffers)
{
	uint32_t hdr_len = r->vq.hdr_len, at = 0;
	struct area used[64];

	for (unsigned i = 0; i < n; i++) {
		used[i] = buf[i];
		if (used[i].len > hdr_len + len - at)
			used[i].len = hdr_len + len - at;
		for (uint32_t k = 0; k < used[i].len; k++, at++) {
			uint8_t is = *ring_at(r, buf[i].gpa + k), want = 0;

			if (at >= hdr_len)
				want = ring_pattern(at - hdr_len);
			else if (at == 10)
				want = (uint8_t)num_buffers;
			cr_assert_eq(is, want, "byte %u", at);
		}
	}
	cr_assert_eq(at, hdr_len + len);
	expect_canaries(r, used, n);
}

static inline void expect_sent(const struct ring *r, uint64_t n, uint64_t bytes)
{
	static const struct counters none;
	struct counters c = r->counters;

	cr_assert_eq(c.tx_packets, n);
	cr_assert_eq(c.tx_copied, n);
	cr_assert_eq(c.tx_bytes, bytes);
	cr_assert_eq(r->vq.fault, VIRTQ_NONE);
	c.tx_packets = c.tx_copied = c.tx_bytes = 0;
	cr_assert_eq(memcmp(&c, &none, sizeof(c)), 0);
}

#endif
