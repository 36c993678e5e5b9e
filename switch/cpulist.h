/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpulist.h - "1,3-5" to the cores that it names.
 */
#ifndef SWITCH_CPULIST_H
#define SWITCH_CPULIST_H

#include "switch/base/err.h"

/* Writes the cores of @list, which this process may run on, to cpu[0..max)
 * and returns how many; -EINVAL with a sentence. */
int cpulist_parse(
    const char *list, unsigned cpu[], unsigned max, struct err *e);

/* Writes the last core that this process may run on to cpu[0]; returns 1. */
int cpulist_last(unsigned cpu[], struct err *e);

#endif
