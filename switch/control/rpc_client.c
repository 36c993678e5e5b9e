/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc_client.c - one connection to the control socket.
 *
 * A connection is a state from which update() derives what to wait for; every
 * path ends there.  Nothing is freed under the feet of a caller: whoever
 * finds the connection dead marks it, and the work source frees it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "switch/base/log.h"
#include "switch/control/events.h"
#include "switch/control/rpc_client.h"

enum {
	READ_MAX = 64 << 10, /* bytes at a turn */
	REQUESTS_PER_TURN = 16,
	KEEP_SIZE = 64 << 10, /* of an empty buffer that is kept */
};

struct buffer {
	char *data; /* data[taken..n) is what waits */
	size_t n, taken, size;
};

struct rpc_client {
	struct sw *sw;
	struct rpc_client_owner *owner;
	int fd;
	sd_event_source *io, *work;
	struct buffer in, out, events;
	size_t searched; /* no newline in `in` before it */
	struct rpc_stream *stream;
	bool first; /* element of the stream */
	bool subscribed;
	bool eof;     /* the peer sends no more */
	bool deaf;    /* nor reads: answers are thrown away */
	bool closing; /* once all is sent */
	bool dead;
	uint64_t active_ms; /* when bytes last moved */
};

static size_t waiting(const struct buffer *b)
{
	return b->n - b->taken;
}

static void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}

static void buffer_take(struct buffer *b, size_t n)
{
	b->taken += n;
	if (b->taken < b->n)
		return;
	b->n = b->taken = 0;
	if (b->size > KEEP_SIZE)
		buffer_free(b);
}

/* Makes room for @more bytes behind what waits. */
static int buffer_reserve(struct buffer *b, size_t more)
{
	size_t size = b->size ? b->size : 4096;
	char *data;

	if (b->size - b->n >= more)
		return 0;
	if (b->taken) {
		memmove(b->data, b->data + b->taken, waiting(b));
		b->n -= b->taken;
		b->taken = 0;
	}
	while (size - b->n < more)
		size *= 2;
	data = size == b->size ? b->data : realloc(b->data, size);
	if (!data)
		return -ENOMEM;
	b->data = data;
	b->size = size;
	return 0;
}

static int buffer_add(struct buffer *b, const char *text, size_t n)
{
	if (buffer_reserve(b, n))
		return -ENOMEM;
	memcpy(b->data + b->n, text, n);
	b->n += n;
	return 0;
}

void rpc_client_drop(struct rpc_client *client)
{
	client->dead = true;
	sd_event_source_set_enabled(client->work, SD_EVENT_ONESHOT);
}

static void put(struct rpc_client *c, const char *text, size_t n)
{
	if (!c->deaf && buffer_add(&c->out, text, n))
		rpc_client_drop(c);
}

/* The end of the first line waiting; NULL if it is not complete. */
static char *line_end(struct rpc_client *c)
{
	size_t from = c->searched > c->in.taken ? c->searched : c->in.taken;
	char *end = c->in.n > from
			? memchr(c->in.data + from, '\n', c->in.n - from)
			: NULL;

	c->searched = end ? (size_t)(end - c->in.data) : c->in.n;
	return end;
}

static bool may_serve(const struct rpc_client *c)
{
	return !c->dead && !c->closing && !c->stream &&
	       waiting(&c->out) < RPC_OUT_LOW;
}

/* Whether all is done that the peer will ever ask for. */
static bool is_finished(struct rpc_client *c)
{
	if (c->stream || waiting(&c->out))
		return false;
	return c->closing ||
	       (c->eof && !line_end(c) && (!c->subscribed || c->deaf));
}

