/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output.h - results, events and errors of the switch, printed.
 *
 * Text in iproute2's spirit, one record per bridge, port, worker; addresses
 * one a line.  Keys that this program does not know are printed as well.
 * Life: none.  Threads: the caller's.  Ownership: everything is borrowed.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/grammar.h"
#include "cli/text.h"

struct err;

/* Prints the @result (NULL: nothing) that @cmd had. */
void output_result(const struct output *o, const struct grammar_command *cmd,
    struct json_object *result);

/* Prints one event of monitor, at once. */
void output_event(const struct output *o, struct json_object *event);

/* Prints the sentence, its hint, and with @where (NULL: none) which line of
 * a batch it is about: as text to @errors, as JSON to the output. */
void output_error(const struct output *o, FILE *errors, const char *where,
    const struct err *e);

/* Draws the result of show.picture. */
void picture_print(const struct output *o, struct json_object *picture);

/* Prints one record as text, @title being the key it is named by. */
void record_print(
    const struct output *o, struct json_object *record, const char *title);

/* Prints records, one a line, as aligned pairs; the values of @title and of
 * "state" stand without their key. */
void record_print_table(const struct output *o, struct json_object *records,
    const char *title, const char *indent);

#endif
