/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - which addresses are a peer's memory, for the SIGBUS handler.
 *
 * A page of a mapped file that the file does not have (cut off, or no huge
 * page, no space on the tmpfs left) is a SIGBUS at the first touch.  In memory
 * that a peer shared with us that is the peer's fault and ends its port, not
 * the process: zeroes are mapped in the place of the page, and the memory is
 * marked as broken.
 *
 * Life: a mapping is guarded from before its first use until after its last.
 * Threads: add and remove on the control thread; the handler reads the table
 * on whichever thread faulted, at any moment, without a lock.
 */
#ifndef PORTS_PEER_GUARD_H
#define PORTS_PEER_GUARD_H

#include <stdbool.h>

#include "ports/peer/mapping.h"
#include "switch/base/err.h"

/* What happened to some mappings that stand and fall together. */
struct guard {
	unsigned broken; /* atomic: a SIGBUS was taken in one of them */
	/* Called from the signal handler, on any thread, at the first SIGBUS;
	 * set by the owner before a queue is live. */
	void (*on_broken)(void *owner);
	void *owner;
};

/* Installs the process's SIGBUS handler; once, before the first worker. */
int guard_install(struct err *e);

/* Guards @map on behalf of @g.  0 or -ENOMEM. */
int guard_add(struct guard *g, const struct mapping *map);

/* Guards nothing on behalf of @g any more.  A handler that had found it may
 * still look at @g until the grace period is over. */
void guard_remove(const struct guard *g);

/* Whether something of the memory is gone.  Any thread; what a handler that
 * ran on another thread did before is seen after true. */
static inline bool guard_is_broken(const struct guard *g)
{
	return __atomic_load_n(&g->broken, __ATOMIC_ACQUIRE);
}

static inline void guard_break(struct guard *g)
{
	__atomic_store_n(&g->broken, 1, __ATOMIC_RELEASE);
}

#endif
