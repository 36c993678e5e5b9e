/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - workers as the control thread handles them.
 *
 * What control wants of a running worker it puts into the mailbox as a
 * function, which the worker calls between two rounds; so counters are read
 * at an instant when no frame is under way.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "switch/base/log.h"
#include "switch/placement.h"
#include "switch/worker_thread.h"

void worker_kick(struct worker *w)
{
	uint64_t one = 1;

	if (write(w->wake_fd, &one, sizeof(one)) < 0)
		log_warning("worker %u: wake-up: %m", w->id);
}

void worker_call(
    struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg)
{
	struct worker_message m = {.fn = fn, .arg = arg};

	sem_init(&m.done, 0, 0);
	__atomic_store_n(&w->message, &m, __ATOMIC_RELEASE);
	worker_kick(w);
	while (sem_wait(&m.done) && errno == EINTR)
		;
	sem_destroy(&m.done);
}

unsigned worker_id(const struct worker *w)
{
	return w->id;
}

unsigned worker_cpu(const struct worker *w)
{
	return w->cpu;
}

unsigned worker_node(const struct worker *w)
{
	return w->pool.node;
}

int worker_counters_get(struct worker *w, port_no no)
{
	if (!w->counters[no])
		w->counters[no] = calloc(1, sizeof(*w->counters[no]));
	return w->counters[no] ? 0 : -ENOMEM;
}

void worker_counters_put(struct worker *w, port_no no)
{
	free(w->counters[no]);
	w->counters[no] = NULL;
}

static void add_counters(struct worker *w, void *arg)
{
	struct counters *sum = arg;

	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		if (w->counters[no])
			counters_add(&sum[no], w->counters[no]);
}

/* One that touches no queue counts nothing, and need not be woken. */
void worker_read_counters(struct worker *w, struct counters sum[])
{
	if (w->sw->stopped)
		add_counters(w, sum);
	else
		worker_call(w, add_counters, sum);
}

struct usage_request {
	struct worker_usage *u;
	struct queue_usage *queue;
};

static void copy_usage(struct worker *w, void *arg)
{
	struct usage_request *r = arg;
	const struct snapshot_worker *mine = &w->snap->worker[w->id];
	uint64_t now = clock_cycles(), elapsed = now - w->shown_at;

	for (unsigned i = 0; i < mine->n_polls; i++)
		r->queue[i] = mine->poll[i].state->usage;
	if (!r->u)
		return;
	if (elapsed)
		r->u->busy =
		    (double)(w->busy_cycles - w->shown_busy) / (double)elapsed;
	w->shown_at = now;
	w->shown_busy = w->busy_cycles;
}

void worker_read_usage(
    struct worker *w, struct worker_usage *u, struct queue_usage queue[])
{
	struct usage_request r = {u, queue};

	if (u)
		*u = (struct worker_usage){
		    .asleep = __atomic_load_n(&w->asleep, __ATOMIC_RELAXED)};
	worker_call(w, copy_usage, &r);
}

struct injection {
	port_no no;
	uint8_t *head;
	uint16_t len;
};

static void inject(struct worker *w, void *arg)
{
	struct injection *in = arg;

	forward_inject(w->fw, w->snap, in->no, in->head, in->len,
	    (uint32_t)(clock_ms() / 1000));
}

void worker_inject(struct worker *w, port_no no, uint8_t *head, uint16_t len)
{
	struct injection in = {.no = no, .head = head, .len = len};

	worker_call(w, inject, &in);
}

static void change_spin(struct worker *w, void *spin)
{
	w->spin = *(enum spin *)spin;
	worker_respin(w);
}

static void respin(struct worker *w)
{
	enum spin spin = spin_resolve(w->own_spin, w->sw->spin);

	worker_call(w, change_spin, &spin);
}

enum spin worker_spin(const struct worker *w)
{
	return w->own_spin;
}

void worker_set_spin(struct worker *w, enum spin spin)
{
	w->own_spin = spin;
	respin(w);
}

void worker_set_spin_all(struct sw *sw, enum spin spin)
{
	sw->spin = spin;
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id])
			respin(sw->worker[id]);
}

static int pin(struct worker *w, struct err *e)
{
	cpu_set_t set;
	int rc;

	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	rc = pthread_setaffinity_np(w->thread, sizeof(set), &set);
	return rc ? err_set(e, -rc, "cannot run a worker on cpu %u: %s", w->cpu,
			strerror(rc))
		  : 0;
}

