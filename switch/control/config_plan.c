/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_plan.c - from one state to another by the fewest changes.
 *
 * Phases put the steps in an order in which each finds what it needs: what
 * goes goes from the top (entries, ports, bridges), what comes comes from the
 * bottom.  Workers come before others go, since there is always one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar.h"
#include "ports/port.h"
#include "switch/base/log.h"
#include "switch/control/config_diff.h"
#include "switch/control/config_move.h"
#include "switch/control/config_plan.h"
#include "switch/params.h"
#include "switch/control/record.h"
#include "switch/control/rpc.h"

enum phase {
	UNMOVE,
	FDB_DEL,
	PORT_DEL,
	BRIDGE_DEL,
	WORKER_ADD,
	BRIDGE_ADD,
	BRIDGE_SET,
	PORT_ADD,
	PORT_SET,
	FDB_ADD,
	WORKER_DEL,
	WORKER_SET,
	MOVE,
};

static const struct {
	const char *method, *undo;
} phases[] = {
    [UNMOVE] = {"worker.move", "worker.move"},
    [FDB_DEL] = {"fdb.del", "fdb.add"},
    [PORT_DEL] = {"port.del", "port.add"},
    [BRIDGE_DEL] = {"bridge.del", "bridge.add"},
    [WORKER_ADD] = {"worker.add", "worker.del"},
    [BRIDGE_ADD] = {"bridge.add", "bridge.del"},
    [BRIDGE_SET] = {"bridge.set", "bridge.set"},
    [PORT_ADD] = {"port.add", "port.del"},
    [PORT_SET] = {"port.set", "port.set"},
    [FDB_ADD] = {"fdb.add", "fdb.del"},
    [WORKER_DEL] = {"worker.del", "worker.add"},
    [WORKER_SET] = {"worker.set", "worker.set"},
    [MOVE] = {"worker.move", "worker.move"},
};

/* Makes room for one step more. */
static bool reserve_step(struct config_plan *plan)
{
	unsigned size = plan->size ? 2 * plan->size : 64;
	struct config_step *step;

	if (plan->n < plan->size)
		return true;
	step = realloc(plan->step, size * sizeof(*step));
	if (!step)
		return false;
	plan->step = step;
	plan->size = size;
	return true;
}

/* Takes @params and @undo_params over; NULL undo_params: nothing to undo. */
static void add_step(struct config_plan *plan, enum phase phase,
    struct json_object *params, struct json_object *undo_params, unsigned line)
{
	if (!params || !reserve_step(plan)) {
		json_object_put(params);
		json_object_put(undo_params);
		plan->failed = true;
		return;
	}
	plan->step[plan->n] = (struct config_step){.phase = phase,
	    .seq = plan->n,
	    .method = phases[phase].method,
	    .undo = phases[phase].undo,
	    .params = params,
	    .undo_params = undo_params,
	    .line = line};
	plan->n++;
}

/* What names an entry: all but its kind. */
static struct json_object *entry_name(struct json_object *params)
{
	struct json_object *o = params_kept(params);

	json_object_object_del(o, "state");
	return o;
}

static struct json_object *worker_id(unsigned id)
{
	struct json_object *o = json_object_new_object();

	record_uint(o, "id", id);
	return o;
}

static void plan_del(struct config_plan *plan, const struct config_item *item)
{
	struct json_object *params = item->params;

	switch (item->kind) {
	case CONFIG_WORKER:
		add_step(plan, WORKER_DEL, worker_id(item->id),
		    json_object_get(params), 0);
		break;
	case CONFIG_BRIDGE:
		add_step(plan, BRIDGE_DEL, config_only(params, "name"),
		    json_object_get(params), 0);
		break;
	case CONFIG_PORT:
		add_step(plan, PORT_DEL, config_only(params, "name"),
		    json_object_get(params), 0);
		break;
	case CONFIG_FDB:
		add_step(plan, FDB_DEL, entry_name(params),
		    json_object_get(params), 0);
		break;
	case CONFIG_WORKERS: /* always there */
	case CONFIG_MOVE:    /* plan_moves() */
		break;
	}
}

static void plan_add(struct config_plan *plan, const struct config_item *item)
{
	struct json_object *params = json_object_get(item->params);

	switch (item->kind) {
	case CONFIG_WORKER: /* undone by the id that it will have */
		add_step(plan, WORKER_ADD, params, NULL, item->line);
		break;
	case CONFIG_BRIDGE:
		add_step(plan, BRIDGE_ADD, params, config_only(params, "name"),
		    item->line);
		break;
	case CONFIG_PORT:
		add_step(plan, PORT_ADD, params, config_only(params, "name"),
		    item->line);
		break;
	case CONFIG_FDB:
		add_step(plan, FDB_ADD, params, entry_name(params), item->line);
		break;
	case CONFIG_WORKERS: /* plan_settings() */
	case CONFIG_MOVE:    /* plan_moves() */
		json_object_put(params);
		break;
	}
}

/* Items that are made anew, and therefore all that stands on them. */
struct remade {
	struct json_object *bridges, *ports; /* sets of names */
};

