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

/* The same for process @pid as it is now, to be asked often (some
 * microseconds); of up to WAITED_THREADS_MAX threads.  Process 0: always 0. */
enum { WAITED_THREADS_MAX = 64 };

struct waited {
	int fd[WAITED_THREADS_MAX];
	unsigned n;
};

void waited_open(struct waited *w, int pid);
uint64_t waited_ask(const struct waited *w);
void waited_close(struct waited *w);

#endif
