/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * complete.h - completion of swctl's words by a shell.
 *
 * Life: none.  Threads: the caller's.
 */
#ifndef CLI_COMPLETE_H
#define CLI_COMPLETE_H

#include <stdio.h>

/* Writes the completion for bash, which sources it. */
void complete_print_bash(FILE *f);

#endif
