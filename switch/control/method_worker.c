/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method_worker.c - worker.add, .del, .set, .move, .show.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "switch/bridge.h"
#include "switch/control/events.h"
#include "switch/control/method.h"
#include "switch/control/record.h"
#include "switch/placement.h"
#include "switch/rebalance.h"
#include "switch/snapshot.h"
#include "switch/worker.h"

static void tell(
    struct sw *sw, const char *event, unsigned id, struct json_object *extra)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", id);
	events_emit(sw, "worker", event, name, extra);
}

static struct worker *find(struct sw *sw, uint64_t id, struct err *e)
{
	char text[24];

	if (id < SWITCH_WORKERS_MAX && sw->worker[id])
		return sw->worker[id];
	snprintf(text, sizeof(text), "%lu", (unsigned long)id);
	err_set(e, -ENOENT, "there is no worker %s", text);
	err_arg(e, text);
	err_hint(e, "`swctl worker show` lists the workers");
	return NULL;
}

static int find_cpu(const struct sw *sw, unsigned cpu)
{
	for (int id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id] && worker_cpu(sw->worker[id]) == cpu)
			return id;
	return -1;
}

static struct json_object *id_and_cpu(unsigned id, unsigned cpu)
{
	struct json_object *o = json_object_new_object();

	record_uint(o, "id", id);
	record_uint(o, "cpu", cpu);
	return o;
}

static bool has(struct json_object *params, const char *key)
{
	return json_object_object_get_ex(params, key, NULL);
}

static enum spin spin_of(struct json_object *params)
{
	return spin_parse(port_param_str(params, "spin", "default"));
}

int method_worker_add(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	unsigned cpu = (unsigned)port_param_int(params, "cpu", 0), id;
	int there = find_cpu(sw, cpu);
	int rc;

	(void)client;
	if (there >= 0 && port_param_bool(params, "may_exist", false)) {
		*result = id_and_cpu((unsigned)there, cpu);
		return 0;
	}
	rc = worker_add(sw, cpu, &id, e);
	if (rc)
		return rc;
	if (has(params, "spin"))
		worker_set_spin(sw->worker[id], spin_of(params));
	tell(sw, "add", id, id_and_cpu(id, cpu));
	*result = id_and_cpu(id, cpu);
	return 0;
}

int method_worker_del(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	uint64_t id = (uint64_t)port_param_int(params, "id", 0);
	int rc;

	(void)client;
	(void)result;
	if (!find(sw, id, e))
		return port_param_bool(params, "if_exists", false) ? 0
								   : -ENOENT;
	rc = worker_del(sw, (unsigned)id, e);
	if (!rc)
		tell(sw, "del", (unsigned)id, NULL);
	return rc;
}

int method_worker_check_set(struct json_object *params, struct err *e)
{
	static const char *const of_all[] = {
	    "balance", "threshold", "interval"};

	for (size_t i = 0; i < sizeof(of_all) / sizeof(*of_all); i++)
		if (has(params, of_all[i])) {
			err_set(e, -EINVAL, "%s is no option of one worker",
			    of_all[i]);
			err_arg(e, of_all[i]);
			err_hint(e, "leave the number of the worker out");
			return -EINVAL;
		}
	return 0;
}

static int set_one(struct sw *sw, struct json_object *params, struct err *e)
{
	uint64_t id = (uint64_t)port_param_int(params, "id", 0);
	struct worker *w = find(sw, id, e);
	int rc;

	if (!w)
		return port_param_bool(params, "if_exists", false) ? 0
								   : -ENOENT;
	rc = method_worker_check_set(params, e);
	if (rc)
		return rc;
	if (has(params, "spin"))
		worker_set_spin(w, spin_of(params));
	tell(sw, "set", (unsigned)id, NULL);
	return 0;
}

