/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.h - the port that is an application: memif 2.0, either role.
 *
 *	memif.h       the protocol as it lies on the wire and in memory
 *	channel.c     the socket of one peer; message.c: rules of its messages
 *	listener.c    a socket path that several ports share
 *	session.c     a peer: arrives, is served, leaves, is thrown out
 *	server.c client.c  what each role says to which message
 *	region.c      the memory shared
 *	ring.c ring_*.c    the rings themselves, on the workers
 *
 * Server and client are memif's words for who brings the memory, the client,
 * and who takes it, the server; the socket is the server's too.  Frames are
 * copied once on their way through a pipe, whichever role it has: out of the
 * sender's memory to where the receiving port wants them, into a pipe's buffer
 * from wherever they are.
 *
 * Threads: as ports/port.h says.  Everything in struct pipe_port is the
 * control thread's; of a live ring, the workers' is in its struct pipe_ring.
 */
#ifndef PORTS_PIPE_PIPE_H
#define PORTS_PIPE_PIPE_H

#include "ports/peer/endpoint.h"
#include "ports/pipe/channel.h"
#include "ports/pipe/message.h"
#include "ports/pipe/region.h"
#include "ports/pipe/ring.h"
#include "ports/port.h"
#include "switch/base/log.h"

extern const struct port_ops pipe_port_ops;

/* How far a session has got.  A server waits for an INIT at its listener; a
 * client sends one message for each ACK. */
enum pipe_stage {
	PIPE_ALONE,
	PIPE_GREETING,	 /* client: HELLO is due */
	PIPE_DESCRIBING, /* regions and rings are being announced */
	PIPE_CONNECTING, /* client: CONNECTED is due */
	PIPE_CONNECTED,
};

struct pipe_listener;

struct pipe_port {
	struct port port;

	/* As configured. */
	bool client, trusted;
	uint32_t id;
	char secret[MEMIF_SECRET_SIZE + 1];
	unsigned n_queues; /* pairs */
	unsigned log2_size;
	uint32_t buffer_size;

	/* Where the peer is met: one of the two. */
	struct endpoint endpoint; /* client */
	bool unreachable;	  /* the reason is that nobody listens */
	struct pipe_listener *listener;
	struct pipe_port *next; /* of those at the listener */

	/* The session; forgotten when the peer leaves. */
	enum pipe_stage stage;
	struct pipe_channel channel;
	struct pipe_memory *mem;	   /* NULL: none yet */
	unsigned n_to_server, n_to_client; /* rings of a client's */
	unsigned n_told; /* what of region, rings, CONNECT was sent */
	char peer[64];	 /* "pid 12 uid 0", or "" */
	char peer_name[PIPE_NAME_MAX + 1];
	char peer_interface[PIPE_NAME_MAX + 1];
	struct pipe_ring *ring; /* [2 * n_queues], see pipe_port_ring() */

	char why[PORT_REASON_MAX + 1]; /* of the last refusal, a sentence */
	const char *token;	       /* and its name in the list of cases */
	struct log_limit limit;
	uint64_t n_connects, n_broken;
};

/* The ring of queue @q by which we send, or receive. */
static inline struct pipe_ring *pipe_port_ring(
    const struct pipe_port *p, unsigned q, bool sends)
{
	return &p->ring[2 * q + sends];
}

/* The path of the socket. */
const char *pipe_port_path(const struct pipe_port *p);

#endif
