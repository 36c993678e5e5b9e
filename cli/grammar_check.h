/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar_check.h - parameters against the table, for the parser.
 *
 * Inside the grammar alone; see grammar.h.  Life: none.  Threads: any.
 */
#ifndef CLI_GRAMMAR_CHECK_H
#define CLI_GRAMMAR_CHECK_H

#include "cli/grammar.h"

/* Whether the row at @it counts for ports of @type (NULL: not known). */
bool grammar_row_fits(const struct grammar_iter *it, const char *type);

/* The value of "type" in @params, or NULL. */
const char *grammar_type_of(struct json_object *params);

/* Checks that nothing required is missing from @params, which come from
 * words or from JSON-RPC.  Returns 0, or -EINVAL with a sentence. */
int grammar_check_complete(const struct grammar_command *cmd,
    struct json_object *params, bool from_words, struct err *e);

/* The option called @word (or with that key) that an object has from its
 * creation on and that @cmd, which changes, cannot change; or NULL. */
const struct grammar_arg *grammar_find_fixed(
    const struct grammar_command *cmd, const char *word, bool is_key);

/* Says so; returns -EINVAL. */
int grammar_refuse_fixed(const struct grammar_command *cmd,
    const struct grammar_arg *arg, struct err *e);

#endif
