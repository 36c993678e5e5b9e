/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method_fdb_walk.c - fdb.show, fdb.flush: walks over all tables.
 *
 * A walk goes in steps, between which the control thread serves others.
 */
#include <errno.h>
#include <stdlib.h>

#include "switch/control/events.h"
#include "switch/control/fdb_match.h"
#include "switch/control/method.h"
#include "switch/control/record.h"

enum { STEP_ENTRIES = 128 };

/* A walk over all tables.  Nothing is held between two steps but numbers and
 * names: what they stand for may be gone by then. */
struct walk {
	struct rpc_stream stream;
	struct json_object *params;
	uint8_t kinds;	 /* if params do not say */
	unsigned bridge; /* index in sw->bridge */
	uint64_t cursor; /* in its table */
	uint32_t removed, removed_here;
};

/* The bridge in which the walk is, and what is sought there; NULL: it is at
 * its end. */
static struct bridge *walk_bridge(
    struct walk *w, struct sw *sw, struct fdb_match *m)
{
	if (fdb_match_read(m, sw, w->params, w->kinds, NULL))
		return NULL;
	while (w->bridge < SWITCH_BRIDGES_MAX) {
		struct bridge *bridge = sw->bridge[w->bridge];

		if (bridge && w->cursor != FDB_DUMP_END &&
		    (!m->bridge || m->bridge == bridge))
			return bridge;
		w->bridge++;
		w->cursor = 0;
		w->removed_here = 0;
	}
	return NULL;
}

static void walk_free(struct walk *w)
{
	json_object_put(w->params);
	free(w);
}

static struct walk *walk_new(
    struct json_object *params, uint8_t kinds, struct err *e)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w) {
		err_set(e, -ENOMEM, "no memory for the answer");
		return NULL;
	}
	w->params = json_object_get(params);
	w->kinds = kinds;
	return w;
}

/* One address in all networks: the table has no index by address alone. */
static uint32_t flush_mac_step(
    const struct fdb_match *m, struct bridge *bridge, uint64_t *cursor)
{
	struct fdb_entry entry[STEP_ENTRIES];
	unsigned n =
	    fdb_dump(bridge->fdb, cursor, entry, STEP_ENTRIES, fdb_match_now());
	uint32_t removed = 0;

	for (unsigned i = 0; i < n; i++)
		if (fdb_match_entry(m, &entry[i]) &&
		    !fdb_del(bridge->fdb, entry[i].key, NULL))
			removed++;
	return removed;
}

static uint32_t flush_bridge_step(
    const struct fdb_match *m, struct bridge *bridge, uint64_t *cursor)
{
	struct fdb_filter filter = {.port = m->bp ? m->bp->port->no : FDB_NONE,
	    .net = m->net,
	    .kinds = m->kinds};

	return m->has_mac ? flush_mac_step(m, bridge, cursor)
			  : fdb_flush_some(bridge->fdb, &filter, cursor);
}

static void tell_flush(
    struct sw *sw, const struct bridge *bridge, uint32_t removed)
{
	struct json_object *extra = json_object_new_object();

	record_uint(extra, "removed", removed);
	events_emit(sw, "fdb", "flush", bridge->name, extra);
}

/* Returns false when all is flushed. */
static bool flush_step(struct walk *w, struct sw *sw)
{
	struct fdb_match m;
	struct bridge *bridge = walk_bridge(w, sw, &m);
	uint32_t n;

	if (!bridge)
		return false;
	n = flush_bridge_step(&m, bridge, &w->cursor);
	w->removed += n;
	w->removed_here += n;
	if (w->cursor == FDB_DUMP_END)
		tell_flush(sw, bridge, w->removed_here);
	return true;
}

static bool flush_stream_step(
    struct rpc_stream *stream, struct sw *sw, struct json_object *array)
{
	struct walk *w = (struct walk *)stream;
	struct json_object *result;

	if (flush_step(w, sw))
		return true;
	result = json_object_new_object();
	record_uint(result, "removed", w->removed);
	json_object_array_add(array, result);
	return false;
}

static void flush_stream_close(struct rpc_stream *stream, struct sw *sw)
{
	struct walk *w = (struct walk *)stream;

	while (flush_step(w, sw))
		;
	walk_free(w);
}

int method_fdb_flush(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct fdb_match m;
	int rc = fdb_match_read(&m, sw, params, FDB_DYNAMIC, e);
	struct walk *w;

	if (rc)
		return rc;
	w = walk_new(params, FDB_DYNAMIC, e);
	if (!w)
		return -ENOMEM;
	w->stream = (struct rpc_stream){.step = flush_stream_step,
	    .close = flush_stream_close,
	    .single = true};
	return rpc_stream_start(sw, client, &w->stream, result, e);
}

static struct json_object *entry_record(
    struct sw *sw, const struct bridge *bridge, const struct fdb_entry *entry)
{
	const struct bridge_port *bp =
	    entry->port < SWITCH_PORTS_MAX ? sw->port[entry->port] : NULL;
	struct json_object *o;

	if (!bp)
		return NULL;
	o = json_object_new_object();
	record_mac(o, "mac", fdb_key_mac(entry->key));
	record_str(o, "bridge", bridge->name);
	record_uint(o, "vlan", fdb_key_net(entry->key));
	record_str(o, "port", bp->port->name);
	record_str(o, "state", entry->is_static ? "static" : "dynamic");
	record_uint(o, "age", entry->age_s);
	return o;
}

static bool show_stream_step(
    struct rpc_stream *stream, struct sw *sw, struct json_object *array)
{
	struct walk *w = (struct walk *)stream;
	struct fdb_entry entry[STEP_ENTRIES];
	struct fdb_match m;
	const struct bridge *bridge = walk_bridge(w, sw, &m);
	unsigned n;

	if (!bridge)
		return false;
	n = fdb_dump(
	    bridge->fdb, &w->cursor, entry, STEP_ENTRIES, fdb_match_now());
	for (unsigned i = 0; i < n; i++) {
		struct json_object *o = NULL;

		if (fdb_match_entry(&m, &entry[i]))
			o = entry_record(sw, bridge, &entry[i]);
		if (o)
			json_object_array_add(array, o);
	}
	return true;
}

static void show_stream_close(struct rpc_stream *stream, struct sw *sw)
{
	(void)sw;
	walk_free((struct walk *)stream);
}

int method_fdb_show(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct fdb_match m;
	int rc = fdb_match_read(&m, sw, params, FDB_STATIC | FDB_DYNAMIC, e);
	struct walk *w;

	if (rc)
		return rc;
	w = walk_new(params, FDB_STATIC | FDB_DYNAMIC, e);
	if (!w)
		return -ENOMEM;
	w->stream = (struct rpc_stream){
	    .step = show_stream_step, .close = show_stream_close};
	return rpc_stream_start(sw, client, &w->stream, result, e);
}
