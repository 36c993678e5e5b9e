/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar_value.c - one argument's value as a word and as JSON.
 *
 * A kind has at most two checks: of the text, for what JSON carries as a
 * string, and of the number.  A word and a JSON value meet in the same check
 * and get the same sentence.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar_units.h"
#include "cli/grammar_value.h"
#include "switch/base/err.h"

enum { LIST_TEXT_MAX = 1023 };

bool grammar_word_is_one_of(const char *word, const char *words)
{
	size_t n = strlen(word), len;

	for (; words && *words; words += len + (words[len] == '|')) {
		len = strcspn(words, "|");
		if (len == n && n && strncmp(words, word, n) == 0)
			return true;
	}
	return false;
}

static bool text_is_name(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return n >= 1 && n <= GRAMMAR_NAME_MAX && !s[n] && strcmp(s, ".") &&
	       strcmp(s, "..");
}

static bool text_is_printable(const char *s, uint64_t max)
{
	size_t n;

	for (n = 0; s[n] >= ' ' && s[n] <= '~'; n++)
		;
	return n >= 1 && n <= max && !s[n];
}

static bool text_is_type(const char *s)
{
	const struct grammar_block *t = NULL;

	while ((t = grammar_type_next(t)))
		if (strcmp(t->type, s) == 0)
			return true;
	return false;
}

static bool text_is_mac(const char *s, bool station)
{
	unsigned int byte[6];
	int n = 0;

	if (strlen(s) != 17 || strspn(s, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2],
		&byte[3], &byte[4], &byte[5], &n) != 6 ||
	    n != 17)
		return false;
	return !station ||
	       (!(byte[0] & 1) && strcmp(s, "00:00:00:00:00:00") != 0);
}

/* 1,3-5: numbers in min..max, ranges upwards; or the word for no list. */
static bool text_is_list(
    const char *s, uint64_t min, uint64_t max, const char *otherwise)
{
	uint64_t first, last;

	if (strcmp(s, otherwise) == 0)
		return true;
	if (strlen(s) > LIST_TEXT_MAX)
		return false;
	for (;; s++) {
		if (!units_number(&s, &first))
			return false;
		last = first;
		if (*s == '-' && (s++, !units_number(&s, &last)))
			return false;
		if (first < min || last > max || last < first)
			return false;
		if (*s != ',')
			return !*s;
	}
}

static bool text_is_octal(const char *s)
{
	size_t n = strspn(s, "01234567");

	return n >= 1 && n <= 5 && !s[n] && strtoul(s, NULL, 8) <= 0777;
}

static bool text_is_valid(const struct grammar_arg *arg, const char *s)
{
	switch (arg->kind) {
	case GRAMMAR_NAME:
		return text_is_name(s);
	case GRAMMAR_WORD:
	case GRAMMAR_WORDS:
		return grammar_word_is_one_of(s, arg->value);
	case GRAMMAR_FLAG:
		return arg->value && strcmp(s, arg->value) == 0;
	case GRAMMAR_TYPE:
		return text_is_type(s);
	case GRAMMAR_MAC:
		return text_is_mac(s, arg->min);
	case GRAMMAR_LIST:
		return text_is_list(s, arg->min, arg->max, arg->def);
	case GRAMMAR_OCTAL:
		return text_is_octal(s);
	case GRAMMAR_PATH:
		return s[0] == '/' && text_is_printable(s, arg->max);
	case GRAMMAR_SOCKET:
		return (s[0] == '/' || (s[0] == '@' && s[1])) &&
		       text_is_printable(s, arg->max);
	case GRAMMAR_TEXT:
		return text_is_printable(s, arg->max);
	case GRAMMAR_LINES:
		return strlen(s) <= arg->max;
	default:
		return false;
	}
}

/* Writes the words of "a|b|c", or the port types, as "a, b, c". */
static void print_alternatives(FILE *f, const char *words)
{
	const struct grammar_block *t = NULL;

	if (words)
		for (; *words; words++)
			fputs(*words == '|' ? ", " : (char[]){*words, 0}, f);
	else
		while ((t = grammar_type_next(t)))
			fprintf(f, "%s%s",
			    t == grammar_type_next(NULL) ? "" : ", ", t->type);
}

