/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * params.h - the words of the administrator, kept as JSON.
 *
 * Bridges and ports keep the parameters that configured them.  Those that
 * speak of the request and not of the thing (may_exist, if_exists) are left
 * out.  Threads: control.
 */
#ifndef SWITCH_PARAMS_H
#define SWITCH_PARAMS_H

#include <json-c/json.h>

/* A copy of @params to keep; the caller's, NULL when memory is short. */
struct json_object *params_kept(struct json_object *params);

/* Takes what @params says over into @kept. */
void params_merge(struct json_object *kept, struct json_object *params);

#endif
