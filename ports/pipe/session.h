/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - a peer from its arrival to its end, however that comes about.
 *
 *	attach ──► messages ──► go_live ──► end: it left, it was thrown out
 *	  ▲                                  │   (WAIT), or it broke (BROKEN)
 *	  └── listener.h, or endpoint ◄──────┘
 *
 * A peer that is thrown out is told why by a DISCONNECT.  Nothing of one
 * session is left for the next one but the counts.
 *
 * Threads: control.
 */
#ifndef PORTS_PIPE_SESSION_H
#define PORTS_PIPE_SESSION_H

#include "ports/pipe/pipe.h"

/* Notes why the peer is not served any longer, @token being the kind of
 * offence, a static string.  Returns -EPROTO for the caller to pass on. */
int pipe_refuse(struct pipe_port *p, const char *token, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The peer at the other end of @fd, which is the session's from then on, is
 * this port's.  Returns whether it was taken. */
bool pipe_session_attach(struct pipe_port *p, int fd);

/* The peer of @p is gone. */
void pipe_session_part(struct pipe_port *p);

/* Sends @m, with @fd unless that is -1.  -EPROTO (pipe_refuse) if that is not
 * possible. */
int pipe_session_send(struct pipe_port *p, struct memif_msg m, int fd);

/* Makes every ring that was initialised live; the port is up. */
void pipe_session_go_live(struct pipe_port *p);

/* Looks for what workers found broken (port_ops.attend). */
void pipe_session_attend(struct pipe_port *p);

/* Takes the session apart, with a word to the peer (NULL: none).  No worker
 * looks at it; publishes nothing. */
void pipe_session_fini(struct pipe_port *p, const char *farewell);

/* What the roles say to a message of the session; 0 or pipe_refuse().
 * server.c, client.c. */
int pipe_server_message(
    struct pipe_port *p, const struct memif_msg *m, int *fd);
int pipe_client_message(struct pipe_port *p, const struct memif_msg *m);

#endif
