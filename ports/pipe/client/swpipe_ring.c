/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swpipe_ring.c - batches in and out of the two rings of a queue.
 *
 * Per batch: the other side's index is read once at most, and not at all while
 * what is known of it suffices; our own is published once; the other side is
 * notified once at most, if it asked for it.  The letters are those of
 * memif.h.
 *
 * Slots keep their region and offset, so half a descriptor is written when one
 * is handed over, and a server that spoils the other half spoils its own frames.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "ports/pipe/client/swpipe_impl.h"

enum {
	LOOK_AGAIN_MS = 1, /* of sleeping, before a second look at the ring */
};

#define unlikely(x) __builtin_expect(!!(x), 0)

/* The first half of a descriptor, as one word. */
union half {
	struct {
		uint16_t flags, region;
		uint32_t len;
	};
	uint64_t word;
};
static_assert(offsetof(struct memif_desc, len) == 4, "half a descriptor");

static inline union half desc_read(const struct swpipe_side *s, uint16_t index)
{
	const void *d = &s->ring->desc[index & s->mask];

	return (union half){
	    .word = __atomic_load_n((const uint64_t *)d, __ATOMIC_RELAXED)};
}

static inline void desc_write(
    struct swpipe_side *s, uint16_t index, uint32_t len, uint16_t flags)
{
	void *d = &s->ring->desc[index & s->mask];
	union half h = {.flags = flags, .len = len};

	__atomic_store_n((uint64_t *)d, h.word, __ATOMIC_RELAXED);
}

static inline uint8_t *buf_of(const struct swpipe_side *s, uint16_t index)
{
	return s->bufs + (size_t)(index & s->mask) * s->stride;
}

static __attribute__((noinline)) int break_slow(struct swpipe_side *s)
{
	__atomic_store_n(&s->broken, 1, __ATOMIC_RELAXED);
	return -EPROTO;
}

