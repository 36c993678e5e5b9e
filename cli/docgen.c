/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * docgen.c - writes the shell completion or a manual page.
 *
 * Used while the product is built, never installed: docgen completion.bash,
 * docgen swctl.8.
 */
#include <stdio.h>
#include <string.h>

#include "cli/complete.h"
#include "cli/manual.h"

int main(int argc, char *argv[])
{
	if (argc != 2) {
		fputs("Usage: docgen completion.bash | PAGE.SECTION\n", stderr);
		return 2;
	}
	if (strcmp(argv[1], "completion.bash") == 0) {
		complete_print_bash(stdout);
	} else if (manual_print(stdout, argv[1]) < 0) {
		fprintf(stderr, "docgen: no page is called %s\n", argv[1]);
		return 2;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
