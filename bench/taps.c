/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * taps.c - how long a frame takes through the kernel's bridge, tap to tap
 *
 *	taps [-l MICROSECONDS] [-z] [-s SIZE] [-t SECONDS] [-c CPU] [-d CPU]
 *		[-h]
 *
 * What light -l measures of a switch, of the bridge of a network namespace of
 * this program's own: from just before the frame is written to one tap until
 * it has been read from the other.  The kernel forwards on the writer's cpu,
 * within write(), so that nobody has to be woken but the reader.
 *
 *	-l  microseconds from one frame to the next (10000), spun away
 *	-z  the reader is another thread, which sleeps until there is a frame;
 *	    else it is the same, and finds it there
 *	-s  frame size without checksum (64)	-t  seconds measured (2)
 *	-c  cpu of the writer (1)		-d  of the reader (0)
 *	-h  for a human
 *
 * Prints the percentiles 50, 90, 99, 99.9 and 99.99 and the maximum in ns, the
 * number of frames and of those lost, and the per cent of the time that its
 * threads waited for a cpu.  Needs root.  Exit status 1 and a sentence: there
 * is no bridge, or nothing came through it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/parts/frames.h"
#include "bench/parts/times.h"
#include "bench/parts/waited.h"
#include "switch/base/clock.h"

enum { PATIENCE_MS = 200, ANNOUNCEMENTS = 20 };

static struct times times;
static uint32_t size = 64;
static double seconds = 2, pause_us = 10000;
static int writer_cpu = 1, reader_cpu = 0;
static bool sleeps, readable;
static unsigned lost;
static int tap[2];

/* What the reader that sleeps has seen: a frame's number, and when. */
static atomic_uint seen;
static atomic_ullong seen_at;

static void die(const char *what)
{
	fprintf(stderr, "taps: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("there is no such cpu");
}

static int open_tap(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	strcpy(ifr.ifr_name, name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		die("cannot make a tap");
	return fd;
}

static void set_up(int sock, const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_UP};

	strcpy(ifr.ifr_name, name);
	if (ioctl(sock, SIOCSIFFLAGS, &ifr))
		die("cannot set an interface up");
}

static void join_bridge(int sock, const char *name)
{
	struct ifreq ifr = {.ifr_ifindex = (int)if_nametoindex(name)};

	strcpy(ifr.ifr_name, "bridge");
	if (ioctl(sock, SIOCBRADDIF, &ifr))
		die("a tap cannot join the bridge");
	set_up(sock, name);
}

/* In a namespace that ends with us, and everything in it. */
static void create_bridge(void)
{
	int sock;

	if (unshare(CLONE_NEWNET))
		die("cannot have a network namespace");
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || ioctl(sock, SIOCBRADDBR, "bridge"))
		die("cannot make a bridge");
	tap[0] = open_tap("tap0");
	tap[1] = open_tap("tap1");
	join_bridge(sock, "tap0");
	join_bridge(sock, "tap1");
	set_up(sock, "bridge");
	close(sock);
}

/* Whether the frame @seq has come in at @fd. */
static bool has_come(int fd, uint32_t seq)
{
	uint8_t frame[FRAME_MAX];
	ssize_t n = read(fd, frame, sizeof(frame));

	return n == (ssize_t)size && frame[12] == 0x08 &&
	       frame_mark(frame).seq == seq;
}

/* Reads what comes out of the second tap, asleep until it does. */
static void *read_asleep(void *arg)
{
	uint8_t frame[FRAME_MAX];
	struct pollfd p = {.fd = tap[1], .events = POLLIN};

	(void)arg;
	pin(reader_cpu);
	for (;;) {
		poll(&p, 1, -1);
		if (read(tap[1], frame, sizeof(frame)) != (ssize_t)size ||
		    frame[12] != 0x08)
			continue;
		atomic_store_explicit(
		    &seen_at, clock_cycles(), memory_order_relaxed);
		atomic_store_explicit(
		    &seen, frame_mark(frame).seq, memory_order_release);
	}
	return NULL;
}

/* Sends frame @seq, by the second tap if @back; returns the cycles until it
 * came, or 0. */
static uint64_t probe(uint32_t seq, bool back)
{
	static uint8_t frame[FRAME_MAX];
	uint64_t patience = PATIENCE_MS * 1000 * clock_cycles_per_us();
	uint64_t start, now;
	bool here;

	frame_lay(frame, size, (struct frame_end){.guest = !back},
	    (struct frame_end){.guest = back}, 0);
	frame_set_seq(frame, seq);
	start = clock_cycles();
	if (write(tap[back], frame, size) != (ssize_t)size)
		die("a tap takes no frame");
	do {
		here = sleeps && !back ? atomic_load_explicit(
					     &seen, memory_order_acquire) == seq
				       : has_come(tap[!back], seq);
		now = clock_cycles();
	} while (!here && now - start < patience);
	if (here && sleeps && !back)
		now = atomic_load_explicit(&seen_at, memory_order_relaxed);
	return here ? now - start : 0;
}

static void spin_until(uint64_t cycles)
{
	while ((int64_t)(cycles - clock_cycles()) > 0)
		;
}

static void measure(void)
{
	uint64_t pause = (uint64_t)(pause_us * (double)clock_cycles_per_us());
	uint64_t next = clock_cycles();
	uint64_t end =
	    next + (uint64_t)(seconds * 1e6 * (double)clock_cycles_per_us());

	for (uint32_t seq = ANNOUNCEMENTS; (int64_t)(end - next) > 0; seq++) {
		uint64_t took = probe(seq, !sleeps && (seq & 1));

		if (took)
			times_add(&times, took);
		else
			lost++;
		next += pause;
		if (clock_cycles() > next)
			next = clock_cycles();
		spin_until(next);
	}
}

static void parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "l:zs:t:c:d:h")) != -1)
		switch (option) {
		case 'l':
			pause_us = atof(optarg);
			break;
		case 'z':
			sleeps = true;
			break;
		case 's':
			size = (uint32_t)atoi(optarg);
			break;
		case 't':
			seconds = atof(optarg);
			break;
		case 'c':
			writer_cpu = atoi(optarg);
			break;
		case 'd':
			reader_cpu = atoi(optarg);
			break;
		case 'h':
			readable = true;
			break;
		default:
			exit(2);
		}
	if (size < FRAME_MIN || size > 1500) {
		fputs("taps: frames have 60 to 1500 bytes\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	pthread_t thread;
	uint64_t waited;

	parse_options(argc, argv);
	clock_cycles_per_us();
	create_bridge();
	/* Both sides say where they are; the bridge may not be up yet. */
	for (uint32_t seq = 0; seq < ANNOUNCEMENTS; seq++)
		probe(seq, seq & 1);
	pin(writer_cpu);
	if (!times_open(&times) ||
	    (sleeps && pthread_create(&thread, NULL, read_asleep, NULL)))
		die("cannot start");
	waited = waited_ns(0);
	measure();
	waited = waited_ns(0) - waited;
	if (!times.n) {
		fputs("taps: no frame came through the bridge\n", stderr);
		return 1;
	}
	times_print(&times, readable);
	printf(readable ? "frames   %u, %u lost\nwaited   %.1f %% of a cpu\n"
			: " %u %u %.1f\n",
	    times.n, lost, (double)waited / 1e7 / seconds);
	return 0;
}
