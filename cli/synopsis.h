/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * synopsis.h - a command of the table as a sequence of marked words.
 *
 * The help, the manual pages and the completion differ in how they mark a
 * word, not in which words there are.  Life: none.  Threads: the caller's.
 */
#ifndef CLI_SYNOPSIS_H
#define CLI_SYNOPSIS_H

#include <stdio.h>

#include "cli/grammar.h"

enum synopsis_mark {
	SYNOPSIS_WORD,	/* typed as it is */
	SYNOPSIS_VALUE, /* a placeholder */
	SYNOPSIS_OR,	/* between alternatives */
	SYNOPSIS_OPEN,	/* what follows may be left out, */
	SYNOPSIS_CLOSE, /* up to here */
	SYNOPSIS_MORE,	/* the last may be repeated */
};

/* Calls @emit(@to, mark, text) for every word of @cmd, object and verb first;
 * the options of port types are one placeholder. */
void synopsis_walk(const struct grammar_command *cmd,
    void (*emit)(void *to, enum synopsis_mark mark, const char *text),
    void *to);

/* Prints @cmd as text after @lead, wrapped at 78 columns. */
void synopsis_print(
    FILE *f, const char *lead, const struct grammar_command *cmd);

/* Prints the help of everything, of @object's commands, or of @cmd. */
void help_print(FILE *f);
void help_print_object(FILE *f, const struct grammar_object *object);
void help_print_command(FILE *f, const struct grammar_command *cmd);

#endif
