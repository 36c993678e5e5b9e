/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bystander.h - two innocent guests whose traffic nothing may disturb.
 *
 * Ports by1 and by2, with a thread that sends a numbered frame each way every
 * interval and watches what arrives: while a hostile peer does its worst, not
 * one frame may be lost and none may be late.
 *
 * On a machine with few processors a frame can be late because somebody was
 * not given one.  Two such times are known and not held against the switch:
 * while the thread itself was away, and while threads of the switch were
 * ready to run but did not run (/proc/PID/task/TID/schedstat).  A delay of
 * more than BYSTANDER_STALL_MS that these do not explain is a stall.
 *
 * Life: start, stop (waits for what is on its way, at most BYSTANDER_DRAIN_MS),
 * end.  Threads: the caller's; a thread of its own between start and stop.
 */
#ifndef TESTS_GUEST_BYSTANDER_H
#define TESTS_GUEST_BYSTANDER_H

#include "tests/guest/netdev.h"
#include "tests/guest/swd.h"

enum {
	BYSTANDER_STALL_MS = 10,
	BYSTANDER_DRAIN_MS = 500,
	BYSTANDER_INTERVAL_US = 500,
};

struct bystander_report {
	uint64_t sent, received;
	uint64_t lost;	    /* sent, and not received when it was stopped */
	uint64_t reordered; /* overtaken by, or equal to, one received before */
	uint64_t corrupted;
	uint64_t foreign; /* frames of others: floods */
	uint64_t full;	  /* could not be sent: the ring did not move */
	uint64_t stalls;  /* late by more than is explained */
	uint64_t excused; /* late, but explained */
	uint64_t p50_ns, p999_ns, max_ns; /* of what is not explained */
};

struct bystander;

/* Adds by1 and by2 to @bridge (NULL: br0) and starts the traffic, one frame
 * each way every @interval_us (0: BYSTANDER_INTERVAL_US).  NULL: something
 * failed, with a sentence on stderr. */
struct bystander *bystander_start(
    struct swd *s, const char *bridge, unsigned interval_us);

/* Ends the traffic and reports. */
void bystander_stop(struct bystander *b, struct bystander_report *report);

/* Whether nothing happened: nothing lost, reordered, corrupted, no stall, p99.9
 * within @p999_us, both guests' memory intact.  Says on stderr what did. */
bool bystander_undisturbed(const struct bystander *b,
    const struct bystander_report *report, uint64_t p999_us);

/* Closes both guests (not the ports) and frees @b; accepts NULL. */
void bystander_end(struct bystander *b);

#endif
