/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtq.c - life of a virtqueue: start, break, and who is notified.
 *
 * Nothing that a guest writes where it says when it wants to be notified is
 * more than a wish: at worst it gets one notification too many or too few.
 */
#include "ports/vhost/packed.h"
#include "ports/vhost/split.h"

static const char *const fault_names[] = {
#define X(id, name) [VIRTQ_##id] = name,
    VIRTQ_FAULTS(X)
#undef X
};

/* Statistics have one writer, the worker, and a reader elsewhere. */
static void count_one(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

bool virtq_call(struct virtq *vq, struct port_worker *w)
{
	count_one(&vq->n_calls);
	return !doorbell_ring(w->bell, vq->call_fd);
}

unsigned virtq_rx(struct virtq *vq, struct batch *b, struct port_worker *w)
{
	shared_begin();
	return vq->packed ? packed_rx(vq, b, w) : split_rx(vq, b, w);
}

void virtq_rx_done(struct virtq *vq, struct port_worker *w)
{
	if (vq->packed)
		packed_rx_done(vq, w);
	else
		split_rx_done(vq, w);
}

void virtq_tx(struct virtq *vq, struct frame *const f[], unsigned n,
    struct port_worker *w)
{
	shared_begin();
	if (vq->packed)
		packed_tx(vq, f, n, w);
	else
		split_tx(vq, f, n, w);
}

static void kicks_off(struct virtq *vq)
{
	vq->armed = false;
	if (vq->packed)
		packed_kicks_off(vq);
	else
		split_kicks_off(vq);
}

static void kicks_on(struct virtq *vq)
{
	vq->armed = true;
	if (vq->packed)
		packed_kicks_on(vq);
	else
		split_kicks_on(vq);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* (D) */
}

bool virtq_arm(struct virtq *vq)
{
	if (!virtq_usable(vq))
		return true;
	kicks_on(vq);
	if (vq->packed ? packed_is_empty(vq) : split_is_empty(vq))
		return true;
	kicks_off(vq);
	return false;
}

void virtq_disarm(struct virtq *vq)
{
	if (!vq->armed)
		return;
	count_one(&vq->n_kicks);
	kicks_off(vq);
}

void virtq_start(struct virtq *vq, uint16_t base)
{
	vq->next_avail = vq->next_used = vq->signalled = base;
	vq->n_taken = 0;
	__atomic_store_n(&vq->fault, VIRTQ_NONE, __ATOMIC_RELAXED);
	if (!vq->packed)
		split_start(vq);
	kicks_off(vq);
}

/* The first fault is the reason; what follows from it is not. */
void virtq_break(struct virtq *vq, enum virtq_fault why)
{
	if (virtq_is_broken(vq))
		return;
	__atomic_store_n(&vq->fault, why, __ATOMIC_RELEASE);
	vq->port->env->raise(vq->port);
}

const char *virtq_fault_name(enum virtq_fault why)
{
	return fault_names[why];
}
