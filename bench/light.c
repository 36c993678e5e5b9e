/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * light.c - light guests, which load a switch with more than a testpmd can
 *
 *	light [OPTION]... SOCKET SOCKET...
 *
 * Plays a guest on each of the vhost-user sockets, whoever serves them, on one
 * thread.  A guest is the least that a driver may be: buffers and descriptors
 * are laid out once, and used in the order of the ring; a batch is published
 * by one store; nothing that is received is looked at but its length.  So for
 * 32 frames sent and 32 received its core touches of the switch's lines, in a
 * split ring with IN_ORDER, two used indices, four lines of used entries and
 * two available indices: ring.h has the account.  All of the data is left to
 * the switch, whose figure it is then, and not the guest's; -x and -v make the
 * guest more of a guest.
 *
 *	-P  who sends to whom: pair (1 and 2, 3 and 4, ...; this is the default),
 *	    one-to-many, many-to-one (1 from and to all others), mesh
 *	-s  frame size without checksum (64)	-t  seconds measured (2)
 *	-q  queue pairs of a guest (1)		-w  seconds of warming up (0.5)
 *	-R  ring size (1024)			-c  cpu of the guests (1)
 *	-f  virtio features, with commas: packed, in_order, mergeable, event_idx
 *	-a  addresses of each queue, always another pair (1)
 *	-b  batch: frames sent, or buffers returned, at least (32)
 *	-o  frames under way to a guest at most (ring size less a batch)
 *	-r  frames a second, of all guests, instead of as many as get through;
 *	    those that a full ring refuses are lost as well
 *	-x  touch: header (write and read 12 bytes and addresses), or payload
 *	    (also read all that is received)
 *	-v  verify every frame received: pattern, addressee, order
 *	-p  the process of the switch		-H  ordinary pages
 *	-h  for a human: numbers with their names, and more of them
 *
 * Prints three numbers: the millions of frames that all guests received a
 * second, in the fastest quarter of a second; how many of those sent did not
 * arrive; and the per cent of the measured time that this thread (with -p also
 * those of the switch) waited for a cpu.
 *
 *	-l  latency: one frame from the first guest to the second, the next one
 *	    back, with so many microseconds between them; the pattern is played
 *	    by the third and further guests, which "-r 1e9 -P one-to-many" makes
 *	    flood
 *	-z  with -l and two guests: the guest sleeps until it is called
 *
 * Prints the percentiles 50, 90, 99, 99.9 and 99.99 and the maximum in ns ("-"
 * where there were too few frames to tell); the number of frames and how many
 * were lost; the per cent of waiting; and Mpps of the others.
 *
 *	-n  learning: one frame from each of so many addresses, at -r a second,
 *	    by the first guest, and then by the third (the addresses move); the
 *	    pattern is played by the fourth and further guests
 *
 * Prints, for learning and for moving, the addresses that the switch knew
 * afterwards, the millions sent a second and Mpps of the others; and the per
 * cent of waiting.
 *
 * Exit status 1 and a sentence: no frame arrived, one was damaged, the switch
 * broke a rule, or the guests could not be started.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/parts/frames.h"
#include "bench/parts/run.h"
#include "switch/base/clock.h"

/* Frames in a turn of those that play while others are probed. */
enum { PROBED_MOST = 32 };

static struct traffic traffic;
static struct card_config card = {.pairs = 1, .ring_size = 1024, .tx_len = 64};
static struct traffic_config config = {
    .batch = 32, .most = RING_BATCH_MAX, .addresses = 1};
static struct run run = {.seconds = 2, .warmup = 0.5};
static void (*measure)(
    struct traffic *t, const struct run *run) = run_throughput;
static int cpu = 1;

static void usage(void)
{
	fputs("usage: light [-P PATTERN] [-s SIZE] [-q PAIRS] [-R RING] "
	      "[-f FEATURES]\n"
	      "	[-a ADDRESSES] [-b BATCH] [-o FRAMES] [-r RATE] "
	      "[-x header|payload] [-v]\n"
	      "	[-l MICROSECONDS [-z]] [-n ADDRESSES] [-t SECONDS] "
	      "[-w SECONDS]\n"
	      "	[-c CPU] [-p PID] [-H] [-h] SOCKET SOCKET...\n",
	    stderr);
	exit(2);
}

/* The index of @name among name[0..n). */
static int choice(const char *name, const char *const names[], int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return i;
	fprintf(stderr, "light: '%s' is none of:", name);
	for (int i = 0; i < n; i++)
		fprintf(stderr, " %s", names[i]);
	fputc('\n', stderr);
	exit(2);
}

