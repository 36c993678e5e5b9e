/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.c - packet memory: fixed, shared by all owned frames, never grown.
 *
 * The free list of a node is an array of indices beside the memory, last in
 * first out, so that the slots in use are few, warm and the only ones ever
 * touched.  Slots that were never handed out are not on the array: a
 * watermark stands for them.
 */
#include <errno.h>
#include <numa.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "switch/base/pool.h"

/* The stretch of one NUMA node. */
struct pool_node {
	pthread_spinlock_t lock; /* the rest, held for half a cache */
	uint32_t first, end;	 /* its slots */
	uint32_t next_unused;	 /* this one and all behind it are free */
	uint32_t n_free;	 /* entries of stack */
	uint32_t *stack;
};

static int map_file(struct pool *p, int fd)
{
	void *base =
	    mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	p->base = base;
	p->fd = fd;
	return 0;
}

static int map_memfd(struct pool *p, unsigned flags)
{
	int fd = memfd_create("swd-pool", MFD_CLOEXEC | flags), rc;

	if (fd < 0)
		return -errno;
	rc = ftruncate(fd, (off_t)p->size) ? -errno : map_file(p, fd);
	if (rc)
		close(fd);
	return rc;
}

static void *map_anywhere(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static unsigned count_nodes(void)
{
	return numa_available() < 0 ? 1 : (unsigned)numa_max_node() + 1;
}

/* Cuts the region into one stretch for each node. */
static int open_nodes(struct pool *p)
{
	uint32_t *stack = map_anywhere(p->n_slots * sizeof(*stack));

	p->n_nodes = count_nodes();
	p->slots_per_node = (p->n_slots + p->n_nodes - 1) / p->n_nodes;
	p->node = calloc(p->n_nodes, sizeof(*p->node));
	p->holder = map_anywhere(p->n_slots * sizeof(*p->holder));
	if (!stack || !p->node || !p->holder) {
		if (stack)
			munmap(stack, p->n_slots * sizeof(*stack));
		return -ENOMEM;
	}
	for (unsigned i = 0; i < p->n_nodes; i++) {
		struct pool_node *node = &p->node[i];
		uint32_t end = (i + 1) * p->slots_per_node;

		node->first = node->next_unused = i * p->slots_per_node;
		node->end = end < p->n_slots ? end : p->n_slots;
		node->stack = stack + node->first;
		pthread_spin_init(&node->lock, PTHREAD_PROCESS_PRIVATE);
		if (p->n_nodes > 1)
			numa_tonode_memory(pool_data(p, node->first),
			    (size_t)(node->end - node->first) * POOL_FRAME_SIZE,
			    (int)i);
	}
	return 0;
}

static struct pool *new_pool(size_t size)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = -1;
	p->n_slots = (uint32_t)(size / POOL_FRAME_SIZE);
	p->size = (size_t)p->n_slots * POOL_FRAME_SIZE;
	return p;
}

int pool_inherit(
    struct pool **pool, int fd, size_t size, bool huge, struct err *e)
{
	struct pool *p = new_pool(size);
	int rc = p ? map_file(p, fd) : -ENOMEM;

	if (rc) {
		close(fd);
		free(p);
		return err_set(e, rc, "packet memory of another process: %s",
		    strerror(-rc));
	}
	p->huge = huge;
	if (open_nodes(p)) {
		pool_close(p);
		return err_set(e, -ENOMEM, "free list of packet memory: %m");
	}
	for (unsigned i = 0; i < p->n_nodes; i++)
		p->node[i].next_unused = p->node[i].end;
	*pool = p;
	return 0;
}

/* From the end, so that the first ones are taken first. */
void pool_adopt(struct pool *pool, const uint16_t holder[])
{
	for (uint32_t slot = pool->n_slots; slot--;) {
		struct pool_node *node =
		    &pool->node[slot / pool->slots_per_node];

		pool->holder[slot] = holder[slot];
		if (holder[slot] == POOL_OURS)
			node->stack[node->n_free++] = slot;
	}
}

