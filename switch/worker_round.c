/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_round.c - which of the polled queues is served when.
 *
 * Deficit round robin in cycles.  The floor is what the queue has been served
 * that was served least, of those that had work; a queue's deficit is what it
 * has been served beyond.  A round serves one batch of every queue whose
 * deficit is at most a quantum; one that has more waits until the floor has
 * risen, and if all wait it rises at once.  So batches of 64 KB frames and of
 * 64 B frames share the time equally, while one frame on an otherwise idle port
 * waits for one batch of each flooder at most.  A queue without work saves
 * nothing up.
 */
#include "switch/base/clock.h"
#include "switch/worker_thread.h"

enum {
	QUANTUM_US = 5, /* most batches are shorter: few rounds leave one out */
	/* A batch that took longer was interrupted, which is not its fault. */
	BATCH_US_MAX = 500,
};

void worker_poll(struct worker *w, struct poll *p, uint64_t now)
{
	struct snapshot_worker *mine = &w->snap->worker[w->id];

	p->last_work = now;
	mine->active[mine->n_active++] = p->state->at;
	p->from->port->ops->disarm(p->from->port, p->queue);
}

static void charge(struct worker *w, struct poll *p, uint64_t cost)
{
	uint64_t most = BATCH_US_MAX * w->cycles_per_us;

	w->busy_cycles += cost;
	p->state->usage.cycles += cost;
	if (p->served < w->floor)
		p->served = w->floor;
	p->served += cost < most ? cost : most;
}

/* Serves one queue; returns whether it had work. */
static bool serve(struct worker *w, struct poll *p, uint64_t *now)
{
	uint64_t start = *now;
	unsigned work =
	    forward_poll(w->fw, w->snap, p->no, p->queue, start, w->now_s);

	*now = clock_cycles();
	if (!work)
		return false;
	p->last_work = *now;
	p->state->usage.frames += work;
	charge(w, p, *now - start);
	return true;
}

static bool is_idle(const struct poll *p, uint64_t now)
{
	return now - p->last_work > p->state->spin_cycles;
}

static void tick_second(struct worker *w, uint64_t now)
{
	if ((int64_t)(now - w->second_at) < 0)
		return;
	w->now_s = (uint32_t)(clock_ms() / 1000);
	w->second_at = now + 1000000 * w->cycles_per_us;
}

void worker_round(struct worker *w)
{
	struct snapshot_worker *mine = &w->snap->worker[w->id];
	uint64_t now = clock_cycles(), least = UINT64_MAX;
	uint64_t limit = w->floor + QUANTUM_US * w->cycles_per_us;
	unsigned i = 0;

	tick_second(w, now);
	while (i < mine->n_active) {
		struct poll *p = &mine->poll[mine->active[i]];

		if (p->served > limit || serve(w, p, &now)) {
			least = p->served < least ? p->served : least;
			i++;
		} else if (is_idle(p, now) && worker_arm(w, p, now)) {
			mine->active[i] = mine->active[--mine->n_active];
		} else {
			i++;
		}
	}
	if (least != UINT64_MAX)
		w->floor = least;
	w->owes_flush = forward_flush(w->fw, w->snap, now);
}
