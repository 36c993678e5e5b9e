/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fdb.c - the table as control sees it, and its memory.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "learning/age.h"
#include "learning/fdb.h"
#include "learning/table.h"

enum { ALL = FDB_DYNAMIC | FDB_STATIC };

static uint64_t key_of(uint32_t i)
{
	return fdb_key(0, 0x020000000000ull + i);
}

static struct fdb *open_table(uint32_t n)
{
	struct err e = {0};
	struct fdb *fdb = fdb_open(n, &e);

	cr_assert_not_null(fdb, "%s", e.message);
	return fdb;
}

/* What a scan over the buckets finds is what the counters say. */
static void check_counts(const struct fdb *fdb)
{
	uint32_t n_of[TABLE_N_PORTS] = {0}, n = 0;

	for (uint32_t b = 0; b < fdb->n_buckets; b++)
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			struct slot s = bucket_read(&fdb->buckets[b], i);

			if (!bucket_tag(fdb->buckets[b].ctl, i))
				continue;
			n++;
			n_of[s.port] += !slot_is_static(&s);
		}
	cr_assert_eq(fdb_count(fdb), n);
	for (uint32_t p = 0; p < TABLE_N_PORTS; p++)
		cr_assert_eq(fdb_port_count(fdb, (uint16_t)p), n_of[p]);
}

static size_t resident_pages(struct fdb *fdb)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
	size_t n_pages = (fdb->map_size + page - 1) / page;
	unsigned char *map = malloc(n_pages);

	cr_assert_eq(mincore(fdb, fdb->map_size, map), 0);
	for (size_t i = 0; i < n_pages; i++)
		n += map[i] & 1;
	free(map);
	return n;
}

Test(fdb, refuses_a_size_it_cannot_have)
{
	struct err e = {0};

	cr_assert_null(fdb_open(0, &e));
	cr_assert_eq(e.code, -EINVAL);
	cr_assert_null(fdb_open(FDB_ENTRIES_MAX + 1, &e));
	cr_assert_eq(e.code, -EINVAL);
	fdb_close(NULL);
}

Test(fdb, adds_looks_up_and_deletes)
{
	struct fdb *fdb = open_table(100);
	struct err e = {0};

	cr_assert_eq(fdb_lookup(fdb, key_of(1), 0), FDB_NONE);
	cr_assert_eq(fdb_add(fdb, key_of(1), 7, true, 0, &e), 0);
	cr_assert_eq(fdb_add(fdb, key_of(2), 8, false, 0, &e), 0);
	cr_assert_eq(fdb_lookup(fdb, key_of(1), 0), 7);
	cr_assert_eq(fdb_lookup(fdb, key_of(2), 0), 8);
	cr_assert_eq(fdb_port_count(fdb, 7), 0);
	cr_assert_eq(fdb_port_count(fdb, 8), 1);
	cr_assert_eq(fdb_del(fdb, key_of(1), &e), 0);
	cr_assert_eq(fdb_del(fdb, key_of(1), &e), -ENOENT);
	cr_assert_str_eq(e.message, "02:00:00:00:00:01 is not in the table");
	cr_assert_eq(fdb_lookup(fdb, key_of(1), 0), FDB_NONE);
	check_counts(fdb);
	fdb_close(fdb);
}

Test(fdb, keeps_networks_apart)
{
	struct fdb *fdb = open_table(100);
	uint64_t mac = 0xfeffffffffffull;

	fdb_add(fdb, fdb_key(0, mac), 1, true, 0, NULL);
	fdb_add(fdb, fdb_key(4094, mac), 2, true, 0, NULL);
	cr_assert_eq(fdb_lookup(fdb, fdb_key(0, mac), 0), 1);
	cr_assert_eq(fdb_lookup(fdb, fdb_key(4094, mac), 0), 2);
	cr_assert_eq(fdb_lookup(fdb, fdb_key(1, mac), 0), FDB_NONE);
	cr_assert_eq(fdb_key_net(fdb_key(4094, mac)), 4094);
	cr_assert_eq(fdb_key_mac(fdb_key(4094, mac)), mac);
	fdb_close(fdb);
}

Test(fdb, holds_the_address_zero)
{
	struct fdb *fdb = open_table(1);

	cr_assert_eq(fdb_lookup(fdb, 0, 0), FDB_NONE);
	fdb_add(fdb, 0, 3, false, 0, NULL);
	cr_assert_eq(fdb_lookup(fdb, 0, 0), 3);
	fdb_close(fdb);
}

