/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping.c - a file of memory that a peer hands over, in our address space.
 *
 * Only what is memory for certain is mapped, and in whole pages of the file's
 * own size, which hugetlbfs insists on.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ports/peer/mapping.h"

/* Only memory may be mapped: a file that can be waited for may keep a
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
bool mapping_seal(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return false;
	return seals & F_SEAL_SHRINK ||
	       (!(seals & F_SEAL_SEAL) &&
		   !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
}

static int check_length(int fd, uint64_t end, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_set(e, -errno, "stat of a memory region: %m");
	if (st.st_size < 0 || end > (uint64_t)st.st_size)
		return err_set(e, -EINVAL,
		    "a memory region ends at %#" PRIx64
		    " of a file of %#" PRIx64 " bytes",
		    end, (uint64_t)st.st_size);
	return 0;
}

int mapping_open(
    struct mapping *map, int fd, uint64_t offset, uint64_t size, struct err *e)
{
	uint64_t page = 0, skip, all;
	int rc = check_kind(fd, &page, e), own;
	void *start;

	if (rc)
		return rc;
	mapping_seal(fd);
	rc = check_length(fd, offset + size, e);
	if (rc)
		return rc;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return err_set(
		    e, -errno, "no descriptor for a memory region: %m");
	skip = offset & (page - 1);
	all = (skip + size + page - 1) & ~(page - 1);
	start = mmap(NULL, all, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_NORESERVE, own, (off_t)(offset - skip));
	if (start == MAP_FAILED) {
		rc = err_set(e, -errno,
		    "mapping %" PRIu64 " bytes of a peer's memory: %m", all);
		close(own);
		return rc;
	}
	*map = (struct mapping){.at = (uint8_t __peer *)start + skip,
	    .start = start,
	    .size = all,
	    .page = page,
	    .offset = offset,
	    .fd = own};
	madvise(start, all, MADV_DONTDUMP);
	return 0;
}

void mapping_close(const struct mapping *map)
{
	munmap(map->start, map->size);
	close(map->fd);
}
