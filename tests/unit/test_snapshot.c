/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_snapshot.c - placement of queues, and which of them need a lock.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/placement.h"
#include "switch/snapshot.h"

static struct sw *sw;
static struct bridge bridge = {.name = "br0"};

/* Two kinds of port: one whose sending goes on after tx, one whose does not. */
static bool flush(struct port *port, unsigned q, struct port_worker *w)
{
	(void)port;
	(void)q;
	(void)w;
	return false;
}
static const struct port_ops guest_ops = {.type = "guest"},
			     card_ops = {.type = "card", .tx_flush = flush};

static void add_workers(unsigned n)
{
	/* Nothing here runs them: that they exist is enough. */
	for (unsigned i = 0; i < n; i++)
		sw->worker[i] = (struct worker *)(uintptr_t)(i + 1);
}

static struct bridge_port *add_port(port_no no, unsigned queues)
{
	struct bridge_port *bp =
	    aligned_alloc(_Alignof(struct bridge_port), sizeof(*bp));

	memset(bp, 0, sizeof(*bp));
	bp->port = calloc(1, sizeof(*bp->port));
	bp->port->ops = &guest_ops;
	bp->port->no = no;
	bp->port->admin_up = true;
	bp->port->rx_live = bp->port->tx_live = (1ull << queues) - 1;
	bp->bridge = &bridge;
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		bp->worker_of[q] = -1;
	sw->port[no] = bp;
	return bp;
}

static struct snapshot *build(void)
{
	struct snapshot *snap;

	placement_fill(sw);
	snap = snapshot_build(sw, false);
	cr_assert_not_null(snap);
	return snap;
}

static void setup(void)
{
	sw = calloc(1, sizeof(*sw));
	sw->bridge[0] = &bridge;
}

TestSuite(snapshot, .init = setup);

Test(snapshot, one_worker_needs_no_lock)
{
	struct snapshot *snap;

	add_workers(1);
	for (port_no no = 0; no < 5; no++)
		add_port(no, 2);
	snap = build();
	cr_assert_eq(snap->worker[0].n_polls, 10);
	for (port_no no = 0; no < 5; no++)
		cr_assert_eq(snap->port[no].tx_shared, 0);
	snapshot_free(snap);
}

Test(snapshot, partitioned_queues_need_no_lock)
{
	struct snapshot *snap;

	add_workers(2);
	for (port_no no = 0; no < 4; no++)
		add_port(no, 2);
	snap = build();
	for (port_no no = 0; no < 4; no++) {
		cr_assert_eq(snap->port[no].owner[0], 0);
		cr_assert_eq(snap->port[no].owner[1], 1);
		cr_assert_eq(snap->port[no].tx_shared, 0);
	}
	snapshot_free(snap);
}

Test(snapshot, small_ports_are_spread_and_share_behind_a_lock)
{
	struct snapshot *snap;

	add_workers(2);
	for (port_no no = 0; no < 3; no++)
		add_port(no, 1);
	snap = build();
	cr_assert_eq(snap->worker[0].n_polls, 2);
	cr_assert_eq(snap->worker[1].n_polls, 1);
	/* Ports 0 and 2 are served by worker 0, port 1 by worker 1: only those
	 * who hear from both need a lock. */
	cr_assert_eq(snap->port[0].tx_shared, 1);
	cr_assert_eq(snap->port[1].tx_shared, 0);
	cr_assert_eq(snap->port[2].tx_shared, 1);
	snapshot_free(snap);
}

Test(snapshot, two_ports_on_two_workers_need_no_lock)
{
	struct snapshot *snap;

	add_workers(2);
	add_port(0, 1);
	add_port(1, 1);
	snap = build();
	cr_assert_eq(snap->port[0].tx_shared, 0);
	cr_assert_eq(snap->port[1].tx_shared, 0);
	snapshot_free(snap);
}

Test(snapshot, each_worker_has_a_transmit_queue_of_its_own_where_it_can)
{
	struct snapshot *snap;
	struct snapshot_port *card;

	add_workers(2);
	add_port(0, 1); /* worker 0 */
	add_port(1, 1); /* worker 1 */
	add_port(2, 4); /* even queues worker 0, odd ones worker 1 */
	snap = build();
	card = &snap->port[2];
	cr_assert_eq(snap->port[0].owner[0], 0);
	cr_assert_eq(snap->port[1].owner[0], 1);
	cr_expect_eq(snapshot_tx_queue(snap, card, 0, 0), 0);
	cr_expect_eq(snapshot_tx_queue(snap, card, 1, 0), 1);
	for (unsigned q = 0; q < 4; q++)
		cr_expect_eq(snapshot_tx_queue(snap, card, q % 2, q), q);
	cr_expect_eq(card->tx_shared, 0);
	snapshot_free(snap);
}

Test(snapshot, three_workers_share_what_two_queues_there_are)
{
	struct snapshot *snap;

	add_workers(3);
	for (port_no no = 0; no < 3; no++)
		add_port(no, 3);
	add_port(3, 2);
	snap = build();
	for (port_no no = 0; no < 3; no++)
		cr_expect_eq(snap->port[no].tx_shared & 4, 0);
	cr_expect_eq(snap->port[3].tx_shared, 1, "by queues 0 and 2");
	snapshot_free(snap);
}

