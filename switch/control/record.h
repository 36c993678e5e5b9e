/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - the flat JSON objects that methods answer with.
 *
 * Keys are string constants, each added once, in the order of reading.
 * Threads: any.
 */
#ifndef SWITCH_RECORD_H
#define SWITCH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

struct counters;

void record_json(
    struct json_object *to, const char *key, struct json_object *value);
void record_str(struct json_object *to, const char *key, const char *value);
void record_uint(struct json_object *to, const char *key, uint64_t value);
void record_bool(struct json_object *to, const char *key, bool value);

/* A number of which nobody reads more than four digits after the point. */
void record_fraction(struct json_object *to, const char *key, double value);

/* "02:00:00:00:00:01". */
void record_mac(struct json_object *to, const char *key, uint64_t mac);

/* rx_packets .. tx_dropped, tx_copied .. flooded, and the reasons that occurred. */
void record_counters(struct json_object *to, const struct counters *counters);

#endif
