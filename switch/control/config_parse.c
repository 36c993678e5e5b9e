/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_parse.c - the state that a text describes.
 *
 * `add` makes an item, `set` changes the item that an `add` made before.
 * Static entries are read in a second pass, when it is known what bridge their
 * ports are on and whether that separates VLANs: that is part of their key.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar.h"
#include "ports/port.h"
#include "switch/control/config.h"
#include "switch/control/config_move.h"
#include "switch/control/method.h"
#include "switch/params.h"
#include "switch/control/record.h"

struct reader {
	struct config *config;
	bool fdb_pass;
	unsigned line;
	struct json_object *params; /* of the line */
};

static int no_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "no memory for the configuration");
}

static const char *name_of(const struct reader *r)
{
	return port_param_str(r->params, "name", "");
}

/* Adds what the line describes, under @key. */
static int add(
    struct reader *r, enum config_kind kind, const char *key, struct err *e)
{
	return config_add(r->config, kind, key, params_kept(r->params), r->line)
		   ? 0
		   : no_memory(e);
}

static int exists(struct reader *r, const struct config_item *item,
    const char *what, struct err *e)
{
	if (port_param_bool(r->params, "may_exist", false))
		return 0;
	err_set(e, -EEXIST, "%s %s is there already, from line %u", what,
	    item->key, item->line);
	err_arg(e, item->key);
	return -EEXIST;
}

static int lacks(const char *what, const char *key, struct err *e)
{
	err_set(e, -ENOENT, "no line before this one adds %s %s", what, key);
	err_arg(e, key);
	return -ENOENT;
}

static int add_bridge(struct reader *r, struct err *e)
{
	struct config_item *item =
	    config_find(r->config, CONFIG_BRIDGE, name_of(r));

	if (!item)
		return add(r, CONFIG_BRIDGE, name_of(r), e);
	if (item->line)
		return exists(r, item, "bridge", e);
	params_merge(item->params, r->params);
	item->line = r->line;
	return 0;
}

static int add_port(struct reader *r, struct err *e)
{
	const char *bridge = port_param_str(r->params, "bridge", "br0");
	struct config_item *item =
	    config_find(r->config, CONFIG_PORT, name_of(r));

	if (item)
		return exists(r, item, "port", e);
	if (!config_find(r->config, CONFIG_BRIDGE, bridge))
		return lacks("bridge", bridge, e);
	return add(r, CONFIG_PORT, name_of(r), e);
}

static int set(
    struct reader *r, enum config_kind kind, const char *what, struct err *e)
{
	struct config_item *item = config_find(r->config, kind, name_of(r));
	int rc;

	if (!item)
		return port_param_bool(r->params, "if_exists", false)
			   ? 0
			   : lacks(what, name_of(r), e);
	if (kind == CONFIG_PORT) {
		rc = grammar_check_type(grammar_by_method("port.set"),
		    port_param_str(item->params, "type", ""), r->params, e);
		if (rc)
			return rc;
	}
	params_merge(item->params, r->params);
	item->line = item->line ? item->line : r->line;
	return 0;
}

static int set_bridge(struct reader *r, struct err *e)
{
	return set(r, CONFIG_BRIDGE, "bridge", e);
}

static int set_port(struct reader *r, struct err *e)
{
	return set(r, CONFIG_PORT, "port", e);
}

static int add_worker(struct reader *r, struct err *e)
{
	char key[16];

	snprintf(
	    key, sizeof(key), "%d", (int)port_param_int(r->params, "cpu", 0));
	if (port_param_bool(r->params, "may_exist", false) &&
	    config_find(r->config, CONFIG_WORKER, key))
		return 0;
	return add(r, CONFIG_WORKER, key, e);
}

/* The worker that the text adds as its @n-th, from 0. */
static struct config_item *nth_worker(const struct config *config, int64_t n)
{
	for (unsigned i = 0; i < config->n; i++)
		if (config->item[i].kind == CONFIG_WORKER && n-- == 0)
			return &config->item[i];
	return NULL;
}

static int lacks_worker(struct reader *r, struct err *e)
{
	char id[24];

	snprintf(id, sizeof(id), "%d", (int)port_param_int(r->params, "id", 0));
	return port_param_bool(r->params, "if_exists", false)
		   ? 0
		   : lacks("worker", id, e);
}

static int set_workers(struct reader *r, struct err *e)
{
	struct config_item *item = config_find(r->config, CONFIG_WORKERS, "");

	if (json_object_object_get_ex(r->params, "id", NULL))
		item =
		    nth_worker(r->config, port_param_int(r->params, "id", 0));
	if (!item)
		return lacks_worker(r, e);
	if (item->kind == CONFIG_WORKER) {
		int rc = method_worker_check_set(r->params, e);

		if (rc)
			return rc;
	}
	params_merge(item->params, r->params);
	json_object_object_del(item->params, "id");
	item->line = item->line ? item->line : r->line;
	return 0;
}

