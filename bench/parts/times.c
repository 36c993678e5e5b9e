/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * times.c - many times, of which the percentiles are wanted.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/parts/times.h"
#include "switch/base/clock.h"

static const double percentile[] = {50, 90, 99, 99.9, 99.99};

bool times_open(struct times *t)
{
	t->n = 0;
	t->cycles = malloc(TIMES_MAX * sizeof(*t->cycles));
	return t->cycles;
}

void times_close(struct times *t)
{
	free(t->cycles);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The time that @above others lie above, in ns. */
static double ns(const struct times *t, unsigned above)
{
	return (double)t->cycles[t->n - 1 - above] * 1000 /
	       (double)clock_cycles_per_us();
}

void times_print(struct times *t, bool readable)
{
	if (!t->n)
		return;
	qsort(t->cycles, t->n, sizeof(*t->cycles), compare);
	for (unsigned i = 0; i < sizeof(percentile) / sizeof(*percentile);
	     i++) {
		unsigned above =
		    (unsigned)((double)t->n * (100 - percentile[i]) / 100);

		if (readable)
			printf("%-5g %%  ", percentile[i]);
		if (above)
			printf("%.0f", ns(t, above));
		else
			putchar('-');
		fputs(readable ? " ns\n" : " ", stdout);
	}
	printf(readable ? "max      %.0f ns\n" : "%.0f", ns(t, 0));
}
