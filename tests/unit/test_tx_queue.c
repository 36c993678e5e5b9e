/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tx_queue.c - who sends by which queue, and under which lock.
 *
 * Random switches are compared with the plain statement of the rules: try
 * every receive queue of every neighbour.  Then frames go through a real
 * forwarder to ports that look whether their lock is held.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "switch/forward.h"
#include "switch/placement.h"
#include "switch/snapshot.h"

enum { ROUNDS = 3000, PORTS_MAX = 12 };

static struct sw sw_, *sw = &sw_;
static struct bridge bridges[2] = {
    {.name = "br0"}, {.name = "br1", .index = 1}};

static bool flush(struct port *port, unsigned q, struct port_worker *w)
{
	(void)port;
	(void)q;
	(void)w;
	return false;
}

static const struct port_ops guest_ops = {.type = "guest"},
			     card_ops = {.type = "card", .tx_flush = flush};

static struct bridge_port *add_port(port_no no, unsigned queues)
{
	struct bridge_port *bp =
	    aligned_alloc(_Alignof(struct bridge_port), sizeof(*bp));

	memset(bp, 0, sizeof(*bp));
	bp->port = calloc(1, sizeof(*bp->port));
	bp->port->ops = &guest_ops;
	bp->port->no = no;
	bp->port->admin_up = true;
	bp->port->mtu = 1500;
	bp->port->rx_live = bp->port->tx_live = (UINT64_C(1) << queues) - 1;
	bp->bridge = &bridges[0];
	bp->set.flood = bp->set.bcast_flood = true;
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		bp->worker_of[q] = -1;
		pthread_spin_init(&bp->tx_lock[q], PTHREAD_PROCESS_PRIVATE);
	}
	sw->port[no] = bp;
	return bp;
}

static void remove_ports(void)
{
	for (unsigned no = 0; no < PORTS_MAX; no++) {
		if (sw->port[no])
			free(sw->port[no]->port);
		free(sw->port[no]);
		sw->port[no] = NULL;
	}
}

/* Nothing here runs workers: that they exist is enough. */
static void set_workers(unsigned n)
{
	for (unsigned i = 0; i < SWITCH_WORKERS_MAX; i++)
		sw->worker[i] =
		    i < n ? (struct worker *)(uintptr_t)(i + 1) : NULL;
}

/* Ports of all sizes, some with holes among their queues, some moved. */
static void make_switch(void)
{
	unsigned n_workers = 1 + (unsigned)rand() % 6;
	unsigned n_ports = 1 + (unsigned)rand() % PORTS_MAX;

	set_workers(n_workers);
	for (port_no no = 0; no < n_ports; no++) {
		struct bridge_port *bp = add_port(no, 1 + (unsigned)rand() % 9);

		bp->bridge = &bridges[rand() % 4 == 0];
		if (rand() % 3 == 0)
			bp->port->ops = &card_ops;
		if (rand() % 3 == 0)
			bp->port->tx_live &= (uint64_t)rand();
		if (rand() % 3 == 0)
			bp->port->rx_live &= (uint64_t)rand();
		if (rand() % 3 == 0)
			placement_move(sw, bp, rand() % 9,
			    (unsigned)rand() % n_workers, NULL);
	}
	placement_fill(sw);
}

/* The workers that send to, or flush, transmit queue @q of port @to. */
static uint64_t writers_of(
    const struct snapshot *snap, const struct snapshot_port *to, unsigned q)
{
	uint64_t set = 0;

	if (to->port->ops->tx_flush && to->owner[q] >= 0)
		set |= UINT64_C(1) << to->owner[q];
	for (unsigned no = 0; no < snap->n_ports; no++) {
		const struct snapshot_port *from = &snap->port[no];

		if (!from->port || from == to || from->bridge != to->bridge)
			continue;
		for (unsigned i = 0; i < PORT_QUEUES_MAX; i++) {
			int id = from->owner[i];

			if (id >= 0 && to->n_tx &&
			    snapshot_tx_queue(
				snap, to, snap->worker[id].rank, i) == q)
				set |= UINT64_C(1) << id;
		}
	}
	return set;
}

static void check_locks(
    const struct snapshot *snap, const struct snapshot_port *to)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		uint64_t writers = writers_of(snap, to, q);

		cr_assert_eq(to->tx_shared >> q & 1,
		    (writers & (writers - 1)) != 0, "queue %u, writers %lx", q,
		    (unsigned long)writers);
	}
}

