/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement.h - which worker serves which receive queue.
 *
 * A port with at least as many queues as there are workers is partitioned:
 * queue i belongs to worker i modulo their number, the same for every port,
 * so that what enters by queue i leaves by queue i without meeting another
 * worker (NetSlices).  Queues of smaller ports go where there are fewest.  On
 * a machine with several NUMA nodes only the workers on the node of the port's
 * device count, if there are any.  A queue stays where it is until its worker
 * goes or it is moved, by hand or by what it costs (rebalance.h); one that is
 * moved by hand while it is not live begins where it was moved to.
 *
 * Threads: control; effective with the next switch_publish().
 */
#ifndef SWITCH_PLACEMENT_H
#define SWITCH_PLACEMENT_H

#include "switch/switch.h"

/* Places every live queue that has no worker yet. */
void placement_fill(struct sw *sw);

/* Puts queue @q of @bp, or all its queues (-1), live or not, on worker @id.
 * -ENOENT: there is no such worker or queue. */
int placement_move(
    struct sw *sw, struct bridge_port *bp, int q, unsigned id, struct err *e);

/* The workers (bit id) that may serve queues of @port. */
uint64_t placement_allowed(const struct sw *sw, const struct port *port);

/* Puts queue @q of @bp on worker @id, but by nobody's wish. */
void placement_put(struct bridge_port *bp, unsigned q, unsigned id);

/* Leaves the queues of @bp that were moved to placement_fill(). */
void placement_release(struct bridge_port *bp);

/* Takes every queue off worker @id; that some were moved there is forgotten. */
void placement_evict(struct sw *sw, unsigned id);

#endif
