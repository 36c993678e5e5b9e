/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_thread.c - what a worker does all day: rounds, and sleep.
 *
 * Everything that another thread wants from a running worker arrives between
 * two rounds: a new snapshot by its pointer, a call by the mailbox.  Asleep,
 * it is woken by its own eventfd, which is in the same epoll set as those of
 * the armed queues.
 */
#include "switch/base/clock.h"
#include "switch/base/quiesce.h"
#include "switch/sandbox.h"
#include "switch/worker_thread.h"

/* How often a worker that has work looks whether armed queues have some. */
enum { LOOK_US = 50 };

/* Armed queues stay so, the others are polled. */
static void adopt(struct worker *w, struct snapshot *snap, uint64_t now)
{
	struct snapshot_worker *mine = &snap->worker[w->id];

	w->snap = snap;
	w->generation = snap->generation;
	w->floor = 0;
	forward_adopt(w->fw, snap, w->id);
	mine->n_active = 0;
	for (unsigned i = 0; i < mine->n_polls; i++) {
		struct poll *p = &mine->poll[i];

		p->state->at = i;
		if (worker_is_armed(w, p))
			continue;
		p->state->spin_cycles = spin_cycles(
		    w->spin, p->state->spin_cycles, w->cycles_per_us);
		worker_poll(w, p, now);
	}
}

/* Compared by number: the old one may be gone and its address reused. */
void worker_follow_snapshot(struct worker *w)
{
	/* (B), snapshot.h */
	struct snapshot *snap =
	    __atomic_load_n(&w->sw->snapshot, __ATOMIC_ACQUIRE);

	if (snap->generation != w->generation)
		adopt(w, snap, clock_cycles());
}

static void read_mailbox(struct worker *w)
{
	struct worker_message *m =
	    __atomic_load_n(&w->message, __ATOMIC_ACQUIRE);

	if (!m)
		return;
	__atomic_store_n(&w->message, NULL, __ATOMIC_RELAXED);
	m->fn(w, m->arg);
	sem_post(&m->done);
}

/* Sleeps if every queue is armed, else looks at the armed ones now and then:
 * by time, because a round may be long. */
static void look_at_armed(struct worker *w)
{
	const struct snapshot_worker *mine = &w->snap->worker[w->id];

	if (!mine->n_active)
		worker_collect(w, true);
	else if (mine->n_active < mine->n_polls &&
		 clock_cycles() - w->looked_at > LOOK_US * w->cycles_per_us)
		worker_collect(w, false);
}

void *worker_main(void *worker)
{
	struct worker *w = worker;

	w->confined = sandbox_enter_worker();
	quiesce_join();
	while (!w->stop) {
		/* Between these two nothing of a snapshot is held. */
		quiesce_point();
		worker_follow_snapshot(w);
		worker_round(w);
		look_at_armed(w);
		read_mailbox(w);
	}
	quiesce_leave();
	return NULL;
}
