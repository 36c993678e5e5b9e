/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge_port.c - ports as members of a bridge: added, set, deleted.
 *
 * Adding does everything that can fail before the port enters the model;
 * deleting takes it out of the model first, waits until no worker sees it,
 * and only then takes it apart.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/bridge.h"
#include "switch/control/events.h"
#include "switch/forget.h"
#include "switch/params.h"
#include "switch/takeover.h"
#include "switch/worker.h"

struct bridge_port *bridge_port_find(
    struct sw *sw, const char *name, struct err *e)
{
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		if (sw->port[no] && !strcmp(sw->port[no]->port->name, name))
			return sw->port[no];
	err_set(e, -ENOENT, "there is no port %s", name);
	err_arg(e, name);
	err_hint(e, "`swctl port show` lists the ports");
	return NULL;
}

static void vlan_set_range(struct vlan_set *set, unsigned from, unsigned to)
{
	for (unsigned vid = from; vid <= to && vid <= ETH_VID_MAX; vid++)
		set->word[vid / 64] |= 1ull << (vid % 64);
}

/* "1,3-5" as the grammar let it pass; "none" is no trunk. */
static bool parse_trunk(struct vlan_set *set, const char *list)
{
	memset(set, 0, sizeof(*set));
	if (!strcmp(list, "none"))
		return false;
	while (*list) {
		char *end;
		unsigned from = (unsigned)strtoul(list, &end, 10), to = from;

		if (*end == '-')
			to = (unsigned)strtoul(end + 1, &end, 10);
		vlan_set_range(set, from, to);
		list = *end == ',' ? end + 1 : "";
	}
	return true;
}

static bool has_key(struct json_object *params, const char *key)
{
	return json_object_object_get_ex(params, key, NULL);
}

static void apply_vlans(
    struct bridge_port_settings *set, struct json_object *params)
{
	if (has_key(params, "trunk"))
		set->is_trunk = parse_trunk(
		    &set->trunk, port_param_str(params, "trunk", "none"));
	else if (has_key(params, "vlan"))
		set->is_trunk = false;
	set->access_vid =
	    (uint16_t)port_param_int(params, "vlan", set->access_vid);
	set->native_vid =
	    (uint16_t)port_param_int(params, "native", set->native_vid);
}

static void apply_rate(struct rate_config *rate, struct json_object *params,
    const char *key, const char *burst_key)
{
	rate->bits_per_second = (uint64_t)port_param_int(
	    params, key, (int64_t)rate->bits_per_second);
	rate->burst_bytes = (uint64_t)port_param_int(
	    params, burst_key, (int64_t)rate->burst_bytes);
}

static void apply_settings(
    struct bridge_port_settings *set, struct json_object *params)
{
	const char *state = port_param_str(params, "state", NULL);

#define FLAG(key) set->key = port_param_bool(params, #key, set->key)
	FLAG(learning);
	FLAG(flood);
	FLAG(mcast_flood);
	FLAG(bcast_flood);
	FLAG(isolated);
	FLAG(locked);
#undef FLAG
	if (state)
		set->admin_up = !strcmp(state, "up");
	set->mac_limit =
	    (uint32_t)port_param_int(params, "mac_limit", set->mac_limit);
	set->mtu = (uint32_t)port_param_int(params, "mtu", set->mtu);
	apply_vlans(set, params);
	apply_rate(&set->rate_in, params, "rate_in", "rate_in_burst");
	apply_rate(&set->rate_out, params, "rate_out", "rate_out_burst");
}

static const struct bridge_port_settings defaults = {
    .learning = true,
    .flood = true,
    .mcast_flood = true,
    .bcast_flood = true,
    .admin_up = true,
    .access_vid = 1,
};

void bridge_port_update_mtu(struct bridge_port *bp)
{
	uint32_t mtu = bp->set.mtu, link = bp->port->link_mtu;

	if (!mtu)
		mtu = link ? link : ETH_MTU_DEFAULT;
	bp->port->mtu = link && link < mtu ? link : mtu;
}

static int check_settings(const struct bridge_port_settings *set, struct err *e)
{
	if (!set->mtu || set->mtu >= ETH_MTU_MIN)
		return 0;
	return err_set(e, -EINVAL, "mtu %u is neither 0 nor at least %d",
	    set->mtu, ETH_MTU_MIN);
}

bool bridge_port_has_vlan(const struct bridge_port *bp, unsigned vid)
{
	if (!bp->set.is_trunk)
		return vid == bp->set.access_vid;
	return vid == bp->set.native_vid || vlan_set_has(&bp->set.trunk, vid);
}