static void choose_features(char *list)
{
	static const char *const names[] = {
	    "packed", "in_order", "mergeable", "event_idx"};
	bool *const on[] = {
	    &card.packed, &card.in_order, &card.mergeable, &card.event_idx};

	for (char *name = strtok(list, ","); name; name = strtok(NULL, ","))
		*on[choice(name, names, 4)] = true;
}

static void parse_options(int argc, char **argv)
{
	static const char *const patterns[] = {
	    "pair", "one-to-many", "many-to-one", "mesh"};
	static const char *const looks[] = {"none", "header", "payload"};
	int option;

	while ((option = getopt(
		    argc, argv, "P:s:q:R:f:a:b:o:r:x:vl:zn:t:w:c:p:Hh")) != -1)
		switch (option) {
		case 'P':
			config.pattern = choice(optarg, patterns, 4);
			break;
		case 's':
			card.tx_len = (uint32_t)atoi(optarg);
			break;
		case 'q':
			card.pairs = (unsigned)atoi(optarg);
			break;
		case 'R':
			card.ring_size = (unsigned)atoi(optarg);
			break;
		case 'f':
			choose_features(optarg);
			break;
		case 'a':
			config.addresses = (uint32_t)atoi(optarg);
			break;
		case 'b':
			config.batch = (unsigned)atoi(optarg);
			break;
		case 'o':
			config.under_way = (unsigned)atoi(optarg);
			break;
		case 'r':
			config.rate = atof(optarg);
			break;
		case 'x':
			config.look = choice(optarg, looks, 3);
			break;
		case 'v':
			config.look = TRAFFIC_VERIFY;
			break;
		case 't':
			run.seconds = atof(optarg);
			break;
		case 'w':
			run.warmup = atof(optarg);
			break;
		case 'c':
			cpu = atoi(optarg);
			break;
		case 'l':
			measure = run_latency;
			config.first = RUN_PROBED;
			run.pause_us = atof(optarg);
			config.most = PROBED_MOST;
			break;
		case 'z':
			run.guest_sleeps = true;
			break;
		case 'n':
			measure = run_learning;
			config.first = RUN_LEARNED;
			run.n_addresses = (uint32_t)atoi(optarg);
			break;
		case 'p':
			run.switch_pid = atoi(optarg);
			break;
		case 'H':
			card.small_pages = true;
			break;
		case 'h':
			run.readable = true;
			break;
		default:
			usage();
		}
}

static void check_options(int n_sockets)
{
	uint32_t ring = card.ring_size;

	if (n_sockets < 2 || n_sockets < (int)config.first ||
	    n_sockets > GUESTS_MAX)
		usage();
	if (run.guest_sleeps && (n_sockets != 2 || card.event_idx))
		card_die("a guest that sleeps plays no others and has no "
			 "event_idx");
	if (card.tx_len < FRAME_MIN || card.tx_len > FRAME_MAX)
		card_die("frames have %d to %d bytes", FRAME_MIN, FRAME_MAX);
	if (!card.pairs || card.pairs > CARD_PAIRS_MAX)
		card_die("a guest has 1 to %d queue pairs", CARD_PAIRS_MAX);
	if (ring < 16 || ring > RING_SIZE_MAX || (ring & (ring - 1)))
		card_die("a ring has 16 to %d places, a power of two",
		    RING_SIZE_MAX);
	if (!config.batch || config.batch > RING_BATCH_MAX ||
	    config.batch > ring / 4)
		card_die("a batch has 1 to %d frames, and a quarter of a ring",
		    RING_BATCH_MAX);
	if (!config.addresses || config.addresses > 1 << 24)
		card_die("a queue has 1 to %d addresses", 1 << 24);
	if (config.most < config.batch)
		config.most = config.batch;
	if (!config.under_way)
		config.under_way = ring - config.batch;
	if (config.under_way < config.batch || config.under_way > ring)
		card_die("a batch at least, and a ring at most, is under way");
}

static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		card_die("there is no cpu %d to run on", cpu);
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	check_options(argc - optind);
	card.rx_max = card.tx_len > 1518 ? card.tx_len : 1518;
	clock_cycles_per_us();
	pin();
	traffic_open(
	    &traffic, argv + optind, (unsigned)(argc - optind), &card, &config);
	measure(&traffic, &run);
	traffic_close(&traffic);
	return 0;
}