static int set_all(struct sw *sw, struct json_object *params, struct err *e)
{
	const struct balancing *b = &sw->balancing;
	int rc = 0;

	if (has(params, "balance") || has(params, "threshold") ||
	    has(params, "interval"))
		rc = rebalance_set(sw,
		    port_param_bool(params, "balance", b->on),
		    (uint32_t)port_param_int(params, "threshold", b->threshold),
		    (uint32_t)port_param_int(params, "interval", b->interval_s),
		    e);
	if (rc)
		return rc;
	if (has(params, "spin"))
		worker_set_spin_all(sw, spin_of(params));
	events_emit(sw, "worker", "set", "all", NULL);
	return 0;
}

int method_worker_set(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	(void)client;
	(void)result;
	return has(params, "id") ? set_one(sw, params, e)
				 : set_all(sw, params, e);
}

int method_worker_move(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct bridge_port *bp =
	    bridge_port_find(sw, port_param_str(params, "port", ""), e);
	uint64_t id = (uint64_t)port_param_int(params, "worker", 0);
	int queue = (int)port_param_int(params, "queue", -1);
	struct json_object *extra;
	int rc;

	(void)client;
	(void)result;
	if (!bp || !find(sw, id, e))
		return -ENOENT;
	rc = placement_move(sw, bp, queue, (unsigned)id, e);
	if (rc)
		return rc;
	switch_publish(sw);
	extra = json_object_new_object();
	record_str(extra, "port", bp->port->name);
	if (queue >= 0)
		record_uint(extra, "queue", (uint64_t)queue);
	tell(sw, "move", (unsigned)id, extra);
	return 0;
}

static struct json_object *show_queue(
    const struct poll *p, const struct queue_usage *u, uint64_t total_cycles)
{
	struct json_object *q = json_object_new_object();

	record_str(q, "port", p->from->port->name);
	record_uint(q, "queue", p->queue);
	record_uint(
	    q, "cycles_per_frame", u->frames ? u->cycles / u->frames : 0);
	record_uint(q, "frames", u->frames);
	record_uint(q, "cycles", u->cycles);
	record_fraction(q, "share",
	    total_cycles ? (double)u->cycles / (double)total_cycles : 0);
	return q;
}

static struct json_object *show_queues(
    const struct snapshot_worker *mine, const struct queue_usage usage[])
{
	struct json_object *queues = json_object_new_array();
	uint64_t total = 0;

	for (unsigned i = 0; i < mine->n_polls; i++)
		total += usage[i].cycles;
	for (unsigned i = 0; i < mine->n_polls; i++)
		json_object_array_add(
		    queues, show_queue(&mine->poll[i], &usage[i], total));
	return queues;
}

struct json_object *method_worker_record(struct sw *sw, struct worker *w)
{
	const struct snapshot_worker *mine =
	    &sw->snapshot->worker[worker_id(w)];
	struct queue_usage *usage = calloc(mine->n_polls + 1, sizeof(*usage));
	struct json_object *out = json_object_new_object();
	struct worker_usage u;

	if (!usage || !out) {
		free(usage);
		json_object_put(out);
		return NULL;
	}
	worker_read_usage(w, &u, usage);
	record_uint(out, "id", worker_id(w));
	record_uint(out, "cpu", worker_cpu(w));
	record_fraction(out, "busy", u.busy);
	record_str(out, "state", u.asleep ? "sleeping" : "polling");
	record_str(
	    out, "spin", spin_name(spin_resolve(worker_spin(w), sw->spin)));
	json_object_object_add(out, "queues", show_queues(mine, usage));
	free(usage);
	return out;
}

int method_worker_show(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	int64_t one = port_param_int(params, "id", -1);

	(void)client;
	if (one >= 0 && !find(sw, (uint64_t)one, e))
		return -ENOENT;
	*result = json_object_new_array();
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id] && (one < 0 || id == (uint64_t)one))
			json_object_array_add(
			    *result, method_worker_record(sw, sw->worker[id]));
	return 0;
}
