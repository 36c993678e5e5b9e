/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.h - what one process leaves to another: words and descriptors.
 *
 * When a process takes the place of the one that runs (switch/takeover.h),
 * each port is described by a JSON object.  A descriptor stands in it as a
 * number, its place in the struct handover that travels along: the order in
 * which descriptors arrive is thereby the order in which they were put.
 *
 * Keys are only ever added, and what is absent reads as 0 or "": so an older
 * and a newer process understand each other where there is nothing new to say.
 *
 * Life: zeroed; filled on one side; received and emptied on the other, closed
 * in the end on both.
 * Ownership: who hands over keeps its descriptors.  Those that arrived are the
 * handover's until they are taken.
 * Threads: control.
 */
#ifndef PORTS_HANDOVER_H
#define PORTS_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>

/* When ops->export_state is asked (port.h). */
enum handover_stage {
	HANDOVER_RUNNING, /* workers serve the queues */
	HANDOVER_STOPPED, /* no worker touches a queue any more */
};

struct handover {
	int *fd; /* -1: taken */
	unsigned n, size;
	bool arrived; /* the descriptors are ours to close */
	bool failed;  /* there was no memory for one */
};

/* Adds @fd to what goes along and its number to @to; -1: no key, no number. */
void handover_put_fd(
    struct handover *h, struct json_object *to, const char *key, int fd);

/* The descriptor whose number stands at @key, the caller's from then on; -1:
 * there is none, or somebody has it. */
int handover_take_fd(
    struct handover *h, struct json_object *from, const char *key);

/* Adds @fd, which arrived, as the next number.  -ENOMEM: it is closed. */
int handover_receive_fd(struct handover *h, int fd);

/* The whole number at @key, all of its 64 bits. */
uint64_t handover_u64(struct json_object *from, const char *key);

/* Closes what arrived and was not taken. */
void handover_close(struct handover *h);

#endif
