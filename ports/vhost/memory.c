/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - mapping what a peer says is guest memory.
 *
 * The list of regions is checked as a whole, each mapped once (mapping.h), and
 * guarded for every map that it is part of.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ports/vhost/memory.h"
#include "switch/base/quiesce.h"

/* Whether [a, a + a_size) and [b, b + b_size), which do not wrap, meet. */
static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* A range that is not empty and ends below 2^64. */
static bool is_range(uint64_t start, uint64_t size)
{
	return size && start <= UINT64_MAX - size;
}

static int check_region(const struct vhost_region_msg *msg, struct err *e)
{
	if (!msg->size)
		return err_set(e, -EINVAL, "a memory region is empty");
	if (!is_range(msg->guest, msg->size) || !is_range(msg->user, msg->size))
		return err_set(e, -EINVAL,
		    "a memory region of %#" PRIx64 " bytes at %#" PRIx64
		    " wraps",
		    msg->size, msg->guest);
	if (!is_range(msg->mmap_offset, msg->size))
		return err_set(e, -EINVAL,
		    "a memory region of %#" PRIx64
		    " bytes at file offset %#" PRIx64 " wraps",
		    msg->size, msg->mmap_offset);
	return 0;
}

static int map_region(struct vhost_region *r,
    const struct vhost_region_msg *msg, int fd, struct err *e)
{
	struct mapping map;
	int rc = mapping_open(&map, fd, msg->mmap_offset, msg->size, e);

	if (rc)
		return rc;
	*r = (struct vhost_region){
	    .guest = msg->guest,
	    .size = msg->size,
	    .user = msg->user,
	    .host = map.at,
	    .map = map,
	    .n_added = 1,
	};
	return 0;
}

static struct vhost_region *find_region(
    struct vhost_memory *m, const struct vhost_region_msg *msg)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct vhost_region *r = &m->region[i];

		if (r->guest == msg->guest && r->user == msg->user &&
		    r->size == msg->size)
			return r;
	}
	return NULL;
}

static void drop_region(struct vhost_memory *m, struct vhost_region *r)
{
	m->n--;
	memmove(r, r + 1, (&m->region[m->n] - r) * sizeof(*r));
}

/* A front end that reuses the place of a region which it has removed, if not
 * as often as added, has forgotten about the rest. */
static void drop_doomed(
    struct vhost_memory *m, const struct vhost_region_msg *msg)
{
	for (unsigned i = m->n; i--;) {
		struct vhost_region *r = &m->region[i];

		if (r->doomed &&
		    overlaps(msg->guest, msg->size, r->guest, r->size))
			drop_region(m, r);
	}
}

/* Puts @r where it belongs by guest address; -EINVAL if that is taken. */
static int insert_region(
    struct vhost_memory *m, const struct vhost_region *r, struct err *e)
{
	unsigned at = m->n;

	for (unsigned i = 0; i < m->n; i++)
		if (overlaps(r->guest, r->size, m->region[i].guest,
			m->region[i].size))
			return err_set(e, -EINVAL,
			    "memory regions at %#" PRIx64 " and %#" PRIx64
			    " overlap",
			    m->region[i].guest, r->guest);
	while (at && m->region[at - 1].guest > r->guest)
		at--;
	memmove(&m->region[at + 1], &m->region[at],
	    (m->n - at) * sizeof(m->region[0]));
	m->region[at] = *r;
	m->n++;
	return 0;
}

static int add_region(struct vhost_memory *m,
    const struct vhost_region_msg *msg, int fd, struct err *e)
{
	struct vhost_region r, *same = find_region(m, msg);
	int rc;

	if (same && !same->doomed) {
		same->n_added++;
		return 0;
	}
	rc = check_region(msg, e);
	if (!rc)
		rc = map_region(&r, msg, fd, e);
	if (rc)
		return rc;
	if (same)
		r.n_added += same->n_added;
	drop_doomed(m, msg);
	rc = insert_region(m, &r, e);
	if (rc)
		mapping_close(&r.map);
	return rc;
}

