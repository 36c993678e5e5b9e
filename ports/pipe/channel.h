/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.h - a socket that keeps messages apart, as memif's messages.
 *
 * Never waits: at most CHANNEL_BUDGET messages for each turn of the event
 * loop, so that a peer that talks without end delays nobody.  A message that
 * does not fit into the socket is a peer that does not listen.
 *
 * Life: opened with a connected socket; closed, or released to become another
 * channel's, also from within its own callbacks.
 * Ownership: the channel owns the socket and, until the owner of the callback
 * takes it, the descriptor that came with a message.
 * Threads: control.
 */
#ifndef PORTS_PIPE_CHANNEL_H
#define PORTS_PIPE_CHANNEL_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "ports/pipe/memif.h"
#include "switch/base/err.h"

enum { CHANNEL_BUDGET = 32 };

struct pipe_channel {
	int fd; /* -1: none */
	sd_event_source *source;

	/* A message, with the descriptor *fd or -1; whoever takes it sets -1.
	 * Returns whether the channel is still open. */
	bool (*on_message)(void *owner, const struct memif_msg *m, int *fd);

	/* The peer left (token NULL) or violated the framing: the owner closes
	 * the channel. */
	void (*on_end)(void *owner, const char *token, const char *sentence);
	void *owner;
};

/* Starts to read from @fd; callbacks and owner are set.  The socket is the
 * channel's even on failure. */
int pipe_channel_open(
    struct pipe_channel *c, sd_event *event, int fd, struct err *e);

/* Stops to read and returns the socket, which is the caller's. */
int pipe_channel_release(struct pipe_channel *c);

void pipe_channel_close(struct pipe_channel *c);

/* Sends @m, with descriptor @fd unless that is -1.  -EAGAIN: the peer does not
 * read. */
int pipe_channel_send(
    const struct pipe_channel *c, const struct memif_msg *m, int fd);

/* Whether the peer is gone already, whatever may still be read. */
bool pipe_channel_is_dead(const struct pipe_channel *c);

#endif
