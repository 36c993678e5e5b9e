/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steps.c - how many instructions a thread of user space executes for a frame
 *
 *	steps [-t SECONDS] [-c CPU] THREAD FILE
 *
 * Walks THREAD, of any running program, one instruction at a time for SECONDS
 * (2) and relates their number to how far the number in FILE went up meanwhile,
 * such as the packets of an interface.  A virtual machine often has no counter
 * of instructions, and an emulator knows neither every instruction nor a
 * program that others have started; this thread is the one that was running.
 *
 * Slowed down a thousand times, it finds its queues full: the figure is that of
 * a saturated switch, but what is due by the clock weighs too much.  What the
 * kernel executes is not counted; a repeated string instruction counts once.
 *
 * Prints the instructions a frame, their number and that of the frames.  Best
 * run on the thread's own cpu (-c), so that the two take turns.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch/base/clock.h"

enum {
	N_UNTIMED = 1000, /* instructions between two looks at the clock */
	PATIENCE_S = 10,  /* a thread that sleeps never ends its step: we do */
};

static double seconds = 2;
static int cpu = -1;

static void die(const char *what)
{
	fprintf(stderr, "steps: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t n;

	if (!file || fscanf(file, "%" SCNu64, &n) != 1)
		die(path);
	fclose(file);
	return n;
}

/* Waits until @thread stops; returns the signal that did it. */
static int wait_for_stop(pid_t thread)
{
	int status;

	if (waitpid(thread, &status, __WALL) < 0)
		die("cannot wait for the thread");
	if (!WIFSTOPPED(status)) {
		fputs("steps: the thread has ended\n", stderr);
		exit(1);
	}
	return WSTOPSIG(status);
}

/* Where @thread is, to tell the turns of a repeated instruction. */
static long position(pid_t thread)
{
#if defined(__x86_64__)
	return ptrace(PTRACE_PEEKUSER, thread,
	    (void *)offsetof(struct user, regs.rip), NULL);
#else
	static long n;

	(void)thread;
	return n++; /* no instruction repeats itself */
#endif
}

/* Executes one instruction, and hands on a signal that comes in its place;
 * returns whether it was another one than at *@at. */
static bool step(pid_t thread, long *at, int *number)
{
	long from = *at;

	if (ptrace(PTRACE_SINGLESTEP, thread, NULL, (void *)(long)*number))
		die("cannot go on");
	*number = wait_for_stop(thread);
	if (*number != SIGTRAP)
		return false;
	*number = 0;
	*at = position(thread);
	return *at != from;
}

static uint64_t walk(pid_t thread)
{
	uint64_t end = clock_ns() + (uint64_t)(seconds * 1e9), n = 0;
	long at = position(thread);
	int number = 0;

	while (clock_ns() < end)
		for (unsigned i = 0; i < N_UNTIMED; i++)
			n += step(thread, &at, &number);
	return n;
}

/* The thread is let go by the kernel if we die. */
static void measure(pid_t thread, const char *path)
{
	uint64_t frames, n;

	if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) ||
	    ptrace(PTRACE_INTERRUPT, thread, NULL, NULL))
		die("cannot take hold of the thread");
	wait_for_stop(thread);
	alarm((unsigned)seconds + PATIENCE_S);
	frames = read_number(path);
	n = walk(thread);
	frames = read_number(path) - frames;
	if (ptrace(PTRACE_DETACH, thread, NULL, NULL))
		die("cannot let go of the thread");
	if (!frames) {
		fputs("steps: no frame went through\n", stderr);
		exit(1);
	}
	printf("%.1f instructions a frame (%" PRIu64 " for %" PRIu64 ")\n",
	    (double)n / (double)frames, n, frames);
}

static void run_on_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on the cpu");
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "t:c:")) != -1)
		switch (option) {
		case 't':
			seconds = atof(optarg);
			break;
		case 'c':
			cpu = atoi(optarg);
			break;
		default:
			argc = 0;
		}
	if (argc - optind != 2 || seconds <= 0) {
		fputs(
		    "usage: steps [-t SECONDS] [-c CPU] THREAD FILE\n", stderr);
		return 2;
	}
	if (cpu >= 0)
		run_on_cpu();
	measure((pid_t)atol(argv[optind]), argv[optind + 1]);
	return 0;
}
