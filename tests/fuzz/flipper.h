/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flipper.h - a peer that does not wait: a thread that flips bits of memory.
 *
 * Nothing of what it does can be had again, so a finding is a crash and a
 * stack, and the input only says what was under way.
 *
 * Life: flipper_add() first, then any number of start and stop.  Threads: the
 * fuzzer's, and one that is begun with the first flipper_start() and flips bits
 * between that and flipper_stop().
 */
#ifndef TESTS_FUZZ_FLIPPER_H
#define TESTS_FUZZ_FLIPPER_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { FLIPPER_MAX = 8 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool begun, wanted, stopped;
	uint32_t stop; /* atomic */
	unsigned n;
	struct {
		uint8_t *at;
		uint32_t size;
	} memory[FLIPPER_MAX];
} flipper = {.lock = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
    .stopped = true};

/* One more memory, at[0..size), of which the first bytes are the most likely
 * to be flipped. */
static inline void flipper_add(uint8_t *at, uint32_t size)
{
	assert(flipper.n < FLIPPER_MAX && !flipper.begun);
	flipper.memory[flipper.n].at = at;
	flipper.memory[flipper.n++].size = size;
}

static inline void flip_bits(void)
{
	uint32_t seed = 1;

	while (!__atomic_load_n(&flipper.stop, __ATOMIC_RELAXED)) {
		unsigned which = (seed >> 29) % flipper.n;
		uint32_t size = flipper.memory[which].size;
		uint32_t at = (seed >> 8) % (seed & 64 ? size : 0x200);

		__atomic_fetch_xor(&flipper.memory[which].at[at],
		    (uint8_t)(1 << (seed >> 26 & 7)), __ATOMIC_RELAXED);
		seed = seed * 1664525 + 1013904223;
	}
}

static void *flip(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&flipper.lock);
	for (;;) {
		while (!flipper.wanted)
			pthread_cond_wait(&flipper.changed, &flipper.lock);
		flipper.stopped = false;
		pthread_mutex_unlock(&flipper.lock);
		flip_bits();
		pthread_mutex_lock(&flipper.lock);
		flipper.wanted = false;
		flipper.stopped = true;
		pthread_cond_broadcast(&flipper.changed);
	}
	return NULL;
}

static inline void flipper_start(void)
{
	pthread_t thread;

	if (!flipper.begun && pthread_create(&thread, NULL, flip, NULL))
		abort();
	flipper.begun = true;
	pthread_mutex_lock(&flipper.lock);
	__atomic_store_n(&flipper.stop, 0, __ATOMIC_RELAXED);
	flipper.wanted = true;
	pthread_cond_broadcast(&flipper.changed);
	pthread_mutex_unlock(&flipper.lock);
}

static inline void flipper_stop(void)
{
	pthread_mutex_lock(&flipper.lock);
	__atomic_store_n(&flipper.stop, 1, __ATOMIC_RELAXED);
	while (flipper.wanted || !flipper.stopped)
		pthread_cond_wait(&flipper.changed, &flipper.lock);
	pthread_mutex_unlock(&flipper.lock);
}

#endif
