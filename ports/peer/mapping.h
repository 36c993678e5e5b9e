/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping.h - a file of memory that a peer hands over, in our address space.
 *
 * A peer may pass any descriptor: a file on a FUSE file system that never
 * answers, a pipe, a memfd one page long.  Nothing is mapped before the kind
 * and the length of the file are known, and the length is looked at after the
 * file was sealed, so that it cannot shrink in between.
 *
 * The file stays open as long as it is mapped: a process that takes this one's
 * place maps it again (ports/handover.h).
 *
 * Life: open ──► (guard.h) ──► close.  Threads: control.
 * Ownership: the descriptor handed in stays the caller's; the mapping has one
 * of its own.
 */
#ifndef PORTS_PEER_MAPPING_H
#define PORTS_PEER_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/err.h"
#include "switch/base/shared.h"

struct mapping {
	uint8_t __peer *at; /* the first byte that was asked for */
	void *start;	    /* what mmap returned, and how much of it */
	uint64_t size;
	uint64_t page;	 /* bytes in which it can be replaced */
	uint64_t offset; /* of the first byte in the file ... */
	int fd;		 /* ... of this descriptor */
};

/* Maps [offset, offset + size), which does not wrap, of @fd.  -EMEDIUMTYPE if
 * that is not a file on tmpfs or hugetlbfs, -EINVAL if it is too short, else
 * what the kernel said, with a sentence. */
int mapping_open(
    struct mapping *map, int fd, uint64_t offset, uint64_t size, struct err *e);

/* Whether nobody can make the file of @fd shorter.  Seals it against that if
 * it may be sealed. */
bool mapping_seal(int fd);

/* Unmaps it, and closes its descriptor. */
void mapping_close(const struct mapping *map);

#endif
