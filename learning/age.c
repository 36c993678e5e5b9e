/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * age.c - how long an address lives, and taking away the dead in small steps.
 *
 * The sweep reads one line per bucket and writes only where something is to
 * be removed; an empty table is not even read, so that its memory stays
 * untouched.
 */
#include "learning/age.h"
#include "learning/table.h"

struct deadline {
	uint32_t now;
	int32_t ageing_s;
};

static bool match_expired(const struct slot *s, const void *arg)
{
	const struct deadline *d = arg;

	return slot_is_expired(s, d->now, d->ageing_s);
}

void fdb_set_ageing(struct fdb *fdb, uint32_t seconds)
{
	int32_t s = TABLE_NEVER;

	if (seconds && seconds < TABLE_NEVER)
		s = (int32_t)seconds;
	__atomic_store_n(&fdb->ageing_s, s, __ATOMIC_RELAXED);
}

bool fdb_sweep(struct fdb *fdb, uint32_t now, unsigned max_buckets)
{
	const struct deadline d = {now, table_ageing(fdb)};

	if (!count_read(&fdb->count))
		fdb->sweep_at = fdb->n_buckets;
	for (; max_buckets && fdb->sweep_at < fdb->n_buckets; max_buckets--)
		table_purge(
		    fdb, &fdb->buckets[fdb->sweep_at++], match_expired, &d);
	if (fdb->sweep_at < fdb->n_buckets)
		return false;
	fdb->sweep_at = 0;
	return true;
}

uint32_t fdb_n_buckets(const struct fdb *fdb)
{
	return fdb->n_buckets;
}
