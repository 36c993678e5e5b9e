/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_thread.h - a worker's inside, shared by its thread and its keeper.
 *
 * worker_thread.c runs, worker.c starts, stops and asks.  Nothing else
 * includes this.
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
	int wake_fd;

	/* Written by the worker. */
	struct forwarder *fw;
	struct doorbell *bell;
	struct pool_cache pool;
	struct snapshot *snap;
	int epoll_fd;
	uint64_t looked_at; /* at the armed queues, cycles */
	uint64_t spin_cycles, second_at, cycles_per_s;
	uint32_t now_s;
	uint64_t generation; /* of snap */
	uint64_t busy_cycles, shown_busy, shown_at;
	uint32_t asleep; /* atomic, for show */
	bool owes_flush; /* transmit queues are at work */

	/* Written by control. */
	struct worker_message *message; /* atomic mailbox of one */
	struct counters *counters[SWITCH_PORTS_MAX];
	bool stop; /* set through the mailbox */
};

/* The thread; ends after a message has set stop. */
void *worker_main(void *worker);

#endif
