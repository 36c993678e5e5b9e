/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared.c - a peer that changes whatever is looked at, for builds that test.
 *
 * A value that is fetched twice, checked the first time and used the second, is
 * how a peer gets past a check; to hit the moment in between takes luck.  With
 * PEER_CHANGES luck has no part in it: the bytes that a thread has looked at
 * are noted, and a second look finds every bit of them turned, so that no test
 * passes that needs one.
 */
#include "switch/base/shared.h"

enum { LINES_SHIFT = 12, LINES = 1 << LINES_SHIFT, LINE = 64 };

/* A line of memory of which something was looked at since @round began, for a
 * chain, or 0: for all of them. */
struct line {
	uintptr_t no;
	uint64_t seen; /* a bit for each byte */
	uint32_t round;
	unsigned chain;
};

static _Thread_local struct {
	uint32_t round, n;
	unsigned chain;
	struct line line[LINES]; /* by hash of no and chain */
} looked;

void shared_forget(void)
{
	looked.round++;
	looked.n = 0;
	looked.chain = 0;
}

void shared_turn_to(unsigned chain)
{
	looked.chain = chain;
}

static struct line *find(uintptr_t no, unsigned chain)
{
	uint64_t hash = (no ^ (uint64_t)chain << 40) * 0x9e3779b97f4a7c15ull;
	size_t i = hash >> (64 - LINES_SHIFT);

	if (looked.n == LINES / 2) { /* more than a poll looks at */
		looked.round++;
		looked.n = 0;
	}
	for (;; i = (i + 1) % LINES) {
		struct line *l = &looked.line[i];

		if (!l->seen || l->round != looked.round) {
			*l = (struct line){
			    .no = no, .round = looked.round, .chain = chain};
			looked.n++;
			return l;
		}
		if (l->no == no && l->chain == chain)
			return l;
	}
}

static void look(uintptr_t at, void *copy, size_t n, unsigned chain)
{
	uint8_t *byte = copy;

	for (size_t i = 0; i < n; i++) {
		struct line *l = find((at + i) / LINE, chain);
		uint64_t bit = UINT64_C(1) << (at + i) % LINE;

		if (l->seen & bit)
			byte[i] ^= 0xff;
		l->seen |= bit;
	}
}

void shared_looked(uintptr_t at, void *copy, size_t n)
{
	look(at, copy, n, looked.chain);
}

void shared_looked_once(uintptr_t at, void *copy, size_t n)
{
	look(at, copy, n, 0);
}
