/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_file.h - the configuration as text, in a file or from one.
 *
 * Life: none.  Threads: the caller's.  Ownership: texts are the caller's to
 * free.
 */
#ifndef CLI_CONFIG_FILE_H
#define CLI_CONFIG_FILE_H

struct err;
struct json_object;

/* The text in the @result of config.show.  NULL: no memory. */
char *config_text(struct json_object *result);

/* Reads all of @path, "-" for standard input, into *text.  Returns 0, or
 * -errno with a sentence. */
int config_read(const char *path, char **text, struct err *e);

/* Replaces the file at @path, "-" for standard output, by one with @text: at
 * every moment, a crash included, there is the old one or the whole new one.
 * The mode and the links of an old one stay.  Returns 0, or -errno with a
 * sentence. */
int config_write(const char *path, const char *text, struct err *e);

#endif
