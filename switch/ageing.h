/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ageing.h - sweeps the learning tables once a second, a little at a time.
 *
 * Threads: control.
 */
#ifndef SWITCH_AGEING_H
#define SWITCH_AGEING_H

#include "switch/switch.h"

/* Starts the timer; it ends with the event loop. */
int ageing_start(struct sw *sw, struct err *e);

#endif
