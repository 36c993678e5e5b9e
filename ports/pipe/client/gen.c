/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gen.c - swpipe-gen: sends numbered frames into pipes, and counts what comes
 * out.
 *
 * The main thread opens pipes, prints rates, and ends; workers do the rest.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ports/pipe/client/gen.h"

enum {
	TICK_MS = 50,
	DRAIN_MS = 200,	   /* without a frame: there is none under way */
	DRAIN_ROUNDS = 25, /* at most */
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* Opens the pipes at socket[0..n). */
static void open_pipes(
    struct swpipe *pipe[], char *socket[], unsigned n, struct swpipe_options o)
{
	char why[SWPIPE_ERR_SIZE];

	o.name = "swpipe-gen";
	for (unsigned i = 0; i < n; i++) {
		if (i && !strcmp(socket[i], socket[i - 1]))
			o.id++;
		o.socket = socket[i];
		if (swpipe_open(&pipe[i], &o, why))
			errx(1, "%s", why);
	}
}

static unsigned fewest_queues(struct swpipe *const pipe[], unsigned n)
{
	unsigned fewest = swpipe_n_queues(pipe[0]);

	for (unsigned i = 1; i < n; i++)
		if (swpipe_n_queues(pipe[i]) < fewest)
			fewest = swpipe_n_queues(pipe[i]);
	return fewest;
}

static struct gen_worker *new_worker(const struct gen_options *o,
    struct swpipe *pipe[], unsigned n, unsigned queue)
{
	struct gen_worker *w = aligned_alloc(64, sizeof(*w));

