/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vring.c - the driver side of a split virtqueue (virtio 1.2, 2.7).
 *
 * Free descriptors are a list through desc[].next, as chains are; what a chain
 * was for is kept outside the ring, because its owner may scribble on it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/vring.h"

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* An address that is aligned to @align and to nothing larger. */
static uint64_t alloc_barely_aligned(
    struct guest_memory *mem, uint64_t size, uint64_t align)
{
	uint64_t gpa = guest_memory_alloc(mem, size + align, 2 * align);

	return gpa ? gpa + align : 0;
}

static int alloc_ring(struct guest_vring *r)
{
	uint64_t desc_size = sizeof(*r->desc) * r->size;
	uint64_t avail_size = sizeof(uint16_t) * (3 + r->size);
	uint64_t used_size =
	    sizeof(uint16_t) * 3 + sizeof(struct vring_used_elem) * r->size;

	r->desc_gpa = alloc_barely_aligned(r->mem, desc_size, 16);
	r->avail_gpa = alloc_barely_aligned(r->mem, avail_size, 2);
	r->used_gpa = alloc_barely_aligned(r->mem, used_size, 4);
	r->desc = guest_memory_at(r->mem, r->desc_gpa, desc_size);
	r->avail = guest_memory_at(r->mem, r->avail_gpa, avail_size);
	r->used = guest_memory_at(r->mem, r->used_gpa, used_size);
	return r->desc && r->avail && r->used ? 0 : -ENOMEM;
}

int guest_vring_init(struct guest_vring *r, struct guest_memory *mem,
    uint16_t size, uint16_t first)
{
	*r = (struct guest_vring){
	    .mem = mem,
	    .size = size,
	    .kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	    .call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	    .err_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	    .chain = calloc(size, sizeof(*r->chain)),
	    .indirect_gpa = calloc(size, sizeof(*r->indirect_gpa)),
	};
	if (!r->chain || !r->indirect_gpa || r->kick_fd < 0 || r->call_fd < 0 ||
	    r->err_fd < 0 || alloc_ring(r) != 0) {
		guest_vring_fini(r);
		return -ENOMEM;
	}
	guest_vring_restart(r, first);
	return 0;
}

void guest_vring_fini(struct guest_vring *r)
{
	free(r->chain);
	free(r->indirect_gpa);
	if (r->kick_fd >= 0)
		close(r->kick_fd);
	if (r->call_fd >= 0)
		close(r->call_fd);
	if (r->err_fd >= 0)
		close(r->err_fd);
	*r = (struct guest_vring){.kick_fd = -1, .call_fd = -1, .err_fd = -1};
}

void guest_vring_restart(struct guest_vring *r, uint16_t first)
{
	memset(r->chain, 0, sizeof(*r->chain) * r->size);
	for (unsigned i = 0; i < r->size; i++)
		r->desc[i] = (struct vring_desc){.next = (uint16_t)(i + 1)};
	r->free_head = 0;
	r->n_free = r->size;
	r->next_avail = r->published = r->kicked = r->next_used = first;
	r->avail->flags = 0;
	r->used->flags = 0;
	*guest_vring_used_event(r) = (uint16_t)(first - 1);
	*guest_vring_avail_event(r) = first;
	__atomic_store_n(&r->avail->idx, first, __ATOMIC_RELEASE);
	__atomic_store_n(&r->used->idx, first, __ATOMIC_RELEASE);
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
	uint64_t size = sizeof(struct vring_desc) * GUEST_VRING_BUFS_MAX;
	struct vring_desc *table;

	if (!r->indirect_gpa[head])
		r->indirect_gpa[head] = guest_memory_alloc(r->mem, size, 8);
	table = guest_memory_at(r->mem, r->indirect_gpa[head], size);
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

int guest_vring_add(struct guest_vring *r, const struct guest_buf b[],
    unsigned n, bool indirect, uint64_t cookie)
{
	uint16_t head = r->free_head;
	uint16_t used = indirect ? 1 : (uint16_t)n;

	if (!n || n > GUEST_VRING_BUFS_MAX)
		return -EINVAL;
	if (used > r->n_free)
		return -ENOSPC;
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
	r->chain[head] = (struct guest_chain){cookie, used};
	r->avail->ring[r->next_avail++ & (r->size - 1)] = head;
	return head;
}

void guest_vring_publish(struct guest_vring *r)
{
	r->published = r->next_avail;
	__atomic_store_n(
	    &r->avail->idx, r->published, __ATOMIC_RELEASE); /* A */
}

void guest_vring_kick_always(struct guest_vring *r)
{
	uint64_t one = 1;

	r->kicked = r->published;
	r->n_kicks++;
	if (write(r->kick_fd, &one, sizeof(one)) != sizeof(one))
		r->n_kicks--; /* it is full: the device has been told */
}

bool guest_vring_kick(struct guest_vring *r)
{
	uint16_t n = (uint16_t)(r->published - r->kicked);
	bool wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* B */
	if (r->event_idx) {
		uint16_t event = __atomic_load_n(
		    guest_vring_avail_event(r), __ATOMIC_RELAXED);

		wanted = (uint16_t)(r->published - event - 1) < n;
	} else {
		wanted = !(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED) &
			   VRING_USED_F_NO_NOTIFY);
	}
	r->kicked = r->published;
	if (wanted && n)
		guest_vring_kick_always(r);
	return wanted && n;
}

bool guest_vring_has_used(const struct guest_vring *r)
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

bool guest_vring_reap(struct guest_vring *r, uint64_t *cookie, uint32_t *len)
{
	struct vring_used_elem e;

	if (!guest_vring_has_used(r))
		return false;
	e = r->used->ring[r->next_used++ & (r->size - 1)];
	if (e.id >= r->size || !r->chain[e.id].n) {
		r->n_bad++;
		return false;
	}
	*cookie = r->chain[e.id].cookie;
	*len = e.len;
	release(r, (uint16_t)e.id);
	return true;
}

bool guest_vring_arm(struct guest_vring *r)
{
	if (r->event_idx)
		__atomic_store_n(
		    guest_vring_used_event(r), r->next_used, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->avail->flags, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* D */
	return !guest_vring_has_used(r);
}

void guest_vring_disarm(struct guest_vring *r)
{
	uint64_t count;

	if (!r->event_idx)
		__atomic_store_n(&r->avail->flags, VRING_AVAIL_F_NO_INTERRUPT,
		    __ATOMIC_RELAXED);
	if (read(r->call_fd, &count, sizeof(count)) == sizeof(count))
		r->n_calls += count;
}

bool guest_vring_wait(struct guest_vring *r, int timeout_ms)
{
	struct pollfd p = {.fd = r->call_fd, .events = POLLIN};
	int64_t deadline = now_ms() + timeout_ms;
	bool called = true;

	if (guest_vring_has_used(r))
		return true;
	while (called && guest_vring_arm(r)) {
		int64_t left = deadline - now_ms();

		called = poll(&p, 1, left > 0 ? (int)left : 0) > 0;
		guest_vring_disarm(r);
	}
	return called;
}
