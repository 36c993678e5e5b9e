/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vring_format.h - what the two formats of a virtqueue do differently.
 *
 * vring.c does what both have in common (descriptors of files, tables, kicks
 * and sleeping) and leaves the ring itself to one of these.  Nobody else
 * includes this file.
 *
 * Threads: as in vring.h.
 */
#ifndef TESTS_GUEST_VRING_FORMAT_H
#define TESTS_GUEST_VRING_FORMAT_H

#include "tests/guest/vring.h"

struct guest_vring_format {
	/* Lays the ring out in guest memory.  0 or -ENOMEM. */
	int (*alloc)(struct guest_vring *r);

	/* As the functions of vring.h, that have checked the arguments. */
	void (*restart)(struct guest_vring *r, uint16_t first);
	uint32_t (*base)(const struct guest_vring *r);
	int (*add)(struct guest_vring *r, const struct guest_buf b[],
	    unsigned n, bool indirect, uint64_t cookie);
	void (*publish)(struct guest_vring *r);
	bool (*has_used)(const struct guest_vring *r);
	bool (*reap)(struct guest_vring *r, uint64_t *cookie, uint32_t *len);

	/* Whether the device wants to hear of the last @n entries published. */
	bool (*wants_kick)(struct guest_vring *r, uint16_t n);

	/* The driver's own wish, without a fence. */
	void (*wish)(struct guest_vring *r, bool calls);
};

extern const struct guest_vring_format guest_vring_split, guest_vring_packed;

/* An address for @size bytes that is aligned to @align and to nothing larger;
 * 0: there is no room. */
uint64_t guest_vring_alloc(
    struct guest_vring *r, uint64_t size, uint64_t align);

/* The indirect table of the chain @id, GUEST_VRING_BUFS_MAX descriptors of 16
 * bytes, made when it is first needed; NULL: there is no room. */
void *guest_vring_table(struct guest_vring *r, uint16_t id);

#endif
