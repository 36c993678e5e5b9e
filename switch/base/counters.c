/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters.c - names and sums of what happened to every frame.
 */
#include <stddef.h>

#include "switch/base/counters.h"

enum { rx = 1, tx = 0 };

static const struct {
	const char *name;
	int is_rx;
} reasons[DROP_N] = {
#define X(id, name, dir) [DROP_##id] = {name, dir},
    DROP_REASONS(X)
#undef X
};

const char *drop_name(enum drop_reason why)
{
	return reasons[why].name;
}

int drop_is_rx(enum drop_reason why)
{
	return reasons[why].is_rx;
}

void counters_add(struct counters *to, const struct counters *from)
{
	const uint64_t *f = (const uint64_t *)from;
	uint64_t *t = (uint64_t *)to;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*t); i++)
		t[i] += f[i];
}
