/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.c - the rarer half of the inside: retries, locks, removal.
 *
 * Everything here runs when something changes, or when a reader met a change;
 * traffic between known addresses stays in table.h.
 */
#include <sched.h>

#include "learning/table.h"

/* In a function of its own, where the registers suffice. */
void table_probe_ahead(const struct fdb *t, const uint64_t key[],
    struct probe at[restrict], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		at[i] = table_probe(t, key[i]);
		table_prefetch(at[i].first);
	}
}

enum answer { ABSENT, PRESENT, DISTURBED };

static enum answer bucket_find(
    struct bucket *b, uint8_t tag, uint64_t key, struct hit *hit)
{
	uint64_t ctl = bucket_ctl(b);

	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		struct slot s;

		if (bucket_tag(ctl, i) != tag)
			continue;
		s = bucket_read(b, i);
		if (!bucket_is_same(b, ctl))
			return DISTURBED;
		if ((s.key ^ key) & BUCKET_KEY)
			continue;
		*hit = (struct hit){b, i, s};
		return PRESENT;
	}
	return ABSENT;
}

__attribute__((noinline)) struct hit table_find_slow(
    const struct fdb *t, const struct probe *at, uint64_t key)
{
	struct bucket *const bucket[2] = {at->first, probe_second(t, at)};
	struct hit hit;

	for (unsigned try = 0; try < TABLE_TRIES; try++) {
		enum answer seen = ABSENT;

		for (unsigned w = 0; w < 2; w++) {
			enum answer a =
			    bucket_find(bucket[w], probe_tag(at), key, &hit);

			if (a == PRESENT)
				return hit;
			if (a == DISTURBED)
				seen = a;
		}
		if (seen == ABSENT)
			break;
		cpu_pause();
	}
	return (struct hit){0};
}

static bool pair_try_once(struct pair *p)
{
	if (!bucket_trylock(p->bucket[0], &p->ctl[0]))
		return false;
	if (p->n == 1 || bucket_trylock(p->bucket[1], &p->ctl[1]))
		return true;
	bucket_unlock(p->bucket[0], p->ctl[0]);
	return false;
}

bool pair_trylock(struct pair *p, const struct fdb *t, const struct probe *at)
{
	p->tag = probe_tag(at);
	p->bucket[0] = at->first;
	p->bucket[1] = probe_second(t, at);
	p->n = p->bucket[0] == p->bucket[1] ? 1 : 2;
	for (unsigned try = 0; try < TABLE_TRIES; try++) {
		if (pair_try_once(p))
			return true;
		cpu_pause();
	}
	return false;
}

void pair_lock(struct pair *p, const struct fdb *t, const struct probe *at)
{
	while (!pair_trylock(p, t, at))
		sched_yield();
}

void pair_unlock(struct pair *p)
{
	for (unsigned w = 0; w < p->n; w++)
		bucket_unlock(p->bucket[w], p->ctl[w]);
}

bool pair_find(const struct pair *p, uint64_t key, unsigned *w, unsigned *i)
{
	for (*w = 0; *w < p->n; ++*w) {
		uint64_t ctl = p->ctl[*w];
		uint32_t left = bucket_match(ctl, p->tag);

		for (; left; left &= left - 1) {
			struct slot s;

			*i = (unsigned)__builtin_ctz(left) / 8;
			s = bucket_read(p->bucket[*w], *i);
			if (bucket_tag(ctl, *i) == p->tag &&
			    !((s.key ^ key) & BUCKET_KEY))
				return true;
		}
	}
	return false;
}

void pair_write(struct pair *p, unsigned w, unsigned i, struct slot s)
{
	bucket_write(p->bucket[w], &p->ctl[w], i, s, p->tag);
}

static uint32_t purge_locked(struct fdb *t, struct bucket *b, uint64_t *ctl,
    table_match_fn *match, const void *arg)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
		struct slot s = bucket_read(b, i);

		if (!bucket_tag(*ctl, i) || !match(&s, arg))
			continue;
		bucket_clear(b, ctl, i);
		if (!slot_is_static(&s))
			count_sub(&t->port_count[s.port], 1);
		n++;
	}
	count_sub(&t->count, n);
	return n;
}

uint32_t table_purge(
    struct fdb *t, struct bucket *b, table_match_fn *match, const void *arg)
{
	uint64_t ctl = bucket_ctl(b);
	bool any = false;
	uint32_t n;

	/* Most buckets have nothing to remove, and are not to be written. */
	for (uint32_t left = bucket_taken(ctl); left && !any;
	     left &= left - 1) {
		struct slot s =
		    bucket_read(b, (unsigned)__builtin_ctz(left) / 8);

		any = match(&s, arg);
	}
	if (!any && !(ctl & BUCKET_LOCKED))
		return 0;
	while (!bucket_trylock(b, &ctl))
		sched_yield();
	n = purge_locked(t, b, &ctl, match, arg);
	bucket_unlock(b, ctl);
	return n;
}

bool count_reserve(uint32_t *counter, uint32_t max)
{
	uint32_t n = count_read(counter);

	while (n < max)
		if (__atomic_compare_exchange_n(counter, &n, n + 1, true,
			__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return false;
}
