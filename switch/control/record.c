/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - the flat JSON objects that methods answer with.
 *
 * json-c is told that keys are constants and new, which spares a copy and a
 * search for each: most of the time of `port show` with a thousand ports.
 */
#include <inttypes.h>
#include <stdio.h>

#include "switch/base/counters.h"
#include "switch/base/eth.h"
#include "switch/control/record.h"

void record_json(
    struct json_object *to, const char *key, struct json_object *value)
{
	json_object_object_add_ex(to, key, value,
	    JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

void record_str(struct json_object *to, const char *key, const char *value)
{
	record_json(to, key, json_object_new_string(value));
}

void record_uint(struct json_object *to, const char *key, uint64_t value)
{
	record_json(to, key, json_object_new_uint64(value));
}

void record_bool(struct json_object *to, const char *key, bool value)
{
	record_json(to, key, json_object_new_boolean(value));
}

void record_fraction(struct json_object *to, const char *key, double value)
{
	record_json(to, key,
	    json_object_new_double(
		(double)(uint64_t)(value * 1e4 + 0.5) / 1e4));
}

void record_mac(struct json_object *to, const char *key, uint64_t mac)
{
	char text[18];
	uint8_t b[ETH_ADDR_LEN];

	eth_mac_put(b, mac);
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", b[0],
	    b[1], b[2], b[3], b[4], b[5]);
	record_str(to, key, text);
}

void record_counters(struct json_object *to, const struct counters *counters)
{
	struct json_object *drops = json_object_new_object();
	uint64_t rx = 0, tx = 0;

	for (enum drop_reason why = 0; why < DROP_N; why++) {
		*(drop_is_rx(why) ? &rx : &tx) += counters->drops[why];
		if (counters->drops[why])
			record_uint(
			    drops, drop_name(why), counters->drops[why]);
	}
	record_uint(to, "rx_packets", counters->rx_packets);
	record_uint(to, "rx_bytes", counters->rx_bytes);
	record_uint(to, "rx_dropped", rx);
	record_uint(to, "tx_packets", counters->tx_packets);
	record_uint(to, "tx_bytes", counters->tx_bytes);
	record_uint(to, "tx_dropped", tx);
	record_uint(to, "tx_copied", counters->tx_copied);
	record_uint(to, "tx_segments", counters->tx_segments);
	record_uint(to, "tx_merged", counters->tx_merged);
	record_uint(to, "passed_through", counters->passed_through);
	record_uint(to, "flooded", counters->flooded);
	record_json(to, "drops", drops);
}
