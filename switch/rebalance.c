/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rebalance.c - measures what queues cost, and moves them by it if asked to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/clock.h"
#include "switch/base/log.h"
#include "switch/bridge.h"
#include "switch/control/events.h"
#include "switch/placement.h"
#include "switch/rebalance.h"
#include "switch/snapshot.h"
#include "switch/worker.h"

/* A worker less busy than this, in per cent, is left in peace. */
enum { BUSY_MIN = 20 };

static unsigned count_queues(const struct sw *sw)
{
	unsigned n = 0;

	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		n += sw->snapshot->worker[id].n_polls;
	return n;
}

/* What @p has cost since the look before, of whoever @by is. */
static struct queue_usage since(struct bridge_port *bp, unsigned q,
    enum balance_asker by, struct queue_usage total)
{
	struct queue_usage *seen = &bp->seen[by][q], then = *seen;

	*seen = total;
	return (struct queue_usage){.cycles = total.cycles - then.cycles,
	    .frames = total.frames - then.frames};
}

static void add_queue(struct rebalance_look *look, struct sw *sw,
    const struct poll *p, unsigned worker, struct queue_usage cost)
{
	const struct bridge_port *bp = sw->port[p->no];
	bool pinned = bp->moved >> p->queue & 1;

	look->queue[look->n_queues] = (struct rebalance_queue){.no = p->no,
	    .queue = p->queue,
	    .pinned = pinned,
	    .frames = cost.frames};
	look->load[look->n_queues++] =
	    (struct balance_queue){.load = cost.cycles,
		.allowed = pinned ? 0 : placement_allowed(sw, bp->port),
		.worker = (uint8_t)worker,
		.to = (uint8_t)worker};
}

static void look_at_worker(struct rebalance_look *look, struct sw *sw,
    unsigned id, enum balance_asker by, struct queue_usage usage[])
{
	const struct snapshot_worker *mine = &sw->snapshot->worker[id];

	look->workers |= UINT64_C(1) << id;
	worker_read_usage(sw->worker[id], NULL, usage);
	for (unsigned i = 0; i < mine->n_polls; i++) {
		const struct poll *p = &mine->poll[i];

		add_queue(look, sw, p, id,
		    since(sw->port[p->no], p->queue, by, usage[i]));
	}
}

static void plan(struct rebalance_look *look, struct sw *sw)
{
	const struct balance_rule rule = {
	    .least = look->cycles / 100 * BUSY_MIN,
	    .threshold = sw->balancing.threshold};

	look->n_moves =
	    balance_plan(look->load, look->n_queues, look->workers, rule);
}

int rebalance_look_open(struct rebalance_look *look, struct sw *sw,
    enum balance_asker by, struct err *e)
{
	unsigned n = count_queues(sw) + 1;
	struct queue_usage *usage = calloc(n, sizeof(*usage));
	uint64_t now = clock_cycles();

	*look =
	    (struct rebalance_look){.cycles = now - sw->balancing.looked_at[by],
		.queue = calloc(n, sizeof(*look->queue)),
		.load = calloc(n, sizeof(*look->load))};
	if (!usage || !look->queue || !look->load) {
		free(usage);
		rebalance_look_close(look);
		return err_set(e, -ENOMEM, "no memory to balance workers");
	}
	sw->balancing.looked_at[by] = now;
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id])
			look_at_worker(look, sw, id, by, usage);
	plan(look, sw);
	free(usage);
	return 0;
}

void rebalance_look_close(struct rebalance_look *look)
{
	free(look->queue);
	free(look->load);
	*look = (struct rebalance_look){0};
}

static void tell(struct sw *sw, const struct bridge_port *bp, unsigned queue,
    const struct balance_queue *load)
{
	struct json_object *extra = json_object_new_object();
	char name[16];

	snprintf(name, sizeof(name), "%u", load->to);
	json_object_object_add(
	    extra, "port", json_object_new_string(bp->port->name));
	json_object_object_add(extra, "queue", json_object_new_int((int)queue));
	json_object_object_add(
	    extra, "from", json_object_new_int(load->worker));
	json_object_object_add(
	    extra, "reason", json_object_new_string("balance"));
	events_emit(sw, "worker", "move", name, extra);
}

void rebalance_move(struct sw *sw, const struct rebalance_look *look)
{
	switch_publish_hold(sw);
	for (unsigned i = 0; i < look->n_queues; i++) {
		const struct rebalance_queue *q = &look->queue[i];

		if (look->load[i].to == look->load[i].worker)
			continue;
		placement_put(sw->port[q->no], q->queue, look->load[i].to);
		tell(sw, sw->port[q->no], q->queue, &look->load[i]);
		switch_publish(sw);
	}
	switch_publish_release(sw);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct sw *sw = userdata;
	struct rebalance_look look;
	struct err e;

	(void)usec;
	if (rebalance_look_open(&look, sw, BALANCE_TIMER, &e)) {
		log_warning("%s", e.message);
	} else {
		if (look.n_moves)
			rebalance_move(sw, &look);
		rebalance_look_close(&look);
	}
	sd_event_source_set_time_relative(
	    source, sw->balancing.interval_s * UINT64_C(1000000));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* A first look, that the timer's has something to compare with. */
static void begin(struct sw *sw)
{
	struct rebalance_look look;

	if (!rebalance_look_open(&look, sw, BALANCE_TIMER, NULL))
		rebalance_look_close(&look);
}

int rebalance_set(struct sw *sw, bool on, uint32_t threshold,
    uint32_t interval_s, struct err *e)
{
	sd_event_source *timer = NULL;
	int rc;

	if (on) {
		rc = sd_event_add_time_relative(sw->event, &timer,
		    CLOCK_MONOTONIC, interval_s * UINT64_C(1000000), 0,
		    on_timer, sw);
		if (rc < 0)
			return err_set(
			    e, rc, "balancing timer: %s", strerror(-rc));
	}
	rebalance_stop(sw);
	sw->balancing.timer = timer;
	sw->balancing.on = on;
	sw->balancing.threshold = threshold;
	sw->balancing.interval_s = interval_s;
	if (on)
		begin(sw);
	return 0;
}

void rebalance_stop(struct sw *sw)
{
	sw->balancing.timer =
	    sd_event_source_disable_unref(sw->balancing.timer);
}
