/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc.c - JSON-RPC 2.0 as the switch speaks it: one request, one reply a line.
 *
 * What a request may cost is known before it is parsed: a scan of the bare
 * text counts values and nesting, because two bytes of text, "[]", are some
 * hundred bytes of memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar.h"
#include "switch/control/method.h"
#include "switch/control/record.h"
#include "switch/control/rpc.h"
#include "switch/control/rpc_client.h"

enum {
	PARSE_ERROR = -32700, /* JSON-RPC 2.0, section 5.1 */
	INVALID_REQUEST = -32600,
	METHOD_NOT_FOUND = -32601,
	INVALID_PARAMS = -32602,
	REFUSED = -32000, /* by the switch */
};

static const struct {
	const char *name;
	rpc_method_fn *fn;
} methods[] = {
    {"bridge.add", method_bridge_add},
    {"bridge.del", method_bridge_del},
    {"bridge.set", method_bridge_set},
    {"bridge.show", method_bridge_show},
    {"port.add", method_port_add},
    {"port.del", method_port_del},
    {"port.set", method_port_set},
    {"port.show", method_port_show},
    {"fdb.add", method_fdb_add},
    {"fdb.del", method_fdb_del},
    {"fdb.show", method_fdb_show},
    {"fdb.flush", method_fdb_flush},
    {"worker.show", method_worker_show},
    {"worker.add", method_worker_add},
    {"worker.del", method_worker_del},
    {"worker.set", method_worker_set},
    {"worker.balance", method_worker_balance},
    {"worker.move", method_worker_move},
    {"stats.show", method_stats_show},
    {"config.show", method_config_show},
    {"config.apply", method_config_apply},
    {"monitor.subscribe", method_monitor_subscribe},
    {"show.picture", method_show_picture},
};

static rpc_method_fn *find_method(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (!strcmp(methods[i].name, name))
			return methods[i].fn;
	return NULL;
}

bool rpc_has_method(const char *name)
{
	return find_method(name) && grammar_by_method(name);
}

int rpc_stream_start(struct sw *sw, struct rpc_client *client,
    struct rpc_stream *stream, struct json_object **result, struct err *e)
{
	struct json_object *all;

	if (client) {
		rpc_client_set_stream(client, stream);
		return 0;
	}
	all = json_object_new_array();
	while (all && stream->step(stream, sw, all))
		;
	*result = all;
	if (all && stream->single) {
		*result = json_object_get(json_object_array_get_idx(all, 0));
		json_object_put(all);
	}
	stream->close(stream, sw);
	return all ? 0 : err_set(e, -ENOMEM, "no memory for the answer");
}

/* *code tells the parameters' faults from the switch's refusals. */
static int call(struct sw *sw, struct rpc_client *client, const char *method,
    struct json_object *params, struct json_object **result, int *code,
    struct err *e)
{
	const struct grammar_command *cmd = grammar_by_method(method);
	rpc_method_fn *fn = find_method(method);
	struct json_object *none = NULL;
	int rc;

	*code = METHOD_NOT_FOUND;
	if (!cmd || !fn) {
		err_set(e, -EOPNOTSUPP, "there is no method \"%.60s\"", method);
		err_arg(e, "method");
		return -EOPNOTSUPP;
	}
	*code = INVALID_PARAMS;
	rc = grammar_check(cmd, params, e);
	if (rc)
		return rc;
	*code = REFUSED;
	if (!params)
		params = none = json_object_new_object();
	rc = params ? fn(sw, client, params, result, e)
		    : err_set(e, -ENOMEM, "no memory for a request");
	json_object_put(none);
	return rc;
}

int rpc_call(struct sw *sw, struct rpc_client *client, const char *method,
    struct json_object *params, struct json_object **result, struct err *e)
{
	int code;

	return call(sw, client, method, params, result, &code, e);
}

/* Counts values and nesting of line[0..len): outside of strings, a value or a
 * member with its value is first or stands after one of `,[{`. */
static int check_size(const char *line, size_t len, struct err *e)
{
	unsigned values = 1, depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (in_string) {
			i += c == '\\';
			in_string = c != '"';
			continue;
		}
		in_string = c == '"';
		values += c == ',' || c == '[' || c == '{';
		depth += c == '[' || c == '{';
		depth -= (c == ']' || c == '}') && depth;
		if (!c || c == '\'' || c == '/')
			return err_set(e, -EPROTO,
			    "the request is not JSON at byte %zu", i);
		if (depth > RPC_DEPTH_MAX)
			return err_set(e, -E2BIG,
			    "the request nests deeper than %d", RPC_DEPTH_MAX);
		if (values > RPC_VALUES_MAX)
			return err_set(e, -E2BIG,
			    "the request holds more than %d values",
			    RPC_VALUES_MAX);
	}
	return 0;
}

static const char *parse_fault(enum json_tokener_error why)
{
	if (why == json_tokener_continue)
		return "it ends too early";
	return why == json_tokener_success
		   ? "something follows it, or it is null"
		   : json_tokener_error_desc(why);
}

