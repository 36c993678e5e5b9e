/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_move.c - which queues are moved to which worker, in a configuration.
 *
 * Moves of one port are one thing: taken back, compared and done again as a
 * whole, so that "all to 1" and "queue 3 to 0" have no order to get wrong.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "switch/bridge.h"
#include "switch/control/config_move.h"
#include "switch/placement.h"
#include "switch/control/record.h"
#include "switch/control/rpc.h"
#include "switch/worker.h"

static struct json_object *item_params(const char *port, const int worker[])
{
	struct json_object *o = json_object_new_object();
	struct json_object *workers = json_object_new_array();

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		json_object_array_add(workers, json_object_new_int(worker[q]));
	record_str(o, "port", port);
	record_json(o, "workers", workers);
	return o;
}

static void read_workers(struct json_object *params, int worker[])
{
	struct json_object *workers = NULL;

	json_object_object_get_ex(params, "workers", &workers);
	for (size_t q = 0; q < PORT_QUEUES_MAX; q++)
		worker[q] =
		    json_object_get_int(json_object_array_get_idx(workers, q));
}

struct json_object *config_move_none(const char *port)
{
	int worker[PORT_QUEUES_MAX];

	memset(worker, -1, sizeof(worker));
	return item_params(port, worker);
}

int config_move_note(
    struct config *config, struct json_object *params, unsigned line)
{
	const char *port = port_param_str(params, "port", "");
	struct config_item *item = config_find(config, CONFIG_MOVE, port);
	int queue = (int)port_param_int(params, "queue", -1);
	int worker[PORT_QUEUES_MAX];

	if (!item)
		item = config_add(
		    config, CONFIG_MOVE, port, config_move_none(port), line);
	if (!item)
		return -ENOMEM;
	read_workers(item->params, worker);
	for (int q = 0; q < PORT_QUEUES_MAX; q++)
		if (queue < 0 || q == queue)
			worker[q] = (int)port_param_int(params, "worker", 0);
	json_object_put(item->params);
	item->params = item_params(port, worker);
	item->line = line;
	return 0;
}

int config_move_read(struct config *config, const struct bridge_port *bp)
{
	int worker[PORT_QUEUES_MAX];

	if (!bp->moved)
		return 0;
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		worker[q] = bp->moved >> q & 1 ? bp->worker_of[q] : -1;
	return config_add(config, CONFIG_MOVE, bp->port->name,
		   item_params(bp->port->name, worker), 0)
		   ? 0
		   : -ENOMEM;
}

static int list_one(
    const char *port, int queue, int worker, config_move_fn *fn, void *arg)
{
	struct json_object *params = json_object_new_object();
	int rc;

	record_str(params, "port", port);
	if (queue >= 0)
		record_uint(params, "queue", (uint64_t)queue);
	record_uint(params, "worker", (uint64_t)worker);
	rc = fn(params, arg);
	json_object_put(params);
	return rc;
}

/* A port moved as a whole is one line, and one for each queue elsewhere; the
 * last queue, which few ports have, tells where the whole went. */
static int list_moves(
    const char *port, const int worker[], config_move_fn *fn, void *arg)
{
	int whole = worker[PORT_QUEUES_MAX - 1], rc = 0;

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (worker[q] < 0)
			whole = -1;
	if (whole >= 0)
		rc = list_one(port, -1, whole, fn, arg);
	for (int q = 0; !rc && q < PORT_QUEUES_MAX; q++)
		if (worker[q] >= 0 && worker[q] != whole)
			rc = list_one(port, q, worker[q], fn, arg);
	return rc;
}

/* The id that worker @id has after a fresh start. */
static int place_among(const struct sw *sw, int id)
{
	int n = 0;

	for (int i = 0; i < id; i++)
		n += sw->worker[i] != NULL;
	return n;
}

int config_move_list(const struct sw *sw, const struct bridge_port *bp,
    config_move_fn *fn, void *arg)
{
	int worker[PORT_QUEUES_MAX];

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		worker[q] =
		    bp->moved >> q & 1 ? place_among(sw, bp->worker_of[q]) : -1;
	return list_moves(bp->port->name, worker, fn, arg);
}

void config_move_number(
    struct config_numbering *numbering, const struct config *config)
{
	unsigned n = 0, n_on[CPU_SETSIZE] = {0};

	memset(numbering->code, -1, sizeof(numbering->code));
	for (unsigned i = 0; i < config->n; i++) {
		const struct config_item *item = &config->item[i];
		unsigned cpu, number;

		if (item->kind != CONFIG_WORKER)
			continue;
		cpu = (unsigned)port_param_int(item->params, "cpu", 0);
		number = item->line ? n : item->id;
		n++;
		if (cpu < CPU_SETSIZE && number < SWITCH_WORKERS_MAX)
			numbering->code[number] =
			    (int)(cpu * SWITCH_WORKERS_MAX + n_on[cpu]++);
	}
}

/* The id of the worker that @code means, or -1. */
static int decode(const struct sw *sw, int code)
{
	int k = code % SWITCH_WORKERS_MAX;

	for (int id = 0; code >= 0 && id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id] &&
		    worker_cpu(sw->worker[id]) ==
			(unsigned)code / SWITCH_WORKERS_MAX &&
		    k-- == 0)
			return id;
	return -1;
}

struct json_object *config_move_coded(const struct config_item *item,
    const struct config_numbering *numbering, struct err *e)
{
	int worker[PORT_QUEUES_MAX];

	read_workers(item->params, worker);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		int number = worker[q];

		if (number < 0)
			continue;
		worker[q] = numbering->code[number];
		if (worker[q] >= 0)
			continue;
		err_set(e, -ENOENT, "there is no worker %d", number);
		err_hint(e, "the first `worker add` of a configuration adds "
			    "worker 0");
		return NULL;
	}
	return item_params(item->key, worker);
}

static int move(struct json_object *params, void *arg)
{
	struct json_object *result = NULL;
	int rc = rpc_call(arg, NULL, "worker.move", params, &result, NULL);

	json_object_put(result);
	return rc;
}

int config_move_run(struct sw *sw, struct json_object *params, struct err *e)
{
	const char *port = port_param_str(params, "port", "");
	struct bridge_port *bp = bridge_port_find(sw, port, e);
	int worker[PORT_QUEUES_MAX], rc;

	if (!bp)
		return -ENOENT;
	read_workers(params, worker);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		worker[q] = decode(sw, worker[q]);
	switch_publish_hold(sw);
	placement_release(bp);
	switch_publish(sw);
	rc = list_moves(port, worker, move, sw);
	switch_publish_release(sw);
	return rc ? err_set(e, rc, "queues of %s cannot be moved", port) : 0;
}
