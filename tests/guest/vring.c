/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vring.c - the driver side of a virtqueue: what split and packed share.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/vring_format.h"

enum { DESC_SIZE = sizeof(struct vring_desc) };

static_assert(
    sizeof(struct vring_packed_desc) == DESC_SIZE, "tables serve both formats");

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

uint64_t guest_vring_alloc(struct guest_vring *r, uint64_t size, uint64_t align)
{
	uint64_t gpa = guest_memory_alloc(r->mem, size + align, 2 * align);

	return gpa ? gpa + align : 0;
}

void *guest_vring_table(struct guest_vring *r, uint16_t id)
{
	uint64_t size = DESC_SIZE * GUEST_VRING_BUFS_MAX;

	if (!r->indirect_gpa[id])
		r->indirect_gpa[id] = guest_memory_alloc(r->mem, size, 8);
	return guest_memory_at(r->mem, r->indirect_gpa[id], size);
}

int guest_vring_init(struct guest_vring *r, struct guest_memory *mem,
    bool packed, uint16_t size, uint16_t first)
{
	*r = (struct guest_vring){
	    .mem = mem,
	    .format = packed ? &guest_vring_packed : &guest_vring_split,
	    .size = size,
	    .kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	    .call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	    .err_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
	    .chain = calloc(size, sizeof(*r->chain)),
	    .indirect_gpa = calloc(size, sizeof(*r->indirect_gpa)),
	};
	if (!r->chain || !r->indirect_gpa || r->kick_fd < 0 || r->call_fd < 0 ||
	    r->err_fd < 0 || r->format->alloc(r) != 0) {
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
	for (unsigned i = 0; i < r->size; i++)
		r->chain[i].n = 0;
	r->n_free = r->size;
	r->next_avail = r->published = r->kicked = r->next_used = first;
	r->format->restart(r, first);
	r->first_base = guest_vring_base(r);
}

uint32_t guest_vring_base(const struct guest_vring *r)
{
	return r->format->base(r);
}

int guest_vring_add(struct guest_vring *r, const struct guest_buf b[],
    unsigned n, bool indirect, uint64_t cookie)
{
	if (!n || n > GUEST_VRING_BUFS_MAX)
		return -EINVAL;
	if ((indirect ? 1 : n) > r->n_free)
		return -ENOSPC;
	return r->format->add(r, b, n, indirect, cookie);
}

void guest_vring_publish(struct guest_vring *r)
{
	r->format->publish(r);
	r->published = r->next_avail;
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
	wanted = n && r->format->wants_kick(r, n);
	r->kicked = r->published;
	if (wanted)
		guest_vring_kick_always(r);
	return wanted;
}

bool guest_vring_has_used(const struct guest_vring *r)
{
	return r->format->has_used(r);
}

bool guest_vring_reap(struct guest_vring *r, uint64_t *cookie, uint32_t *len)
{
	return guest_vring_has_used(r) && r->format->reap(r, cookie, len);
}

bool guest_vring_arm(struct guest_vring *r)
{
	r->format->wish(r, true);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* D */
	return !guest_vring_has_used(r);
}

void guest_vring_disarm(struct guest_vring *r)
{
	uint64_t count;

	r->format->wish(r, false);
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
