/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manual.h - the manual pages, in mdoc(7).
 *
 * Prose is written, every list of words comes from the table.  Life: none.
 * Threads: the caller's.
 */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include <stdio.h>

#include "cli/grammar.h"

/* Writes the page called @name ("swctl.8").  Returns 0, or -ENOENT. */
int manual_print(FILE *f, const char *name);

/* Parts of the pages: the words of @cmd, the list of its arguments with all
 * or the JSON forms of values, the options of each port type. */
void manual_synopsis(FILE *f, const struct grammar_command *cmd);
void manual_arguments(FILE *f, const struct grammar_command *cmd, bool json);
void manual_types(FILE *f, bool json);

#endif
