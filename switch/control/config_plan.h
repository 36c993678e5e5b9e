/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_plan.h - from one state to another by the fewest changes.
 *
 * What differs in keys that can be set is set; what differs in others is
 * deleted and added again, with all that stands on it.  The rest is not
 * touched.  Every step knows how it is undone.
 *
 * Threads: control.
 */
#ifndef SWITCH_CONFIG_PLAN_H
#define SWITCH_CONFIG_PLAN_H

#include "switch/control/config.h"

struct config_step {
	unsigned phase, seq; /* order */
	const char *method, *undo;
	struct json_object *params, *undo_params;
	unsigned line; /* that wants it; 0: none */
};

struct config_plan {
	struct config_step *step;
	unsigned n, size;
	bool failed; /* no memory */
};

/* Finds the steps from @present to @wanted, the state that the text of @where
 * describes.  -ENOMEM, or -ENOENT: it speaks of a worker that will not be
 * there.  The plan, which starts zeroed, is to be closed in any case. */
int config_plan_make(struct config_plan *plan, const struct config *present,
    const struct config *wanted, const char *where, struct err *e);

/* Does them.  If one fails, those before it are undone, and the sentence
 * begins with its place, as of config_parse(). */
int config_plan_run(
    struct config_plan *plan, struct sw *sw, const char *where, struct err *e);

void config_plan_close(struct config_plan *plan);

#endif
