/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - monotonic time: cycles for workers, milliseconds for the rest.
 *
 * Nothing here follows the wall clock, so a jump of the date ages nothing.
 * Threads: any.
 */
#ifndef SWITCH_BASE_CLOCK_H
#define SWITCH_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* The processor's constant-rate counter; only differences mean anything. */
static inline uint64_t clock_cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
#error "clock_cycles: no cycle counter known for this processor"
#endif
}

static inline uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t clock_ms(void)
{
	return clock_ns() / 1000000u;
}

/* Cycles in one microsecond, measured once at the first call (10 ms); call it
 * on the control thread before workers start. */
uint64_t clock_cycles_per_us(void);

#endif
