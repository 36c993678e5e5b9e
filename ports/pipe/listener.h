/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.h - a socket path at which several ports wait for applications.
 *
 *	connect ──► HELLO ──► INIT with an id ──► that port's session
 *	                        └─► no such id, wrong secret, taken: DISCONNECT
 *
 * Who has connected and not said for whom is a candidate; there are only so
 * many of them, the oldest makes room for the next.  HELLO is the same for
 * all: the least number of queues of the ports that wait here.
 *
 * The socket has one group and mode; the latest wish of any of its ports
 * holds.
 *
 * Life: from the first port that joins to the last that leaves.
 * Threads: control.
 */
#ifndef PORTS_PIPE_LISTENER_H
#define PORTS_PIPE_LISTENER_H

#include "ports/pipe/pipe.h"

enum { PIPE_CANDIDATES_MAX = 16 };

/* Lets @p wait at @path; `group` and `mode` as endpoint_access_parse() has
 * them, NULL: as the socket is.  -EEXIST for an id that is taken there, else
 * as endpoint_open(). */
int pipe_listener_join(struct pipe_port *p, const char *path, const char *group,
    const char *mode, struct err *e);

/* @p, without a session, waits no longer.  Accepts a port that never did. */
void pipe_listener_leave(struct pipe_port *p);

/* Group and mode of the socket, for show and set. */
struct endpoint *pipe_listener_endpoint(struct pipe_listener *l);

#endif
