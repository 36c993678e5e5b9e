/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fdb_threads.c - readers, learners and control on one small table.
 *
 * Every address may only ever be at ports that are congruent to it, so a
 * reader that got the port of one address and the key of another would see
 * it.  The table is so small, and so overrun, that slots change hands all the
 * time.  To be run under ThreadSanitizer as well.
 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "learning/age.h"
#include "learning/learn.h"
#include "learning/table.h"

enum {
	N_ENTRIES = 64,
	N_KEYS = 500,
	MOD = 7,
	BATCH = 32,
	N_ROUNDS = 3000,
	N_DUEL = 300000,
	TAG = 7,
};

struct shared {
	struct fdb *fdb;
	bool is_over; /* control is through with its rounds */
	unsigned n_torn, n_lost, n_found;
};

static const struct fdb_port_rules plain = {.learning = true};

/* 0..6 are static at port 100 + i, the rest come and go. */
static uint64_t key_of(uint64_t i)
{
	return fdb_key(i % 3 ? 9 : 0, 0x020000000000ull + i);
}

static uint64_t draw(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 8;
}

static bool is_over(const struct shared *s)
{
	return __atomic_load_n(&s->is_over, __ATOMIC_RELAXED);
}

static void add(unsigned *counter, unsigned n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static bool is_torn(uint64_t i, uint16_t port)
{
	return i < MOD
		   ? port != 100 + i
		   : port != FDB_NONE && (port >= 100 || port % MOD != i % MOD);
}

static void *reader(void *arg)
{
	struct shared *s = arg;
	uint64_t x = 0x1234567 + (uintptr_t)&x, i[BATCH], key[BATCH];
	uint16_t port[BATCH];

	for (int r = 0; !is_over(s); r++) {
		for (int k = 0; k < BATCH; k++) {
			i[k] = draw(&x) % N_KEYS;
			key[k] = key_of(i[k]);
		}
		fdb_lookup_batch(s->fdb, key, port, BATCH, 0);
		for (int k = 0; k < BATCH; k++) {
			add(&s->n_lost, i[k] < MOD && port[k] == FDB_NONE);
			add(&s->n_torn, is_torn(i[k], port[k]));
			add(&s->n_found, i[k] >= MOD && port[k] != FDB_NONE);
		}
	}
	return NULL;
}

/* Residue classes take turns as ingress ports; any learner may be any port. */
static void *learner(void *arg)
{
	struct shared *s = arg;
	uint64_t x = 0x7654321 + (uintptr_t)&x, key[BATCH], i[BATCH],
		 dst[BATCH];
	uint8_t verdict[BATCH];
	uint16_t to[BATCH];

	for (int r = 0; !is_over(s); r++) {
		uint64_t residue = draw(&x) % MOD;
		uint16_t port = (uint16_t)(residue + draw(&x) % 5 * MOD);

		for (int k = 0; k < BATCH; k++) {
			key[k] =
			    key_of((1 + draw(&x) % (N_KEYS / MOD - 1)) * MOD +
				   residue);
			i[k] = draw(&x) % N_KEYS;
			dst[k] = key_of(i[k]);
		}
		fdb_learn_and_lookup(s->fdb, key, dst, BATCH, port, plain,
		    (uint32_t)(r / 100), verdict, to);
		for (int k = 0; k < BATCH; k++)
			add(&s->n_torn, is_torn(i[k], to[k]));
	}
	return NULL;
}

/* Each key at most once, and each count exact, when all is still. */
static void check_still(const struct fdb *fdb)
{
	uint32_t of_port[200] = {0}, of_key[N_KEYS] = {0}, n = 0;

	for (uint32_t b = 0; b < fdb->n_buckets; b++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct slot s = bucket_read(&fdb->buckets[b], i);
			uint64_t k = fdb_key_mac(s.key) - 0x020000000000ull;

			if (!bucket_tag(fdb->buckets[b].ctl, i))
				continue;
			n++;
			cr_assert_eq(of_key[k]++, 0, "%lu is twice in", k);
			of_port[s.port] += !slot_is_static(&s);
		}
	cr_assert_eq(fdb_count(fdb), n);
	cr_assert_leq(n, N_ENTRIES + 50); /* those that are static */
	for (uint16_t p = 0; p < 200; p++)
		cr_assert_eq(fdb_port_count(fdb, p), of_port[p], "port %u", p);
}

static void control(struct shared *s)
{
	struct fdb_filter filter = {.net = FDB_NET_ANY, .kinds = FDB_DYNAMIC};
	struct fdb_entry out[10];
	uint64_t cursor = 0;

	for (uint32_t r = 0;
	     __atomic_load_n(&s->n_found, __ATOMIC_RELAXED) < 10 * N_ROUNDS;
	     r++) {
		unsigned n = fdb_dump(s->fdb, &cursor, out, 10, 0);

		for (unsigned k = 0; k < n; k++)
			add(&s->n_torn,
			    is_torn(fdb_key_mac(out[k].key) - 0x020000000000ull,
				out[k].port));
		if (!n)
			cursor = 0;
		filter.port = (uint16_t)(r % (5 * MOD));
		fdb_flush(s->fdb, &filter);
		fdb_del(s->fdb, key_of(MOD + r % 50), NULL);
		fdb_add(s->fdb, key_of(MOD + r % 50), (uint16_t)(r % 50 % MOD),
		    r % 2, 0, NULL);
		fdb_sweep(s->fdb, 10 + r % 300, 5);
		fdb_set_ageing(s->fdb, r % 3 ? 300 : 0);
	}
	__atomic_store_n(&s->is_over, true, __ATOMIC_RELAXED);
}

Test(fdb_threads, no_reader_sees_a_torn_entry, .timeout = 120)
{
	struct shared s = {.fdb = fdb_open(N_ENTRIES, NULL)};
	pthread_t thread[4];

	for (uint16_t i = 0; i < MOD; i++)
		fdb_add(s.fdb, key_of(i), (uint16_t)(100 + i), true, 0, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, i % 2 ? reader : learner, &s);
	control(&s);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	cr_assert_eq(s.n_torn, 0);
	cr_assert_eq(s.n_lost, 0);
	check_still(s.fdb);
	fdb_close(s.fdb);
}

static void *limited_learner(void *arg)
{
	struct shared *s = arg;
	const struct fdb_port_rules rules = {.learning = true, .mac_limit = 2};
	uint64_t x = 0x7654321 + (uintptr_t)&x, key;
	uint8_t verdict;

	for (int r = 0; !is_over(s); r++) {
		uint16_t port = r % 16 == 0;

		key = key_of(draw(&x) % N_KEYS);
		fdb_learn_batch(s->fdb, &key, 1, port, rules, 0, &verdict);
		add(&s->n_lost, fdb_port_count(s->fdb, port) > 2);
	}
	return NULL;
}

Test(fdb_threads, a_limit_holds_however_many_learn, .timeout = 120)
{
	const struct fdb_filter all = {
	    .port = FDB_NONE, .net = FDB_NET_ANY, .kinds = FDB_DYNAMIC};
	struct shared s = {.fdb = fdb_open(N_ENTRIES, NULL)};
	pthread_t thread[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, limited_learner, &s);
	for (uint32_t n_flushed = 0; n_flushed < N_ROUNDS;)
		n_flushed += fdb_flush(s.fdb, &all);
	__atomic_store_n(&s.is_over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	cr_assert_eq(s.n_lost, 0, "exceeded %u times", s.n_lost);
	check_still(s.fdb);
	fdb_close(s.fdb);
}

struct turnstile {
	uint32_t count, n_inside, n_over;
};

static void *turn(void *arg)
{
	struct turnstile *t = arg;

	for (unsigned r = 0; r < N_DUEL; r++) {
		if (!count_reserve(&t->count, 1))
			continue;
		count_add(&t->n_inside, 1);
		if (count_read(&t->n_inside) > 1)
			count_add(&t->n_over, 1);
		count_sub(&t->n_inside, 1);
		count_sub(&t->count, 1);
	}
	return NULL;
}

Test(fdb_threads, a_reservation_is_exclusive, .timeout = 120)
{
	struct turnstile t = {0};
	pthread_t thread;

	pthread_create(&thread, NULL, turn, &t);
	turn(&t);
	pthread_join(thread, NULL);
	cr_assert_eq(t.n_over, 0);
	cr_assert_eq(t.count, 0);
}

/* One slot that two addresses take from each other as fast as they can. */
struct duel {
	struct bucket bucket[2];
	unsigned is_over;
};

static void *duel_writer(void *arg)
{
	struct duel *d = arg;
	struct bucket *b = &d->bucket[0];
	uint64_t ctl;

	for (unsigned r = 0; r < N_DUEL; r++) {
		uint16_t n = r % 2 + 1; /* address n is at port n */

		while (!bucket_trylock(b, &ctl))
			;
		bucket_clear(b, &ctl, 0);
		bucket_write(b, &ctl, 0, (struct slot){n, 0, n}, TAG);
		bucket_unlock(b, ctl);
	}
	__atomic_store_n(&d->is_over, 1, __ATOMIC_RELAXED);
	return NULL;
}

Test(fdb_threads, a_slot_that_changes_hands_is_never_torn, .timeout = 120)
{
	static struct fdb fdb; /* large */
	struct duel d = {0};
	struct probe at = {.first = &d.bucket[0], .hash = 1ull << 63 | TAG};
	struct hit first;
	unsigned n_torn = 0;
	pthread_t thread;

	fdb.buckets = d.bucket;
	fdb.n_buckets = 2;
	cr_assert_eq(probe_second(&fdb, &at), &d.bucket[1]);
	pthread_create(&thread, NULL, duel_writer, &d);
	for (unsigned r = 0; !__atomic_load_n(&d.is_over, __ATOMIC_RELAXED);
	     r++) {
		uint16_t n = r % 2 + 1;
		struct hit hit = table_find(&fdb, &at, n);

		n_torn += hit.bucket && hit.slot.port != n;
		if (table_find_first(&at, n, &first))
			n_torn += first.slot.port != n;
	}
	pthread_join(thread, NULL);
	cr_assert_eq(n_torn, 0);
	cr_assert(table_find_first(&at, 2, &first), "the last to write");
}

/* What the duel does by chance, step by step. */
Test(fdb_threads, a_reader_notices_at_every_step)
{
	struct bucket b = {0};
	uint64_t empty = bucket_ctl(&b), ctl, before;

	cr_assert(bucket_trylock(&b, &ctl));
	bucket_write(&b, &ctl, 2, (struct slot){1, 0, 1}, TAG);
	cr_assert_eq(bucket_match(bucket_ctl(&b), TAG), 0, "not yet");
	bucket_unlock(&b, ctl);
	cr_assert_not(bucket_is_same(&b, empty));
	before = bucket_ctl(&b);
	cr_assert_eq(bucket_match(before, TAG), 0x800000);

	cr_assert(bucket_trylock(&b, &ctl));
	cr_assert_not(bucket_trylock(&b, &empty), "somebody is inside");
	cr_assert(bucket_is_same(&b, before), "but has done nothing");
	bucket_move(&b, 2, 9);
	cr_assert(bucket_is_same(&b, before), "either port is right");
	bucket_clear(&b, &ctl, 2);
	cr_assert_not(bucket_is_same(&b, before));
	bucket_write(&b, &ctl, 2, (struct slot){2, 0, 2}, TAG);
	cr_assert_not(bucket_is_same(&b, before));
	bucket_unlock(&b, ctl);
	cr_assert_not(bucket_is_same(&b, before), "same tags, next sequence");
}