/* Completes the sentence `queues "0" is not ...`. */
static void print_expectation(FILE *f, const struct grammar_arg *arg)
{
	switch (arg->kind) {
	case GRAMMAR_NAME:
		fprintf(f, "1 to %d of A-Z a-z 0-9 . _ -", GRAMMAR_NAME_MAX);
		break;
	case GRAMMAR_BOOL:
		fputs("on or off", f);
		break;
	case GRAMMAR_UINT:
		fprintf(f, "a number from %" PRIu64 " to %" PRIu64, arg->min,
		    arg->max);
		break;
	case GRAMMAR_WORD:
	case GRAMMAR_WORDS:
		fputs("one of ", f);
		print_alternatives(f, arg->value);
		break;
	case GRAMMAR_FLAG:
		fputs(arg->value ? arg->value : "true or false", f);
		break;
	case GRAMMAR_TYPE:
		fputs("a known type: ", f);
		print_alternatives(f, NULL);
		break;
	case GRAMMAR_MAC:
		fprintf(f, "the address of %s, such as 52:54:00:12:34:56",
		    arg->min ? "one station" : "a station or group");
		break;
	case GRAMMAR_LIST:
		fprintf(f,
		    "%s or a list such as 1,3-5 of numbers from %" PRIu64
		    " to %" PRIu64,
		    arg->def, arg->min, arg->max);
		break;
	case GRAMMAR_RATE:
		fputs("a rate such as 100mbit, at most ", f);
		units_print_rate(f, arg->max);
		break;
	case GRAMMAR_SIZE:
		fputs("a size such as 64k, at most ", f);
		units_print_size(f, arg->max);
		break;
	case GRAMMAR_OCTAL:
		fputs("an octal mode such as 0660", f);
		break;
	case GRAMMAR_PATH:
		fprintf(f, "a path from / of at most %" PRIu64 " characters",
		    arg->max);
		break;
	case GRAMMAR_SOCKET:
		fprintf(f,
		    "a path from /, or @ and an abstract name, of at most "
		    "%" PRIu64 " characters",
		    arg->max);
		break;
	case GRAMMAR_TEXT:
		fprintf(f, "1 to %" PRIu64 " printable characters", arg->max);
		break;
	case GRAMMAR_LINES:
		fprintf(f, "text of at most %" PRIu64 " bytes", arg->max);
		break;
	}
}

/* `queues "0" is not a number from 1 to 64`, with @shown cut and made safe. */
static int refuse(
    const struct grammar_arg *arg, const char *shown, struct err *e)
{
	char safe[60], expectation[160] = "";
	bool quote = shown[0] != '"';
	size_t i;
	FILE *f;

	for (i = 0; shown[i] && i < sizeof(safe) - 1; i++)
		safe[i] = shown[i] >= ' ' && shown[i] <= '~' ? shown[i] : '?';
	safe[i] = '\0';
	f = fmemopen(expectation, sizeof(expectation), "w");
	if (f) {
		print_expectation(f, arg);
		fclose(f);
	}
	err_set(e, -EINVAL, "%s %s%s%s%s is not %s",
	    arg->kind == GRAMMAR_FLAG ? arg->key : arg->word, quote ? "\"" : "",
	    safe, quote ? "\"" : "", shown[i] ? "..." : "", expectation);
	err_arg(e, arg->word);
	return -EINVAL;
}

static bool parse_number(
    const struct grammar_arg *arg, const char *word, uint64_t *n)
{
	if (arg->kind == GRAMMAR_RATE)
		return units_parse_rate(word, n);
	if (arg->kind == GRAMMAR_SIZE)
		return units_parse_size(word, n);
	return units_number(&word, n) && !*word;
}

