/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar_line.c - a line of text into words, as a shell would, less.
 *
 * The line is unquoted in place: what is written never gets ahead of what is
 * read, so one copy of the line holds all its words.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar.h"
#include "switch/base/err.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Unquotes the word at *in to *out, both moved past it; -1: no end quote. */
static int take_word(char **in, char **out)
{
	char quote = 0;

	for (; **in && (quote || !is_blank(**in)); (*in)++) {
		if (quote && **in == quote) {
			quote = 0;
		} else if (!quote && (**in == '"' || **in == '\'')) {
			quote = **in;
		} else {
			if (**in == '\\' && quote != '\'' && (*in)[1])
				(*in)++;
			*(*out)++ = **in;
		}
	}
	return quote ? -1 : 0;
}

/* Cuts @line into words; how many, or -EINVAL with a sentence. */
static int split(char *line, char *words[GRAMMAR_WORDS_MAX], struct err *e)
{
	char *in = line, *out = line;
	int n = 0;
	bool end;

	for (;;) {
		while (is_blank(*in))
			in++;
		if (!*in || *in == '#')
			return n;
		if (n == GRAMMAR_WORDS_MAX)
			return err_set(e, -EINVAL,
			    "a line has at most %d words", GRAMMAR_WORDS_MAX);
		words[n++] = out;
		if (take_word(&in, &out) < 0)
			return err_set(e, -EINVAL, "a quote is not closed");
		end = !*in;
		*out++ = '\0';
		if (end)
			return n;
		in++;
	}
}

int grammar_parse_line(const char *line, const struct grammar_command **cmd,
    struct json_object **params, struct err *e)
{
	char *words[GRAMMAR_WORDS_MAX];
	char *copy;
	int n;

	if (strlen(line) > GRAMMAR_LINE_MAX)
		return err_set(e, -EINVAL, "a line has at most %d characters",
		    GRAMMAR_LINE_MAX);
	copy = strdup(line);
	if (!copy)
		return err_set(e, -ENOMEM, "no memory for a line");
	n = split(copy, words, e);
	if (n >= 0)
		n = grammar_parse(n, words, cmd, params, e);
	free(copy);
	return n;
}
