/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c - a connection to the switch's control socket.
 *
 * Whatever arrives is cut into lines; a line with our id is the reply, one
 * without id is an event.  The switch is trusted no further than its words:
 * replies are bounded in size and depth.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/client.h"
#include "switch/base/err.h"

enum {
	ANSWER_MS = 30000,
	LINE_MAX_BYTES = 1 << 28, /* a reply: millions of addresses */
	FIRST_BYTES = 1 << 16,
	DEPTH_MAX = 32,
};

struct client {
	int fd;
	bool alive;
	int64_t id;
	char *buf; /* buf[0..n) received, buf[0..taken) given out */
	size_t n, taken, size;
};

static int refuse_connect(const char *path, struct err *e)
{
	int code = -errno;

	if (code == -ECONNREFUSED)
		err_set(e, code, "nobody listens on %.108s", path);
	else
		err_set(e, code, "cannot reach the switch on %.108s: %s", path,
		    strerror(-code));
	err_arg(e, path);
	if (code == -EACCES || code == -EPERM)
		err_hint(e, "run as the user the switch runs as, or as root");
	else
		err_hint(e, "start swd, or name its socket with -S or "
			    "$SWD_SOCKET");
	return code;
}

int client_open(struct client **client, const char *path, struct err *e)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = ANSWER_MS / 1000};
	struct client *c;
	int r;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		err_set(e, -ENAMETOOLONG,
		    "socket path \"%.60s...\" is longer than %zu characters",
		    path, sizeof(addr.sun_path) - 1);
		err_arg(e, path);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_set(e, -ENOMEM, "no memory for a connection");
	c->size = FIRST_BYTES;
	c->buf = malloc(c->size);
	if (!c->buf) {
		r = err_set(e, -ENOMEM, "no memory for a connection");
		goto free_client;
	}
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		r = err_set(e, -errno, "no socket: %s", strerror(errno));
		goto free_client;
	}
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		r = refuse_connect(path, e);
		goto close_fd;
	}
	c->alive = true;
	*client = c;
	return 0;

close_fd:
	close(c->fd);
free_client:
	free(c->buf);
	free(c);
	return r;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	close(client->fd);
	free(client->buf);
	free(client);
}

bool client_is_alive(const struct client *client)
{
	return client->alive;
}

static int lose(struct client *c, int code, const char *what, struct err *e)
{
	c->alive = false;
	err_set(e, code, "the switch %s", what);
	err_hint(e, "see what swd says in its log");
	return code;
}

/* Sends all of text[0..n); a peer that has hung up may have said why. */
static int send_all(struct client *c, const char *text, size_t n, struct err *e)
{
	ssize_t sent;

	while (n > 0) {
		sent = send(c->fd, text, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EPIPE)
			return 0;
		if (sent < 0)
			return lose(c, -errno, "takes no request", e);
		text += sent;
		n -= (size_t)sent;
	}
	return 0;
}

static int receive(struct client *c, int timeout_ms, struct err *e)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	size_t size = c->size * 2;
	ssize_t got;
	char *buf;
	int r;

	if (c->n == c->size) {
		buf = size <= LINE_MAX_BYTES ? realloc(c->buf, size) : NULL;
		if (!buf)
			return lose(c, -EMSGSIZE, "answers too much", e);
		c->buf = buf;
		c->size = size;
	}
	r = poll(&p, 1, timeout_ms);
	if (r < 0 && errno == EINTR)
		return 0;
	if (r == 0)
		return lose(c, -ETIMEDOUT, "does not answer", e);
	got = recv(c->fd, c->buf + c->n, c->size - c->n, 0);
	if (got < 0 && errno == EINTR)
		return 0;
	if (got < 0)
		return lose(c, -errno, "has broken off", e);
	if (got == 0)
		return lose(c, -ECONNRESET, "has closed the connection", e);
	c->n += (size_t)got;
	return 0;
}

/* The next line as JSON, an object. */
static int next_message(struct client *c, int timeout_ms,
    struct json_object **message, struct err *e)
{
	struct json_tokener *tok;
	struct json_object *m;
	size_t seen = 0;
	char *end;
	int r;

