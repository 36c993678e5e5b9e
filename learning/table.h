/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - inside the table: memory, hash, finding, counting.
 *
 * Private to learning/; fdb.h is the door.  A writer holds both buckets of a
 * key at once (struct pair), so the same address cannot be entered twice by
 * two workers.  Workers only ever try: whoever cannot have both buckets
 * within a microsecond or so goes without learning, and the address's next
 * frame teaches it.
 */
#ifndef LEARNING_TABLE_H
#define LEARNING_TABLE_H

#include "learning/bucket.h"
#include "learning/fdb.h"

enum {
	TABLE_BATCH = 64,
	TABLE_TRIES = 64,
	TABLE_N_PORTS = 1 << 16,
	TABLE_AGEING_S = 300,
	TABLE_NEVER = INT32_MAX, /* the ageing time that never comes */
};

struct fdb {
	/* Written at open, and ageing_s by control; read by everybody. */
	struct bucket *buckets;
	uint32_t n_buckets;
	uint32_t n_entries;
	uint64_t secret[4];
	int32_t ageing_s;

	/* Written by whoever adds or removes an entry. */
	uint32_t count __attribute__((aligned(64)));
	uint16_t most_port; /* when last seen, nobody held more than it */

	/* Control's own: where the next sweep goes on. */
	uint32_t sweep_at __attribute__((aligned(64)));
	size_t map_size;

	/* Dynamic entries of each port; written with count. */
	uint32_t port_count[TABLE_N_PORTS] __attribute__((aligned(64)));
};

/* Where a key is looked for first; the hash says where then, and how the key
 * is marked there. */
struct probe {
	struct bucket *first;
	uint64_t hash;
};

/* Where a key was found and what its slot held; bucket NULL: not found. */
struct hit {
	struct bucket *bucket;
	unsigned i;
	struct slot slot;
};

/* Both buckets of a key, held.  n is 1 when they are one and the same. */
struct pair {
	unsigned n;
	uint8_t tag;
	struct bucket *bucket[2];
	uint64_t ctl[2]; /* ours, to be published when we leave */
};

/* Two folded multiplications: the first makes both factors of the second
 * depend on all of the key and on 128 secret bits, so that without the
 * secret no set of keys is likelier to meet in a bucket than a random one. */
