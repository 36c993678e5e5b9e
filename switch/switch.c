/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch.c - everything that one process switches, opened and closed.
 *
 * Here the model meets the threads: snapshots are published, counters are
 * read, drivers call back, addresses age.
 */
#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "switch/ageing.h"
#include "switch/base/clock.h"
#include "switch/base/log.h"
#include "switch/base/quiesce.h"
#include "switch/bridge.h"
#include "switch/cpulist.h"
#include "switch/control/events.h"
#include "switch/placement.h"
#include "switch/rebalance.h"
#include "switch/snapshot.h"
#include "switch/takeover.h"
#include "switch/worker.h"

/* Drivers know their port, not the switch; there is one in a process. */
static struct sw *the_switch;

/* Returns when no worker uses the one before. */
static void show_workers(struct sw *sw, struct snapshot *snap)
{
	/* (A), snapshot.h */
	__atomic_store_n(&sw->snapshot, snap, __ATOMIC_RELEASE);
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id])
			worker_kick(sw->worker[id]);
	quiesce_wait();
}

static struct snapshot *build_or_die(struct sw *sw, bool paused)
{
	struct snapshot *snap = snapshot_build(sw, paused);

	/* Going on with a picture that shows memory about to be freed is no
	 * choice. */
	if (!snap) {
		log_err("no memory for the forwarding snapshot");
		abort();
	}
	return snap;
}

/* Two workers must never serve one queue, nor write one without a lock, while
 * the news reaches one before the other: nobody serves any in between.  What
 * takes time is done before and after. */
static void replace_with_a_pause(
    struct sw *sw, struct snapshot *old, struct snapshot *snap)
{
	struct snapshot *paused = build_or_die(sw, true);
	uint64_t begin = clock_ns();

	show_workers(sw, paused);
	worker_forget(sw, old, snap);
	show_workers(sw, snap);
	log_debug("workers paused for %u us",
	    (unsigned)((clock_ns() - begin) / 1000));
	snapshot_free(paused);
}

static void publish_now(struct sw *sw)
{
	struct snapshot *old = sw->snapshot, *snap;

	sw->publish_wanted = false;
	placement_fill(sw);
	snap = build_or_die(sw, sw->stopped);
	if (old && !snapshot_compatible(old, snap)) {
		replace_with_a_pause(sw, old, snap);
	} else {
		show_workers(sw, snap);
		if (old)
			worker_forget(sw, old, snap);
	}
	snapshot_free(old);
}

void switch_publish(struct sw *sw)
{
	if (sw->publish_held)
		sw->publish_wanted = true;
	else
		publish_now(sw);
}

void switch_publish_and_wait(struct sw *sw)
{
	assert(!sw->publish_held);
	publish_now(sw);
}

void switch_stop(struct sw *sw)
{
	sw->stopped = true;
	publish_now(sw);
}

void switch_go_on(struct sw *sw)
{
	sw->stopped = false;
	publish_now(sw);
}

void switch_publish_hold(struct sw *sw)
{
	sw->publish_held++;
}

void switch_publish_release(struct sw *sw)
{
	if (!--sw->publish_held && sw->publish_wanted)
		publish_now(sw);
}

void switch_read_counters(struct sw *sw, struct counters sum[])
{
	memset(sum, 0, SWITCH_PORTS_MAX * sizeof(*sum));
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		if (sw->retired[no])
			counters_add(&sum[no], sw->retired[no]);
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id])
			worker_read_counters(sw->worker[id], sum);
}

static void tell_state(struct sw *sw, struct bridge_port *bp)
{
	struct port *port = bp->port;
	struct json_object *extra;

	if (port->state == bp->state_told)
		return;
	bp->state_told = port->state;
	extra = json_object_new_object();
	json_object_object_add(extra, "state",
	    json_object_new_string(port_state_name(port->state)));
	if (port->reason[0])
		json_object_object_add(
		    extra, "reason", json_object_new_string(port->reason));
	events_emit(sw, "port", "state", port->name, extra);
}

static void on_port_changed(struct port *port)
{
	struct sw *sw = the_switch;
	struct bridge_port *bp = sw->port[port->no];

	if (!bp || bp->port != port)
		return; /* still being opened, or already taken out */
	bridge_port_update_mtu(bp);
	/* Of what another process leaves no worker here has seen anything. */
	if (sw->inherited)
		switch_publish(sw);
	else
		publish_now(sw);
	tell_state(sw, bp);
}

static void on_port_raise(struct port *port)
{
	uint64_t one = 1;

	__atomic_store_n(&port->raised, 1, __ATOMIC_RELEASE);
	if (write(the_switch->raise_fd, &one, sizeof(one)) < 0)
		return; /* full: control is about to look anyway */
}

