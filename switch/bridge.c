/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge.c - bridges, as configured.
 *
 * The learning table of a bridge has its size for life; everything else can
 * be set while frames flow.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "learning/age.h"
#include "switch/base/log.h"
#include "switch/bridge.h"
#include "switch/control/events.h"
#include "switch/forget.h"
#include "switch/params.h"
#include "switch/control/record.h"

enum { AGEING_DEFAULT_S = 300, FDB_SIZE_DEFAULT = 65536 };

struct bridge *bridge_find(struct sw *sw, const char *name, struct err *e)
{
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i] && !strcmp(sw->bridge[i]->name, name))
			return sw->bridge[i];
	err_set(e, -ENOENT, "there is no bridge %s", name);
	err_arg(e, name);
	err_hint(e, "`swctl bridge show` lists the bridges");
	return NULL;
}

unsigned bridge_n_ports(const struct sw *sw, const struct bridge *bridge)
{
	unsigned n = 0;

	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		n += sw->port[no] && sw->port[no]->bridge == bridge;
	return n;
}

static void bridge_free(struct bridge *bridge)
{
	if (!bridge)
		return;
	fdb_close(bridge->fdb);
	json_object_put(bridge->config);
	free(bridge);
}

static int bridge_create(struct bridge **bridge, const char *name,
    struct json_object *params, struct err *e)
{
	struct bridge *b = calloc(1, sizeof(*b));

	if (!b)
		return err_set(e, -ENOMEM, "no memory for bridge %s", name);
	strncpy(b->name, name, PORT_NAME_MAX);
	b->vlan_aware = port_param_bool(params, "vlan_aware", false);
	b->ageing_s =
	    (uint32_t)port_param_int(params, "ageing", AGEING_DEFAULT_S);
	b->fdb_size =
	    (uint32_t)port_param_int(params, "fdb_size", FDB_SIZE_DEFAULT);
	b->fdb = fdb_open(b->fdb_size, e);
	b->config = params_kept(params);
	if (!b->fdb || !b->config) {
		if (b->fdb)
			err_set(e, -ENOMEM, "no memory for bridge %s", name);
		bridge_free(b);
		return -ENOMEM;
	}
	fdb_set_ageing(b->fdb, b->ageing_s);
	*bridge = b;
	return 0;
}

int bridge_add(struct sw *sw, struct json_object *params, struct err *e)
{
	const char *name = port_param_str(params, "name", "");
	struct bridge *bridge = NULL;
	unsigned i = 0;
	int rc;

	if (bridge_find(sw, name, NULL))
		return port_param_bool(params, "may_exist", false)
			   ? 0
			   : err_set(e, -EEXIST, "bridge %s exists", name);
	while (i < SWITCH_BRIDGES_MAX && sw->bridge[i])
		i++;
	if (i == SWITCH_BRIDGES_MAX)
		return err_set(e, -ENOSPC, "there are %d bridges already",
		    SWITCH_BRIDGES_MAX);
	rc = bridge_create(&bridge, name, params, e);
	if (rc)
		return rc;
	bridge->index = i;
	sw->bridge[i] = bridge;
	switch_publish(sw);
	events_emit(sw, "bridge", "add", name, NULL);
	return 0;
}

/* All that the table holds belongs to the other kind of networks. */
static void forget_networks(struct sw *sw, struct bridge *bridge)
{
	struct fdb_filter filter = {
	    .port = FDB_NONE, .net = FDB_NET_ANY, .kinds = FDB_DYNAMIC};
	struct json_object *extra;
	uint32_t removed;

	fdb_flush(bridge->fdb, &filter);
	filter.kinds = FDB_STATIC;
	removed = fdb_flush(bridge->fdb, &filter);
	if (!removed)
		return;
	log_warning("bridge %s: vlan-aware is %s: %u static entries removed",
	    bridge->name, bridge->vlan_aware ? "on" : "off", removed);
	extra = json_object_new_object();
	record_uint(extra, "removed", removed);
	events_emit(sw, "fdb", "flush", bridge->name, extra);
}

int bridge_set(struct sw *sw, struct json_object *params, struct err *e)
{
	const char *name = port_param_str(params, "name", "");
	struct bridge *bridge = bridge_find(sw, name, e);
	bool vlan_aware;

	if (!bridge)
		return port_param_bool(params, "if_exists", false) ? 0
								   : -ENOENT;
	vlan_aware = port_param_bool(params, "vlan_aware", bridge->vlan_aware);
	bridge->ageing_s =
	    (uint32_t)port_param_int(params, "ageing", bridge->ageing_s);
	fdb_set_ageing(bridge->fdb, bridge->ageing_s);
	params_merge(bridge->config, params);
	if (vlan_aware != bridge->vlan_aware) {
		bridge->vlan_aware = vlan_aware;
		switch_publish(sw);
		forget_networks(sw, bridge);
	}
	events_emit(sw, "bridge", "set", name, NULL);
	return 0;
}

int bridge_del(struct sw *sw, struct json_object *params, struct err *e)
{
	const char *name = port_param_str(params, "name", "");
	struct bridge *bridge = bridge_find(sw, name, e);

	if (!bridge)
		return port_param_bool(params, "if_exists", false) ? 0
								   : -ENOENT;
	if (bridge_n_ports(sw, bridge)) {
		err_set(e, -EBUSY, "bridge %s still has %u ports", name,
		    bridge_n_ports(sw, bridge));
		err_arg(e, name);
		err_hint(e, "delete them with `swctl port del`");
		return -EBUSY;
	}
	sw->bridge[bridge->index] = NULL;
	forget_bridge(sw, bridge);
	switch_publish_and_wait(sw);
	events_emit(sw, "bridge", "del", name, NULL);
	bridge_free(bridge);
	return 0;
}

void bridge_free_all(struct sw *sw)
{
	forget_bridge(sw, NULL);
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++) {
		bridge_free(sw->bridge[i]);
		sw->bridge[i] = NULL;
	}
}
