/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - values of the switch as text for people.
 *
 * Strings come from outside and pass text_safe() before a terminal sees
 * them.  Life: none.  Threads: the caller's.  Ownership: strings returned are
 * the caller's to free and never NULL; without memory the program ends, for
 * it has nothing left to say.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct json_object;

/* How to print: swctl's options and what the output is. */
struct output {
	FILE *f;
	bool json, pretty, stats, details, oneline, timestamp;
	bool colour; /* a terminal that knows colours */
	bool lines;  /* a terminal that shows UTF-8 */
};

enum text_style {
	TEXT_PLAIN,
	TEXT_STRONG, /* what a line is about */
	TEXT_FAINT,  /* what can be overlooked */
	TEXT_GOOD,
	TEXT_WAIT,
	TEXT_BAD,
};

/* The string at @key of @o, which stays @o's; "" if there is none. */
const char *text_at(struct json_object *o, const char *key);

/* Copy of @s with control characters, C1 among them, and bytes that are not
 * UTF-8 written as \xNN. */
char *text_safe(const char *s);

/* printf into memory of its own. */
char *text_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Columns that @s takes on a terminal, for characters of width one. */
size_t text_width(const char *s);

/* @bits per second with three digits and unit: "1.20 Gbit/s". */
char *text_rate(double bits_per_s);

/* The value of @key as words: on/off, a list with commas, pairs, "-" for
 * null and nothing; fractions of one that are shares, as per cent. */
char *text_value(const char *key, struct json_object *value);

/* "mcast_flood" as the keyword that one would type: "mcast-flood". */
char *text_key(const char *key);

/* The style for a port's or worker's @state. */
enum text_style text_state_style(const char *state);

/* Start and end of @style on @o; nothing where there is no colour. */
const char *text_on(const struct output *o, enum text_style style);
const char *text_off(const struct output *o, enum text_style style);

/* The string, or the number, at @key as text safe to print; NULL: absent. */
char *text_member(struct json_object *record, const char *key);

#endif
