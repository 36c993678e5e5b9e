/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - packet memory: fixed, shared by all owned frames, never grown.
 *
 * One memfd region of POOL_FRAME_SIZE slots, on huge pages where the machine
 * has some set aside and on ordinary pages where not.  No peer ever maps it.
 * A slot that was never used is never touched, so an idle switch keeps its
 * size in address space only.
 *
 *     free slots:   pool->stack  (lock)  <-- half a cache at a time -->
 *                   worker's struct pool_cache (no lock)
 *
 * Life: opened before the first worker, closed after the last.  Ownership:
 * a slot belongs to whoever got it until it is put back.
 * Threads: pool_get/pool_put by the thread that owns the cache.
 */
#ifndef SWITCH_BASE_POOL_H
#define SWITCH_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/err.h"

enum { POOL_FRAME_SIZE = 2048, POOL_CACHE_MAX = 256 };

struct pool;

struct pool_cache {
	struct pool *pool;
	uint32_t n;
	uint32_t slot[POOL_CACHE_MAX];
};

/* Maps @size bytes (rounded down to whole slots).  -ENOMEM with a sentence. */
int pool_open(struct pool **pool, size_t size, struct err *e);

void pool_close(struct pool *pool);

/* Slots in all, and slots that neither a worker nor a cache holds. */
uint32_t pool_n_slots(const struct pool *pool);
uint32_t pool_n_free(struct pool *pool);
bool pool_is_huge(const struct pool *pool);

void pool_cache_init(struct pool_cache *cache, struct pool *pool);

/* Gives every slot of @cache back to its pool. */
void pool_cache_fini(struct pool_cache *cache);

/* Takes a slot; returns its index, or -1 when packet memory is used up. */
int64_t pool_get(struct pool_cache *cache);

void pool_put(struct pool_cache *cache, uint32_t slot);

/* The first byte of @slot, POOL_FRAME_SIZE bytes long. */
uint8_t *pool_data(const struct pool *pool, uint32_t slot);

#endif
