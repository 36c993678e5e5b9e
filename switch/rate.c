/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rate.c - a token bucket: what `rate-in` and `rate-out` allow.
 *
 * Tokens are counted in units of bits times cycles per second, so that
 * refilling multiplies and nothing on the packet path divides.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "switch/base/clock.h"
#include "switch/rate.h"

enum { BURST_MS = 10, BURST_MIN_BYTES = 65536 + 64 };

typedef unsigned __int128 tokens;

struct rate {
	uint64_t bits_per_second;
	uint64_t hz;  /* cycles per second: what one bit costs */
	tokens depth; /* the most that the bucket holds */

	pthread_spinlock_t lock; /* the rest, for a batch */
	tokens level;
	uint64_t last;
};

struct rate *rate_open(const struct rate_config *config)
{
	uint64_t burst = config->burst_bytes;
	struct rate *r;

	if (!config->bits_per_second)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	if (!burst)
		burst = config->bits_per_second / 8 * BURST_MS / 1000;
	/* A bucket that cannot hold the longest frame would never let it by. */
	if (burst < BURST_MIN_BYTES)
		burst = BURST_MIN_BYTES;
	r->bits_per_second = config->bits_per_second;
	r->hz = clock_cycles_per_us() * 1000000u;
	r->depth = r->level = (tokens)burst * 8 * r->hz;
	r->last = clock_cycles();
	pthread_spin_init(&r->lock, PTHREAD_PROCESS_PRIVATE);
	return r;
}

void rate_close(struct rate *rate)
{
	free(rate);
}

static void refill(struct rate *r, uint64_t now)
{
	/* Counters of two cores may differ by a little: never run backwards. */
	if ((int64_t)(now - r->last) <= 0)
		return;
	r->level += (tokens)r->bits_per_second * (now - r->last);
	if (r->level > r->depth)
		r->level = r->depth;
	r->last = now;
}

unsigned rate_take(
    struct rate *rate, const uint32_t len[], unsigned n, uint64_t now)
{
	unsigned pass = 0;

	pthread_spin_lock(&rate->lock);
	refill(rate, now);
	while (pass < n) {
		tokens cost = (tokens)len[pass] * 8 * rate->hz;

		if (cost > rate->level)
			break;
		rate->level -= cost;
		pass++;
	}
	pthread_spin_unlock(&rate->lock);
	return pass;
}
