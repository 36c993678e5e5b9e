/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_sleep.c - arming, waking, and the epoll set.
 *
 * Wake descriptors of queues are used edge-triggered and never read: a peer
 * that shares the open file cannot make us block on it.  One that tells of
 * work whether the queue is armed or not is looked at once for each arming
 * (EPOLLONESHOT), so that a busy card costs no event.
 *
 * What is armed stays armed from one snapshot to the next, or a port that
 * comes would have every idle one polled again.  An event names its queue by
 * numbers, which mean something under any snapshot:
 *
 *	armed_by    set by the queue's worker, and cleared by it when the event
 *		    comes, even if the queue is nobody's at the moment
 *	watched_by  set by the queue's worker: its epoll set has the descriptor
 *
 * Before a queue becomes another's, or its descriptor is closed, control clears
 * both (worker_forget).
 *
 * It also takes the descriptor out of the set, in which it would stay as long as
 * the peer holds it open.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "switch/base/quiesce.h"
#include "switch/worker_thread.h"

enum {
	EVENTS_MAX = 64,
	FLUSH_MS = 1, /* how often a sleeper looks after what it has sent */
};

#define WAKE_EVENT UINT64_MAX /* of the worker's own descriptor */

static uint64_t name_queue(const struct poll *p)
{
	return (uint64_t)p->no << 8 | p->queue;
}

static uint8_t name_of(const struct worker *w)
{
	return (uint8_t)(w->id + 1);
}

/* Sees to it that @p's wake descriptor is looked at. */
static bool watch(struct worker *w, struct poll *p)
{
	const struct port_ops *ops = p->from->port->ops;
	struct queue_state *st = p->state;
	struct epoll_event ev = {
	    .events = EPOLLIN | EPOLLET, .data.u64 = name_queue(p)};

	if (ops->wakes_always)
		ev.events |= EPOLLONESHOT;
	if (st->watched_by)
		return !ops->wakes_always ||
		       !epoll_ctl(
			   w->epoll_fd, EPOLL_CTL_MOD, st->watched_fd, &ev);
	st->watched_fd = ops->wake_fd(p->from->port, p->queue);
	if (st->watched_fd < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, st->watched_fd, &ev))
		return false;
	st->watched_by = name_of(w);
	return true;
}

bool worker_arm(struct worker *w, struct poll *p, uint64_t now)
{
	struct port *port = p->from->port;

	if (watch(w, p) && port->ops->arm(port, p->queue)) {
		p->state->armed_at = now;
		__atomic_store_n(
		    &p->state->armed_by, name_of(w), __ATOMIC_RELAXED);
		return true;
	}
	p->last_work = now;
	port->ops->disarm(port, p->queue);
	return false;
}

bool worker_is_armed(const struct worker *w, const struct poll *p)
{
	return p->state->watched_by == name_of(w) &&
	       __atomic_load_n(&p->state->armed_by, __ATOMIC_RELAXED) ==
		   name_of(w);
}

static void drain_wake_fd(struct worker *w)
{
	uint64_t n;

	while (read(w->wake_fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

static void adapt(struct worker *w, struct queue_state *st, uint64_t now)
{
	if (w->spin == SPIN_ADAPTIVE)
		st->spin_cycles = spin_adapt(
		    st->spin_cycles, now - st->armed_at, w->cycles_per_us);
}

/* Deals with the event of the queue @name.  While the queue is not ours to
 * poll all we may do is note that it is armed no more. */
static void wake(struct worker *w, uint64_t name, uint64_t now)
{
	uint64_t no = name >> 8;
	unsigned q = name & 0xff;
	const struct snapshot_port *sp;
	uint8_t mine = name_of(w);

	if (no >= w->snap->n_ports)
		return;
	sp = &w->snap->port[no];
	if (!sp->port ||
	    !__atomic_compare_exchange_n(&sp->state[q].armed_by, &mine, 0,
		false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return;
	if (sp->owner[q] != (int)w->id)
		return;
	adapt(w, &sp->state[q], now);
	worker_poll(w, &w->snap->worker[w->id].poll[sp->state[q].at], now);
}

static int timeout_ms(const struct worker *w, bool sleep)
{
	if (!sleep)
		return 0;
	return w->owes_flush ? FLUSH_MS : -1;
}

void worker_collect(struct worker *w, bool sleep)
{
	struct epoll_event ev[EVENTS_MAX];
	int n;

	if (sleep) {
		__atomic_store_n(&w->asleep, 1, __ATOMIC_RELAXED);
		quiesce_offline();
	}
	n = epoll_wait(w->epoll_fd, ev, EVENTS_MAX, timeout_ms(w, sleep));
	if (sleep) {
		quiesce_online();
		__atomic_store_n(&w->asleep, 0, __ATOMIC_RELAXED);
		worker_follow_snapshot(w);
	}
	w->looked_at = clock_cycles();
	for (int i = 0; i < n; i++) {
		if (ev[i].data.u64 == WAKE_EVENT)
			drain_wake_fd(w);
		else
			wake(w, ev[i].data.u64, w->looked_at);
	}
}

void worker_respin(struct worker *w)
{
	struct snapshot_worker *mine = &w->snap->worker[w->id];
	uint64_t now = clock_cycles();

	for (unsigned i = 0; i < mine->n_polls; i++) {
		struct poll *p = &mine->poll[i];

		p->state->spin_cycles = spin_cycles(
		    w->spin, p->state->spin_cycles, w->cycles_per_us);
		if (w->spin == SPIN_ALWAYS && worker_is_armed(w, p))
			wake(w, name_queue(p), now);
	}
}

/* Takes a queue that nobody polls out of the epoll set that it is in. */
static void forget(struct sw *sw, struct queue_state *st)
{
	const struct worker *w =
	    st->watched_by ? sw->worker[st->watched_by - 1] : NULL;

	if (w)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, st->watched_fd, NULL);
	st->watched_by = 0;
	__atomic_store_n(&st->armed_by, 0, __ATOMIC_RELAXED);
}

void worker_forget(
    struct sw *sw, const struct snapshot *before, const struct snapshot *after)
{
	for (unsigned no = 0; no < before->n_ports; no++) {
		const struct snapshot_port *was = &before->port[no], *is = NULL;

		if (no < after->n_ports && after->port[no].port == was->port)
			is = &after->port[no];
		for (unsigned q = 0; was->port && q < PORT_QUEUES_MAX; q++)
			if (was->owner[q] >= 0 &&
			    !(is && is->owner[q] == was->owner[q]))
				forget(sw, &was->state[q]);
	}
}

int worker_sleep_open(struct worker *w, struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = WAKE_EVENT};

	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->wake_fd < 0)
		return err_set(e, -errno, "eventfd: %m");
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0 ||
	    epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &ev))
		return err_set(e, -errno, "epoll: %m");
	return 0;
}

void worker_sleep_close(struct worker *w)
{
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
}
