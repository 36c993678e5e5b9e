/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waited.c - how long threads have waited for a cpu: what other programs took.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static void files_of(int pid, char pattern[64])
{
	snprintf(pattern, 64, "/proc/%d/task/*/schedstat", pid);
}

uint64_t waited_ns(int pid)
{
	char pattern[64];

	if (!pid)
		return waited_of("/proc/self/task/*/schedstat");
	files_of(pid, pattern);
	return waited_of("/proc/self/task/*/schedstat") + waited_of(pattern);
}

void waited_open(struct waited *w, int pid)
{
	char pattern[64];
	glob_t tasks;

	w->n = 0;
	files_of(pid, pattern);
	if (!pid || glob(pattern, 0, NULL, &tasks))
		return;
	for (size_t i = 0; i < tasks.gl_pathc && w->n < WAITED_THREADS_MAX;
	     i++) {
		int fd = open(tasks.gl_pathv[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			w->fd[w->n++] = fd;
	}
	globfree(&tasks);
}

uint64_t waited_ask(const struct waited *w)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < w->n; i++) {
		char text[64], *second;
		ssize_t n = pread(w->fd[i], text, sizeof(text) - 1, 0);

		if (n <= 0)
			continue;
		text[n] = '\0';
		strtoull(text, &second, 10);
		sum += strtoull(second, NULL, 10);
	}
	return sum;
}

void waited_close(struct waited *w)
{
	while (w->n)
		close(w->fd[--w->n]);
}
