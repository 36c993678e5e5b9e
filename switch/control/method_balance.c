/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method_balance.c - worker.balance: which queues should move, and why.
 *
 * The first record is about all workers, the others about one each.
 */
#include "ports/port.h"
#include "switch/bridge.h"
#include "switch/control/method.h"
#include "switch/control/record.h"
#include "switch/rebalance.h"
#include "switch/worker.h"

struct totals {
	uint64_t before[BALANCE_WORKERS_MAX], after[BALANCE_WORKERS_MAX];
};

static double fraction(const struct rebalance_look *look, uint64_t load)
{
	return look->cycles ? (double)load / (double)look->cycles : 0;
}

/* Of fractions, in square per cent, which are numbers that people can read. */
static double variance(const struct rebalance_look *look, const uint64_t load[])
{
	double whole = (double)look->cycles / 100;

	return balance_variance(load, look->workers) / (whole * whole);
}

static uint64_t highest(const uint64_t load[])
{
	uint64_t most = 0;

	for (unsigned id = 0; id < BALANCE_WORKERS_MAX; id++)
		most = load[id] > most ? load[id] : most;
	return most;
}

static struct json_object *show_all(const struct sw *sw,
    const struct rebalance_look *look, const struct totals *t)
{
	struct json_object *o = json_object_new_object();

	record_str(o, "id", "all");
	record_bool(o, "balance", sw->balancing.on);
	record_uint(o, "threshold", sw->balancing.threshold);
	record_uint(o, "interval", sw->balancing.interval_s);
	record_fraction(o, "busiest", fraction(look, highest(t->before)));
	record_fraction(o, "busiest_after", fraction(look, highest(t->after)));
	record_fraction(o, "variance", variance(look, t->before));
	record_fraction(o, "variance_after", variance(look, t->after));
	record_uint(o, "moves", look->n_moves);
	return o;
}

static struct json_object *show_queue(
    struct sw *sw, const struct rebalance_look *look, unsigned i)
{
	const struct rebalance_queue *q = &look->queue[i];
	const struct balance_queue *load = &look->load[i];
	struct json_object *o = json_object_new_object();

	record_str(o, "port", sw->port[q->no]->port->name);
	record_uint(o, "queue", q->queue);
	record_fraction(o, "busy", fraction(look, load->load));
	record_uint(
	    o, "cycles_per_frame", q->frames ? load->load / q->frames : 0);
	record_bool(o, "pinned", q->pinned);
	if (load->to != load->worker)
		record_uint(o, "to", load->to);
	return o;
}

static struct json_object *show_one(struct sw *sw,
    const struct rebalance_look *look, const struct totals *t, unsigned id)
{
	struct json_object *o = json_object_new_object();
	struct json_object *queues = json_object_new_array();

	record_uint(o, "id", id);
	record_uint(o, "cpu", worker_cpu(sw->worker[id]));
	record_fraction(o, "busy", fraction(look, t->before[id]));
	record_fraction(o, "busy_after", fraction(look, t->after[id]));
	for (unsigned i = 0; i < look->n_queues; i++)
		if (look->load[i].worker == id)
			json_object_array_add(queues, show_queue(sw, look, i));
	record_json(o, "queues", queues);
	return o;
}

int method_worker_balance(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct rebalance_look look;
	struct totals t;
	int rc = rebalance_look_open(&look, sw, BALANCE_REQUEST, e);

	(void)client;
	if (rc)
		return rc;
	balance_loads(look.load, look.n_queues, t.before, t.after);
	*result = json_object_new_array();
	json_object_array_add(*result, show_all(sw, &look, &t));
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id])
			json_object_array_add(
			    *result, show_one(sw, &look, &t, id));
	if (look.n_moves && port_param_bool(params, "move", false))
		rebalance_move(sw, &look);
	rebalance_look_close(&look);
	return 0;
}