/* By which queue a flow leaves is said by the queue that it came in by and who
 * serves that, and by nothing else; it is one that lives. */
static void check_queues(
    const struct snapshot *snap, const struct snapshot_port *to)
{
	uint64_t of_rank[SWITCH_WORKERS_MAX] = {0}, all = 0;

	for (unsigned rank = 0; rank < snap->n_workers; rank++)
		for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
			unsigned tx = snapshot_tx_queue(snap, to, rank, q);

			cr_assert_lt(tx, PORT_QUEUES_MAX);
			cr_assert(to->port->tx_live >> tx & 1);
			of_rank[rank] |= UINT64_C(1) << tx;
		}
	for (unsigned rank = 0; rank < snap->n_workers; rank++) {
		if (to->n_tx >= snap->n_workers)
			cr_assert_eq(all & of_rank[rank], 0,
			    "two workers have a queue in common");
		all |= of_rank[rank];
	}
	cr_assert_eq(all, to->port->tx_live, "a queue is never used");
}

Test(tx_queue, of_random_switches)
{
	unsigned shared = 0, own = 0;

	srand(3);
	sw->bridge[0] = &bridges[0];
	sw->bridge[1] = &bridges[1];
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct snapshot *snap;

		make_switch();
		snap = snapshot_build(sw, false);
		for (unsigned no = 0; no < snap->n_ports; no++) {
			const struct snapshot_port *to = &snap->port[no];

			if (!to->port || !to->n_tx || !snap->n_workers)
				continue;
			check_queues(snap, to);
			if (snap->n_workers > 1)
				check_locks(snap, to);
			shared += to->tx_shared != 0;
			own += !to->tx_shared;
		}
		snapshot_free(snap);
		remove_ports();
	}
	cr_assert(shared > ROUNDS / 10 && own > ROUNDS / 10);
}

/* One of the things that happen to a switch. */
static void change_switch(void)
{
	port_no no = (port_no)(rand() % PORTS_MAX);
	struct bridge_port *bp = sw->port[no];
	unsigned n = 0;

	while (sw->worker[n])
		n++;
	switch (rand() % 5) {
	case 0:
		set_workers(n + 1);
		break;
	case 1:
		if (bp)
			bp->port->admin_up = !bp->port->admin_up;
		break;
	case 2:
		if (bp)
			bp->port->rx_live = bp->port->tx_live =
			    (uint64_t)rand() & 0xff;
		break;
	case 3:
		if (bp)
			placement_put(
			    bp, (unsigned)rand() % 9, (unsigned)rand() % n);
		break;
	case 4:
		if (!bp)
			add_port(no, 1 + (unsigned)rand() % 9);
		break;
	}
	placement_fill(sw);
}

/* While some workers still follow @a and others @b already. */
static void check_side_by_side(
    const struct snapshot *a, const struct snapshot *b)
{
	for (unsigned no = 0; no < a->n_ports && no < b->n_ports; no++) {
		const struct snapshot_port *x = &a->port[no], *y = &b->port[no];

		if (!x->port || x->port != y->port)
			continue;
		for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
			uint64_t writers =
			    writers_of(a, x, q) | writers_of(b, y, q);

			cr_assert(x->owner[q] < 0 || y->owner[q] < 0 ||
				  x->owner[q] == y->owner[q]);
			if (!(writers & (writers - 1)))
				continue;
			cr_assert(
			    !writers_of(a, x, q) || x->tx_shared >> q & 1);
			cr_assert(
			    !writers_of(b, y, q) || y->tx_shared >> q & 1);
		}
	}
}

Test(tx_queue, of_snapshots_that_need_no_pause)
{
	unsigned n_compatible = 0;

	srand(4);
	sw->bridge[0] = &bridges[0];
	sw->bridge[1] = &bridges[1];
	for (unsigned i = 0; i < 3 * ROUNDS; i++) {
		struct snapshot *a, *b;

		make_switch();
		a = snapshot_build(sw, false);
		change_switch();
		b = snapshot_build(sw, false);
		if (snapshot_compatible(a, b)) {
			check_side_by_side(a, b);
			n_compatible++;
		}
		snapshot_free(a);
		snapshot_free(b);
		remove_ports();
	}
	cr_assert_gt(n_compatible, ROUNDS / 3);
}

