/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar_check.c - parameters against the table, and back into words.
 *
 * A key means the row that has it and that fits the port type; where the
 * command does not say the type, a row of any type will do, and whoever
 * knows the port asks grammar_check_type().
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar_check.h"
#include "cli/grammar_value.h"
#include "cli/nearest.h"
#include "switch/base/err.h"

bool grammar_row_fits(const struct grammar_iter *it, const char *type)
{
	return !it->type || !type || strcmp(it->type, type) == 0;
}

const char *grammar_type_of(struct json_object *params)
{
	struct json_object *type;

	if (!json_object_object_get_ex(params, "type", &type) ||
	    !json_object_is_type(type, json_type_string))
		return NULL;
	return json_object_get_string(type);
}

static const struct grammar_arg *find_key(const struct grammar_command *cmd,
    const char *key, const char *type, struct grammar_iter *it)
{
	const struct grammar_arg *arg;
	char buf[GRAMMAR_KEY_SIZE];

	*it = (struct grammar_iter){0};
	while ((arg = grammar_next(cmd, it)))
		if (!arg->local && grammar_row_fits(it, type) &&
		    strcmp(grammar_key(arg, buf), key) == 0)
			return arg;
	return NULL;
}

static const char *command_name(const struct grammar_command *cmd, char buf[64])
{
	snprintf(
	    buf, 64, "%s%s%s", cmd->object, cmd->verb[0] ? " " : "", cmd->verb);
	return buf;
}

const struct grammar_arg *grammar_find_fixed(
    const struct grammar_command *cmd, const char *word, bool is_key)
{
	const struct grammar_command *c;
	const struct grammar_arg *arg;
	struct grammar_iter it;
	char buf[GRAMMAR_KEY_SIZE];

	for (c = grammar_commands; c->object && cmd->changes; c++) {
		if (!c->creates || strcmp(c->object, cmd->object) != 0)
			continue;
		it = (struct grammar_iter){0};
		while ((arg = grammar_next(c, &it)))
			if (!arg->set && arg->kind != GRAMMAR_FLAG &&
			    strcmp(is_key ? grammar_key(arg, buf) : arg->word,
				word) == 0)
				return arg;
	}
	return NULL;
}

int grammar_refuse_fixed(const struct grammar_command *cmd,
    const struct grammar_arg *arg, struct err *e)
{
	err_set(
	    e, -EINVAL, "%s of a %s cannot be changed", arg->word, cmd->object);
	err_arg(e, arg->word);
	err_hint(e, "delete the %s and add it again", cmd->object);
	return -EINVAL;
}

static int refuse_key(
    const struct grammar_command *cmd, const char *key, struct err *e)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	char buf[GRAMMAR_KEY_SIZE], name[64];
	char keys[48][GRAMMAR_KEY_SIZE];
	struct nearest near;
	size_t n = 0;

	arg = grammar_find_fixed(cmd, key, true);
	if (arg)
		return grammar_refuse_fixed(cmd, arg, e);
	nearest_init(&near, key);
	while ((arg = grammar_next(cmd, &it)) && n < 48)
		if (!arg->local)
			nearest_offer(
			    &near, strcpy(keys[n++], grammar_key(arg, buf)));
	err_set(e, -EINVAL, "%s has no parameter \"%.40s\"",
	    command_name(cmd, name), key);
	err_arg(e, key);
	nearest_hint(&near, e);
	return -EINVAL;
}

static int refuse_type(
    const struct grammar_arg *arg, const char *type, struct err *e)
{
	err_set(
	    e, -EINVAL, "%s is not an option of a %s port", arg->word, type);
	err_arg(e, arg->word);
	return -EINVAL;
}

/* The row and value of @key, or the sentence why it has none. */
static int check_key(const struct grammar_command *cmd, const char *key,
    struct json_object *value, struct json_object *params, struct err *e)
{
	const char *type = grammar_type_of(params);
	const struct grammar_arg *arg;
	struct grammar_iter it;
	char leader[GRAMMAR_KEY_SIZE];

	arg = find_key(cmd, key, type, &it);
	if (!arg) {
		arg = find_key(cmd, key, NULL, &it);
		return arg ? refuse_type(arg, type, e)
			   : refuse_key(cmd, key, e);
	}
	/* Flags that share a key differ in the value alone. */
	while (arg[1].word && arg[1].key && arg->key &&
	       strcmp(arg[1].key, arg->key) == 0 &&
	       grammar_value_check(arg, value, NULL) < 0)
		arg++;
	if (arg->follows) {
		grammar_key(
		    &(struct grammar_arg){.word = arg->follows}, leader);
		if (!json_object_object_get_ex(params, leader, NULL)) {
			err_set(
			    e, -EINVAL, "%s needs %s beside it", key, leader);
			err_arg(e, key);
			return -EINVAL;
		}
	}
	return grammar_value_check(arg, value, e);
}

