/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dump.c - swpipe-dump: writes what comes out of a pipe to a pcapng file.
 *
 * One thread: takes a batch, writes it, gives it back; sleeps when there is
 * none, after the file has been brought up to date.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ports/pipe/client/pcapng.h"
#include "ports/pipe/client/swpipe.h"

enum {
	PARTS_MAX = 1024, /* taken at once */
	BUFFER_SIZE = 1 << 20,
	WAIT_MS = 100, /* between two looks at the clock */
};

struct options {
	const char *file;
	uint32_t snap;
	uint64_t count;	  /* packets; 0: all */
	uint64_t seconds; /* 0: for ever */
	struct swpipe_options pipe;
};

struct dump {
	const struct options *o;
	FILE *f;
	uint64_t n; /* packets written */
	struct swpipe_buf part[PARTS_MAX];
};

static volatile sig_atomic_t interrupted;

static const char usage[] =
    "usage: swpipe-dump [OPTION]... SOCKET\n"
    "\n"
    "Writes the frames that come out of a pipe in pcapng format.\n"
    "\n"
    "  -o FILE     - is the standard output (-)\n"
    "  -s BYTES    of a frame to keep at most (all)\n"
    "  -c COUNT    frames, then end (until interrupted)\n"
    "  -t SECONDS  then end (until interrupted)\n"
    "  -i ID       of the pipe at the socket (0)\n"
    "  -S SECRET   of the pipe\n"
    "  -n SLOTS    of the ring (1024)\n"
    "  -B BYTES    of each slot's buffer (2048)\n"
    "  -w SECONDS  to wait for the switch (0)\n";

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static uint64_t number(const char *word, uint64_t max)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(word, &end, 10);
	if (*word < '0' || *word > '9' || *end || errno || n > max)
		errx(2, "%s is no number up to %" PRIu64, word, max);
	return n;
}

static void parse(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt(argc, argv, "o:s:c:t:i:S:n:B:w:h")) != -1)
		switch (c) {
		case 'o':
			o->file = optarg;
			break;
		case 's':
			o->snap = (uint32_t)number(optarg, UINT32_MAX);
			break;
		case 'c':
			o->count = number(optarg, UINT64_MAX);
			break;
		case 't':
			o->seconds = number(optarg, UINT32_MAX);
			break;
		case 'i':
			o->pipe.id = (uint32_t)number(optarg, UINT32_MAX);
			break;
		case 'S':
			o->pipe.secret = optarg;
			break;
		case 'n':
			o->pipe.n_slots = (unsigned)number(optarg, 32768);
			break;
		case 'B':
			o->pipe.buf_size = (unsigned)number(optarg, 65536);
			break;
		case 'w':
			o->pipe.wait_ms =
			    1000 * (unsigned)number(optarg, 86400);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	if (argc - optind != 1)
		errx(2, "say which socket, and only one (-h for help)");
	o->pipe.socket = argv[optind];
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool enough(const struct dump *d)
{
	return d->o->count && d->n == d->o->count;
}

/* Writes the frame that begins with b[0]; returns how many parts it has. */
static unsigned write_frame(
    struct dump *d, const struct swpipe_buf *b, uint64_t ns)
{
	static struct iovec part[PARTS_MAX];
	uint32_t len = 0, snap = d->o->snap;
	unsigned n = 0;
	bool more;

	do {
		part[n].iov_base = b[n].data;
		part[n].iov_len = b[n].len;
		len += b[n].len;
		more = b[n++].more;
	} while (more);
	pcapng_packet(d->f, ns, part, len, snap && snap < len ? snap : len);
	d->n++;
	return n;
}

/* Takes one batch; returns how many parts it had, or -errno. */
static int take_batch(struct dump *d, struct swpipe_queue *q)
{
	int n = swpipe_rx_peek(q, d->part, PARTS_MAX);
	uint64_t ns = n > 0 ? now_ns(CLOCK_REALTIME) : 0;

	for (int i = 0; i < n && !enough(d);)
		i += (int)write_frame(d, d->part + i, ns);
	if (n > 0)
		swpipe_rx_release(q, (unsigned)n);
	return n;
}

/* Returns 0 when it was told to end, else -errno: the pipe did. */
static int take_all(struct dump *d, struct swpipe_queue *q)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + d->o->seconds * 1000000000;

	while (!interrupted && !enough(d) && !ferror(d->f)) {
		int n = take_batch(d, q);

		if (n < 0)
			return n;
		if (d->o->seconds && now_ns(CLOCK_MONOTONIC) >= end)
			break;
		if (n)
			continue;
		fflush(d->f);
		n = swpipe_wait(q, WAIT_MS);
		if (n < 0)
			return n;
	}
	return 0;
}

static void open_file(struct dump *d)
{
	if (!strcmp(d->o->file, "-")) {
		if (isatty(STDOUT_FILENO))
			errx(2, "a capture is not for a terminal; say -o FILE");
		d->f = stdout;
	} else {
		d->f = fopen(d->o->file, "we");
		if (!d->f)
			err(1, "%s", d->o->file);
	}
	setvbuf(d->f, NULL, _IOFBF, BUFFER_SIZE);
	pcapng_begin(d->f, "swpipe-dump", d->o->pipe.socket, d->o->snap);
	fflush(d->f);
}

int main(int argc, char **argv)
{
	const struct sigaction on_signal = {.sa_handler = interrupt};
	const struct sigaction ignored = {.sa_handler = SIG_IGN};
	struct options o = {.file = "-", .pipe.name = "swpipe-dump"};
	struct dump d = {.o = &o};
	struct swpipe *p;
	char why[SWPIPE_ERR_SIZE];
	int r;

	parse(argc, argv, &o);
	if (swpipe_open(&p, &o.pipe, why))
		errx(1, "%s", why);
	sigaction(SIGINT, &on_signal, NULL);
	sigaction(SIGTERM, &on_signal, NULL);
	sigaction(SIGPIPE, &ignored, NULL);
	open_file(&d);
	r = take_all(&d, swpipe_queue(p, 0));
	if (r) {
		swpipe_check(p, why);
		warnx("%s", why);
	}
	swpipe_close(p);
	pcapng_end(d.f, now_ns(CLOCK_REALTIME), d.n);
	if (fflush(d.f) || ferror(d.f))
		err(1, "%s", o.file);
	fprintf(stderr, "%" PRIu64 " frames\n", d.n);
	return !!r;
}