static int move_queues(struct reader *r, struct err *e)
{
	const char *port = port_param_str(r->params, "port", "");

	if (!config_find(r->config, CONFIG_PORT, port))
		return lacks("port", port, e);
	return config_move_note(r->config, r->params, r->line) ? no_memory(e)
							       : 0;
}

/* "bridge vlan mac", for which bridge and VLAN may have to be found out. */
static void fdb_key_text(const struct config *config,
    const struct config_item *port, struct json_object *params, char *text,
    size_t size)
{
	const char *bridge = port_param_str(port->params, "bridge", "br0");
	const struct config_item *b =
	    config_find(config, CONFIG_BRIDGE, bridge);
	const char *trunk = port_param_str(port->params, "trunk", "none");
	int64_t vid = 0;

	if (b && port_param_bool(b->params, "vlan_aware", false))
		vid = strcmp(trunk, "none")
			  ? port_param_int(port->params, "native", 0)
			  : port_param_int(port->params, "vlan", 1);
	snprintf(text, size, "%s %d %s", bridge,
	    (int)port_param_int(params, "vlan", vid),
	    port_param_str(params, "mac", ""));
}

static int add_fdb(struct reader *r, struct err *e)
{
	const char *port = port_param_str(r->params, "port", "");
	const struct config_item *item =
	    config_find(r->config, CONFIG_PORT, port);
	char key[96];

	if (strcmp(port_param_str(r->params, "state", "static"), "static"))
		return err_set(e, -EINVAL,
		    "a dynamic entry is no part of a configuration");
	if (!item || item->line > r->line)
		return lacks("port", port, e);
	fdb_key_text(r->config, item, r->params, key, sizeof(key));
	if (config_find(r->config, CONFIG_FDB, key))
		return port_param_bool(r->params, "may_exist", false)
			   ? 0
			   : err_set(e, -EEXIST, "the entry is there already");
	return add(r, CONFIG_FDB, key, e);
}

static const struct {
	const char *method;
	int (*take)(struct reader *r, struct err *e);
} takers[] = {
    {"bridge.add", add_bridge},
    {"bridge.set", set_bridge},
    {"port.add", add_port},
    {"port.set", set_port},
    {"fdb.add", add_fdb},
    {"worker.add", add_worker},
    {"worker.set", set_workers},
    {"worker.move", move_queues},
};

static int take(
    struct reader *r, const struct grammar_command *cmd, struct err *e)
{
	for (size_t i = 0; i < sizeof(takers) / sizeof(*takers); i++) {
		if (!cmd->config || strcmp(takers[i].method, cmd->method))
			continue;
		if (r->fdb_pass != (takers[i].take == add_fdb))
			return 0;
		return takers[i].take(r, e);
	}
	err_set(e, -EINVAL, "%s%s%s has no place in a configuration",
	    cmd->object, *cmd->verb ? " " : "", cmd->verb);
	err_arg(e, *cmd->verb ? cmd->verb : cmd->object);
	return -EINVAL;
}

static int take_line(struct reader *r, const char *line, struct err *e)
{
	const struct grammar_command *cmd = NULL;
	int rc;

	r->params = NULL;
	rc = grammar_parse_line(line, &cmd, &r->params, e);
	if (!rc && cmd)
		rc = take(r, cmd, e);
	json_object_put(r->params);
	return rc;
}

/* What is there from the start. */
static int add_first(struct config *config, struct err *e)
{
	struct json_object *params = json_object_new_object();

	record_str(params, "name", "br0");
	return config_add(config, CONFIG_BRIDGE, "br0", params, 0) &&
		       config_add(config, CONFIG_WORKERS, "",
			   json_object_new_object(), 0)
		   ? 0
		   : no_memory(e);
}

static int read_lines(
    struct reader *r, const char *text, const char *where, struct err *e)
{
	int rc = 0;

	for (r->line = 1; !rc && *text; r->line++) {
		size_t n = strcspn(text, "\n");
		char *line = strndup(text, n);

		rc = line ? take_line(r, line, e) : no_memory(e);
		free(line);
		if (rc)
			config_err_place(e, where, r->line);
		text += n + (text[n] == '\n');
	}
	return rc;
}

int config_parse(
    struct config *config, const char *text, const char *where, struct err *e)
{
	struct reader r = {.config = config};
	int rc = add_first(config, e);

	if (!rc)
		rc = read_lines(&r, text, where, e);
	r.fdb_pass = true;
	if (!rc)
		rc = read_lines(&r, text, where, e);
	return rc;
}
