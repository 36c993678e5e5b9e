/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_socket.h - the one listening socket at a path.
 *
 * Of two switches started at once on one path, one must lose: whoever listens
 * holds a lock on PATH.lock for as long.  The lock goes with its process,
 * however that ends, so a socket file behind a free lock is stale, unless
 * somebody who knows nothing of locks answers on it.
 *
 * Threads: any.
 */
#ifndef SWITCH_CONTROL_SOCKET_H
#define SWITCH_CONTROL_SOCKET_H

#include "switch/base/err.h"

struct control_socket {
	int fd; /* listening, non-blocking */
	int lock_fd;
	char path[108];
};

/* Listens at @path, for its owner alone (mode 0600).  -EADDRINUSE if somebody
 * answers there, -ENAMETOOLONG, or what the system says. */
int control_socket_open(
    struct control_socket *s, const char *path, struct err *e);

/* Removes the socket and its lock. */
void control_socket_close(struct control_socket *s);

#endif
