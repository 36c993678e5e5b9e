/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method_bridge.c - bridge.add, bridge.del, bridge.set, bridge.show.
 *
 * A bridge's statistics include what the ports that left it counted, so that
 * frames in and frames out stay equal over its life.
 */
#include <errno.h>
#include <stdlib.h>

#include "switch/bridge.h"
#include "switch/control/method.h"
#include "switch/control/record.h"

int method_bridge_add(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	(void)client;
	(void)result;
	return bridge_add(sw, params, e);
}

int method_bridge_del(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	(void)client;
	(void)result;
	return bridge_del(sw, params, e);
}

int method_bridge_set(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	(void)client;
	(void)result;
	return bridge_set(sw, params, e);
}

static void record_sums(struct json_object *to, const struct sw *sw,
    const struct bridge *bridge, const struct counters counters[])
{
	struct counters sum = bridge->gone;

	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		if (sw->port[no] && sw->port[no]->bridge == bridge)
			counters_add(&sum, &counters[no]);
	record_counters(to, &sum);
}

struct json_object *method_bridge_record(struct sw *sw,
    const struct bridge *bridge, const struct counters counters[])
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	record_str(o, "name", bridge->name);
	record_bool(o, "vlan_aware", bridge->vlan_aware);
	record_uint(o, "ageing", bridge->ageing_s);
	record_uint(o, "fdb_size", bridge->fdb_size);
	record_uint(o, "fdb_entries", fdb_count(bridge->fdb));
	record_uint(o, "ports", bridge_n_ports(sw, bridge));
	if (counters)
		record_sums(o, sw, bridge, counters);
	return o;
}

int method_read_counters(
    struct sw *sw, bool wanted, struct counters **counters, struct err *e)
{
	*counters = NULL;
	if (!wanted)
		return 0;
	*counters = malloc(SWITCH_PORTS_MAX * sizeof(**counters));
	if (!*counters)
		return err_set(e, -ENOMEM, "no memory for the counters");
	switch_read_counters(sw, *counters);
	return 0;
}

int method_bridge_show(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	const char *name = port_param_str(params, "name", NULL);
	const struct bridge *one = name ? bridge_find(sw, name, e) : NULL;
	struct counters *counters;
	int rc;

	(void)client;
	if (name && !one)
		return -ENOENT;
	rc = method_read_counters(
	    sw, port_param_bool(params, "stats", false), &counters, e);
	if (rc)
		return rc;
	*result = json_object_new_array();
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i] && (!one || one == sw->bridge[i]))
			json_object_array_add(*result,
			    method_bridge_record(sw, sw->bridge[i], counters));
	free(counters);
	return 0;
}
