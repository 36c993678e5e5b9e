/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - a peer from its arrival to its end, however that comes about.
 *
 *	attach ──► messages, outcomes ──► end: it left, it was thrown out
 *	  ▲                                │      (WAIT), or it broke (BROKEN)
 *	  └──────── endpoint, again ◄──────┘
 *
 * Nothing of one session is left for the next one but the counts.
 *
 * Threads: control.
 */
#ifndef PORTS_VHOST_SESSION_H
#define PORTS_VHOST_SESSION_H

#include "ports/vhost/message.h"

struct vhost_port;

/* The three ways for a handler to say no; each notes a sentence and returns
 * its outcome.  @token names the kind of offence, a static string. */
enum vhost_outcome vhost_refuse(struct vhost_port *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
enum vhost_outcome vhost_close(struct vhost_port *p, const char *token,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
enum vhost_outcome vhost_break(struct vhost_port *p, const char *token,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Callbacks of the endpoint and the connection; @owner is the port. */
void vhost_session_attach(void *owner, int fd);
void vhost_session_message(void *owner, struct vhost_message *m);
void vhost_session_end(void *owner, const char *token, const char *sentence);

/* Ends the session for what vhost_break() noted; the port is broken. */
void vhost_session_break(struct vhost_port *p);

/* Looks for what workers found broken (port_ops.attend). */
void vhost_session_attend(struct vhost_port *p);

/* Called from the SIGBUS handler: something of @owner's memory is gone. */
void vhost_session_raise(void *owner);

/* From now on memory is expected to be shared soon. */
void vhost_session_expect_memory(struct vhost_port *p);

/* Takes a session apart that no worker looks at; publishes nothing. */
void vhost_session_fini(struct vhost_port *p);

#endif