static void update(struct rpc_client *c)
{
	uint32_t want = 0;

	if (is_finished(c))
		rpc_client_drop(c);
	if (c->dead)
		return;
	if (may_serve(c)) {
		if (line_end(c))
			sd_event_source_set_enabled(c->work, SD_EVENT_ONESHOT);
		else if (!c->eof)
			want |= EPOLLIN;
	}
	if (c->stream || waiting(&c->out))
		want |= EPOLLOUT;
	/* A hang-up is reported whether asked for or not, again and again. */
	if (c->deaf && !want)
		sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
	else
		sd_event_source_set_io_events(c->io, want);
}

/* Nobody will read an answer; what was asked is done nevertheless. */
static void become_deaf(struct rpc_client *c)
{
	c->deaf = true;
	rpc_client_end_stream(c);
	buffer_free(&c->out);
	buffer_free(&c->events);
}

static void refuse_long_line(struct rpc_client *c)
{
	struct err e;
	size_t n;
	char *text;

	err_set(&e, -E2BIG, "a request has at most %d bytes", RPC_LINE_MAX);
	text = rpc_refusal(&e, &n);
	if (text)
		put(c, text, n);
	free(text);
	buffer_free(&c->in);
	c->searched = 0;
	c->closing = true;
}

static void serve_line(struct rpc_client *c, char *end)
{
	const char *line = c->in.data + c->in.taken;
	size_t len = (size_t)(end - line), n = 0;
	char *text = NULL;

	if (len > RPC_LINE_MAX) {
		refuse_long_line(c);
		return;
	}
	if (len && line[len - 1] == '\r')
		len--;
	if (len)
		text = rpc_answer(c->sw, c, line, len, &n);
	if (text)
		put(c, text, n);
	free(text);
	if (c->deaf)
		rpc_client_end_stream(c);
	buffer_take(&c->in, (size_t)(end - line) + 1);
	c->searched = c->in.taken;
}

static void serve(struct rpc_client *c)
{
	char *end;

	for (int i = 0; i < REQUESTS_PER_TURN && may_serve(c); i++) {
		end = line_end(c);
		if (!end)
			break;
		serve_line(c, end);
	}
	if (may_serve(c) && waiting(&c->in) > RPC_LINE_MAX && !line_end(c))
		refuse_long_line(c);
}

static void read_some(struct rpc_client *c)
{
	ssize_t n;

	if (buffer_reserve(&c->in, READ_MAX)) {
		rpc_client_drop(c);
		return;
	}
	c->searched = 0;
	n = recv(c->fd, c->in.data + c->in.n, READ_MAX, MSG_DONTWAIT);
	if (n > 0) {
		c->in.n += (size_t)n;
		c->active_ms = clock_ms();
	} else if (n == 0) {
		c->eof = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		c->eof = true;
		become_deaf(c);
	}
}

static void write_some(struct rpc_client *c)
{
	ssize_t n;

	if (!waiting(&c->out))
		return;
	n = send(c->fd, c->out.data + c->out.taken, waiting(&c->out),
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0) {
		buffer_take(&c->out, (size_t)n);
		c->active_ms = clock_ms();
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		become_deaf(c);
	}
}

static void put_elements(struct rpc_client *c, struct json_object *array)
{
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		size_t n;
		const char *text = json_object_to_json_string_length(
		    json_object_array_get_idx(array, i),
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
		    &n);

		if (!c->stream->single)
			put(c, c->first ? "[" : ",", 1);
		c->first = false;
		put(c, text, n);
	}
}

/* One step of the stream, when there is little left to send. */
static void stream_some(struct rpc_client *c)
{
	struct json_object *array;
	bool more;

	if (!c->stream || waiting(&c->out) >= RPC_OUT_LOW)
		return;
	array = json_object_new_array();
	if (!array) {
		rpc_client_drop(c);
		return;
	}
	more = c->stream->step(c->stream, c->sw, array);
	put_elements(c, array);
	json_object_put(array);
	if (more)
		return;
	if (!c->stream->single)
		put(c, c->first ? "[]" : "]", c->first ? 2 : 1);
	put(c, "}\n", 2);
	rpc_client_end_stream(c);
	if (waiting(&c->events))
		put(c, c->events.data, c->events.n);
	buffer_free(&c->events);
}

