/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * complete.c - completion of swctl's words by a shell.
 *
 * The script is a fixed frame that asks four questions, and the table's
 * answers to them: the verbs of an object, what stands in first place, the
 * keywords of a command, the values of a keyword.  Names come from the
 * running switch, which may be absent.
 */
#include <string.h>

#include "cli/complete.h"
#include "cli/grammar.h"

static const char head[] =
    "# bash completion for swctl; generated from its table of words\n"
    "\n"
    "_swctl_names()\n"
    "{\n"
    "\tswctl -j \"$1\" show 2>/dev/null | grep -o '\"name\":\"[A-Za-z0-9._-]*\"' |\n"
    "\t\tcut -d'\"' -f4\n"
    "}\n"
    "\n"
    "# The first of $2... that begins with $1.\n"
    "_swctl_expand()\n"
    "{\n"
    "\tlocal word=$1 w\n"
    "\n"
    "\tshift\n"
    "\tfor w; do\n"
    "\t\t[[ $w == \"$word\"* ]] && { echo \"$w\"; return; }\n"
    "\tdone\n"
    "}\n";

static const char tail[] =
    "_swctl()\n"
    "{\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "\tlocal object verb type reply w i words=()\n"
    "\n"
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
    "\t\tw=${COMP_WORDS[i]}\n"
    "\t\tcase $w in\n"
    "\t\t-b|-S|--batch|--socket) ((i++)) ;;\n"
    "\t\t-*) ;;\n"
    "\t\t*) words+=(\"$w\") ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\tcase $prev in\n"
    "\t-b|-S|--batch|--socket)\n"
    "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
    "\t\treturn ;;\n"
    "\tesac\n"
    "\tobject=$(_swctl_expand \"${words[0]}\" $_swctl_objects)\n"
    "\tif ((${#words[@]} == 0)); then\n"
    "\t\treply=\"$_swctl_objects help\"\n"
    "\t\t[[ $cur == -* ]] && reply=$_swctl_options\n"
    "\telif [[ -n $(_swctl_verbs $object) ]] && ((${#words[@]} == 1)); then\n"
    "\t\treply=\"$(_swctl_verbs $object) help\"\n"
    "\telse\n"
    "\t\tverb=$(_swctl_expand \"${words[1]}\" $(_swctl_verbs $object))\n"
    "\t\tfor ((i = 2; i < ${#words[@]}; i++)); do\n"
    "\t\t\t[[ ${words[i-1]} == type ]] && type=${words[i]}\n"
    "\t\tdone\n"
    "\t\treply=$(_swctl_values \"$object $verb\" \"$prev\")\n"
    "\t\tif [[ -z $reply ]]; then\n"
    "\t\t\treply=$(_swctl_keywords \"$object $verb\" $type)\n"
    "\t\t\t((${#words[@]} == (${#verb} ? 2 : 1))) &&\n"
    "\t\t\t\treply=\"$(_swctl_first \"$object $verb\") $reply\"\n"
    "\t\tfi\n"
    "\tfi\n"
    "\tif [[ $reply == *@file* ]]; then\n"
    "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
    "\telse\n"
    "\t\tCOMPREPLY=($(compgen -W \"$reply\" -- \"$cur\"))\n"
    "\tfi\n"
    "}\n"
    "complete -F _swctl swctl\n";

/* Whether anything is known about what may stand for @arg. */
static bool has_values(const struct grammar_arg *arg)
{
	switch (arg->kind) {
	case GRAMMAR_NAME:
		return strcmp(arg->value, "PORT") == 0 ||
		       strcmp(arg->value, "BRIDGE") == 0;
	case GRAMMAR_BOOL:
	case GRAMMAR_WORD:
	case GRAMMAR_WORDS:
	case GRAMMAR_TYPE:
	case GRAMMAR_PATH:
	case GRAMMAR_SOCKET:
	case GRAMMAR_TEXT:
		return true;
	default:
		return false;
	}
}

