/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gen_options.c - the command line of swpipe-gen.
 */
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/pipe/client/gen.h"

static const char usage[] =
    "usage: swpipe-gen [OPTION]... SOCKET...\n"
    "\n"
    "Sends numbered frames into each pipe and counts what comes out of it.\n"
    "Of several pipes, each sends to the next, and the last to the first.\n"
    "\n"
    "  -m MODE     both, send, receive, echo (both)\n"
    "  -s SIZE     bytes of a frame, without checksum (64)\n"
    "  -f FLOWS    pairs of addresses (1)\n"
    "  -r RATE     frames a second of each queue, as 5k or 2.5M (all it can)\n"
    "  -b BURST    frames at a time (64)\n"
    "  -t SECONDS  then end (until interrupted)\n"
    "  -W SECONDS  of warming up, not in the summary's rates (0)\n"
    "  -k FRAMES   with which an echo begins (0)\n"
    "  -A NUMBER   of the first pipe's addresses, 02:00:NU:MB:.. (1)\n"
    "  -D NUMBER   of whom a single pipe sends to (the next)\n"
    "  -q QUEUES   of each pipe, a thread for each (1)\n"
    "  -c CPU      of the first thread; the next ones follow (anywhere)\n"
    "  -i ID       of the first pipe at the socket; those that follow at\n"
    "              the same socket have the next ones (0)\n"
    "  -S SECRET   of all pipes\n"
    "  -n SLOTS    of each ring (1024)\n"
    "  -B BYTES    of each slot's buffer (2048)\n"
    "  -w SECONDS  to wait for the switch (0)\n"
    "  -p          polls all the time, never sleeps\n"
    "  -Q          prints the summary only\n";

/* "2.5M" is 2500000. */
static double number(const char *word, const char *what)
{
	char *end;
	double n = strtod(word, &end);

	if (*end == 'k')
		n *= 1e3, end++;
	else if (*end == 'M')
		n *= 1e6, end++;
	if (end == word || *end || n < 0)
		errx(2, "%s is no %s", word, what);
	return n;
}

static unsigned number_within(
    const char *word, const char *what, unsigned min, unsigned max)
{
	double n = number(word, what);

	if (n < min || n > max)
		errx(2, "%s %s is not within %u to %u", what, word, min, max);
	return (unsigned)n;
}

static enum gen_mode mode_of(const char *word)
{
	static const char *const name[] = {"both", "send", "receive", "echo"};

	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(name[i], word))
			return (enum gen_mode)i;
	errx(2, "mode %s is none of both, send, receive and echo", word);
}

void gen_options_parse(
    int argc, char **argv, struct gen_options *o, struct swpipe_options *p)
{
	int c;

	*o = (struct gen_options){.size = 64,
	    .n_flows = 1,
	    .burst = 64,
	    .from = 1,
	    .to = UINT32_MAX,
	    .cpu = -1};
	while ((c = getopt(
		    argc, argv, "m:s:f:r:b:t:W:k:A:D:q:c:i:S:n:B:w:pQh")) != -1)
		switch (c) {
		case 'm':
			o->mode = mode_of(optarg);
			break;
		case 's':
			o->size = number_within(
			    optarg, "size", sizeof(struct probe), 65535);
			break;
		case 'f':
			o->n_flows = number_within(optarg, "flows", 1, 65536);
			break;
		case 'r':
			o->rate = (uint64_t)number(optarg, "rate");
			break;
		case 'b':
			o->burst =
			    number_within(optarg, "burst", 1, GEN_BURST_MAX);
			break;
		case 't':
			o->seconds =
			    number_within(optarg, "seconds", 1, 1u << 30);
			break;
		case 'W':
			o->warmup = number_within(optarg, "seconds", 0, 3600);
			break;
		case 'k':
			o->kick = (uint64_t)number(optarg, "number of frames");
			break;
		case 'A':
			o->from = number_within(optarg, "number", 0, 65535);
			break;
		case 'D':
			o->to = number_within(optarg, "number", 0, 65535);
			break;
		case 'q':
			p->n_queues = number_within(optarg, "queues", 1, 256);
			break;
		case 'c':
			o->cpu =
			    (int)number_within(optarg, "cpu", 0, CPU_SETSIZE);
			break;
		case 'i':
			p->id = number_within(optarg, "id", 0, UINT32_MAX);
			break;
		case 'S':
			p->secret = optarg;
			break;
		case 'n':
			p->n_slots = number_within(optarg, "slots", 1, 32768);
			break;
		case 'B':
			p->buf_size = number_within(optarg, "bytes", 1, 65536);
			break;
		case 'w':
			p->wait_ms =
			    1000 * number_within(optarg, "seconds", 0, 86400);
			break;
		case 'p':
			o->polls = true;
			break;
		case 'Q':
			o->quiet = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	if (argc - optind < 1 || argc - optind > GEN_PIPES_MAX)
		errx(2, "say which socket, or up to %d (-h for help)",
		    GEN_PIPES_MAX);
	if (o->to == UINT32_MAX)
		o->to = o->from + 1;
}
