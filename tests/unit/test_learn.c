/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_learn.c - what frames teach, who is turned away, who gives way.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "learning/learn.h"
#include "learning/place.h"

static const struct fdb_port_rules plain = {.learning = true};
static const struct fdb_port_rules locked = {.learning = true, .locked = true};

static uint64_t key_of(uint32_t i)
{
	return fdb_key(0, 0x020000000000ull + i);
}

static uint64_t draw(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static enum fdb_verdict learn(struct fdb *fdb, uint64_t key, uint16_t port,
    struct fdb_port_rules rules, uint32_t now)
{
	uint8_t verdict = 0xff;

	fdb_learn_batch(fdb, &key, 1, port, rules, now, &verdict);
	return verdict;
}

Test(learn, learns_and_moves)
{
	struct fdb *fdb = fdb_open(100, NULL);

	cr_assert_eq(learn(fdb, key_of(1), 4, plain, 0), FDB_PASS);
	cr_assert_eq(fdb_lookup(fdb, key_of(1), 0), 4);
	cr_assert_eq(learn(fdb, key_of(1), 5, plain, 0), FDB_PASS);
	cr_assert_eq(fdb_lookup(fdb, key_of(1), 0), 5);
	cr_assert_eq(fdb_count(fdb), 1);
	cr_assert_eq(fdb_port_count(fdb, 4), 0);
	cr_assert_eq(fdb_port_count(fdb, 5), 1);
	fdb_close(fdb);
}

Test(learn, not_when_told_so)
{
	struct fdb *fdb = fdb_open(100, NULL);
	const struct fdb_port_rules off = {.learning = false, .mac_limit = 1};

	cr_assert_eq(learn(fdb, key_of(1), 4, off, 0), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(2), 4, off, 0), FDB_PASS);
	cr_assert_eq(fdb_count(fdb), 0);
	fdb_close(fdb);
}

Test(learn, a_static_entry_stays_where_it_is)
{
	struct fdb *fdb = fdb_open(100, NULL);

	fdb_add(fdb, key_of(1), 4, true, 0, NULL);
	cr_assert_eq(learn(fdb, key_of(1), 5, plain, 0), FDB_PASS);
	cr_assert_eq(fdb_lookup(fdb, key_of(1), 0), 4);
	cr_assert_eq(fdb_port_count(fdb, 5), 0);
	fdb_close(fdb);
}

Test(learn, a_locked_port_admits_only_its_own)
{
	struct fdb *fdb = fdb_open(100, NULL);

	fdb_add(fdb, key_of(1), 4, true, 0, NULL);
	fdb_add(fdb, key_of(2), 4, false, 0, NULL);
	fdb_add(fdb, key_of(3), 5, true, 0, NULL);
	fdb_add(fdb, key_of(4), 5, false, 0, NULL);
	cr_assert_eq(learn(fdb, key_of(1), 4, locked, 0), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(2), 4, locked, 0), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(3), 4, locked, 0), FDB_DROP_LOCKED);
	cr_assert_eq(learn(fdb, key_of(4), 4, locked, 0), FDB_DROP_LOCKED);
	cr_assert_eq(learn(fdb, key_of(5), 4, locked, 0), FDB_DROP_LOCKED);
	cr_assert_eq(fdb_count(fdb), 4);
	cr_assert_eq(fdb_lookup(fdb, key_of(4), 0), 5);
	/* The dynamic one lives as long as it sends, and no longer. */
	cr_assert_eq(learn(fdb, key_of(2), 4, locked, 300), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(2), 4, locked, 600), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(2), 4, locked, 901), FDB_DROP_LOCKED);
	cr_assert_eq(learn(fdb, key_of(1), 4, locked, 9999), FDB_PASS);
	fdb_close(fdb);
}

