/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.h - the only ways to look at memory that a guest can write.
 *
 * Whatever lies in guest memory may change between two looks, so everything
 * is fetched once into a local.  Loads of ring fields are atomic, which the
 * compiler may neither split nor repeat; copies end in a compiler barrier,
 * without which it may look at the source again instead of at the copy.
 *
 * Threads: any.
 */
#ifndef PORTS_VHOST_ACCESS_H
#define PORTS_VHOST_ACCESS_H

#include <linux/virtio_ring.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) shared_u64;
typedef uint32_t __attribute__((may_alias)) shared_u32;

/* A descriptor of a split ring, fetched. */
struct shared_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static inline uint16_t shared_load(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint16_t shared_load_acquire(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void shared_store(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline void shared_store_release(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* dst[0..n), ours, from src[0..n), the guest's. */
static inline void shared_copy_in(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	__asm__ volatile("" : : "r"(dst) : "memory");
}

/* Two loads: the address, and the rest as the little-endian word it is. */
static inline struct shared_desc shared_load_desc(const struct vring_desc *p)
{
	const shared_u64 *word = (const shared_u64 *)p;
	uint64_t addr = __atomic_load_n(&word[0], __ATOMIC_RELAXED);
	uint64_t rest = __atomic_load_n(&word[1], __ATOMIC_RELAXED);

	return (struct shared_desc){addr, (uint32_t)rest,
	    (uint16_t)(rest >> 32), (uint16_t)(rest >> 48)};
}

#endif
