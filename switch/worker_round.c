/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_round.c - which of the polled queues is served when.
 *
 * Deficit round robin in cycles: a queue's deficit is what it has been served
 * beyond the one that was served least of those that always had work (the
 * floor).  A round serves every queue without a deficit one batch, and a queue
 * that has one waits until the floor has risen to it.  So the quantum of a
 * round is as small as the cheapest batch, and there is no round in which
 * nobody is served: batches of 64 KB frames and of 64 B frames share the time
 * equally, while one frame on an otherwise idle port waits for one batch of
 * each flooder at most.  A queue found empty saves nothing up.
 */
#include "switch/base/clock.h"
#include "switch/worker_thread.h"

/* A batch that took longer was interrupted, which is not the queue's fault. */
enum { BATCH_US_MAX = 200 };

void worker_poll(struct worker *w, struct poll *p, uint64_t now)
{
	struct snapshot_worker *mine = &w->snap->worker[w->id];

	p->last_work = now;
	if (p->served < w->floor)
		p->served = w->floor;
	mine->active[mine->n_active++] = p->state->at;
	p->from->port->ops->disarm(p->from->port, p->queue);
}

static void charge(struct worker *w, struct poll *p, uint64_t cost)
{
	uint64_t most = BATCH_US_MAX * w->cycles_per_us;

	w->busy_cycles += cost;
	p->state->usage.cycles += cost;
	p->served += cost < most ? cost : most;
}

/* Serves one queue; returns whether it fell idle and is armed. */
static bool serve(struct worker *w, struct poll *p, uint64_t *now)
{
	uint64_t start = *now;
	unsigned work =
	    forward_poll(w->fw, w->snap, p->no, p->queue, start, w->now_s);

	*now = clock_cycles();
	if (!work) {
		p->served = w->floor;
		return *now - p->last_work > p->state->spin_cycles &&
		       worker_arm(w, p, *now);
	}
	p->last_work = *now;
	p->state->usage.frames += work;
	charge(w, p, *now - start);
	return false;
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
	unsigned i = 0;

	tick_second(w, now);
	while (i < mine->n_active) {
		struct poll *p = &mine->poll[mine->active[i]];

		if (p->served <= w->floor && serve(w, p, &now)) {
			mine->active[i] = mine->active[--mine->n_active];
			continue;
		}
		/* An empty one is at the floor and must not hold it down. */
		if (p->served > w->floor && p->served < least)
			least = p->served;
		i++;
	}
	if (least != UINT64_MAX)
		w->floor = least;
	w->owes_flush = forward_flush(w->fw, w->snap, now);
}
