/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_grammar.c - any text as a line, or as parameters of any method.
 *
 * What parses must pass the check that JSON-RPC parameters get, and must come
 * back the same when it is printed and parsed again.
 */
#include <assert.h>
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar.h"
#include "switch/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_local(const struct grammar_command *cmd)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};

	while ((arg = grammar_next(cmd, &it)))
		if (arg->local || (arg->wire && arg->required))
			return true;
	return false;
}

static struct json_object *filled(
    const struct grammar_command *cmd, struct json_object *params)
{
	struct json_object *copy = NULL;

	json_object_deep_copy(params, &copy, NULL);
	if (cmd->creates)
		grammar_fill(cmd, copy);
	return copy;
}

static void check_round_trip(
    const struct grammar_command *cmd, struct json_object *params)
{
	const struct grammar_command *cmd2 = NULL;
	struct json_object *params2 = NULL, *a, *b;
	char *line = grammar_print(cmd, params);
	struct err e = {0};

	assert(line);
	assert(grammar_parse_line(line, &cmd2, &params2, &e) == 0);
	assert(cmd2 == cmd);
	a = filled(cmd, params);
	b = filled(cmd, params2);
	assert(json_object_equal(a, b));
	json_object_put(a);
	json_object_put(b);
	json_object_put(params2);
	free(line);
}

static void fuzz_line(const char *line)
{
	const struct grammar_command *cmd = NULL;
	struct json_object *params = NULL;
	struct err e = {0};

	if (grammar_parse_line(line, &cmd, &params, &e) < 0) {
		assert(e.message[0] && e.code < 0);
		return;
	}
	if (!cmd)
		return;
	if (!is_local(cmd)) {
		assert(grammar_check(cmd, params, &e) == 0);
		check_round_trip(cmd, params);
	}
	json_object_put(params);
}

/* JSON can say what words cannot (may_exist false, addresses in capitals), so
 * all that is asked of its words is that they parse. */
static void fuzz_params(uint8_t which, const char *text, size_t size)
{
	struct json_tokener *tok = json_tokener_new_ex(8);
	struct json_object *params =
	    json_tokener_parse_ex(tok, text, (int)size);
	const struct grammar_command *cmd = grammar_commands, *cmd2;
	struct json_object *params2;
	struct err e = {0};
	char *line;

	for (; which && cmd[1].object; which--)
		cmd++;
	if (cmd->method && !is_local(cmd) &&
	    grammar_check(cmd, params, &e) == 0) {
		line = grammar_print(cmd, params);
		assert(line);
		assert(grammar_parse_line(line, &cmd2, &params2, &e) == 0);
		assert(cmd2 == cmd);
		json_object_put(params2);
		free(line);
	}
	json_object_put(params);
	json_tokener_free(tok);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 1)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] & 0x80)
		fuzz_params(data[0] & 0x7f, text, size);
	else
		fuzz_line(text);
	free(text);
	return 0;
}
