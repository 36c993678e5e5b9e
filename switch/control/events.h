/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.h - what happens to the model, told to those who asked.
 *
 * An event is one line to each subscriber, a JSON-RPC notification:
 *
 *	{"jsonrpc":"2.0","method":"event","params":{"time":1714564800.123,
 *	 "object":"port","event":"state","name":"vm1","state":"up"}}
 *
 * What waits for a subscriber is bounded (rpc_client.h): one that does not
 * read loses its connection, and knows by that that it missed something.
 *
 * Life: as the switch.  Threads: control.
 */
#ifndef SWITCH_EVENTS_H
#define SWITCH_EVENTS_H

#include "switch/base/err.h"
#include "switch/switch.h"

struct events;
struct rpc_client;

/* One bit an object, in the order of events_objects[]. */
enum { EVENTS_ALL = (1 << 5) - 1 };

/* "bridge", "port", "fdb", "worker", "config", NULL. */
extern const char *const events_objects[];

/* -ENOMEM with a sentence. */
int events_open(struct events **events, struct err *e);

/* Every subscriber is gone by then.  Accepts NULL. */
void events_close(struct events *events);

/* Sends @client the events of the objects in @mask, replacing what it had
 * asked for before.  -ENOMEM. */
int events_subscribe(struct events *events, struct rpc_client *client,
    unsigned mask, struct err *e);

/* Accepts clients that never subscribed. */
void events_unsubscribe(struct events *events, struct rpc_client *client);

/* Tells that @event happened to @object @name; the members of @extra, which
 * becomes the function's and may be NULL, are added to it. */
void events_emit(struct sw *sw, const char *object, const char *event,
    const char *name, struct json_object *extra);

#endif
