/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method_show.c - stats.show and show.picture: the whole at one glance.
 *
 * Rates cost nothing while nobody looks: they are taken over the time since
 * somebody last looked, if that is not too short to say something nor too
 * long ago to be about the present.  Who wants rates asks twice.
 */
#include <errno.h>
#include <stdlib.h>

#include "switch/base/clock.h"
#include "switch/bridge.h"
#include "switch/control/method.h"
#include "switch/control/record.h"
#include "switch/worker.h"

enum { RATE_MIN_MS = 100, RATE_MAX_MS = 10000 };

/* What a port had counted when somebody last looked. */
struct sample {
	const struct bridge_port *bp;
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* Of the process's one switch; pages of ports that do not exist stay unused. */
static struct {
	uint64_t at_ms;
	struct sample port[SWITCH_PORTS_MAX];
} last;

static void take_samples(const struct sw *sw, const struct counters counters[])
{
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		const struct counters *c = &counters[no];

		if (sw->port[no] || last.port[no].bp)
			last.port[no] =
			    (struct sample){sw->port[no], c->rx_packets,
				c->rx_bytes, c->tx_packets, c->tx_bytes};
	}
	last.at_ms = clock_ms();
}

static void record_rate(struct json_object *to, const char *key, uint64_t was,
    uint64_t is, uint64_t unit, uint64_t ms)
{
	record_uint(to, key, is > was ? (is - was) * unit * 1000 / ms : 0);
}

static void record_rates(struct json_object *to, const struct bridge_port *bp,
    const struct counters counters[], uint64_t ms)
{
	const struct sample *was = &last.port[bp->port->no];
	const struct counters *is = &counters[bp->port->no];

	if (ms < RATE_MIN_MS || ms > RATE_MAX_MS || was->bp != bp)
		return;
	record_rate(
	    to, "rx_packets_per_s", was->rx_packets, is->rx_packets, 1, ms);
	record_rate(to, "rx_bits_per_s", was->rx_bytes, is->rx_bytes, 8, ms);
	record_rate(
	    to, "tx_packets_per_s", was->tx_packets, is->tx_packets, 1, ms);
	record_rate(to, "tx_bits_per_s", was->tx_bytes, is->tx_bytes, 8, ms);
}

static struct json_object *bridges(struct sw *sw)
{
	struct json_object *a = json_object_new_array();

	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i])
			json_object_array_add(
			    a, method_bridge_record(sw, sw->bridge[i], NULL));
	return a;
}

static struct json_object *ports(
    struct sw *sw, const struct counters counters[], uint64_t ms)
{
	struct json_object *a = json_object_new_array();

	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		struct json_object *o;

		if (!sw->port[no])
			continue;
		o = method_port_record(sw->port[no], NULL, false);
		record_rates(o, sw->port[no], counters, ms);
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *workers(struct sw *sw)
{
	struct json_object *a = json_object_new_array();

	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id])
			json_object_array_add(
			    a, method_worker_record(sw, sw->worker[id]));
	return a;
}

int method_show_picture(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct counters *counters;
	uint64_t ms = clock_ms() - last.at_ms;
	int rc = method_read_counters(sw, true, &counters, e);

	(void)client;
	(void)params;
	if (rc)
		return rc;
	*result = json_object_new_object();
	record_json(*result, "bridges", bridges(sw));
	record_json(*result, "ports", ports(sw, counters, ms));
	record_json(*result, "workers", workers(sw));
	if (ms >= RATE_MIN_MS)
		take_samples(sw, counters);
	free(counters);
	return 0;
}

static struct json_object *stats_record(const char *name,
    const struct bridge_port *bp, const struct counters *counters)
{
	struct json_object *o = json_object_new_object();

	record_str(o, "name", name);
	if (bp)
		record_str(o, "bridge", bp->bridge->name);
	record_counters(o, counters);
	return o;
}

/* Ports that left are part of the total: in and out stay balanced. */
static struct json_object *total_record(
    const struct sw *sw, const struct counters counters[])
{
	struct counters sum = {0};

	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i])
			counters_add(&sum, &sw->bridge[i]->gone);
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		if (sw->port[no])
			counters_add(&sum, &counters[no]);
	return stats_record("all ports", NULL, &sum);
}

int method_stats_show(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	const char *name = port_param_str(params, "name", NULL);
	const struct bridge_port *one =
	    name ? bridge_port_find(sw, name, e) : NULL;
	struct counters *counters;
	int rc;

	(void)client;
	if (name && !one)
		return -ENOENT;
	rc = method_read_counters(sw, true, &counters, e);
	if (rc)
		return rc;
	*result = json_object_new_array();
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		if (sw->port[no] && (!one || one == sw->port[no]))
			json_object_array_add(
			    *result, stats_record(sw->port[no]->port->name,
					 sw->port[no], &counters[no]));
	if (!one)
		json_object_array_add(*result, total_record(sw, counters));
	free(counters);
	return 0;
}