	memmove(c->buf, c->buf + c->taken, c->n - c->taken);
	c->n -= c->taken;
	c->taken = 0;
	while (!(end = memchr(c->buf + seen, '\n', c->n - seen))) {
		seen = c->n;
		r = receive(c, timeout_ms, e);
		if (r < 0)
			return r;
	}
	c->taken = (size_t)(end - c->buf) + 1;
	tok = json_tokener_new_ex(DEPTH_MAX);
	if (!tok)
		return lose(c, -ENOMEM, "answers too much", e);
	m = json_tokener_parse_ex(tok, c->buf, (int)c->taken);
	json_tokener_free(tok);
	if (!json_object_is_type(m, json_type_object)) {
		json_object_put(m);
		return lose(c, -EPROTO, "answers what is not JSON-RPC", e);
	}
	*message = m;
	return 0;
}

static const char *member_string(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) ||
	    !json_object_is_type(v, json_type_string))
		return "";
	return json_object_get_string(v);
}

static int errno_of_name(const char *name)
{
	const char *known;
	int i;

	for (i = 1; i < 200; i++) {
		known = strerrorname_np(i);
		if (known && strcmp(known, name) == 0)
			return -i;
	}
	return -EREMOTEIO;
}

/* The switch's refusal as our error. */
static int take_error(struct json_object *error, struct err *e)
{
	struct json_object *data = NULL;
	int code;

	json_object_object_get_ex(error, "data", &data);
	code = errno_of_name(member_string(data, "name"));
	err_set(e, code, "%s", member_string(error, "message"));
	if (e && !e->message[0])
		err_set(e, code, "the switch refuses and does not say why");
	err_hint(e, "%s", member_string(data, "hint"));
	err_arg(e, member_string(data, "arg"));
	return code;
}

static struct json_object *new_request(
    struct client *c, const char *method, struct json_object *params)
{
	struct json_object *request = json_object_new_object();

	json_object_object_add(
	    request, "jsonrpc", json_object_new_string("2.0"));
	json_object_object_add(request, "id", json_object_new_int64(++c->id));
	json_object_object_add(
	    request, "method", json_object_new_string(method));
	if (params)
		json_object_object_add(
		    request, "params", json_object_get(params));
	return request;
}

static int send_request(struct client *c, const char *method,
    struct json_object *params, struct err *e)
{
	struct json_object *request = new_request(c, method, params);
	const char *text;
	size_t n;
	int r;

	text = json_object_to_json_string_length(request,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
	r = send_all(c, text, n, e);
	if (r == 0)
		r = send_all(c, "\n", 1, e);
	json_object_put(request);
	return r;
}

/* Whether @m answers the last request; errors before parsing have no id. */
static bool is_reply(const struct client *c, struct json_object *m)
{
	struct json_object *id;

	if (json_object_object_get_ex(m, "method", NULL))
		return false;
	return !json_object_object_get_ex(m, "id", &id) || !id ||
	       json_object_get_int64(id) == c->id;
}

int client_call(struct client *client, const char *method,
    struct json_object *params, struct json_object **result, struct err *e)
{
	struct json_object *m = NULL, *error, *value = NULL;
	int r = send_request(client, method, params, e);

	while (r == 0) {
		r = next_message(client, ANSWER_MS, &m, e);
		if (r < 0 || is_reply(client, m))
			break;
		json_object_put(m);
	}
	if (r < 0)
		return r;
	if (json_object_object_get_ex(m, "error", &error) && error) {
		r = take_error(error, e);
	} else {
		json_object_object_get_ex(m, "result", &value);
		*result = json_object_get(value);
	}
	json_object_put(m);
	return r;
}

int client_next_event(
    struct client *client, struct json_object **event, struct err *e)
{
	struct json_object *m, *params;
	int r;

	for (;;) {
		r = next_message(client, -1, &m, e);
		if (r < 0)
			return r;
		if (json_object_object_get_ex(m, "params", &params) &&
		    json_object_is_type(params, json_type_object)) {
			*event = json_object_get(params);
			json_object_put(m);
			return 0;
		}
		json_object_put(m);
	}
}