	if (!w)
		errx(1, "no memory");
	memset(w, 0, sizeof(*w));
	w->o = o;
	w->n_ends = n;
	if (stream_table_open(&w->streams))
		errx(1, "no memory");
	for (unsigned i = 0; i < n; i++)
		gen_end_init(&w->end[i], o, pipe[i], queue, o->from + i,
		    n > 1 ? o->from + (i + 1) % n : o->to);
	for (unsigned i = 0; i < n; i++)
		if (w->end[i].parts > swpipe_n_slots(w->end[i].queue))
			errx(1, "a frame of %u bytes does not fit into a ring",
			    o->size);
	return w;
}

static void start_worker(struct gen_worker *w, unsigned i)
{
	cpu_set_t cpus;
	int r = pthread_create(&w->thread, NULL, gen_worker_main, w);

	if (r)
		errx(1, "no thread: %s", strerror(r));
	if (w->o->cpu < 0)
		return;
	CPU_ZERO(&cpus);
	CPU_SET(w->o->cpu + i, &cpus);
	r = pthread_setaffinity_np(w->thread, sizeof(cpus), &cpus);
	if (r)
		errx(1, "cpu %u: %s", w->o->cpu + i, strerror(r));
}

static struct gen_counts sum(struct gen_worker *const w[], unsigned n)
{
	const unsigned n_counts = sizeof(struct gen_counts) / sizeof(uint64_t);
	struct gen_counts all = {0};

	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < n_counts; k++)
			((uint64_t *)&all)[k] += __atomic_load_n(
			    (uint64_t *)&w[i]->counts + k, __ATOMIC_RELAXED);
	return all;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What happened from @a to @b, within @s seconds. */
static void print_second(
    const struct gen_counts *a, const struct gen_counts *b, double s)
{
	printf("sent %8.3f Mpps %7.3f Gbit/s, received %8.3f Mpps "
	       "%7.3f Gbit/s, lost %" PRIu64 ", late %" PRIu64 "\n",
	    (double)(b->sent - a->sent) / s / 1e6,
	    (double)(b->sent_bytes - a->sent_bytes) * 8 / s / 1e9,
	    (double)(b->received - a->received) / s / 1e6,
	    (double)(b->received_bytes - a->received_bytes) * 8 / s / 1e9,
	    b->lost - a->lost, b->late - a->late);
	fflush(stdout);
}

/* One line of key=value: counts of the whole run, rates from @a to @b. */
static void print_summary(const struct gen_counts *a,
    const struct gen_counts *b, double s, const struct gen_counts *all)
{
	printf("summary seconds=%.3f sent=%" PRIu64 " received=%" PRIu64
	       " lost=%" PRIu64 " late=%" PRIu64 " foreign=%" PRIu64
	       " unsent=%" PRIu64 " sent_mpps=%.3f received_mpps=%.3f"
	       " received_gbps=%.3f\n",
	    s, all->sent, all->received, all->lost, all->late, all->foreign,
	    all->unsent, (double)(b->sent - a->sent) / s / 1e6,
	    (double)(b->received - a->received) / s / 1e6,
	    (double)(b->received_bytes - a->received_bytes) * 8 / s / 1e9);
}

/* Whether all pipes are good; says so if not. */
static bool all_good(struct swpipe *const pipe[], char *socket[], unsigned n)
{
	char why[SWPIPE_ERR_SIZE];

	for (unsigned i = 0; i < n; i++)
		if (swpipe_check(pipe[i], why)) {
			warnx("%s: %s", socket[i], why);
			return false;
		}
	return true;
}

static void sleep_ms(long ms)
{
	const struct timespec t = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* Ends sending, and waits for what is still under way. */
static void drain(struct gen_worker *const w[], unsigned n_workers)
{
	uint64_t before, received = 0;

	__atomic_store_n(&gen_quiet, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < DRAIN_ROUNDS; i++) {
		before = received;
		sleep_ms(DRAIN_MS);
		received = sum(w, n_workers).received;
		if (i && received == before)
			return;
	}
}

/* What is measured, and what was printed last. */
struct report {
	struct gen_counts first, last;
	double from, second; /* when these were taken */
	bool warm;
};

static void report(struct report *r, const struct gen_options *o,
    const struct gen_counts *now, double t, double start)
{
	if (!r->warm && t - start >= o->warmup) {
		r->warm = true;
		r->first = *now;
		r->from = t;
	}
	if (t - r->second < 1)
		return;
	if (!o->quiet)
		print_second(&r->last, now, t - r->second);
	r->last = *now;
	r->second = t;
}

/* Lets the workers work; returns whether all went well. */
static bool run(const struct gen_options *o, struct gen_worker *const w[],
    unsigned n_workers, struct swpipe *const pipe[], char *socket[],
    unsigned n_pipes)
{
	double start = now_s(), t = start;
	struct report r = {.from = start, .second = start, .warm = !o->warmup};
	struct gen_counts now = {0}, all;
	bool good = true;

	while (!interrupted && good &&
	       (!o->seconds || t - start < o->warmup + o->seconds)) {
		sleep_ms(TICK_MS);
		good = all_good(pipe, socket, n_pipes);
		now = sum(w, n_workers);
		t = now_s();
		report(&r, o, &now, t, start);
	}
	drain(w, n_workers);
	__atomic_store_n(&gen_stop, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < n_workers; i++)
		pthread_join(w[i]->thread, NULL);
	all = sum(w, n_workers);
	print_summary(&r.first, &now, t - r.from, &all);
	return good;
}

int main(int argc, char **argv)
{
	const struct sigaction on_signal = {.sa_handler = interrupt};
	struct gen_options o;
	struct swpipe_options p = {0};
	struct swpipe *pipe[GEN_PIPES_MAX] = {0};
	struct gen_worker *w[256];
	unsigned n_pipes, n_workers;
	bool good;

	gen_options_parse(argc, argv, &o, &p);
	argv += optind;
	n_pipes = (unsigned)(argc - optind);
	open_pipes(pipe, argv, n_pipes, p);
	sigaction(SIGINT, &on_signal, NULL);
	sigaction(SIGTERM, &on_signal, NULL);
	n_workers = fewest_queues(pipe, n_pipes);
	for (unsigned i = 0; i < n_workers; i++)
		w[i] = new_worker(&o, pipe, n_pipes, i);
	for (unsigned i = 0; i < n_workers; i++)
		start_worker(w[i], i);
	good = run(&o, w, n_workers, pipe, argv, n_pipes);
	for (unsigned i = 0; i < n_workers; i++) {
		stream_table_close(&w[i]->streams);
		free(w[i]);
	}
	for (unsigned i = 0; i < n_pipes; i++)
		swpipe_close(pipe[i]);
	return !good;
}
