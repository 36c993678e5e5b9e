/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * learn.c - what learning costs those whose addresses are known.
 *
 * One thread does what a worker does for known traffic: batches of 64 frames,
 * each with another random source and destination.  Meanwhile a million
 * addresses a second are learned: half are new, half move between two ports;
 * by the same thread between its batches, or by another.  In the rows of
 * control another thread dumps, sweeps and flushes without a pause, and what
 * it "learned" is what it dumped.  Windows with and without alternate; a row
 * gives the median of the ratios of neighbours.
 *
 *	build/bench/learn [PAIRS]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "learning/age.h"
#include "learning/learn.h"
#include "switch/base/clock.h"

enum {
	BATCH = 64,
	N_PORTS = 64,
	LEARNERS_PORT = 100, /* and the next */
	PAIRS_MAX = 1000,
	PER_SECOND = 1000000,
	WINDOW_MS = 40,
	N_WALKED = 1000000,
};

static const struct fdb_port_rules rules = {.learning = true};
static uint64_t cycles_per_s;
static unsigned n_pairs = 40;

/* What the learner is to do, and did. */
struct learner {
	struct fdb *fdb;
	uint64_t next, oldest; /* numbers of its addresses */
	uint64_t state;
	unsigned turn;
	uint64_t n, cycles;
	bool is_on, is_over;
};

static uint64_t draw(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* A different address for every @i, without a table of them. */
static uint64_t live_key(uint64_t i)
{
	return fdb_key(
	    0, (i * 0x9e3779b97f4bull & 0xfcffffffffffull) | 0x020000000000ull);
}

static void fill(struct fdb *fdb, uint64_t first, uint32_t n, uint16_t port)
{
	for (uint64_t i = first; i < first + n; i++) {
		uint64_t key = live_key(i);
		uint8_t verdict;

		fdb_learn_batch(fdb, &key, 1,
		    port == FDB_NONE ? (uint16_t)(i % N_PORTS) : port, rules, 0,
		    &verdict);
	}
}

/* A batch of 64: the even ones new, the odd ones of the other port so far. */
static void learn_some(struct learner *l)
{
	uint64_t key[BATCH], t;
	uint8_t verdict[BATCH];

	for (unsigned i = 0; i < BATCH; i++)
		key[i] = i % 2 ? live_key(l->oldest + draw(&l->state) %
							  (l->next - l->oldest))
			       : live_key(l->next++);
	t = clock_cycles();
	fdb_learn_batch(l->fdb, key, BATCH,
	    (uint16_t)(LEARNERS_PORT + l->turn++ % 2), rules, 0, verdict);
	l->cycles += clock_cycles() - t;
	l->n += BATCH;
}

static void *learner_main(void *arg)
{
	struct learner *l = arg;
	uint64_t due = clock_cycles();

	while (!__atomic_load_n(&l->is_over, __ATOMIC_RELAXED)) {
		if (!__atomic_load_n(&l->is_on, __ATOMIC_RELAXED) ||
		    (int64_t)(clock_cycles() - due) < 0)
			continue;
		learn_some(l);
		due += cycles_per_s / (PER_SECOND / BATCH);
		if ((int64_t)(clock_cycles() - due) >
		    (int64_t)cycles_per_s / 100)
			due = clock_cycles();
	}
	return NULL;
}

/* What control does to a table, again and again: dump, sweep, flush what is
 * not there.  One of each is a turn. */
static void *walker_main(void *arg)
{
	const struct fdb_filter none = {.port = LEARNERS_PORT + 2,
	    .net = FDB_NET_ANY,
	    .kinds = FDB_DYNAMIC};
	struct fdb_entry entry[128];
	struct learner *l = arg;
	uint64_t walk = 0, flush = 0;

	while (!__atomic_load_n(&l->is_over, __ATOMIC_RELAXED)) {
		if (!__atomic_load_n(&l->is_on, __ATOMIC_RELAXED))
			continue;
		l->n += fdb_dump(l->fdb, &walk, entry, 128, 0);
		fdb_sweep(l->fdb, 0, 128);
		fdb_flush_some(l->fdb, &none, &flush);
		walk = walk == FDB_DUMP_END ? 0 : walk;
		flush = flush == FDB_DUMP_END ? 0 : flush;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double v[], unsigned n)
{
	qsort(v, n, sizeof(v[0]), compare);
	return v[n / 2];
}

/* Median cycles a frame of known traffic in one window, in which @l, if not
 * NULL, learns between the batches. */
static double window(struct fdb *fdb, uint32_t n_live, struct learner *l)
{
	static double sample[1 << 20];
	static uint64_t x = 88172645463325252ull;
	uint64_t start = clock_cycles(), due = start;
	unsigned n = 0;

	while (n < 1 << 20 &&
	       clock_cycles() - start < cycles_per_s / 1000 * WINDOW_MS) {
		uint64_t src[BATCH], dst[BATCH], port = draw(&x) % N_PORTS, t;
		uint16_t to[BATCH];
		uint8_t verdict[BATCH];

		for (unsigned i = 0; i < BATCH; i++) {
			src[i] = live_key(
			    draw(&x) % (n_live / N_PORTS) * N_PORTS + port);
			dst[i] = live_key(draw(&x) % n_live);
		}
		t = clock_cycles();
		fdb_learn_and_lookup(fdb, src, dst, BATCH, (uint16_t)port,
		    rules, 0, verdict, to);
		sample[n++] = (double)(clock_cycles() - t) / BATCH;
		if (!l || (int64_t)(clock_cycles() - due) < 0)
			continue;
		learn_some(l);
		due += cycles_per_s / (PER_SECOND / BATCH);
	}
	return median(sample, n);
}

static uint32_t n_known(const struct fdb *fdb, uint32_t n_live)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_live; i++)
		n += fdb_lookup(fdb, live_key(i), 0) == i % N_PORTS;
	return n;
}

