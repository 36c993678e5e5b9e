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
 *	-l  long: says what the numbers are, with what was verified
 *
 * Prints three numbers: the millions of frames that all guests received a
 * second; how many of those sent did not arrive; and the per cent of the
 * measured time that this thread (with -p also those of the switch) waited for
 * a cpu.  Exit status 1 and a sentence: no frame arrived, one was damaged, or
 * the guests could not be started.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/parts/frames.h"
#include "bench/parts/traffic.h"
#include "bench/parts/waited.h"
#include "switch/base/clock.h"

enum { DRAIN_MS = 200 };

static struct traffic traffic;
static struct card_config card = {.pairs = 1, .ring_size = 1024, .tx_len = 64};
static struct traffic_config config = {.batch = 32, .addresses = 1};
static double seconds = 2, warmup = 0.5;
static int cpu = 1, switch_pid;
static bool readable;

struct reading {
	uint64_t cycles, received, waited;
};

static struct reading take_reading(void)
{
	return (struct reading){.waited = waited_ns(switch_pid),
	    .cycles = clock_cycles(),
	    .received = traffic_received(&traffic)};
}

static void run_for(double s)
{
	double cycles = s * 1e6 * (double)clock_cycles_per_us();

	traffic_run(&traffic, clock_cycles() + (uint64_t)cycles);
}

static long long lost(void)
{
	return (long long)(traffic_sent(&traffic) + traffic_refused(&traffic)) -
	       (long long)traffic_received(&traffic);
}

static void print(const struct reading *begin, const struct reading *end)
{
	double us = (double)(end->cycles - begin->cycles) /
		    (double)clock_cycles_per_us();
	double mpps = (double)(end->received - begin->received) / us;
	double waited = (double)(end->waited - begin->waited) / us / 10;
	uint64_t kicks = 0;

	if (!readable) {
		printf("%.3f %lld %.1f\n", mpps, lost(), waited);
		return;
	}
	for (unsigned g = 0; g < traffic.n; g++)
		for (unsigned q = 0; q < card.pairs; q++)
			kicks += traffic.host[g].card.rx[q].n_kicks +
				 traffic.host[g].card.tx[q].n_kicks;
	printf("received  %.3f Mpps, %.2f Gbit/s\n", mpps,
	    mpps * card.tx_len * 8 / 1000);
	printf("lost      %lld of %lu (%lu refused by full rings)\n", lost(),
	    (unsigned long)(traffic_sent(&traffic) + traffic_refused(&traffic)),
	    (unsigned long)traffic_refused(&traffic));
	printf("waited    %.1f %% of a cpu\n", waited);
	printf("kicks     %lu\n", (unsigned long)kicks);
	printf("memory    %s pages\n",
	    traffic.host[0].card.huge ? "huge" : "ordinary");
	if (config.look == TRAFFIC_VERIFY)
		printf("verified  %lu damaged, %lu misplaced, %lu late\n",
		    (unsigned long)traffic.damaged,
		    (unsigned long)traffic.misplaced,
		    (unsigned long)traffic.late);
}

static void measure(void)
{
	struct reading begin, end;

	traffic_pace(&traffic);
	run_for(warmup);
	begin = take_reading();
	run_for(seconds);
	end = take_reading();
	traffic_stop(&traffic, DRAIN_MS);
	traffic_check(&traffic);
	if (end.received == begin.received)
		card_die("no frame arrived");
	print(&begin, &end);
	if (traffic.damaged || traffic.misplaced)
		card_die("%lu frames were damaged, %lu misplaced",
		    (unsigned long)traffic.damaged,
		    (unsigned long)traffic.misplaced);
}

static void usage(void)
{
	fputs("usage: light [-P PATTERN] [-s SIZE] [-q PAIRS] [-R RING] "
	      "[-f FEATURES] [-a ADDRESSES]\n"
	      "	[-b BATCH] [-o FRAMES] [-r RATE] [-x header|payload] [-v] "
	      "[-t SECONDS]\n"
	      "	[-w SECONDS] [-c CPU] [-p PID] [-H] [-l] SOCKET SOCKET...\n",
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
		    argc, argv, "P:s:q:R:f:a:b:o:r:x:vt:w:c:p:Hl")) != -1)
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
			seconds = atof(optarg);
			break;
		case 'w':
			warmup = atof(optarg);
			break;
		case 'c':
			cpu = atoi(optarg);
			break;
		case 'p':
			switch_pid = atoi(optarg);
			break;
		case 'H':
			card.small_pages = true;
			break;
		case 'l':
			readable = true;
			break;
		default:
			usage();
		}
}

static void check_options(int n_sockets)
{
	uint32_t ring = card.ring_size;

	if (n_sockets < 2 || n_sockets > GUESTS_MAX)
		usage();
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
	measure();
	traffic_close(&traffic);
	return 0;
}
