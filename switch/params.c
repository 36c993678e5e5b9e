/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * params.c - the words of the administrator, kept as JSON.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "switch/params.h"

static bool about_the_request(const char *key)
{
	return !strcmp(key, "may_exist") || !strcmp(key, "if_exists");
}

void params_merge(struct json_object *kept, struct json_object *params)
{
	json_object_object_foreach (params, key, value) {
		if (!about_the_request(key))
			json_object_object_add(
			    kept, key, json_object_get(value));
	}
}

struct json_object *params_kept(struct json_object *params)
{
	struct json_object *kept = json_object_new_object();

	if (kept)
		params_merge(kept, params);
	return kept;
}
