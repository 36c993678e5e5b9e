/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover_counters.h - what was counted, on its way to another process.
 *
 * By the names that `stats` has for it, so that a reason to drop which only
 * one of the two knows is lost and nothing else is taken for it.
 *
 * Threads: control.
 */
#ifndef SWITCH_TAKEOVER_COUNTERS_H
#define SWITCH_TAKEOVER_COUNTERS_H

#include "switch/switch.h"

/* Adds to @to what every port and, of ports that left, every bridge counted. */
int counters_export(struct sw *sw, struct json_object *to, struct err *e);

/* Goes on from there, where there is a port or bridge of that name. */
int counters_import(struct sw *sw, struct json_object *from, struct err *e);

#endif