static void bridge_port_free(struct bridge_port *bp)
{
	if (!bp)
		return;
	if (bp->port)
		bp->port->ops->close(bp->port);
	rate_close(bp->rate_in);
	rate_close(bp->rate_out);
	json_object_put(bp->config);
	free(bp);
}

/* NULL in *rate: unlimited. */
static int open_rate(
    struct rate **rate, const struct rate_config *config, struct err *e)
{
	*rate = rate_open(config);
	if (!*rate && config->bits_per_second)
		return err_set(e, -ENOMEM, "no memory for a rate limit");
	return 0;
}

/* Opens the port; from what another process leaves, if it does. */
static int open_with(const struct port_ops *ops, struct port **port,
    struct sw *sw, const char *name, struct json_object *params, struct err *e)
{
	const struct inheritance *i = sw->inherited;
	struct json_object *from;

	if (!i || !json_object_object_get_ex(i->ports, name, &from))
		return ops->open(port, &sw->env, name, params, e);
	return ops->import_state(
	    port, &sw->env, name, params, i->handover, from, e);
}

static int open_driver(struct sw *sw, struct bridge_port *bp, const char *name,
    port_no no, struct json_object *params, struct err *e)
{
	const char *type = port_param_str(params, "type", "");
	const struct port_ops *ops = port_driver(type);
	int rc;

	if (!ops) {
		err_set(e, -EINVAL, "there is no port type %s", type);
		err_arg(e, type);
		return -EINVAL;
	}
	rc = open_with(ops, &bp->port, sw, name, params, e);
	if (rc)
		return rc;
	snprintf(bp->port->name, sizeof(bp->port->name), "%s", name);
	bp->port->no = no;
	bridge_port_update_mtu(bp);
	bp->port->admin_up = bp->set.admin_up;
	return 0;
}

static int bridge_port_create(struct sw *sw, struct bridge_port **out,
    const char *name, port_no no, struct json_object *params, struct err *e)
{
	struct bridge_port *bp =
	    aligned_alloc(_Alignof(struct bridge_port), sizeof(*bp));
	int rc;

	if (!bp)
		return err_set(e, -ENOMEM, "no memory for port %s", name);
	memset(bp, 0, sizeof(*bp));
	bp->set = defaults;
	apply_settings(&bp->set, params);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		bp->worker_of[q] = -1;
		pthread_spin_init(&bp->tx_lock[q], PTHREAD_PROCESS_PRIVATE);
	}
	bp->config = params_kept(params);
	rc = bp->config ? check_settings(&bp->set, e)
			: err_set(e, -ENOMEM, "no memory for port %s", name);
	if (!rc)
		rc = open_rate(&bp->rate_in, &bp->set.rate_in, e);
	if (!rc)
		rc = open_rate(&bp->rate_out, &bp->set.rate_out, e);
	if (!rc)
		rc = open_driver(sw, bp, name, no, params, e);
	if (rc) {
		bridge_port_free(bp);
		return rc;
	}
	*out = bp;
	return 0;
}

static int get_counters(struct sw *sw, port_no no, struct err *e)
{
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id] && worker_counters_get(sw->worker[id], no))
			return err_set(e, -ENOMEM, "no memory for counters");
	return 0;
}

static void put_counters(struct sw *sw, port_no no)
{
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id])
			worker_counters_put(sw->worker[id], no);
	free(sw->retired[no]);
	sw->retired[no] = NULL;
}

static int exists_already(
    struct bridge_port *bp, struct json_object *params, struct err *e)
{
	const char *name = bp->port->name, *type = bp->port->ops->type;

	if (!port_param_bool(params, "may_exist", false)) {
		err_set(e, -EEXIST, "port %s exists", name);
		err_arg(e, name);
		err_hint(e, "change it with `swctl port set %s`", name);
		return -EEXIST;
	}
	if (strcmp(type, port_param_str(params, "type", "")))
		return err_set(
		    e, -EEXIST, "port %s exists and is of type %s", name, type);
	return 0;
}

