/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ageing.c - sweeps the learning tables once a second, a little at a time.
 *
 * A round begins every second; a step of it covers SWEEP_BUCKETS of each
 * bridge's table, and between two steps the control thread serves others.
 */
#include <string.h>

#include "learning/age.h"
#include "switch/ageing.h"
#include "switch/base/clock.h"
#include "switch/bridge.h"

enum { ROUND_US = 1000000, STEP_US = 2000, SWEEP_BUCKETS = 16384 };

/* One step for every bridge that has not finished this round. */
static bool sweep_step(struct sw *sw)
{
	uint32_t now = (uint32_t)(clock_ms() / 1000);
	bool finished = true;

	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++)
		if (sw->bridge[i] && fdb_count(sw->bridge[i]->fdb))
			finished &=
			    fdb_sweep(sw->bridge[i]->fdb, now, SWEEP_BUCKETS);
	return finished;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	uint64_t wait_us = sweep_step(userdata) ? ROUND_US : STEP_US;

	(void)usec;
	sd_event_source_set_time_relative(source, wait_us);
	sd_event_source_set_time_accuracy(source, wait_us / 4);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int ageing_start(struct sw *sw, struct err *e)
{
	int rc = sd_event_add_time_relative(sw->event, NULL, CLOCK_MONOTONIC,
	    ROUND_US, ROUND_US / 4, on_timer, sw);

	return rc < 0 ? err_set(e, rc, "ageing timer: %s", strerror(-rc)) : 0;
}
