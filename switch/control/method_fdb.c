/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method_fdb.c - fdb.add, fdb.del, fdb.flush, fdb.show.
 *
 * A request speaks of names where the table knows numbers: struct match is
 * what a request asks for in the table's terms, with "any" where it is
 * silent.  Showing walks the tables in steps, as the client reads.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/clock.h"
#include "switch/bridge.h"
#include "switch/control/events.h"
#include "switch/control/method.h"
#include "switch/control/record.h"

enum { STEP_ENTRIES = 128 };

struct match {
	struct bridge *bridge;	/* NULL: any */
	struct bridge_port *bp; /* NULL: any */
	uint64_t mac;		/* if has_mac */
	bool has_mac;
	int32_t net; /* or FDB_NET_ANY */
	uint8_t kinds;
};

static uint32_t now_s(void)
{
	return (uint32_t)(clock_ms() / 1000);
}

static uint64_t parse_mac(const char *text)
{
	uint64_t mac = 0;

	for (int i = 0; i < ETH_ADDR_LEN; i++)
		mac = mac << 8 | strtoul(text + 3 * i, NULL, 16);
	return mac;
}

static uint8_t parse_kinds(struct json_object *params, uint8_t otherwise)
{
	const char *state = port_param_str(params, "state", NULL);

	if (!state)
		return otherwise;
	return strcmp(state, "static") ? FDB_DYNAMIC : FDB_STATIC;
}

static int check_bridge(const struct match *m, struct err *e)
{
	if (m->bp && m->bp->bridge != m->bridge) {
		err_set(e, -EINVAL, "port %s is not on bridge %s but on %s",
		    m->bp->port->name, m->bridge->name, m->bp->bridge->name);
		err_arg(e, "bridge");
		return -EINVAL;
	}
	if (m->net != FDB_NET_ANY && !m->bridge->vlan_aware) {
		err_set(e, -EINVAL, "bridge %s does not separate VLANs",
		    m->bridge->name);
		err_arg(e, "vlan");
		err_hint(
		    e, "swctl bridge set %s vlan-aware on", m->bridge->name);
		return -EINVAL;
	}
	return 0;
}

/* Reads @params; of which kinds, if they do not say, is @kinds. */
static int read_match(struct match *m, struct sw *sw,
    struct json_object *params, uint8_t kinds, struct err *e)
{
	const char *mac = port_param_str(params, "mac", NULL);
	const char *port = port_param_str(params, "port", NULL);
	const char *bridge = port_param_str(params, "bridge", NULL);

	*m = (struct match){.has_mac = mac != NULL,
	    .mac = mac ? parse_mac(mac) : 0,
	    .net = (int32_t)port_param_int(params, "vlan", FDB_NET_ANY),
	    .kinds = parse_kinds(params, kinds)};
	m->bp = port ? bridge_port_find(sw, port, e) : NULL;
	if (port && !m->bp)
		return -ENOENT;
	m->bridge = m->bp ? m->bp->bridge : NULL;
	if (bridge)
		m->bridge = bridge_find(sw, bridge, e);
	if (bridge && !m->bridge)
		return -ENOENT;
	return m->bridge ? check_bridge(m, e) : 0;
}

static bool entry_matches(const struct match *m, const struct fdb_entry *entry)
{
	return (!m->bp || entry->port == m->bp->port->no) &&
	       (!m->has_mac || fdb_key_mac(entry->key) == m->mac) &&
	       (m->net == FDB_NET_ANY || fdb_key_net(entry->key) == m->net) &&
	       m->kinds & (entry->is_static ? FDB_STATIC : FDB_DYNAMIC);
}

static void tell(struct sw *sw, const char *event, const struct bridge *bridge,
    uint64_t key, const char *port)
{
	struct json_object *extra = json_object_new_object();
	char name[18];
	uint8_t b[ETH_ADDR_LEN];

	eth_mac_put(b, fdb_key_mac(key));
	snprintf(name, sizeof(name), "%02x:%02x:%02x:%02x:%02x:%02x", b[0],
	    b[1], b[2], b[3], b[4], b[5]);
	record_str(extra, "bridge", bridge->name);
	if (fdb_key_net(key))
		record_uint(extra, "vlan", fdb_key_net(key));
	if (port)
		record_str(extra, "port", port);
	events_emit(sw, "fdb", event, name, extra);
}

