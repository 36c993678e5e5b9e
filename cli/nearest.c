/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nearest.c - the word that somebody probably meant.
 *
 * The distance is Damerau's: letters inserted, dropped, replaced, or swapped
 * with their neighbour.  A third of the letters may be wrong.
 */
#include <stdio.h>
#include <string.h>

#include "cli/nearest.h"
#include "switch/base/err.h"

enum { WORD_MAX = 32 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

static size_t distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), i, j;
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	for (i = 0; i <= na; i++) {
		for (j = 0; j <= nb; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = i + j;
				continue;
			}
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
			    d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[na][nb];
}

void nearest_init(struct nearest *n, const char *typed)
{
	*n = (struct nearest){.typed = typed, .distance = WORD_MAX};
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	size_t d = distance(n->typed, candidate);
	size_t used = strlen(n->offered);

	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
	if (used + strlen(candidate) + 3 < sizeof(n->offered))
		snprintf(n->offered + used, sizeof(n->offered) - used, "%s%s",
		    used ? ", " : "", candidate);
}

void nearest_hint(const struct nearest *n, struct err *e)
{
	if (n->best && n->distance <= (strlen(n->best) + 2) / 3)
		err_hint(e, "did you mean \"%s\"?", n->best);
	else if (n->best)
		err_hint(e, "one of %s", n->offered);
}
