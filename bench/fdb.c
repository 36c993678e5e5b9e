/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb.c - what a lookup and a lesson cost, by the number of live addresses.
 *
 * Cycles of the constant-rate counter for each key of a batch of 64 whose
 * keys are drawn at random from the live ones; drawing is not counted.  Also
 * how many of as many random addresses as a table is for find room in it.
 *
 *	build/bench/fdb [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learning/learn.h"
#include "learning/table.h"
#include "switch/base/clock.h"

enum { BATCH = 64, N_PORTS = 64, SAMPLES_MAX = 200000 };

static uint64_t state = 88172645463325252ull;
static double sample[SAMPLES_MAX];
static unsigned n_rounds = 20000;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* A different address for every @i, without a table of them. */
static uint64_t live_key(uint64_t i)
{
	return fdb_key(
	    0, (i * 0x9e3779b97f4bull & 0xfcffffffffffull) | 0x020000000000ull);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median and 99th percentile of the samples, a key. */
static void print_row(const char *what, uint32_t n_live)
{
	qsort(sample, n_rounds, sizeof(sample[0]), compare);
	printf("%-25s %8u  %6.1f  %6.1f\n", what, n_live,
	    sample[n_rounds / 2] / BATCH, sample[n_rounds / 100 * 99] / BATCH);
}

static void fill(struct fdb *fdb, uint32_t n_live)
{
	const struct fdb_port_rules rules = {.learning = true};
	uint8_t verdict;

	for (uint32_t i = 0; i < n_live; i++) {
		uint64_t key = live_key(i);

		fdb_learn_batch(fdb, &key, 1, i % N_PORTS, rules, 0, &verdict);
	}
}

static void bench_lookup(const struct fdb *fdb, uint32_t n_live, bool known)
{
	uint64_t key[BATCH];
	uint16_t port[BATCH];

	for (unsigned r = 0; r < n_rounds; r++) {
		uint64_t t;

		for (unsigned i = 0; i < BATCH; i++)
			key[i] =
			    live_key(draw() % n_live + (known ? 0 : n_live));
		t = clock_cycles();
		fdb_lookup_batch(fdb, key, port, BATCH, 0);
		sample[r] = (double)(clock_cycles() - t);
	}
	print_row(known ? "lookup, known" : "lookup, unknown", n_live);
}

/* @now moves or not: refresh every stamp, or write nothing. */
static void bench_learn(struct fdb *fdb, uint32_t n_live, bool stale)
{
	const struct fdb_port_rules rules = {.learning = true};
	uint64_t key[BATCH];
	uint8_t verdict[BATCH];

	for (unsigned r = 0; r < n_rounds; r++) {
		uint64_t port = draw() % N_PORTS, t;

		for (unsigned i = 0; i < BATCH; i++)
			key[i] = live_key(
			    draw() % (n_live / N_PORTS) * N_PORTS + port);
		t = clock_cycles();
		fdb_learn_batch(fdb, key, BATCH, (uint16_t)port, rules,
		    stale ? r : 0, verdict);
		sample[r] = (double)(clock_cycles() - t);
	}
	print_row(stale ? "learn, stamp is old" : "learn, known", n_live);
}

/* Another source and another destination for each frame, all known. */
static void bench_frame(struct fdb *fdb, uint32_t n_live)
{
	const struct fdb_port_rules rules = {.learning = true};
	uint64_t src[BATCH], dst[BATCH];
	uint16_t to[BATCH];
	uint8_t verdict[BATCH];

	for (unsigned r = 0; r < n_rounds; r++) {
		uint64_t port = draw() % N_PORTS, t;

		for (unsigned i = 0; i < BATCH; i++) {
			src[i] = live_key(
			    draw() % (n_live / N_PORTS) * N_PORTS + port);
			dst[i] = live_key(draw() % n_live);
		}
		t = clock_cycles();
		fdb_learn_and_lookup(fdb, src, dst, BATCH, (uint16_t)port,
		    rules, 0, verdict, to);
		sample[r] = (double)(clock_cycles() - t);
	}
	print_row("frame, both known", n_live);
}

static void bench_repeat(struct fdb *fdb, uint32_t n_live)
{
	const struct fdb_port_rules rules = {.learning = true};
	uint64_t key[BATCH];
	uint8_t verdict[BATCH];

	for (unsigned r = 0; r < n_rounds; r++) {
		uint64_t at = draw() % n_live, t;

		for (unsigned i = 0; i < BATCH; i++)
			key[i] = live_key(at);
		t = clock_cycles();
		fdb_learn_batch(fdb, key, BATCH, (uint16_t)(at % N_PORTS),
		    rules, 0, verdict);
		sample[r] = (double)(clock_cycles() - t);
	}
	print_row("learn, one source", n_live);
}

/* Known addresses, of which every one is seen at another port than before. */
static void bench_move(struct fdb *fdb, uint32_t n_live)
{
	const struct fdb_port_rules rules = {.learning = true};
	uint64_t key[BATCH];
	uint8_t verdict[BATCH];

	for (unsigned r = 0; r < n_rounds; r++) {
		uint64_t first = draw() % n_live, t;

		for (unsigned i = 0; i < BATCH; i++)
			key[i] = live_key((first + i) % n_live);
		t = clock_cycles();
		fdb_learn_batch(fdb, key, BATCH, (uint16_t)(N_PORTS + r % 16),
		    rules, 0, verdict);
		sample[r] = (double)(clock_cycles() - t);
	}
	print_row("learn, moved", n_live);
}

/* Addresses never seen before, for which there is room. */
static void bench_new(uint32_t n_live)
{
	const struct fdb_port_rules rules = {.learning = true};
	const struct fdb_filter learned = {
	    .port = 1, .net = FDB_NET_ANY, .kinds = FDB_DYNAMIC};
	struct fdb *fdb = fdb_open(n_live, NULL);
	uint64_t key[BATCH];
	uint8_t verdict[BATCH];
	uint32_t done = 0;

	for (unsigned r = 0; fdb && r < n_rounds; r++) {
		uint64_t t;

		if (done + BATCH > n_live) {
			fdb_flush(fdb, &learned);
			done = 0;
		}
		for (unsigned i = 0; i < BATCH; i++)
			key[i] = live_key(done++);
		t = clock_cycles();
		fdb_learn_batch(fdb, key, BATCH, 1, rules, 0, verdict);
		sample[r] = (double)(clock_cycles() - t);
	}
	fdb_close(fdb);
	print_row("learn, new", n_live);
}

/* Random sources, from one port, into a full table. */
static void bench_flood(struct fdb *fdb, uint32_t n_live, const char *what)
{
	const struct fdb_port_rules rules = {.learning = true};
	uint64_t key[BATCH];
	uint8_t verdict[BATCH];

	for (unsigned r = 0; r < n_rounds; r++) {
		uint64_t t;

		for (unsigned i = 0; i < BATCH; i++)
			key[i] = fdb_key(0, draw() & 0xfeffffffffffull);
		t = clock_cycles();
		fdb_learn_batch(fdb, key, BATCH, N_PORTS, rules, 0, verdict);
		sample[r] = (double)(clock_cycles() - t);
	}
	print_row(what, n_live);
}

static void bench_floods(struct fdb *fdb, uint32_t n_live)
{
	const struct fdb_filter some = {
	    .port = FDB_NONE, .net = FDB_NET_ANY, .kinds = FDB_DYNAMIC};

	if (n_live < fdb_size(fdb))
		return;
	/* Nobody has more than his share: a victim is hard to find. */
	bench_flood(fdb, n_live, "learn, flood, fair share");
	fdb_flush(fdb, &some);
	fill(fdb, n_live / 16);
	while (fdb_count(fdb) < n_live) {
		const struct fdb_port_rules rules = {.learning = true};
		uint64_t key = fdb_key(0, draw() & 0xfeffffffffffull);
		uint8_t verdict;

		fdb_learn_batch(fdb, &key, 1, N_PORTS, rules, 0, &verdict);
	}
	bench_flood(fdb, n_live, "learn, flood, own victim");
}

static void bench_hash(const struct fdb *fdb)
{
	uint64_t key[BATCH], hash[BATCH];

	for (unsigned i = 0; i < BATCH; i++)
		key[i] = live_key(i);
	for (unsigned r = 0; r < n_rounds; r++) {
		uint64_t t = clock_cycles();

		for (unsigned i = 0; i < BATCH; i++)
			hash[i] = table_hash(fdb, key[i]);
		__asm__ volatile("" : : "r"(hash) : "memory");
		sample[r] = (double)(clock_cycles() - t);
	}
	print_row("hash alone", 0);
}

static void bench_room(uint32_t n_entries, unsigned n_tables)
{
	unsigned lost = 0, short_tables = 0;

	for (unsigned k = 0; k < n_tables; k++) {
		struct fdb *fdb = fdb_open(n_entries, NULL);
		uint32_t missing;

		if (!fdb)
			return;
		fill(fdb, n_entries);
		missing = n_entries - fdb_count(fdb);
		lost += missing;
		short_tables += !!missing;
		fdb_close(fdb);
	}
	printf("%u tables for %u: %u lost an address, %u in all\n", n_tables,
	    n_entries, short_tables, lost);
}

int main(int argc, char *argv[])
{
	static const uint32_t n_live[] = {
	    1 << 10, 1 << 14, 1 << 16, 1 << 20, 1 << 22};

	if (argc > 1)
		n_rounds = (unsigned)strtoul(argv[1], NULL, 0);
	if (n_rounds < 100 || n_rounds > SAMPLES_MAX) {
		fprintf(stderr, "fdb: 100 to %u rounds\n", SAMPLES_MAX);
		return 2;
	}
	printf(
	    "%-25s %8s  %6s  %6s\n", "cycles a key", "live", "median", "p99");
	for (unsigned i = 0; i < sizeof(n_live) / sizeof(n_live[0]); i++) {
		uint32_t n = n_live[i];
		struct fdb *fdb = fdb_open(n < 65536 ? 65536 : n, NULL);

		if (!fdb)
			return 1;
		fill(fdb, n);
		if (!i)
			bench_hash(fdb);
		bench_lookup(fdb, n, true);
		bench_lookup(fdb, n, false);
		bench_learn(fdb, n, false);
		bench_frame(fdb, n);
		bench_repeat(fdb, n);
		bench_learn(fdb, n, true);
		bench_floods(fdb, n);
		bench_move(fdb, n);
		fdb_close(fdb);
		bench_new(n);
	}
	bench_room(1 << 10, 1000);
	bench_room(1 << 16, 100);
	return 0;
}
