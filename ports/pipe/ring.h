/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - a ring of a pipe, from whichever end and in whichever direction.
 *
 * Who owns the memory moves head, the other one tail (memif.h), so for us a
 * ring has two indices: @ours, which we write, and @theirs, which we read.  We
 * work at the slots from @next on; how many there are for us and what becomes
 * of our index when we are done with some differs only by a size of the ring
 * here and there (@behind, @ahead):
 *
 *	role    we       ours  theirs  slots for us           then ours is
 *	server  receive  tail  head    theirs - next          next
 *	server  send     tail  head    theirs - next          next
 *	client  receive  head  tail    theirs - next          next + size
 *	client  send     head  tail    theirs + size - next   next
 *
 * A client that receives offers each buffer again as soon as it is done with
 * it; one that sends may fill all that are not on their way.
 *
 * Buffers are where descriptors say, if the memory is the application's: it
 * may be another place each time (an application without copies of its own),
 * so each is looked up.  In memory of ours the buffer of a slot has its fixed
 * place, and of a descriptor only length and flags are believed, once checked.
 *
 * A peer that breaks the rules gets its ring marked broken by
 * pipe_ring_break(): it is empty for rx and a named drop for tx, until control
 * has taken the port apart.  The batch in which the fault is found is finished.
 *
 * Notifications: a sender rings for its receiver unless the receiver's flag
 * masks that.  The senders there are do so without a full barrier between
 * their index and the look at the flag, so that a receiver that has unmasked
 * and then found the ring empty may still have been overlooked, for as long as
 * a store takes to leave a processor.  pipe_ring_arm() therefore listens first
 * and believes in silence only at the next asking.
 *
 * Threads: one worker at a time for each ring; control only while not live.
 */
#ifndef PORTS_PIPE_RING_H
#define PORTS_PIPE_RING_H

#include "ports/peer/access.h"
#include "ports/pipe/memif.h"
#include "ports/pipe/region.h"
#include "ports/port.h"

/* Why a ring was broken; the name is the port's `reason`. */
#define PIPE_FAULTS(X)                                                         \
	X(NONE, "")                                                            \
	X(INDEX, "ring_index")                                                 \
	X(DESC, "desc")                                                        \
	X(CHAIN, "chain")                                                      \
	X(MEM_SHRUNK, "mem_shrunk")

enum pipe_fault {
#define X(id, name) PIPE_##id,
	PIPE_FAULTS(X)
#undef X
};

struct pipe_ring {
	/* Written by control while the ring is not live. */
	const struct pipe_memory *mem;
	struct memif_ring __peer *shared;
	uint16_t __peer *ours;
	const uint16_t __peer *theirs;
	struct port *port;
	uint32_t mask;		/* slots - 1 */
	uint16_t behind, ahead; /* theirs and next are, by 0 or the size */
	uint32_t offset;	/* of the ring, in ... */
	uint16_t region;	/* ... this one */
	int fd;			/* eventfd of the ring, -1: none */
	bool sends;
	uint8_t __peer *buffers; /* first of ours, NULL: the peer's memory */
	uint32_t buffers_at;	 /* where that is in the region */
	uint32_t buffer_size;	 /* bytes of each of ours */

	/* Written by the worker that serves it, first by pipe_ring_init(). */
	uint16_t next;	  /* index of the next slot to work on */
	uint16_t n_taken; /* slots between rx and rx_done */
	bool listening;	  /* notifications are not masked */
	bool armed;
	uint32_t fault;		   /* atomic enum pipe_fault */
	uint64_t n_wakes, n_bells; /* atomic: wake-ups, notifications */
} __attribute__((aligned(128)));   /* two workers never share a line */

/* What a ring is to us. */
struct pipe_ring_role {
	bool client; /* the memory is ours */
	bool sends;
};

/* Describes the ring at @shared of @size slots to @r, whose port, mem and fd,
 * and whose buffers if they are ours, are set.  A ring of ours is made there,
 * for the peer to see as soon as it knows of the region.  Control; @r is not
 * live. */
void pipe_ring_init(struct pipe_ring *r, struct memif_ring __peer *shared,
    uint32_t size, struct pipe_ring_role role);

/* Readies @r to go live: both ends are connected. */
void pipe_ring_start(struct pipe_ring *r);

/* As ops->rx, rx_done and tx have it; frames are borrowed. */
unsigned pipe_ring_rx(
    struct pipe_ring *r, struct batch *b, struct port_worker *w);
