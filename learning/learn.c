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
	struct fdb_port_rules rules;
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
	if (!pair_trylock(&p, t, l->at))
		return FDB_PASS;
	if (pair_find(&p, l->key, &w, &i))
		verdict = learn_move(t, &p, w, i, l);
	else
		verdict = learn_new(t, &p, l);
	pair_unlock(&p);
	return verdict;
}

static enum fdb_verdict learn_one(struct fdb *t, const struct lesson *l)
{
	struct hit hit = table_find(t, l->at, l->key);

	if (hit.bucket && hit.slot.port == l->port) {
		if (l->rules.locked &&
		    slot_is_expired(&hit.slot, l->now, table_ageing(t)))
			return FDB_DROP_LOCKED;
		if (l->rules.learning)
			hit_refresh(&hit, l->now);
		return FDB_PASS;
	}
	if (l->rules.locked)
		return FDB_DROP_LOCKED;
	if (hit.bucket && slot_is_static(&hit.slot))
		return FDB_PASS;
	return learn_slow(t, l);
}

/* Refreshes what is known to be at this port already; rest[] gets the places
 * of all other keys, whose second buckets are on their way then. */
static unsigned learn_known(const struct fdb *t, const struct lesson *l,
    const struct probe at[], const uint64_t key[], unsigned n, uint8_t rest[])
{
	/* A locked port's entries may have expired. */
	uint16_t port = l->rules.locked ? FDB_NONE : l->port;
	uint64_t last = ~key[0];
	unsigned n_rest = 0;
	struct hit hit;

	for (unsigned i = 0; i < n; i++) {
		if (key[i] == last)
			continue;
		last = key[i];
		if (table_find_first(&at[i], last, &hit) &&
		    hit.slot.port == port) {
			hit_refresh(&hit, l->now);
		} else {
			rest[n_rest++] = (uint8_t)i;
			table_prefetch(probe_second(t, &at[i]));
		}
	}
	return n_rest;
}

/* Gives key[i] and the equal ones that follow it their verdict. */
static void refuse(const uint64_t key[], unsigned i, unsigned n,
    enum fdb_verdict why, uint8_t verdict[])
{
	uint64_t refused = key[i];

	for (; i < n && key[i] == refused; i++)
		verdict[i] = (uint8_t)why;
}

/* Returns whether any frame is refused. */
static bool learn_probed(struct fdb *t, struct lesson *l,
    const struct probe at[], const uint64_t key[], unsigned n,
    uint8_t verdict[])
{
	uint8_t rest[TABLE_BATCH];
	unsigned n_rest = learn_known(t, l, at, key, n, rest);
	bool any = false;

	memset(verdict, FDB_PASS, n);
	for (unsigned k = 0; k < n_rest; k++) {
		unsigned i = rest[k];
		enum fdb_verdict v;

		l->key = key[i];
		l->at = &at[i];
		v = learn_one(t, l);
		if (v == FDB_PASS)
			continue;
		refuse(key, i, n, v, verdict);
		any = true;
	}
	return any;
}

static bool lesson_init(
    struct lesson *l, uint16_t port, struct fdb_port_rules rules, uint32_t now)
{
	assert(port != FDB_NONE);
	*l = (struct lesson){
	    .port = port,
	    .rules = rules,
	    .limit = rules.mac_limit ?: UINT32_MAX,
	    .now = now,
	};
	return rules.learning || rules.locked;
}

static unsigned chunk(unsigned n, unsigned done)
{
	return n - done < TABLE_BATCH ? n - done : TABLE_BATCH;
}

bool fdb_learn_batch(struct fdb *fdb, const uint64_t src[], unsigned n,
    uint16_t port, struct fdb_port_rules rules, uint32_t now, uint8_t verdict[])
{
	struct probe at[TABLE_BATCH];
	struct lesson l;
	bool any = false;

	if (!lesson_init(&l, port, rules, now)) {
		memset(verdict, FDB_PASS, n);
		return false;
	}
	for (unsigned done = 0; done < n; done += TABLE_BATCH) {
		unsigned m = chunk(n, done);

		table_probe_ahead(fdb, src + done, at, m);
		any |= learn_probed(fdb, &l, at, src + done, m, verdict + done);
	}
	return any;
}

bool fdb_learn_and_lookup(struct fdb *fdb, const uint64_t src[],
    const uint64_t dst[], unsigned n, uint16_t port,
    struct fdb_port_rules rules, uint32_t now, uint8_t verdict[], uint16_t to[])
{
	struct probe from[TABLE_BATCH], at[TABLE_BATCH];
	struct lesson l;
	bool any = false;

	if (!lesson_init(&l, port, rules, now)) {
		memset(verdict, FDB_PASS, n);
		fdb_lookup_batch(fdb, dst, to, n, now);
		return false;
	}
	for (unsigned done = 0; done < n; done += TABLE_BATCH) {
		unsigned m = chunk(n, done);

		table_probe_ahead(fdb, src + done, from, m);
		table_probe_ahead(fdb, dst + done, at, m);
		any |=
		    learn_probed(fdb, &l, from, src + done, m, verdict + done);
		fdb_lookup_probed(fdb, at, dst + done, to + done, m, now);
	}
	return any;
}