static bool is_in(struct json_object *set, const char *name)
{
	return json_object_object_get_ex(set, name, NULL);
}

static void remake(struct config_plan *plan, const struct config_item *present,
    const struct config_item *wanted, struct json_object *set)
{
	if (set)
		json_object_object_add(set, wanted->key, NULL);
	plan_del(plan, present);
	plan_add(plan, wanted);
}

static void plan_change(struct config_plan *plan, struct remade *remade,
    const struct config_item *present, const struct config_item *wanted)
{
	bool is_port = wanted->kind == CONFIG_PORT;
	struct json_object *set = is_port ? remade->ports : remade->bridges;
	struct config_diff d;

	config_diff_open(&d, present, wanted);
	if (is_port && is_in(remade->bridges,
			   port_param_str(present->params, "bridge", "br0")))
		d.any = true, d.settable = false;
	if (d.any && d.settable) {
		add_step(plan, is_port ? PORT_SET : BRIDGE_SET,
		    json_object_get(d.to), json_object_get(d.back),
		    wanted->line);
	} else if (d.any) {
		remake(plan, present, wanted, set);
	}
	config_diff_close(&d);
}

/* An entry stays if it is at the same port and that port stays. */
static void plan_entry(struct config_plan *plan, struct remade *remade,
    const struct config_item *present, const struct config_item *wanted)
{
	const char *port = port_param_str(wanted->params, "port", "");

	if (strcmp(port, port_param_str(present->params, "port", "")) ||
	    is_in(remade->ports, port))
		remake(plan, present, wanted, NULL);
}

static void plan_kind(struct config_plan *plan, struct remade *remade,
    const struct config *present, const struct config *wanted,
    enum config_kind kind)
{
	for (unsigned i = 0; i < wanted->n; i++) {
		const struct config_item *is = &wanted->item[i], *was;

		if (is->kind != kind)
			continue;
		was = config_find(present, kind, is->key);
		if (!was)
			plan_add(plan, is);
		else if (kind == CONFIG_FDB)
			plan_entry(plan, remade, was, is);
		else
			plan_change(plan, remade, was, is);
	}
	for (unsigned i = 0; i < present->n; i++)
		if (present->item[i].kind == kind &&
		    !config_find(wanted, kind, present->item[i].key))
			plan_del(plan, &present->item[i]);
}

/* What `worker set` has to say to worker @id; @item says it to `add`. */
static struct json_object *worker_settings(
    const struct config_item *item, unsigned id)
{
	struct json_object *o = worker_id(id);

	record_str(o, "spin", port_param_str(item->params, "spin", "default"));
	return o;
}

static void plan_worker_change(struct config_plan *plan,
    const struct config_item *was, const struct config_item *is)
{
	struct json_object *from = worker_settings(was, was->id);
	struct json_object *to = worker_settings(is, was->id);

	if (!json_object_equal(from, to))
		add_step(plan, WORKER_SET, json_object_get(to),
		    json_object_get(from), is->line);
	json_object_put(from);
	json_object_put(to);
}

static void plan_workers(struct config_plan *plan, const struct config *present,
    const struct config *wanted)
{
	for (unsigned i = 0; i < wanted->n; i++) {
		const struct config_item *is = &wanted->item[i], *was;

		if (is->kind != CONFIG_WORKER)
			continue;
		was = config_same_worker(present, wanted, is);
		if (was)
			plan_worker_change(plan, was, is);
		else
			plan_add(plan, is);
	}
	for (unsigned i = 0; i < present->n; i++) {
		const struct config_item *was = &present->item[i];

		if (was->kind == CONFIG_WORKER &&
		    !config_same_worker(wanted, present, was))
			plan_del(plan, was);
	}
}

/* What is set of all workers. */
static void plan_settings(struct config_plan *plan,
    const struct config *present, const struct config *wanted)
{
	const struct grammar_command *sets = grammar_by_method("worker.set");
	const struct config_item *item =
	    config_find(wanted, CONFIG_WORKERS, "");
	struct json_object *is = params_kept(item->params);
	struct json_object *was =
	    params_kept(config_find(present, CONFIG_WORKERS, "")->params);

	grammar_fill(sets, is);
	if (!json_object_equal(is, was))
		add_step(plan, WORKER_SET, json_object_get(is),
		    json_object_get(was), item->line);
	json_object_put(is);
	json_object_put(was);
}

/* A port made again forgets its moves; if it comes back as it was, they are
 * done again behind it, since undoing goes backwards. */
static void plan_move(struct config_plan *plan,
    const struct config_item *present, const struct config_numbering *here,
    struct json_object *is, bool remade, unsigned line)
{
	const char *port = port_param_str(is, "port", "");
	struct json_object *none = config_move_none(port);
	struct json_object *was = present
				      ? config_move_coded(present, here, NULL)
				      : json_object_get(none);

	if (remade && !json_object_equal(was, none))
		add_step(plan, UNMOVE, json_object_get(none),
		    json_object_get(was), 0);
	if (!json_object_equal(remade ? none : was, is))
		add_step(plan, MOVE, json_object_get(is),
		    remade ? NULL : json_object_get(was), line);
	json_object_put(was);
	json_object_put(none);
}

