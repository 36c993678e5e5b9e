/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_show.c - what `worker show` tells of a worker and its queues.
 *
 * A queue's share is its part of the cycles that the worker's queues cost
 * since the queue was placed there.
 */
#include <stdlib.h>

#include "switch/snapshot.h"
#include "switch/worker.h"

static void add(struct json_object *to, const char *key, struct json_object *v)
{
	json_object_object_add(to, key, v);
}

/* JSON has no use for more than four digits here. */
static struct json_object *fraction(double v)
{
	return json_object_new_double((double)(uint64_t)(v * 1e4 + 0.5) / 1e4);
}

static struct json_object *show_queue(
    const struct poll *p, const struct queue_usage *u, uint64_t total_cycles)
{
	struct json_object *q = json_object_new_object();

	add(q, "port", json_object_new_string(p->from->port->name));
	add(q, "queue", json_object_new_int(p->queue));
	add(q, "cycles_per_frame",
	    json_object_new_uint64(u->frames ? u->cycles / u->frames : 0));
	add(q, "share",
	    fraction(
		total_cycles ? (double)u->cycles / (double)total_cycles : 0));
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

struct json_object *worker_show(struct sw *sw, struct worker *w)
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
	add(out, "id", json_object_new_int((int)worker_id(w)));
	add(out, "cpu", json_object_new_int((int)worker_cpu(w)));
	add(out, "busy", fraction(u.busy));
	add(out, "state",
	    json_object_new_string(u.asleep ? "sleeping" : "polling"));
	add(out, "queues", show_queues(mine, usage));
	free(usage);
	return out;
}
