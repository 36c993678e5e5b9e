/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.h - the fields of a ring that a peer can write: see base/shared.h.
 *
 * Loads and stores of ring fields are atomic, which the compiler may neither
 * split nor repeat.  A field that says something about a buffer is loaded once
 * and the value kept; one that is looked at again and again to see whether it
 * has changed, an index or a flag, is polled, and each value stands alone.
 *
 * Threads: any.
 */
#ifndef PORTS_PEER_ACCESS_H
#define PORTS_PEER_ACCESS_H

#include "switch/base/shared.h"

typedef uint64_t __attribute__((may_alias)) shared_u64;
typedef uint32_t __attribute__((may_alias)) shared_u32;

static inline uint16_t shared_load(const uint16_t __peer *p)
{
	uint16_t v =
	    __atomic_load_n(shared_raw(const uint16_t, p), __ATOMIC_RELAXED);

	shared_look(p, &v, sizeof(v));
	return v;
}

/* Half a descriptor, of which a field is one after the other. */
static inline uint64_t shared_load_u64(const void __peer *p)
{
	uint64_t v =
	    __atomic_load_n(shared_raw(const shared_u64, p), __ATOMIC_RELAXED);

	shared_look(p, &v, sizeof(v));
	return v;
}

static inline uint16_t shared_poll(const uint16_t __peer *p)
{
	return __atomic_load_n(shared_raw(const uint16_t, p), __ATOMIC_RELAXED);
}

static inline uint64_t shared_poll_u64(const void __peer *p)
{
	return __atomic_load_n(
	    shared_raw(const shared_u64, p), __ATOMIC_RELAXED);
}

static inline uint32_t shared_poll_u32(const void __peer *p)
{
	return __atomic_load_n(
	    shared_raw(const shared_u32, p), __ATOMIC_RELAXED);
}

static inline uint16_t shared_load_acquire(const uint16_t __peer *p)
{
	return __atomic_load_n(shared_raw(const uint16_t, p), __ATOMIC_ACQUIRE);
}

/* What counts as looked at is for the caller to say. */
static inline uint64_t shared_load_u64_acquire(const void __peer *p)
{
	return __atomic_load_n(
	    shared_raw(const shared_u64, p), __ATOMIC_ACQUIRE);
}

static inline void shared_store(uint16_t __peer *p, uint16_t v)
{
	__atomic_store_n(shared_raw(uint16_t, p), v, __ATOMIC_RELAXED);
}

static inline void shared_store_release(uint16_t __peer *p, uint16_t v)
{
	__atomic_store_n(shared_raw(uint16_t, p), v, __ATOMIC_RELEASE);
}

static inline void shared_store_u32(void __peer *p, uint32_t v)
{
	__atomic_store_n(shared_raw(shared_u32, p), v, __ATOMIC_RELAXED);
}

static inline void shared_store_u64(void __peer *p, uint64_t v)
{
	__atomic_store_n(shared_raw(shared_u64, p), v, __ATOMIC_RELAXED);
}

static inline void shared_store_u64_release(void __peer *p, uint64_t v)
{
	__atomic_store_n(shared_raw(shared_u64, p), v, __ATOMIC_RELEASE);
}

/* Puts @to where @from is, with all that was stored before.  False: there is
 * something else. */
static inline int shared_replace(uint16_t __peer *p, uint16_t from, uint16_t to)
{
	return __atomic_compare_exchange_n(shared_raw(uint16_t, p), &from, to,
	    0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* Sets @bits where others set theirs, after all that was stored before. */
static inline void shared_set_bits(uint8_t __peer *p, uint8_t bits)
{
	__atomic_fetch_or(shared_raw(uint8_t, p), bits, __ATOMIC_RELEASE);
}

#endif
