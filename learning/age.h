/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * age.h - how long an address lives, and taking away the dead in small steps.
 *
 * A lookup never returns an expired address, swept or not.  The sweep gives
 * slots and counts back; a round every few seconds is enough.  An address
 * lives for the ageing time at least and for one second more at most, because
 * stamps are whole seconds.
 *
 * Threads: control.
 */
#ifndef LEARNING_AGE_H
#define LEARNING_AGE_H

#include "learning/fdb.h"

/* Dynamic entries expire @seconds after they were last seen; 0: never.  Takes
 * effect at once, for entries that exist as well.  Control. */
void fdb_set_ageing(struct fdb *fdb, uint32_t seconds);

/* Removes what is expired at @now from the next @max_buckets buckets; a table
 * has fdb_n_buckets() of them.  Control.  Returns true when this step was the
 * last of a round, and at once when the table is empty. */
bool fdb_sweep(struct fdb *fdb, uint32_t now, unsigned max_buckets);

uint32_t fdb_n_buckets(const struct fdb *fdb);

#endif
