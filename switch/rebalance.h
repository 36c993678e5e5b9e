/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebalance.h - measures what queues cost, and moves them by it if asked to.
 *
 * What a queue cost is counted by its worker (bridge.h, struct queue_state); a
 * look takes the difference to the look before, of the timer and of whoever
 * asks each their own.  balance.h says which queues should go where.  Queues
 * that somebody moved stay, and no queue leaves the NUMA node of its device
 * while there are workers on it (placement.h).
 *
 * Threads: control.
 */
#ifndef SWITCH_REBALANCE_H
#define SWITCH_REBALANCE_H

#include "switch/balance.h"
#include "switch/switch.h"

/* A queue with what it cost. */
struct rebalance_queue {
	port_no no;
	uint8_t queue;
	bool pinned;
	uint64_t frames;
};

/* What a look saw; queue[i] and load[i] are the same queue. */
struct rebalance_look {
	uint64_t cycles;  /* how long it covers */
	uint64_t workers; /* there are, bit id */
	unsigned n_queues, n_moves;
	struct rebalance_queue *queue;
	struct balance_queue *load;
};

/* Looks for whoever @by is.  -ENOMEM; to be closed if not. */
int rebalance_look_open(struct rebalance_look *look, struct sw *sw,
    enum balance_asker by, struct err *e);
void rebalance_look_close(struct rebalance_look *look);

/* Moves the queues as @look says, all at once, and tells. */
void rebalance_move(struct sw *sw, const struct rebalance_look *look);

/* Makes sw->balancing's settings count.  -errno with a sentence. */
int rebalance_set(struct sw *sw, bool on, uint32_t threshold,
    uint32_t interval_s, struct err *e);

/* At the end of the switch. */
void rebalance_stop(struct sw *sw);

#endif
