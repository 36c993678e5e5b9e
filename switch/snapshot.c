/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.c - the immutable picture of the model that workers forward by.
 *
 * Built in one go from the model into few allocations.  The question whether
 * a transmit queue needs a lock is answered here, from the set of workers
 * that can reach it (FastClick's thread vectors).
 */
#include <stdlib.h>
#include <string.h>

#include "switch/snapshot.h"

/* How many receive queues of index q a worker serves on one bridge. */
struct reach {
	uint16_t n[PORT_QUEUES_MAX][SWITCH_WORKERS_MAX];
	uint32_t sum[PORT_QUEUES_MAX]; /* of n[q] */
};

static void list_tx_queues(struct snapshot_port *sp, uint64_t live)
{
	for (uint8_t q = 0; q < PORT_QUEUES_MAX; q++)
		if (live >> q & 1)
			sp->tx[sp->n_tx++] = q;
}

static uint16_t untagged_vid(const struct bridge_port_settings *set)
{
	if (set->is_trunk)
		return set->native_vid;
	return set->access_vid ? set->access_vid : 1;
}

static void set_vlans(struct snapshot_port *sp, const struct bridge_port *bp,
    struct vlan_set *vlans)
{
	sp->vlan_aware = true;
	sp->is_trunk = bp->set.is_trunk;
	sp->untagged_vid = untagged_vid(&bp->set);
	if (sp->is_trunk)
		*vlans = bp->set.trunk;
	if (sp->untagged_vid)
		vlans->word[sp->untagged_vid / 64] |=
		    1ull << (sp->untagged_vid % 64);
	sp->vlans = vlans;
}

static void list_owners(
    struct snapshot_port *sp, const struct bridge_port *bp, bool paused)
{
	bool polled = bp->port->admin_up && !paused;

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		sp->owner[q] = polled && bp->port->rx_live >> q & 1
				   ? (int8_t)bp->worker_of[q]
				   : -1;
}

static void picture_port(
    struct snapshot *snap, unsigned no, struct bridge_port *bp, bool paused)
{
	struct snapshot_port *sp = &snap->port[no];
	const struct bridge_port_settings *set = &bp->set;

	*sp = (struct snapshot_port){
	    .port = bp->port,
	    .bridge = snap->bridge[bp->bridge->index],
	    .flood = set->flood,
	    .mcast_flood = set->mcast_flood,
	    .bcast_flood = set->bcast_flood,
	    .isolated = set->isolated,
	    .from_wire = bp->port->from_wire,
	    .accepts = bp->port->accepts,
	    .max_len = bp->port->mtu + ETH_HDR_LEN,
	    .rules = {.learning = set->learning,
		.locked = set->locked,
		.mac_limit = set->mac_limit},
	    .rate_in = bp->rate_in,
	    .rate_out = bp->rate_out,
	    .tx_lock = bp->tx_lock,
	    .state = bp->queue,
	};
	memset(sp->tx_writer, TX_WRITER_NONE, sizeof(sp->tx_writer));
	list_owners(sp, bp, paused);
	list_tx_queues(sp, bp->port->tx_live);
	sp->up = bp->port->admin_up && sp->n_tx;
	if (bp->bridge->vlan_aware)
		set_vlans(sp, bp, &snap->vlans[no]);
}

static bool picture_bridge(
    struct snapshot *snap, const struct sw *sw, unsigned index)
{
	const struct bridge *bridge = sw->bridge[index];
	struct snapshot_bridge *sb = calloc(
	    1, sizeof(*sb) + bridge_n_ports(sw, bridge) * sizeof(sb->port[0]));

	if (!sb)
		return false;
	sb->fdb = bridge->fdb;
	for (unsigned no = 0; no < snap->n_ports; no++)
		if (sw->port[no] && sw->port[no]->bridge == bridge)
			sb->port[sb->n_ports++] = (port_no)no;
	snap->bridge[index] = sb;
	return true;
}

/* Hands each worker its stretch of snap->polls. */
static bool deal_polls(struct snapshot *snap, const struct sw *sw)
{
	unsigned total = 0;

	for (unsigned no = 0; no < snap->n_ports; no++)
		for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
			if (snap->port[no].port &&
			    snap->port[no].owner[q] >= 0) {
				snap->worker[snap->port[no].owner[q]].n_polls++;
				total++;
			}
	snap->polls = calloc(total + 1, sizeof(*snap->polls));
	snap->actives = calloc(total + 1, sizeof(*snap->actives));
	if (!snap->polls || !snap->actives)
		return false;
	total = 0;
	for (int id = 0; id < SWITCH_WORKERS_MAX; id++) {
		snap->worker[id].poll = snap->polls + total;
		snap->worker[id].active = snap->actives + total;
		total += snap->worker[id].n_polls;
		snap->worker[id].n_polls = 0;
	}
	for (unsigned no = 0; no < snap->n_ports; no++)
		for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
			const struct snapshot_port *sp = &snap->port[no];
			struct snapshot_worker *w;

			if (!sp->port || sp->owner[q] < 0)
				continue;
			w = &snap->worker[sp->owner[q]];
			w->poll[w->n_polls++] = (struct poll){.from = sp,
			    .no = (port_no)no,
			    .queue = (uint8_t)q,
			    .state = &sw->port[no]->queue[q]};
		}
	return true;
}

