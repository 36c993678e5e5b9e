/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * times.h - many times, of which the percentiles are wanted.
 *
 * Life: open, add, print, close.  Threads: one.
 */
#ifndef BENCH_PARTS_TIMES_H
#define BENCH_PARTS_TIMES_H

#include <stdbool.h>
#include <stdint.h>

enum { TIMES_MAX = 1 << 24 };

struct times {
	uint32_t *cycles;
	unsigned n;
};

/* False: there is not enough memory. */
bool times_open(struct times *t);
void times_close(struct times *t);

/* Adds one of @cycles, if there is room. */
static inline void times_add(struct times *t, uint64_t cycles)
{
	if (t->n < TIMES_MAX)
		t->cycles[t->n++] =
		    cycles < UINT32_MAX ? (uint32_t)cycles : UINT32_MAX;
}

/* Prints the percentiles 50, 90, 99, 99.9 and 99.99 and the maximum in ns, in
 * one line without its end, or @readable; "-" for one that no time lies above,
 * and nothing at all if there are no times. */
void times_print(struct times *t, bool readable);

#endif
