/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waited.c - how long threads have waited for a cpu: what other programs took.
 */
#include <glob.h>
#include <stdio.h>

#include "bench/parts/waited.h"

/* What the threads whose schedstat files match @pattern waited, in ns. */
static uint64_t waited_of(const char *pattern)
{
	unsigned long long ns, sum = 0;
	glob_t tasks;

	if (glob(pattern, 0, NULL, &tasks))
		return 0;
	for (size_t i = 0; i < tasks.gl_pathc; i++) {
		FILE *file = fopen(tasks.gl_pathv[i], "r");

		if (file && fscanf(file, "%*u %llu", &ns) == 1)
			sum += ns;
		if (file)
			fclose(file);
	}
	globfree(&tasks);
	return sum;
}

uint64_t waited_ns(int pid)
{
	char pattern[64];

	if (!pid)
		return waited_of("/proc/self/task/*/schedstat");
	snprintf(pattern, sizeof(pattern), "/proc/%d/task/*/schedstat", pid);
	return waited_of("/proc/self/task/*/schedstat") + waited_of(pattern);
}
