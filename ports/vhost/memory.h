/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.h - a guest's memory: regions, their mappings, one translation.
 *
 * A vhost-user front end hands over file descriptors of shared memory with
 * the guest-physical and the front end's own addresses at which each region
 * appears (vhost-user, "Memory region description").  A guest address becomes
 * a pointer in vhost_memory_at() and nowhere else.
 *
 * Every descriptor is distrusted: it must be a regular file on tmpfs or
 * hugetlbfs that is long enough, it is sealed against shrinking where it can
 * be, and where it cannot a SIGBUS on its pages maps zeroes in their place
 * and marks the memory as broken instead of ending the process.
 *
 * Memory is replaced, never edited: a further region makes a further map,
 * the next generation, which shares the mappings of the one before.
 *
 * Life: a struct vhost_memory is built on the control thread, is immutable
 * once a queue that uses it is live, and is freed after the grace period.
 * Ownership: it owns its mappings, or shares them with its heir; descriptors
 * stay the caller's and are not needed once mapped.
 * Threads: vhost_memory_at() any; everything else control.
 */
#ifndef PORTS_VHOST_MEMORY_H
#define PORTS_VHOST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/peer/guard.h"
#include "switch/base/err.h"

enum { VHOST_REGIONS_MAX = 509 }; /* as many as KVM has memory slots */

struct vhost_region {
	uint64_t guest;	      /* guest-physical address of its first byte */
	uint64_t size;	      /* bytes */
	uint64_t user;	      /* the front end's address of its first byte */
	uint8_t __peer *host; /* ours */
	struct mapping map;
	uint32_t n_added; /* times that it was, less those it was removed */
	bool doomed;	  /* it was removed less often than added */
};

struct vhost_memory {
	unsigned n;
	struct guard guard; /* whose on_broken and owner heirs inherit */
	struct vhost_region region[]; /* sorted by guest address */
};

/* Where [guest, guest + want) lies in our memory.  Returns the pointer and in
 * *got how many of the @want bytes are contiguous there (> 0); NULL with *got
 * untouched if the first byte is in no region.  Any thread. */
static inline uint8_t __peer *vhost_memory_at(
    const struct vhost_memory *m, uint64_t guest, uint32_t want, uint32_t *got)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->region[i];
		uint64_t offset = guest - r->guest;

		if (offset < r->size) {
			uint64_t left = r->size - offset;

			*got = left < want ? (uint32_t)left : want;
			return r->host + offset;
		}
	}
	return NULL;
}

/* A region as it arrives in SET_MEM_TABLE or ADD_MEM_REG. */
struct vhost_region_msg {
	uint64_t guest, size, user, mmap_offset;
};

/* A new map: the regions of @from (NULL: none) and @n further ones that lie
 * in fd[0..n).  The mappings of @from are shared, not repeated.  A region that
 * is there already is counted: QEMU up to 8.0 announces each one for every
 * pair of queues, and also removes it as often.  Descriptors stay the caller's.
 *  0, or with a sentence and nothing mapped: -EINVAL for
 * regions that cannot be (empty, wrapping, overlapping, past the end of the
 * file), -ENOSPC for too many, another -errno for a descriptor that is not
 * guest memory or cannot be mapped (vhost-user, "Memory access"). */
int vhost_memory_add(struct vhost_memory **m, const struct vhost_memory *from,
    const struct vhost_region_msg msg[], const int fd[], unsigned n,
    struct err *e);

/* A new map without the region that @msg names by guest address, user address
 * and size (vhost-user, VHOST_USER_REM_MEM_REG), or with it counted one less
 * if it was added more often; -ENOENT if there is none. */
int vhost_memory_remove(struct vhost_memory **m,
    const struct vhost_memory *from, const struct vhost_region_msg *msg,
    struct err *e);

/* Frees @m, which no queue uses any more, and unmaps what @heir (NULL: none),
 * which replaces it, does not share.  Accepts NULL. */
void vhost_memory_free(struct vhost_memory *m, struct vhost_memory *heir);

/* [user, user + len) of the front end's addresses, as ring addresses are
 * given (vhost-user, "A vring address description"), within one region; NULL
 * if it is not. */
void __peer *vhost_memory_at_user(
    const struct vhost_memory *m, uint64_t user, uint64_t len);

#endif
