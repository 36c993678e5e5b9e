/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb_match.c - which entries a request about the fdb means.
 *
 * The grammar has checked the form of every parameter; what is checked here
 * is that bridge, port and VLAN fit together.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/clock.h"
#include "switch/control/fdb_match.h"

uint32_t fdb_match_now(void)
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

static int check_bridge(const struct fdb_match *m, struct err *e)
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

int fdb_match_read(struct fdb_match *m, struct sw *sw,
    struct json_object *params, uint8_t kinds, struct err *e)
{
	const char *mac = port_param_str(params, "mac", NULL);
	const char *port = port_param_str(params, "port", NULL);
	const char *bridge = port_param_str(params, "bridge", NULL);

	*m = (struct fdb_match){.has_mac = mac != NULL,
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

bool fdb_match_entry(const struct fdb_match *m, const struct fdb_entry *entry)
{
	return (!m->bp || entry->port == m->bp->port->no) &&
	       (!m->has_mac || fdb_key_mac(entry->key) == m->mac) &&
	       (m->net == FDB_NET_ANY || fdb_key_net(entry->key) == m->net) &&
	       m->kinds & (entry->is_static ? FDB_STATIC : FDB_DYNAMIC);
}
