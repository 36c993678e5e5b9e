/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xsk_kernel.h - the kernel's side of an AF_XDP socket, as good or bad as wanted.
 *
 * A struct kernel has one socket whose four rings are memory of the test, and
 * the packet memory it works on.  The system calls that the driver makes on
 * it come here, because a program's own functions go before those of the C
 * library: sendto() sends as copy mode does, so many descriptors a call.
 *
 * What the driver hands over is checked as the kernel checks it.  Indices
 * start just before they wrap.
 *
 * Life: kernel_open, kernel_close, which looks that every slot is somewhere
 * once; or start and stop, with memory that stays.  Threads: one.  Include it once in a program.
 */
#ifndef TESTS_UNIT_XSK_KERNEL_H
#define TESTS_UNIT_XSK_KERNEL_H

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/xdp/uapi.h"
#include "ports/xdp/xsk.h"

enum {
	KERNEL_FD = 1 << 20, /* no descriptor of this process */
	KERNEL_BUDGET = 32,
	KERNEL_BUFS_MAX = 17, /* of a frame to send */
	KERNEL_FIRST = -100,  /* index, as uint32_t */
	KERNEL_RX_HOLDER = 1,
	KERNEL_TX_HOLDER = 2,
};

#define KERNEL_NOTHING UINT64_MAX

struct kernel_ring {
	uint32_t producer, consumer, flags;
	union {
		uint64_t addr[XSK_RING_SIZE];
		struct xdp_desc desc[XSK_RING_SIZE];
	};
};

struct kernel {
	struct xsk x;
	struct kernel_ring fill, completion, rx, tx;
	struct pool *pool;
	struct pool_cache cache;
	struct port port;
	struct port_env env;
	struct counters counters;
	struct port_worker w;
	struct batch batch;

	/* What a test may change. */
	bool honest;	/* it kept the rules, and holds the driver to them */
	int send_errno; /* sendto() fails with it */
	unsigned budget;
	uint32_t n_held; /* slots that the test has got from the cache */

	/* What a test may look at. */
	unsigned n_sendto, n_recvfrom, n_raised;
	uint32_t n_in_flight;
	struct xdp_desc in_flight[2 * XSK_RING_SIZE]; /* oldest first */
};

static struct kernel *kernel;

static inline void kernel_raise(struct port *port)
{
	assert(port == &kernel->port);
	kernel->n_raised++;
}

#define KERNEL_RING(r, mem, array, free_entries)                               \
	do {                                                                   \
		(mem)->producer = (mem)->consumer = (uint32_t)KERNEL_FIRST;    \
		(r)->mask = XSK_RING_SIZE - 1;                                 \
		(r)->size = XSK_RING_SIZE;                                     \
		(r)->producer = &(mem)->producer;                              \
		(r)->consumer = &(mem)->consumer;                              \
		(r)->flags = &(mem)->flags;                                    \
		(r)->ring = (mem)->array;                                      \
		(r)->cached_prod = (uint32_t)KERNEL_FIRST;                     \
		(r)->cached_cons = (uint32_t)KERNEL_FIRST + (free_entries);    \
	} while (0)

/* A socket in copy mode, of frames of several buffers, which wants to be
 * woken for every frame; the test changes k->x after.  All of @pool is free. */
