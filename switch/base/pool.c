/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.c - packet memory: fixed, shared by all owned frames, never grown.
 *
 * The free list is an array of indices beside the memory, last in first out,
 * so that the slots in use are few, warm and the only ones ever touched.
 * Slots that were never handed out are not on the array: a watermark stands
 * for them.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "switch/base/pool.h"

struct pool {
	uint8_t *base;
	size_t size;
	uint32_t n_slots;
	bool huge;

	pthread_spinlock_t lock; /* the rest, held for half a cache */
	uint32_t n_used_once;	 /* slots below this one were handed out */
	uint32_t n_free;	 /* entries of stack */
	uint32_t *stack;
};

static void *map_memfd(size_t size, unsigned flags)
{
	int fd = memfd_create("swd-pool", MFD_CLOEXEC | flags);
	void *p = MAP_FAILED;

	if (fd < 0)
		return MAP_FAILED;
	if (!ftruncate(fd, (off_t)size))
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p;
}

static void *map_anywhere(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

int pool_open(struct pool **pool, size_t size, struct err *e)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, -ENOMEM, "no memory for the pool");
	p->n_slots = (uint32_t)(size / POOL_FRAME_SIZE);
	p->size = (size_t)p->n_slots * POOL_FRAME_SIZE;
	p->base = map_memfd(p->size, MFD_HUGETLB);
	p->huge = p->base != MAP_FAILED;
	if (!p->huge)
		p->base = map_memfd(p->size, 0);
	if (p->base == MAP_FAILED) {
		err_set(e, -ENOMEM, "packet memory of %zu bytes: %m", size);
		goto free_pool;
	}
	p->stack = map_anywhere(p->n_slots * sizeof(*p->stack));
	if (p->stack == MAP_FAILED) {
		err_set(e, -ENOMEM, "free list of packet memory: %m");
		goto unmap;
	}
	pthread_spin_init(&p->lock, PTHREAD_PROCESS_PRIVATE);
	*pool = p;
	return 0;

unmap:
	munmap(p->base, p->size);
free_pool:
	free(p);
	return -ENOMEM;
}

void pool_close(struct pool *pool)
{
	if (!pool)
		return;
	munmap(pool->stack, pool->n_slots * sizeof(*pool->stack));
	munmap(pool->base, pool->size);
	free(pool);
}

uint32_t pool_n_slots(const struct pool *pool)
{
	return pool->n_slots;
}

uint32_t pool_n_free(struct pool *pool)
{
	uint32_t n;

	pthread_spin_lock(&pool->lock);
	n = pool->n_free + pool->n_slots - pool->n_used_once;
	pthread_spin_unlock(&pool->lock);
	return n;
}

bool pool_is_huge(const struct pool *pool)
{
	return pool->huge;
}

void pool_cache_init(struct pool_cache *cache, struct pool *pool)
{
	cache->pool = pool;
	cache->n = 0;
}

static void cache_flush(struct pool_cache *cache, uint32_t keep)
{
	struct pool *p = cache->pool;

	pthread_spin_lock(&p->lock);
	while (cache->n > keep)
		p->stack[p->n_free++] = cache->slot[--cache->n];
	pthread_spin_unlock(&p->lock);
}

void pool_cache_fini(struct pool_cache *cache)
{
	cache_flush(cache, 0);
}

static void cache_refill(struct pool_cache *cache)
{
	struct pool *p = cache->pool;

	pthread_spin_lock(&p->lock);
	while (cache->n < POOL_CACHE_MAX / 2) {
		if (p->n_free)
			cache->slot[cache->n++] = p->stack[--p->n_free];
		else if (p->n_used_once < p->n_slots)
			cache->slot[cache->n++] = p->n_used_once++;
		else
			break;
	}
	pthread_spin_unlock(&p->lock);
}

int64_t pool_get(struct pool_cache *cache)
{
	if (!cache->n)
		cache_refill(cache);
	return cache->n ? (int64_t)cache->slot[--cache->n] : -1;
}

void pool_put(struct pool_cache *cache, uint32_t slot)
{
	assert(slot < cache->pool->n_slots);
	if (cache->n == POOL_CACHE_MAX)
		cache_flush(cache, POOL_CACHE_MAX / 2);
	cache->slot[cache->n++] = slot;
}

uint8_t *pool_data(const struct pool *pool, uint32_t slot)
{
	return pool->base + (size_t)slot * POOL_FRAME_SIZE;
}
