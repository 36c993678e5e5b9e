/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method_fdb.c - fdb.add, fdb.del: entries by hand.
 *
 * An address may be in several networks; a request that does not say which is
 * refused unless there is only one.
 */
#include <errno.h>
#include <stdio.h>

#include "switch/control/events.h"
#include "switch/control/fdb_match.h"
#include "switch/control/method.h"
#include "switch/control/record.h"
#include "switch/forget.h"

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
static int network_of(const struct fdb_match *m, uint16_t *net, struct err *e)
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
	struct fdb_match m;
	uint64_t key;
	uint16_t net;
	int rc = fdb_match_read(&m, sw, params, FDB_STATIC, e);

	(void)client;
	(void)result;
	if (!rc)
		rc = network_of(&m, &net, e);
	if (rc)
		return rc;
	key = fdb_key(net, m.mac);
	forget_key(sw, m.bridge, key);
	rc = fdb_add(m.bridge->fdb, key, m.bp->port->no, m.kinds == FDB_STATIC,
	    fdb_match_now(), e);
	if (rc == -EEXIST && port_param_bool(params, "may_exist", false) &&
	    fdb_lookup(m.bridge->fdb, key, fdb_match_now()) == m.bp->port->no)
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
    struct found *found, const struct fdb_match *m, struct bridge *bridge)
{
	unsigned first = m->net == FDB_NET_ANY ? 0 : (unsigned)m->net;
	unsigned last = m->net != FDB_NET_ANY ? (unsigned)m->net
			: bridge->vlan_aware  ? ETH_VID_MAX
					      : 0;

	for (unsigned net = first; net <= last; net++) {
		uint64_t key = fdb_key((uint16_t)net, m->mac);
		uint16_t port = fdb_lookup(bridge->fdb, key, fdb_match_now());

		if (port == FDB_NONE || (m->bp && port != m->bp->port->no))
			continue;
		found->bridge = bridge;
		found->key = key;
		found->n++;
	}
}

/* The one entry that @m means. */
static int find_one(struct sw *sw, const struct fdb_match *m, const char *mac,
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
	struct fdb_match m;
	int rc = fdb_match_read(&m, sw, params, FDB_STATIC | FDB_DYNAMIC, e);

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