static int on_io(
    sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct rpc_client *c = userdata;

	(void)source;
	(void)fd;
	if (revents & (EPOLLHUP | EPOLLERR) && !c->deaf)
		become_deaf(c);
	if (revents & EPOLLOUT) {
		write_some(c);
		stream_some(c);
	}
	if (revents & (EPOLLIN | EPOLLHUP) && may_serve(c) && !c->eof &&
	    !line_end(c))
		read_some(c);
	serve(c);
	write_some(c);
	update(c);
	return 0;
}

static int on_work(sd_event_source *source, void *userdata)
{
	struct rpc_client *c = userdata;

	(void)source;
	if (c->dead) {
		c->owner->gone(c->owner, c);
		rpc_client_close(c);
		return 0;
	}
	sd_event_source_set_enabled(c->io, SD_EVENT_ON);
	serve(c);
	write_some(c);
	update(c);
	return 0;
}

void rpc_client_set_stream(struct rpc_client *client, struct rpc_stream *stream)
{
	client->stream = stream;
	client->first = true;
}

bool rpc_client_has_stream(const struct rpc_client *client)
{
	return client && client->stream;
}

void rpc_client_end_stream(struct rpc_client *client)
{
	if (!rpc_client_has_stream(client))
		return;
	client->stream->close(client->stream, client->sw);
	client->stream = NULL;
}

void rpc_client_send_event(
    struct rpc_client *client, const char *line, size_t len)
{
	struct buffer *to = client->stream ? &client->events : &client->out;

	if (client->dead || client->deaf || client->closing)
		return;
	if (waiting(&client->out) + waiting(&client->events) + len >
		RPC_OUT_MAX ||
	    buffer_add(to, line, len)) {
		log_warning(
		    "control: a monitor does not keep up and is let go");
		rpc_client_drop(client);
		return;
	}
	if (!client->stream)
		sd_event_source_set_io_events(
		    client->io, EPOLLOUT | (client->eof ? 0 : EPOLLIN));
}

void rpc_client_set_subscribed(struct rpc_client *client)
{
	client->subscribed = true;
}

uint64_t rpc_client_rank(const struct rpc_client *client)
{
	return client->active_ms | (uint64_t)client->subscribed << 63;
}

bool rpc_client_is_stalled(const struct rpc_client *client, uint64_t now_ms)
{
	return (client->stream || waiting(&client->out)) &&
	       !client->subscribed && now_ms - client->active_ms > RPC_STALL_MS;
}

void rpc_client_close(struct rpc_client *client)
{
	if (!client)
		return;
	events_unsubscribe(client->sw->events, client);
	rpc_client_end_stream(client);
	sd_event_source_disable_unref(client->io);
	sd_event_source_disable_unref(client->work);
	close(client->fd);
	buffer_free(&client->in);
	buffer_free(&client->out);
	buffer_free(&client->events);
	free(client);
}

int rpc_client_open(struct rpc_client **client, struct sw *sw, int fd,
    struct rpc_client_owner *owner, struct err *e)
{
	struct rpc_client *c = calloc(1, sizeof(*c));
	int rc;

	if (!c) {
		close(fd);
		return err_set(e, -ENOMEM, "no memory for a connection");
	}
	*c = (struct rpc_client){
	    .sw = sw, .fd = fd, .owner = owner, .active_ms = clock_ms()};
	rc = sd_event_add_io(sw->event, &c->io, fd, EPOLLIN, on_io, c);
	if (rc >= 0)
		rc = sd_event_add_defer(sw->event, &c->work, on_work, c);
	if (rc >= 0)
		rc = sd_event_source_set_enabled(c->work, SD_EVENT_OFF);
	if (rc < 0) {
		rpc_client_close(c);
		return err_set(e, rc, "event loop: %s", strerror(-rc));
	}
	*client = c;
	return 0;
}
