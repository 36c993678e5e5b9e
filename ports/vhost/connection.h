/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connection.h - a stream socket as a sequence of messages with descriptors.
 *
 * Never waits: what has arrived is taken, a message is handed over once it is
 * whole, and at most CONNECTION_BUDGET of them for each turn of the event
 * loop, so that a peer that talks without end delays nobody.  A reply that
 * does not fit into the socket is a peer that does not listen.
 *
 * Life: opened with a connected socket, closed by its owner; may be closed
 * from within its own callbacks.
 * Ownership: the connection owns the socket and, until the owner of the
 * callback takes them, the descriptors that arrive.
 * Threads: control.
 */
#ifndef PORTS_VHOST_CONNECTION_H
#define PORTS_VHOST_CONNECTION_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "ports/vhost/message.h"
#include "switch/base/err.h"

enum { CONNECTION_BUDGET = 32 };

struct vhost_connection {
	int fd; /* -1: none */
	sd_event_source *source;
	uint32_t have; /* bytes of the message that have arrived */
	struct vhost_message msg;

	/* A whole message.  Descriptors left in it are closed afterwards. */
	void (*on_message)(void *owner, struct vhost_message *m);

	/* The peer left (token NULL) or violated the framing: the owner closes
	 * the connection. */
	void (*on_end)(void *owner, const char *token, const char *sentence);
	void *owner;
};

/* Starts to read from @fd, whose callbacks are set; it is the connection's
 * even on failure. */
int vhost_connection_open(
    struct vhost_connection *c, sd_event *event, int fd, struct err *e);

/* Closes the socket and what arrived with an unfinished message. */
void vhost_connection_close(struct vhost_connection *c);

/* Sends @m, whose payload is header.size bytes, as the reply to the request
 * that it was, with its descriptor if @with_fd, which stays the message's.
 * -EAGAIN: the peer does not read. */
int vhost_connection_reply(
    struct vhost_connection *c, const struct vhost_message *m, bool with_fd);

/* Whether the peer is gone already, whatever may still be read. */
bool vhost_connection_is_dead(const struct vhost_connection *c);

#endif
