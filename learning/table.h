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

	/* Control's own: where the next sweep goes on. */
	uint32_t sweep_at __attribute__((aligned(64)));
	size_t map_size;

	/* Dynamic entries of each port; written with count. */
	uint32_t port_count[TABLE_N_PORTS] __attribute__((aligned(64)));
};

/* Where a key may be, and how it is marked there. */
struct probe {
	struct bucket *bucket[2];
	uint8_t tag;
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
	uint64_t lo = (uint64_t)m, hi = (uint64_t)(m >> 64);

	m = (unsigned __int128)(lo ^ t->secret[2]) * (hi ^ t->secret[3]);
	lo = (uint64_t)m;
	hi = (uint64_t)(m >> 64);
	return lo ^ hi;
}

/* Buckets come from the high bits of either half of the hash, the tag from
 * the lowest of one; with at most 2^24 buckets they do not overlap. */
static inline struct probe table_probe(const struct fdb *t, uint64_t key)
{
	uint64_t hash = table_hash(t, key);
	uint8_t tag = (uint8_t)hash;

	return (struct probe){
	    .bucket[0] =
		&t->buckets[(uint32_t)hash * (uint64_t)t->n_buckets >> 32],
	    .bucket[1] = &t->buckets[(hash >> 32) * t->n_buckets >> 32],
	    .tag = (uint8_t)(tag + !tag),
	};
}

/* Always inline: gcc 12 takes a function that does nothing but prefetch for
 * one without an effect, and drops its calls. */
static inline __attribute__((always_inline)) void table_prefetch(
    const struct probe *at)
{
	__builtin_prefetch(at->bucket[0]);
	__builtin_prefetch(at->bucket[1]);
}

static inline int32_t table_ageing(const struct fdb *t)
{
	return __atomic_load_n(&t->ageing_s, __ATOMIC_RELAXED);
}

/* table_find() when a tag lied or a writer came and went.  Any thread. */
struct hit table_find_slow(const struct probe *at, uint64_t key);

/* Finds @key, which may be @at; what its slot held is of one moment.  Any
 * thread. */
static inline struct hit table_find(const struct probe *at, uint64_t key)
{
	struct bucket *a = at->bucket[0], *b = at->bucket[1];
	uint64_t ca = bucket_ctl(a), cb = bucket_ctl(b);
	uint64_t match = bucket_match(ca, cb, at->tag);
	struct hit hit = {0};
	unsigned bit;

	if (!match)
		return hit;
	bit = (unsigned)__builtin_ctzll(match);
	hit.bucket = bit < 32 ? a : b;
	hit.i = bit / 8 % BUCKET_SLOTS;
	hit.slot = bucket_read(hit.bucket, hit.i);
	if (__builtin_expect(!((hit.slot.key ^ key) & BUCKET_KEY) &&
				 bucket_is_same(hit.bucket, bit < 32 ? ca : cb),
		1))
		return hit;
	return table_find_slow(at, key);
}

/* Whether what @s holds is to go. */
typedef bool table_match_fn(const struct slot *s, const void *arg);

/* Removes what @match says from @b; returns how many.  Control. */
uint32_t table_purge(
    struct fdb *t, struct bucket *b, table_match_fn *match, const void *arg);

/* Holds both buckets of @at.  trylock: any thread, false if somebody else was
 * inside for too long.  lock: control. */
bool pair_trylock(struct pair *p, const struct probe *at);
void pair_lock(struct pair *p, const struct probe *at);
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

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
