/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vring_split.c - the driver side of a split virtqueue (virtio 1.2, 2.7).
 *
 * Free descriptors are a list through desc[].next, as chains are; what a chain
 * was for is kept outside the ring, because its owner may scribble on it.
 */
#include <errno.h>

#include "tests/guest/vring_format.h"

static int split_alloc(struct guest_vring *r)
{
	uint64_t desc_size = sizeof(*r->desc) * r->size;
	uint64_t avail_size = sizeof(uint16_t) * (3 + r->size);
	uint64_t used_size =
	    sizeof(uint16_t) * 3 + sizeof(struct vring_used_elem) * r->size;

	r->desc_gpa = guest_vring_alloc(r, desc_size, 16);
	r->avail_gpa = guest_vring_alloc(r, avail_size, 2);
	r->used_gpa = guest_vring_alloc(r, used_size, 4);
	r->desc = guest_memory_at(r->mem, r->desc_gpa, desc_size);
	r->avail = guest_memory_at(r->mem, r->avail_gpa, avail_size);
	r->used = guest_memory_at(r->mem, r->used_gpa, used_size);
	return r->desc && r->avail && r->used ? 0 : -ENOMEM;
}

static void split_restart(struct guest_vring *r, uint16_t first)
{
	for (unsigned i = 0; i < r->size; i++)
		r->desc[i] = (struct vring_desc){.next = (uint16_t)(i + 1)};
	r->free_head = 0;
	r->batch.id = GUEST_VRING_NONE;
	r->avail->flags = 0;
	r->used->flags = 0;
	*guest_vring_used_event(r) = (uint16_t)(first - 1);
	*guest_vring_avail_event(r) = first;
	__atomic_store_n(&r->avail->idx, first, __ATOMIC_RELEASE);
	__atomic_store_n(&r->used->idx, first, __ATOMIC_RELEASE);
}

static uint32_t split_base(const struct guest_vring *r)
{
	return __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
}

static struct vring_desc describe(const struct guest_buf *b)
{
	return (struct vring_desc){
	    .addr = b->gpa,
	    .len = b->len,
	    .flags = b->in ? VRING_DESC_F_WRITE : 0,
	};
}

/* Puts b[0..n) into the table of its own that belongs to @head. */
static int add_indirect(struct guest_vring *r, uint16_t head,
    const struct guest_buf b[], unsigned n)
{
	struct vring_desc *table = guest_vring_table(r, head);

	if (!table)
		return -ENOSPC;
	for (unsigned i = 0; i < n; i++) {
		table[i] = describe(&b[i]);
		if (i + 1 < n) {
			table[i].flags |= VRING_DESC_F_NEXT;
			table[i].next = (uint16_t)(i + 1);
		}
	}
	r->desc[head].addr = r->indirect_gpa[head];
	r->desc[head].len = (uint32_t)(n * sizeof(*table));
	r->desc[head].flags = VRING_DESC_F_INDIRECT;
	return 0;
}

/* Fills descriptors from the free list with b[0..n). */
static uint16_t add_direct(struct guest_vring *r, uint16_t head,
    const struct guest_buf b[], unsigned n)
{
	uint16_t at = head, next = head;

	for (unsigned i = 0; i < n; i++) {
		at = next;
		next = r->desc[at].next;
		r->desc[at] = describe(&b[i]);
		r->desc[at].next = next;
		if (i + 1 < n)
			r->desc[at].flags |= VRING_DESC_F_NEXT;
	}
	return next;
}

static int split_add(struct guest_vring *r, const struct guest_buf b[],
    unsigned n, bool indirect, uint64_t cookie)
{
	uint16_t head = r->free_head;
	uint16_t used = indirect ? 1 : (uint16_t)n;

	if (!indirect) {
		r->free_head = add_direct(r, head, b, n);
	} else {
		uint16_t next = r->desc[head].next;

		if (add_indirect(r, head, b, n) != 0)
			return -ENOSPC;
		r->desc[head].next = next;
		r->free_head = next;
	}
	r->n_free = (uint16_t)(r->n_free - used);
	r->chain[head] = (struct guest_chain){.cookie = cookie, .n = used};
	r->avail->ring[r->next_avail++ & (r->size - 1)] = head;
	return head;
}

static void split_publish(struct guest_vring *r)
{
	__atomic_store_n(
	    &r->avail->idx, r->next_avail, __ATOMIC_RELEASE); /* A */
}

static bool split_wants_kick(struct guest_vring *r, uint16_t n)
{
	uint16_t event;

	if (!r->event_idx)
		return !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) &
			 VRING_USED_F_NO_NOTIFY);
	event = __atomic_load_n(guest_vring_avail_event(r), __ATOMIC_RELAXED);
	return (uint16_t)(r->published - event - 1) < n;
}

static bool split_has_used(const struct guest_vring *r)
{
	return __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) != /* C */
	       r->next_used;
}

/* Puts the descriptors of the chain at @head back on the free list. */
static void release(struct guest_vring *r, uint16_t head)
{
	uint16_t last = head;

	for (unsigned i = 1; i < r->chain[head].n; i++)
		last = r->desc[last].next;
	r->desc[last].next = r->free_head;
	r->free_head = head;
	r->n_free = (uint16_t)(r->n_free + r->chain[head].n);
	r->chain[head].n = 0;
}

/* The next chain that was added, which is the next that comes back; what the
 * device has written for a batch says which is its last one. */
static struct vring_used_elem take_in_order(struct guest_vring *r)
{
	uint16_t at = r->next_used++ & (r->size - 1);
	struct vring_used_elem e = {.id = r->avail->ring[at]};

	if (r->batch.id == GUEST_VRING_NONE)
		r->batch = r->used->ring[at];
	if (e.id == r->batch.id) {
		e = r->batch;
		r->batch.id = GUEST_VRING_NONE;
	}
	return e;
}

static struct vring_used_elem take_any(struct guest_vring *r)
{
	return r->used->ring[r->next_used++ & (r->size - 1)];
}

static bool split_reap(struct guest_vring *r, uint64_t *cookie, uint32_t *len)
{
	struct vring_used_elem e = r->in_order ? take_in_order(r) : take_any(r);

	if (e.id >= r->size || !r->chain[e.id].n) {
		r->n_bad++;
		return false;
	}
	*cookie = r->chain[e.id].cookie;
	*len = e.len;
	release(r, (uint16_t)e.id);
	return true;
}

/* With the event index, calls end by themselves once it lies behind. */
static void split_wish(struct guest_vring *r, bool calls)
{
	if (!r->event_idx)
		__atomic_store_n(&r->avail->flags,
		    calls ? 0 : VRING_AVAIL_F_NO_INTERRUPT, __ATOMIC_RELAXED);
	else if (calls)
		__atomic_store_n(
		    guest_vring_used_event(r), r->next_used, __ATOMIC_RELAXED);
}

const struct guest_vring_format guest_vring_split = {
    .alloc = split_alloc,
    .restart = split_restart,
    .base = split_base,
    .add = split_add,
    .publish = split_publish,
    .has_used = split_has_used,
    .reap = split_reap,
    .wants_kick = split_wants_kick,
    .wish = split_wish,
};
