/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.c - how fast libswpipe is where nothing switches, and how fast memory.
 *
 * Two threads on two cores.  The near one is an application with libswpipe;
 * the far one plays the server, and does the least that a server can:
 *
 *	direct	the far one reads the first line of each frame where it lies
 *	relay	the far one copies each frame from one pipe to another, which
 *		the same application holds: what a switch would do that costs
 *		nothing but its copy
 *	memcpy	one thread copies from buffer to buffer; no rings, no cores
 *
 * The application writes the first line of each frame that it sends, and reads
 * that of each that it receives.
 *
 *	pipe WAY [-s SIZE] [-t SECONDS] [-b BURST] [NEAR-CPU FAR-CPU]
 *
 * Prints a sample as pairs.sh wants it: millions of frames a second, the median
 * of windows of 50 ms; 0, for none is lost; the per cent of the time in which
 * threads waited for a cpu.
 */
#include <sched.h>
#include <time.h>

#include "bench/parts/waited.h"
#include "ports/pipe/client/swpipe.h"
#include "tests/unit/swpipe_peer.h"

enum {
	BURST_MAX = 256,
	WINDOW_MS = 50,
	WINDOWS_MAX = 4096,
	LINE = 64,
	SLOTS = 1024,
};

enum way { DIRECT, RELAY, COPY };

struct bench {
	enum way way;
	uint32_t size;
	unsigned burst;
	int far_cpu;
	struct peer peer[2];
	struct swpipe *pipe[2];
	struct swpipe_buf b[BURST_MAX];		  /* the application's */
	struct swpipe_buf from[SLOTS], to[SLOTS]; /* what is only copied */
	unsigned at;
	uint64_t done __attribute__((aligned(64))); /* by the far thread */
	uint32_t stop;
	uint64_t sink; /* what was read, so that it is */
};

static struct bench bench;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("pipe: cpu");
		exit(1);
	}
}

static uint64_t first_word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static void copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
	if (len == LINE)
		memcpy(to, from, LINE);
	else
		memcpy(to, from, len);
}

/* --- the far side */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned far_direct(struct bench *x)
{
	struct peer *p = &x->peer[0];
	struct peer_queue *q = &p->queue[0];
	unsigned n = least(peer_sent(q), x->burst);

	for (unsigned i = 0; i < n; i++)
		x->sink += first_word(peer_data(
		    p, peer_desc(q, q->to_server, q->to_server->tail + i)));
	peer_took(q, n);
	return n;
}

static unsigned far_relay(struct bench *x)
{
	struct peer *from = &x->peer[0], *to = &x->peer[1];
	struct peer_queue *a = &from->queue[0], *b = &to->queue[0];
	unsigned n = least(least(peer_sent(a), peer_offered(b)), x->burst);

	for (unsigned i = 0; i < n; i++) {
		struct memif_desc *s =
		    peer_desc(a, a->to_server, a->to_server->tail + i);
		struct memif_desc *d =
		    peer_desc(b, b->to_client, b->to_client->tail + i);

		copy(peer_data(to, d), peer_data(from, s), s->len);
		d->len = s->len;
	}
	peer_publish(b, n);
	peer_took(a, n);
	return n;
}

