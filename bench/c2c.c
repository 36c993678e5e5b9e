/* SPDX-License-Identifier: BSD-2-Clause */
/* c2c.c - how long a cache line takes from one core to another and back
 *
 * Two threads on two cores hand one cache line to and fro, as a switch and its
 * guest do with a ring index.  On virtual machines this time changes within
 * seconds, several times over, as the host moves virtual processors about;
 * throughput figures may only be compared when it was the same.
 *
 *	c2c [CPU CPU]		prints the median round trip in ns (cpus 0, 1)
 */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	N_TRIPS = 32,	 /* round trips that one time is taken of */
	N_TIMES = 1000,	 /* times; a preemption spoils only one of them */
	N_WARMUP = 1000, /* round trips before the first time */
};

/* The line: odd numbers are the first core's, even ones the answers.  No data
 * but the number itself is handed over, so relaxed order is enough. */
static alignas(64) atomic_uint line;

static int pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set);
}

static void wait_for(unsigned value)
{
	while (atomic_load_explicit(&line, memory_order_relaxed) != value)
		;
}

static void *answer(void *cpu)
{
	unsigned n = N_WARMUP + N_TRIPS * N_TIMES;

	if (pin(*(int *)cpu)) {
		perror("c2c: cannot run on the second core");
		exit(1);
	}
	for (unsigned i = 0; i < n; i++) {
		wait_for(2 * i + 1);
		atomic_store_explicit(&line, 2 * i + 2, memory_order_relaxed);
	}
	return NULL;
}

/* Makes @n round trips that begin with the value @value; returns the next. */
static unsigned trips(unsigned value, int n)
{
	for (int i = 0; i < n; i++, value += 2) {
		atomic_store_explicit(&line, value, memory_order_relaxed);
		wait_for(value + 1);
	}
	return value;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median_trip_ns(void)
{
	static uint64_t times[N_TIMES];
	unsigned value = trips(1, N_WARMUP);

	for (int i = 0; i < N_TIMES; i++) {
		uint64_t start = now_ns();

		value = trips(value, N_TRIPS);
		times[i] = now_ns() - start;
	}
	qsort(times, N_TIMES, sizeof(times[0]), compare);
	return (double)times[N_TIMES / 2] / N_TRIPS;
}

int main(int argc, char **argv)
{
	int cpu[2] = {0, 1};
	pthread_t thread;

	if (argc == 3) {
		cpu[0] = atoi(argv[1]);
		cpu[1] = atoi(argv[2]);
	}
	if ((argc != 1 && argc != 3) || cpu[0] == cpu[1] || cpu[0] < 0 ||
	    cpu[1] < 0 || cpu[0] >= CPU_SETSIZE || cpu[1] >= CPU_SETSIZE) {
		fputs("usage: c2c [CPU CPU], two different ones\n", stderr);
		return 2;
	}
	if (pin(cpu[0])) {
		perror("c2c: cannot run on the first core");
		return 1;
	}
	if (pthread_create(&thread, NULL, answer, &cpu[1])) {
		fputs("c2c: cannot start the second thread\n", stderr);
		return 1;
	}
	printf("%.0f\n", median_trip_ns());
	return pthread_join(thread, NULL);
}
