/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_watch.h - a guest's memory before and after, page by page, and the log.
 *
 * What a migration needs of a device: each page that differs has its bit.  And
 * what costs a migration time: a page that has its bit and does not differ.
 * Buffers are poisoned and rings zeroed, so that every write here is one that
 * changes something.
 *
 * Life: watch_open ──► watch ──► expect_logged, watch again ... ──► watch_close.
 * Threads: one.
 */
#ifndef TESTS_UNIT_LOG_WATCH_H
#define TESTS_UNIT_LOG_WATCH_H

#include <criterion/criterion.h>

#include "ports/vhost/virtq_log.h"
#include "tests/unit/ring_guest.h"

enum {
	WATCH_PAGE = DIRTY_LOG_PAGE,
	WATCH_PAGES = (GUEST_BASE + 2 * REGION_SIZE) / WATCH_PAGE,
	WATCH_BYTES = (WATCH_PAGES + 7) / 8,
};

struct watch {
	struct ring *r;
	uint8_t bits[WATCH_BYTES];
	struct dirty_log log;
	struct virtq_log account;
	uint8_t before[2][REGION_SIZE];
};

/* Everything that happens to @r from now on is logged, its used ring at @used;
 * no worker is in it. */
static inline struct watch *watch_open(
    struct ring *r, uint64_t used, bool with_ring)
{
	struct watch *w = calloc(1, sizeof(*w));

	w->r = r;
	w->log = (struct dirty_log){.bits = w->bits, .size = WATCH_BYTES};
	w->account = (struct virtq_log){.log = &w->log,
	    .ring = with_ring,
	    .used = used,
	    .slot = GUEST_BASE};
	r->vq.log = &w->account;
	return w;
}

static inline void watch_close(struct watch *w)
{
	w->r->vq.log = NULL;
	free(w);
}

/* As the guest would see its memory at this moment. */
static inline void watch(struct watch *w)
{
	memset(w->bits, 0, sizeof(w->bits));
	for (unsigned i = 0; i < 2; i++)
		memcpy(w->before[i], w->r->mem->region[i].host, REGION_SIZE);
}

static inline bool watch_bit(const struct watch *w, uint64_t gpa)
{
	uint64_t page = gpa / WATCH_PAGE;

	return w->bits[page / 8] >> page % 8 & 1;
}

/* How many bits are set. */
static inline unsigned watch_n(const struct watch *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WATCH_PAGES; i++)
		n += watch_bit(w, i * (uint64_t)WATCH_PAGE);
	return n;
}

/* Exactly the pages that changed since watch() are marked.  Returns how many
 * they are. */
static inline unsigned expect_logged(const struct watch *w)
{
	unsigned n = 0;

	for (uint32_t at = 0; at < 2 * REGION_SIZE; at += WATCH_PAGE) {
		unsigned i = at / REGION_SIZE;
		bool changed = memcmp(w->before[i] + at % REGION_SIZE,
				   w->r->mem->region[i].host + at % REGION_SIZE,
				   WATCH_PAGE) != 0;

		cr_assert_eq(watch_bit(w, GUEST_BASE + at), changed,
		    "page at %#x, changed: %d", GUEST_BASE + at, changed);
		n += changed;
	}
	return n;
}

#endif
