/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar_parse.c - words into a command and its parameters.
 *
 * Three steps: the object, its verb, then pairs of keyword and value, each
 * looked up in the rows of the command.  What may be left out (the verb, the
 * keyword of the positional argument) is decided by the word alone, so that
 * a line means the same whatever the switch holds.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar_check.h"
#include "cli/grammar_value.h"
#include "cli/nearest.h"
#include "switch/base/err.h"

struct parse {
	const struct grammar_command *cmd;
	struct json_object *params;
	const struct grammar_arg *last; /* the row just read */
	struct err *e;
};

static bool is_prefix(const char *word, const char *of)
{
	return *word && strncmp(word, of, strlen(word)) == 0;
}

/* Words from outside, cut, with nothing that a terminal would obey. */
static const char *safe(const char *word, char buf[48])
{
	size_t i;

	for (i = 0; word[i] && i < 47; i++)
		buf[i] = word[i] >= ' ' && word[i] <= '~' ? word[i] : '?';
	buf[i] = '\0';
	return buf;
}

static int refuse_word(struct err *e, const char *what, const char *word,
    const struct nearest *near)
{
	char buf[48];

	err_set(e, -EINVAL, "unknown %s \"%s\"", what, safe(word, buf));
	err_arg(e, safe(word, buf));
	nearest_hint(near, e);
	return -EINVAL;
}

const struct grammar_object *grammar_find_object(
    const char *word, struct err *e)
{
	const struct grammar_object *o;
	struct nearest near;

	for (o = grammar_objects; o->name; o++)
		if (strcmp(word, o->name) == 0)
			return o;
	nearest_init(&near, word);
	for (o = grammar_objects; o->name; o++) {
		if (is_prefix(word, o->name))
			return o;
		nearest_offer(&near, o->name);
	}
	refuse_word(e, "object", word, &near);
	return NULL;
}

/* Verbs first, then what else they are called; prefixes of either. */
static bool verb_matches(const struct grammar_command *c, const char *word)
{
	const char *also = c->also;

	if (is_prefix(word, c->verb))
		return true;
	while (*also) {
		if (is_prefix(word, also))
			return strcspn(also, "|") >= strlen(word);
		also += strcspn(also, "|");
		also += *also == '|';
	}
	return false;
}

static const struct grammar_command *find_verb(
    const struct grammar_command *first, const char *word, struct err *e)
{
	const struct grammar_command *c;
	struct nearest near;
	char what[48];

	nearest_init(&near, word);
	for (c = first; c->object && strcmp(c->object, first->object) == 0;
	     c++) {
		if (verb_matches(c, word))
			return c;
		nearest_offer(&near, c->verb);
	}
	snprintf(what, sizeof(what), "%s command", first->object);
	refuse_word(e, what, word, &near);
	return NULL;
}

const struct grammar_command *grammar_find_command(
    int argc, char *const argv[], int *used, struct err *e)
{
	const struct grammar_object *o = grammar_find_object(argv[0], e);
	const struct grammar_command *c = grammar_commands;

	if (!o)
		return NULL;
	while (strcmp(c->object, o->name) != 0)
		c++;
	*used = 1;
	if (!c->verb[0])
		return c;
	*used = argc > 1 ? 2 : 1;
	return find_verb(c, argc > 1 ? argv[1] : "show", e);
}

/* Whether a row may be written in this place of the line. */
static bool row_is_open(const struct parse *p, const struct grammar_iter *it,
    const struct grammar_arg *arg)
{
	if (arg->wire)
		return false;
	if (arg->follows)
		return p->last && strcmp(p->last->word, arg->follows) == 0;
	return grammar_row_fits(it, grammar_type_of(p->params));
}

static const struct grammar_arg *find_exact(
    const struct parse *p, const char *word, struct grammar_iter *it)
{
	const struct grammar_arg *arg;

	*it = (struct grammar_iter){0};
	while ((arg = grammar_next(p->cmd, it)))
		if (row_is_open(p, it, arg) && strcmp(word, arg->word) == 0)
			return arg;
	return NULL;
}

/* Says why @word is no keyword here: misplaced, another type's, unknown. */
static int refuse_keyword(const struct parse *p, const char *word)
{
	const char *type = grammar_type_of(p->params);
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	struct nearest near;

	arg = grammar_find_fixed(p->cmd, word, false);
	if (arg)
		return grammar_refuse_fixed(p->cmd, arg, p->e);
	nearest_init(&near, word);
	while ((arg = grammar_next(p->cmd, &it))) {
		if (row_is_open(p, &it, arg))
			nearest_offer(&near, arg->word);
		if (arg->wire || strcmp(arg->word, word) != 0)
			continue;
		if (!grammar_row_fits(&it, type)) {
			err_set(p->e, -EINVAL,
			    "%s is not an option of a %s port", word, type);
		} else {
			err_set(p->e, -EINVAL, "%s comes right after %s", word,
			    strcmp(word, "burst") ? arg->follows
						  : "rate-in or rate-out");
		}
		err_arg(p->e, word);
		return -EINVAL;
	}
	return refuse_word(p->e, "word", word, &near);
}

static int refuse_ambiguous(const struct parse *p, const char *word,
    const char *first, const char *second)
{
	err_set(
	    p->e, -EINVAL, "\"%.31s\" may be %s or %s", word, first, second);
	err_arg(p->e, word);
	return -EINVAL;
}

