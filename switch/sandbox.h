/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.h - what the process, and a worker, may still ask of the kernel.
 *
 * Two filters of system calls, each a list of what is used: the process's from
 * before its first socket on, and a worker's on top of it, which leaves little
 * more than waiting, waking, and reading and writing what is open.  Nobody
 * starts programs, adds executable memory, or opens sockets of other families
 * than the four that ports take.  A new card or tap, a new worker, and another
 * configuration are all within the lists.
 *
 * What happens to a call that is not on the list:
 *
 *	one that only an intruder makes    the process is killed: the next one
 *	(execve, ptrace, ...)              starts without him, and guests go on
 *	any other                          ENOSYS, and the kernel logs it
 *
 * The other kind would be a library's that learned to do something in another
 * way: it has to know what to do without, since kernels older than it exist,
 * whereas a switch that dies of it costs everybody frames.  Tests want to
 * know: with SWD_STRICT in its environment, the process is killed by any.
 *
 * A kernel without filters is told of in the log and no hindrance, nor is a
 * build with a sanitizer, which has system calls of its own.
 *
 * Threads: as said.
 */
#ifndef SWITCH_SANDBOX_H
#define SWITCH_SANDBOX_H

#include <stdbool.h>

#include "switch/base/err.h"

/* Gives up the privileges that are not needed (privilege.h), and confines this
 * thread and all that it will start.  Control, before the first thread, with
 * all limits raised that are to be.  -errno. */
int sandbox_enter(struct err *e);

/* Confines the calling worker, which had better have started by now.  Returns
 * -errno where the process is confined and the worker cannot be. */
int sandbox_enter_worker(void);

/* Whether this build has the filters. */
bool sandbox_is_there(void);

#endif
