/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover_counters.c - what was counted, on its way to another process.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "switch/bridge.h"
#include "switch/takeover_counters.h"

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
#define FIELD(name)                                                            \
	{                                                                      \
#name, offsetof(struct counters, name)                         \
	}
    FIELD(rx_packets),
    FIELD(rx_bytes),
    FIELD(tx_packets),
    FIELD(tx_bytes),
    FIELD(tx_copied),
    FIELD(tx_segments),
    FIELD(tx_merged),
    FIELD(passed_through),
    FIELD(flooded),
#undef FIELD
};

static_assert(offsetof(struct counters, drops) ==
		  sizeof(fields) / sizeof(fields[0]) * sizeof(uint64_t),
    "every counter goes along");

static uint64_t *field(struct counters *c, size_t i)
{
	return (uint64_t *)((char *)c + fields[i].offset);
}

static struct json_object *describe(struct counters *c)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (*field(c, i))
			port_show_u64(o, fields[i].name, *field(c, i));
	for (unsigned why = 0; why < DROP_N; why++)
		if (c->drops[why])
			port_show_u64(o, drop_name(why), c->drops[why]);
	return o;
}

static void read_back(struct counters *c, struct json_object *from)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		*field(c, i) += handover_u64(from, fields[i].name);
	for (unsigned why = 0; why < DROP_N; why++)
		c->drops[why] += handover_u64(from, drop_name(why));
}

int counters_export(struct sw *sw, struct json_object *to, struct err *e)
{
	struct counters *sum = calloc(SWITCH_PORTS_MAX, sizeof(*sum));
	struct json_object *ports = json_object_new_object();
	struct json_object *gone = json_object_new_object();

	json_object_object_add(to, "counters", ports);
	json_object_object_add(to, "counters_gone", gone);
	if (!sum)
		return err_set(e, -ENOMEM, "no memory for counters");
	switch_read_counters(sw, sum);
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		struct bridge_port *bp = sw->port[no];
		struct json_object *o = bp ? describe(&sum[no]) : NULL;

		if (!bp)
			continue;
		port_show_str(o, "bridge", bp->bridge->name);
		json_object_object_add(ports, bp->port->name, o);
	}
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i])
			json_object_object_add(gone, sw->bridge[i]->name,
			    describe(&sw->bridge[i]->gone));
	free(sum);
	return 0;
}

/* To what port @name counted, what it will count is added as after the end of a
 * worker.  One that is not here has left its bridge. */
static struct counters *before(
    struct sw *sw, const char *name, struct json_object *counted)
{
	struct bridge_port *bp = bridge_port_find(sw, name, NULL);
	struct counters **c = bp ? &sw->retired[bp->port->no] : NULL;
	struct bridge *bridge;

	if (c && !*c)
		*c = calloc(1, sizeof(**c));
	if (c)
		return *c;
	bridge = bridge_find(sw, port_param_str(counted, "bridge", ""), NULL);
	return bridge ? &bridge->gone : NULL;
}

int counters_import(struct sw *sw, struct json_object *from, struct err *e)
{
	struct json_object *ports, *gone;

	if (!json_object_object_get_ex(from, "counters", &ports) ||
	    !json_object_object_get_ex(from, "counters_gone", &gone))
		return err_set(e, -EPROTO, "the counters are missing");
	json_object_object_foreach (ports, name, counted) {
		struct counters *c = before(sw, name, counted);

		if (c)
			read_back(c, counted);
	}
	json_object_object_foreach (gone, bridge_name, lost) {
		struct bridge *bridge = bridge_find(sw, bridge_name, NULL);

		if (bridge)
			read_back(&bridge->gone, lost);
	}
	return 0;
}
