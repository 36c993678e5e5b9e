/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_model.c - the state that the switch is in, as items and as lines.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar.h"
#include "switch/base/clock.h"
#include "switch/bridge.h"
#include "switch/control/config.h"
#include "switch/control/config_move.h"
#include "switch/control/method.h"
#include "switch/params.h"
#include "switch/control/record.h"
#include "switch/worker.h"

enum { STEP_ENTRIES = 64, STEP_THINGS = 32 };

static uint32_t now_s(void)
{
	return (uint32_t)(clock_ms() / 1000);
}

/* The parameters of the `worker add` that makes @w again. */
static struct json_object *worker_params(const struct worker *w)
{
	struct json_object *params = json_object_new_object();

	record_uint(params, "cpu", worker_cpu(w));
	record_str(params, "spin", spin_name(worker_spin(w)));
	return params;
}

/* Those of the `worker set` for all of them. */
static struct json_object *workers_params(const struct sw *sw)
{
	struct json_object *params = json_object_new_object();

	record_str(params, "spin", spin_name(sw->spin));
	record_bool(params, "balance", sw->balancing.on);
	record_uint(params, "threshold", sw->balancing.threshold);
	record_uint(params, "interval", sw->balancing.interval_s);
	return params;
}

static int read_workers(struct config *config, struct sw *sw)
{
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++) {
		struct config_item *item;
		char key[16];

		if (!sw->worker[id])
			continue;
		snprintf(key, sizeof(key), "%u", worker_cpu(sw->worker[id]));
		item = config_add(config, CONFIG_WORKER, key,
		    worker_params(sw->worker[id]), 0);
		if (!item)
			return -ENOMEM;
		item->id = id;
	}
	return config_add(config, CONFIG_WORKERS, "", workers_params(sw), 0)
		   ? 0
		   : -ENOMEM;
}

/* The parameters of the `fdb add` that makes @entry again. */
static struct json_object *entry_params(
    struct sw *sw, const struct bridge *bridge, const struct fdb_entry *entry)
{
	const struct bridge_port *bp =
	    entry->port < SWITCH_PORTS_MAX ? sw->port[entry->port] : NULL;
	struct json_object *params;

	if (!entry->is_static || !bp)
		return NULL;
	params = json_object_new_object();
	record_mac(params, "mac", fdb_key_mac(entry->key));
	record_str(params, "port", bp->port->name);
	record_str(params, "bridge", bridge->name);
	if (fdb_key_net(entry->key))
		record_uint(params, "vlan", fdb_key_net(entry->key));
	return params;
}

static int add_entries(struct config *config, struct sw *sw,
    const struct bridge *bridge, const struct fdb_entry entry[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct json_object *params =
		    entry_params(sw, bridge, &entry[i]);
		char key[96];

		if (!params)
			continue;
		snprintf(key, sizeof(key), "%s %u %s", bridge->name,
		    fdb_key_net(entry[i].key),
		    port_param_str(params, "mac", ""));
		if (!config_add(config, CONFIG_FDB, key, params, 0))
			return -ENOMEM;
	}
	return 0;
}

static int read_fdb(
    struct config *config, struct sw *sw, const struct bridge *bridge)
{
	struct fdb_entry entry[STEP_ENTRIES];
	uint64_t cursor = 0;

	while (cursor != FDB_DUMP_END) {
		unsigned n = fdb_dump(
		    bridge->fdb, &cursor, entry, STEP_ENTRIES, now_s());

		if (add_entries(config, sw, bridge, entry, n))
			return -ENOMEM;
	}
	return 0;
}

static int read_all(struct config *config, struct sw *sw)
{
	int rc = read_workers(config, sw);

	for (unsigned i = 0; !rc && i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i] &&
		    !config_add(config, CONFIG_BRIDGE, sw->bridge[i]->name,
			params_kept(sw->bridge[i]->config), 0))
			rc = -ENOMEM;
	for (unsigned no = 0; !rc && no < SWITCH_PORTS_MAX; no++)
		if (sw->port[no] &&
		    !config_add(config, CONFIG_PORT, sw->port[no]->port->name,
			params_kept(sw->port[no]->config), 0))
			rc = -ENOMEM;
	for (unsigned i = 0; !rc && i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i])
			rc = read_fdb(config, sw, sw->bridge[i]);
	for (unsigned no = 0; !rc && no < SWITCH_PORTS_MAX; no++)
		if (sw->port[no])
			rc = config_move_read(config, sw->port[no]);
	return rc;
}

int config_read_model(struct config *config, struct sw *sw, struct err *e)
{
	return read_all(config, sw)
		   ? err_set(e, -ENOMEM, "no memory for the configuration")
		   : 0;
}

/* Of @params, those that are not at their defaults. */
static struct json_object *without_defaults(
    const struct grammar_command *cmd, struct json_object *params)
{
	struct json_object *defaults = json_object_new_object();
	struct json_object *left = json_object_new_object(), *def;

	grammar_fill(cmd, defaults);
	json_object_object_foreach (params, key, value)
		if (!json_object_object_get_ex(defaults, key, &def) ||
		    !json_object_equal(def, value))
			json_object_object_add(
			    left, key, json_object_get(value));
	json_object_put(defaults);
	return left;
}

static bool all_settable(
    const struct grammar_command *cmd, struct json_object *params)
{
	json_object_object_foreach (params, key, value) {
		(void)value;
		if (strcmp(key, "name") && !grammar_settable(cmd, key))
			return false;
	}
	return true;
}