int pool_open(struct pool **pool, size_t size, struct err *e)
{
	struct pool *p = new_pool(size);
	int rc;

	if (!p)
		return err_set(e, -ENOMEM, "no memory for the pool");
	rc = map_memfd(p, MFD_HUGETLB);
	p->huge = !rc;
	if (rc)
		rc = map_memfd(p, 0);
	if (rc) {
		err_set(e, -ENOMEM, "packet memory of %zu bytes: %s", size,
		    strerror(-rc));
		goto close_pool;
	}
	if (open_nodes(p)) {
		err_set(e, -ENOMEM, "free list of packet memory: %m");
		goto close_pool;
	}
	*pool = p;
	return 0;

close_pool:
	pool_close(p);
	return -ENOMEM;
}

void pool_close(struct pool *pool)
{
	if (!pool)
		return;
	if (pool->node && pool->node->stack)
		munmap(pool->node->stack,
		    pool->n_slots * sizeof(*pool->node->stack));
	if (pool->holder)
		munmap(pool->holder, pool->n_slots * sizeof(*pool->holder));
	if (pool->base)
		munmap(pool->base, pool->size);
	if (pool->fd >= 0)
		close(pool->fd);
	free(pool->node);
	free(pool);
}

uint32_t pool_n_free(struct pool *pool)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < pool->n_nodes; i++) {
		struct pool_node *node = &pool->node[i];

		pthread_spin_lock(&node->lock);
		n += node->n_free + node->end - node->next_unused;
		pthread_spin_unlock(&node->lock);
	}
	return n;
}

void pool_cache_init(struct pool_cache *cache, struct pool *pool, unsigned cpu)
{
	int node = pool->n_nodes > 1 ? numa_node_of_cpu((int)cpu) : 0;

	cache->pool = pool;
	cache->node = node < 0 ? 0 : (unsigned)node;
	cache->n = 0;
}

/* Puts slot[0..n) on the stacks of their nodes; one lock for a run. */
static void give_back(struct pool *p, const uint32_t slot[], uint32_t n)
{
	uint32_t i = 0;

	while (i < n) {
		struct pool_node *node = &p->node[slot[i] / p->slots_per_node];

		pthread_spin_lock(&node->lock);
		for (; i < n && slot[i] >= node->first && slot[i] < node->end;
		     i++)
			node->stack[node->n_free++] = slot[i];
		pthread_spin_unlock(&node->lock);
	}
}

void pool_cache_flush(struct pool_cache *cache)
{
	uint32_t keep = cache->n / 2;

	give_back(cache->pool, cache->slot + keep, cache->n - keep);
	cache->n = keep;
}

void pool_cache_fini(struct pool_cache *cache)
{
	give_back(cache->pool, cache->slot, cache->n);
	cache->n = 0;
}

static void take_from(struct pool_cache *cache, struct pool_node *node)
{
	pthread_spin_lock(&node->lock);
	while (cache->n < POOL_CACHE_MAX / 2) {
		if (node->n_free)
			cache->slot[cache->n++] = node->stack[--node->n_free];
		else if (node->next_unused < node->end)
			cache->slot[cache->n++] = node->next_unused++;
		else
			break;
	}
	pthread_spin_unlock(&node->lock);
}

void pool_cache_refill(struct pool_cache *cache)
{
	struct pool *p = cache->pool;

	for (unsigned i = 0; i < p->n_nodes && !cache->n; i++)
		take_from(cache, &p->node[(cache->node + i) % p->n_nodes]);
}

uint32_t pool_recover(struct pool *pool, uint16_t holder)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < pool->n_slots; slot++)
		if (pool_return(pool, slot, holder)) {
			give_back(pool, &slot, 1);
			n++;
		}
	return n;
}
