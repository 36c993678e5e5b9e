/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.c - the memory that a pipe's two ends share, in regions.
 *
 * Our own region is mapped in the same way as a peer's: what it lies in, a
 * tmpfs, may run out of pages as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ports/pipe/region.h"

struct pipe_memory *pipe_memory_open(void)
{
	struct pipe_memory *m = calloc(1, sizeof(*m));

	if (m)
		m->fd = -1;
	return m;
}

void pipe_memory_close(struct pipe_memory *m)
{
	if (!m)
		return;
	guard_remove(&m->guard);
	for (unsigned i = 0; i < m->n; i++)
		mapping_close(&m->map[i]);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

static int guard_region(struct pipe_memory *m, uint64_t size, struct err *e)
{
	struct mapping *map = &m->map[m->n];

	if (guard_add(&m->guard, map)) {
		mapping_close(map);
		return err_set(e, -ENOMEM, "no memory to guard a region");
	}
	m->region[m->n++] = (struct pipe_region){map->at, size};
	return 0;
}

int pipe_memory_add(
    struct pipe_memory *m, int fd, uint64_t size, bool trusted, struct err *e)
{
	int rc;

	if (m->n == PIPE_REGIONS_MAX)
		return err_set(e, -ENOSPC, "more than %d memory regions",
		    PIPE_REGIONS_MAX);
	if (!size || size > INT64_MAX)
		return err_set(e, -EINVAL,
		    "memory region %u of %" PRIu64 " bytes", m->n, size);
	rc = mapping_open(&m->map[m->n], fd, 0, size, e);
	if (rc)
		return rc;
	if (!trusted && !mapping_seal(fd)) {
		mapping_close(&m->map[m->n]);
		return err_set(e, -EPERM,
		    "memory region %u can shrink and is not `trusted`", m->n);
	}
	return guard_region(m, size, e);
}

static int make_file(uint64_t size, struct err *e)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create("pipe", MFD_CLOEXEC | MFD_ALLOW_SEALING), rc;

	if (fd < 0)
		return err_set(e, -errno, "memfd_create: %m");
	if (ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, seals)) {
		rc = err_set(e, -errno,
		    "making a memory region of %" PRIu64 " bytes: %m", size);
		close(fd);
		return rc;
	}
	return fd;
}

int pipe_memory_make(struct pipe_memory *m, uint64_t size, struct err *e)
{
	int fd = make_file(size, e), rc;

	if (fd < 0)
		return fd;
	rc = mapping_open(&m->map[m->n], fd, 0, size, e);
	if (!rc)
		rc = guard_region(m, size, e);
	if (rc)
		close(fd);
	else
		m->fd = fd;
	return rc;
}
