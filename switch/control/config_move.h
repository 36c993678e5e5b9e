/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_move.h - which queues are moved to which worker, in a configuration.
 *
 * A port of which somebody moved a queue has one item, {"port": NAME,
 * "workers": [..]}: for each of PORT_QUEUES_MAX queues its worker or -1.
 * In the model a worker is known by its id.  In a text with `worker add`
 * lines it is known by its place among them, from 0, which is the id that it
 * has after a fresh start; a text without them speaks of the present ids.
 * A code means the same worker in both: "the k-th on cpu c" as one number.
 *
 * Threads: control.
 */
#ifndef SWITCH_CONFIG_MOVE_H
#define SWITCH_CONFIG_MOVE_H

#include "switch/control/config.h"

struct bridge_port;

struct config_numbering {
	int code[SWITCH_WORKERS_MAX]; /* by number; -1: no such worker */
};

/* Takes the parameters of a `worker move` over to the item of its port.
 * -ENOMEM. */
int config_move_note(
    struct config *config, struct json_object *params, unsigned line);

/* Adds the item of @bp, if queues of it are moved.  -ENOMEM. */
int config_move_read(struct config *config, const struct bridge_port *bp);

typedef int config_move_fn(struct json_object *params, void *arg);

/* Calls @fn with the parameters of each `worker move` that @bp's queues need
 * after a fresh start; they are not @fn's to keep.  Returns what made @fn
 * fail, or 0. */
int config_move_list(const struct sw *sw, const struct bridge_port *bp,
    config_move_fn *fn, void *arg);

/* Finds out which worker each number in @config stands for. */
void config_move_number(
    struct config_numbering *numbering, const struct config *config);

/* Parameters of config_move_run(), the caller's: what @item says, or to leave
 * all queues of @port to the switch.  NULL: @item names a worker that is not
 * there, with a sentence. */
struct json_object *config_move_coded(const struct config_item *item,
    const struct config_numbering *numbering, struct err *e);
struct json_object *config_move_none(const char *port);

/* Moves the queues of a port as @params say, and leaves those of which they
 * say nothing to the switch. */
int config_move_run(struct sw *sw, struct json_object *params, struct err *e);

#endif
