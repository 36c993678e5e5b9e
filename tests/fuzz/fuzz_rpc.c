/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_rpc.c - lines of requests against a model without threads or peers.
 *
 * Every reply must be one line of JSON with an error or a result, and after
 * all lines of an input the configuration that is shown must reproduce
 * itself without a change.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/grammar.h"
#include "switch/control/config.h"
#include "tests/fuzz/shown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PORTS_MAX = 64 }; /* more say nothing new and take time */

static void check_reply(char *text, size_t n)
{
	struct json_tokener *tok = json_tokener_new_ex(64);
	struct json_object *o;

	assert(n && text[n - 1] == '\n' && !memchr(text, '\n', n - 1));
	o = json_tokener_parse_ex(tok, text, (int)n);
	assert(json_object_is_type(o, json_type_object));
	assert(json_object_object_get_ex(o, "id", NULL));
	assert(json_object_object_get_ex(o, "error", NULL) !=
	       json_object_object_get_ex(o, "result", NULL));
	json_object_put(o);
	json_tokener_free(tok);
}

static void ask(struct sw *sw, const char *line, size_t len)
{
	char *copy = malloc(len), *text; /* without a byte behind the line */
	size_t n = 0;

	memcpy(copy, line, len);
	text = rpc_answer(sw, NULL, copy, len, &n);
	if (text)
		check_reply(text, n);
	free(text);
	free(copy);
}

/* What an input that is not JSON-RPC says as a line of configuration. */
static void ask_words(struct sw *sw, const char *line)
{
	const struct grammar_command *cmd = NULL;
	struct json_object *params = NULL, *result = NULL;

	if (grammar_parse_line(line, &cmd, &params, NULL) || !cmd)
		return;
	if (cmd->method)
		rpc_call(sw, NULL, cmd->method, params, &result, NULL);
	json_object_put(params);
	json_object_put(result);
}

static void check_config(struct sw *sw)
{
	struct err e = {0};
	char *text;

	if (has_static(sw) || !bridge_find(sw, "br0", NULL))
		return;
	text = shown(sw);
	if (config_apply(sw, text, NULL, &e) != 0) {
		fprintf(stderr, "%s\n%s", e.message, text);
		abort();
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sw *sw = fake_open();
	const char *at = (const char *)data, *end = at + size, *newline;

	while (at < end && !sw->port[PORTS_MAX]) {
		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			newline = end;
		if (newline > at && *at == '{') {
			ask(sw, at, (size_t)(newline - at));
		} else {
			char *line = strndup(at, (size_t)(newline - at));

			ask(sw, at, (size_t)(newline - at));
			ask_words(sw, line);
			free(line);
		}
		at = newline + 1;
	}
	check_config(sw);
	fake_close(sw);
	return 0;
}
