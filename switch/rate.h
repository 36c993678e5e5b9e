/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rate.h - a token bucket: what `rate-in` and `rate-out` allow.
 *
 * Tokens are bits of frames on the link, refilled by the cycle counter.  One
 * bucket may be drawn on by several workers: it is locked for a batch.
 *
 * Life: made by control, freed after the grace period.  Threads: rate_take()
 * any worker.
 */
#ifndef SWITCH_RATE_H
#define SWITCH_RATE_H

#include <stdint.h>

struct frame;
struct rate;

struct rate_config {
	uint64_t bits_per_second; /* 0: unlimited */
	uint64_t burst_bytes;	  /* 0: chosen by rate_open() */
};

/* NULL when @config is unlimited (or memory is short, with errno ENOMEM). */
struct rate *rate_open(const struct rate_config *config);
void rate_close(struct rate *rate);

/* How many of the frames of lengths len[0..n), in order, may pass at time
 * @now (cycles); the rest is over the limit. */
unsigned rate_take(
    struct rate *rate, const uint32_t len[], unsigned n, uint64_t now);

#endif
