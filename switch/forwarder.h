/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forwarder.h - a forwarder's inside, shared by the way in and the way out.
 *
 * forward.c takes frames in and finds where they go, egress.c puts them out.
 * Nothing else includes this.
 */
#ifndef SWITCH_FORWARDER_H
#define SWITCH_FORWARDER_H

#include "switch/forward.h"

/* Frames f[first..end) of a forwarder. */
struct span {
	uint8_t first, end;
};

/* The frames of a batch that leave by one port. */
struct egress {
	unsigned n_spans;
	struct span span[BATCH_MAX];
};

enum { CUTS_MAX = 16 /* batches of segments that are kept for others */ };

/* Where the segments of a frame are: in cuts[first..first + n). */
struct cut {
	uint8_t first, n; /* n 0: nobody wanted it cut */
};

struct forwarder {
	struct counters *const *counters;
	struct doorbell *bell;
	struct pool_cache *pool;

	/* The frames admitted, and their runs: f[first[r]..first[r + 1]) with
	 * their keys, and what learning says to them. */
	unsigned n, n_runs;
	struct frame *f[BATCH_MAX];
	uint8_t first[BATCH_MAX + 1];
	uint64_t src[BATCH_MAX], dst[BATCH_MAX];
	uint16_t to[BATCH_MAX];
	uint8_t verdict[BATCH_MAX];

	/* Ports that have frames in egress[], in the order of the first. */
	bool floods; /* some frames have several ports to go to */
	unsigned n_touched;
	port_no touched[SWITCH_PORTS_MAX];
	struct egress egress[SWITCH_PORTS_MAX];

	/* Ports with transmit queues to flush, and which (bit q). */
	unsigned n_owed;
	port_no owed[SWITCH_PORTS_MAX];
	uint64_t owed_queues[SWITCH_PORTS_MAX];

	struct batch batch;
	struct batch merged, room; /* frames that egress makes of others */

	/* Large frames that several ports want cut, by their place in the
	 * batch and whether they have a tag. */
	unsigned n_cuts;
	struct cut cut_of[2][BATCH_MAX];
	struct batch cuts[CUTS_MAX];
};

/* One batch on its way: what every stage needs to know. */
struct passage {
	const struct snapshot *snap;
	const struct snapshot_port *from;
	struct counters *rx; /* of the ingress port */
	port_no no;
	unsigned queue, rank; /* receive queue, and who serves it */
	uint64_t now;
	uint32_t now_s;
};

/* Sends the frames that were sorted to port @no. */
void egress_send(struct forwarder *fw, const struct passage *p, port_no no);

#endif