static inline void kernel_start(struct kernel *k, struct pool *pool)
{
	memset(k, 0, sizeof(*k));
	k->pool = pool;
	pool_cache_init(&k->cache, k->pool, 0);
	k->env.raise = kernel_raise;
	k->port.env = &k->env;
	k->w = (struct port_worker){
	    .counters = &k->counters, .pool = &k->cache, .now = 1000};
	k->x = (struct xsk){.pool = k->pool,
	    .port = &k->port,
	    .max_bufs = KERNEL_BUFS_MAX,
	    .tx_fd = KERNEL_FD,
	    .member = {.fd = KERNEL_FD,
		.rx_holder = KERNEL_RX_HOLDER,
		.tx_holder = KERNEL_TX_HOLDER}};
	KERNEL_RING(&k->x.fill, &k->fill, addr, XSK_RING_SIZE);
	KERNEL_RING(&k->x.completion, &k->completion, addr, 0);
	KERNEL_RING(&k->x.rx, &k->rx, desc, 0);
	KERNEL_RING(&k->x.tx, &k->tx, desc, XSK_RING_SIZE);
	k->tx.flags = XDP_RING_NEED_WAKEUP;
	k->budget = KERNEL_BUDGET;
	k->honest = true;
	kernel = k;
}

static inline struct kernel *kernel_open(size_t n_slots)
{
	struct kernel *k = aligned_alloc(64, sizeof(*k));
	struct pool *pool;

	if (!k || pool_open(&pool, n_slots * POOL_FRAME_SIZE, NULL))
		abort();
	kernel_start(k, pool);
	return k;
}

/* Slots of the owned frames of the batch that nobody took. */
static inline uint32_t kernel_n_in_batch(const struct kernel *k)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < k->batch.n; i++)
		if ((k->batch.f[i].flags & (FRAME_OWNED | FRAME_TAKEN)) ==
		    FRAME_OWNED)
			n += 1u + k->batch.f[i].n_segs;
	return n;
}

/* Every slot is free, cached, lent, in the batch, or the test's. */
static inline void kernel_check(const struct kernel *k)
{
	uint32_t n[3] = {0}; /* of each holder */

	for (uint32_t slot = 0; slot < k->pool->n_slots; slot++)
		n[k->pool->holder[slot]]++;
	assert(n[KERNEL_RX_HOLDER] == k->x.n_filled);
	assert(n[KERNEL_TX_HOLDER] == k->x.n_sending);
	assert(pool_n_free(k->pool) + k->cache.n + kernel_n_in_batch(k) +
		   k->n_held ==
	       n[POOL_OURS]);
}

/* What was not taken of the batch goes back. */
static inline void kernel_done(struct kernel *k)
{
	for (unsigned i = 0; i < k->batch.n; i++)
		if ((k->batch.f[i].flags & (FRAME_OWNED | FRAME_TAKEN)) ==
		    FRAME_OWNED)
			pool_put_frame(&k->cache, &k->batch.f[i]);
	k->batch.n = k->batch.n_segs = 0;
}

/* What was lent and what is left in all is each slot once.  Then all is free
 * again, in order, but for what the test has. */
static inline void kernel_stop(struct kernel *k)
{
	uint32_t n_slots = k->pool->n_slots, n = 0;
	uint8_t *seen = calloc(n_slots, 1);
	int64_t slot;

	kernel_check(k);
	kernel_done(k);
	while ((slot = pool_get(&k->cache)) >= 0) {
		assert(!seen[slot]++);
		assert(k->pool->holder[slot] == POOL_OURS);
		n++;
	}
	for (uint32_t i = 0; i < n_slots; i++) {
		bool lent = pool_return(k->pool, i, KERNEL_RX_HOLDER) ||
			    pool_return(k->pool, i, KERNEL_TX_HOLDER);

		assert(!lent || !seen[i]);
		n += lent;
		if (lent || seen[i])
			pool_put(&k->cache, i);
	}
	assert(n + k->n_held == n_slots);
	pool_cache_fini(&k->cache);
	free(seen);
	kernel = NULL;
}

static inline void kernel_close(struct kernel *k)
{
	kernel_stop(k);
	pool_close(k->pool);
	free(k);
}

/* One poll, of the batch emptied. */
static inline unsigned kernel_poll(struct kernel *k)
{
	unsigned n;

	kernel_done(k);
	n = xsk_rx(&k->x, &k->batch, &k->w);
	kernel_check(k);
	return n;
}

/* Takes a slot to receive in: the address of its first byte that may be
 * written, or KERNEL_NOTHING. */
