/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc_client.h - one connection to the control socket.
 *
 *	socket ─► in (≤ RPC_LINE_MAX) ─► rpc_answer() ─► out ─► socket
 *	                        stream, while out is short ─┘
 *
 * Whatever the peer does costs a bounded amount of memory and of time at a
 * turn of the event loop: while it does not read, nothing more of its is read
 * or answered; it is given up after RPC_STALL_MS.  A subscriber of events
 * that reads too slowly is given up when RPC_OUT_MAX bytes wait for it.
 *
 * Life: from accept until the peer leaves or rpc_client_drop(); freed at a
 * later turn of the loop, at which time the owner is told.
 * Threads: control.  Passed descriptors are never received: read without room
 * for ancillary data, the kernel closes them.
 */
#ifndef SWITCH_RPC_CLIENT_H
#define SWITCH_RPC_CLIENT_H

#include <sys/types.h>

#include "switch/control/rpc.h"
#include "switch/switch.h"

enum {
	RPC_OUT_LOW = 64 << 10, /* bytes; below it the next request is taken */
	RPC_OUT_MAX = 4 << 20,	/* bytes of events and what is before them */
	RPC_STALL_MS = 30000,
};

struct rpc_client;

struct rpc_client_owner {
	void (*gone)(struct rpc_client_owner *owner, struct rpc_client *client);
};

/* Serves the non-blocking @fd, which becomes the client's, or is closed. */
int rpc_client_open(struct rpc_client **client, struct sw *sw, int fd,
    struct rpc_client_owner *owner, struct err *e);

/* Frees at once; not from within a method.  Does not tell the owner. */
void rpc_client_close(struct rpc_client *client);

/* Has the client closed at the next turn of the loop. */
void rpc_client_drop(struct rpc_client *client);

/* Appends a whole line to what is sent, after a stream in progress. */
void rpc_client_send_event(
    struct rpc_client *client, const char *line, size_t len);

/* Starts, tells of, and gives up the stream that is the result of the method
 * being called.  @client may be NULL in the latter two. */
void rpc_client_set_stream(
    struct rpc_client *client, struct rpc_stream *stream);
bool rpc_client_has_stream(const struct rpc_client *client);
void rpc_client_end_stream(struct rpc_client *client);

/* Marks it as one that waits for events, which is not idleness. */
void rpc_client_set_subscribed(struct rpc_client *client);

/* The lower, the sooner it makes room for another. */
uint64_t rpc_client_rank(const struct rpc_client *client);

/* Whether the peer has not read for RPC_STALL_MS what waits for it. */
bool rpc_client_is_stalled(const struct rpc_client *client, uint64_t now_ms);

#endif
