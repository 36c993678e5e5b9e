/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.h - the immutable picture of the model that workers forward by.
 *
 *	control:  snapshot_build() ─► store (A) ─► quiesce_wait() ─► free old
 *	worker:   load (B) ─► poll, forward ─► quiesce_point()
 *
 * (A) is a release and (B) an acquire: a worker that sees the pointer sees
 * what it points to.  All is constant while published, except struct poll and
 * the list of active ones, which belong to the worker.
 *
 * Life: from snapshot_build() to the grace period after its replacement.
 * Threads: build and free on control, reading by workers.
 */
#ifndef SWITCH_SNAPSHOT_H
#define SWITCH_SNAPSHOT_H

#include <pthread.h>

#include "learning/learn.h"
#include "switch/bridge.h"

struct snapshot_bridge;

/* Who reaches a transmit queue, if several workers serve queues. */
enum tx_writer { TX_WRITER_NONE = -1, TX_WRITER_SEVERAL = -2 };

/* A port, reduced to what the packet path asks about it. */
struct snapshot_port {
	struct port *port; /* NULL: no port of this number */
	const struct snapshot_bridge *bridge;

	bool up; /* may send: administratively up, with a live queue */
	bool flood, mcast_flood, bcast_flood, isolated;
	bool vlan_aware, is_trunk;
	bool from_wire;
	uint8_t accepts;       /* enum offload_bit */
	uint16_t untagged_vid; /* of frames without a tag, both ways; 0: none */
	uint32_t max_len;      /* bytes of an untagged frame */
	struct fdb_port_rules rules;
	const struct vlan_set *vlans; /* membership, if vlan_aware */
	struct rate *rate_in, *rate_out;

	int8_t owner[PORT_QUEUES_MAX]; /* worker of receive queue q; -1: none */
	uint8_t n_tx;		       /* live transmit queues */
	uint8_t tx[PORT_QUEUES_MAX];
	int8_t tx_writer[PORT_QUEUES_MAX]; /* enum tx_writer, or who */
	uint64_t tx_shared;	     /* bit q: several workers reach queue q */
	pthread_spinlock_t *tx_lock; /* of queue q, taken if tx_shared */

	struct queue_state *state; /* of receive queue q, its worker's */
};

struct snapshot_bridge {
	struct fdb *fdb;
	unsigned n_ports;
	port_no port[];
};

/* A receive queue as its worker sees it. */
struct poll {
	const struct snapshot_port *from;
	port_no no;
	uint8_t queue;
	uint64_t last_work; /* cycles */
	uint64_t served; /* cycles, against those of others (worker_round.c) */
	struct queue_state *state;
};

struct snapshot_worker {
	unsigned rank; /* among those that serve queues */
	unsigned n_polls;
	struct poll *poll;
	/* The worker's: indices of those that are not armed, in no order. */
	unsigned n_active;
	uint32_t *active;
};

struct snapshot {
	uint64_t generation; /* unique, > 0 */
	unsigned n_ports;    /* highest port number + 1 */
	unsigned n_workers;  /* that serve queues */
	struct snapshot_port *port;
	struct snapshot_bridge *bridge[SWITCH_BRIDGES_MAX];
	struct vlan_set *vlans;
	struct poll *polls;
	uint32_t *actives;
	struct snapshot_worker worker[SWITCH_WORKERS_MAX];
};

/* The picture of the model as it is; NULL when memory is short.  With
 * @paused no worker polls anything. */
struct snapshot *snapshot_build(struct sw *sw, bool paused);
void snapshot_free(struct snapshot *snap);

/* Whether workers on @a and workers on @b may run side by side: no receive
 * queue has another owner, no transmit queue other writers. */
bool snapshot_compatible(const struct snapshot *a, const struct snapshot *b);

/* The transmit queue of @p by which that leaves which the worker of @rank took
 * in by receive queue @q.  Always the same one, so that a flow keeps its order;
 * one that no other worker uses, where each can have its own; queue i for what
 * came in by queue i, where both ports are dealt out alike. */
static inline unsigned snapshot_tx_queue(const struct snapshot *snap,
    const struct snapshot_port *p, unsigned rank, unsigned q)
{
	unsigned n = snap->n_workers, own;

	if (n <= 1 || p->n_tx < n)
		return p->tx[q < p->n_tx ? q : q % p->n_tx];
	own = (p->n_tx - rank + n - 1) / n;
	return p->tx[rank + q / n % own * n];
}

#endif
