/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quiesce.h - when may what a worker might still be looking at be freed.
 *
 * Quiescent-state-based reclamation (liburcu's QSBR flavour) under the names
 * this switch uses.  A worker is a reader all the time, except at the instant
 * in which it calls quiesce_point() and while it is offline, asleep.  Whoever
 * replaced something that workers read waits with quiesce_wait() and may then
 * free or change the old one.
 *
 * Threads: a worker joins first and leaves last; the control thread, which
 * never joins, waits.
 */
#ifndef SWITCH_BASE_QUIESCE_H
#define SWITCH_BASE_QUIESCE_H

#include <urcu/urcu-qsbr.h>

/* ThreadSanitizer cannot look into liburcu: it is told what a grace period
 * orders, the writer's past before the reader's future and the reverse. */
#ifdef __SANITIZE_THREAD__
#define QUIESCE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define QUIESCE_TSAN 1
#endif
#endif

#ifdef QUIESCE_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
extern char quiesce_readers, quiesce_writer;
#define QUIESCE_PASS(take, give) (__tsan_acquire(&take), __tsan_release(&give))
#else
#define QUIESCE_PASS(take, give) ((void)0)
#endif

static inline void quiesce_join(void)
{
	urcu_qsbr_register_thread();
}

static inline void quiesce_leave(void)
{
	QUIESCE_PASS(quiesce_writer, quiesce_readers);
	urcu_qsbr_unregister_thread();
}

/* The worker holds no pointer from a snapshot at this instant. */
static inline void quiesce_point(void)
{
	QUIESCE_PASS(quiesce_writer, quiesce_readers);
	urcu_qsbr_quiescent_state();
	QUIESCE_PASS(quiesce_writer, quiesce_readers);
}

/* The worker holds no pointer until quiesce_online(): it is about to sleep. */
static inline void quiesce_offline(void)
{
	QUIESCE_PASS(quiesce_writer, quiesce_readers);
	urcu_qsbr_thread_offline();
}

static inline void quiesce_online(void)
{
	urcu_qsbr_thread_online();
	QUIESCE_PASS(quiesce_writer, quiesce_readers);
}

/* Returns once every worker has been quiescent since the call. */
static inline void quiesce_wait(void)
{
	QUIESCE_PASS(quiesce_readers, quiesce_writer);
	urcu_qsbr_synchronize_rcu();
	QUIESCE_PASS(quiesce_readers, quiesce_writer);
}

#endif