static void *far_main(void *bench_)
{
	struct bench *x = bench_;

	pin(x->far_cpu);
	while (!__atomic_load_n(&x->stop, __ATOMIC_RELAXED)) {
		unsigned n = x->way == DIRECT ? far_direct(x) : far_relay(x);

		if (n)
			__atomic_store_n(
			    &x->done, x->done + n, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* --- the application */

static void send_burst(struct bench *x)
{
	struct swpipe_queue *q = swpipe_queue(x->pipe[0], 0);
	unsigned n = swpipe_tx_reserve(q, x->b, x->burst);

	for (unsigned i = 0; i < n; i++) {
		memset(x->b[i].data, (int)i, LINE);
		x->b[i].len = x->size;
	}
	swpipe_tx_submit(q, x->b, n);
}

static void receive_burst(struct bench *x)
{
	struct swpipe_queue *q = swpipe_queue(x->pipe[1], 0);
	int n = swpipe_rx_peek(q, x->b, x->burst);

	for (int i = 0; i < n; i++)
		x->sink += first_word(x->b[i].data);
	if (n > 0)
		swpipe_rx_release(q, (unsigned)n);
}

/* As many frames as the far side may copy in a burst. */
static void copy_burst(struct bench *x)
{
	for (unsigned i = 0; i < x->burst; i++, x->at++)
		copy(x->to[x->at % SLOTS].data, x->from[x->at % SLOTS].data,
		    x->size);
	x->done += x->burst;
}

static void work(struct bench *x)
{
	if (x->way == COPY) {
		copy_burst(x);
		return;
	}
	send_burst(x);
	if (x->way == RELAY)
		receive_burst(x);
}

/* --- measuring */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Millions of frames a second within one window. */
static double window(struct bench *x)
{
	uint64_t start = now_ns(), now = start;
	uint64_t before = __atomic_load_n(&x->done, __ATOMIC_RELAXED);

	while (now - start < WINDOW_MS * 1000000ull) {
		for (unsigned i = 0; i < 64; i++)
			work(x);
		now = now_ns();
	}
	return (double)(__atomic_load_n(&x->done, __ATOMIC_RELAXED) - before) *
	       1e3 / (double)(now - start);
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void measure(struct bench *x, unsigned n_windows)
{
	static double mpps[WINDOWS_MAX];
	uint64_t start, waited;
	pthread_t far;

	if (x->way != COPY && pthread_create(&far, NULL, far_main, x))
		abort();
	window(x);
	start = now_ns();
	waited = waited_ns(0);
	for (unsigned i = 0; i < n_windows; i++)
		mpps[i] = window(x);
	waited = waited_ns(0) - waited;
	start = now_ns() - start;
	__atomic_store_n(&x->stop, 1, __ATOMIC_RELAXED);
	if (x->way != COPY)
		pthread_join(far, NULL);
	qsort(mpps, n_windows, sizeof(mpps[0]), by_value);
	printf("%.3f 0 %.1f\n", mpps[n_windows / 2],
	    100 * (double)waited / (double)start);
}

static void open_pipe(struct bench *x, unsigned i)
{
	struct swpipe_options o = {.socket = x->peer[i].path, .n_slots = SLOTS};
	char why[SWPIPE_ERR_SIZE];

	peer_init(&x->peer[i]);
	peer_open(&x->peer[i]);
	if (swpipe_open(&x->pipe[i], &o, why)) {
		fprintf(stderr, "pipe: %s\n", why);
		exit(1);
	}
	peer_connected(&x->peer[i]);
}

static enum way way_of(const char *word)
{
	static const char *const name[] = {"direct", "relay", "memcpy"};

	for (unsigned i = 0; i < 3; i++)
		if (word && !strcmp(word, name[i]))
			return (enum way)i;
	fputs("pipe: say direct, relay or memcpy\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	struct bench *x = &bench;
	int near_cpu = 1, c;
	unsigned seconds = 2;

	x->way = way_of(argv[1]);
	argc--;
	argv++;
	x->size = LINE;
	x->burst = 64;
	while ((c = getopt(argc, argv, "s:t:b:")) != -1) {
		unsigned n = (unsigned)strtoul(optarg ? optarg : "", NULL, 10);

		if (c == 's' && n >= LINE && n <= 2048)
			x->size = n;
		else if (c == 't' && n && n < 200)
			seconds = n;
		else if (c == 'b' && n && n <= BURST_MAX)
			x->burst = n;
		else
			return 2;
	}
	if (argc - optind == 2) {
		near_cpu = atoi(argv[optind]);
		x->far_cpu = atoi(argv[optind + 1]);
	}
	pin(near_cpu);
	open_pipe(x, 0);
	open_pipe(x, 1);
	swpipe_tx_reserve(swpipe_queue(x->pipe[0], 0), x->from, SLOTS);
	swpipe_tx_reserve(swpipe_queue(x->pipe[1], 0), x->to, SLOTS);
	measure(x, seconds * 1000 / WINDOW_MS);
	for (unsigned i = 0; i < 2; i++) {
		swpipe_close(x->pipe[i]);
		peer_close(&x->peer[i]);
	}
	return 0;
}
