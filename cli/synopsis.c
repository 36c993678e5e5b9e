/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * synopsis.c - a command of the table as a sequence of marked words.
 *
 * A group is an option with what may follow it: [trunk LIST [native VID]], or
 * flags that exclude each other: [static|dynamic].  Groups are not broken
 * across lines.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/synopsis.h"

typedef void emit_fn(void *to, enum synopsis_mark mark, const char *text);

static bool flags_exclude(
    const struct grammar_arg *a, const struct grammar_arg *b)
{
	return b->word && a->kind == GRAMMAR_FLAG && b->kind == GRAMMAR_FLAG &&
	       strcmp(a->key, b->key) == 0;
}

static bool row_follows(
    const struct grammar_arg *a, const struct grammar_arg *b)
{
	return b->word && b->follows && strcmp(b->follows, a->word) == 0;
}

/* Emits the group that begins with @arg. */
static void emit_group(const struct grammar_arg *arg, emit_fn *emit, void *to)
{
	if (!arg->required)
		emit(to, SYNOPSIS_OPEN, "[");
	if (!arg->positional)
		emit(to, SYNOPSIS_WORD, arg->word);
	for (; flags_exclude(arg, arg + 1); arg++) {
		emit(to, SYNOPSIS_OR, "|");
		emit(to, SYNOPSIS_WORD, arg[1].word);
	}
	if (arg->kind == GRAMMAR_WORDS)
		emit(to, SYNOPSIS_VALUE, "OBJECT");
	else if (arg->kind != GRAMMAR_FLAG)
		emit(to, SYNOPSIS_VALUE, arg->value);
	if (row_follows(arg, arg + 1))
		emit_group(arg + 1, emit, to);
	if (!arg->required)
		emit(to, SYNOPSIS_CLOSE, "]");
	if (arg->kind == GRAMMAR_WORDS)
		emit(to, SYNOPSIS_MORE, "...");
}

void synopsis_walk(const struct grammar_command *cmd, emit_fn *emit, void *to)
{
	const struct grammar_arg *arg, *before = NULL;
	struct grammar_iter it = {0};
	bool typed = false;

	emit(to, SYNOPSIS_WORD, cmd->object);
	if (cmd->verb[0])
		emit(to, SYNOPSIS_WORD, cmd->verb);
	while ((arg = grammar_next(cmd, &it))) {
		if (it.type) {
			typed = true;
		} else if (!arg->wire && !arg->follows &&
			   !(before && flags_exclude(before, arg))) {
			emit_group(arg, emit, to);
		}
		before = arg;
	}
	if (typed) {
		emit(to, SYNOPSIS_OPEN, "[");
		emit(to, SYNOPSIS_VALUE, "TYPE-OPTION");
		emit(to, SYNOPSIS_CLOSE, "]");
		emit(to, SYNOPSIS_MORE, "...");
	}
}

/* One unbreakable piece of the line under construction. */
struct wrap {
	FILE *f;
	size_t column, indent;
	int depth;
	bool glue; /* no blank before the next word */
	char piece[160];
};

static void wrap_flush(struct wrap *w)
{
	size_t n = strlen(w->piece);

	if (n == 0)
		return;
	if (w->column + 1 + n > 78) {
		fprintf(w->f, "\n%*s", (int)w->indent, "");
		w->column = w->indent;
	} else {
		fputc(' ', w->f);
		w->column++;
	}
	fputs(w->piece, w->f);
	w->column += n;
	w->piece[0] = '\0';
}

static void wrap_emit(void *to, enum synopsis_mark mark, const char *text)
{
	struct wrap *w = to;
	size_t n;

	if (w->depth == 0 && mark != SYNOPSIS_MORE && mark != SYNOPSIS_CLOSE)
		wrap_flush(w);
	if (mark >= SYNOPSIS_CLOSE || mark == SYNOPSIS_OR)
		w->glue = true;
	n = strlen(w->piece);
	snprintf(w->piece + n, sizeof(w->piece) - n, "%s%s",
	    n && !w->glue ? " " : "", text);
	w->glue = mark == SYNOPSIS_OPEN || mark == SYNOPSIS_OR;
	w->depth += (mark == SYNOPSIS_OPEN) - (mark == SYNOPSIS_CLOSE);
}

void synopsis_print(
    FILE *f, const char *lead, const struct grammar_command *cmd)
{
	struct wrap w = {
	    .f = f, .column = strlen(lead) - 1, .indent = strlen(lead) + 4};

	fprintf(f, "%.*s", (int)w.column, lead);
	synopsis_walk(cmd, wrap_emit, &w);
	wrap_flush(&w);
	fputc('\n', f);
}
