/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.c - the SIGBUS handler, and the table in which it looks.
 *
 * Slots are never freed, only reused, so that the handler may walk the table
 * whatever the control thread does to it.  A slot under change is skipped:
 * a sequence number, odd meanwhile, tells; the slot of the memory that
 * faulted is not under change, because its queue is live.
 *
 *	control                        handler
 *	seq odd                        (B) load seq, acquire: even
 *	(A) release fence              load start, end, page, g
 *	store start, end, page, g      (A) acquire fence
 *	(B) seq even, release          load seq: unchanged
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/peer/guard.h"

enum { CHUNK_SLOTS = 256 };

struct slot {
	uint32_t seq;
	uintptr_t start, end; /* end 0: free */
	uintptr_t page;
	struct guard *g;
};

struct chunk {
	struct chunk *next;
	struct slot slot[CHUNK_SLOTS];
};

static struct chunk *chunks; /* atomic */
static struct sigaction previous;

#define LOAD(p)	    __atomic_load_n(p, __ATOMIC_RELAXED)
#define STORE(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

/* Copies a slot that is not under change.  Async-signal-safe. */
static bool read_slot(const struct slot *s, struct slot *copy)
{
	copy->seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE); /* (B) */
	copy->start = LOAD(&s->start);
	copy->end = LOAD(&s->end);
	copy->page = LOAD(&s->page);
	copy->g = LOAD(&s->g);
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* (A) */
	return !(copy->seq & 1) && LOAD(&s->seq) == copy->seq;
}

static void write_slot(struct slot *s, const struct slot *value)
{
	uint32_t seq = s->seq;

	STORE(&s->seq, seq + 1);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* (A) */
	STORE(&s->start, value->start);
	STORE(&s->end, value->end);
	STORE(&s->page, value->page);
	STORE(&s->g, value->g);
	__atomic_store_n(&s->seq, seq + 2, __ATOMIC_RELEASE); /* (B) */
}

/* mmap(2) without the wrappers that a sanitizer puts round it. */
static bool map_zeroes(uintptr_t start, uintptr_t size)
{
	return syscall(SYS_mmap, start, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		   0) == (long)start;
}

/* One page; or all of it when the process has no mapping left to split. */
static bool patch(const struct slot *s, uintptr_t addr)
{
	return map_zeroes(addr & ~(s->page - 1), s->page) ||
	       map_zeroes(s->start, s->end - s->start);
}

static void mark_broken(struct guard *g)
{
	void (*tell)(void *) = LOAD(&g->on_broken);

	if (!__atomic_exchange_n(&g->broken, 1, __ATOMIC_ACQ_REL) && tell)
		tell(g->owner);
}

/* Everyone on whose behalf the page is guarded gets to know. */
static bool mend(uintptr_t addr)
{
	struct chunk *c = __atomic_load_n(&chunks, __ATOMIC_ACQUIRE);
	bool mended = false;
	struct slot s;

	for (; c; c = c->next)
		for (unsigned i = 0; i < CHUNK_SLOTS; i++) {
			if (!read_slot(&c->slot[i], &s) || addr < s.start ||
			    addr >= s.end)
				continue;
			if (!mended && !patch(&s, addr))
				return false;
			mended = true;
			mark_broken(s.g);
		}
	return mended;
}

/* A fault elsewhere gets what it would have got without this handler: after
 * the return it happens again, and a signal that was sent is sent again. */
static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (info->si_code <= 0 || !mend((uintptr_t)info->si_addr)) {
		sigaction(signal, &previous, NULL);
		if (info->si_code <= 0)
			raise(signal);
	}
	errno = saved;
}

static struct slot *find_free(void)
{
	for (struct chunk *c = chunks; c; c = c->next)
		for (unsigned i = 0; i < CHUNK_SLOTS; i++)
			if (!c->slot[i].end)
				return &c->slot[i];
	return NULL;
}

static struct slot *add_chunk(void)
{
	struct chunk *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->next = chunks;
	__atomic_store_n(&chunks, c, __ATOMIC_RELEASE);
	return &c->slot[0];
}

int guard_add(struct guard *g, const struct mapping *map)
{
	struct slot *s = find_free();
	struct slot value = {
	    .start = (uintptr_t)map->start,
	    .end = (uintptr_t)map->start + map->size,
	    .page = map->page,
	    .g = g,
	};

	if (!s)
		s = add_chunk();
	if (!s)
		return -ENOMEM;
	write_slot(s, &value);
	return 0;
}

void guard_remove(const struct guard *g)
{
	static const struct slot none;

	for (struct chunk *c = chunks; c; c = c->next)
		for (unsigned i = 0; i < CHUNK_SLOTS; i++)
			if (c->slot[i].g == g)
				write_slot(&c->slot[i], &none);
}

int guard_install(struct err *e)
{
	struct sigaction action = {
	    .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	if (sigaction(SIGBUS, &action, &previous))
		return err_set(e, -errno, "sigaction: %m");
	return 0;
}
