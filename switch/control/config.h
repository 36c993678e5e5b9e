/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.h - the configuration: the swctl lines that reproduce the switch.
 *
 *	text ─► struct config (wanted) ─┐
 *	model ─► struct config (present) ┴► steps ─► methods ─► model
 *
 * A file describes a state and is not a script: it is read to its end before
 * anything changes, then the switch goes from the present to the wanted state
 * by the fewest changes, and back if one of them fails.  It starts from a
 * switch with bridge br0 alone, which the file may declare in its own way
 * (`bridge add br0 fdb-size 1000000`).  A file without `worker` lines leaves
 * the workers as they are, and what is set of all of them.
 *
 * Threads: control.
 */
#ifndef SWITCH_CONFIG_H
#define SWITCH_CONFIG_H

#include <stdbool.h>

#include "switch/switch.h"

enum { CONFIG_FILE_MAX = 16 << 20 }; /* bytes */

/* In the order in which they can be created. */
enum config_kind {
	CONFIG_WORKER,	/* key: its cpu */
	CONFIG_WORKERS, /* what all have in common; key: "" */
	CONFIG_BRIDGE,	/* key: its name */
	CONFIG_PORT,	/* key: its name */
	CONFIG_FDB,	/* a static entry; key: "bridge vlan mac" */
	CONFIG_MOVE,	/* of queues; key: their port (config_move.h) */
};

struct config_item {
	enum config_kind kind;
	char *key;
	struct json_object *params; /* of the method that creates it */
	unsigned line;		    /* of the text; 0: by itself */
	unsigned id;		    /* of a present worker */
};

struct config {
	struct config_item *item;
	unsigned n, size;
	struct json_object *index; /* "kind key" -> position */
};

/* Reads lines of @text to @config, which starts zeroed and is to be closed in
 * any case.  Errors begin with "WHERE:LINE: ", or "line LINE: " if @where is
 * NULL. */
int config_parse(
    struct config *config, const char *text, const char *where, struct err *e);

/* Reads the model to @config, likewise.  -ENOMEM. */
int config_read_model(struct config *config, struct sw *sw, struct err *e);

void config_close(struct config *config);

/* The item of @kind and @key, or NULL. */
struct config_item *config_find(
    const struct config *config, enum config_kind kind, const char *key);

/* How many workers there are in @config. */
unsigned config_count_workers(const struct config *config);

/* The worker of @other that @item of @have is: a core may have several, of
 * which the first so many of each side are the same.  NULL: none is. */
const struct config_item *config_same_worker(const struct config *other,
    const struct config *have, const struct config_item *item);

/* Adds an item; takes @params over in any case.  NULL: no memory. */
struct config_item *config_add(struct config *config, enum config_kind kind,
    const char *key, struct json_object *params, unsigned line);

/* Brings the model to the state of @text: all or nothing.  Returns how many
 * changes it took. */
int config_apply(
    struct sw *sw, const char *text, const char *where, struct err *e);

/* Applies what is in @file. */
int config_load(struct sw *sw, const char *file, struct err *e);

/* The line that reproduces a bridge or port, the caller's to free.  NULL: a
 * bridge that needs none, or no memory. */
char *config_bridge_line(struct json_object *params);
char *config_port_line(struct json_object *params);

/* Puts "WHERE:LINE: " before the sentence in @e. */
void config_err_place(struct err *e, const char *where, unsigned line);

#endif
