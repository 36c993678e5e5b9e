/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privilege.h - capabilities, within reach for as long as a call needs them.
 *
 * Virtual machines and pipes need none.  Five are worth having: network cards
 * and taps, which may come at any time, take three of them, packet memory of
 * more than RLIMIT_MEMLOCK a fourth, and a socket's group a fifth.  Of these the
 * control thread keeps what the process was started with, permitted but not
 * effective, so that what peers send is never read, and descriptors of theirs
 * are never used, with a privilege; around the few system calls that take one,
 * it raises them.  Everything else, root's rights over others' files included,
 * is gone for good, and workers have nothing at all.
 *
 *	privilege_raise();
 *	fd = socket(AF_XDP, SOCK_RAW, 0);
 *	privilege_lower();
 *
 * Life: dropped once, at the start of swd; in a program that never did, the
 * others do nothing.
 * Threads: drop, raise and lower on the control thread; raise and lower in
 * pairs that do not nest.  Capabilities are a thread's, and a new thread's are
 * those of its maker.
 */
#ifndef SWITCH_PRIVILEGE_H
#define SWITCH_PRIVILEGE_H

#include "switch/base/err.h"

/* Gives up all but the five, for this process and whatever it could become
 * (bounding set, no_new_privs).  Before the first thread.  -errno. */
int privilege_drop(struct err *e);

/* What is kept is effective between these two; errno stays as it is. */
void privilege_raise(void);
void privilege_lower(void);

/* The calling thread has no capability any more, and cannot get one. */
void privilege_give_up(void);

#endif