int bridge_port_add(struct sw *sw, struct json_object *params, struct err *e)
{
	const char *name = port_param_str(params, "name", "");
	struct bridge_port *bp = bridge_port_find(sw, name, NULL);
	struct bridge *bridge =
	    bridge_find(sw, port_param_str(params, "bridge", "br0"), e);
	port_no no = 0;
	int rc;

	if (bp)
		return exists_already(bp, params, e);
	if (!bridge)
		return -ENOENT;
	while (
	    no < SWITCH_PORTS_MAX && (sw->port[no] || forget_is_busy(sw, no)))
		no++;
	if (no == SWITCH_PORTS_MAX)
		return err_set(
		    e, -ENOSPC, "there are %d ports already", SWITCH_PORTS_MAX);
	rc = get_counters(sw, no, e);
	if (!rc)
		rc = bridge_port_create(sw, &bp, name, no, params, e);
	if (rc) {
		put_counters(sw, no);
		return rc;
	}
	bp->bridge = bridge;
	bp->state_told = bp->port->state;
	sw->port[no] = bp;
	switch_publish(sw);
	events_emit(sw, "port", "add", name, NULL);
	return 0;
}

/* The limiter for @want in *rate: the present one if nothing changes. */
static int renew_rate(struct rate **rate, const struct rate_config *was,
    const struct rate_config *want, struct err *e)
{
	if (was->bits_per_second == want->bits_per_second &&
	    was->burst_bytes == want->burst_bytes)
		return 0;
	return open_rate(rate, want, e);
}

/* Closes @rate unless it is the one in use. */
static void close_other_rate(struct rate *rate, const struct rate *in_use)
{
	if (rate != in_use)
		rate_close(rate);
}

static void put_settings(struct sw *sw, struct bridge_port *bp,
    const struct bridge_port_settings *set)
{
	bool went_down = bp->set.admin_up && !set->admin_up;
	bool unlearn = bp->set.learning && !set->learning;

	bp->set = *set;
	bridge_port_update_mtu(bp);
	bp->port->admin_up = set->admin_up;
	switch_publish_and_wait(sw);
	if (went_down || unlearn)
		forget_port(sw, bp->bridge, bp->port->no, FDB_DYNAMIC);
	if (bp->port->ops->reset)
		bp->port->ops->reset(bp->port);
}

static int change_settings(struct sw *sw, struct bridge_port *bp,
    const struct bridge_port_settings *set, struct err *e)
{
	struct rate *in = bp->rate_in, *out = bp->rate_out;
	struct rate *old_in = in, *old_out = out;
	int rc = renew_rate(&in, &bp->set.rate_in, &set->rate_in, e);

	if (!rc)
		rc = renew_rate(&out, &bp->set.rate_out, &set->rate_out, e);
	if (!rc) {
		bp->rate_in = in;
		bp->rate_out = out;
		put_settings(sw, bp, set);
		in = old_in;
		out = old_out;
	}
	close_other_rate(in, bp->rate_in);
	close_other_rate(out, bp->rate_out);
	return rc;
}

int bridge_port_set(struct sw *sw, struct json_object *params, struct err *e)
{
	const char *name = port_param_str(params, "name", "");
	struct bridge_port *bp = bridge_port_find(sw, name, e);
	struct bridge_port_settings set;
	int rc = 0;

	if (!bp)
		return port_param_bool(params, "if_exists", false) ? 0
								   : -ENOENT;
	set = bp->set;
	apply_settings(&set, params);
	rc = check_settings(&set, e);
	if (!rc && bp->port->ops->set)
		rc = bp->port->ops->set(bp->port, params, e);
	if (!rc)
		rc = change_settings(sw, bp, &set, e);
	if (rc)
		return rc;
	params_merge(bp->config, params);
	events_emit(sw, "port", "set", name, NULL);
	return 0;
}

/* What the port counted goes on counting for its bridge. */
static void retire_port_counters(struct sw *sw, struct bridge_port *bp)
{
	struct counters *sum = calloc(SWITCH_PORTS_MAX, sizeof(*sum));

	if (!sum)
		return;
	switch_read_counters(sw, sum);
	counters_add(&bp->bridge->gone, &sum[bp->port->no]);
	free(sum);
}

int bridge_port_del(struct sw *sw, struct json_object *params, struct err *e)
{
	const char *name = port_param_str(params, "name", "");
	struct bridge_port *bp = bridge_port_find(sw, name, e);
	port_no no;

	if (!bp)
		return port_param_bool(params, "if_exists", false) ? 0
								   : -ENOENT;
	no = bp->port->no;
	events_emit(sw, "port", "del", bp->port->name, NULL);
	sw->port[no] = NULL;
	switch_publish_and_wait(sw);
	retire_port_counters(sw, bp);
	put_counters(sw, no);
	forget_port(sw, bp->bridge, no, FDB_DYNAMIC | FDB_STATIC);
	bridge_port_free(bp);
	return 0;
}