/* A card and a guest with as many queues as there are workers: in by i, out by
 * i, whoever they are. */
Test(tx_queue, partitioned_ports_meet_nobody_else)
{
	sw->bridge[0] = &bridges[0];
	for (unsigned n = 1; n <= 8; n++) {
		struct snapshot *snap;

		set_workers(n);
		add_port(0, n);
		add_port(1, n);
		placement_fill(sw);
		snap = snapshot_build(sw, false);
		for (unsigned q = 0; q < n; q++)
			cr_assert_eq(
			    snapshot_tx_queue(snap, &snap->port[1],
				snap->worker[snap->port[0].owner[q]].rank, q),
			    q);
		cr_assert_eq(snap->port[1].tx_shared, 0);
		snapshot_free(snap);
		remove_ports();
	}
}

/* Ports that give a whole batch of broadcasts, and look at their lock. */
struct witness {
	struct port port;
	unsigned n_tx, n_frames, n_locked;
};

static unsigned witness_rx(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	(void)q;
	(void)w;
	for (; b->n < BATCH_MAX; b->n++) {
		uint8_t *head = batch_head(b, b->n);

		memset(head, 0xff, 6);
		memset(head + 6, 0, 54);
		head[6] = 2;
		head[11] = (uint8_t)port->no;
		b->f[b->n] =
		    (struct frame){.head = head, .head_len = 60, .len = 60};
	}
	return BATCH_MAX;
}

static void witness_rx_done(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	(void)port;
	(void)q;
	(void)b;
	(void)w;
}

static void witness_tx(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	struct witness *me = (struct witness *)port;
	pthread_spinlock_t *lock = &sw->port[port->no]->tx_lock[q];

	(void)f;
	(void)w;
	me->n_tx++;
	me->n_frames += n;
	if (pthread_spin_trylock(lock))
		me->n_locked++;
	else
		pthread_spin_unlock(lock);
}

static const struct port_ops witness_ops = {.type = "witness",
    .rx = witness_rx,
    .rx_done = witness_rx_done,
    .tx = witness_tx};

static struct witness witness[3];

/* Two ports of worker 0 and one of the last worker; a batch of port 0 is
 * forwarded by worker 0. */
static void forward_one_batch(unsigned n_workers)
{
	static struct counters counters[3];
	struct counters *by_port[SWITCH_PORTS_MAX] = {
	    &counters[0], &counters[1], &counters[2]};
	struct forwarder *fw;
	struct snapshot *snap;

	sw->bridge[0] = &bridges[0];
	bridges[0].fdb = fdb_open(1024, NULL);
	set_workers(n_workers);
	for (port_no no = 0; no < 3; no++) {
		struct bridge_port *bp = add_port(no, 1);

		witness[no] = (struct witness){.port = *bp->port};
		witness[no].port.ops = &witness_ops;
		free(bp->port);
		bp->port = &witness[no].port;
		placement_move(sw, bp, 0, no == 2 ? n_workers - 1 : 0, NULL);
	}
	cr_assert_eq(forwarder_open(&fw, by_port, NULL, NULL, NULL), 0);
	snap = snapshot_build(sw, false);
	cr_assert_eq(forward_poll(fw, snap, 0, 0, 0, 0), BATCH_MAX);
	snapshot_free(snap);
	forwarder_close(fw);
}

Test(tx_queue, with_one_writer_there_is_no_lock)
{
	forward_one_batch(1);
	for (unsigned no = 1; no < 3; no++) {
		cr_expect_eq(witness[no].n_tx, 1);
		cr_expect_eq(witness[no].n_frames, BATCH_MAX);
		cr_expect_eq(witness[no].n_locked, 0);
	}
}

/* Port 1 hears from 0 by worker 0 and from 2 by worker 1; port 2 from worker 0
 * alone. */
Test(tx_queue, with_two_writers_it_is_locked_once_for_a_batch)
{
	forward_one_batch(2);
	cr_expect_eq(witness[1].n_tx, 1);
	cr_expect_eq(witness[1].n_frames, BATCH_MAX);
	cr_expect_eq(witness[1].n_locked, 1);
	cr_expect_eq(witness[2].n_tx, 1);
	cr_expect_eq(witness[2].n_frames, BATCH_MAX);
	cr_expect_eq(witness[2].n_locked, 0);
	cr_expect_eq(pthread_spin_trylock(&sw->port[1]->tx_lock[0]), 0);
}