Test(learn, a_port_at_its_limit_keeps_what_it_has)
{
	struct fdb *fdb = fdb_open(100, NULL);
	const struct fdb_port_rules two = {.learning = true, .mac_limit = 2};

	learn(fdb, key_of(9), 5, plain, 0);
	cr_assert_eq(learn(fdb, key_of(1), 4, two, 0), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(2), 4, two, 0), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(3), 4, two, 0), FDB_DROP_MAC_LIMIT);
	cr_assert_eq(learn(fdb, key_of(9), 4, two, 0), FDB_DROP_MAC_LIMIT);
	cr_assert_eq(learn(fdb, key_of(1), 4, two, 0), FDB_PASS);
	cr_assert_eq(fdb_lookup(fdb, key_of(9), 0), 5);
	/* One leaves for another port: there is room for one. */
	learn(fdb, key_of(2), 5, plain, 0);
	cr_assert_eq(learn(fdb, key_of(3), 4, two, 0), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(2), 4, two, 0), FDB_DROP_MAC_LIMIT);
	cr_assert_eq(fdb_port_count(fdb, 4), 2);
	fdb_close(fdb);
}

Test(learn, static_entries_do_not_count_for_the_limit)
{
	struct fdb *fdb = fdb_open(100, NULL);
	const struct fdb_port_rules one = {.learning = true, .mac_limit = 1};

	fdb_add(fdb, key_of(1), 4, true, 0, NULL);
	cr_assert_eq(learn(fdb, key_of(2), 4, one, 0), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(1), 4, one, 0), FDB_PASS);
	cr_assert_eq(learn(fdb, key_of(3), 4, one, 0), FDB_DROP_MAC_LIMIT);
	/* Another port's static address is no new one of this port. */
	fdb_add(fdb, key_of(4), 5, true, 0, NULL);
	cr_assert_eq(learn(fdb, key_of(4), 4, one, 0), FDB_PASS);
	fdb_close(fdb);
}

Test(learn, every_frame_of_a_batch_gets_its_verdict)
{
	enum { N = 200 };
	struct fdb *fdb = fdb_open(100, NULL);
	const struct fdb_port_rules rules = {.learning = true, .mac_limit = 3};
	uint64_t key[N];
	uint8_t verdict[N];

	for (uint32_t i = 0; i < N; i++)
		key[i] = key_of(i / 3 % 5);
	memset(verdict, 0xff, sizeof(verdict));
	fdb_learn_batch(fdb, key, N, 4, rules, 0, verdict);
	for (uint32_t i = 0; i < N; i++)
		cr_assert_eq(verdict[i],
		    i / 3 % 5 < 3 ? FDB_PASS : FDB_DROP_MAC_LIMIT, "%u", i);
	fdb_learn_batch(fdb, key, 0, 4, rules, 0, verdict);
	fdb_close(fdb);
}

/* The two tables have different secrets, but all that they answer is the
 * same, as long as nobody has to give way. */
Test(learn, a_lesson_and_a_lookup_in_one_say_what_they_say_singly)
{
	enum { N = 200, N_KEYS = 150 };
	const struct fdb_port_rules kinds[] = {plain, locked,
	    {.learning = true, .mac_limit = 40}, {.learning = false}};
	struct fdb *one = fdb_open(1000, NULL), *two = fdb_open(1000, NULL);
	uint64_t src[N], dst[N];
	uint8_t verdict[2][N];
	uint16_t to[2][N];

	for (unsigned r = 0; r < 400; r++) {
		struct fdb_port_rules rules = kinds[r % 4];
		unsigned n = (unsigned)(draw() % N);
		uint16_t port = (uint16_t)(draw() % 4);
		bool any[2];

		for (unsigned i = 0; i < n; i++) {
			src[i] = i && draw() % 4 == 0
				     ? src[i - 1]
				     : key_of((uint32_t)(draw() % N_KEYS));
			dst[i] = key_of((uint32_t)(draw() % (2 * N_KEYS)));
		}
		any[0] = fdb_learn_and_lookup(
		    one, src, dst, n, port, rules, r, verdict[0], to[0]);
		any[1] =
		    fdb_learn_batch(two, src, n, port, rules, r, verdict[1]);
		fdb_lookup_batch(two, dst, to[1], n, r);
		cr_assert_eq(any[0], any[1]);
		/* Beyond a batch, a frame may miss what a later one teaches. */
		if (n > TABLE_BATCH)
			continue;
		cr_assert_arr_eq(verdict[0], verdict[1], n);
		cr_assert_arr_eq(to[0], to[1], n * sizeof(to[0][0]));
		cr_assert_eq(
		    any[0], memchr(verdict[0], FDB_DROP_LOCKED, n) ||
				memchr(verdict[0], FDB_DROP_MAC_LIMIT, n));
	}
	fdb_close(one);
	fdb_close(two);
}

