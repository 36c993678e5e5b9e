/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_switch.h - a switch without threads or peers, for tests of control.
 *
 * The model is the real one (bridge.c, bridge_port.c, learning); snapshots
 * are not built, workers are numbers, and both port types are the one driver
 * below, which touches nothing outside of its memory.  A vhost-user port with
 * socket /fail cannot be opened.
 *
 * Included by one file of a program: it takes the place of objects that the
 * library would otherwise provide.
 */
#ifndef TESTS_UNIT_FAKE_SWITCH_H
#define TESTS_UNIT_FAKE_SWITCH_H

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ports/port.h"
#include "switch/bridge.h"
#include "switch/control/events.h"
#include "switch/placement.h"
#include "switch/snapshot.h"
#include "switch/control/record.h"
#include "switch/control/rpc.h"
#include "switch/worker.h"

/* The registry's other functions as they are. */
const struct port_ops *fake_unused_driver(const char *type);
#define port_driver fake_unused_driver
#include "ports/port.c"
#undef port_driver

struct worker {
	unsigned id, cpu;
	enum spin spin;
};

static unsigned fake_n_opened __attribute__((unused));
static unsigned fake_n_published __attribute__((unused));
static struct counters fake_counters[SWITCH_PORTS_MAX];

static const struct port_ops fake_null_ops, fake_vhost_ops;

static int fake_open_as(struct port **port, const struct port_env *env,
    const struct port_ops *ops, enum port_state state, struct err *e)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, -ENOMEM, "no memory for a port");
	p->ops = ops;
	p->env = env;
	p->state = state;
	p->tx_live = 1;
	fake_n_opened++;
	*port = p;
	return 0;
}

static int fake_null_open(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	(void)name;
	(void)params;
	return fake_open_as(port, env, &fake_null_ops, PORT_UP, e);
}

static int fake_vhost_open(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	const char *path = port_param_str(params, "socket", "");

	if (!strcmp(path, "/fail"))
		return err_set(
		    e, -EADDRINUSE, "socket %s of %s is in use", path, name);
	return fake_open_as(port, env, &fake_vhost_ops, PORT_WAIT, e);
}

static void fake_close_port(struct port *port)
{
	free(port);
}

static void fake_show(struct port *port, struct json_object *out)
{
	(void)port;
	record_str(out, "ring", "split");
}

static const struct port_ops fake_null_ops = {
    .type = "null", .open = fake_null_open, .close = fake_close_port};
static const struct port_ops fake_vhost_ops = {.type = "vhost-user",
    .open = fake_vhost_open,
    .close = fake_close_port,
    .show = fake_show};

const struct port_ops *port_driver(const char *type)
{
	if (!strcmp(type, "null"))
		return &fake_null_ops;
	return strcmp(type, "vhost-user") ? NULL : &fake_vhost_ops;
}

void switch_publish(struct sw *sw)
{
	if (sw->publish_held)
		sw->publish_wanted = true;
	else
		fake_n_published++;
}

void switch_publish_and_wait(struct sw *sw)
{
	assert(!sw->publish_held);
	fake_n_published++;
}

void switch_publish_hold(struct sw *sw)
{
	sw->publish_held++;
}

void switch_publish_release(struct sw *sw)
{
	fake_n_published += !--sw->publish_held && sw->publish_wanted;
	sw->publish_wanted = false;
}

void switch_read_counters(struct sw *sw, struct counters sum[])
{
	(void)sw;
	memcpy(sum, fake_counters, sizeof(fake_counters));
}

int worker_add(struct sw *sw, unsigned cpu, unsigned *id, struct err *e)
{
	if (cpu >= SWITCH_WORKERS_MAX)
		return err_set(e, -EINVAL, "there is no cpu %u", cpu);
	for (*id = 0; *id < SWITCH_WORKERS_MAX && sw->worker[*id]; ++*id)
		;
	if (*id == SWITCH_WORKERS_MAX)
		return err_set(e, -ENOSPC, "there are too many workers");
	sw->worker[*id] = calloc(1, sizeof(struct worker));
	*sw->worker[*id] = (struct worker){*id, cpu, SPIN_DEFAULT};
	return 0;
}

int worker_del(struct sw *sw, unsigned id, struct err *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SWITCH_WORKERS_MAX; i++)
		n += sw->worker[i] != NULL;
	if (n == 1)
		return err_set(e, -EBUSY, "worker %u is the last one", id);
	free(sw->worker[id]);
	sw->worker[id] = NULL;
	placement_evict(sw, id);
	return 0;
}

unsigned worker_node(const struct worker *w)
{
	(void)w;
	return 0;
}

unsigned worker_cpu(const struct worker *w)
{
	return w->cpu;
}

int worker_counters_get(struct worker *w, port_no no)
{
	(void)w;
	fake_counters[no] = (struct counters){0};
	return 0;
}

void worker_counters_put(struct worker *w, port_no no)
{
	(void)w;
	fake_counters[no] = (struct counters){0};
}

enum spin worker_spin(const struct worker *w)
{
	return w->spin;
}

void worker_set_spin(struct worker *w, enum spin spin)
{
	w->spin = spin;
}

void worker_set_spin_all(struct sw *sw, enum spin spin)
{
	sw->spin = spin;
}

unsigned worker_id(const struct worker *w)
{
	return w->id;
}

void worker_read_usage(
    struct worker *w, struct worker_usage *u, struct queue_usage queue[])
{
	(void)w;
	(void)queue;
	if (u)
		*u = (struct worker_usage){.busy = 0.5};
}

/* A switch with bridge br0 and worker 0 on core 0. */
static struct sw *fake_open(void)
{
	struct json_object *params = json_object_new_object();
	struct sw *sw = calloc(1, sizeof(*sw));
	unsigned id;

	sw->snapshot = calloc(1, sizeof(*sw->snapshot));
	sw->balancing.threshold = BALANCE_THRESHOLD;
	sw->balancing.interval_s = BALANCE_INTERVAL_S;

	record_str(params, "name", "br0");
	if (events_open(&sw->events, NULL) || bridge_add(sw, params, NULL) ||
	    worker_add(sw, 0, &id, NULL))
		abort();
	json_object_put(params);
	return sw;
}

static void fake_close(struct sw *sw)
{
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		struct json_object *params;

		if (!sw->port[no])
			continue;
		params = json_object_new_object();
		record_str(params, "name", sw->port[no]->port->name);
		bridge_port_del(sw, params, NULL);
		json_object_put(params);
	}
	bridge_free_all(sw);
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		free(sw->worker[id]);
	events_close(sw->events);
	free(sw->snapshot);
	free(sw);
}

#endif
