/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output_record.c - one flat JSON object as text.
 *
 * What a record is about stands on its first line, the rest below in the
 * order that the switch gave it, counters aligned with each other at the end.
 * No key is dropped for being unknown.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/output.h"

enum { TEXT_COLUMNS = 78 };

static const char indent[] = "    ";

/* Keys of the first line, in this order. */
static const char *const head_keys[] = {
    "type", "bridge", "cpu", "busy", "state", "reason", NULL};

static bool is_head(const char *key)
{
	size_t i;

	for (i = 0; head_keys[i]; i++)
		if (strcmp(key, head_keys[i]) == 0)
			return true;
	return false;
}

static bool is_counter(const char *key, struct json_object *value)
{
	return (json_object_is_type(value, json_type_int) ||
		   json_object_is_type(value, json_type_double)) &&
	       (strncmp(key, "rx_", 3) == 0 || strncmp(key, "tx_", 3) == 0);
}

static bool is_statistic(const char *key, struct json_object *value)
{
	return is_counter(key, value) || strcmp(key, "drops") == 0 ||
	       strcmp(key, "flooded") == 0 ||
	       strcmp(key, "passed_through") == 0;
}

static bool is_table(struct json_object *value)
{
	return json_object_is_type(value, json_type_array) &&
	       json_object_array_length(value) > 0 &&
	       json_object_is_type(
		   json_object_array_get_idx(value, 0), json_type_object);
}

static void print_head(
    const struct output *o, struct json_object *record, const char *title)
{
	char *name = text_member(record, title), *value;
	enum text_style style;
	size_t i;

	fprintf(o->f, "%s%s:%s", text_on(o, TEXT_STRONG), name ? name : "?",
	    text_off(o, TEXT_STRONG));
	free(name);
	for (i = 0; head_keys[i]; i++) {
		value = text_member(record, head_keys[i]);
		if (!value)
			continue;
		style = strcmp(head_keys[i], "state") == 0
			    ? text_state_style(value)
			    : TEXT_PLAIN;
		fprintf(o->f,
		    strcmp(head_keys[i], "reason") == 0 ? " %s \"%s%s%s\""
							: " %s %s%s%s",
		    head_keys[i], text_on(o, style), value, text_off(o, style));
		free(value);
	}
	fputc('\n', o->f);
}

/* Prints `key value` after what is on the line, or on the next. */
static void print_pair(const struct output *o, const char *key,
    struct json_object *value, size_t *column)
{
	char *name = text_key(key), *text = text_value(key, value);
	size_t n = text_width(name) + 1 + text_width(text);

	if (*column && *column + 1 + n > TEXT_COLUMNS) {
		fputc('\n', o->f);
		*column = 0;
	}
	fprintf(o->f, "%s%s%s%s %s", *column ? " " : indent,
	    text_on(o, TEXT_FAINT), name, text_off(o, TEXT_FAINT), text);
	*column += n + (*column ? 1 : sizeof(indent) - 1);
	free(name);
	free(text);
}

static void print_body(
    const struct output *o, struct json_object *record, const char *title)
{
	size_t column = 0;

	json_object_object_foreach (record, key, value) {
		if (strcmp(key, title) != 0 && !is_head(key) &&
		    !is_statistic(key, value) && !is_table(value))
			print_pair(o, key, value, &column);
	}
	if (column)
		fputc('\n', o->f);
}

/* One row with the counters that begin with @way. */
static void add_counters(
    struct columns *c, struct json_object *record, const char *way)
{
	bool any = false;

	json_object_object_foreach (record, key, value) {
		if (!is_counter(key, value) || strncmp(key, way, 2) != 0)
			continue;
		if (!any)
			columns_add(c, TEXT_PLAIN, text_format("%.2s", way));
		any = true;
		columns_add(c, TEXT_FAINT, text_key(key + 3));
		columns_add_right(c, TEXT_PLAIN, text_value(key, value));
	}
	if (any)
		columns_end_row(c);
}

