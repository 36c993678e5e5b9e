/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring_guest.h - a guest's side of a split virtqueue, as good or bad as wanted.
 *
 * One struct ring is a guest with one queue: memory of two adjacent regions,
 * mapped apart from each other so that nobody gets from one to the other by
 * accident, every byte of it poisoned, and guard pages around both.  Helpers
 * for the well-behaved; everything is open for hostile tests to write to.
 *
 *	guest address   0x100000  ring, then buffers   (REGION_SIZE bytes)
 *	                +REGION_SIZE  buffers          (REGION_SIZE bytes)
 *
 * Life: ring_open, ring_close.  Threads: one.
 */
#ifndef TESTS_UNIT_RING_GUEST_H
#define TESTS_UNIT_RING_GUEST_H

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ports/vhost/virtq.h"

enum {
	GUEST_BASE = 0x100000,
	REGION_SIZE = 1 << 20,
	GUARD_SIZE = 1 << 16,
	BUFS_AT = 0x80000, /* offset of the first buffer, behind the ring */
	CANARY = 0xa5,
};

#define GUEST_SEAM (GUEST_BASE + (uint64_t)REGION_SIZE)
#define GUEST_END  (GUEST_SEAM + REGION_SIZE)
#define BUFS	   (GUEST_BASE + (uint64_t)BUFS_AT)

struct ring {
	struct virtq vq;
	struct port port;
	struct port_env env;
	struct counters counters;
	struct port_worker w;
	struct vhost_memory *mem;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	unsigned n_raised;
};

static inline void ring_raise(struct port *port)
{
	((struct ring *)((char *)port - offsetof(struct ring, port)))
	    ->n_raised++;
}

static inline uint8_t *ring_map(void)
{
	uint8_t *p = mmap(NULL, REGION_SIZE + 2 * GUARD_SIZE, PROT_NONE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED ||
	    mprotect(p + GUARD_SIZE, REGION_SIZE, PROT_READ | PROT_WRITE))
		abort();
	memset(p + GUARD_SIZE, CANARY, REGION_SIZE);
	return p + GUARD_SIZE;
}

/* One for all rings of a process: closing one takes the kernel long. */
static inline struct doorbell *ring_bell(void)
{
	static struct doorbell *bell;

	if (!bell && doorbell_open(&bell, NULL))
		abort();
	return bell;
}

/* A started queue of @size; the caller changes r->vq's options after. */
static inline struct ring *ring_open(uint32_t size)
{
	struct ring *r = calloc(1, sizeof(*r));
	uint8_t *base;

	r->mem = calloc(1, sizeof(*r->mem) + 2 * sizeof(struct vhost_region));
	r->mem->n = 2;
	for (unsigned i = 0; i < 2; i++)
		r->mem->region[i] = (struct vhost_region){
		    .guest = GUEST_BASE + i * (uint64_t)REGION_SIZE,
		    .size = REGION_SIZE,
		    .host = ring_map()};
	base = r->mem->region[0].host;
	memset(base, 0, size * 26 + 0x3000);
	r->desc = (void *)base;
	r->avail = (void *)(base + size * 16 + 0x1000);
	r->used = (void *)(base + size * 18 + 0x2000);
	r->env.raise = ring_raise;
	r->port.env = &r->env;
	r->w.counters = &r->counters;
	r->w.bell = ring_bell();
	r->vq = (struct virtq){.mem = r->mem,
	    .desc = r->desc,
	    .avail = r->avail,
	    .used = r->used,
	    .port = &r->port,
	    .size = size,
	    .kick_fd = -1,
	    .call_fd = eventfd(0, EFD_NONBLOCK),
	    .hdr_len = VIRTIO_NET_HDR_LEN,
	    .indirect = true};
	virtq_start(&r->vq, 0);
	return r;
}

static inline void ring_close(struct ring *r)
{
	for (unsigned i = 0; i < r->mem->n && i < 2; i++)
		munmap(r->mem->region[i].host - GUARD_SIZE,
		    REGION_SIZE + 2 * GUARD_SIZE);
	close(r->vq.call_fd);
	free(r->mem);
	free(r);
}

/* Our pointer to guest address @gpa. */
static inline uint8_t *ring_at(const struct ring *r, uint64_t gpa)
{
	uint32_t got;

	return vhost_memory_at(r->mem, gpa, 1, &got);
}

static inline void ring_write(
    const struct ring *r, uint64_t gpa, const void *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		*ring_at(r, gpa + i) = ((const uint8_t *)from)[i];
}

static inline void ring_read(
    const struct ring *r, uint64_t gpa, void *to, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = *ring_at(r, gpa + i);
}

static inline void ring_desc(struct ring *r, unsigned i, uint64_t addr,
    uint32_t len, uint16_t flags, uint16_t next)
{
	r->desc[i] = (struct vring_desc){addr, len, flags, next};
}

/* Puts @head into the next element of the available ring. */
static inline void ring_offer(struct ring *r, uint16_t head)
{
	uint16_t idx = r->avail->idx;

	r->avail->ring[idx & (r->vq.size - 1)] = head;
	__atomic_store_n(&r->avail->idx, (uint16_t)(idx + 1), __ATOMIC_RELEASE);
}

/* One descriptor of @len bytes at @gpa, offered. */
static inline void ring_offer_one(
    struct ring *r, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags)
{
	ring_desc(r, i, gpa, len, flags, 0);
	ring_offer(r, i);
}

/* Byte @i of a test frame. */
static inline uint8_t ring_pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) + 3);
}

/* A finished frame of @len bytes behind a zero header, at @gpa. */
static inline void ring_frame(const struct ring *r, uint64_t gpa, uint32_t len)
{
	struct virtio_net_hdr none = {0};

	ring_write(r, gpa, &none, r->vq.hdr_len);
	for (uint32_t i = 0; i < len; i++)
		*ring_at(r, gpa + r->vq.hdr_len + i) = ring_pattern(i);
}

static inline struct vring_used_elem ring_used(const struct ring *r, unsigned i)
{
	return r->used->ring[i & (r->vq.size - 1)];
}

/* How often the guest was notified since it last looked. */
static inline uint64_t ring_calls(const struct ring *r)
{
	uint64_t n = 0;

	if (read(r->vq.call_fd, &n, sizeof(n)) != sizeof(n))
		return 0;
	return n;
}

#endif
