/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * columns.c - rows of cells, printed with their columns aligned.
 *
 * Cells lie one after the other, a row's last one marked; a column without
 * any text takes no room.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"

enum { COLUMNS_MAX = 64 };

struct cell {
	char *text;
	enum text_style style;
	bool right, last;
};

struct columns {
	struct cell *cells;
	size_t n, size;
};

struct columns *columns_new(void)
{
	struct columns *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	return c;
}

void columns_add(struct columns *c, enum text_style style, char *text)
{
	if (c->n == c->size) {
		c->size = c->size ? c->size * 2 : 64;
		c->cells = reallocarray(c->cells, c->size, sizeof(*c->cells));
		if (!c->cells)
			abort();
	}
	if (!text)
		text = text_format("%s", "");
	c->cells[c->n++] = (struct cell){.text = text, .style = style};
}

void columns_add_right(struct columns *c, enum text_style style, char *text)
{
	columns_add(c, style, text);
	c->cells[c->n - 1].right = true;
}

void columns_end_row(struct columns *c)
{
	if (c->n)
		c->cells[c->n - 1].last = true;
}

static void measure(const struct columns *c, size_t width[COLUMNS_MAX])
{
	size_t i, column = 0, w;

	for (i = 0; i < c->n; i++) {
		w = text_width(c->cells[i].text);
		if (column < COLUMNS_MAX && w > width[column])
			width[column] = w;
		column = c->cells[i].last ? 0 : column + 1;
	}
}

/* Prints a cell after the blanks still owed; returns those it owes. */
static size_t print_cell(const struct cell *cell, const struct output *o,
    size_t width, size_t blanks)
{
	size_t w = text_width(cell->text);
	size_t fill = width > w ? width - w : 0;

	if (w == 0)
		return width ? blanks + width + 2 : blanks;
	fprintf(o->f, "%*s%s%s%s", (int)(blanks + (cell->right ? fill : 0)), "",
	    text_on(o, cell->style), cell->text, text_off(o, cell->style));
	return 2 + (cell->right ? 0 : fill);
}

void columns_print(
    const struct columns *c, const struct output *o, const char *indent)
{
	size_t width[COLUMNS_MAX] = {0};
	size_t i, column = 0, blanks = 0;

	measure(c, width);
	for (i = 0; i < c->n; i++) {
		if (column == 0)
			fputs(indent, o->f);
		blanks = print_cell(&c->cells[i], o,
		    column < COLUMNS_MAX ? width[column] : 0, blanks);
		column++;
		if (c->cells[i].last) {
			fputc('\n', o->f);
			column = blanks = 0;
		}
	}
}

void columns_free(struct columns *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->n; i++)
		free(c->cells[i].text);
	free(c->cells);
	free(c);
}