/* The text as JSON carries it: addresses in lower case, modes in 4 digits. */
static struct json_object *text_value(
    const struct grammar_arg *arg, const char *word)
{
	char text[18];
	size_t i;

	if (arg->kind == GRAMMAR_OCTAL) {
		snprintf(text, sizeof(text), "%04lo", strtoul(word, NULL, 8));
		return json_object_new_string(text);
	}
	if (arg->kind != GRAMMAR_MAC)
		return json_object_new_string(word);
	for (i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)tolower((unsigned char)word[i]);
	text[i] = '\0';
	return json_object_new_string(text);
}

int grammar_value_parse(const struct grammar_arg *arg, const char *word,
    struct json_object **value, struct err *e)
{
	uint64_t n;

	switch (arg->kind) {
	case GRAMMAR_BOOL:
		if (!grammar_word_is_one_of(word, "on|off"))
			return refuse(arg, word, e);
		*value = json_object_new_boolean(word[1] == 'n');
		return 0;
	case GRAMMAR_FLAG:
		*value = arg->value ? json_object_new_string(arg->value)
				    : json_object_new_boolean(true);
		return 0;
	case GRAMMAR_UINT:
	case GRAMMAR_RATE:
	case GRAMMAR_SIZE:
		if (!parse_number(arg, word, &n) || n < arg->min ||
		    n > arg->max)
			return refuse(arg, word, e);
		*value = json_object_new_int64((int64_t)n);
		return 0;
	default:
		if (!text_is_valid(arg, word))
			return refuse(arg, word, e);
		*value = text_value(arg, word);
		return 0;
	}
}

static bool string_is_valid(
    const struct grammar_arg *arg, struct json_object *value)
{
	const char *s = json_object_get_string(value);

	return json_object_is_type(value, json_type_string) &&
	       strlen(s) == (size_t)json_object_get_string_len(value) &&
	       text_is_valid(arg, s);
}

static bool value_is_valid(
    const struct grammar_arg *arg, struct json_object *value)
{
	int64_t n;
	size_t i;

	switch (arg->kind) {
	case GRAMMAR_BOOL:
		return json_object_is_type(value, json_type_boolean);
	case GRAMMAR_UINT:
	case GRAMMAR_RATE:
	case GRAMMAR_SIZE:
		n = json_object_get_int64(value);
		return json_object_is_type(value, json_type_int) && n >= 0 &&
		       (uint64_t)n >= arg->min && (uint64_t)n <= arg->max;
	case GRAMMAR_WORDS:
		if (!json_object_is_type(value, json_type_array))
			return false;
		for (i = 0; i < json_object_array_length(value); i++)
			if (!string_is_valid(
				arg, json_object_array_get_idx(value, i)))
				return false;
		return true;
	case GRAMMAR_FLAG:
		if (!arg->value)
			return json_object_is_type(value, json_type_boolean);
		/* fallthrough */
	default:
		return string_is_valid(arg, value);
	}
}

int grammar_value_check(
    const struct grammar_arg *arg, struct json_object *value, struct err *e)
{
	if (value_is_valid(arg, value))
		return 0;
	return refuse(arg, json_object_to_json_string(value), e);
}

static void print_quoted(FILE *f, const char *s)
{
	if (*s && !strpbrk(s, " \t\"'\\#")) {
		fputs(s, f);
		return;
	}
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputc('"', f);
}

void grammar_value_print(
    FILE *f, const struct grammar_arg *arg, struct json_object *value)
{
	size_t i;

	switch (arg->kind) {
	case GRAMMAR_BOOL:
		fputs(json_object_get_boolean(value) ? "on" : "off", f);
		break;
	case GRAMMAR_RATE:
		units_print_rate(f, (uint64_t)json_object_get_int64(value));
		break;
	case GRAMMAR_SIZE:
		units_print_size(f, (uint64_t)json_object_get_int64(value));
		break;
	case GRAMMAR_FLAG:
		fputs(arg->word, f);
		break;
	case GRAMMAR_WORDS:
		for (i = 0; i < json_object_array_length(value); i++)
			fprintf(f, "%s%s", i ? " " : "",
			    json_object_get_string(
				json_object_array_get_idx(value, i)));
		break;
	default:
		print_quoted(f, json_object_get_string(value));
	}
}
