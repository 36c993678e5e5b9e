/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.c - how fast the cycle counter runs, measured against the kernel's.
 */
#include <unistd.h>

#include "switch/base/clock.h"

enum { CALIBRATION_US = 10000 };

uint64_t clock_cycles_per_us(void)
{
	static uint64_t per_us;

	if (!per_us) {
		uint64_t ns = clock_ns(), cycles = clock_cycles();

		usleep(CALIBRATION_US);
		cycles = clock_cycles() - cycles;
		ns = clock_ns() - ns;
		per_us = cycles * 1000 / ns ?: 1;
	}
	return per_us;
}