static int parse(
    const char *line, size_t len, struct json_object **request, struct err *e)
{
	struct json_tokener *tok;
	enum json_tokener_error why;
	size_t end;
	int rc = check_size(line, len, e);

	if (rc)
		return rc;
	tok = json_tokener_new_ex(RPC_DEPTH_MAX);
	if (!tok)
		return err_set(e, -ENOMEM, "no memory for a request");
	json_tokener_set_flags(
	    tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*request = json_tokener_parse_ex(tok, line, (int)len);
	why = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	while (end < len && strchr(" \t\r", line[end]))
		end++;
	if (why == json_tokener_success && end == len && *request)
		return 0;
	json_object_put(*request);
	*request = NULL;
	return err_set(
	    e, -EPROTO, "the request is not JSON: %s", parse_fault(why));
}

/* Sets *id to what a reply must repeat, which @request keeps; NULL stands for
 * null.  Returns whether it may be an id. */
static bool take_id(struct json_object *request, struct json_object **id)
{
	json_object_object_get_ex(request, "id", id);
	if (json_object_is_type(*id, json_type_array) ||
	    json_object_is_type(*id, json_type_object) ||
	    strlen(json_object_to_json_string_ext(
		*id, JSON_C_TO_STRING_PLAIN)) > RPC_ID_MAX) {
		*id = NULL;
		return false;
	}
	return true;
}

static int check_envelope(struct json_object *request, const char **method,
    struct json_object **params, struct err *e)
{
	struct json_object *v;

	if (!json_object_object_get_ex(request, "jsonrpc", &v) ||
	    !json_object_is_type(v, json_type_string) ||
	    strcmp(json_object_get_string(v), "2.0"))
		return err_set(
		    e, -EINVAL, "the request lacks \"jsonrpc\": \"2.0\"");
	if (!json_object_object_get_ex(request, "method", &v) ||
	    !json_object_is_type(v, json_type_string) ||
	    strlen(json_object_get_string(v)) !=
		(size_t)json_object_get_string_len(v))
		return err_set(e, -EINVAL, "the request lacks a method");
	*method = json_object_get_string(v);
	json_object_object_get_ex(request, "params", params);
	return 0;
}

/* The text as a terminal can bear it: a sentence quotes what a peer sent. */
static struct json_object *plain_string(const char *text)
{
	char plain[sizeof(((struct err *)NULL)->message)];
	size_t n = 0;

	for (; text[n] && n < sizeof(plain) - 1; n++)
		plain[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
	return json_object_new_string_len(plain, (int)n);
}

static struct json_object *error_object(int code, const struct err *e)
{
	struct json_object *error = json_object_new_object();
	struct json_object *data = json_object_new_object();

	record_json(error, "code", json_object_new_int(code));
	record_json(error, "message", plain_string(e->message));
	record_json(error, "data", data);
	record_str(data, "name", err_name(e->code));
	if (e->hint[0])
		record_json(data, "hint", plain_string(e->hint));
	if (e->arg[0])
		record_json(data, "arg", plain_string(e->arg));
	return error;
}

/* The line {jsonrpc, id, @key: @value}; takes @value over. */
static char *reply(struct json_object *id, const char *key,
    struct json_object *value, size_t *n)
{
	struct json_object *o = json_object_new_object();
	const char *text;
	char *line;

	record_str(o, "jsonrpc", "2.0");
	record_json(o, "id", json_object_get(id));
	record_json(o, key, value);
	text = json_object_to_json_string_length(
	    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, n);
	line = text ? malloc(*n + 1) : NULL;
	if (line) {
		memcpy(line, text, *n);
		line[(*n)++] = '\n';
	}
	json_object_put(o);
	return line;
}

/* The reply up to the result, which is a stream. */
static char *reply_head(struct json_object *id, size_t *n)
{
	char *line;
	int len = asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":",
	    json_object_to_json_string_ext(
		id, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	*n = len < 0 ? 0 : (size_t)len;
	return len < 0 ? NULL : line;
}

char *rpc_refusal(const struct err *e, size_t *n)
{
	return reply(NULL, "error", error_object(REFUSED, e), n);
}

static char *fault(
    struct json_object *id, int code, const struct err *e, size_t *n)
{
	return reply(id, "error", error_object(code, e), n);
}

static char *answer_request(struct sw *sw, struct rpc_client *client,
    struct json_object *request, size_t *n)
{
	bool wants_reply = json_object_object_get_ex(request, "id", NULL);
	struct json_object *id, *params = NULL, *result = NULL;
	struct err e = {0};
	const char *method = "";
	int code, rc;

	if (!json_object_is_type(request, json_type_object)) {
		err_set(&e, -EINVAL, "a request is one JSON object a line");
		return fault(NULL, INVALID_REQUEST, &e, n);
	}
	if (!take_id(request, &id)) {
		err_set(&e, -EINVAL,
		    "an id is a string or a number of at most %d characters",
		    RPC_ID_MAX);
		return fault(NULL, INVALID_REQUEST, &e, n);
	}
	if (check_envelope(request, &method, &params, &e))
		return fault(id, INVALID_REQUEST, &e, n);
	rc = call(sw, client, method, params, &result, &code, &e);
	if (!wants_reply) {
		json_object_put(result);
		rpc_client_end_stream(client);
		return NULL;
	}
	if (rc)
		return fault(id, code, &e, n);
	if (rpc_client_has_stream(client))
		return reply_head(id, n);
	return reply(
	    id, "result", result ? result : json_object_new_object(), n);
}

char *rpc_answer(struct sw *sw, struct rpc_client *client, const char *line,
    size_t len, size_t *n)
{
	struct json_object *request = NULL;
	struct err e = {0};
	char *text;

	if (parse(line, len, &request, &e))
		return fault(NULL, PARSE_ERROR, &e, n);
	text = answer_request(sw, client, request, n);
	json_object_put(request);
	return text;
}
