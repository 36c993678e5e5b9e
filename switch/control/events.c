/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.c - what happens to the model, told to those who asked.
 *
 * Without subscribers an event costs a comparison; with any, it is made into
 * text once and that text is queued for each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "switch/control/events.h"
#include "switch/control/method.h"
#include "switch/control/record.h"
#include "switch/control/rpc_client.h"

struct subscriber {
	struct subscriber *next;
	struct rpc_client *client;
	unsigned mask;
};

struct events {
	struct subscriber *first;
};

const char *const events_objects[] = {
    "bridge", "port", "fdb", "worker", "config", NULL};

int events_open(struct events **events, struct err *e)
{
	*events = calloc(1, sizeof(**events));
	return *events ? 0 : err_set(e, -ENOMEM, "no memory for events");
}

void events_close(struct events *events)
{
	struct subscriber *s;

	while (events && (s = events->first)) {
		events->first = s->next;
		free(s);
	}
	free(events);
}

void events_unsubscribe(struct events *events, struct rpc_client *client)
{
	struct subscriber **p = events ? &events->first : NULL, *s;

	while (p && (s = *p)) {
		if (s->client == client) {
			*p = s->next;
			free(s);
			return;
		}
		p = &s->next;
	}
}

int events_subscribe(struct events *events, struct rpc_client *client,
    unsigned mask, struct err *e)
{
	struct subscriber *s = events ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return err_set(e, -ENOMEM, "no memory for a subscription");
	events_unsubscribe(events, client);
	*s = (struct subscriber){events->first, client, mask};
	events->first = s;
	rpc_client_set_subscribed(client);
	return 0;
}

static unsigned object_bit(const char *object)
{
	for (unsigned i = 0; events_objects[i]; i++)
		if (!strcmp(events_objects[i], object))
			return 1u << i;
	return 0;
}

static bool anybody_listens(const struct events *events, unsigned bit)
{
	const struct subscriber *s;

	for (s = events ? events->first : NULL; s; s = s->next)
		if (s->mask & bit)
			return true;
	return false;
}

/* Seconds since 1970 with milliseconds: for people, nothing depends on it. */
static struct json_object *time_value(void)
{
	struct timespec t;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &t);
	snprintf(text, sizeof(text), "%lld.%03ld", (long long)t.tv_sec,
	    t.tv_nsec / 1000000);
	return json_object_new_double_s(strtod(text, NULL), text);
}

static struct json_object *notification(const char *object, const char *event,
    const char *name, struct json_object *extra)
{
	struct json_object *top = json_object_new_object();
	struct json_object *params = json_object_new_object();

	record_str(top, "jsonrpc", "2.0");
	record_str(top, "method", "event");
	record_json(top, "params", params);
	record_json(params, "time", time_value());
	record_str(params, "object", object);
	record_str(params, "event", event);
	record_str(params, "name", name);
	if (extra) {
		json_object_object_foreach (extra, key, value)
			json_object_object_add(
			    params, key, json_object_get(value));
	}
	return top;
}

static void send_to_all(
    struct events *events, unsigned bit, const char *text, size_t n)
{
	char *line = malloc(n + 1);

	if (!line)
		return;
	memcpy(line, text, n);
	line[n] = '\n';
	for (struct subscriber *s = events->first; s; s = s->next)
		if (s->mask & bit)
			rpc_client_send_event(s->client, line, n + 1);
	free(line);
}

void events_emit(struct sw *sw, const char *object, const char *event,
    const char *name, struct json_object *extra)
{
	unsigned bit = object_bit(object);
	struct json_object *o;
	const char *text;
	size_t n;

	if (anybody_listens(sw->events, bit)) {
		o = notification(object, event, name, extra);
		text = json_object_to_json_string_length(o,
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
		    &n);
		send_to_all(sw->events, bit, text, n);
		json_object_put(o);
	}
	json_object_put(extra);
}

int method_monitor_subscribe(struct sw *sw, struct rpc_client *client,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct json_object *objects;
	unsigned mask = 0;
	int rc;

	if (!client)
		return err_set(e, -ENOTSUP, "events go to a connection only");
	if (json_object_object_get_ex(params, "objects", &objects))
		for (size_t i = 0; i < json_object_array_length(objects); i++)
			mask |= object_bit(json_object_get_string(
			    json_object_array_get_idx(objects, i)));
	rc = events_subscribe(sw->events, client, mask ? mask : EVENTS_ALL, e);
	if (!rc)
		*result = json_object_new_object();
	return rc;
}
