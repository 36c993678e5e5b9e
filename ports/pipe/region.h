/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.h - the memory that a pipe's two ends share, in regions.
 *
 * In the server role the regions are the application's: each is distrusted and
 * mapped as peer/mapping.h says, and refused if its file can become shorter,
 * unless the port trusts its application.  In the client role there is one,
 * ours, sealed at its size; nothing else lies in it than this pipe's rings and
 * buffers.
 *
 * A place in a region becomes a pointer in pipe_memory_at() and nowhere else.
 *
 * Life: open; add or make; immutable once a queue that uses it is live; freed
 * after the grace period.
 * Ownership: descriptors handed in stay the caller's.
 * Threads: pipe_memory_at() any; everything else control.
 */
#ifndef PORTS_PIPE_REGION_H
#define PORTS_PIPE_REGION_H

#include "ports/peer/guard.h"

enum { PIPE_REGIONS_MAX = 256 };

struct pipe_region {
	uint8_t __peer *at;
	uint64_t size; /* bytes */
};

struct pipe_memory {
	struct guard guard; /* whose on_broken and owner the port sets */
	unsigned n;
	int fd; /* of the region that is ours, -1: none is */
	struct pipe_region region[PIPE_REGIONS_MAX];
	struct mapping map[PIPE_REGIONS_MAX];
};

/* Memory without a region; NULL: no memory for it. */
struct pipe_memory *pipe_memory_open(void);

/* Unmaps everything.  No queue uses it any more.  Accepts NULL. */
void pipe_memory_close(struct pipe_memory *m);

/* Maps the first @size bytes of @fd as the next region.  -EPERM if it can
 * become shorter and is not @trusted, -ENOSPC if it is one too many, else as
 * mapping_open(). */
int pipe_memory_add(
    struct pipe_memory *m, int fd, uint64_t size, bool trusted, struct err *e);

/* Makes the one region that is ours, of @size bytes, zeroed; m->fd is what the
 * peer needs.  Pages come into being when they are touched. */
int pipe_memory_make(struct pipe_memory *m, uint64_t size, struct err *e);

/* [offset, offset + len) of region @no, or NULL if not all of it is there. */
static inline uint8_t __peer *pipe_memory_at(
    const struct pipe_memory *m, unsigned no, uint32_t offset, uint64_t len)
{
	if (__builtin_expect(
		no >= m->n || m->region[no].size < offset + len, 0))
		return NULL;
	return m->region[no].at + offset;
}

#endif