Test(learn, known_traffic_writes_once_a_second)
{
	struct fdb *fdb = fdb_open(16, NULL);
	size_t size = fdb->map_size;
	void *before = malloc(size);
	unsigned n_changed = 0;

	learn(fdb, key_of(1), 4, plain, 10);
	fdb_add(fdb, key_of(2), 5, true, 10, NULL);
	memcpy(before, fdb, size);
	for (int i = 0; i < 100; i++) {
		learn(fdb, key_of(1), 4, plain, 10);
		learn(fdb, key_of(2), 4, plain, 10);
		learn(fdb, key_of(1), 4, plain, 9); /* a clock behind ours */
		fdb_lookup(fdb, key_of(1), 10);
	}
	cr_assert_eq(memcmp(before, fdb, size), 0);
	learn(fdb, key_of(1), 4, plain, 11);
	for (size_t i = 0; i < size; i++)
		n_changed += ((uint8_t *)before)[i] != ((uint8_t *)fdb)[i];
	cr_assert_eq(n_changed, 1); /* 10 became 11 */
	free(before);
	fdb_close(fdb);
}

/* Ten million addresses out of one port, in a tenth of the time: the table is
 * full after the first thousands. */
Test(learn, a_flood_pushes_out_the_flooder)
{
	enum { N = 4096, N_VICTIMS = 8, N_EACH = 64, N_STATIC = 100 };
	struct fdb *fdb = fdb_open(N, NULL);
	uint64_t key[64];
	uint8_t verdict[64];

	for (uint32_t i = 0; i < N_VICTIMS * N_EACH; i++)
		learn(fdb, key_of(i), (uint16_t)(i % N_VICTIMS), plain, 0);
	for (uint32_t i = 0; i < N_STATIC; i++)
		fdb_add(fdb, key_of(100000 + i), 20, true, 0, NULL);
	for (uint32_t r = 0; r < 1000000 / 64; r++) {
		for (unsigned i = 0; i < 64; i++)
			key[i] = fdb_key(0, draw() & 0xfeffffffffffull);
		fdb_learn_batch(fdb, key, 64, 30, plain, 1, verdict);
		for (unsigned i = 0; i < 64; i++)
			cr_assert_eq(verdict[i], FDB_PASS);
	}
	for (uint32_t i = 0; i < N_VICTIMS * N_EACH; i++)
		cr_assert_eq(fdb_lookup(fdb, key_of(i), 1), i % N_VICTIMS);
	for (uint32_t i = 0; i < N_STATIC; i++)
		cr_assert_eq(fdb_lookup(fdb, key_of(100000 + i), 1), 20);
	cr_assert_leq(fdb_count(fdb), N);
	cr_assert_geq(fdb_count(fdb) + 3, N);
	fdb_close(fdb);
}

Test(learn, a_newcomer_is_learned_into_a_flooded_table)
{
	enum { N = 1024, N_NEW = 300 };
	struct fdb *fdb = fdb_open(N, NULL);
	uint32_t n_known = 0;

	for (uint32_t i = 0; i < 20 * N; i++)
		learn(fdb, draw() & 0xfeffffffffffull, 30, plain, 0);
	cr_assert_geq(fdb_port_count(fdb, 30) + 3, N);
	for (uint32_t i = 0; i < N_NEW; i++) {
		learn(fdb, key_of(i), 1, plain, 0);
		cr_assert_eq(fdb_lookup(fdb, key_of(i), 0), 1, "%u", i);
	}
	for (uint32_t i = 0; i < 20 * N; i++)
		learn(fdb, draw() & 0xfeffffffffffull, 30, plain, 0);
	for (uint32_t i = 0; i < N_NEW; i++)
		n_known += fdb_lookup(fdb, key_of(i), 0) == 1;
	cr_assert_eq(n_known, N_NEW);
	cr_assert_leq(fdb_count(fdb), N);
	fdb_close(fdb);
}

/* Who held most is flushed: what the table remembers of it must not make
 * others give way. */
