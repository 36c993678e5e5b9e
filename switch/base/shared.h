/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared.h - memory that somebody else can write, and the ways to get at it.
 *
 * What lies in a guest's or an application's memory may change between two
 * looks.  Pointers to it carry a mark, __peer: to clang they point into an
 * address space of its own which nobody may look into, so that neither does
 * one pass for an ordinary pointer nor can it be followed.  What is there has
 * to be copied, by what is below and in ports/peer/access.h, and is looked at
 * when it is ours; gcc sees nothing of all this.
 *
 *	shared_copy_in	 what will be looked at: each byte once
 *	shared_copy_out	 from us to a peer
 *	shared_carry...	 payload, of which nothing is decided: as often as it
 *			 is sent
 *
 * A copy in ends in a compiler barrier, without which the compiler may look at
 * the source again instead of at the copy.
 *
 * With PEER_CHANGES defined, whoever looks at a byte for the second time finds
 * it changed (shared.c).  It counts from shared_begin(): a poll of a queue on
 * the way in, a frame on the way out; and for each chain of a poll by itself,
 * shared_chain(), since nobody keeps a peer from naming a buffer in several.
 * With PEER_IS_US, for tests that play the peer, nothing is marked.
 *
 * Threads: any.
 */
#ifndef SWITCH_BASE_SHARED_H
#define SWITCH_BASE_SHARED_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__) && !defined(PEER_IS_US)
#define __peer __attribute__((noderef, address_space(1)))
#else
#define __peer
#endif

/* Takes the mark off.  Only of use to accessors: tests/shared.sh has a list of
 * the files that may. */
#define shared_raw(type, p) ((type *)(uintptr_t)(p))

/* What PEER_CHANGES asks for; see shared.c. */
void shared_looked(uintptr_t at, void *copy, size_t n);
void shared_looked_once(uintptr_t at, void *copy, size_t n);
void shared_forget(void);
void shared_turn_to(unsigned chain);

/* From here on every place may be looked at again. */
static inline void shared_begin(void)
{
#ifdef PEER_CHANGES
	shared_forget();
#endif
}

/* What is looked at from here on is for chain number @k of the poll. */
static inline void shared_chain(unsigned k)
{
#ifdef PEER_CHANGES
	shared_turn_to(k + 1);
#else
	(void)k;
#endif
}

/* copy[0..n) was made of what is @at. */
static inline void shared_look(const void __peer *at, void *copy, size_t n)
{
#ifdef PEER_CHANGES
	shared_looked((uintptr_t)at, copy, n);
#else
	(void)at;
	(void)copy;
	(void)n;
#endif
}

/* The same of what belongs to one chain only, whichever. */
static inline void shared_look_once(const void __peer *at, void *copy, size_t n)
{
#ifdef PEER_CHANGES
	shared_looked_once((uintptr_t)at, copy, n);
#else
	(void)at;
	(void)copy;
	(void)n;
#endif
}

/* dst[0..n), ours, from src[0..n), the peer's. */
static inline void shared_copy_in(void *dst, const void __peer *src, size_t n)
{
	memcpy(dst, shared_raw(const void, src), n);
	shared_look(src, dst, n);
	__asm__ volatile("" : : "r"(dst) : "memory");
}

/* dst[0..n), the peer's, from src[0..n), ours. */
static inline void shared_copy_out(void __peer *dst, const void *src, size_t n)
{
	memcpy(shared_raw(void, dst), src, n);
}

/* Payload to where another peer has it, and into packet memory. */
static inline void shared_carry(
    void __peer *dst, const void __peer *src, size_t n)
{
	memcpy(shared_raw(void, dst), shared_raw(const void, src), n);
}

static inline void shared_carry_in(void *dst, const void __peer *src, size_t n)
{
	memcpy(dst, shared_raw(const void, src), n);
}

static inline void shared_prefetch_to_read(const void __peer *p)
{
	__builtin_prefetch(shared_raw(const void, p), 0);
}

static inline void shared_prefetch_to_write(const void __peer *p)
{
	__builtin_prefetch(shared_raw(const void, p), 1);
}

#endif
