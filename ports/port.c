/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.c - the registry of port types, and what all of them share.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ports/null.h"
#include "ports/pipe/pipe.h"
#include "ports/port.h"
#include "ports/tap/tap.h"
#include "ports/vhost/vhost.h"
#include "ports/xdp/xdp.h"

static const struct port_ops *const drivers[] = {
    &vhost_port_ops,
    &xdp_port_ops,
    &tap_port_ops,
    &pipe_port_ops,
    &null_port_ops,
};

const struct port_ops *port_driver(const char *type)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (!strcmp(drivers[i]->type, type))
			return drivers[i];
	return NULL;
}

struct json_object *port_types_inheritable(void)
{
	struct json_object *types = json_object_new_array();

	for (size_t i = 0; i < sizeof(drivers) / sizeof(*drivers); i++)
		if (drivers[i]->import_state)
			json_object_array_add(
			    types, json_object_new_string(drivers[i]->type));
	return types;
}

const char *port_state_name(enum port_state state)
{
	static const char *const names[] = {[PORT_DOWN] = "down",
	    [PORT_WAIT] = "wait",
	    [PORT_UP] = "up",
	    [PORT_BROKEN] = "broken"};

	return names[state];
}

void port_set_state(
    struct port *port, enum port_state state, const char *reason_fmt, ...)
{
	va_list ap;

	port->state = state;
	port->reason[0] = '\0';
	if (!reason_fmt)
		return;
	va_start(ap, reason_fmt);
	vsnprintf(port->reason, sizeof(port->reason), reason_fmt, ap);
	va_end(ap);
}

struct json_object *port_offload_names(uint8_t bits)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {{OFFLOAD_CSUM, "csum"}, {OFFLOAD_TSO4, "tso4"},
	    {OFFLOAD_TSO6, "tso6"}, {OFFLOAD_ECN, "ecn"}, {OFFLOAD_USO, "uso"}};
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (bits & names[i].bit)
			json_object_array_add(
			    list, json_object_new_string(names[i].name));
	return list;
}

void port_show_str(struct json_object *out, const char *key, const char *value)
{
	json_object_object_add(out, key, json_object_new_string(value));
}

void port_show_u64(struct json_object *out, const char *key, uint64_t value)
{
	json_object_object_add(out, key, json_object_new_uint64(value));
}

void port_show_bool(struct json_object *out, const char *key, bool value)
{
	json_object_object_add(out, key, json_object_new_boolean(value));
}

void port_rx_done_owned(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	(void)port;
	(void)q;
	for (unsigned i = 0; i < b->n; i++)
		if (!(b->f[i].flags & FRAME_TAKEN))
			pool_put_frame(w->pool, &b->f[i]);
}

void port_disarm_none(struct port *port, unsigned q)
{
	(void)port;
	(void)q;
}

int64_t port_param_int(
    struct json_object *params, const char *key, int64_t otherwise)
{
	struct json_object *v;

	if (!json_object_object_get_ex(params, key, &v))
		return otherwise;
	return json_object_get_int64(v);
}

bool port_param_bool(
    struct json_object *params, const char *key, bool otherwise)
{
	struct json_object *v;

	if (!json_object_object_get_ex(params, key, &v))
		return otherwise;
	return json_object_get_boolean(v);
}

const char *port_param_str(
    struct json_object *params, const char *key, const char *otherwise)
{
	struct json_object *v;

	if (!json_object_object_get_ex(params, key, &v))
		return otherwise;
	return json_object_get_string(v);
}
