/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nearest.h - the word that somebody probably meant.
 *
 * Offer every word that would have been right, then ask.  Life: the caller's
 * stack, from nearest_init().  Threads: the caller's.  Ownership: candidates
 * stay the caller's and must outlive the answer.
 */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

struct err;

struct nearest {
	const char *typed;
	const char *best;
	size_t distance;
	char offered[192]; /* all candidates, for when none is near */
};

void nearest_init(struct nearest *n, const char *typed);

void nearest_offer(struct nearest *n, const char *candidate);

/* Puts into @e the hint: the nearest candidate, else all of them. */
void nearest_hint(const struct nearest *n, struct err *e);

#endif