static inline uint64_t table_hash(const struct fdb *t, uint64_t key)
{
	unsigned __int128 m =
	    (unsigned __int128)(key ^ t->secret[0]) * t->secret[1];

	m = (unsigned __int128)((uint64_t)m ^ t->secret[2]) *
	    ((uint64_t)(m >> 64) ^ t->secret[3]);
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Buckets come from the high bits of either half of the hash, the tag from
 * the lowest of one; with at most 2^24 buckets they do not overlap. */
static inline struct probe table_probe(const struct fdb *t, uint64_t key)
{
	uint64_t hash = table_hash(t, key);

	return (struct probe){
	    .first = &t->buckets[(uint32_t)hash * (uint64_t)t->n_buckets >> 32],
	    .hash = hash,
	};
}

static inline struct bucket *probe_second(
    const struct fdb *t, const struct probe *at)
{
	return &t->buckets[(at->hash >> 32) * t->n_buckets >> 32];
}

static inline uint8_t probe_tag(const struct probe *at)
{
	uint8_t tag = (uint8_t)at->hash;

	return (uint8_t)(tag + !tag);
}

static inline int32_t table_ageing(const struct fdb *t)
{
	return __atomic_load_n(&t->ageing_s, __ATOMIC_RELAXED);
}

/* For when a bucket may well not be in any cache.  Into the second level: of
 * more than some twenty on their way to the first, Zen 4 drops every fifth,
 * and takes twice as long for the rest.  Always inline: gcc 12 takes a function
 * that does nothing but prefetch for one without an effect, and drops it. */
static inline __attribute__((always_inline)) void table_prefetch(
    const struct bucket *b)
{
	__builtin_prefetch(b, 0, 2);
}

/* at[i] for key[0..n), n at most TABLE_BATCH, and their first buckets on their
 * way here, all at once.  Any thread. */
void table_probe_ahead(const struct fdb *t, const uint64_t key[],
    struct probe at[restrict], unsigned n);

/* Finds @key in the bucket where it mostly is.  Any thread.  false: it may be
 * in the other, or a writer is in the way; table_find() tells. */
static inline bool table_find_first(
    const struct probe *at, uint64_t key, struct hit *hit)
{
	struct bucket *b = at->first;
	uint64_t ctl = bucket_ctl(b);
	uint32_t match = bucket_match(ctl, probe_tag(at));

	if (!match)
		return false;
	hit->bucket = b;
	hit->i = (unsigned)__builtin_ctz(match) / 8;
	hit->slot = bucket_read(b, hit->i);
	return !((hit->slot.key ^ key) & BUCKET_KEY) &&
	       __atomic_load_n(&b->ctl, __ATOMIC_RELAXED) == ctl;
}

/* table_find() when a tag lied or a writer came and went.  Any thread. */
struct hit table_find_slow(
    const struct fdb *t, const struct probe *at, uint64_t key);

/* Finds @key, which may be @at; what its slot held is of one moment.  Any
 * thread. */
static inline struct hit table_find(
    const struct fdb *t, const struct probe *at, uint64_t key)
{
	struct bucket *a = at->first, *b = probe_second(t, at);
	uint64_t ca = bucket_ctl(a), cb = bucket_ctl(b);
	uint32_t in_a = bucket_match(ca, probe_tag(at));
	uint32_t in_b = bucket_match(cb, probe_tag(at));
	struct hit hit = {0};

	if (!(in_a | in_b))
		return hit;
	hit.bucket = in_a ? a : b;
	hit.i = (unsigned)__builtin_ctz(in_a ? in_a : in_b) / 8;
	hit.slot = bucket_read(hit.bucket, hit.i);
	if (__builtin_expect(!((hit.slot.key ^ key) & BUCKET_KEY) &&
				 bucket_is_same(hit.bucket, in_a ? ca : cb),
		1))
		return hit;
	return table_find_slow(t, at, key);
}

/* Marks what was found as seen at @now; writes once a second at most. */
static inline void hit_refresh(const struct hit *hit, uint32_t now)
{
	if ((int32_t)(now - hit->slot.stamp) > 0)
		bucket_stamp(hit->bucket, hit->i, now);
}

/* fdb_lookup_batch() of at most TABLE_BATCH keys that were fetched ahead. */
void fdb_lookup_probed(const struct fdb *t, const struct probe at[],
    const uint64_t key[], uint16_t port[], unsigned n, uint32_t now);

/* Whether what @s holds is to go. */
typedef bool table_match_fn(const struct slot *s, const void *arg);

/* Removes what @match says from @b; returns how many.  Control. */
uint32_t table_purge(
    struct fdb *t, struct bucket *b, table_match_fn *match, const void *arg);

/* Holds both buckets of @at.  trylock: any thread, false if somebody else was
 * inside for too long.  lock: control. */
bool pair_trylock(struct pair *p, const struct fdb *t, const struct probe *at);
void pair_lock(struct pair *p, const struct fdb *t, const struct probe *at);
void pair_unlock(struct pair *p);

/* Finds @key in the buckets held: bucket *w of the pair, slot *i. */
bool pair_find(const struct pair *p, uint64_t key, unsigned *w, unsigned *i);

/* Fills the free slot @i of bucket @w with @s, whose key is the pair's. */
void pair_write(struct pair *p, unsigned w, unsigned i, struct slot s);

/* Adds one to *counter unless it would exceed @max.  Any thread. */
bool count_reserve(uint32_t *counter, uint32_t max);

static inline void count_add(uint32_t *counter, uint32_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline void count_sub(uint32_t *counter, uint32_t n)
{
	__atomic_fetch_sub(counter, n, __ATOMIC_RELAXED);
}

static inline uint32_t count_read(const uint32_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The dynamic entries of the port that seems to hold most. */
static inline uint32_t table_most(const struct fdb *t)
{
	return count_read(
	    &t->port_count[__atomic_load_n(&t->most_port, __ATOMIC_RELAXED)]);
}

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
