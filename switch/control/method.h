/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * method.h - what can be asked of the switch, one function for each method.
 *
 * method_port.c has port.add and so on; the table is in rpc.c.
 * Threads: control.
 */
#ifndef SWITCH_METHOD_H
#define SWITCH_METHOD_H

#include "switch/base/counters.h"
#include "switch/control/rpc.h"

struct bridge;
struct bridge_port;
struct worker;

rpc_method_fn method_bridge_add, method_bridge_del, method_bridge_set,
    method_bridge_show;
rpc_method_fn method_port_add, method_port_del, method_port_set,
    method_port_show;
rpc_method_fn method_fdb_add, method_fdb_del, method_fdb_show, method_fdb_flush;
rpc_method_fn method_worker_add, method_worker_del, method_worker_set,
    method_worker_move, method_worker_show, method_worker_balance;
rpc_method_fn method_stats_show, method_show_picture;
rpc_method_fn method_config_show, method_config_apply;
rpc_method_fn method_monitor_subscribe;

/* One port or bridge as `show` tells it; @counters of every port, or NULL:
 * without statistics.  The caller's; NULL when memory is short. */
struct json_object *method_port_record(const struct bridge_port *bp,
    const struct counters counters[], bool details);
struct json_object *method_bridge_record(struct sw *sw,
    const struct bridge *bridge, const struct counters counters[]);

/* One worker with the queues that it serves: id, cpu, busy, state, spin, queues; a
 * queue's share is its part of the cycles that the worker's queues cost. */
struct json_object *method_worker_record(struct sw *sw, struct worker *w);

/* Whether what @params set can be set of one worker; -EINVAL if not. */
int method_worker_check_set(struct json_object *params, struct err *e);

/* What every port counted, read at once, for the caller to free(3); *counters
 * is NULL if !@wanted.  -ENOMEM. */
int method_read_counters(
    struct sw *sw, bool wanted, struct counters **counters, struct err *e);

#endif
