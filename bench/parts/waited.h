/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waited.h - how long threads have waited for a cpu: what other programs took.
 *
 * A sample during which this grew by much says nothing about what it measured.
 *
 * Threads: any.
 */
#ifndef BENCH_PARTS_WAITED_H
#define BENCH_PARTS_WAITED_H

#include <stdint.h>

/* What all threads of this process, and of process @pid unless that is 0, have
 * waited until now, in ns. */
uint64_t waited_ns(int pid);

#endif
