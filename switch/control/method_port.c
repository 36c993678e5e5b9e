/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method_port.c - port.add, port.del, port.set, port.show.
 *
 * What all ports have in common comes first and from here, what a type has of
 * its own comes last and from its driver.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar.h"
#include "switch/bridge.h"
#include "switch/control/method.h"
#include "switch/control/record.h"

int method_port_add(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	(void)client;
	(void)result;
	return bridge_port_add(sw, params, e);
}

int method_port_del(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	(void)client;
	(void)result;
	return bridge_port_del(sw, params, e);
}

int method_port_set(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	const struct bridge_port *bp =
	    bridge_port_find(sw, port_param_str(params, "name", ""), NULL);
	int rc = 0;

	(void)client;
	(void)result;
	if (bp)
		rc = grammar_check_type(grammar_by_method("port.set"),
		    bp->port->ops->type, params, e);
	return rc ? rc : bridge_port_set(sw, params, e);
}

static void record_state(struct json_object *to, const struct bridge_port *bp)
{
	const struct port *port = bp->port;

	record_str(to, "state",
	    port_state_name(bp->set.admin_up ? port->state : PORT_DOWN));
	if (port->reason[0])
		record_str(to, "reason", port->reason);
}

static void record_vlans(struct json_object *to, const struct bridge_port *bp)
{
	const struct bridge_port_settings *set = &bp->set;

	record_uint(
	    to, "vlan", set->is_trunk ? set->native_vid : set->access_vid);
	if (set->is_trunk)
		record_str(
		    to, "trunk", port_param_str(bp->config, "trunk", ""));
}

/* Queues in use, and by whom they are served; `workers` if by several. */
static void record_queues(struct json_object *to, const struct bridge_port *bp)
{
	uint64_t live = bp->port->rx_live, served_by = 0;
	struct json_object *all;

	record_uint(to, "queues",
	    (uint64_t)__builtin_popcountll(live | bp->port->tx_live));
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (live >> q & 1 && bp->worker_of[q] >= 0)
			served_by |= 1ull << bp->worker_of[q];
	if (!served_by)
		return;
	record_uint(to, "worker", (uint64_t)__builtin_ctzll(served_by));
	if (!(served_by & (served_by - 1)))
		return;
	all = json_object_new_array();
	for (; served_by; served_by &= served_by - 1)
		json_object_array_add(
		    all, json_object_new_int(__builtin_ctzll(served_by)));
	record_json(to, "workers", all);
}

static void record_rate(struct json_object *to, const char *key,
    const char *burst_key, const struct rate_config *rate)
{
	if (!rate->bits_per_second)
		return;
	record_uint(to, key, rate->bits_per_second);
	if (rate->burst_bytes)
		record_uint(to, burst_key, rate->burst_bytes);
}

static void record_details(struct json_object *to, const struct bridge_port *bp)
{
	const struct bridge_port_settings *set = &bp->set;

	record_bool(to, "learning", set->learning);
	record_bool(to, "flood", set->flood);
	record_bool(to, "mcast_flood", set->mcast_flood);
	record_bool(to, "bcast_flood", set->bcast_flood);
	record_bool(to, "isolated", set->isolated);
	record_bool(to, "locked", set->locked);
	record_uint(to, "mac_limit", set->mac_limit);
	record_rate(to, "rate_in", "rate_in_burst", &set->rate_in);
	record_rate(to, "rate_out", "rate_out_burst", &set->rate_out);
	record_uint(
	    to, "fdb_entries", fdb_port_count(bp->bridge->fdb, bp->port->no));
}

struct json_object *method_port_record(const struct bridge_port *bp,
    const struct counters counters[], bool details)
{
	struct json_object *o = json_object_new_object();
	struct port *port = bp->port;

	if (!o)
		return NULL;
	record_str(o, "name", port->name);
	record_str(o, "type", port->ops->type);
	record_str(o, "bridge", bp->bridge->name);
	record_state(o, bp);
	if (port->mac)
		record_mac(o, "mac", port->mac);
	record_uint(o, "mtu", port->mtu);
	record_vlans(o, bp);
	record_queues(o, bp);
	if (details)
		record_details(o, bp);
	if (port->ops->show)
		port->ops->show(port, o);
	if (counters)
		record_counters(o, &counters[port->no]);
	return o;
}

struct port_filter {
	const char *name, *type, *bridge; /* NULL: any */
};

static int read_filter(struct port_filter *filter, struct sw *sw,
    struct json_object *params, struct err *e)
{
	*filter =
	    (struct port_filter){.name = port_param_str(params, "name", NULL),
		.type = port_param_str(params, "type", NULL),
		.bridge = port_param_str(params, "bridge", NULL)};
	if (filter->name && !bridge_port_find(sw, filter->name, e))
		return -ENOENT;
	if (filter->bridge && !bridge_find(sw, filter->bridge, e))
		return -ENOENT;
	return 0;
}

static bool is_same_or_any(const char *wanted, const char *is)
{
	return !wanted || !strcmp(wanted, is);
}

int method_port_show(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	bool details = port_param_bool(params, "details", false);
	struct port_filter want;
	struct counters *counters;
	int rc = read_filter(&want, sw, params, e);

	(void)client;
	if (!rc)
		rc = method_read_counters(
		    sw, port_param_bool(params, "stats", false), &counters, e);
	if (rc)
		return rc;
	*result = json_object_new_array();
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		const struct bridge_port *bp = sw->port[no];

		if (bp && is_same_or_any(want.name, bp->port->name) &&
		    is_same_or_any(want.type, bp->port->ops->type) &&
		    is_same_or_any(want.bridge, bp->bridge->name))
			json_object_array_add(
			    *result, method_port_record(bp, counters, details));
	}
	free(counters);
	return 0;
}
