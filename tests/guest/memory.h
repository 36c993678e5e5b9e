/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.h - the memory of a guest, made to be shared and to be spied on.
 *
 * A guest address means three things, and mixing them up is a classic fault
 * of back ends, so that here no two of them are ever equal:
 *
 *	gpa	guest-physical: in descriptors           ascending by region
 *	uva	the front end's: in ring addresses       descending by region
 *	local	where this process sees it: a pointer    wherever mmap put it
 *
 * Every region lies in a memfd of its own, between two canary pages that the
 * back end can reach (they belong to the file) but was never told of:
 *
 *	file  | canary | region ...................... | canary |
 *	      0        offset = mmap offset            offset + size
 *
 * Life: init, add regions, alloc; alloc never gives back, fini frees all.
 * Threads: one at a time; peers write to it at any moment.
 * Ownership: the memory owns descriptors and mappings.  Hostile tests may
 * write to any member before the regions are announced.
 */
#ifndef TESTS_GUEST_MEMORY_H
#define TESTS_GUEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	GUEST_PAGE = 4096,
	GUEST_REGIONS_MAX = 520, /* more than a back end can have slots */
};

enum guest_memory_flag {
	GUEST_UNSEALABLE = 1 << 0, /* without MFD_ALLOW_SEALING */
	GUEST_SEALED = 1 << 1,	   /* against change of size, as QEMU does */
};

struct guest_region {
	int fd;
	uint64_t gpa, uva, size;
	uint64_t offset;   /* of the region in the file: the mmap offset */
	uint8_t *base;	   /* the region's first byte, local */
	uint64_t used;	   /* bytes that guest_memory_alloc() gave away */
	uint8_t *map;	   /* the whole file */
	uint64_t map_size; /* bytes */
};

struct guest_memory {
	unsigned n;
	unsigned next; /* region that the next allocation tries first */
	struct guest_region region[GUEST_REGIONS_MAX];
};

/* Makes @m empty. */
void guest_memory_init(struct guest_memory *m);

/* Unmaps and closes all regions of @m. */
void guest_memory_fini(struct guest_memory *m);

/* Adds a region of @size bytes (whole pages) at the next free addresses, with
 * a hole of guest-physical addresses before it; @flags is a set of
 * guest_memory_flag.  Returns the region, the memory's own; NULL if the
 * system or the table is full. */
struct guest_region *guest_memory_add(
    struct guest_memory *m, uint64_t size, int flags);

/* The same at guest-physical address @gpa, for instance right behind another
 * region, so that a buffer may cross from one file into the next. */
struct guest_region *guest_memory_add_at(
    struct guest_memory *m, uint64_t gpa, uint64_t size, int flags);

/* Allocates @size bytes aligned to @align (a power of two), each call from the
 * region after the last one's, so that buffers are spread over all regions.
 * Returns the gpa, or 0 when no region has room. */
uint64_t guest_memory_alloc(
    struct guest_memory *m, uint64_t size, uint64_t align);

/* Where [gpa, gpa + len) is seen locally; NULL if it is not in one region. */
void *guest_memory_at(const struct guest_memory *m, uint64_t gpa, uint64_t len);

/* The front end's address of @gpa; 0 if it is in no region. */
uint64_t guest_memory_uva(const struct guest_memory *m, uint64_t gpa);

/* Copies @len bytes to or from @gpa, across regions if need be.  False: some
 * of the range is in no region. */
bool guest_memory_write(
    const struct guest_memory *m, uint64_t gpa, const void *from, uint64_t len);
bool guest_memory_read(
    const struct guest_memory *m, uint64_t gpa, void *to, uint64_t len);

/* Whether every canary byte of every region still has its value. */
bool guest_memory_canaries_intact(const struct guest_memory *m);

#endif
