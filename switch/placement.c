/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement.c - which worker serves which receive queue.
 */
#include <errno.h>

#include "switch/bridge.h"
#include "switch/placement.h"
#include "switch/worker.h"

/* Workers on NUMA node @node, or all if there is none or @node is -1. */
static unsigned list_workers(const struct sw *sw, int node, int16_t id[])
{
	unsigned n = 0;

	for (int16_t i = 0; i < SWITCH_WORKERS_MAX; i++)
		if (sw->worker[i] &&
		    (node < 0 || worker_node(sw->worker[i]) == (unsigned)node))
			id[n++] = i;
	return n || node < 0 ? n : list_workers(sw, -1, id);
}

/* Where the device of @port is, as far as that makes a difference. */
static int node_of(const struct sw *sw, const struct port *port)
{
	return sw->pool && sw->pool->n_nodes > 1 ? port->near_node - 1 : -1;
}

uint64_t placement_allowed(const struct sw *sw, const struct port *port)
{
	int16_t id[SWITCH_WORKERS_MAX];
	unsigned n = list_workers(sw, node_of(sw, port), id);
	uint64_t set = 0;

	while (n-- > 0)
		set |= UINT64_C(1) << id[n];
	return set;
}

static void count_load(const struct sw *sw, unsigned load[])
{
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		const struct bridge_port *bp = sw->port[no];

		for (unsigned q = 0; bp && q < PORT_QUEUES_MAX; q++)
			if (bp->port->rx_live >> q & 1 && bp->worker_of[q] >= 0)
				load[bp->worker_of[q]]++;
	}
}

static int16_t least_loaded(
    const unsigned load[], const int16_t id[], unsigned n)
{
	int16_t best = id[0];

	for (unsigned i = 1; i < n; i++)
		if (load[id[i]] < load[best])
			best = id[i];
	return best;
}

void placement_fill(struct sw *sw)
{
	int16_t id[SWITCH_WORKERS_MAX];
	unsigned load[SWITCH_WORKERS_MAX] = {0};

	count_load(sw, load);
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		struct bridge_port *bp = sw->port[no];
		uint64_t live = bp ? bp->port->rx_live : 0;
		unsigned n =
		    live ? list_workers(sw, node_of(sw, bp->port), id) : 0;
		bool partition =
		    (unsigned)__builtin_popcountll(live) >= n && n > 1;

		for (unsigned q = 0; live >> q && q < PORT_QUEUES_MAX; q++) {
			if (!(live >> q & 1) || bp->worker_of[q] >= 0)
				continue;
			bp->worker_of[q] =
			    partition ? id[q % n] : least_loaded(load, id, n);
			load[bp->worker_of[q]]++;
		}
	}
}

int placement_move(
    struct sw *sw, struct bridge_port *bp, int q, unsigned id, struct err *e)
{
	if (id >= SWITCH_WORKERS_MAX || !sw->worker[id])
		return err_set(e, -ENOENT, "there is no worker %u", id);
	if (q >= PORT_QUEUES_MAX)
		return err_set(e, -ENOENT, "no port has a queue %d", q);
	for (int i = 0; i < PORT_QUEUES_MAX; i++)
		if (q < 0 || q == i)
			bp->worker_of[i] = (int16_t)id;
	bp->moved |= q < 0 ? ~0ull : 1ull << q;
	return 0;
}

void placement_put(struct bridge_port *bp, unsigned q, unsigned id)
{
	bp->worker_of[q] = (int16_t)id;
}

static void take_off(struct bridge_port *bp, unsigned q)
{
	bp->worker_of[q] = -1;
	bp->moved &= ~(1ull << q);
}

void placement_release(struct bridge_port *bp)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (bp->moved >> q & 1)
			take_off(bp, q);
}

void placement_evict(struct sw *sw, unsigned id)
{
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		for (unsigned q = 0; sw->port[no] && q < PORT_QUEUES_MAX; q++)
			if (sw->port[no]->worker_of[q] == (int)id)
				take_off(sw->port[no], q);
}
