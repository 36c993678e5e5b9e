/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * help.c - the help at every level, out of the table.
 *
 * Each level says what may come next: objects, then commands, then words.
 */
#include <string.h>

#include "cli/synopsis.h"

static const char options_text[] =
    "  -j, --json         JSON: an array of flat objects\n"
    "  -p, --pretty       JSON with one key a line\n"
    "  -s, --statistics   with counters\n"
    "  -d, --details      with everything that is known\n"
    "  -o, --oneline      one record a line\n"
    "  -t, --timestamp    events with the time\n"
    "  -b, --batch FILE   commands from FILE, - for standard input\n"
    "  -S, --socket PATH  the switch's socket (else $SWD_SOCKET, else\n"
    "                     /run/swd/swd.sock)\n"
    "      --may-exist    add: no error where it exists already\n"
    "      --if-exists    set, del: no error where it does not exist\n"
    "  -V, --version      print the version\n"
    "  -h, --help         print this\n";

void help_print(FILE *f)
{
	const struct grammar_object *o;

	fputs("Usage: swctl [OPTIONS] OBJECT [COMMAND] [NAME] "
	      "[KEY VALUE]...\n\nObjects:\n",
	    f);
	for (o = grammar_objects; o->name; o++)
		fprintf(f, "  %-18s %s\n", o->name, o->help);
	fprintf(f,
	    "\nOptions:\n%s\n"
	    "Words may be shortened: swctl p sh.  Without words: show.\n"
	    "More: swctl OBJECT help, swctl OBJECT COMMAND help\n",
	    options_text);
}

void help_print_object(FILE *f, const struct grammar_object *object)
{
	const struct grammar_command *c;
	const char *lead = "Usage: swctl ";

	for (c = grammar_commands; c->object; c++) {
		if (strcmp(c->object, object->name) != 0)
			continue;
		synopsis_print(f, lead, c);
		lead = "       swctl ";
	}
	fprintf(f, "\n%s: %s\n", object->name, object->help);
}

static void print_types(FILE *f)
{
	const struct grammar_block *t = NULL;

	while ((t = grammar_type_next(t)))
		fprintf(f, "    %-20s %s\n", t->type, t->help);
}

static void print_row(FILE *f, const struct grammar_arg *arg)
{
	char words[80];

	snprintf(words, sizeof(words), "%s%s%s",
	    arg->positional ? "" : arg->word,
	    arg->positional || arg->kind == GRAMMAR_FLAG ? "" : " ",
	    arg->kind == GRAMMAR_FLAG ? "" : arg->value);
	fprintf(f, "  %-22s %s", words, arg->help);
	if (arg->def && arg->kind != GRAMMAR_FLAG)
		fprintf(f, " (default %s)", arg->def);
	fputc('\n', f);
	if (arg->kind == GRAMMAR_TYPE)
		print_types(f);
}

void help_print_command(FILE *f, const struct grammar_command *cmd)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	const char *type = NULL;

	synopsis_print(f, "Usage: swctl ", cmd);
	fprintf(f, "\n%s\n\n", cmd->help);
	while ((arg = grammar_next(cmd, &it))) {
		if (it.type && (!type || strcmp(it.type, type) != 0))
			fprintf(f, "\nOptions of type %s:\n", it.type);
		type = it.type;
		if (!arg->wire)
			print_row(f, arg);
	}
}
