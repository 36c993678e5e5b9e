/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_thread.h - a worker's inside, shared by its thread and its keeper.
 *
 *	worker.c	starts, stops and asks
 *	worker_thread.c	the thread: rounds, snapshots, messages
 *	worker_round.c	which of the polled queues is served when
 *	worker_sleep.c	arming, waking, and the epoll set
 *
 * Nothing else but tests of these includes this.
 */
#ifndef SWITCH_WORKER_THREAD_H
#define SWITCH_WORKER_THREAD_H

#include <pthread.h>
#include <semaphore.h>

#include "switch/forward.h"
#include "switch/worker.h"

struct worker_message {
	void (*fn)(struct worker *w, void *arg);
	void *arg;
	sem_t done;
};

struct worker {
	/* Constant. */
	struct sw *sw;
	unsigned id, cpu;
	pthread_t thread;
	int wake_fd, epoll_fd;
	uint64_t cycles_per_us;

	/* Written by the worker. */
	struct forwarder *fw;
	struct doorbell *bell;
	struct pool_cache pool;
	struct snapshot *snap;
	uint64_t looked_at; /* at the armed queues, cycles */
	uint64_t second_at;
	uint64_t floor; /* of what queues have been served (worker_round.c) */
	uint32_t now_s;
	uint64_t generation; /* of snap */
	uint64_t busy_cycles, shown_busy, shown_at;
	int confined;	 /* what sandbox_enter_worker() said */
	enum spin spin;	 /* resolved */
	uint32_t asleep; /* atomic, for show */
	bool owes_flush; /* transmit queues are at work */

	/* Written by control. */
	struct worker_message *message; /* atomic mailbox of one */
	struct counters *counters[SWITCH_PORTS_MAX];
	enum spin own_spin; /* as it was told */
	bool stop;	    /* set through the mailbox */
};

/* The thread; ends after a message has set stop. */
void *worker_main(void *worker);

/* Worker: serves the polled queues whose turn it is, each once. */
void worker_round(struct worker *w);

/* Worker: adds @p to the polled queues. */
void worker_poll(struct worker *w, struct poll *p, uint64_t now);

/* Control, before the thread runs: the epoll set.  -errno. */
int worker_sleep_open(struct worker *w, struct err *e);
void worker_sleep_close(struct worker *w);

/* Worker: has @p's peer wake us, unless there is work after all.  Returns
 * whether @p need not be polled any more. */
bool worker_arm(struct worker *w, struct poll *p, uint64_t now);

/* Worker, at a snapshot's beginning: whether @p is still armed from the one
 * before. */
bool worker_is_armed(const struct worker *w, const struct poll *p);

/* Worker: makes the armed queues that were woken polled.  With @sleep, waits
 * for the first, and as long as the snapshot may change. */
void worker_collect(struct worker *w, bool sleep);

/* Worker: w->spin is another one. */
void worker_respin(struct worker *w);

/* Worker: takes over the current snapshot if it is another one. */
void worker_follow_snapshot(struct worker *w);

#endif
