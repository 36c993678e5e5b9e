/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place.c - a slot for a new address, and who gives way when there is none.
 *
 * Every candidate gets a weight: nothing for who may stay, the number of its
 * port's addresses for who may go, everything for an address that expired.
 * The heaviest goes; of equals, the one not seen for longest.
 */
#include "learning/place.h"

struct newcomer {
	bool is_static;
	uint16_t port;
	uint32_t rank;
	uint32_t now;
};

struct victim {
	struct bucket *bucket;
	unsigned i;
	uint16_t port;
	uint32_t weight;
	int32_t age_s; /* negative: seen by a clock ahead of ours */
	uint64_t key;
};

static uint32_t weigh(
    const struct fdb *t, const struct slot *s, const struct newcomer *who)
{
	uint32_t n = count_read(&t->port_count[s->port]);

	if (slot_is_static(s))
		return 0;
	if (slot_is_expired(s, who->now, table_ageing(t)))
		return UINT32_MAX;
	return n > who->rank || s->port == who->port ? n : 0;
}

static void consider(const struct fdb *t, struct victim *best, struct bucket *b,
    uint64_t ctl, const struct newcomer *who)
{
	uint32_t left = bucket_taken(ctl);

	for (; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left) / 8;
		struct slot s = bucket_read(b, i);
		int32_t age_s = (int32_t)(who->now - s.stamp);
		uint32_t weight = weigh(t, &s, who);

		if (weight > best->weight ||
		    (weight && weight == best->weight && age_s > best->age_s))
			*best =
			    (struct victim){b, i, s.port, weight, age_s, s.key};
	}
}

/* Remembers @port if it holds more than the one that seemed to hold most. */
static void note_most(struct fdb *t, uint16_t port)
{
	if (count_read(&t->port_count[port]) > table_most(t))
		__atomic_store_n(&t->most_port, port, __ATOMIC_RELAXED);
}

/* Whether no heavier victim need be looked for: its port holds nearly as many
 * as the one that seems to hold most. */
static bool is_heavy(const struct fdb *t, const struct victim *best)
{
	uint32_t most = table_most(t);

	return best->weight && best->weight >= most - most / PLACE_NEARLY;
}

static void consider_near(const struct fdb *t, struct victim *best,
    const struct pair *p, const struct newcomer *who)
{
	uint32_t at = (uint32_t)(p->bucket[0] - t->buckets);

	for (unsigned k = 0; k < PLACE_REACH && !is_heavy(t, best); k++) {
		struct bucket *b;

		at = at + 1 < t->n_buckets ? at + 1 : 0;
		b = &t->buckets[at];
		if (b != p->bucket[0] && b != p->bucket[1])
			consider(t, best, b, bucket_ctl(b), who);
	}
}

/* How full a bucket of @p is for a newcomer.  A static entry minds other
 * static ones more than what would give way to it. */
static unsigned fullness(const struct pair *p, unsigned w, bool is_static)
{
	uint32_t taken = bucket_taken(p->ctl[w]), left = taken;
	unsigned n = (unsigned)__builtin_popcount(taken);

	if (n == BUCKET_SLOTS)
		n += 2 * BUCKET_SLOTS;
	for (; is_static && left; left &= left - 1) {
		struct slot s = bucket_read(
		    p->bucket[w], (unsigned)__builtin_ctz(left) / 8);

		n += slot_is_static(&s);
	}
	return n;
}

/* The bucket of @p that a newcomer goes to.  Choosing the emptier is what makes
 * two choices worth so much more than one; but as long as the first has few, it
 * is preferred, because there a lookup finds what it seeks at once. */
static unsigned preferred(const struct pair *p, bool is_static)
{
	unsigned in_first = fullness(p, 0, is_static);

	if (p->n == 1 || (in_first < PLACE_FIRST && !is_static))
		return 0;
	return fullness(p, 1, is_static) < in_first;
}

/* A free slot of the bucket with copy @ctl, BUCKET_SLOTS if there is none. */
static unsigned free_slot(uint64_t ctl)
{
	uint32_t is_free = bucket_taken(ctl) ^ BUCKET_TAKEN;

	return is_free ? (unsigned)__builtin_ctz(is_free) / 8 : BUCKET_SLOTS;
}

/* Takes the slot of @v in a bucket held, unless its address left; the entry
 * that is then missing from the count of all is the newcomer's. */
static bool evict_held(struct fdb *t, uint64_t *ctl, const struct victim *v)
{
	struct slot s = bucket_read(v->bucket, v->i);

	if (!bucket_tag(*ctl, v->i) || s.key != v->key)
		return false;
	count_sub(&t->port_count[s.port], 1);
	bucket_clear(v->bucket, ctl, v->i);
	return true;
}

static bool evict(struct fdb *t, struct pair *p, const struct victim *v)
{
	uint64_t ctl;
	bool done;

	for (unsigned w = 0; w < p->n; w++)
		if (v->bucket == p->bucket[w])
			return evict_held(t, &p->ctl[w], v);
	if (!bucket_trylock(v->bucket, &ctl))
		return false;
	done = evict_held(t, &ctl, v);
	bucket_unlock(v->bucket, ctl);
	return done;
}

/* @near: the slot that is freed may be anywhere. */
static bool make_room(
    struct fdb *t, struct pair *p, bool near, const struct newcomer *who)
{
	struct victim best = {0};

	for (unsigned w = 0; w < p->n; w++)
		if (near || !who->is_static || w == preferred(p, true))
			consider(t, &best, p->bucket[w], p->ctl[w], who);
	if (near)
		consider_near(t, &best, p, who);
	if (!best.weight)
		return false;
	note_most(t, best.port);
	return evict(t, p, &best);
}

bool place_slot(
    struct fdb *t, struct pair *p, struct slot s, uint32_t rank, uint32_t now)
{
	const struct newcomer who = {
	    .is_static = slot_is_static(&s),
	    .port = s.port,
	    .rank = rank,
	    .now = now,
	};
	unsigned w = preferred(p, who.is_static);
	bool is_free = free_slot(p->ctl[w]) < BUCKET_SLOTS;

	note_most(t, s.port);
	if (!(is_free && count_reserve(&t->count, t->n_entries)) &&
	    !make_room(t, p, is_free, &who)) {
		if (!is_free || !who.is_static)
			return false;
		count_add(&t->count, 1);
	}
	w = preferred(p, who.is_static);
	pair_write(p, w, free_slot(p->ctl[w]), s);
	return true;
}
