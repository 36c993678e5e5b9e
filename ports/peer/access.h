/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.h - the only ways to look at memory that a peer can write.
 *
 * Whatever lies in a guest's or an application's memory may change between two
 * looks, so everything is fetched once into a local.  Loads of ring fields are
 * atomic, which the compiler may neither split nor repeat; copies end in a
 * compiler barrier, without which it may look at the source again instead of
 * at the copy.
 *
 * Threads: any.
 */
#ifndef PORTS_PEER_ACCESS_H
#define PORTS_PEER_ACCESS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias)) shared_u64;
typedef uint32_t __attribute__((may_alias)) shared_u32;

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

/* dst[0..n), ours, from src[0..n), the peer's. */
static inline void shared_copy_in(void *dst, const void *src, size_t n)
{
	memcpy(dst, src, n);
	__asm__ volatile("" : : "r"(dst) : "memory");
}

#endif