/* br0 is there from the start: it is set where that suffices. */
char *config_bridge_line(struct json_object *params)
{
	const struct grammar_command *adds = grammar_by_method("bridge.add");
	const struct grammar_command *sets = grammar_by_method("bridge.set");
	struct json_object *left;
	char *line = NULL;

	if (strcmp(port_param_str(params, "name", ""), "br0"))
		return grammar_print(adds, params);
	left = without_defaults(adds, params);
	if (!all_settable(sets, left))
		line = grammar_print(adds, left);
	else if (json_object_object_length(left) > 1)
		line = grammar_print(sets, left);
	json_object_put(left);
	return line;
}

char *config_port_line(struct json_object *params)
{
	return grammar_print(grammar_by_method("port.add"), params);
}

/* A walk over workers, bridges, ports, the static entries of each bridge, and
 * the moved queues of each port; positions only, since anything may be gone at the next step. */
struct config_stream {
	struct rpc_stream stream;
	enum config_kind kind;
	unsigned at;
	uint64_t cursor;
};

static void add_line(struct json_object *array, char *line)
{
	struct json_object *o;

	if (!line)
		return;
	o = json_object_new_object();
	record_str(o, "line", line);
	json_object_array_add(array, o);
	free(line);
}

static void add_worker_line(struct json_object *array, const struct worker *w)
{
	struct json_object *params = worker_params(w);

	add_line(array, grammar_print(grammar_by_method("worker.add"), params));
	json_object_put(params);
}

static void add_workers_line(struct json_object *array, const struct sw *sw)
{
	const struct grammar_command *sets = grammar_by_method("worker.set");
	struct json_object *params = workers_params(sw);
	struct json_object *left = without_defaults(sets, params);

	if (json_object_object_length(left))
		add_line(array, grammar_print(sets, left));
	json_object_put(left);
	json_object_put(params);
}

static int add_move_line(struct json_object *params, void *array)
{
	add_line(
	    array, grammar_print(grammar_by_method("worker.move"), params));
	return 0;
}

/* Some entries of the bridge at @s->at; false when it has no more. */
static bool add_fdb_lines(
    struct config_stream *s, struct sw *sw, struct json_object *array)
{
	const struct bridge *bridge = sw->bridge[s->at];
	struct fdb_entry entry[STEP_ENTRIES];
	unsigned n;

	if (!bridge)
		return false;
	n = fdb_dump(bridge->fdb, &s->cursor, entry, STEP_ENTRIES, now_s());
	for (unsigned i = 0; i < n; i++) {
		struct json_object *params =
		    entry_params(sw, bridge, &entry[i]);

		if (!params)
			continue;
		json_object_object_del(params, "bridge"); /* its port's */
		add_line(
		    array, grammar_print(grammar_by_method("fdb.add"), params));
		json_object_put(params);
	}
	return s->cursor != FDB_DUMP_END;
}

/* What stands at s->at; true if there is more of it. */
static bool add_lines_at(
    struct config_stream *s, struct sw *sw, struct json_object *array)
{
	switch (s->kind) {
	case CONFIG_WORKER:
		if (sw->worker[s->at])
			add_worker_line(array, sw->worker[s->at]);
		return false;
	case CONFIG_WORKERS:
		add_workers_line(array, sw);
		return false;
	case CONFIG_BRIDGE:
		if (sw->bridge[s->at])
			add_line(array,
			    config_bridge_line(sw->bridge[s->at]->config));
		return false;
	case CONFIG_PORT:
		if (sw->port[s->at])
			add_line(
			    array, config_port_line(sw->port[s->at]->config));
		return false;
	case CONFIG_FDB:
		return add_fdb_lines(s, sw, array);
	case CONFIG_MOVE:
		if (sw->port[s->at])
			config_move_list(
			    sw, sw->port[s->at], add_move_line, array);
		return false;
	}
	return false;
}

static bool config_stream_step(
    struct rpc_stream *stream, struct sw *sw, struct json_object *array)
{
	static const unsigned end[] = {[CONFIG_WORKER] = SWITCH_WORKERS_MAX,
	    [CONFIG_WORKERS] = 1,
	    [CONFIG_BRIDGE] = SWITCH_BRIDGES_MAX,
	    [CONFIG_PORT] = SWITCH_PORTS_MAX,
	    [CONFIG_FDB] = SWITCH_BRIDGES_MAX,
	    [CONFIG_MOVE] = SWITCH_PORTS_MAX};
	struct config_stream *s = (struct config_stream *)stream;

	while (json_object_array_length(array) < STEP_THINGS) {
		if (add_lines_at(s, sw, array))
			return true;
		s->cursor = 0;
		if (++s->at < end[s->kind])
			continue;
		s->at = 0;
		if (s->kind == CONFIG_MOVE)
			return false;
		s->kind++;
	}
	return true;
}

static void config_stream_close(struct rpc_stream *stream, struct sw *sw)
{
	(void)sw;
	free(stream);
}

int method_config_show(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct config_stream *s = calloc(1, sizeof(*s));

	(void)params;
	if (!s)
		return err_set(e, -ENOMEM, "no memory for the answer");
	s->stream.step = config_stream_step;
	s->stream.close = config_stream_close;
	return rpc_stream_start(sw, client, &s->stream, result, e);
}

int method_config_apply(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	int rc = config_apply(sw, port_param_str(params, "text", ""), NULL, e);

	(void)client;
	if (rc < 0)
		return rc;
	*result = json_object_new_object();
	record_uint(*result, "changes", (uint64_t)rc);
	return 0;
}