static int plan_moves(struct config_plan *plan, struct remade *remade,
    const struct config *present, const struct config *wanted,
    const char *where, struct err *e)
{
	struct config_numbering here, there;

	config_move_number(&here, present);
	config_move_number(
	    &there, config_count_workers(wanted) ? wanted : present);
	for (unsigned i = 0; i < wanted->n; i++) {
		const struct config_item *item = &wanted->item[i];
		struct json_object *is;

		if (item->kind != CONFIG_MOVE)
			continue;
		is = config_move_coded(item, &there, e);
		if (!is) {
			config_err_place(e, where, item->line);
			return -ENOENT;
		}
		plan_move(plan, config_find(present, CONFIG_MOVE, item->key),
		    &here, is, is_in(remade->ports, item->key), item->line);
		json_object_put(is);
	}
	for (unsigned i = 0; i < present->n; i++) {
		const struct config_item *item = &present->item[i];

		if (item->kind == CONFIG_MOVE &&
		    !config_find(wanted, CONFIG_MOVE, item->key))
			add_step(plan, UNMOVE, config_move_none(item->key),
			    config_move_coded(item, &here, NULL), 0);
	}
	return 0;
}

static int by_phase(const void *a, const void *b)
{
	const struct config_step *x = a, *y = b;

	if (x->phase != y->phase)
		return x->phase < y->phase ? -1 : 1;
	return x->seq < y->seq ? -1 : 1;
}

int config_plan_make(struct config_plan *plan, const struct config *present,
    const struct config *wanted, const char *where, struct err *e)
{
	struct remade remade = {
	    json_object_new_object(), json_object_new_object()};
	int rc;

	if (config_count_workers(wanted))
		plan_workers(plan, present, wanted);
	if (config_count_workers(wanted) ||
	    config_find(wanted, CONFIG_WORKERS, "")->line)
		plan_settings(plan, present, wanted);
	plan_kind(plan, &remade, present, wanted, CONFIG_BRIDGE);
	plan_kind(plan, &remade, present, wanted, CONFIG_PORT);
	plan_kind(plan, &remade, present, wanted, CONFIG_FDB);
	rc = plan_moves(plan, &remade, present, wanted, where, e);
	json_object_put(remade.bridges);
	json_object_put(remade.ports);
	if (plan->n)
		qsort(plan->step, plan->n, sizeof(*plan->step), by_phase);
	return plan->failed ? err_set(e, -ENOMEM, "no memory for the changes")
			    : rc;
}

static int call(struct config_step *step, struct sw *sw, const char *method,
    struct json_object *params, struct json_object **result, struct err *e)
{
	if (step->phase == UNMOVE || step->phase == MOVE)
		return config_move_run(sw, params, e);
	return rpc_call(sw, NULL, method, params, result, e);
}

static int run_step(struct config_step *step, struct sw *sw, struct err *e)
{
	struct json_object *result = NULL;
	int rc = call(step, sw, step->method, step->params, &result, e);

	if (!rc && step->phase == WORKER_ADD)
		step->undo_params = config_only(result, "id");
	json_object_put(result);
	return rc;
}

static void undo(struct config_plan *plan, struct sw *sw, unsigned n)
{
	while (n-- > 0) {
		struct config_step *step = &plan->step[n];
		struct json_object *result = NULL;
		struct err e;

		if (!step->undo || !step->undo_params)
			continue;
		if (call(step, sw, step->undo, step->undo_params, &result, &e))
			log_err(
			    "config: undoing %s: %s", step->method, e.message);
		json_object_put(result);
	}
}

/* Additions in a row are published at once.  Before anything goes, workers
 * must have seen what is: it is taken apart as soon as they let go of it. */
static bool may_be_held(const struct config_step *step)
{
	return step->phase == BRIDGE_ADD || step->phase == PORT_ADD ||
	       step->phase == FDB_ADD;
}

static int run_steps(
    struct config_plan *plan, struct sw *sw, unsigned *done, struct err *e)
{
	bool held = false;
	int rc = 0;

	for (*done = 0; !rc && *done < plan->n; *done += !rc) {
		struct config_step *step = &plan->step[*done];

		if (may_be_held(step) && !held)
			switch_publish_hold(sw);
		else if (!may_be_held(step) && held)
			switch_publish_release(sw);
		held = may_be_held(step);
		rc = run_step(step, sw, e);
	}
	if (held)
		switch_publish_release(sw);
	return rc;
}

int config_plan_run(
    struct config_plan *plan, struct sw *sw, const char *where, struct err *e)
{
	unsigned done;
	int rc = run_steps(plan, sw, &done, e);

	if (!rc)
		return 0;
	config_err_place(e, where, plan->step[done].line);
	undo(plan, sw, done);
	return rc;
}

void config_plan_close(struct config_plan *plan)
{
	for (unsigned i = 0; i < plan->n; i++) {
		json_object_put(plan->step[i].params);
		json_object_put(plan->step[i].undo_params);
	}
	free(plan->step);
	*plan = (struct config_plan){0};
}
