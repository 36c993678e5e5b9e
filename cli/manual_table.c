/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manual_table.c - what the manual pages take from the table.
 *
 * The same rows are written as words for people who type and as keys for
 * programs that send JSON.
 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "cli/manual.h"
#include "cli/synopsis.h"

/* Text with what roff would take for its own made harmless. */
static void print_text(FILE *f, const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", f);
	for (; *s; s++)
		fputs(*s == '-'	   ? "\\-"
		      : *s == '\\' ? "\\e"
				   : (char[]){*s, 0},
		    f);
}

static void print_sentence(FILE *f, const char *s)
{
	fputc(toupper((unsigned char)*s), f);
	print_text(f, s + 1);
}

static void mdoc_emit(void *to, enum synopsis_mark mark, const char *text)
{
	static const char *const macros[] = {[SYNOPSIS_WORD] = ".Cm ",
	    [SYNOPSIS_VALUE] = ".Ar ",
	    [SYNOPSIS_OR] = "",
	    [SYNOPSIS_OPEN] = ".Oo",
	    [SYNOPSIS_CLOSE] = ".Oc",
	    [SYNOPSIS_MORE] = ".No "};

	fputs(macros[mark], to);
	if (mark != SYNOPSIS_OPEN && mark != SYNOPSIS_CLOSE)
		print_text(to, text);
	fputc('\n', to);
}

void manual_synopsis(FILE *f, const struct grammar_command *cmd)
{
	synopsis_walk(cmd, mdoc_emit, f);
}

static const char *json_type(const struct grammar_arg *arg)
{
	switch (arg->kind) {
	case GRAMMAR_BOOL:
		return "boolean";
	case GRAMMAR_UINT:
		return "integer";
	case GRAMMAR_RATE:
		return "integer, bit/s";
	case GRAMMAR_SIZE:
		return "integer, bytes";
	case GRAMMAR_FLAG:
		return arg->value ? "string" : "boolean";
	case GRAMMAR_WORDS:
		return "array of strings";
	case GRAMMAR_LIST:
		return "string, a list such as 1,3-5";
	default:
		return "string";
	}
}

static void print_range(FILE *f, const struct grammar_arg *arg)
{
	if (arg->kind == GRAMMAR_UINT || arg->kind == GRAMMAR_LIST)
		fprintf(f, ", %" PRIu64 " to %" PRIu64, arg->min, arg->max);
}

static void print_json_row(FILE *f, const struct grammar_arg *arg)
{
	char key[GRAMMAR_KEY_SIZE];

	fprintf(f, ".It Cm %s No (", grammar_key(arg, key));
	print_text(f, json_type(arg));
	print_range(f, arg);
	if (arg->value &&
	    (strchr(arg->value, '|') || arg->kind == GRAMMAR_FLAG) &&
	    arg->kind != GRAMMAR_BOOL) {
		fputs(": ", f);
		print_text(f, arg->value);
	}
	fprintf(f, "%s)\n", arg->required ? ", required" : "");
}

static void print_word_row(FILE *f, const struct grammar_arg *arg)
{
	fputs(".It", f);
	if (!arg->positional) {
		fputs(" Cm ", f);
		print_text(f, arg->word);
	}
	if (arg->kind != GRAMMAR_FLAG) {
		fputs(" Ar ", f);
		print_text(f, arg->value);
	}
	fputc('\n', f);
}

static void print_row(FILE *f, const struct grammar_arg *arg, bool json)
{
	if (json)
		print_json_row(f, arg);
	else
		print_word_row(f, arg);
	print_sentence(f, arg->help);
	if (arg->def && arg->kind != GRAMMAR_FLAG) {
		fputs(", default ", f);
		print_text(f, arg->def);
	}
	fputs(".\n", f);
	if (arg->follows && !json)
		fprintf(f, "Comes right after\n.Cm %s .\n", arg->follows);
}

/* The rows of @cmd that belong to @type (NULL: to none), as one list. */
static void print_rows(
    FILE *f, const struct grammar_command *cmd, const char *type, bool json)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	bool any = false;

	while ((arg = grammar_next(cmd, &it))) {
		if (!it.type != !type || (type && strcmp(it.type, type)) ||
		    (json ? arg->local : arg->wire))
			continue;
		if (!any)
			fputs(".Bl -tag -width \"mcast-flood on|off\"\n", f);
		any = true;
		print_row(f, arg, json);
	}
	if (any)
		fputs(".El\n", f);
}

void manual_arguments(FILE *f, const struct grammar_command *cmd, bool json)
{
	print_rows(f, cmd, NULL, json);
}

void manual_types(FILE *f, bool json)
{
	const struct grammar_command *add = grammar_by_method("port.add");
	const struct grammar_block *t = NULL;

	while ((t = grammar_type_next(t))) {
		fprintf(f, ".Ss Options of type %s\n", t->type);
		print_sentence(f, t->help);
		fputs(".\n", f);
		print_rows(f, add, t->type, json);
	}
}
