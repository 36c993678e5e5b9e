/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtq.c - life of a virtqueue: start, break, and notifications both ways.
 *
 * Nothing that a guest writes where it says when it wants to be notified is
 * more than a wish: at worst it gets one notification too many or too few.
 */
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

/* Whether the guest wants to hear of used->idx going from @old to @new. */
static bool call_is_wanted(const struct virtq *vq, uint16_t old, uint16_t new)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* (C) */
	if (vq->event_idx)
		return vring_need_event(
		    shared_load(&vq->avail->ring[vq->size]), new, old);
	return !(shared_load(&vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

void split_publish(struct virtq *vq, unsigned n, struct port_worker *w)
{
	uint16_t old = vq->signalled;

	vq->next_used = (uint16_t)(vq->next_used + n);
	shared_store_release(&vq->used->idx, vq->next_used); /* (B) */
	vq->signalled = vq->next_used;
	if (vq->call_fd < 0 || !call_is_wanted(vq, old, vq->signalled))
		return;
	count_one(&vq->n_calls);
	if (doorbell_ring(w->bell, vq->call_fd))
		vq->signalled = old; /* the next one tries again */
}

/* Where the device says how far the guest may go without a notification. */
static uint16_t *avail_event(const struct virtq *vq)
{
	return (uint16_t *)&vq->used->ring[vq->size];
}

/* With event_idx the index stays where it was: behind, and thus silent. */
static void kicks_off(struct virtq *vq)
{
	vq->armed = false;
	if (!vq->event_idx)
		shared_store(&vq->used->flags, VRING_USED_F_NO_NOTIFY);
}

static void kicks_on(struct virtq *vq)
{
	vq->armed = true;
	if (vq->event_idx)
		shared_store(avail_event(vq), vq->next_avail);
	else
		shared_store(&vq->used->flags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* (D) */
}

bool virtq_arm(struct virtq *vq)
{
	if (!split_usable(vq))
		return true;
	kicks_on(vq);
	if (shared_load(&vq->avail->idx) == vq->next_avail)
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
	shared_store(&vq->used->flags, 0);
	kicks_off(vq);
}

/* The first fault is the reason; what follows from it is not. */
void virtq_break(struct virtq *vq, enum virtq_fault why)
{
	if (__atomic_load_n(&vq->fault, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&vq->fault, why, __ATOMIC_RELEASE);
	vq->port->env->raise(vq->port);
}

const char *virtq_fault_name(enum virtq_fault why)
{
	return fault_names[why];
}
