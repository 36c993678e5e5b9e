/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - packet memory: fixed, shared by all owned frames, never grown.
 *
 * One memfd region of POOL_FRAME_SIZE slots, on huge pages where the machine
 * has some set aside and on ordinary pages where not.  No peer ever maps it;
 * the kernel does, as the UMEM of AF_XDP sockets.  On a machine with several
 * NUMA nodes each has an equal stretch of the region, and a cache takes from
 * the stretch of its node as long as there is something.
 *
 *     free slots:   stack of a node (lock)  <-- half a cache at a time -->
 *                   worker's struct pool_cache (no lock)
 *
 * A slot that was never used is never touched, so an idle switch keeps its
 * size in address space only.
 *
 * Life: opened before the first worker, closed after the last.  Ownership:
 * a slot belongs to whoever got it until it is put back.  While it is the
 * kernel's it is lent: its holder is known by number, so that what the kernel
 * hands back is believed only if it had been given, and what it never hands
 * back, because its socket is gone, is found again.
 * A process that takes another's place goes on with its memory, in which cards
 * may be writing: pool_inherit() maps it and has nothing to give until
 * pool_adopt() says what the other one has left free.
 * Threads: pool_get/pool_put by the thread that owns the cache; lend and
 * return by whoever has the slot.
 */
#ifndef SWITCH_BASE_POOL_H
#define SWITCH_BASE_POOL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/err.h"
#include "switch/base/frame.h"

enum {
	/* A page: less, and drivers that count buffers in KiB (igb) receive an
	 * ordinary frame in two parts that they do not put together. */
	POOL_FRAME_SHIFT = 12,
	POOL_FRAME_SIZE = 1 << POOL_FRAME_SHIFT,
	POOL_CACHE_MAX = 256,
	POOL_OURS = 0, /* the holder of a slot that is not lent */
};

struct pool_node;

struct pool {
	uint8_t *base;
	size_t size;
	uint32_t n_slots, slots_per_node;
	bool huge;
	int fd;		  /* of the memory */
	uint16_t *holder; /* atomic, of each slot: POOL_OURS or who has it */
	unsigned n_nodes;
	struct pool_node *node;
};

struct pool_cache {
	struct pool *pool;
	unsigned node; /* index into pool->node */
	uint32_t n;
	uint32_t slot[POOL_CACHE_MAX];
};

/* Maps @size bytes (rounded down to whole slots).  -ENOMEM with a sentence. */
int pool_open(struct pool **pool, size_t size, struct err *e);

void pool_close(struct pool *pool);

/* As pool_open(), with the memory @fd of another process's pool of @size bytes,
 * which is the pool's even on failure.  No slot is free. */
int pool_inherit(
    struct pool **pool, int fd, size_t size, bool huge, struct err *e);

/* The other process has stopped, with slots lent as holder[0..n_slots) says;
 * all others are free.  Control, before any thread takes a slot. */
void pool_adopt(struct pool *pool, const uint16_t holder[]);

/* Slots that neither a worker nor a cache holds. */
uint32_t pool_n_free(struct pool *pool);

/* A cache for a thread that runs on @cpu. */
void pool_cache_init(struct pool_cache *cache, struct pool *pool, unsigned cpu);

/* Gives every slot of @cache back to its pool. */
void pool_cache_fini(struct pool_cache *cache);

/* Half a cache from and to the pool; what pool_get and pool_put do now and
 * then. */
void pool_cache_refill(struct pool_cache *cache);
void pool_cache_flush(struct pool_cache *cache);

/* Takes a slot; returns its index, or -1 when packet memory is used up. */
static inline int64_t pool_get(struct pool_cache *cache)
{
	if (__builtin_expect(!cache->n, 0))
		pool_cache_refill(cache);
	return cache->n ? (int64_t)cache->slot[--cache->n] : -1;
}

static inline void pool_put(struct pool_cache *cache, uint32_t slot)
{
	assert(slot < cache->pool->n_slots);
	assert(cache->pool->holder[slot] == POOL_OURS);
	if (__builtin_expect(cache->n == POOL_CACHE_MAX, 0))
		pool_cache_flush(cache);
	cache->slot[cache->n++] = slot;
}

/* The first byte of @slot, POOL_FRAME_SIZE bytes long. */
static inline uint8_t *pool_data(const struct pool *pool, uint32_t slot)
{
	return pool->base + ((size_t)slot << POOL_FRAME_SHIFT);
}

/* The slot in which @p, an address in packet memory, lies. */
static inline uint32_t pool_slot(const struct pool *pool, const uint8_t *p)
{
	return (uint32_t)((size_t)(p - pool->base) >> POOL_FRAME_SHIFT);
}

/* How far into its slot @p lies. */
static inline uint32_t pool_offset(const struct pool *pool, const uint8_t *p)
{
	return (uint32_t)(p - pool->base) & (POOL_FRAME_SIZE - 1);
}

/* Puts every slot of the owned frame @f back. */
static inline void pool_put_frame(
    struct pool_cache *cache, const struct frame *f)
{
	pool_put(cache, pool_slot(cache->pool, f->head));
	for (unsigned i = 0; i < f->n_segs; i++)
		pool_put(
		    cache, pool_slot(cache->pool, frame_seg_at(&f->segs[i])));
}

/* @slot, which is ours, is @holder's from here on. */
static inline void pool_lend(struct pool *pool, uint32_t slot, uint16_t holder)
{
	assert(pool->holder[slot] == POOL_OURS);
	__atomic_store_n(&pool->holder[slot], holder, __ATOMIC_RELAXED);
}

/* Takes @slot, which may be any number, back from @holder.  False: it was not
 * @holder's to give. */
static inline bool pool_return(
    struct pool *pool, uint64_t slot, uint16_t holder)
{
	if (slot >= pool->n_slots ||
	    __atomic_load_n(&pool->holder[slot], __ATOMIC_RELAXED) != holder)
		return false;
	__atomic_store_n(&pool->holder[slot], POOL_OURS, __ATOMIC_RELAXED);
	return true;
}

/* Puts what @holder, which is no more, never gave back where it is free for
 * all.  Returns how many slots that were.  Any thread, once nobody lends to
 * @holder; it looks at slots that others lend and return meanwhile. */
uint32_t pool_recover(struct pool *pool, uint16_t holder);

#endif
