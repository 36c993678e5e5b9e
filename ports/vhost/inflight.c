/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inflight.c - the memory that the front end keeps: made, mapped, shared out.
 *
 * The parts of the rings follow each other, and where one begins is computed by
 * every back end for itself: from the format, the size that the front end says
 * all rings have, and whole cache lines.  Until the features are known the
 * format is not, and memory is made for the larger one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ports/vhost/inflight.h"

enum { LINE = 64 };

/* Bytes from one ring's part to the next one's. */
static uint64_t part_size(uint32_t size, bool packed)
{
	uint64_t all =
	    packed ? sizeof(struct inflight_packed) +
			 (uint64_t)size * sizeof(struct inflight_packed_desc)
		   : sizeof(struct inflight_split) +
			 (uint64_t)size * sizeof(struct inflight_split_desc);

	return (all + LINE - 1) & ~(uint64_t)(LINE - 1);
}

static uint64_t whole_size(const struct vhost_inflight_msg *m)
{
	return m->n_queues * part_size(m->queue_size, true);
}

static int check(const struct vhost_inflight_msg *m, struct err *e)
{
	if (!m->n_queues || !m->queue_size || m->queue_size > VIRTQ_SIZE_MAX)
		return err_set(e, -EINVAL,
		    "in-flight memory for %u rings of %u descriptors",
		    m->n_queues, m->queue_size);
	return 0;
}

int vhost_inflight_create(struct vhost_inflight_msg *m, int *fd, struct err *e)
{
	int rc = check(m, e);

	if (rc)
		return rc;
	*fd = memfd_create("swd-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return err_set(e, -errno, "memfd_create: %m");
	m->size = whole_size(m);
	m->offset = 0;
	if (!ftruncate(*fd, (off_t)m->size) &&
	    !fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return 0;
	rc = err_set(e, -errno, "in-flight memory: %m");
	close(*fd);
	return rc;
}

/* No more than can be used of what the front end says there is. */
int vhost_inflight_open(struct vhost_inflight **in,
    const struct vhost_inflight_msg *m, int fd, struct err *e)
{
	uint64_t most = whole_size(m);
	struct vhost_inflight *new;
	int rc = check(m, e);

	if (rc)
		return rc;
	if (!m->size || m->offset > UINT64_MAX - m->size)
		return err_set(
		    e, -EINVAL, "in-flight memory is empty or wraps");
	new = calloc(1, sizeof(*new));
	if (!new)
		return err_set(e, -ENOMEM, "no memory for a mapping");
	new->n_queues = m->n_queues;
	new->queue_size = m->queue_size;
	new->size = m->size < most ? m->size : most;
	rc = mapping_open(&new->map, fd, m->offset, new->size, e);
	if (rc)
		goto free_new;
	if (guard_add(&new->guard, &new->map)) {
		rc = err_set(e, -ENOMEM, "no memory to guard a mapping");
		goto unmap;
	}
	*in = new;
	return 0;

unmap:
	mapping_close(&new->map);
free_new:
	free(new);
	return rc;
}

void vhost_inflight_close(struct vhost_inflight *in)
{
	if (!in)
		return;
	guard_remove(&in->guard);
	mapping_close(&in->map);
	free(in);
}

void __peer *vhost_inflight_queue(
    const struct vhost_inflight *in, unsigned i, uint32_t size, bool packed)
{
	uint64_t part, at;

	if (!in || i >= in->n_queues || size != in->queue_size)
		return NULL;
	part = part_size(size, packed);
	at = i * part;
	if (at + part > in->size || (uintptr_t)(in->map.at + at) % 8)
		return NULL;
	return in->map.at + at;
}