Test(learn, a_flood_after_a_flood_spares_those_who_hold_few)
{
	enum { N = 1024, N_FEW = 200 };
	const struct fdb_filter first = {30, FDB_NET_ANY, FDB_DYNAMIC};
	struct fdb *fdb = fdb_open(N, NULL);
	uint32_t n_known = 0;

	for (uint32_t i = 0; i < 20 * N; i++)
		learn(fdb, draw() & 0xfeffffffffffull, 30, plain, 0);
	for (uint32_t i = 0; i < N_FEW; i++)
		learn(fdb, key_of(i), 1, plain, 0);
	fdb_flush(fdb, &first);
	for (uint32_t i = 0; i < 20 * N; i++)
		learn(fdb, draw() & 0xfeffffffffffull, 31, plain, 0);
	for (uint32_t i = 0; i < N_FEW; i++)
		n_known += fdb_lookup(fdb, key_of(i), 0) == 1;
	cr_assert_eq(n_known, N_FEW);
	cr_assert_geq(fdb_port_count(fdb, 31) + N_FEW + 3, N);
	fdb_close(fdb);
}

Test(learn, two_floods_share_the_table_in_halves)
{
	enum { N = 4096 };
	struct fdb *fdb = fdb_open(N, NULL);

	for (uint32_t i = 0; i < 20 * N; i++)
		learn(fdb, draw() & 0xfeffffffffffull, 1, plain, 0);
	for (uint32_t i = 0; i < 20 * N; i++)
		learn(fdb, draw() & 0xfeffffffffffull, 2, plain, 0);
	cr_assert_geq(fdb_port_count(fdb, 1), N / 2 - N / 50);
	cr_assert_geq(fdb_port_count(fdb, 2), N / 2 - N / 50);
	fdb_close(fdb);
}

Test(learn, an_expired_address_gives_way_first)
{
	enum { N = 64 };
	struct fdb *fdb = fdb_open(N, NULL);

	for (uint32_t i = 0; i < N; i++)
		learn(fdb, key_of(i), (uint16_t)i, plain, 0);
	/* All ports hold one; each would be spared, were it alive. */
	for (uint32_t i = 0; i < N; i++) {
		learn(fdb, key_of(1000 + i), 100, plain, 1000);
		cr_assert_eq(fdb_lookup(fdb, key_of(1000 + i), 1000), 100);
	}
	cr_assert_leq(fdb_count(fdb), N);
	fdb_close(fdb);
}

/* Whoever knows the code, but not the secret, finds addresses that meet in a
 * few buckets of a table of his own; in ours they are like any other. */
Test(learn, case_100_chosen_addresses_do_not_meet_in_another_table)
{
	enum { N = 4096, N_BUCKETS = 64 };
	struct fdb *his = fdb_open(N, NULL), *ours = fdb_open(N, NULL);
	uint32_t n = 0;

	for (uint64_t mac = 0x020000000000ull; n < N; mac++) {
		struct probe at = table_probe(his, mac);

		if (at.first - his->buckets >= N_BUCKETS ||
		    probe_second(his, &at) - his->buckets >= N_BUCKETS)
			continue;
		learn(his, mac, 1, plain, 0);
		learn(ours, mac, 1, plain, 0);
		n++;
	}
	cr_assert_leq(fdb_count(his), N_BUCKETS * BUCKET_SLOTS);
	cr_assert_geq(fdb_count(ours) + 3, N);
	fdb_close(his);
	fdb_close(ours);
}

/* Addresses as vendors, virtual machines and attackers count them out. */
Test(learn, regular_addresses_spread_like_random_ones)
{
	static const uint64_t stride[] = {1, 2, 0x100, 0x10000, 0x1000000,
	    0x100000000, 0x010101010101, 0x1000000000001, 0x1000000000000};
	enum { N = 4096 };

	for (unsigned k = 0; k < sizeof(stride) / sizeof(stride[0]); k++) {
		struct fdb *fdb = fdb_open(N, NULL);

		for (uint64_t i = 0; i < N; i++)
			learn(fdb, stride[k] * i & BUCKET_KEY, 1, plain, 0);
		cr_assert_geq(fdb_count(fdb) + 3, N, "stride %lx", stride[k]);
		fdb_close(fdb);
	}
}
