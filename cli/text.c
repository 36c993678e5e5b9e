/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.c - values of the switch as text for people.
 *
 * Everything is built in memory first: widths must be known before a column
 * is printed.
 */
#include <json-c/json.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"

static FILE *open_text(char **text, size_t *size)
{
	FILE *f = open_memstream(text, size);

	if (!f)
		abort();
	return f;
}

char *text_format(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	return text;
}

/* Bytes of the UTF-8 character at @s; 0: none, or not for a terminal. */
static size_t character_bytes(const unsigned char *s)
{
	size_t n, i;
	uint32_t c;

	if (s[0] < 0x80)
		return s[0] >= ' ' && s[0] != 0x7f;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	c = s[0] & (0xffu >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	/* C1 controls, overlong forms, surrogates, marks that turn the
	 * direction of writing. */
	if (c < 0xa0 || (n == 3 && c < 0x800) || (n == 4 && c < 0x10000) ||
	    (c >= 0xd800 && c < 0xe000) || c > 0x10ffff ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return 0;
	return n;
}

const char *text_at(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) ||
	    !json_object_is_type(v, json_type_string))
		return "";
	return json_object_get_string(v);
}

char *text_safe(const char *s)
{
	char *text;
	size_t size, n;
	FILE *f = open_text(&text, &size);

	while (*s) {
		n = character_bytes((const unsigned char *)s);
		if (n == 0)
			fprintf(f, "\\x%02x", (unsigned char)*s++);
		else
			fprintf(f, "%.*s", (int)n, s);
		s += n;
	}
	fclose(f);
	return text;
}

size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

char *text_rate(double bits_per_s)
{
	static const char *const units[] = {
	    "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};
	size_t i = 0;

	while (bits_per_s >= 999.5 && i < 4) {
		bits_per_s /= 1000;
		i++;
	}
	return text_format("%.*f %s",
	    i == 0 || bits_per_s >= 99.95 ? 0
	    : bits_per_s >= 9.995	  ? 1
					  : 2,
	    bits_per_s, units[i]);
}

static bool is_share(const char *key)
{
	static const char *const shares[] = {
	    "busy", "busy_after", "busiest", "busiest_after", "share"};

	for (size_t i = 0; key && i < sizeof(shares) / sizeof(*shares); i++)
		if (strcmp(key, shares[i]) == 0)
			return true;
	return false;
}

static bool is_bit_rate(const char *key)
{
	static const char end[] = "_bits_per_s";
	size_t n = key ? strlen(key) : 0;

	return n >= sizeof(end) && strcmp(key + n - sizeof(end) + 1, end) == 0;
}

static void print_number(FILE *f, const char *key, struct json_object *v)
{
	char *rate;

	if (is_bit_rate(key)) {
		rate = text_rate(json_object_get_double(v));
		fputs(rate, f);
		free(rate);
	} else if (is_share(key)) {
		fprintf(f, "%.1f%%", json_object_get_double(v) * 100);
	} else if (json_object_is_type(v, json_type_int)) {
		fputs(json_object_to_json_string(v), f);
	} else {
		fprintf(f, "%.6g", json_object_get_double(v));
	}
}

static void print_value(FILE *f, const char *key, struct json_object *v);

static void print_array(FILE *f, struct json_object *v)
{
	size_t i;

	if (json_object_array_length(v) == 0)
		fputc('-', f);
	for (i = 0; i < json_object_array_length(v); i++) {
		if (i)
			fputc(',', f);
		print_value(f, NULL, json_object_array_get_idx(v, i));
	}
}

static void print_object(FILE *f, struct json_object *v)
{
	const char *blank = "";
	char *safe;

	json_object_object_foreach (v, key, member) {
		safe = text_safe(key);
		fprintf(f, "%s%s ", blank, safe);
		free(safe);
		print_value(f, key, member);
		blank = " ";
	}
	if (!*blank)
		fputc('-', f);
}

static void print_string(FILE *f, const char *s)
{
	char *safe = text_safe(s);

	fputs(*safe ? safe : "-", f);
	free(safe);
}

/* The replies' depth is bounded, and with it this recursion. */
static void print_value(FILE *f, const char *key, struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		fputc('-', f);
		break;
	case json_type_boolean:
		fputs(json_object_get_boolean(v) ? "on" : "off", f);
		break;
	case json_type_double:
	case json_type_int:
		print_number(f, key, v);
		break;
	case json_type_array:
		print_array(f, v);
		break;
	case json_type_object:
		print_object(f, v);
		break;
	case json_type_string:
		print_string(f, json_object_get_string(v));
		break;
	}
}

char *text_value(const char *key, struct json_object *value)
{
	char *text;
	size_t size;
	FILE *f = open_text(&text, &size);

	print_value(f, key, value);
	fclose(f);
	return text;
}

char *text_key(const char *key)
{
	char *text = text_safe(key), *p;

	for (p = text; *p; p++)
		if (*p == '_')
			*p = '-';
	return text;
}

char *text_member(struct json_object *record, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(record, key, &v) || !v)
		return NULL;
	return text_value(key, v);
}

enum text_style text_state_style(const char *state)
{
	if (strcmp(state, "up") == 0)
		return TEXT_GOOD;
	if (strcmp(state, "wait") == 0)
		return TEXT_WAIT;
	if (strcmp(state, "broken") == 0 || strcmp(state, "down") == 0)
		return TEXT_BAD;
	return TEXT_PLAIN;
}

const char *text_on(const struct output *o, enum text_style style)
{
	static const char *const codes[] = {[TEXT_PLAIN] = "",
	    [TEXT_STRONG] = "\033[1m",
	    [TEXT_FAINT] = "\033[2m",
	    [TEXT_GOOD] = "\033[32m",
	    [TEXT_WAIT] = "\033[33m",
	    [TEXT_BAD] = "\033[31m"};

	return o->colour ? codes[style] : "";
}

const char *text_off(const struct output *o, enum text_style style)
{
	return o->colour && style != TEXT_PLAIN ? "\033[0m" : "";
}