/* Room for @n regions, and those of @from in it. */
static struct vhost_memory *inherit(
    const struct vhost_memory *from, unsigned n, struct err *e)
{
	struct vhost_memory *m =
	    calloc(1, sizeof(*m) + n * sizeof(m->region[0]));

	if (!m) {
		err_set(e, -ENOMEM, "no memory for a map of guest memory");
		return NULL;
	}
	if (!from)
		return m;
	m->guard.on_broken = from->guard.on_broken;
	m->guard.owner = from->guard.owner;
	m->n = from->n;
	memcpy(m->region, from->region, from->n * sizeof(from->region[0]));
	return m;
}

/* Guards all of @m, and takes over what happened to @from meanwhile. */
static int guard(
    struct vhost_memory *m, const struct vhost_memory *from, struct err *e)
{
	for (unsigned i = 0; i < m->n; i++)
		if (guard_add(&m->guard, &m->region[i].map)) {
			guard_remove(&m->guard);
			quiesce_wait(); /* a handler may be at it */
			return err_set(
			    e, -ENOMEM, "no memory to guard guest memory");
		}
	if (from && guard_is_broken(&from->guard))
		guard_break(&m->guard);
	return 0;
}

static const struct vhost_region *find_map(
    const struct vhost_memory *m, const struct mapping *map)
{
	for (unsigned i = 0; m && i < m->n; i++)
		if (m->region[i].map.start == map->start)
			return &m->region[i];
	return NULL;
}

static bool shares_maps(
    const struct vhost_memory *m, const struct vhost_memory *other)
{
	for (unsigned i = 0; i < m->n; i++)
		if (find_map(other, &m->region[i].map))
			return true;
	return false;
}

/* Unmaps what @m has and @other (NULL: nothing) has not. */
static void unmap_unshared(
    const struct vhost_memory *m, const struct vhost_memory *other)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!find_map(other, &m->region[i].map))
			mapping_close(&m->region[i].map);
}

int vhost_memory_add(struct vhost_memory **m, const struct vhost_memory *from,
    const struct vhost_region_msg msg[], const int fd[], unsigned n,
    struct err *e)
{
	unsigned n_from = from ? from->n : 0;
	struct vhost_memory *heir;
	int rc = 0;

	if (n > VHOST_REGIONS_MAX - n_from)
		return err_set(e, -ENOSPC,
		    "more than %d regions of guest memory", VHOST_REGIONS_MAX);
	heir = inherit(from, n_from + n, e);
	if (!heir)
		return -ENOMEM;
	for (unsigned i = 0; !rc && i < n; i++)
		rc = add_region(heir, &msg[i], fd[i], e);
	if (!rc)
		rc = guard(heir, from, e);
	if (rc) {
		unmap_unshared(heir, from);
		free(heir);
		return rc;
	}
	*m = heir;
	return 0;
}

int vhost_memory_remove(struct vhost_memory **m,
    const struct vhost_memory *from, const struct vhost_region_msg *msg,
    struct err *e)
{
	struct vhost_memory *heir = inherit(from, from->n, e);
	struct vhost_region *r;
	int rc;

	if (!heir)
		return -ENOMEM;
	r = find_region(heir, msg);
	if (!r) {
		free(heir);
		return err_set(e, -ENOENT,
		    "no memory region of %#" PRIx64 " bytes at %#" PRIx64,
		    msg->size, msg->guest);
	}
	r->doomed = true;
	if (!--r->n_added)
		drop_region(heir, r);
	rc = guard(heir, from, e);
	if (rc) {
		free(heir);
		return rc;
	}
	*m = heir;
	return 0;
}

void vhost_memory_free(struct vhost_memory *m, struct vhost_memory *heir)
{
	if (!m)
		return;
	guard_remove(&m->guard);
	/* A worker on the heir may at this instant be taking a SIGBUS in a
	 * mapping that both share, and be about to mark this one as well. */
	if (heir) {
		quiesce_wait();
		if (shares_maps(m, heir) && guard_is_broken(&m->guard))
			guard_break(&heir->guard);
	}
	unmap_unshared(m, heir);
	free(m);
}

void __peer *vhost_memory_at_user(
    const struct vhost_memory *m, uint64_t user, uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->region[i];
		uint64_t offset = user - r->user;

		if (offset < r->size)
			return len <= r->size - offset ? r->host + offset
						       : NULL;
	}
	return NULL;
}
