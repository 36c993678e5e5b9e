/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forward.h - one batch through the bridge, from receive queue to egress.
 *
 *	admit      addresses, VLAN, rate: what may come in at all
 *	learn      what the sources teach           (learning/)
 *	look up    where the destinations are       (learning/)
 *	sort       a list of frames for each egress port
 *	send       each egress port once: lock, copy, notify
 *	flush      later: what a kernel took over and has not ended
 *
 * Two passes, as VALE has them: everything is looked up before anything is
 * sent, and each egress port is visited once for a batch, in which its frames
 * keep the order in which they came.
 *
 * Life: one struct forwarder for each worker.  Threads: its worker's only.
 */
#ifndef SWITCH_FORWARD_H
#define SWITCH_FORWARD_H

#include "switch/snapshot.h"

struct forwarder;

/* What a worker puts at the forwarder's disposal; counters[no] is the
 * worker's block for port @no. */
int forwarder_open(struct forwarder **fw, struct counters *const counters[],
    struct doorbell *bell, struct pool_cache *pool, struct err *e);
void forwarder_close(struct forwarder *fw);

/* Polls receive queue @q of port @no once and forwards what it gave, to the
 * end: when it returns the frames are gone and their buffers returned.
 * @now_s is the coarse clock of the learning table.  Returns how much work
 * the queue had, 0: none. */
unsigned forward_poll(struct forwarder *fw, const struct snapshot *snap,
    port_no no, unsigned q, uint64_t now, uint32_t now_s);

/* Goes on with what transmit queues have not ended yet (port_ops.tx_flush).
 * Returns whether any still has not.  Between two batches. */
bool forward_flush(
    struct forwarder *fw, const struct snapshot *snap, uint64_t now);

/* A snapshot begins: worker @id flushes the transmit queues beside its receive
 * queues, whoever has sent there, and no others that it has not sent to. */
void forward_adopt(
    struct forwarder *fw, const struct snapshot *snap, unsigned id);

/* Forwards head[0..len), our own memory with FRAME_HEADROOM before it, as if
 * it had come in by port @no. */
void forward_inject(struct forwarder *fw, const struct snapshot *snap,
    port_no no, uint8_t *head, uint16_t len, uint32_t now_s);

#endif
