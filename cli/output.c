/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output.c - results, events and errors of the switch, printed.
 *
 * JSON goes through as it came, in an array; text is chosen by the object.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "switch/base/err.h"

static void print_json(const struct output *o, struct json_object *value)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= o->pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
			   : JSON_C_TO_STRING_PLAIN;
	fputs(json_object_to_json_string_ext(value, flags), o->f);
	fputc('\n', o->f);
}

/* The top level is an array, whatever a method returns. */
static void print_json_array(const struct output *o, struct json_object *value)
{
	struct json_object *array;

	if (json_object_is_type(value, json_type_array)) {
		print_json(o, value);
		return;
	}
	array = json_object_new_array();
	if (value && !(json_object_is_type(value, json_type_object) &&
			 json_object_object_length(value) == 0))
		json_object_array_add(array, json_object_get(value));
	print_json(o, array);
	json_object_put(array);
}

/* Configuration lines are printed as they are: they contain nothing that is
 * not printable, and what is not is made so. */
static void print_line(const struct output *o, struct json_object *line)
{
	struct json_object *v = line;
	char *safe;

	if (json_object_is_type(line, json_type_object))
		json_object_object_get_ex(line, "line", &v);
	safe = text_safe(v ? json_object_get_string(v) : "");
	fprintf(o->f, "%s\n", safe);
	free(safe);
}

/* Pairs after the result of a command that shows nothing: "removed 12". */
static void print_pairs(const struct output *o, struct json_object *value)
{
	char *text;

	if (!json_object_is_type(value, json_type_object) ||
	    json_object_object_length(value) == 0)
		return;
	text = text_value(NULL, value);
	fprintf(o->f, "%s\n", text);
	free(text);
}

static const char *title_of(const struct grammar_command *cmd)
{
	if (strcmp(cmd->object, "worker") == 0)
		return "id";
	return strcmp(cmd->object, "fdb") == 0 ? "mac" : "name";
}

static void print_records(const struct output *o,
    const struct grammar_command *cmd, struct json_object *records)
{
	struct output with_stats = *o;
	size_t i;

	if (strcmp(cmd->object, "stats") == 0)
		with_stats.stats = true;
	if (strcmp(cmd->object, "fdb") == 0) {
		record_print_table(o, records, title_of(cmd), "");
		return;
	}
	for (i = 0; i < json_object_array_length(records); i++) {
		struct json_object *r = json_object_array_get_idx(records, i);

		if (strcmp(cmd->object, "config") == 0)
			print_line(o, r);
		else if (json_object_is_type(r, json_type_object))
			record_print(&with_stats, r, title_of(cmd));
	}
}

void output_result(const struct output *o, const struct grammar_command *cmd,
    struct json_object *result)
{
	if (o->json)
		print_json_array(o, result);
	else if (strcmp(cmd->object, "show") == 0)
		picture_print(o, result);
	else if (json_object_is_type(result, json_type_array))
		print_records(o, cmd, result);
	else
		print_pairs(o, result);
}

/* [2024-05-01T12:00:00.123] from seconds since 1970, or the text given. */
static void print_time(const struct output *o, struct json_object *when)
{
	double ms = json_object_get_double(when) * 1000 + 0.5;
	time_t whole = 0;
	char text[32] = "";
	struct tm tm;

	if (json_object_is_type(when, json_type_string)) {
		char *safe = text_safe(json_object_get_string(when));

		fprintf(o->f, "[%s] ", safe);
		free(safe);
		return;
	}
	if (ms >= 0 && ms < 1e14)
		whole = (time_t)(ms / 1000);
	if (!localtime_r(&whole, &tm))
		return;
	strftime(text, sizeof(text), "%FT%T", &tm);
	fprintf(
	    o->f, "[%s.%03d] ", text, (int)(ms - (double)whole * 1000) % 1000);
}

/* port vm1 state up peer ...: object, name, event, then the rest. */
static void print_event(const struct output *o, struct json_object *event)
{
	static const char *const lead[] = {"object", "name", "event"};
	char *kind = text_member(event, "event"), *text, *name;
	struct json_object *when;
	size_t i;

	if (o->timestamp && json_object_object_get_ex(event, "time", &when))
		print_time(o, when);
	for (i = 0; i < 3; i++) {
		text = text_member(event, lead[i]);
		fprintf(o->f, "%s%s", i && text ? " " : "", text ? text : "");
		free(text);
	}
	json_object_object_foreach (event, key, value) {
		if (strcmp(key, "time") == 0 || strcmp(key, "object") == 0 ||
		    strcmp(key, "name") == 0 || strcmp(key, "event") == 0)
			continue;
		name = text_safe(key);
		text = text_value(key, value);
		if (kind && strcmp(kind, key) == 0)
			fprintf(o->f, " %s", text);
		else
			fprintf(o->f, " %s %s", name, text);
		free(name);
		free(text);
	}
	fputc('\n', o->f);
	free(kind);
}

void output_event(const struct output *o, struct json_object *event)
{
	if (o->json)
		print_json_array(o, event);
	else
		print_event(o, event);
	fflush(o->f);
}

static void add_string(
    struct json_object *to, const char *key, const char *value)
{
	if (value && *value)
		json_object_object_add(to, key, json_object_new_string(value));
}

static void print_json_error(
    const struct output *o, const char *where, const struct err *e)
{
	struct json_object *top = json_object_new_object();
	struct json_object *error = json_object_new_object();

	json_object_object_add(top, "error", error);
	add_string(error, "name", err_name(e->code));
	add_string(error, "message", e->message);
	add_string(error, "hint", e->hint);
	add_string(error, "arg", e->arg);
	add_string(error, "where", where);
	print_json(o, top);
	json_object_put(top);
}

void output_error(const struct output *o, FILE *errors, const char *where,
    const struct err *e)
{
	char *message, *hint;

	if (o->json) {
		print_json_error(o, where, e);
		return;
	}
	fflush(o->f);
	message = text_safe(e->message);
	hint = text_safe(e->hint);
	fprintf(errors, "Error: %s%s%s\n", where ? where : "",
	    where ? ": " : "", message);
	if (*hint)
		fprintf(errors, "Hint: %s\n", hint);
	free(message);
	free(hint);
}