int grammar_check_complete(const struct grammar_command *cmd,
    struct json_object *params, bool from_words, struct err *e)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	char key[GRAMMAR_KEY_SIZE], name[64];

	while ((arg = grammar_next(cmd, &it))) {
		if (!arg->required || (from_words ? arg->wire : arg->local) ||
		    json_object_object_get_ex(
			params, grammar_key(arg, key), NULL))
			continue;
		command_name(cmd, name);
		if (arg->positional)
			err_set(e, -EINVAL, "%s needs a %s", name, arg->value);
		else
			err_set(e, -EINVAL, "%s needs %s %s", name, arg->word,
			    arg->value);
		err_arg(e, arg->word);
		err_hint(e, "swctl %s help", name);
		return -EINVAL;
	}
	return 0;
}

int grammar_check(const struct grammar_command *cmd, struct json_object *params,
    struct err *e)
{
	struct json_object *type;
	int r;

	if (params && !json_object_is_type(params, json_type_object))
		return err_set(e, -EINVAL, "params is not an object");
	if (json_object_object_get_ex(params, "type", &type)) {
		r = check_key(cmd, "type", type, params, e);
		if (r < 0)
			return r;
	}
	if (params) {
		json_object_object_foreach (params, key, value) {
			r = check_key(cmd, key, value, params, e);
			if (r < 0)
				return r;
		}
	}
	return grammar_check_complete(cmd, params, false, e);
}

int grammar_check_type(const struct grammar_command *cmd, const char *type,
    struct json_object *params, struct err *e)
{
	const struct grammar_arg *arg;
	struct grammar_iter it;

	if (!params)
		return 0;
	json_object_object_foreach (params, key, value) {
		(void)value;
		arg = find_key(cmd, key, NULL, &it);
		if (arg && !find_key(cmd, key, type, &it))
			return refuse_type(arg, type, e);
	}
	return 0;
}

static struct json_object *row_value(
    const struct grammar_arg *arg, struct json_object *params)
{
	struct json_object *value;
	char key[GRAMMAR_KEY_SIZE];

	if (!json_object_object_get_ex(params, grammar_key(arg, key), &value) ||
	    grammar_value_check(arg, value, NULL) < 0)
		return NULL;
	if (arg->kind == GRAMMAR_FLAG && !arg->value &&
	    !json_object_get_boolean(value))
		return NULL;
	return value;
}

static bool value_is_default(
    const struct grammar_arg *arg, struct json_object *value)
{
	struct json_object *def = NULL;
	bool equal;

	if (!arg->def || grammar_value_parse(arg, arg->def, &def, NULL) < 0)
		return false;
	equal = json_object_equal(value, def);
	json_object_put(def);
	return equal;
}

/* A leader at its default is printed for the sake of its follower. */
static bool row_is_silent(const struct grammar_command *cmd,
    const struct grammar_arg *arg, struct json_object *params)
{
	struct json_object *value = row_value(arg, params);

	if (!value || arg->wire)
		return true;
	if (!cmd->creates || !value_is_default(arg, value))
		return false;
	return !arg[1].word || !arg[1].follows || arg->follows ||
	       strcmp(arg[1].follows, arg->word) != 0 ||
	       row_is_silent(cmd, &arg[1], params);
}

/* A name that reads like a keyword needs its own keyword before it. */
static bool positional_needs_word(const struct grammar_command *cmd,
    const struct grammar_arg *positional, struct json_object *value)
{
	const char *text = json_object_get_string(value);
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};

	if (positional->kind != GRAMMAR_NAME &&
	    positional->kind != GRAMMAR_TEXT)
		return false;
	while ((arg = grammar_next(cmd, &it)))
		if (strcmp(arg->word, text) == 0)
			return true;
	return strcmp(text, "help") == 0 || strncmp(text, "--", 2) == 0;
}

char *grammar_print(
    const struct grammar_command *cmd, struct json_object *params)
{
	const char *type = grammar_type_of(params);
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	struct json_object *value;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fprintf(f, "%s%s%s", cmd->object, cmd->verb[0] ? " " : "", cmd->verb);
	while ((arg = grammar_next(cmd, &it))) {
		if (!grammar_row_fits(&it, type) ||
		    row_is_silent(cmd, arg, params))
			continue;
		value = row_value(arg, params);
		fputc(' ', f);
		if (arg->kind != GRAMMAR_FLAG &&
		    (!arg->positional ||
			positional_needs_word(cmd, arg, value)))
			fprintf(f, "%s ", arg->word);
		grammar_value_print(f, arg, value);
	}
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

bool grammar_settable(const struct grammar_command *cmd, const char *key)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	char buf[GRAMMAR_KEY_SIZE];

	while ((arg = grammar_next(cmd, &it)))
		if (arg->set && strcmp(grammar_key(arg, buf), key) == 0)
			return true;
	return false;
}

void grammar_fill(const struct grammar_command *cmd, struct json_object *params)
{
	const char *type = grammar_type_of(params);
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	struct json_object *value;
	char buf[GRAMMAR_KEY_SIZE];
	const char *key;

	while ((arg = grammar_next(cmd, &it))) {
		key = grammar_key(arg, buf);
		if (arg->def && !arg->local && grammar_row_fits(&it, type) &&
		    !json_object_object_get_ex(params, key, NULL) &&
		    grammar_value_parse(arg, arg->def, &value, NULL) == 0)
			json_object_object_add(params, key, value);
	}
}
