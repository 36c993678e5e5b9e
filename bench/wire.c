/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c - hosts on two wires that load a switch between two cards
 *
 *	wire [-s SIZE] [-t SECONDS] [-w SECONDS] [-c CPU] [-p PID] [-b]
 *		FROM TO
 *
 * FROM and TO are the far ends of the veth pairs whose near ends are a switch's
 * cards.  Frames are made in the kernel, by BPF_PROG_RUN with live frames, and
 * end there, in an XDP program that counts them: a sender or receiver in user
 * space would be slower than what is measured.  First every host says a word,
 * so that all are learned; then those of FROM send to those of TO as fast as
 * they can, which is more than any switch takes.
 *
 *	-s  frame size without checksum (64)	-c  cpu that sends (1)
 *	-t  seconds measured (2)		-p  the process of the switch
 *	-w  seconds of warming up before (0.5)	-b  both sides send, in turn
 *
 * Prints four numbers: the millions of frames that arrived a second; how many
 * of all that were sent did not; the per cent of the measured time that the
 * sending thread (with -p also those of the switch) waited for a cpu; and the
 * millions of frames sent a second.  Exit status 1 and a sentence: no frame
 * arrived, or none could be sent.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/parts/waited.h"
#include "bench/wire.skel.h"
#include "switch/base/clock.h"

enum {
	FRAME_MIN = 60,
	FRAME_MAX = 3000, /* a live frame lies in one page, with room before */
	N_WORDS = 1024,	  /* frames that are to make the hosts known */
	DRAIN_US = 100000,
};

static struct wire_bpf *wire;
static int size = 64, cpu = 1, switch_pid;
static double seconds = 2, warmup = 0.5;
static bool both;
static atomic_bool ended;

static void die(const char *what, const char *name, int err)
{
	fprintf(stderr, "wire: %s%s%s%s\n", what, name, err ? ": " : "",
	    err ? strerror(err) : "");
	exit(1);
}

/* Sends @n frames, or fewer if a signal comes; returns 0 or -errno. */
static int send_frames(unsigned n)
{
	static const unsigned char header[14] = {
	    2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0x88, 0xb5};
	static unsigned char frame[FRAME_MAX];
	struct xdp_md md = {.data_end = (unsigned)size};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
	    .data_size_in = (unsigned)size, .ctx_in = &md,
	    .ctx_size_in = sizeof(md), .repeat = (int)n,
	    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	memcpy(frame, header, sizeof(header));
	return bpf_prog_test_run_opts(bpf_program__fd(wire->progs.send), &opts);
}

static void *generate(void *arg)
{
	(void)arg;
	while (!ended) {
		int rc = send_frames(1u << 30);

		if (rc && rc != -EINTR)
			die("cannot send", "", -rc);
	}
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
}

static pthread_t start_generator(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	if (pthread_create(&thread, NULL, generate, NULL))
		die("cannot start a thread", "", 0);
	return thread;
}

/* The run itself takes note of the signal: it may last for minutes. */
static void stop_generator(pthread_t thread)
{
	ended = true;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
}

struct reading {
	uint64_t ns, sent, arrived, waited;
};

static uint64_t total(const volatile uint64_t side[2])
{
	return side[0] + side[1];
}

static struct reading take_reading(void)
{
	const volatile uint64_t *sent = (uint64_t *)wire->bss->sent;
	const volatile uint64_t *arrived = (uint64_t *)wire->bss->arrived;

	return (struct reading){.waited = waited_ns(switch_pid),
	    .ns = clock_ns(),
	    .sent = total(sent),
	    .arrived = total(arrived)};
}

static void sleep_for(double s)
{
	usleep((useconds_t)(s * 1e6));
}

static void introduce_hosts(void)
{
	int rc;

	wire->bss->both = true;
	rc = send_frames(N_WORDS);
	if (rc)
		die("cannot send; this takes Linux 5.18 or later", "", -rc);
	usleep(DRAIN_US);
	wire->bss->both = both;
}

static void measure(void)
{
	struct reading zero, begin, end, last;
	pthread_t generator;
	double us;

	introduce_hosts();
	zero = take_reading();
	generator = start_generator();
	sleep_for(warmup);
	begin = take_reading();
	sleep_for(seconds);
	end = take_reading();
	stop_generator(generator);
	usleep(DRAIN_US);
	last = take_reading();
	if (end.arrived == begin.arrived)
		die("no frame arrived", "", 0);
	us = (double)(end.ns - begin.ns) / 1e3;
	printf("%.3f %lld %.1f %.3f\n",
	    (double)(end.arrived - begin.arrived) / us,
	    (long long)(last.sent - zero.sent) -
		(long long)(last.arrived - zero.arrived),
	    (double)(end.waited - begin.waited) / us / 10,
	    (double)(end.sent - begin.sent) / us);
}

static struct bpf_link *attach(
    struct bpf_program *program, unsigned side, const char *name)
{
	struct bpf_link *link;

	wire->bss->ifindex[side] = if_nametoindex(name);
	if (!wire->bss->ifindex[side])
		die("there is no interface ", name, errno);
	link = bpf_program__attach_xdp(program, (int)wire->bss->ifindex[side]);
	if (!link)
		die("cannot attach a program to ", name, errno);
	return link;
}

static void usage(void)
{
	fputs("usage: wire [-s SIZE] [-t SECONDS] [-w SECONDS] [-c CPU] "
	      "[-p PID] [-b] FROM TO\n",
	    stderr);
	exit(2);
}

static void parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:t:w:c:p:b")) != -1)
		switch (option) {
		case 's':
			size = atoi(optarg);
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
		case 'b':
			both = true;
			break;
		default:
			usage();
		}
	if (argc - optind != 2 || size < FRAME_MIN || size > FRAME_MAX ||
	    seconds <= 0 || warmup < 0 || cpu < 0 || cpu >= CPU_SETSIZE)
		usage();
}

int main(int argc, char **argv)
{
	cpu_set_t set;

	parse_options(argc, argv);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on the cpu", "", errno);
	wire = wire_bpf__open_and_load();
	if (!wire)
		die("cannot load the programs", "", errno);
	wire->links.count_0 = attach(wire->progs.count_0, 0, argv[optind]);
	wire->links.count_1 = attach(wire->progs.count_1, 1, argv[optind + 1]);
	measure();
	wire_bpf__destroy(wire);
	return 0;
}
