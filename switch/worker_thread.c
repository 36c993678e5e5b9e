/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_thread.c - polls, arms, sleeps: what a worker does all day.
 *
 * Everything that another thread wants from a running worker arrives between
 * two rounds: a new snapshot by its pointer, a call by the mailbox.  Asleep,
 * it is woken by its own eventfd, which is in the same epoll set as those of
 * the armed queues.
 *
 * Wake descriptors of queues are used edge-triggered and never read: a peer
 * that shares the open file cannot make us block on it, and a storm of kicks
 * to a queue that is polled anyway costs nothing.  The epoll set is made anew
 * with each snapshot, because a descriptor that a peer still holds open would
 * otherwise stay in it after we closed ours.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "switch/base/quiesce.h"
#include "switch/worker_thread.h"

enum {
	EVENTS_MAX = 64,
	FLUSH_MS = 1, /* how often a sleeper looks after what it has sent */
};

static void rebuild_epoll(struct worker *w)
{
	struct epoll_event ev = {.events = EPOLLIN};

	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd >= 0 &&
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &ev)) {
		close(w->epoll_fd);
		w->epoll_fd = -1; /* polls on instead of sleeping */
	}
}

static void adopt(struct worker *w, struct snapshot *snap, uint64_t now)
{
	struct snapshot_worker *mine = &snap->worker[w->id];

	w->snap = snap;
	w->generation = snap->generation;
	forward_adopt(w->fw, snap, w->id);
	mine->n_active = mine->n_polls;
	rebuild_epoll(w);
	for (unsigned i = 0; i < mine->n_polls; i++) {
		struct poll *p = &mine->poll[i];

		mine->active[i] = i;
		p->last_work = now;
		p->from->port->ops->disarm(p->from->port, p->queue);
	}
}

static void tick_second(struct worker *w, uint64_t now)
{
	if ((int64_t)(now - w->second_at) < 0)
		return;
	w->now_s = (uint32_t)(clock_ms() / 1000);
	w->second_at = now + w->cycles_per_s;
}

/* Adds @p's wake descriptor to the epoll set, at its first time. */
static bool watch(struct worker *w, struct poll *p)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.ptr = p};
	int fd = p->from->port->ops->wake_fd(p->from->port, p->queue);

	if (!p->in_epoll)
		p->in_epoll = fd >= 0 && w->epoll_fd >= 0 &&
			      !epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	return p->in_epoll;
}

/* Whether @p need not be polled any more: its peer will wake us. */
static bool try_to_arm(struct worker *w, struct poll *p, uint64_t now)
{
	struct port *port = p->from->port;

	p->armed = watch(w, p) && port->ops->arm(port, p->queue);
	if (!p->armed) {
		p->last_work = now;
		port->ops->disarm(port, p->queue);
	}
	return p->armed;
}

/* Serves one queue; returns whether it fell idle and is armed. */
static bool serve(struct worker *w, struct poll *p, uint64_t *now)
{
	uint64_t start = *now;
	unsigned work =
	    forward_poll(w->fw, w->snap, p->no, p->queue, start, w->now_s);

	*now = clock_cycles();
	if (!work)
		return *now - p->last_work > w->spin_cycles &&
		       try_to_arm(w, p, *now);
	p->last_work = *now;
	p->usage->frames += work;
	p->usage->cycles += *now - start;
	w->busy_cycles += *now - start;
	return false;
}

/* Serves every polled queue once. */
static void poll_round(struct worker *w)
{
	struct snapshot_worker *mine = &w->snap->worker[w->id];
	uint64_t now = clock_cycles();
	unsigned i = 0;

	tick_second(w, now);
	while (i < mine->n_active) {
		if (serve(w, &mine->poll[mine->active[i]], &now))
			mine->active[i] = mine->active[--mine->n_active];
		else
			i++;
	}
	w->owes_flush = forward_flush(w->fw, w->snap, now);
}

static void drain_wake_fd(struct worker *w)
{
	uint64_t n;

	while (read(w->wake_fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

static void wake_poll(struct worker *w, struct poll *p, uint64_t now)
{
	struct snapshot_worker *mine = &w->snap->worker[w->id];

	if (!p->armed)
		return;
	p->armed = false;
	p->last_work = now;
	mine->active[mine->n_active++] = (uint32_t)(p - mine->poll);
	p->from->port->ops->disarm(p->from->port, p->queue);
}

/* Takes over the current snapshot if it is another one.  Compared by number:
 * the old one may be gone and its address reused. */
static bool follow_snapshot(struct worker *w)
{
	/* (B), snapshot.h */
	struct snapshot *snap =
	    __atomic_load_n(&w->sw->snapshot, __ATOMIC_ACQUIRE);

	if (snap->generation == w->generation)
		return false;
	adopt(w, snap, clock_cycles());
	return true;
}

static int timeout_ms(const struct worker *w, bool sleep)
{
	if (!sleep)
		return 0;
	return w->owes_flush ? FLUSH_MS : -1;
}

/* Makes the armed queues that were woken polled.  With @sleep, waits for the
 * first; the snapshot that the queues belong to may go away meanwhile. */
static void collect_wakeups(struct worker *w, bool sleep)
{
	struct epoll_event ev[EVENTS_MAX];
	int n;

	if (sleep) {
		__atomic_store_n(&w->asleep, 1, __ATOMIC_RELAXED);
		quiesce_offline();
	}
	w->looked_at = clock_cycles();
	n = epoll_wait(w->epoll_fd, ev, EVENTS_MAX, timeout_ms(w, sleep));
	if (sleep) {
		quiesce_online();
		__atomic_store_n(&w->asleep, 0, __ATOMIC_RELAXED);
		drain_wake_fd(w);
		if (follow_snapshot(w))
			return;
	}
	for (int i = 0; i < n; i++)
		if (ev[i].data.ptr)
			wake_poll(w, ev[i].data.ptr, clock_cycles());
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
		collect_wakeups(w, true);
	else if (mine->n_active < mine->n_polls &&
		 clock_cycles() - w->looked_at > w->spin_cycles)
		collect_wakeups(w, false);
}

void *worker_main(void *worker)
{
	struct worker *w = worker;

	quiesce_join();
	while (!w->stop) {
		/* Between these two nothing of a snapshot is held. */
		quiesce_point();
		follow_snapshot(w);
		poll_round(w);
		look_at_armed(w);
		read_mailbox(w);
	}
	quiesce_leave();
	return NULL;
}
