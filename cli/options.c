/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.c - swctl's options, apart from its words.
 *
 * As iproute2 has them: -json is --json is -j.  Letters may be bundled.
 */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "switch/base/err.h"

static const struct option_name {
	char letter;
	const char *name;
	bool takes_value;
} names[] = {
    {'j', "json", false},
    {'p', "pretty", false},
    {'s', "statistics", false},
    {'s', "stats", false},
    {'d', "details", false},
    {'o', "oneline", false},
    {'t', "timestamp", false},
    {'b', "batch", true},
    {'S', "socket", true},
    {'V', "version", false},
    {'h', "help", false},
    {0},
};

static void apply(struct options *o, char letter, const char *value)
{
	switch (letter) {
	case 'j':
		o->output.json = true;
		break;
	case 'p':
		o->output.pretty = true;
		break;
	case 's':
		o->output.stats = true;
		break;
	case 'd':
		o->output.details = true;
		break;
	case 'o':
		o->output.oneline = true;
		break;
	case 't':
		o->output.timestamp = true;
		break;
	case 'b':
		o->batch = value;
		break;
	case 'S':
		o->socket = value;
		break;
	case 'V':
		o->version = true;
		break;
	case 'h':
		o->help = true;
		break;
	}
}

static int refuse(struct err *e, const char *what, const char *word)
{
	err_set(e, -EINVAL, "%s %.40s", what, word);
	err_arg(e, word);
	err_hint(e, "swctl --help");
	return -EINVAL;
}

/* Reads name=value or name, and the next word; 1: not a name of ours. */
static int read_name(
    struct options *o, const char *word, char *argv[], int *i, struct err *e)
{
	const char *name = word + strspn(word, "-");
	const struct option_name *n = names;
	size_t len = strcspn(name, "=");

	while (n->name &&
	       (strlen(n->name) != len || strncmp(n->name, name, len) != 0))
		n++;
	if (!n->name)
		return 1;
	if (n->takes_value && !name[len] && !argv[*i + 1])
		return refuse(e, "a value is missing after", word);
	if (!n->takes_value && name[len])
		return refuse(e, "there is no value to give to", word);
	apply(o, n->letter,
	    name[len]	     ? name + len + 1
	    : n->takes_value ? argv[++*i]
			     : NULL);
	return 0;
}

/* Reads the letters of -jps. */
static int read_letters(
    struct options *o, const char *word, char *argv[], int *i, struct err *e)
{
	const struct option_name *n;
	const char *p;

	for (p = word + 1; *p; p++) {
		for (n = names; n->name && n->letter != *p; n++)
			;
		if (!n->name)
			return refuse(e, "unknown option", word);
		if (!n->takes_value) {
			apply(o, *p, NULL);
			continue;
		}
		if (!p[1] && !argv[*i + 1])
			return refuse(e, "a value is missing after", word);
		apply(o, *p, p[1] ? p + 1 : argv[++*i]);
		break;
	}
	return 0;
}

static void look_at_terminal(struct output *o)
{
	const char *term = getenv("TERM");

	o->f = stdout;
	if (!isatty(STDOUT_FILENO))
		return;
	setlocale(LC_CTYPE, "");
	o->lines = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	o->colour = !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

int options_read(struct options *opts, int argc, char *argv[], struct err *e)
{
	char **own = calloc((size_t)argc + 1, sizeof(*own));
	int i, r = 0, n_own = 0;

	*opts = (struct options){.socket = getenv("SWD_SOCKET"),
	    .words = calloc((size_t)argc + 1, sizeof(*opts->words))};
	if (!own || !opts->words)
		abort();
	if (!opts->socket || !*opts->socket)
		opts->socket = "/run/swd/swd.sock";
	look_at_terminal(&opts->output);
	for (i = 1; i < argc && r == 0 && strcmp(argv[i], "--") != 0; i++) {
		if (argv[i][0] != '-' || !argv[i][1]) {
			opts->words[opts->n_words++] = argv[i];
			continue;
		}
		r = 1;
		if (argv[i][2])
			r = read_name(opts, argv[i], argv, &i, e);
		if (r == 1 && argv[i][1] == '-') {
			own[n_own++] = argv[i];
			r = 0;
		} else if (r == 1) {
			r = read_letters(opts, argv[i], argv, &i, e);
		}
	}
	for (i++; i < argc && r == 0; i++)
		opts->words[opts->n_words++] = argv[i];
	for (i = 0; i < n_own; i++)
		opts->words[opts->n_words++] = own[i];
	free(own);
	return r;
}
