/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h - a connection to the switch's control socket.
 *
 * One JSON-RPC 2.0 request a line, one reply a line, over a unix stream
 * socket.  A call ends with the result, with the switch's refusal, or with
 * the loss of the connection; client_is_alive() tells the last two apart.
 *
 * Life: open, any number of calls, close.  Threads: one at a time.
 * Ownership: results and events belong to the caller.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdbool.h>

struct client;
struct err;
struct json_object;

/* Connects to the socket at @path.  Returns 0, or -ENAMETOOLONG, or what
 * connect(2) says, with a sentence and a hint. */
int client_open(struct client **client, const char *path, struct err *e);

/* Closes the connection; NULL is fine. */
void client_close(struct client *client);

/* Calls @method with @params (borrowed, NULL for none) and waits for the
 * reply.  *result is the caller's and may be NULL, JSON's null.  Returns 0,
 * the switch's error, or that of a connection that is gone (no answer within
 * 30 s counts as gone). */
int client_call(struct client *client, const char *method,
    struct json_object *params, struct json_object **result, struct err *e);

/* Waits without limit for the next event after monitor.subscribe.  *event is
 * the caller's.  Returns 0, or the error of a connection that is gone. */
int client_next_event(
    struct client *client, struct json_object **event, struct err *e);

/* False once the connection has failed: nothing more can be asked. */
bool client_is_alive(const struct client *client);

#endif
