/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar_value.h - one argument's value as a word and as JSON.
 *
 * Inside the grammar alone; see grammar.h for the kinds.  Life: none.
 * Threads: any.  Ownership: JSON values returned belong to the caller.
 */
#ifndef CLI_GRAMMAR_VALUE_H
#define CLI_GRAMMAR_VALUE_H

#include <stdio.h>

#include "cli/grammar.h"

/* Turns @word into @arg's JSON value in *value.  Any thread.  Returns 0, or
 * -EINVAL with a sentence naming argument and word. */
int grammar_value_parse(const struct grammar_arg *arg, const char *word,
    struct json_object **value, struct err *e);

/* Checks a JSON @value against @arg's kind and range.  Any thread.  Returns
 * 0, or -EINVAL with a sentence naming argument and value. */
int grammar_value_check(
    const struct grammar_arg *arg, struct json_object *value, struct err *e);

/* Writes the word, quoted where needed, that parses to @value, which has
 * passed the check.  Any thread. */
void grammar_value_print(
    FILE *f, const struct grammar_arg *arg, struct json_object *value);

/* Whether @word is one of @words, which are separated by '|'. */
bool grammar_word_is_one_of(const char *word, const char *words);

#endif