static inline uint64_t kernel_take_fill(struct kernel *k)
{
	uint64_t addr;

	if (k->fill.consumer == k->fill.producer)
		return KERNEL_NOTHING;
	assert(k->fill.producer - k->fill.consumer <= XSK_RING_SIZE);
	addr = k->fill.addr[k->fill.consumer++ % XSK_RING_SIZE];
	assert(addr % POOL_FRAME_SIZE == 0 && addr < k->pool->size);
	assert(!k->honest ||
	       k->pool->holder[addr >> POOL_FRAME_SHIFT] == KERNEL_RX_HOLDER);
	return addr + XDP_PACKET_HEADROOM;
}

static inline void kernel_give(
    struct kernel *k, uint64_t addr, uint32_t len, uint32_t options)
{
	k->rx.desc[k->rx.producer++ % XSK_RING_SIZE] =
	    (struct xdp_desc){addr, len, options};
}

/* The address by which the kernel knows @data. */
static inline uint64_t kernel_addr(const struct kernel *k, const uint8_t *data)
{
	return (uint64_t)(data - k->pool->base);
}

/* Byte @i of a test frame. */
static inline uint8_t kernel_pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) + 3);
}

static inline void kernel_write(uint8_t *to, uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		to[i] = kernel_pattern(from + i);
}

/* Receives a frame of @n buffers of @len bytes, the last of @last bytes; if
 * not @ended, more of it is to come. */
static inline void kernel_receive_part(
    struct kernel *k, unsigned n, uint32_t len, uint32_t last, bool ended)
{
	for (unsigned i = 0; i < n; i++) {
		bool more = i + 1 < n || !ended;
		uint32_t some = i + 1 < n ? len : last;
		uint64_t addr = kernel_take_fill(k);

		assert(addr != KERNEL_NOTHING);
		kernel_write(k->pool->base + addr, i * len, some);
		kernel_give(k, addr, some, more ? XDP_PKT_CONTD : 0);
	}
}

static inline void kernel_receive(
    struct kernel *k, unsigned n, uint32_t len, uint32_t last)
{
	kernel_receive_part(k, n, len, last, true);
}

/* Frame @f holds kernel_pattern() from its first byte on. */
static inline void kernel_check_frame(const struct frame *f, uint32_t len)
{
	uint32_t n = f->head_len;

	assert(f->len == len);
	for (uint32_t i = 0; i < f->head_len; i++)
		assert(f->head[i] == kernel_pattern(i));
	for (unsigned s = 0; s < f->n_segs; s++)
		for (uint32_t i = 0; i < f->segs[s].len; i++)
			assert(f->segs[s].data[i] == kernel_pattern(n++));
	assert(n == len);
}

/* An owned frame of @n buffers of @len bytes in the batch, as another port
 * would have received it, for its last tx. */
static inline struct frame *kernel_make(
    struct kernel *k, unsigned n, uint32_t len)
{
	struct batch *b = &k->batch;
	struct frame *f = &b->f[b->n++];

	*f = (struct frame){.segs = &b->segs[b->n_segs],
	    .len = n * len,
	    .head_len = (uint16_t)len,
	    .n_segs = (uint16_t)(n - 1),
	    .flags = FRAME_OWNED,
	    .n_left = 1};
	for (unsigned i = 0; i < n; i++) {
		int64_t slot = pool_get(&k->cache);
		uint8_t *data = pool_data(k->pool, (uint32_t)slot) +
				(i ? 0 : XDP_PACKET_HEADROOM);

		assert(slot >= 0);
		kernel_write(data, i * len, len);
		if (i)
			f->segs[i - 1] = (struct frame_seg){data, len};
		else
			f->head = data;
	}
	b->n_segs += n - 1;
	return f;
}

