/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * columns.h - rows of cells, printed with their columns aligned.
 *
 * Life: columns_new(), cells and ends of rows, columns_print(), free.
 * Threads: the caller's.  Ownership: a cell's text becomes the columns'.
 */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include "cli/text.h"

struct columns;

struct columns *columns_new(void);

/* Adds a cell to the row; @text from malloc(3), or NULL for an empty one. */
void columns_add(struct columns *c, enum text_style style, char *text);

/* The same, against the right edge of its column. */
void columns_add_right(struct columns *c, enum text_style style, char *text);

void columns_end_row(struct columns *c);

/* Prints every row after @indent.  No blanks at the end of a line. */
void columns_print(
    const struct columns *c, const struct output *o, const char *indent);

void columns_free(struct columns *c);

#endif
