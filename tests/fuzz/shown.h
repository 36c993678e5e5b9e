/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shown.h - the configuration of a switch without threads or peers, as text.
 */
#ifndef TESTS_FUZZ_SHOWN_H
#define TESTS_FUZZ_SHOWN_H

#include <stdio.h>

#include "tests/unit/fake_switch.h"

/* What `config show` prints, the caller's to free. */
static char *shown(struct sw *sw)
{
	struct json_object *lines = NULL, *v;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	rpc_call(sw, NULL, "config.show", NULL, &lines, NULL);
	for (size_t i = 0; i < json_object_array_length(lines); i++) {
		json_object_object_get_ex(
		    json_object_array_get_idx(lines, i), "line", &v);
		fprintf(f, "%s\n", json_object_get_string(v));
	}
	fclose(f);
	json_object_put(lines);
	return text;
}

/* Static entries can outlive the VLANs that they were given for; what then
 * is shown cannot be had in one go. */
static bool has_static(struct sw *sw)
{
	struct fdb_entry entry[64];
	uint64_t cursor;
	unsigned n;

	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++) {
		cursor = 0;
		while (sw->bridge[i] && cursor != FDB_DUMP_END) {
			n = fdb_dump(sw->bridge[i]->fdb, &cursor, entry, 64, 0);
			while (n--)
				if (entry[n].is_static)
					return true;
		}
	}
	return false;
}

#endif
