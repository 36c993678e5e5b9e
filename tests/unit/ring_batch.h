/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring_batch.h - what comes out of a guest's transmitq, and what is expected.
 *
 * One batch for all, filled by rx(), and looked at afterwards.
 *
 * Threads: one.
 */
#ifndef TESTS_UNIT_RING_BATCH_H
#define TESTS_UNIT_RING_BATCH_H

#include <criterion/criterion.h>

#include "tests/unit/ring_guest.h"

static struct batch batch;

static inline unsigned rx(struct ring *r)
{
	batch.n = batch.n_segs = 0;
	return virtq_rx(&r->vq, &batch, &r->w);
}

static inline enum virtq_fault fault(const struct ring *r)
{
	return r->vq.fault;
}

/* Frame @i of the batch has @len bytes, all as ring_frame() wrote them. */
static inline void expect_frame(const struct ring *r, unsigned i, uint32_t len)
{
	const struct frame *f = &batch.f[i];
	uint32_t n = 0;

	cr_assert_lt(i, batch.n);
	cr_assert_eq(f->len, len);
	cr_assert_eq(f->head, batch_head(&batch, i));
	cr_assert_eq(f->head_len, len < 64 ? len : 64);
	for (; n < f->head_len; n++)
		cr_assert_eq(f->head[n], ring_pattern(n));
	for (unsigned s = 0; s < f->n_segs; s++) {
		const uint8_t *p = f->segs[s].data;

		cr_assert_gt(f->segs[s].len, 0);
		cr_assert(
		    p >= r->mem->region[0].host || p >= r->mem->region[1].host);
		for (uint32_t k = 0; k < f->segs[s].len; k++, n++)
			cr_assert_eq(p[k], ring_pattern(n));
	}
	cr_assert_eq(n, len);
	cr_assert_eq(f->flags, 0);
	cr_assert_eq(f->offload.bits, 0);
}

/* Nothing was counted: what rx hands on is counted by its caller. */
static inline void expect_no_counts(const struct ring *r)
{
	static const struct counters none;

	cr_assert_eq(memcmp(&r->counters, &none, sizeof(none)), 0);
}

#endif
