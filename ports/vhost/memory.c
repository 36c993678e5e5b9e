/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - mapping what a peer says is guest memory.
 *
 * A peer may pass any descriptor: a file on a FUSE file system that never
 * answers, a pipe, a memfd one page long.  Nothing is mapped before the kind
 * and the length of the file are known, and the length is looked at after the
 * file was sealed, so that it cannot shrink in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ports/vhost/guard.h"
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

/* Only memory may be guest memory: a file that can be waited for may keep a
 * worker asleep in a page fault for as long as its owner likes. */
static int check_kind(int fd, uint64_t *page, struct err *e)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || fstatfs(fd, &fs))
		return err_set(e, -errno, "stat of a memory region: %m");
	if (!S_ISREG(st.st_mode) ||
	    (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC))
		return err_set(e, -EMEDIUMTYPE,
		    "a memory region is not a file on tmpfs or hugetlbfs");
	*page = fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize
					     : (uint64_t)sysconf(_SC_PAGESIZE);
	if (!*page || *page & (*page - 1))
		return err_set(e, -EMEDIUMTYPE,
		    "a memory region has pages of %" PRIu64 " bytes", *page);
	return 0;
}

/* Some owners sealed it already, and some cannot: then the guard remains. */
static void seal(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals >= 0 && !(seals & (F_SEAL_SHRINK | F_SEAL_SEAL)))
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
}

static int check_length(
    int fd, const struct vhost_region_msg *msg, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(e, -errno, "stat of a memory region: %m");
	if (st.st_size < 0 ||
	    msg->mmap_offset + msg->size > (uint64_t)st.st_size)
		return err_set(e, -EINVAL,
		    "a memory region ends at %#" PRIx64
		    " of a file of %#" PRIx64 " bytes",
		    msg->mmap_offset + msg->size, (uint64_t)st.st_size);
	return 0;
}

/* Maps whole pages of the file's own size, which hugetlbfs insists on. */
static int map_region(struct vhost_region *r,
    const struct vhost_region_msg *msg, int fd, struct err *e)
{
	uint64_t page = 0, skip;
	int rc = check_kind(fd, &page, e);

	if (rc)
		return rc;
	seal(fd);
	rc = check_length(fd, msg, e);
	if (rc)
		return rc;
	skip = msg->mmap_offset & (page - 1);
	*r = (struct vhost_region){
	    .guest = msg->guest,
	    .size = msg->size,
	    .user = msg->user,
	    .map_size = (skip + msg->size + page - 1) & ~(page - 1),
	    .page = page,
	    .n_added = 1,
	};
	r->map = mmap(NULL, r->map_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, fd, (off_t)(msg->mmap_offset - skip));
	if (r->map == MAP_FAILED)
		return err_set(e, -errno,
		    "mapping %" PRIu64 " bytes of guest memory: %m",
		    r->map_size);
	r->host = (uint8_t *)r->map + skip;
	madvise(r->map, r->map_size, MADV_DONTDUMP);
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
		munmap(r.map, r.map_size);
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
	m->on_broken = from->on_broken;
	m->owner = from->owner;
	m->n = from->n;
	memcpy(m->region, from->region, from->n * sizeof(from->region[0]));
	return m;
}

/* Guards all of @m, and takes over what happened to @from meanwhile. */
static int guard(
    struct vhost_memory *m, const struct vhost_memory *from, struct err *e)
{
	for (unsigned i = 0; i < m->n; i++)
		if (vhost_guard_add(m, &m->region[i])) {
			vhost_guard_remove(m);
			quiesce_wait(); /* a handler may be at it */
			return err_set(
			    e, -ENOMEM, "no memory to guard guest memory");
		}
	if (from && __atomic_load_n(&from->broken, __ATOMIC_ACQUIRE))
		__atomic_store_n(&m->broken, 1, __ATOMIC_RELEASE);
	return 0;
}

static const struct vhost_region *find_map(
    const struct vhost_memory *m, const void *map)
{
	for (unsigned i = 0; m && i < m->n; i++)
		if (m->region[i].map == map)
			return &m->region[i];
	return NULL;
}

static bool shares_maps(
    const struct vhost_memory *m, const struct vhost_memory *other)
{
	for (unsigned i = 0; i < m->n; i++)
		if (find_map(other, m->region[i].map))
			return true;
	return false;
}

/* Unmaps what @m has and @other (NULL: nothing) has not. */
static void unmap_unshared(
    const struct vhost_memory *m, const struct vhost_memory *other)
{
	for (unsigned i = 0; i < m->n; i++)
		if (!find_map(other, m->region[i].map))
			munmap(m->region[i].map, m->region[i].map_size);
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
	vhost_guard_remove(m);
	/* A worker on the heir may at this instant be taking a SIGBUS in a
	 * mapping that both share, and be about to mark this one as well. */
	if (heir) {
		quiesce_wait();
		if (shares_maps(m, heir) &&
		    __atomic_load_n(&m->broken, __ATOMIC_ACQUIRE))
			__atomic_store_n(&heir->broken, 1, __ATOMIC_RELEASE);
	}
	unmap_unshared(m, heir);
	free(m);
}

void *vhost_memory_at_user(
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
