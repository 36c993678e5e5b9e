/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buffer.c - buffers that are not one piece of our address space.
 *
 * A guest's memory is a few regions that need not be next to each other in
 * ours, so that a buffer across two of them is two pieces.
 */
#include "ports/vhost/buffer.h"

bool buffer_read(
    const struct vhost_memory *m, uint64_t addr, void *buf, uint32_t n)
{
	uint8_t *to = buf;

	while (n) {
		uint32_t got;
		const uint8_t __peer *p = vhost_memory_at(m, addr, n, &got);

		if (!p)
			return false;
		shared_copy_in(to, p, got);
		to += got;
		addr += got;
		n -= got;
	}
	return true;
}

uint8_t __peer *buffer_find_slow(struct buffer_window *win,
    const struct vhost_memory *m, uint64_t addr, uint32_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->region[i];
		uint64_t offset = addr - r->guest;

		if (offset >= r->size)
			continue;
		*win = (struct buffer_window){r->guest, r->size, r->host};
		return r->size - offset >= len ? r->host + offset : NULL;
	}
	return NULL;
}