/* The row that keyword @word means here: in full, or a unique beginning. */
static int find_keyword(const struct parse *p, const char *word,
    const struct grammar_arg **found, struct grammar_iter *it)
{
	const struct grammar_arg *arg;
	struct grammar_iter i = {0};

	*found = find_exact(p, word, it);
	if (*found)
		return 0;
	while ((arg = grammar_next(p->cmd, &i))) {
		if (!row_is_open(p, &i, arg) || word[0] == '-' ||
		    !is_prefix(word, arg->word))
			continue;
		if (*found && strcmp((*found)->word, arg->word) != 0)
			return refuse_ambiguous(
			    p, word, (*found)->word, arg->word);
		*found = arg;
		*it = i;
	}
	return *found ? 0 : refuse_keyword(p, word);
}

/* The positional row when @word, the first one, stands for its value. */
static const struct grammar_arg *find_positional(
    const struct parse *p, const char *word)
{
	const struct grammar_arg *positional, *arg, *found;
	struct grammar_iter it = {0};
	struct parse quiet = *p;

	while ((positional = grammar_next(p->cmd, &it)))
		if (positional->positional)
			break;
	if (!positional || strncmp(word, "--", 2) == 0)
		return NULL;
	arg = find_exact(p, word, &it);
	if (arg && (!positional->required || arg == positional ||
		       arg->kind == GRAMMAR_FLAG))
		return NULL;
	quiet.e = NULL;
	if (!positional->required &&
	    (positional->kind == GRAMMAR_MAC ||
		positional->kind == GRAMMAR_UINT) &&
	    find_keyword(&quiet, word, &found, &it) == 0)
		return NULL;
	return positional;
}

static int add_value(
    struct parse *p, const struct grammar_arg *arg, const char *word)
{
	struct json_object *value = NULL;
	char key[GRAMMAR_KEY_SIZE];
	int r;

	if (json_object_object_get_ex(p->params, grammar_key(arg, key), NULL)) {
		err_set(p->e, -EINVAL, "%s is given twice", arg->word);
		err_arg(p->e, arg->word);
		return -EINVAL;
	}
	r = grammar_value_parse(arg, word, &value, p->e);
	if (r < 0)
		return r;
	p->last = arg;
	return json_object_object_add(p->params, grammar_key(arg, key), value);
}

/* Any number of words, each one of @arg's, in full or its beginning. */
static int add_words(struct parse *p, const struct grammar_arg *arg, int argc,
    char *const argv[])
{
	struct json_object *list = json_object_new_array(), *value;
	char full[GRAMMAR_KEY_SIZE];
	const char *w;
	int i, r = 0;

	for (i = 0; i < argc && r == 0; i++) {
		w = arg->value;
		while (w && !is_prefix(argv[i], w))
			w = (w = strchr(w, '|')) ? w + 1 : NULL;
		if (w)
			snprintf(full, sizeof(full), "%.*s",
			    (int)strcspn(w, "|"), w);
		r = grammar_value_parse(arg, w ? full : argv[i], &value, p->e);
		if (r == 0)
			json_object_array_add(list, value);
	}
	json_object_object_add(p->params, grammar_key(arg, full), list);
	return r;
}

static int parse_pair(struct parse *p, int argc, char *const argv[], int *used)
{
	const struct grammar_arg *arg;
	struct grammar_iter it;
	int r = find_keyword(p, argv[0], &arg, &it);

	if (r < 0)
		return r;
	if (it.type && p->cmd->creates && !grammar_type_of(p->params)) {
		err_set(p->e, -EINVAL,
		    "%s is an option of a type, which is not given yet",
		    arg->word);
		err_arg(p->e, arg->word);
		err_hint(p->e, "write type %s before it", it.type);
		return -EINVAL;
	}
	*used = 1;
	if (arg->kind == GRAMMAR_FLAG)
		return add_value(p, arg, arg->word);
	if (argc < 2) {
		err_set(p->e, -EINVAL, "%s needs a value: %s", arg->word,
		    arg->value);
		err_arg(p->e, arg->word);
		return -EINVAL;
	}
	*used = 2;
	return add_value(p, arg, argv[1]);
}

/* Flags may come before the positional argument, nothing else may. */
static int parse_arguments(struct parse *p, int argc, char *const argv[])
{
	const struct grammar_arg *positional = NULL;
	int i, used = 0, r = 0;

	for (i = 0; i < argc && r == 0 && strncmp(argv[i], "--", 2) == 0;
	     i += used)
		r = parse_pair(p, argc - i, &argv[i], &used);
	if (i < argc && r == 0)
		positional = find_positional(p, argv[i]);
	if (positional && positional->kind == GRAMMAR_WORDS)
		return add_words(p, positional, argc - i, &argv[i]);
	if (positional)
		r = add_value(p, positional, argv[i++]);
	for (; i < argc && r == 0; i += used)
		r = parse_pair(p, argc - i, &argv[i], &used);
	if (r < 0)
		return r;
	return grammar_check_complete(p->cmd, p->params, true, p->e);
}

int grammar_parse(int argc, char *const argv[],
    const struct grammar_command **cmd, struct json_object **params,
    struct err *e)
{
	struct parse p = {.e = e};
	int used = 0, r;

	if (argc == 0) {
		*cmd = NULL;
		*params = NULL;
		return 0;
	}
	p.cmd = grammar_find_command(argc, argv, &used, e);
	if (!p.cmd)
		return -EINVAL;
	p.params = json_object_new_object();
	r = parse_arguments(&p, argc - used, &argv[used]);
	if (r < 0) {
		json_object_put(p.params);
		return r;
	}
	*cmd = p.cmd;
	*params = p.params;
	return 0;
}