/* Writes that: words, or the command that finds them. */
static void print_values(FILE *f, const struct grammar_arg *arg)
{
	const struct grammar_block *t = NULL;
	const char *p;

	switch (arg->kind) {
	case GRAMMAR_NAME:
		fprintf(f, "_swctl_names %s",
		    strcmp(arg->value, "PORT") ? "bridge" : "port");
		break;
	case GRAMMAR_TYPE:
		fputs("echo", f);
		while ((t = grammar_type_next(t)))
			fprintf(f, " %s", t->type);
		break;
	case GRAMMAR_PATH:
	case GRAMMAR_SOCKET:
	case GRAMMAR_TEXT:
		fputs("echo @file", f);
		break;
	default:
		fputs("echo ", f);
		for (p = arg->value; *p; p++)
			fputc(*p == '|' ? ' ' : *p, f);
	}
}

static void print_objects(FILE *f)
{
	const struct grammar_object *o;
	const struct grammar_command *c;

	fputs("\n_swctl_objects=\"", f);
	for (o = grammar_objects; o->name; o++)
		fprintf(f, "%s%s", o == grammar_objects ? "" : " ", o->name);
	fputs("\"\n_swctl_options=\"-j -p -s -d -o -t -b -S -V -h "
	      "--may-exist --if-exists\"\n\n_swctl_verbs()\n{\n\tcase $1 in\n",
	    f);
	for (o = grammar_objects; o->name; o++) {
		fprintf(f, "\t%s) echo", o->name);
		for (c = grammar_commands; c->object; c++)
			if (strcmp(c->object, o->name) == 0 && c->verb[0])
				fprintf(f, " %s", c->verb);
		fputs(" ;;\n", f);
	}
	fputs("\tesac\n}\n", f);
}

static void print_first(FILE *f)
{
	const struct grammar_command *c;
	const struct grammar_arg *arg;

	fputs("\n_swctl_first()\n{\n\tcase $1 in\n", f);
	for (c = grammar_commands; c->object; c++) {
		struct grammar_iter it = {0};

		while ((arg = grammar_next(c, &it))) {
			if (!arg->positional || !has_values(arg))
				continue;
			fprintf(f, "\t\"%s %s\") ", c->object, c->verb);
			print_values(f, arg);
			fputs(" ;;\n", f);
		}
	}
	fputs("\tesac\n}\n", f);
}

static void print_keywords(FILE *f)
{
	const struct grammar_command *c;
	const struct grammar_arg *arg;

	fputs("\n_swctl_keywords()\n{\n", f);
	for (c = grammar_commands; c->object; c++) {
		struct grammar_iter it = {0};
		const char *type = NULL;

		fprintf(
		    f, "\t[[ $1 == \"%s %s\" ]] && echo", c->object, c->verb);
		while ((arg = grammar_next(c, &it))) {
			if (it.type && (!type || strcmp(type, it.type)))
				fprintf(f,
				    "\n\t[[ $1 == \"%s %s\" && ${2-%s} == %s "
				    "]] && echo",
				    c->object, c->verb,
				    c->changes ? it.type : "", it.type);
			type = it.type;
			if (!arg->positional && !arg->wire)
				fprintf(f, " %s", arg->word);
		}
		fputc('\n', f);
	}
	fputs("}\n", f);
}

static void print_keyword_values(FILE *f)
{
	const struct grammar_command *c;
	const struct grammar_arg *arg;

	fputs("\n_swctl_values()\n{\n\tcase \"$1 $2\" in\n", f);
	for (c = grammar_commands; c->object; c++) {
		struct grammar_iter it = {0};

		while ((arg = grammar_next(c, &it))) {
			if (arg->positional || arg->wire || !has_values(arg))
				continue;
			fprintf(f, "\t\"%s %s %s\") ", c->object, c->verb,
			    arg->word);
			print_values(f, arg);
			fputs(" ;;\n", f);
		}
	}
	fputs("\tesac\n}\n\n", f);
}

void complete_print_bash(FILE *f)
{
	fputs(head, f);
	print_objects(f);
	print_first(f);
	print_keywords(f);
	print_keyword_values(f);
	fputs(tail, f);
}
