/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar_units.h - numbers with tc(8)'s units.
 *
 * Life: none.  Threads: any.  Ownership: none; words are only read.
 */
#ifndef CLI_GRAMMAR_UNITS_H
#define CLI_GRAMMAR_UNITS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Reads decimal digits at *s into *n and moves *s past them.  Any thread.
 * False: no digit there, or more than 64 bits. */
bool units_number(const char **s, uint64_t *n);

/* Reads a rate ("100mbit", "1.5gbit", "10mbps" for bytes, "1000" bit/s) as
 * bit/s, any case.  Any thread.  False: not a rate (tc(8), "RATES"). */
bool units_parse_rate(const char *word, uint64_t *bits_per_s);

/* Reads a size ("64k", "1.5mb", "1000") as bytes, k = 1024, any case.  Any
 * thread.  False: not a size (tc(8), "SIZES"). */
bool units_parse_size(const char *word, uint64_t *bytes);

/* Write the shortest word that parses to exactly the number given. */
void units_print_rate(FILE *f, uint64_t bits_per_s);
void units_print_size(FILE *f, uint64_t bytes);

#endif
