/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar_units.c - numbers with tc(8)'s units.
 *
 * A unit is a suffix and a factor; fractions are kept as whole numbers of
 * 10^-9, so that 0.1gbit is exactly 100000000 and nothing is rounded up.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "cli/grammar_units.h"

#define KIBI (UINT64_C(1) << 10)
#define MEBI (UINT64_C(1) << 20)
#define GIBI (UINT64_C(1) << 30)
#define TEBI (UINT64_C(1) << 40)
#define KILO UINT64_C(1000)
#define MEGA UINT64_C(1000000)
#define GIGA UINT64_C(1000000000)
#define TERA UINT64_C(1000000000000)

struct unit {
	const char *suffix;
	uint64_t factor;
};

/* The first of several suffixes with one factor is the one printed, and
 * factors that are printed fall. */
static const struct unit rate_units[] = {
    {"tbit", TERA},
    {"gbit", GIGA},
    {"mbit", MEGA},
    {"kbit", KILO},
    {"", 1},
    {"bit", 1},
    {"kibit", KIBI},
    {"mibit", MEBI},
    {"gibit", GIBI},
    {"tibit", TEBI},
    {"bps", 8},
    {"kbps", 8 * KILO},
    {"mbps", 8 * MEGA},
    {"gbps", 8 * GIGA},
    {"tbps", 8 * TERA},
    {"kibps", 8 * KIBI},
    {"mibps", 8 * MEBI},
    {"gibps", 8 * GIBI},
    {"tibps", 8 * TEBI},
    {"k", KILO},
    {"m", MEGA},
    {"g", GIGA},
    {"t", TERA},
    {NULL, 0},
};

static const struct unit size_units[] = {
    {"g", GIBI},
    {"m", MEBI},
    {"k", KIBI},
    {"", 1},
    {"b", 1},
    {"kb", KIBI},
    {"mb", MEBI},
    {"gb", GIBI},
    {NULL, 0},
};

bool units_number(const char **s, uint64_t *n)
{
	const char *p = *s;
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	*s = p;
	*n = v;
	return true;
}

/* ".25" as 250000000; false when a point stands there without digits. */
static bool parse_fraction(const char **s, uint64_t *billionths)
{
	uint64_t place = 100000000;

	*billionths = 0;
	if (**s != '.')
		return true;
	for ((*s)++; **s >= '0' && **s <= '9'; (*s)++, place /= 10)
		*billionths += (uint64_t)(**s - '0') * place;
	return (*s)[-1] != '.';
}

static bool parse_with_unit(
    const char *word, const struct unit *u, uint64_t *result)
{
	uint64_t whole, billionths, v;

	if (!units_number(&word, &whole) || !parse_fraction(&word, &billionths))
		return false;
	while (u->suffix && strcasecmp(u->suffix, word) != 0)
		u++;
	if (!u->suffix || __builtin_mul_overflow(whole, u->factor, &v))
		return false;
	billionths =
	    (uint64_t)((unsigned __int128)billionths * u->factor / 1000000000);
	return !__builtin_add_overflow(v, billionths, result);
}

bool units_parse_rate(const char *word, uint64_t *bits_per_s)
{
	return parse_with_unit(word, rate_units, bits_per_s);
}

bool units_parse_size(const char *word, uint64_t *bytes)
{
	return parse_with_unit(word, size_units, bytes);
}

static void print_with_unit(FILE *f, uint64_t n, const struct unit *u)
{
	while (u->factor > 1 && (n == 0 || n % u->factor))
		u++;
	fprintf(f, "%" PRIu64 "%s", n / u->factor, u->suffix);
}

void units_print_rate(FILE *f, uint64_t bits_per_s)
{
	print_with_unit(f, bits_per_s, rate_units);
}

void units_print_size(FILE *f, uint64_t bytes)
{
	print_with_unit(f, bytes, size_units);
}