static void reach_add(struct reach *r, const struct snapshot_port *sp, int sign)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (sp->owner[q] >= 0) {
			r->n[q][sp->owner[q]] =
			    (uint16_t)(r->n[q][sp->owner[q]] + sign);
			r->sum[q] += (uint32_t)sign;
		}
}

/* Who serves receive queue q also flushes transmit queue q. */
static void add_flushers(
    const struct snapshot_port *sp, uint64_t writers[PORT_QUEUES_MAX])
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (sp->port->ops->tx_flush && sp->owner[q] >= 0)
			writers[q] |= 1ull << sp->owner[q];
}

static void note_writers(struct snapshot_port *sp, unsigned q, uint64_t writers)
{
	if (writers & (writers - 1)) {
		sp->tx_shared |= 1ull << q;
		sp->tx_writer[q] = TX_WRITER_SEVERAL;
	} else if (writers) {
		sp->tx_writer[q] = (int8_t)__builtin_ctzll(writers);
	}
}

static void find_shared_queues_of(
    const struct snapshot *snap, struct snapshot_port *sp, struct reach *r)
{
	uint64_t writers[PORT_QUEUES_MAX] = {0};

	reach_add(r, sp, -1); /* nobody sends to himself */
	for (unsigned q = 0; sp->n_tx && q < PORT_QUEUES_MAX; q++)
		for (unsigned id = 0; r->sum[q] && id < SWITCH_WORKERS_MAX;
		     id++)
			if (r->n[q][id])
				writers[snapshot_tx_queue(snap, sp,
				    snap->worker[id].rank, q)] |= 1ull << id;
	add_flushers(sp, writers);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		note_writers(sp, q, writers[q]);
	reach_add(r, sp, 1);
}

static bool find_shared_queues(struct snapshot *snap)
{
	struct reach *r = malloc(sizeof(*r));

	if (!r)
		return false;
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++) {
		const struct snapshot_bridge *sb = snap->bridge[i];

		memset(r, 0, sizeof(*r));
		for (unsigned k = 0; sb && k < sb->n_ports; k++)
			reach_add(r, &snap->port[sb->port[k]], 1);
		for (unsigned k = 0; sb && k < sb->n_ports; k++)
			find_shared_queues_of(
			    snap, &snap->port[sb->port[k]], r);
	}
	free(r);
	return true;
}

/* Workers that serve nothing send nothing: no transmit queue is kept for
 * them. */
static void rank_workers(struct snapshot *snap)
{
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (snap->worker[id].n_polls)
			snap->worker[id].rank = snap->n_workers++;
}

static bool picture_bridges(struct snapshot *snap, const struct sw *sw)
{
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i] && !picture_bridge(snap, sw, i))
			return false;
	return true;
}

struct snapshot *snapshot_build(struct sw *sw, bool paused)
{
	static uint64_t generation;
	struct snapshot *snap = calloc(1, sizeof(*snap));

	if (!snap)
		return NULL;
	snap->generation = ++generation;
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		if (sw->port[no])
			snap->n_ports = no + 1;
	snap->port = calloc(snap->n_ports + 1, sizeof(*snap->port));
	snap->vlans = calloc(snap->n_ports + 1, sizeof(*snap->vlans));
	if (!snap->port || !snap->vlans || !picture_bridges(snap, sw))
		goto free_snap;
	for (unsigned no = 0; no < snap->n_ports; no++)
		if (sw->port[no])
			picture_port(snap, no, sw->port[no], paused);
	if (!deal_polls(snap, sw))
		goto free_snap;
	rank_workers(snap);
	if (snap->n_workers > 1 && !find_shared_queues(snap))
		goto free_snap;
	return snap;

free_snap:
	snapshot_free(snap);
	return NULL;
}

void snapshot_free(struct snapshot *snap)
{
	if (!snap)
		return;
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		free(snap->bridge[i]);
	free(snap->actives);
	free(snap->polls);
	free(snap->vlans);
	free(snap->port);
	free(snap);
}

/* No receive queue passes from one worker straight to another. */
static bool same_owners(
    const struct snapshot_port *a, const struct snapshot_port *b)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (a->owner[q] >= 0 && b->owner[q] >= 0 &&
		    a->owner[q] != b->owner[q])
			return false;
	return true;
}

/* No transmit queue that is written without a lock passes from one worker
 * straight to another. */
static bool same_writers(
    const struct snapshot_port *a, const struct snapshot_port *b)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (a->tx_writer[q] != TX_WRITER_NONE &&
		    b->tx_writer[q] != TX_WRITER_NONE &&
		    a->tx_writer[q] != b->tx_writer[q])
			return false;
	return true;
}

/* Ranks say who sends by which queue; where nobody serves nobody sends. */
static bool same_ranks(const struct snapshot *a, const struct snapshot *b)
{
	if (!a->n_workers || !b->n_workers)
		return true;
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (!a->worker[id].n_polls != !b->worker[id].n_polls)
			return false;
	return true;
}

bool snapshot_compatible(const struct snapshot *a, const struct snapshot *b)
{
	if (!same_ranks(a, b))
		return false;
	for (unsigned no = 0; no < a->n_ports && no < b->n_ports; no++) {
		const struct snapshot_port *x = &a->port[no], *y = &b->port[no];

		if (x->port && x->port == y->port &&
		    !(same_owners(x, y) && same_writers(x, y)))
			return false;
	}
	return true;
}
