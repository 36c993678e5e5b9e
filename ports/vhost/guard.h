/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - which addresses are guest memory, for the SIGBUS handler.
 *
 * A page of a mapped file that the file does not have (cut off, or no huge
 * page, no space on the tmpfs left) is a SIGBUS at the first touch.  In guest
 * memory that is the guest's fault and ends its port, not the process.
 *
 * Life: a region is guarded from before its first use until after its last.
 * Threads: add and remove on the control thread; the handler reads the table
 * on whichever thread faulted, at any moment, without a lock.
 */
#ifndef PORTS_VHOST_GUARD_H
#define PORTS_VHOST_GUARD_H

#include "ports/vhost/memory.h"

/* Guards @r of @m.  0 or -ENOMEM. */
int vhost_guard_add(struct vhost_memory *m, const struct vhost_region *r);

/* Guards no region of @m any more.  A handler that had found one may still
 * look at @m until the grace period is over. */
void vhost_guard_remove(const struct vhost_memory *m);

#endif