static void drain(int event_fd)
{
	uint64_t n;

	while (read(event_fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

/* The thread polls again; returns -EPROTO if there is no point in it. */
static __attribute__((noinline)) int attend_slow(struct swpipe_side *s)
{
	if (s->broken)
		return -EPROTO;
	s->armed = false;
	__atomic_store_n(
	    &s->ring->flags, MEMIF_RING_MASK_INT, __ATOMIC_RELAXED);
	drain(s->event_fd);
	return 0;
}

/* How many slots hold parts that were not peeked, @max at most; more than
 * that if the server is where it was never let. */
static inline unsigned filled(struct swpipe_side *s, unsigned max)
{
	unsigned n = (uint16_t)(s->tail - s->peeked);

	if (n < max) {
		s->tail = __atomic_load_n(&s->ring->tail, __ATOMIC_ACQUIRE);
		n = (uint16_t)(s->tail - s->peeked); /* (B) */
		if (unlikely(n > (uint16_t)(s->head - s->peeked)))
			return ~0u;
	}
	return n < max ? n : max;
}

/* No frame is whole in the @n slots that were looked at, of @max. */
static __attribute__((noinline)) int part_slow(
    struct swpipe_side *s, unsigned n, unsigned max)
{
	if (n > s->mask)
		return break_slow(s); /* and never will be */
	return n == max ? -EMSGSIZE : 0;
}

int swpipe_rx_peek(struct swpipe_queue *q, struct swpipe_buf b[], unsigned max)
{
	struct swpipe_side *s = &q->rx;
	unsigned n, n_whole = 0;

	if (unlikely(s->armed | s->broken) && attend_slow(s))
		return -EPROTO;
	n = filled(s, max);
	if (!n)
		return 0;
	if (unlikely(n > max))
		return break_slow(s);
	for (unsigned i = 0; i < n; i++) {
		uint16_t index = (uint16_t)(s->peeked + i);
		union half d = desc_read(s, index);

		if (unlikely(d.len > s->buf_size))
			return break_slow(s);
		b[i].data = buf_of(s, index);
		b[i].len = d.len;
		b[i].more = d.flags & MEMIF_DESC_NEXT;
		if (!b[i].more)
			n_whole = i + 1;
	}
	if (unlikely(!n_whole))
		return part_slow(s, n, max);
	s->peeked = (uint16_t)(s->peeked + n_whole);
	return (int)n_whole;
}

void swpipe_rx_release(struct swpipe_queue *q, unsigned n)
{
	struct swpipe_side *s = &q->rx;

	for (unsigned i = 0; i < n; i++)
		desc_write(s, (uint16_t)(s->head + i), s->buf_size, 0);
	s->head = (uint16_t)(s->head + n);
	__atomic_store_n(&s->ring->head, s->head, __ATOMIC_RELEASE); /* (A) */
}

/* How many slots are free to be filled; reads how far the server has got if
 * what is known is not enough. */
static inline unsigned room(struct swpipe_side *s, unsigned enough)
{
	unsigned n_slots = s->mask + 1u;
	unsigned n_used = (uint16_t)(s->head - s->tail);

	if (n_slots - n_used < enough) {
		s->tail = __atomic_load_n(&s->ring->tail, __ATOMIC_ACQUIRE);
		n_used = (uint16_t)(s->head - s->tail); /* (B) */
		if (unlikely(n_used > n_slots)) {
			break_slow(s);
			s->tail = (uint16_t)(s->head - n_slots);
			return 0;
		}
	}
	return n_slots - n_used;
}

unsigned swpipe_tx_reserve(
    struct swpipe_queue *q, struct swpipe_buf b[], unsigned n)
{
	struct swpipe_side *s = &q->tx;
	unsigned n_free = unlikely(s->broken) ? 0 : room(s, n);

	if (n > n_free)
		n = n_free;
	for (unsigned i = 0; i < n; i++)
		b[i] = (struct swpipe_buf){
		    .data = buf_of(s, (uint16_t)(s->head + i)),
		    .len = s->buf_size};
	return n;
}

static __attribute__((noinline)) void notify_slow(struct swpipe_side *s)
{
	const uint64_t one = 1;

	/* Fails if the server has not woken for 2^64 frames. */
	while (write(s->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void swpipe_tx_submit(
    struct swpipe_queue *q, const struct swpipe_buf b[], unsigned n)
{
	struct swpipe_side *s = &q->tx;
	struct memif_ring *ring = s->ring;

	if (!n)
		return;
	for (unsigned i = 0; i < n; i++)
		desc_write(s, (uint16_t)(s->head + i), b[i].len,
		    b[i].more ? MEMIF_DESC_NEXT : 0);
	s->head = (uint16_t)(s->head + n);
	__atomic_store_n(&ring->head, s->head, __ATOMIC_RELEASE); /* (A) */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);		  /* (C) */
	if (!(__atomic_load_n(&ring->flags, __ATOMIC_RELAXED) &
		MEMIF_RING_MASK_INT))
		notify_slow(s);
}

int swpipe_arm(struct swpipe_queue *q)
{
	struct swpipe_side *s = &q->rx;

	/* What wakes us from here on is not behind us. */
	drain(s->event_fd);
	s->armed = true;
	__atomic_store_n(&s->ring->flags, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* (C) */
	if (filled(s, 1))
		return 0;
	return swpipe_check(q->pipe, NULL) ?: 1;
}

/* Sleeps; a signal ends it, too. */
static void sleep_on(const struct swpipe_queue *q, int timeout_ms)
{
	struct pollfd fd = {.fd = q->poll_fd, .events = POLLIN};

	poll(&fd, 1, timeout_ms);
}

/* There are servers without the barrier of (C), DPDK's for one, which overlook
 * a flag that changes while they send.  Their indices are all the sooner seen:
 * hence the second look. */
int swpipe_wait(struct swpipe_queue *q, int timeout_ms)
{
	int idle = swpipe_arm(q);

	if (idle == 1 && timeout_ms) {
		sleep_on(q, LOOK_AGAIN_MS);
		idle = swpipe_arm(q);
	}
	if (idle == 1 && (timeout_ms < 0 || timeout_ms > LOOK_AGAIN_MS)) {
		sleep_on(q,
		    timeout_ms < 0 ? timeout_ms : timeout_ms - LOOK_AGAIN_MS);
		idle = swpipe_arm(q);
	}
	return idle < 0 ? idle : !idle;
}