void pipe_ring_rx_done(struct pipe_ring *r);
void pipe_ring_tx(struct pipe_ring *r, struct frame *const f[], unsigned n,
    struct port_worker *w);

/* As ops->arm and disarm.  The first call of arm after frames came always says
 * false: see above. */
bool pipe_ring_arm(struct pipe_ring *r);
void pipe_ring_disarm(struct pipe_ring *r);

/* Marks @r broken for @why and raises its port.  Worker. */
void pipe_ring_break(struct pipe_ring *r, enum pipe_fault why);

/* "ring_index" for PIPE_INDEX. */
const char *pipe_fault_name(enum pipe_fault why);

static inline bool pipe_ring_is_broken(const struct pipe_ring *r)
{
	return __atomic_load_n(&r->fault, __ATOMIC_RELAXED);
}

/* Whether @r may be served; breaks it if its memory went away.  Worker. */
static inline bool pipe_ring_usable(struct pipe_ring *r)
{
	if (pipe_ring_is_broken(r))
		return false;
	if (!__atomic_load_n(&r->mem->guard.broken, __ATOMIC_RELAXED))
		return true;
	pipe_ring_break(r, PIPE_MEM_SHRUNK);
	return false;
}

/* Slots that are ours to work on, looked up once; 0 also if that broke @r. */
static inline unsigned pipe_ring_available(struct pipe_ring *r)
{
	uint16_t theirs = shared_load_acquire(r->theirs); /* (A), (B) */
	uint16_t n = (uint16_t)(theirs + r->behind - r->next);

	if (__builtin_expect(n <= r->mask + 1, 1))
		return n;
	pipe_ring_break(r, PIPE_INDEX);
	return 0;
}

/* A slot, fetched. */
struct pipe_slot {
	uint8_t __peer *at; /* its buffer, or NULL: there is none */
	uint32_t len;	    /* of the frame in it, or of the room */
	uint16_t flags, region;
};

/* The buffer of ours of the slot @k places after the next one. */
static inline uint8_t __peer *pipe_ring_own_buffer(
    const struct pipe_ring *r, unsigned k)
{
	return r->buffers + (size_t)((r->next + k) & r->mask) * r->buffer_size;
}

/* Fetches the slot @k places after the next one. */
static inline struct pipe_slot pipe_ring_fetch(
    const struct pipe_ring *r, unsigned k)
{
	unsigned slot = (r->next + k) & r->mask;
	const struct memif_desc __peer *d = &r->shared->desc[slot];
	uint64_t first = shared_load_u64(d);
	struct pipe_slot s = {.flags = (uint16_t)first,
	    .region = (uint16_t)(first >> 16),
	    .len = (uint32_t)(first >> 32)};

	if (r->buffers) {
		if (s.len <= r->buffer_size)
			s.at = pipe_ring_own_buffer(r, k);
	} else {
		s.at = pipe_memory_at(r->mem, s.region,
		    (uint32_t)shared_load_u64(&d->offset), s.len);
	}
	return s;
}

/* Writes the first half of the descriptor @k places after the next one. */
static inline void pipe_ring_put(const struct pipe_ring *r, unsigned k,
    uint16_t flags, uint16_t region, uint32_t len)
{
	unsigned slot = (r->next + k) & r->mask;
	uint64_t first = flags | (uint64_t)region << 16 | (uint64_t)len << 32;

	shared_store_u64(&r->shared->desc[slot], first);
}

/* Resets the flags of the slot @k places after the next one. */
static inline void pipe_ring_unlink(const struct pipe_ring *r, unsigned k)
{
	shared_store(&r->shared->desc[(r->next + k) & r->mask].flags, 0);
}

/* The whole descriptor, of a buffer of ours. */
static inline void pipe_ring_put_own(
    const struct pipe_ring *r, unsigned k, uint16_t flags, uint32_t len)
{
	unsigned slot = (r->next + k) & r->mask;

	pipe_ring_put(r, k, flags, 0, len);
	shared_store_u64(&r->shared->desc[slot].offset,
	    r->buffers_at + slot * r->buffer_size);
}

/* Lets the peer see the next @n slots, which are done with. */
static inline void pipe_ring_publish(struct pipe_ring *r, unsigned n)
{
	r->next = (uint16_t)(r->next + n);
	shared_store_release(
	    r->ours, (uint16_t)(r->next + r->ahead)); /* (A), (B) */
}

#endif
