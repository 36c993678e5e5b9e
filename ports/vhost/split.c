/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split.c - a split ring's start, its end of a batch, notifications both ways.
 *
 * The used index says what was returned, and where the device goes on if it is
 * killed.
 */
#include "ports/vhost/inflight.h"
#include "ports/vhost/split.h"
#include "ports/vhost/virtq_log.h"

/* Whether the guest wants to hear of used->idx going from @old to @new. */
static bool call_is_wanted(const struct virtq *vq, uint16_t old, uint16_t new)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* (C) */
	if (vq->event_idx)
		return vring_need_event(
		    shared_poll(&vq->avail->ring[vq->size]), new, old);
	return !(shared_poll(&vq->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* In order, not all of the @n elements need have been written. */
static __attribute__((noinline)) void log_slow(
    const struct virtq *vq, const struct virtq_log *l, unsigned n)
{
	virtq_log_elements(vq, l, (vq->next_used - n) & (vq->size - 1), n);
}

void split_publish(struct virtq *vq, unsigned n, struct port_worker *w)
{
	const struct virtq_log *l = virtq_log(vq);
	uint16_t old = vq->signalled;

	vq->next_used = (uint16_t)(vq->next_used + n);
	shared_store_release(&vq->used->idx, vq->next_used); /* (B) */
	inflight_note_split(vq, vq->next_used);
	vq->signalled = vq->next_used;
	if (__builtin_expect(l != NULL, 0))
		log_slow(vq, l, n);
	if (vq->call_fd < 0 || !call_is_wanted(vq, old, vq->signalled))
		return;
	if (!virtq_call(vq, w))
		vq->signalled = old;
}

/* Where the device says how far the guest may go without a notification. */
static uint16_t __peer *avail_event(const struct virtq *vq)
{
	return (uint16_t __peer *)&vq->used->ring[vq->size];
}

static uint64_t offset_of(const struct virtq *vq, const void __peer *field)
{
	return (uintptr_t)field - (uintptr_t)vq->used;
}

static void set_flags(struct virtq *vq, uint16_t flags)
{
	uint16_t __peer *field = &vq->used->flags;

	shared_store(field, flags);
	virtq_log_used(vq, offset_of(vq, field), sizeof(*field));
}

/* With event_idx the index stays where it was: behind, and thus silent. */
void split_kicks_off(struct virtq *vq)
{
	if (!vq->event_idx)
		set_flags(vq, VRING_USED_F_NO_NOTIFY);
}

void split_kicks_on(struct virtq *vq)
{
	if (!vq->event_idx) {
		set_flags(vq, 0);
		return;
	}
	shared_store(avail_event(vq), vq->next_avail);
	virtq_log_used(vq, offset_of(vq, avail_event(vq)), sizeof(uint16_t));
}

bool split_is_empty(const struct virtq *vq)
{
	return shared_poll(&vq->avail->idx) == vq->next_avail;
}

void split_start(struct virtq *vq)
{
	set_flags(vq, 0);
}