static void add_drops(struct columns *c, struct json_object *drops, bool zeros)
{
	json_object_object_foreach (drops, reason, count) {
		if (!zeros && json_object_get_int64(count) == 0)
			continue;
		columns_add(c, TEXT_PLAIN, text_format("drop"));
		columns_add(c, TEXT_FAINT, text_safe(reason));
		columns_add_right(c, TEXT_BAD, text_value(reason, count));
		columns_end_row(c);
	}
}

static void add_count(
    struct columns *c, struct json_object *record, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(record, key, &v))
		return;
	columns_add(c, TEXT_PLAIN, text_key(key));
	columns_add(c, TEXT_PLAIN, text_value(key, v));
	columns_end_row(c);
}

static void print_counters(const struct output *o, struct json_object *record)
{
	struct columns *c = columns_new();
	struct json_object *v;

	add_counters(c, record, "rx");
	add_counters(c, record, "tx");
	columns_print(c, o, indent);
	columns_free(c);
	c = columns_new();
	add_count(c, record, "flooded");
	add_count(c, record, "passed_through");
	if (json_object_object_get_ex(record, "drops", &v) &&
	    json_object_is_type(v, json_type_object))
		add_drops(c, v, o->details);
	columns_print(c, o, indent);
	columns_free(c);
}

static void print_tables(const struct output *o, struct json_object *record)
{
	json_object_object_foreach (record, key, value) {
		if (is_table(value))
			record_print_table(o, value, key, indent);
	}
}

/* Prints @text with its lines joined by a backslash, as `ip -o` does. */
static void print_oneline(FILE *f, char *text)
{
	size_t n = strlen(text);

	for (; n && text[n - 1] == '\n'; n--)
		;
	text[n] = '\0';
	for (; *text; text++)
		fputc(*text == '\n' ? '\\' : *text, f);
	fputc('\n', f);
}

void record_print(
    const struct output *o, struct json_object *record, const char *title)
{
	struct output part = *o;
	char *text = NULL;
	size_t size;

	part.f = open_memstream(&text, &size);
	if (!part.f)
		abort();
	print_head(&part, record, title);
	print_body(&part, record, title);
	if (o->stats)
		print_counters(&part, record);
	print_tables(&part, record);
	fclose(part.f);
	if (o->oneline)
		print_oneline(o->f, text);
	else
		fputs(text, o->f);
	free(text);
}

/* The keys of all records in the order that they first come up. */
static struct json_object *union_of_keys(struct json_object *records)
{
	struct json_object *keys = json_object_new_object(), *r;
	size_t i;

	for (i = 0; i < json_object_array_length(records); i++) {
		r = json_object_array_get_idx(records, i);
		if (!json_object_is_type(r, json_type_object))
			continue;
		json_object_object_foreach (r, key, value) {
			(void)value;
			json_object_object_add(keys, key, NULL);
		}
	}
	return keys;
}

static void add_pair(struct columns *c, struct json_object *record,
    const char *key, const char *title)
{
	bool bare = strcmp(key, title) == 0 || strcmp(key, "state") == 0;
	struct json_object *value;
	char *name, *text;

	if (!json_object_object_get_ex(record, key, &value) || !value) {
		columns_add(c, TEXT_PLAIN, NULL);
		return;
	}
	text = text_value(key, value);
	if (bare) {
		columns_add(
		    c, strcmp(key, title) ? TEXT_PLAIN : TEXT_STRONG, text);
		return;
	}
	name = text_key(key);
	columns_add(c, TEXT_PLAIN, text_format("%s %s", name, text));
	free(name);
	free(text);
}

void record_print_table(const struct output *o, struct json_object *records,
    const char *title, const char *before)
{
	struct json_object *keys = union_of_keys(records), *r;
	struct columns *c = columns_new();
	size_t i;

	for (i = 0; i < json_object_array_length(records); i++) {
		r = json_object_array_get_idx(records, i);
		json_object_object_foreach (keys, key, unused) {
			(void)unused;
			add_pair(c, r, key, title);
		}
		columns_end_row(c);
	}
	columns_print(c, o, before);
	columns_free(c);
	json_object_put(keys);
}
