/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tally.h - what became of a batch that was copied into a peer's ring.
 *
 * Frames that were sent are added up and counted at the end of the batch, those
 * that were not at once, under their reason.
 *
 * Threads: the worker that serves the queue.
 */
#ifndef PORTS_PEER_TALLY_H
#define PORTS_PEER_TALLY_H

#include "switch/base/counters.h"
#include "switch/base/frame.h"

struct tally {
	struct counters *counters;
	uint64_t n_sent, bytes;
};

/* @f was sent (DROP_NONE), or dropped for @why. */
static inline void tally_add(
    struct tally *t, const struct frame *f, enum drop_reason why)
{
	if (why != DROP_NONE) {
		t->counters->drops[why]++;
		return;
	}
	t->n_sent++;
	t->bytes += f->len;
}

static inline void tally_end(const struct tally *t)
{
	t->counters->tx_packets += t->n_sent;
	t->counters->tx_copied += t->n_sent;
	t->counters->tx_bytes += t->bytes;
}

#endif
