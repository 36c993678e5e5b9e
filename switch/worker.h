/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h - a thread, pinned to a core, that runs batches to completion.
 *
 *	     ┌────────── poll each queue: rx, forward, done ◄─┐
 *	     ▼                                                │ work
 *	polled queue ── idle for a while ──► armed ── woken ──┘
 *	                                       │
 *	all queues armed ──────────────────► asleep in epoll_wait
 *
 * Each receive queue belongs to one worker.  A queue without work for a while
 * (spin.h) is armed: its peer is asked to wake us, and it leaves the poll set;
 * a worker whose queues are all armed sleeps.  Polled queues that have work
 * share the worker's cycles equally (worker_round.c).
 *
 * Threads: every function is for the control thread.
 */
#ifndef SWITCH_WORKER_H
#define SWITCH_WORKER_H

#include "switch/bridge.h"
#include "switch/spin.h"

struct worker;

/* Starts a worker on @cpu with the lowest free id. */
int worker_add(struct sw *sw, unsigned cpu, unsigned *id, struct err *e);

/* Moves the queues of worker @id to the others, and ends it.  The last one
 * cannot be deleted. */
int worker_del(struct sw *sw, unsigned id, struct err *e);

/* Runs fn(w, arg) on @w between two batches, waking it if it sleeps, and
 * returns when it is done. */
void worker_call(
    struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);

/* Takes note of the snapshot just published (wakes a sleeper). */
void worker_kick(struct worker *w);

/* Stops watching the queues that are served under @before and not, or by
 * another worker, under @after.  At a time when no worker serves them. */
void worker_forget(
    struct sw *sw, const struct snapshot *before, const struct snapshot *after);

/* How long @w polls an empty queue, as it was told; and tells it. */
enum spin worker_spin(const struct worker *w);
void worker_set_spin(struct worker *w, enum spin spin);

/* The same for those that have been told nothing of their own. */
void worker_set_spin_all(struct sw *sw, enum spin spin);

unsigned worker_id(const struct worker *w);
unsigned worker_cpu(const struct worker *w);

/* The NUMA node whose packet memory it takes (pool.h). */
unsigned worker_node(const struct worker *w);

/* This worker's counters of port @no, created at first use (control; before
 * the port's first snapshot), and thrown away. */
int worker_counters_get(struct worker *w, port_no no);
void worker_counters_put(struct worker *w, port_no no);

/* Forwards head[0..len) as if it had come in by port @no; FRAME_HEADROOM bytes
 * before it are writable. */
void worker_inject(struct worker *w, port_no no, uint8_t *head, uint16_t len);

/* Ends every worker, at the end of the switch. */
void worker_end_all(struct sw *sw);

/* Adds what @w counted for every port to sum[]; consistent. */
void worker_read_counters(struct worker *w, struct counters sum[]);

/* What a worker did since it was asked for the last time. */
struct worker_usage {
	double busy; /* fraction of the time */
	bool asleep; /* at the moment of the question */
};

/* Fills *u (unless it is NULL), and queue[i] with the totals of the i-th queue of the worker's
 * list in the present snapshot. */
void worker_read_usage(
    struct worker *w, struct worker_usage *u, struct queue_usage queue[]);

#endif
