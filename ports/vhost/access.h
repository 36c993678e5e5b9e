/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.h - the only ways to look at a virtqueue: see ports/peer/access.h.
 *
 * Threads: any.
 */
#ifndef PORTS_VHOST_ACCESS_H
#define PORTS_VHOST_ACCESS_H

#include <linux/virtio_ring.h>

#include "ports/peer/access.h"

/* A descriptor of a split ring, fetched. */
struct shared_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

/* Two loads: the address, and the rest as the little-endian word it is. */
static inline struct shared_desc shared_load_desc(
    const struct vring_desc __peer *p)
{
	uint64_t addr = shared_load_u64(&p->addr);
	uint64_t rest = shared_load_u64(&p->len);

	return (struct shared_desc){addr, (uint32_t)rest,
	    (uint16_t)(rest >> 32), (uint16_t)(rest >> 48)};
}

#endif
