/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * learn.c - what the sources of a batch teach, and which frames may pass.
 *
 * A batch mostly repeats one source that is known: consecutive equal keys
 * share a verdict, and a known key costs a lookup.  The counters of ports are
 * reserved before an entry appears and released after it is gone, so a limit
 * holds exactly, however many workers learn from the port.
 */
#include <string.h>

#include "learning/learn.h"
#include "learning/place.h"

struct lesson {
	uint64_t key;
	const struct probe *at;
	uint16_t port;
	uint32_t limit;
	uint32_t now;
};

static enum fdb_verdict learn_move(struct fdb *t, struct pair *p, unsigned w,
    unsigned i, const struct lesson *l)
{
	struct slot s = bucket_read(p->bucket[w], i);

	if (s.port != l->port && !slot_is_static(&s)) {
		if (!count_reserve(&t->port_count[l->port], l->limit))
			return FDB_DROP_MAC_LIMIT;
		count_sub(&t->port_count[s.port], 1);
		bucket_move(p->bucket[w], i, l->port);
		bucket_stamp(p->bucket[w], i, l->now);
	}
	return FDB_PASS;
}

static enum fdb_verdict learn_new(
    struct fdb *t, struct pair *p, const struct lesson *l)
{
	uint32_t *count = &t->port_count[l->port], rank = count_read(count);
	struct slot s = {l->key, l->now, l->port};

	if (!count_reserve(count, l->limit))
		return FDB_DROP_MAC_LIMIT;
	if (!place_slot(t, p, s, rank, l->now))
		count_sub(count, 1);
	return FDB_PASS;
}

static __attribute__((noinline)) enum fdb_verdict learn_slow(
    struct fdb *t, const struct lesson *l)
{
	enum fdb_verdict verdict;
	struct pair p;
	unsigned w, i;

	/* A flood beyond the limit is turned away without a write. */
	if (count_read(&t->port_count[l->port]) >= l->limit)
		return FDB_DROP_MAC_LIMIT;
	if (!pair_trylock(&p, l->at))
		return FDB_PASS;
	if (pair_find(&p, l->key, &w, &i))
		verdict = learn_move(t, &p, w, i, l);
	else
		verdict = learn_new(t, &p, l);
	pair_unlock(&p);
	return verdict;
}

static inline enum fdb_verdict learn_one(
    struct fdb *t, const struct lesson *l, struct fdb_port_rules rules)
{
	struct hit hit = table_find(l->at, l->key);

	if (hit.bucket && hit.slot.port == l->port) {
		if (rules.locked &&
		    slot_is_expired(&hit.slot, l->now, table_ageing(t)))
			return FDB_DROP_LOCKED;
		if (rules.learning && (int32_t)(l->now - hit.slot.stamp) > 0)
			bucket_stamp(hit.bucket, hit.i, l->now);
		return FDB_PASS;
	}
	if (rules.locked)
		return FDB_DROP_LOCKED;
	if (hit.bucket && slot_is_static(&hit.slot))
		return FDB_PASS;
	return learn_slow(t, l);
}

static void learn_chunk(struct fdb *t, const uint64_t key[], unsigned n,
    struct lesson *l, struct fdb_port_rules rules, uint8_t verdict[])
{
	struct probe at[TABLE_BATCH];
	enum fdb_verdict last = FDB_PASS;

	for (unsigned i = 0; i < n; i++) {
		if (i && key[i] == key[i - 1])
			continue;
		at[i] = table_probe(t, key[i]);
		table_prefetch(&at[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		if (!i || key[i] != key[i - 1]) {
			l->key = key[i];
			l->at = &at[i];
			last = learn_one(t, l, rules);
		}
		verdict[i] = (uint8_t)last;
	}
}

void fdb_learn_batch(struct fdb *fdb, const uint64_t src_key[], unsigned n,
    uint16_t port, struct fdb_port_rules rules, uint32_t now, uint8_t verdict[])
{
	struct lesson l = {
	    .port = port,
	    .limit = rules.mac_limit ?: UINT32_MAX,
	    .now = now,
	};

	assert(port != FDB_NONE);
	if (!rules.learning && !rules.locked) {
		memset(verdict, FDB_PASS, n);
		return;
	}
	for (unsigned done = 0; done < n; done += TABLE_BATCH) {
		unsigned left = n - done;

		learn_chunk(fdb, src_key + done,
		    left < TABLE_BATCH ? left : TABLE_BATCH, &l, rules,
		    verdict + done);
	}
}