/* The network that an address added to @m's port is of. */
static int network_of(const struct match *m, uint16_t *net, struct err *e)
{
	const struct bridge_port_settings *set = &m->bp->set;
	unsigned vid = set->is_trunk ? set->native_vid : set->access_vid;

	*net = 0;
	if (!m->bridge->vlan_aware)
		return 0;
	if (m->net != FDB_NET_ANY)
		vid = (unsigned)m->net;
	*net = (uint16_t)vid;
	if (vid && bridge_port_has_vlan(m->bp, vid))
		return 0;
	if (vid)
		err_set(e, -EINVAL, "port %s is not a member of VLAN %u",
		    m->bp->port->name, vid);
	else
		err_set(e, -EINVAL, "port %s has several VLANs: name one",
		    m->bp->port->name);
	err_arg(e, "vlan");
	return -EINVAL;
}

int method_fdb_add(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct match m;
	uint64_t key;
	uint16_t net;
	int rc = read_match(&m, sw, params, FDB_STATIC, e);

	(void)client;
	(void)result;
	if (!rc)
		rc = network_of(&m, &net, e);
	if (rc)
		return rc;
	key = fdb_key(net, m.mac);
	rc = fdb_add(m.bridge->fdb, key, m.bp->port->no, m.kinds == FDB_STATIC,
	    now_s(), e);
	if (rc == -EEXIST && port_param_bool(params, "may_exist", false) &&
	    fdb_lookup(m.bridge->fdb, key, now_s()) == m.bp->port->no)
		return 0;
	if (rc == -EEXIST)
		err_hint(
		    e, "swctl fdb del %s", port_param_str(params, "mac", ""));
	if (!rc)
		tell(sw, "add", m.bridge, key, m.bp->port->name);
	return rc;
}

struct found {
	struct bridge *bridge;
	uint64_t key;
	unsigned n; /* networks in which the address is */
};

static void find_in(
    struct found *found, const struct match *m, struct bridge *bridge)
{
	unsigned first = m->net == FDB_NET_ANY ? 0 : (unsigned)m->net;
	unsigned last = m->net != FDB_NET_ANY ? (unsigned)m->net
			: bridge->vlan_aware  ? ETH_VID_MAX
					      : 0;

	for (unsigned net = first; net <= last; net++) {
		uint64_t key = fdb_key((uint16_t)net, m->mac);
		uint16_t port = fdb_lookup(bridge->fdb, key, now_s());

		if (port == FDB_NONE || (m->bp && port != m->bp->port->no))
			continue;
		found->bridge = bridge;
		found->key = key;
		found->n++;
	}
}

/* The one entry that @m means. */
static int find_one(struct sw *sw, const struct match *m, const char *mac,
    struct found *found, struct err *e)
{
	*found = (struct found){0};
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i] && (!m->bridge || m->bridge == sw->bridge[i]))
			find_in(found, m, sw->bridge[i]);
	if (found->n == 1)
		return 0;
	if (found->n) {
		err_set(
		    e, -EINVAL, "%s is known in %u networks", mac, found->n);
		err_hint(e, "say which with bridge and vlan, or flush all");
	} else {
		err_set(e, -ENOENT, "there is no entry for %s%s%s", mac,
		    m->bp ? " on port " : "", m->bp ? m->bp->port->name : "");
		err_hint(e, "`swctl fdb show` lists the entries");
	}
	err_arg(e, mac);
	return found->n ? -EINVAL : -ENOENT;
}

int method_fdb_del(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct found found;
	struct match m;
	int rc = read_match(&m, sw, params, FDB_STATIC | FDB_DYNAMIC, e);

	(void)client;
	(void)result;
	if (!rc)
		rc = find_one(
		    sw, &m, port_param_str(params, "mac", ""), &found, e);
	if (!rc)
		rc = fdb_del(found.bridge->fdb, found.key, e);
	if (!rc)
		tell(sw, "del", found.bridge, found.key, NULL);
	if (rc == -ENOENT && port_param_bool(params, "if_exists", false))
		return 0;
	return rc;
}

