/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc.h - JSON-RPC 2.0 as the switch speaks it: one request, one reply a line.
 *
 *	line ─► parse (bounded) ─► grammar_check ─► method ─► reply line
 *
 * The methods and their parameters are those of the grammar's table, so the
 * socket refuses what swctl and the configuration file would refuse, in the
 * same words.  Errors: the standard codes, and -32000 for what the switch
 * refuses, all with data {name, hint, arg}.
 *
 * A result that is long, or takes long, is a stream: made in steps while the
 * client reads, so that it neither holds up the control thread nor fills its
 * memory.
 *
 * Life: nothing here keeps state.  Threads: control.
 */
#ifndef SWITCH_RPC_H
#define SWITCH_RPC_H

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include "switch/base/err.h"

struct sw;
struct rpc_client;

enum {
	RPC_LINE_MAX = 1 << 20, /* bytes of a request */
	RPC_VALUES_MAX = 4096,	/* JSON values in a request */
	RPC_DEPTH_MAX = 32,	/* of nesting */
	RPC_ID_MAX = 128,	/* bytes of a request's id */
};

/* A method.  @params passed grammar_check() and are never NULL; @client is
 * NULL where nobody asked over the socket.  On success *result is the
 * caller's, NULL for a result that is an empty object. */
typedef int rpc_method_fn(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e);

/* A result in the making; embedded in what a method allocates. */
struct rpc_stream {
	/* Adds some (at most a few hundred, possibly no) elements to @array.
	 * Returns false when there will be no more. */
	bool (*step)(struct rpc_stream *stream, struct sw *sw,
	    struct json_object *array);

	/* Before the end if nobody waits for the result: what was asked for
	 * is to be done nevertheless. */
	void (*close)(struct rpc_stream *stream, struct sw *sw);

	bool single; /* the only element is the result, not an array of it */
};

/* Makes @stream, whose owner it becomes, the result of a method: piecewise
 * for a client, else all of it, at once, in *result.  Returns 0 or -ENOMEM. */
int rpc_stream_start(struct sw *sw, struct rpc_client *client,
    struct rpc_stream *stream, struct json_object **result, struct err *e);

/* Calls @method with @params (NULL: none; stays the caller's) after the
 * grammar's check.  -EINVAL from the check, or what the method says. */
int rpc_call(struct sw *sw, struct rpc_client *client, const char *method,
    struct json_object *params, struct json_object **result, struct err *e);

/* The reply to line[0..len), a request without its newline: the caller's to
 * free, newline included, length in *n; NULL: none is due.  If a stream was
 * started the reply ends before its result, which rpc_client.c adds. */
char *rpc_answer(struct sw *sw, struct rpc_client *client, const char *line,
    size_t len, size_t *n);

/* The reply that refuses a whole connection: like rpc_answer(). */
char *rpc_refusal(const struct err *e, size_t *n);

/* Whether there is a method of that name. */
bool rpc_has_method(const char *name);

#endif