enum who { SAME, ANOTHER, CONTROL };

/* @size: of the table; beyond it somebody has to give way. */
static void bench(uint32_t n_live, uint32_t size, enum who who)
{
	static const char *const name[] = {"same", "another", "control"};
	struct fdb *fdb = fdb_open(size, NULL);
	struct learner l = {.fdb = fdb, .state = 0x1234567, .next = 1ull << 30};
	double without[PAIRS_MAX], ratio[PAIRS_MAX];
	uint64_t start = clock_cycles(), on = 0;
	pthread_t thread;

	if (!fdb)
		exit(1);
	fill(fdb, 0, n_live, FDB_NONE);
	l.oldest = l.next;
	fill(fdb, l.next, n_live, LEARNERS_PORT);
	l.next += n_live;
	if (who != SAME)
		pthread_create(&thread, NULL,
		    who == ANOTHER ? learner_main : walker_main, &l);
	for (unsigned i = 0; i < n_pairs; i++) {
		without[i] = window(fdb, n_live, NULL);
		__atomic_store_n(&l.is_on, true, __ATOMIC_RELAXED);
		start = clock_cycles();
		ratio[i] =
		    window(fdb, n_live, who == SAME ? &l : NULL) / without[i];
		on += clock_cycles() - start;
		__atomic_store_n(&l.is_on, false, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&l.is_over, true, __ATOMIC_RELAXED);
	if (who != SAME)
		pthread_join(thread, NULL);
	printf("%9u %9u  %-7s %7.1f %6.3f %8.2f %7.1f %8u\n", n_live, size,
	    name[who], median(without, n_pairs), median(ratio, n_pairs),
	    (double)l.n * 1e-6 / ((double)on / (double)cycles_per_s),
	    (double)l.cycles / (double)l.n, n_live - n_known(fdb, n_live));
	fdb_close(fdb);
}

/* Of this thread alone, as others may take the processor meanwhile. */
static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void note(double *longest_us, double us)
{
	if (us > *longest_us)
		*longest_us = us;
}

static double dump_us(struct fdb *fdb)
{
	struct fdb_entry entry[128];
	uint64_t cursor = 0;
	double longest = 0, t;

	while (cursor != FDB_DUMP_END) {
		t = now_us();
		fdb_dump(fdb, &cursor, entry, 128, 0);
		note(&longest, now_us() - t);
	}
	return longest;
}

static double sweep_us(struct fdb *fdb, uint32_t now)
{
	double longest = 0;
	bool done;

	do {
		double t = now_us();

		done = fdb_sweep(fdb, now, 16384);
		note(&longest, now_us() - t);
	} while (!done);
	return longest;
}

static double flush_us(struct fdb *fdb)
{
	const struct fdb_filter all = {
	    .port = FDB_NONE, .net = FDB_NET_ANY, .kinds = FDB_DYNAMIC};
	uint64_t cursor = 0;
	double longest = 0, t;

	while (cursor != FDB_DUMP_END) {
		t = now_us();
		fdb_flush_some(fdb, &all, &cursor);
		note(&longest, now_us() - t);
	}
	return longest;
}

static void bench_walks(void)
{
	const struct fdb_filter of_port = {
	    .port = 3, .net = FDB_NET_ANY, .kinds = FDB_STATIC | FDB_DYNAMIC};
	struct fdb *fdb = fdb_open(N_WALKED, NULL);
	double t;

	if (!fdb)
		exit(1);
	fill(fdb, 0, N_WALKED, FDB_NONE);
	printf("\nlongest step over %u addresses, us: dump %.0f", N_WALKED,
	    dump_us(fdb));
	printf(", sweep of none %.0f, of all", sweep_us(fdb, 0));
	printf(" %.0f", sweep_us(fdb, 1000));
	fill(fdb, 0, N_WALKED, FDB_NONE);
	printf(", flush %.0f", flush_us(fdb));
	fill(fdb, 0, N_WALKED, FDB_NONE);
	t = now_us();
	fdb_flush(fdb, &of_port);
	printf("; a port forgotten %.0f\n", now_us() - t);
	fdb_close(fdb);
}

int main(int argc, char *argv[])
{
	static const uint32_t n_live[] = {1 << 10, 1 << 16, 1 << 20};

	if (argc > 1)
		n_pairs = (unsigned)strtoul(argv[1], NULL, 0);
	if (!n_pairs || n_pairs > PAIRS_MAX) {
		fprintf(stderr, "learn: 1 to %u pairs\n", PAIRS_MAX);
		return 2;
	}
	cycles_per_s = clock_cycles_per_us() * 1000000;
	printf("%9s %9s  %-7s %7s %6s %8s %7s %8s\n", "known", "size",
	    "learner", "cycles", "ratio", "M/s", "cycles", "known");
	printf("%9s %9s  %-7s %7s %6s %8s %7s %8s\n", "", "", "thread",
	    "a frame", "", "learned", "each", "lost");
	for (unsigned i = 0; i < sizeof(n_live) / sizeof(n_live[0]); i++)
		for (enum who who = SAME; who <= CONTROL; who++) {
			bench(n_live[i], 16 << 20, who);
			bench(n_live[i], n_live[i] * 2, who);
		}
	bench_walks();
	return 0;
}