Test(fdb, a_static_entry_replaces_a_dynamic_one_and_not_the_reverse)
{
	struct fdb *fdb = open_table(100);
	struct err e = {0};
	uint64_t key = fdb_key(10, 0x0200000000ffull);

	fdb_add(fdb, key, 1, false, 0, NULL);
	cr_assert_eq(fdb_add(fdb, key, 2, false, 0, &e), 0);
	cr_assert_eq(fdb_port_count(fdb, 1), 0);
	cr_assert_eq(fdb_add(fdb, key, 3, true, 0, &e), 0);
	cr_assert_eq(fdb_lookup(fdb, key, 0), 3);
	cr_assert_eq(fdb_add(fdb, key, 4, false, 0, &e), -EEXIST);
	cr_assert_eq(fdb_add(fdb, key, 4, true, 0, &e), -EEXIST);
	cr_assert_str_eq(
	    e.message, "02:00:00:00:00:ff vlan 10 already has a static entry");
	cr_assert_eq(fdb_lookup(fdb, key, 0), 3);
	cr_assert_eq(fdb_count(fdb), 1);
	check_counts(fdb);
	fdb_close(fdb);
}

Test(fdb, holds_as_many_as_it_was_opened_for)
{
	static const uint32_t sizes[] = {1, 2, 7, 64, 1000, 65536};

	for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct fdb *fdb = open_table(sizes[k]);
		uint32_t n = sizes[k], n_found = 0;

		for (uint32_t i = 0; i < 2 * n; i++)
			fdb_add(fdb, key_of(i), 1, false, 0, NULL);
		/* One table in a hundred lacks one. */
		cr_assert_geq(fdb_count(fdb) + 3, n);
		cr_assert_leq(fdb_count(fdb), n);
		for (uint32_t i = 0; i < 2 * n; i++)
			n_found += fdb_lookup(fdb, key_of(i), 0) == 1;
		cr_assert_eq(n_found, fdb_count(fdb));
		check_counts(fdb);
		fdb_close(fdb);
	}
}

Test(fdb, static_entries_exceed_the_size_before_they_are_refused)
{
	enum { N = 1000, N_STATIC = 1020 };
	struct fdb *fdb = open_table(N);
	struct err e = {0};
	uint32_t n_found = 0, i = N;

	for (uint32_t k = 0; k < N; k++)
		fdb_add(fdb, key_of(k), 1, false, 0, NULL);
	for (uint32_t k = 0; k < N_STATIC; k++)
		fdb_add(fdb, key_of(i++), 2, true, 0, NULL);
	for (uint32_t k = N; k < i; k++)
		n_found += fdb_lookup(fdb, key_of(k), 0) == 2;
	/* One in a thousand tables refuses one. */
	cr_assert_geq(n_found + 2, N_STATIC);
	cr_assert_leq(fdb_port_count(fdb, 1), 100);
	check_counts(fdb);
	while (i < 10 * N && !e.code)
		fdb_add(fdb, key_of(i++), 2, true, 0, &e);
	cr_assert_eq(e.code, -ENOSPC);
	check_counts(fdb);
	fdb_close(fdb);
}

Test(fdb, a_batch_says_what_single_lookups_say)
{
	enum { N = 1000 };
	struct fdb *fdb = open_table(N);
	uint64_t key[N];
	uint16_t port[N];

	for (uint32_t i = 0; i < N; i++) {
		key[i] = key_of(i);
		if (i % 3)
			fdb_add(fdb, key[i], (uint16_t)(i % 7), i % 2, 0, NULL);
	}
	for (unsigned n = 0; n <= N; n += n < 130 ? 1 : 290) {
		memset(port, 0xee, sizeof(port));
		fdb_lookup_batch(fdb, key, port, n, 0);
		for (unsigned i = 0; i < n; i++) {
			cr_assert_eq(port[i], i % 3 ? i % 7 : FDB_NONE);
			cr_assert_eq(port[i], fdb_lookup(fdb, key[i], 0));
		}
		cr_assert(n == N || port[n] == 0xeeee);
	}
	fdb_close(fdb);
}

Test(fdb, flushes_what_the_filter_says)
{
	static const struct {
		struct fdb_filter filter;
		uint32_t n;
	} cases[] = {
	    {{FDB_NONE, FDB_NET_ANY, ALL}, 240},
	    {{FDB_NONE, FDB_NET_ANY, FDB_STATIC}, 120},
	    {{FDB_NONE, FDB_NET_ANY, FDB_DYNAMIC}, 120},
	    {{2, FDB_NET_ANY, ALL}, 80},
	    {{FDB_NONE, 3, ALL}, 60},
	    {{2, 3, FDB_DYNAMIC}, 10},
	    {{9, FDB_NET_ANY, ALL}, 0},
	    {{FDB_NONE, 0, ALL}, 60},
	    {{FDB_NONE, FDB_NET_ANY, 0}, 0},
	};

	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct fdb *fdb = open_table(480);

		/* 3 ports, 4 networks, 2 kinds, 10 addresses each. */
		for (uint32_t i = 0; i < 240; i++)
			fdb_add(fdb, fdb_key(i % 4, i), (uint16_t)(i / 4 % 3),
			    i / 12 % 2, 0, NULL);
		cr_assert_eq(
		    fdb_flush(fdb, &cases[c].filter), cases[c].n, "case %u", c);
		cr_assert_eq(fdb_count(fdb), 240 - cases[c].n);
		check_counts(fdb);
		fdb_close(fdb);
	}
}

