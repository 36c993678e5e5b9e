/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement.h - which worker serves which receive queue.
 *
 * A port with at least as many queues as there are workers is partitioned:
 * queue i belongs to worker i modulo their number, the same for every port,
 * so that what enters by queue i leaves by queue i without meeting another
 * worker (NetSlices).  Queues of smaller ports go where there are fewest.
 * A queue stays where it is until its worker goes or it is moved by hand.
 *
 * Threads: control; effective with the next switch_publish().
 */
#ifndef SWITCH_PLACEMENT_H
#define SWITCH_PLACEMENT_H

#include "switch/switch.h"

/* Places every live queue that has no worker yet. */
void placement_fill(struct sw *sw);

/* Puts queue @q of @bp, or all its queues (-1), on worker @id. */
int placement_move(
    struct sw *sw, struct bridge_port *bp, int q, unsigned id, struct err *e);

/* Takes every queue off worker @id. */
void placement_evict(struct sw *sw, unsigned id);

#endif