Test(snapshot, who_polls_a_card_also_flushes_it)
{
	struct snapshot *snap;

	add_workers(2);
	add_port(0, 1)->worker_of[0] = 0;
	add_port(1, 1)->worker_of[0] = 1;
	sw->port[1]->port->ops = &card_ops;
	snap = build();
	cr_expect_eq(snap->port[0].tx_shared, 0);
	cr_expect_eq(snap->port[1].tx_shared, 1, "sent by 0, flushed by 1");
	snapshot_free(snap);
}

Test(snapshot, a_worker_s_first_queue_makes_a_pause_necessary)
{
	struct snapshot *before, *idle, *after;

	add_workers(1);
	add_port(0, 2);
	add_port(1, 2);
	before = build();
	add_workers(2);
	idle = build();
	cr_expect(snapshot_compatible(before, idle));
	add_port(2, 1);
	after = build();
	cr_assert_eq(after->port[2].owner[0], 1);
	cr_expect_not(snapshot_compatible(idle, after));
	snapshot_free(before);
	snapshot_free(idle);
	snapshot_free(after);
}

Test(snapshot, idle_workers_keep_no_transmit_queues)
{
	struct snapshot *snap;

	add_workers(8);
	add_port(0, 4)->worker_of[0] = 2;
	for (unsigned q = 1; q < 4; q++)
		sw->port[0]->worker_of[q] = 2;
	add_port(1, 1)->worker_of[0] = 6;
	add_port(2, 1)->worker_of[0] = 2;
	snap = build();
	cr_assert_eq(snap->n_workers, 2);
	cr_expect_eq(snap->port[0].tx_shared, 0);
	cr_expect_neq(
	    snapshot_tx_queue(snap, &snap->port[0], snap->worker[2].rank, 0),
	    snapshot_tx_queue(snap, &snap->port[0], snap->worker[6].rank, 0));
	snapshot_free(snap);
}

Test(snapshot, a_moved_queue_makes_a_pause_necessary)
{
	struct bridge_port *bp;
	struct snapshot *before, *after, *paused;

	add_workers(2);
	bp = add_port(0, 1);
	add_port(1, 1);
	before = build();
	cr_assert(snapshot_compatible(before, before));
	cr_assert_eq(placement_move(sw, bp, 0, 1, NULL), 0);
	after = build();
	paused = snapshot_build(sw, true);
	cr_assert_not(snapshot_compatible(before, after));
	cr_assert_eq(paused->worker[0].n_polls, 0);
	cr_assert_eq(paused->worker[1].n_polls, 0);
	snapshot_free(before);
	snapshot_free(after);
	snapshot_free(paused);
}

Test(snapshot, a_port_that_is_down_is_not_polled_and_not_sent_to)
{
	struct bridge_port *bp;
	struct snapshot *snap;

	add_workers(1);
	bp = add_port(3, 1);
	bp->port->admin_up = false;
	snap = build();
	cr_assert_eq(snap->n_ports, 4);
	cr_assert_eq(snap->worker[0].n_polls, 0);
	cr_assert_not(snap->port[3].up);
	cr_assert_null(snap->port[0].port);
	snapshot_free(snap);
}

Test(snapshot, moving_names_what_does_not_exist)
{
	struct bridge_port *bp;
	struct err e = {0};

	add_workers(1);
	bp = add_port(0, 1);
	cr_assert_eq(placement_move(sw, bp, 0, 5, &e), -ENOENT);
	cr_assert_eq(placement_move(sw, bp, PORT_QUEUES_MAX, 0, &e), -ENOENT);
	cr_assert_eq(bp->moved, 0);
	cr_assert_eq(placement_move(sw, bp, -1, 0, &e), 0);
	cr_assert_eq(bp->moved, ~0ull);
}

Test(snapshot, a_queue_moved_before_its_guest_comes_begins_there)
{
	struct bridge_port *bp;
	struct snapshot *snap;

	add_workers(2);
	bp = add_port(0, 0);
	cr_assert_eq(placement_move(sw, bp, 1, 0, NULL), 0);
	bp->port->rx_live = bp->port->tx_live = 3;
	snap = build();
	cr_assert_eq(snap->port[0].owner[0], 0);
	cr_assert_eq(snap->port[0].owner[1], 0);
	cr_assert_eq(bp->moved, 2);
	snapshot_free(snap);
}

Test(snapshot, a_released_queue_is_placed_as_if_it_had_not_been_moved)
{
	struct bridge_port *bp;
	struct snapshot *snap;

	add_workers(2);
	bp = add_port(0, 2);
	placement_fill(sw);
	cr_assert_eq(placement_move(sw, bp, 1, 0, NULL), 0);
	placement_release(bp);
	snap = build();
	cr_assert_eq(snap->port[0].owner[0], 0);
	cr_assert_eq(snap->port[0].owner[1], 1);
	cr_assert_eq(bp->moved, 0);
	snapshot_free(snap);
}

Test(snapshot, a_worker_that_goes_takes_the_moves_to_it_along)
{
	struct bridge_port *bp;

	add_workers(2);
	bp = add_port(0, 2);
	cr_assert_eq(placement_move(sw, bp, 0, 0, NULL), 0);
	cr_assert_eq(placement_move(sw, bp, 1, 1, NULL), 0);
	sw->worker[1] = NULL;
	placement_evict(sw, 1);
	cr_assert_eq(bp->moved, 1);
	placement_fill(sw);
	cr_assert_eq(bp->worker_of[1], 0);
	cr_assert_eq(bp->moved, 1);
}