static int open_parts(struct worker *w, struct err *e)
{
	int rc = doorbell_open(&w->bell, e);

	if (rc)
		return rc;
	rc = forwarder_open(&w->fw, w->counters, w->bell, &w->pool, e);
	if (rc)
		return rc;
	rc = worker_sleep_open(w, e);
	if (rc)
		return rc;
	for (port_no no = 0; no < SWITCH_PORTS_MAX; no++)
		if (w->sw->port[no] && worker_counters_get(w, no))
			return err_set(e, -ENOMEM, "no memory for counters");
	return 0;
}

static void worker_free(struct worker *w)
{
	for (port_no no = 0; no < SWITCH_PORTS_MAX; no++)
		worker_counters_put(w, no);
	pool_cache_fini(&w->pool);
	forwarder_close(w->fw);
	doorbell_close(w->bell);
	worker_sleep_close(w);
	free(w);
}

static void ask_to_stop(struct worker *w, void *arg)
{
	(void)arg;
	w->stop = true;
}

static void stop_thread(struct worker *w)
{
	worker_call(w, ask_to_stop, NULL);
	pthread_join(w->thread, NULL);
}

static void nothing(struct worker *w, void *arg)
{
	(void)w;
	(void)arg;
}

/* No frame before its thread is confined. */
static int await_start(struct worker *w, struct err *e)
{
	worker_call(w, nothing, NULL);
	return w->confined ? err_set(e, w->confined,
				 "system calls of a worker cannot be "
				 "restricted: %s",
				 strerror(-w->confined))
			   : 0;
}

static int start_thread(struct worker *w, struct err *e)
{
	char name[16];
	int rc = pthread_create(&w->thread, NULL, worker_main, w);

	if (rc)
		return err_set(
		    e, -rc, "a thread for a worker: %s", strerror(rc));
	snprintf(name, sizeof(name), "swd-worker-%u", w->id);
	pthread_setname_np(w->thread, name);
	rc = await_start(w, e);
	if (!rc)
		rc = pin(w, e);
	if (rc)
		stop_thread(w);
	return rc;
}

int worker_add(struct sw *sw, unsigned cpu, unsigned *id, struct err *e)
{
	unsigned free_id = 0;
	struct worker *w;
	int rc;

	while (free_id < SWITCH_WORKERS_MAX && sw->worker[free_id])
		free_id++;
	if (free_id == SWITCH_WORKERS_MAX)
		return err_set(e, -ENOSPC, "there are %d workers already",
		    SWITCH_WORKERS_MAX);
	if (cpu >= CPU_SETSIZE)
		return err_set(e, -EINVAL, "there is no cpu %u", cpu);
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(e, -ENOMEM, "no memory for a worker");
	*w = (struct worker){.sw = sw,
	    .id = free_id,
	    .cpu = cpu,
	    .wake_fd = -1,
	    .epoll_fd = -1,
	    .shown_at = clock_cycles(),
	    .spin = spin_resolve(SPIN_DEFAULT, sw->spin),
	    .cycles_per_us = clock_cycles_per_us()};
	w->second_at = clock_cycles();
	pool_cache_init(&w->pool, sw->pool, cpu);
	rc = open_parts(w, e);
	if (!rc)
		rc = start_thread(w, e);
	if (rc) {
		worker_free(w);
		return rc;
	}
	sw->worker[free_id] = w;
	*id = free_id;
	return 0;
}

/* What the departing worker counted stays counted. */
static void retire_counters(struct sw *sw, struct worker *w)
{
	for (port_no no = 0; no < SWITCH_PORTS_MAX; no++) {
		if (!w->counters[no])
			continue;
		if (sw->retired[no]) {
			counters_add(sw->retired[no], w->counters[no]);
		} else {
			sw->retired[no] = w->counters[no];
			w->counters[no] = NULL;
		}
	}
}

static void worker_end(struct sw *sw, struct worker *w)
{
	stop_thread(w);
	sw->worker[w->id] = NULL;
	retire_counters(sw, w);
	worker_free(w);
}

int worker_del(struct sw *sw, unsigned id, struct err *e)
{
	struct worker *w = id < SWITCH_WORKERS_MAX ? sw->worker[id] : NULL;
	unsigned others = 0;

	for (unsigned i = 0; i < SWITCH_WORKERS_MAX; i++)
		others += i != id && sw->worker[i];
	if (!w)
		return err_set(e, -ENOENT, "there is no worker %u", id);
	if (!others)
		return err_set(e, -EBUSY, "worker %u is the last one", id);
	sw->worker[id] = NULL; /* nothing is placed on it any more */
	placement_evict(sw, id);
	switch_publish_and_wait(sw);
	worker_end(sw, w);
	return 0;
}

void worker_end_all(struct sw *sw)
{
	for (unsigned id = 0; id < SWITCH_WORKERS_MAX; id++)
		if (sw->worker[id])
			worker_end(sw, sw->worker[id]);
}
