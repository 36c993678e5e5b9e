/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - swctl's options, apart from its words.
 *
 * Life: the program's.  Threads: the caller's.  Ownership: words point into
 * argv; the array of them is the caller's to free.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/text.h"

struct err;

struct options {
	struct output output;
	const char *socket;
	const char *batch; /* file of commands, or NULL */
	bool help, version;
	char **words;
	int n_words;
};

/* Reads argv[1..argc).  Options may stand anywhere before "--"; long ones
 * that only a command can know come last among the words.  Returns 0, or
 * -EINVAL with a sentence. */
int options_read(struct options *opts, int argc, char *argv[], struct err *e);

#endif