/* Sends the batch from its frame @from on, for the last time. */
static inline void kernel_tx_from(struct kernel *k, unsigned from)
{
	struct frame *f[BATCH_MAX];
	unsigned n = 0;

	for (unsigned i = from; i < k->batch.n; i++)
		f[n++] = &k->batch.f[i];
	xsk_tx(&k->x, f, n, &k->w);
	kernel_check(k);
}

static inline void kernel_tx(struct kernel *k)
{
	kernel_tx_from(k, 0);
	kernel_done(k);
	kernel_check(k);
}

static inline bool kernel_flush(struct kernel *k)
{
	bool more = xsk_flush(&k->x, &k->w);

	kernel_check(k);
	return more;
}

static inline uint32_t kernel_n_unsent(const struct kernel *k)
{
	return k->tx.producer - k->tx.consumer;
}

/* What is in flight are frames that a card can send; when it has taken all
 * that was posted, whole ones. */
static inline void kernel_check_chains(const struct kernel *k)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < k->n_in_flight; i++) {
		assert(++n <= k->x.max_bufs);
		if (!(k->in_flight[i].options & XDP_PKT_CONTD))
			n = 0;
	}
	assert(!n || kernel_n_unsent(k));
}

/* Takes up to @max descriptors to send. */
static inline void kernel_send(struct kernel *k, unsigned max)
{
	assert(kernel_n_unsent(k) <= XSK_RING_SIZE);
	for (; max && kernel_n_unsent(k); max--) {
		const struct xdp_desc *d =
		    &k->tx.desc[k->tx.consumer % XSK_RING_SIZE];
		uint64_t offset = d->addr % POOL_FRAME_SIZE;

		/* Room in the completion ring is set aside for each. */
		if (k->n_in_flight + k->completion.producer -
			k->completion.consumer ==
		    XSK_RING_SIZE)
			break;
		assert(d->addr < k->pool->size);
		assert(d->len && offset + d->len <= POOL_FRAME_SIZE);
		assert(!(
		    d->options & ~(uint32_t)(XDP_PKT_CONTD | XDP_TX_METADATA)));
		assert(offset >= k->x.member.tx_metadata_len);
		assert(!k->honest ||
		       k->pool->holder[d->addr >> POOL_FRAME_SHIFT] ==
			   KERNEL_TX_HOLDER);
		k->in_flight[k->n_in_flight++] = *d;
		k->tx.consumer++;
	}
	kernel_check_chains(k);
}

static inline void kernel_complete_addr(struct kernel *k, uint64_t addr)
{
	k->completion.addr[k->completion.producer++ % XSK_RING_SIZE] = addr;
}

/* The oldest @n that were sent leave without a word. */
static inline void kernel_forget(struct kernel *k, uint32_t n)
{
	assert(n <= k->n_in_flight);
	k->n_in_flight -= n;
	memmove(k->in_flight, k->in_flight + n,
	    k->n_in_flight * sizeof(*k->in_flight));
}

static inline void kernel_complete(struct kernel *k, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		kernel_complete_addr(k, k->in_flight[i].addr);
	kernel_forget(k, n);
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags,
    __CONST_SOCKADDR_ARG to, socklen_t size)
{
	if (fd != KERNEL_FD)
		return syscall(SYS_sendto, fd, buf, n, flags,
		    *(const struct sockaddr *const *)&to, size);
	kernel->n_sendto++;
	errno = kernel->send_errno;
	if (errno)
		return -1;
	kernel_send(kernel, kernel->budget);
	errno = kernel_n_unsent(kernel) ? EAGAIN : 0;
	return errno ? -1 : 0;
}

ssize_t recvfrom(int fd, void *restrict buf, size_t n, int flags,
    __SOCKADDR_ARG from, socklen_t *restrict size)
{
	if (fd != KERNEL_FD)
		return syscall(SYS_recvfrom, fd, buf, n, flags,
		    *(struct sockaddr *const *)&from, size);
	kernel->n_recvfrom++;
	return 0;
}

#endif