Test(fdb, forgets_a_port_altogether)
{
	const struct fdb_filter all = {
	    .port = 1, .net = FDB_NET_ANY, .kinds = FDB_DYNAMIC | FDB_STATIC};
	struct fdb *fdb = open_table(2000);

	for (uint32_t i = 0; i < 1000; i++)
		fdb_add(fdb, key_of(i), i % 2, i % 3, 0, NULL);
	fdb_flush(fdb, &all);
	for (uint32_t i = 0; i < 1000; i++)
		cr_assert_eq(
		    fdb_lookup(fdb, key_of(i), 0), i % 2 ? FDB_NONE : 0);
	cr_assert_eq(fdb_port_count(fdb, 1), 0);
	check_counts(fdb);
	fdb_close(fdb);
}

Test(fdb, dumps_every_entry_once_in_pieces)
{
	struct fdb *fdb = open_table(2000);
	struct fdb_entry out[7];
	uint8_t seen[1000] = {0};
	uint64_t cursor = 0;

	for (uint32_t i = 0; i < 1000; i++)
		fdb_add(fdb, key_of(i), (uint16_t)(i % 5), i % 2, 100, NULL);
	while (cursor != FDB_DUMP_END) {
		unsigned n = fdb_dump(fdb, &cursor, out, 7, 142);

		for (unsigned k = 0; k < n; k++) {
			uint32_t i = (uint32_t)(out[k].key - key_of(0));

			cr_assert_lt(i, 1000);
			cr_assert_eq(seen[i]++, 0);
			cr_assert_eq(out[k].port, i % 5);
			cr_assert_eq(out[k].is_static, i % 2);
			cr_assert_eq(out[k].age_s, 42);
		}
	}
	for (uint32_t i = 0; i < 1000; i++)
		cr_assert_eq(seen[i], 1);
	cr_assert_eq(fdb_dump(fdb, &cursor, out, 7, 142), 0);
	cr_assert_eq(cursor, FDB_DUMP_END);
	fdb_close(fdb);
}

Test(fdb, one_step_of_a_dump_walks_a_piece_of_the_table_only)
{
	struct fdb *fdb = open_table(1 << 20);
	struct fdb_entry out[7];
	uint64_t cursor = 0, before;
	unsigned n_found = 0, n_steps = 0;

	cr_assert_eq(fdb_dump(fdb, &cursor, out, 7, 0), 0);
	cr_assert_eq(cursor, FDB_DUMP_END);
	fdb_add(fdb, key_of(1), 1, true, 0, NULL);
	for (cursor = 0; cursor != FDB_DUMP_END; n_steps++) {
		before = cursor;
		n_found += fdb_dump(fdb, &cursor, out, 7, 0);
		cr_assert(cursor == FDB_DUMP_END ||
			  cursor - before == FDB_DUMP_BUCKETS * BUCKET_SLOTS);
	}
	cr_assert_eq(n_found, 1);
	cr_assert_eq(n_steps, fdb->n_buckets / FDB_DUMP_BUCKETS + 1);
	fdb_close(fdb);
}

Test(fdb, a_dump_meets_all_that_stays_while_others_come_and_go)
{
	struct fdb *fdb = open_table(2000);
	struct fdb_entry out[3];
	uint8_t seen[1000] = {0};
	uint64_t cursor = 0;
	uint32_t step = 0;

	for (uint32_t i = 0; i < 1000; i++)
		fdb_add(fdb, key_of(i), 1, true, 0, NULL);
	while (cursor != FDB_DUMP_END) {
		unsigned n = fdb_dump(fdb, &cursor, out, 3, 0);

		for (unsigned k = 0; k < n; k++)
			if (out[k].key < key_of(1000))
				seen[out[k].key - key_of(0)]++;
		fdb_add(fdb, key_of(10000 + step % 50), 2, false, 0, NULL);
		fdb_del(fdb, key_of(10000 + (step + 25) % 50), NULL);
		step++;
	}
	for (uint32_t i = 0; i < 1000; i++)
		cr_assert_eq(seen[i], 1);
	fdb_close(fdb);
}

Test(fdb, an_idle_table_costs_no_memory)
{
	struct fdb *fdb = open_table(64 << 10);
	const struct fdb_filter all = {FDB_NONE, FDB_NET_ANY, ALL};
	struct fdb_entry out;
	uint64_t cursor = 0;

	fdb_flush(fdb, &all);
	fdb_dump(fdb, &cursor, &out, 1, 0);
	fdb_sweep(fdb, 0, UINT32_MAX);
	for (uint32_t i = 0; i < 10; i++)
		fdb_add(fdb, key_of(i), 1, false, 0, NULL);
	/* Its head, one port's count, and two buckets for each address. */
	cr_assert_leq(resident_pages(fdb), 2 + 10 * 2);
	fdb_close(fdb);
}
