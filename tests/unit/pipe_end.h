/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe_end.h - the other end of a pipe's ring, as good or bad as wanted.
 *
 * One struct end is memory of two regions, mapped apart from each other with
 * guard pages around, every byte poisoned, a ring at the start of region 0, and
 * the switch's view of that ring in one of its four parts (ring.h).  Buffers of
 * the switch's own lie behind the ring, those of an application in region 1.
 *
 * Life: end_open, end_close.  Threads: one.
 */
#ifndef TESTS_UNIT_PIPE_END_H
#define TESTS_UNIT_PIPE_END_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ports/pipe/ring.h"

enum {
	END_REGION = 4 << 20,
	END_GUARD = 1 << 16,
	END_BUFFERS = 0x80000, /* offset of ours in region 0 */
	END_BUFFER = 2048,
	CANARY = 0xa5,
};

struct end {
	struct pipe_ring r;
	struct port port;
	struct port_env env;
	struct counters counters;
	struct port_worker w;
	struct pipe_memory *mem;
	struct memif_ring *ring;
	struct pipe_ring_role role;
	unsigned n_raised;
};

static inline void end_raise(struct port *port)
{
	((struct end *)((char *)port - offsetof(struct end, port)))->n_raised++;
}

static inline uint8_t *end_map(void)
{
	uint8_t *p = mmap(NULL, END_REGION + 2 * END_GUARD, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED ||
	    mprotect(p + END_GUARD, END_REGION, PROT_READ | PROT_WRITE))
		abort();
	memset(p + END_GUARD, CANARY, END_REGION);
	return p + END_GUARD;
}

/* One for all rings of a process: closing one takes the kernel long. */
static inline struct doorbell *end_bell(void)
{
	static struct doorbell *bell;

	if (!bell && doorbell_open(&bell, NULL))
		abort();
	return bell;
}

/* A live ring of @size slots of which the switch is the @client, or not, and
 * the sender, or not.  Indices begin at @base where the peer can say so. */
static inline struct end *end_open_at(
    uint32_t size, bool client, bool sends, uint16_t base)
{
	struct end *e = aligned_alloc(_Alignof(struct end), sizeof(*e));

	memset(e, 0, sizeof(*e));
	e->mem = pipe_memory_open();
	e->mem->n = 2;
	for (unsigned i = 0; i < 2; i++)
		e->mem->region[i] = (struct pipe_region){end_map(), END_REGION};
	e->ring = (void *)e->mem->region[0].at;
	memset(e->ring, 0, memif_ring_size((unsigned)__builtin_ctz(size)));
	e->ring->cookie = MEMIF_COOKIE;
	e->ring->head = e->ring->tail = base;
	e->env.raise = end_raise;
	e->port.env = &e->env;
	e->w.counters = &e->counters;
	e->w.bell = end_bell();
	e->role = (struct pipe_ring_role){.client = client, .sends = sends};
	e->r.port = &e->port;
	e->r.mem = e->mem;
	e->r.fd = eventfd(0, EFD_NONBLOCK);
	if (client) {
		e->ring->tail = 0;
		e->r.buffer_size = END_BUFFER;
		e->r.buffers_at = END_BUFFERS;
		e->r.buffers = e->mem->region[0].at + END_BUFFERS;
	}
	pipe_ring_init(&e->r, e->ring, size, e->role);
	pipe_ring_start(&e->r);
	return e;
}

static inline struct end *end_open(uint32_t size, bool client, bool sends)
{
	return end_open_at(size, client, sends, 0);
}

static inline void end_close(struct end *e)
{
	for (unsigned i = 0; i < 2; i++)
		munmap(e->mem->region[i].at - END_GUARD,
		    END_REGION + 2 * END_GUARD);
	e->mem->n = 0;
	pipe_memory_close(e->mem);
	close(e->r.fd);
	free(e);
}

/* The index that the peer moves, and ours. */
static inline uint16_t *end_theirs(struct end *e)
{
	return e->role.client ? &e->ring->tail : &e->ring->head;
}

static inline uint16_t end_ours(const struct end *e)
{
	return e->role.client ? e->ring->head : e->ring->tail;
}

static inline struct memif_desc *end_desc(struct end *e, unsigned i)
{
	return &e->ring->desc[i & e->r.mask];
}

static inline uint8_t *end_at(const struct end *e, const struct memif_desc *d)
{
	return e->mem->region[d->region].at + d->offset;
}

static inline void end_move(struct end *e, unsigned n)
{
	__atomic_store_n(
	    end_theirs(e), (uint16_t)(*end_theirs(e) + n), __ATOMIC_RELEASE);
}

/* Byte @i of a test frame. */
static inline uint8_t end_pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) + 3);
}

/* Where the peer would put buffer @i of its own. */
static inline uint32_t end_buffer(unsigned i)
{
	return i * END_BUFFER % (END_REGION - 2 * FRAME_LEN_MAX);
}

/* The peer fills the next slot with bytes [from, from + len) of a frame and
 * moves its index on: an application in memory of its own, a server in the
 * buffer that was offered. */
static inline void end_send_part(
    struct end *e, uint32_t from, uint32_t len, uint16_t flags)
{
	unsigned i = *end_theirs(e);
	struct memif_desc *d = end_desc(e, i);

	if (!e->role.client) {
		d->region = 1;
		d->offset = end_buffer(i);
	}
	for (uint32_t k = 0; k < len; k++)
		end_at(e, d)[k] = end_pattern(from + k);
	d->len = len;
	d->flags = flags;
	end_move(e, 1);
}

/* A frame of @len bytes in pieces of at most @piece. */
static inline unsigned end_send(struct end *e, uint32_t len, uint32_t piece)
{
	uint32_t at = 0, some;
	unsigned n = 0;

	do {
		some = len - at < piece ? len - at : piece;
		end_send_part(
		    e, at, some, at + some < len ? MEMIF_DESC_NEXT : 0);
		at += some;
		n++;
	} while (at < len);
	return n;
}

/* An application offers @n buffers of @len bytes. */
static inline void end_offer(struct end *e, unsigned n, uint32_t len)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned k = *end_theirs(e);

		*end_desc(e, k) = (struct memif_desc){
		    .region = 1, .len = len, .offset = end_buffer(k)};
		end_move(e, 1);
	}
}

/* How often the peer was notified since it last looked. */
static inline uint64_t end_bells(const struct end *e)
{
	uint64_t n = 0;

	if (read(e->r.fd, &n, sizeof(n)) != sizeof(n))
		return 0;
	return n;
}

#endif
