/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.c - life of a pipe's ring: start, break, listen.
 *
 * A server goes on where tail is, which nobody else moves.  A client begins at
 * 0, and offers its buffers only once it is connected, because there are
 * servers that reset both indices when they connect.
 */
#include "ports/pipe/ring.h"

static const char *const fault_names[] = {
#define X(id, name) [PIPE_##id] = name,
    PIPE_FAULTS(X)
#undef X
};

const char *pipe_fault_name(enum pipe_fault why)
{
	return fault_names[why];
}

/* Statistics have one writer, the worker, and a reader elsewhere. */
static void count_one(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* The first fault is the reason; what follows from it is not. */
__attribute__((noinline)) void pipe_ring_break(
    struct pipe_ring *r, enum pipe_fault why)
{
	if (pipe_ring_is_broken(r))
		return;
	__atomic_store_n(&r->fault, why, __ATOMIC_RELEASE);
	r->port->env->raise(r->port);
}

static void make_own(const struct pipe_ring *r)
{
	shared_store_u32(&r->shared->cookie, MEMIF_COOKIE);
	for (unsigned k = 0; k <= r->mask; k++)
		pipe_ring_put_own(r, k, 0, r->buffer_size);
}

void pipe_ring_init(struct pipe_ring *r, struct memif_ring __peer *shared,
    uint32_t size, struct pipe_ring_role role)
{
	r->shared = shared;
	r->mask = size - 1;
	r->sends = role.sends;
	r->ours = role.client ? &shared->head : &shared->tail;
	r->theirs = role.client ? &shared->tail : &shared->head;
	r->behind = role.client && role.sends ? (uint16_t)size : 0;
	r->ahead = role.client && !role.sends ? (uint16_t)size : 0;
	r->next = 0;
	if (role.client)
		make_own(r);
	else
		r->next = shared_poll(r->ours);
}

void pipe_ring_start(struct pipe_ring *r)
{
	r->n_taken = 0;
	r->listening = r->armed = false;
	__atomic_store_n(&r->fault, PIPE_NONE, __ATOMIC_RELAXED);
	pipe_ring_publish(r, 0);
	if (!r->sends)
		shared_store(&r->shared->flags, MEMIF_RING_MASK_INT);
}

bool pipe_ring_arm(struct pipe_ring *r)
{
	if (!pipe_ring_usable(r))
		return true;
	if (!r->listening) {
		r->listening = true;
		shared_store(&r->shared->flags, 0);
		__atomic_thread_fence(__ATOMIC_SEQ_CST); /* (C) */
		return false;
	}
	r->armed = shared_poll(r->theirs) == r->next;
	return r->armed;
}

/* The ring goes on listening until frames come. */
void pipe_ring_disarm(struct pipe_ring *r)
{
	if (r->armed)
		count_one(&r->n_wakes);
	r->armed = false;
}