/* One address in all networks: the table has no index by address alone. */
static uint32_t flush_mac(const struct match *m, struct bridge *bridge)
{
	struct fdb_entry entry[STEP_ENTRIES];
	uint64_t cursor = 0;
	uint32_t removed = 0;

	while (cursor != FDB_DUMP_END) {
		unsigned n = fdb_dump(
		    bridge->fdb, &cursor, entry, STEP_ENTRIES, now_s());

		for (unsigned i = 0; i < n; i++)
			if (entry_matches(m, &entry[i]) &&
			    !fdb_del(bridge->fdb, entry[i].key, NULL))
				removed++;
	}
	return removed;
}

static uint32_t flush_bridge(const struct match *m, struct bridge *bridge)
{
	struct fdb_filter filter = {.port = m->bp ? m->bp->port->no : FDB_NONE,
	    .net = m->net,
	    .kinds = m->kinds};

	return m->has_mac ? flush_mac(m, bridge)
			  : fdb_flush(bridge->fdb, &filter);
}

int method_fdb_flush(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	uint32_t removed = 0, here;
	struct match m;
	int rc = read_match(&m, sw, params, FDB_DYNAMIC, e);

	(void)client;
	if (rc)
		return rc;
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++) {
		struct bridge *bridge = sw->bridge[i];
		struct json_object *extra;

		if (!bridge || (m.bridge && m.bridge != bridge))
			continue;
		here = flush_bridge(&m, bridge);
		removed += here;
		extra = json_object_new_object();
		record_uint(extra, "removed", here);
		events_emit(sw, "fdb", "flush", bridge->name, extra);
	}
	*result = json_object_new_object();
	record_uint(*result, "removed", removed);
	return 0;
}

/* A walk over all tables.  Nothing is held between two steps but numbers and
 * names: what they stand for may be gone by then. */
struct fdb_stream {
	struct rpc_stream stream;
	struct json_object *params;
	unsigned bridge; /* index in sw->bridge */
	uint64_t cursor;
};

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

static void add_entries(struct sw *sw, const struct match *m,
    const struct bridge *bridge, const struct fdb_entry entry[], unsigned n,
    struct json_object *array)
{
	for (unsigned i = 0; i < n; i++) {
		struct json_object *o;

		if (!entry_matches(m, &entry[i]))
			continue;
		o = entry_record(sw, bridge, &entry[i]);
		if (o)
			json_object_array_add(array, o);
	}
}

static bool fdb_stream_step(
    struct rpc_stream *stream, struct sw *sw, struct json_object *array)
{
	struct fdb_stream *s = (struct fdb_stream *)stream;
	struct fdb_entry entry[STEP_ENTRIES];
	struct bridge *bridge;
	struct match m;

	if (s->bridge == SWITCH_BRIDGES_MAX ||
	    read_match(&m, sw, s->params, FDB_STATIC | FDB_DYNAMIC, NULL))
		return false;
	bridge = sw->bridge[s->bridge];
	if (bridge && s->cursor != FDB_DUMP_END &&
	    (!m.bridge || m.bridge == bridge)) {
		unsigned n = fdb_dump(
		    bridge->fdb, &s->cursor, entry, STEP_ENTRIES, now_s());

		add_entries(sw, &m, bridge, entry, n, array);
		return true;
	}
	s->cursor = 0;
	while (++s->bridge < SWITCH_BRIDGES_MAX && !sw->bridge[s->bridge])
		;
	return s->bridge < SWITCH_BRIDGES_MAX;
}

static void fdb_stream_close(struct rpc_stream *stream)
{
	struct fdb_stream *s = (struct fdb_stream *)stream;

	json_object_put(s->params);
	free(s);
}

int method_fdb_show(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct fdb_stream *s;
	struct match m;
	int rc = read_match(&m, sw, params, FDB_STATIC | FDB_DYNAMIC, e);

	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, -ENOMEM, "no memory for the answer");
	s->stream.step = fdb_stream_step;
	s->stream.close = fdb_stream_close;
	s->params = json_object_get(params);
	return rpc_stream_start(sw, client, &s->stream, result, e);
}
