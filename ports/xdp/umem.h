/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umem.h - packet memory as the UMEM of AF_XDP sockets.
 *
 * One region for all cards, so that a frame goes from one to another as a
 * descriptor.  The kernel shares one registration of it (XDP_SHARED_UMEM)
 * among sockets of one kind only: zero-copy or copy, frames of one buffer or
 * of several.  So there are up to four registrations, all of the same memory,
 * and a socket joins that of its kind.
 *
 *	kind                members                   registered by
 *	zero-copy           eth0/0 eth0/1 eth1/0      the first that came
 *	copy                veth3/0                   "
 *
 * A registration lives in the kernel as long as a member does; the one that
 * made it may leave first.
 *
 * Each socket is the holder (pool.h) of the slots it has been lent, under one
 * number for its receive side and one for its transmit side.  A card may go
 * on writing for a moment after its socket was closed: the slots that it had
 * rest for UMEM_REST_MS before they are used again.
 *
 * Threads: control; umem_fill_goal() any.
 */
#ifndef PORTS_XDP_UMEM_H
#define PORTS_XDP_UMEM_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "switch/base/err.h"
#include "switch/base/pool.h"

enum {
	UMEM_REST_MS = 1000,
	/* What fits, with headers, into one page of a driver: between the
	 * kernel's headroom and what it keeps at a page's end.  A slot would
	 * take more, but before 6.6 nobody puts two pages into one. */
	UMEM_MTU_MAX = POOL_FRAME_SIZE - 256 - 40 - 320,
};

struct umem_kind {
	bool zerocopy, multi;
};

struct umem_member {
	struct umem_kind kind;
	int fd; /* its AF_XDP socket */
	/* Bytes before each frame to send, in which the kernel looks for what
	 * is to be done with it; 0: it does not look. */
	uint32_t tx_metadata_len;
	uint16_t rx_holder, tx_holder;
	struct umem_member *next;
};

/* Prepares member->fd, whose kind is set: registers packet memory with it and
 * sets *shared_fd to -1, or to the socket to share with.  -ENOBUFS with a
 * sentence when so much memory may not be locked. */
int umem_prepare(struct umem_member *member, struct pool *pool, int *shared_fd,
    struct err *e);

/* @member is bound: others may share with it, and it has its holders. */
int umem_join(struct umem_member *member, struct err *e);

/* The same for a socket that another process leaves, whose holders are set.
 * -EEXIST if they are somebody's. */
int umem_rejoin(struct umem_member *member, struct err *e);

/* Whether slots of a closed socket rest. */
bool umem_is_resting(void);

/* @member's socket is closed.  What it was lent rests, and goes back. */
void umem_leave(struct umem_member *member, struct pool *pool, sd_event *event);

/* How many slots the receive side of each socket shall have: as many as its
 * ring takes, but not more than a fair part of packet memory. */
uint32_t umem_fill_goal(const struct pool *pool, uint32_t ring_size);

#endif
