/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_diff.c - in what two bridges, or two ports, of one name differ.
 *
 * Both are compared with their defaults filled in: a key left out and a key
 * at its default are the same.
 */
#include <stddef.h>

#include "cli/grammar.h"
#include "switch/control/config_diff.h"
#include "switch/params.h"

struct json_object *config_only(struct json_object *params, const char *key)
{
	struct json_object *o = json_object_new_object(), *value;

	if (json_object_object_get_ex(params, key, &value))
		json_object_object_add(o, key, json_object_get(value));
	return o;
}

static struct json_object *filled(
    const struct grammar_command *cmd, struct json_object *params)
{
	struct json_object *o = params_kept(params);

	grammar_fill(cmd, o);
	return o;
}

static bool differs(
    struct json_object *a, struct json_object *b, const char *key)
{
	struct json_object *va = NULL, *vb = NULL;
	bool in_a = json_object_object_get_ex(a, key, &va);
	bool in_b = json_object_object_get_ex(b, key, &vb);

	return in_a != in_b || !json_object_equal(va, vb);
}

static void copy_key(
    struct json_object *to, struct json_object *from, const char *key)
{
	struct json_object *value;

	if (json_object_object_get_ex(from, key, &value))
		json_object_object_add(to, key, json_object_get(value));
}

/* Notes one row's difference; a key that only one side has cannot be set to
 * nothing, nor back. */
static void compare_row(struct config_diff *d,
    const struct grammar_command *set, struct json_object *was,
    struct json_object *is, const char *key)
{
	if (!differs(was, is, key))
		return;
	d->any = true;
	if (!grammar_settable(set, key) ||
	    !json_object_object_get_ex(was, key, NULL) ||
	    !json_object_object_get_ex(is, key, NULL))
		d->settable = false;
	copy_key(d->to, is, key);
	copy_key(d->back, was, key);
}

/* A key that follows another goes with it: bursts with rates, a native VLAN
 * with its trunk. */
static void add_companions(struct config_diff *d,
    const struct grammar_command *set, struct json_object *was,
    struct json_object *is)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	char own[GRAMMAR_KEY_SIZE], lead[GRAMMAR_KEY_SIZE];

	while ((arg = grammar_next(set, &it))) {
		struct grammar_arg leader = {.word = arg->follows};
		const char *key = grammar_key(arg, own), *first;

		if (!arg->follows)
			continue;
		first = grammar_key(&leader, lead);
		if (!json_object_object_get_ex(d->to, key, NULL) &&
		    !json_object_object_get_ex(d->to, first, NULL))
			continue;
		copy_key(d->to, is, key);
		copy_key(d->to, is, first);
		copy_key(d->back, was, key);
		copy_key(d->back, was, first);
	}
}

void config_diff_open(struct config_diff *d, const struct config_item *present,
    const struct config_item *wanted)
{
	bool is_port = wanted->kind == CONFIG_PORT;
	const struct grammar_command *add =
	    grammar_by_method(is_port ? "port.add" : "bridge.add");
	const struct grammar_command *set =
	    grammar_by_method(is_port ? "port.set" : "bridge.set");
	struct json_object *was = filled(add, present->params);
	struct json_object *is = filled(add, wanted->params);

	*d = (struct config_diff){.settable = true,
	    .to = config_only(wanted->params, "name"),
	    .back = config_only(wanted->params, "name")};
	json_object_object_foreach (is, key, value) {
		(void)value;
		compare_row(d, set, was, is, key);
	}
	json_object_object_foreach (was, old, value2) {
		(void)value2;
		if (!json_object_object_get_ex(is, old, NULL))
			compare_row(d, set, was, is, old);
	}
	add_companions(d, set, was, is);
	json_object_put(was);
	json_object_put(is);
}

void config_diff_close(struct config_diff *d)
{
	json_object_put(d->to);
	json_object_put(d->back);
}