static void on_port_announce(
    struct port *port, const uint8_t *frame, uint32_t len)
{
	uint8_t head[FRAME_HEADROOM + FRAME_HEAD_MAX] = {0};
	const struct snapshot *snap = the_switch->snapshot;
	int id = port->no < snap->n_ports ? snap->port[port->no].owner[0] : -1;

	/* Only who serves the port is a writer that its neighbours expect. */
	if (len > FRAME_HEAD_MAX || id < 0)
		return;
	memcpy(head + FRAME_HEADROOM, frame, len);
	worker_inject(the_switch->worker[id], port->no, head + FRAME_HEADROOM,
	    (uint16_t)len);
}

static int on_raised(
    sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct sw *sw = userdata;
	uint64_t n;

	(void)source;
	(void)revents;
	if (read(fd, &n, sizeof(n)) < 0)
		return 0;
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		struct port *port = sw->port[no] ? sw->port[no]->port : NULL;

		if (port &&
		    __atomic_exchange_n(&port->raised, 0, __ATOMIC_ACQUIRE))
			port->ops->attend(port);
	}
	return 0;
}

static int open_events(struct sw *sw, struct err *e)
{
	int rc;

	sw->raise_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sw->raise_fd < 0)
		return err_set(e, -errno, "eventfd: %m");
	rc = sd_event_add_io(
	    sw->event, NULL, sw->raise_fd, EPOLLIN, on_raised, sw);
	if (rc < 0)
		return err_set(e, rc, "event loop: %s", strerror(-rc));
	return ageing_start(sw, e);
}

static int open_workers(struct sw *sw, const char *cpus, struct err *e)
{
	unsigned cpu[SWITCH_WORKERS_MAX], id;
	int n = cpus ? cpulist_parse(cpus, cpu, SWITCH_WORKERS_MAX, e)
		     : cpulist_last(cpu, e);

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		int rc = worker_add(sw, cpu[i], &id, e);

		if (rc)
			return rc;
	}
	return 0;
}

static int open_br0(struct sw *sw, struct err *e)
{
	struct json_object *params = json_object_new_object();
	int rc;

	json_object_object_add(params, "name", json_object_new_string("br0"));
	rc = bridge_add(sw, params, e);
	json_object_put(params);
	return rc;
}

int switch_open(struct sw **out, sd_event *event,
    const struct switch_options *options, struct err *e)
{
	struct sw *sw = calloc(1, sizeof(*sw));
	int rc;

	if (!sw)
		return err_set(e, -ENOMEM, "no memory for the switch");
	clock_cycles_per_us(); /* measured before anybody is in a hurry */
	the_switch = sw;
	sw->event = event;
	sw->rundir = options->rundir;
	sw->raise_fd = -1;
	sw->balancing.threshold = BALANCE_THRESHOLD;
	sw->balancing.interval_s = BALANCE_INTERVAL_S;
	for (unsigned by = 0; by < BALANCE_ASKERS; by++)
		sw->balancing.looked_at[by] = clock_cycles();
	rc = options->succession
		 ? succession_open_pool(options->succession, &sw->pool, e)
		 : pool_open(&sw->pool, options->pool_size, e);
	if (rc)
		goto close_switch;
	sw->env = (struct port_env){.event = event,
	    .pool = sw->pool,
	    .rundir = sw->rundir,
	    .changed = on_port_changed,
	    .raise = on_port_raise,
	    .announce = on_port_announce};
	rc = events_open(&sw->events, e);
	if (!rc)
		rc = open_events(sw, e);
	if (!rc)
		rc = open_br0(sw, e);
	if (!rc)
		rc = open_workers(sw, options->cpus, e);
	if (rc)
		goto close_switch;
	*out = sw;
	return 0;

close_switch:
	switch_close(sw);
	return rc;
}

static void close_ports(struct sw *sw)
{
	struct json_object *params = json_object_new_object();

	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		if (!sw->port[no])
			continue;
		json_object_object_add(params, "name",
		    json_object_new_string(sw->port[no]->port->name));
		bridge_port_del(sw, params, NULL);
	}
	json_object_put(params);
}

void switch_close(struct sw *sw)
{
	if (!sw)
		return;
	rebalance_stop(sw);
	close_ports(sw);
	worker_end_all(sw);
	bridge_free_all(sw);
	snapshot_free(sw->snapshot);
	events_close(sw->events);
	pool_close(sw->pool);
	if (sw->raise_fd >= 0)
		close(sw->raise_fd);
	free(sw);
	the_switch = NULL;
}
