/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_diff.h - in what two bridges, or two ports, of one name differ.
 *
 * Life: open, close.  Threads: control.
 */
#ifndef SWITCH_CONFIG_DIFF_H
#define SWITCH_CONFIG_DIFF_H

#include "switch/control/config.h"

struct config_diff {
	bool any;
	bool settable; /* `set` with @to is enough, @back undoes */
	struct json_object *to, *back;
};

/* Compares two bridges or two ports. */
void config_diff_open(struct config_diff *d, const struct config_item *present,
    const struct config_item *wanted);

void config_diff_close(struct config_diff *d);

/* An object with the member @key of @params alone; the caller's. */
struct json_object *config_only(struct json_object *params, const char *key);

#endif
