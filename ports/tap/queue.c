/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue.c - frames between a tap interface and packet memory.
 *
 * The virtio-net header that comes with a frame is written by the kernel, but
 * on behalf of whoever may send packets on the host: it is believed no more
 * than a guest's.
 */
#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "ports/tap/queue.h"

static_assert(TAP_HEAD_ROOM + (TAP_SLOTS - 1) * POOL_FRAME_SIZE > FRAME_LEN_MAX,
    "a frame that was cut must be told from the longest");
static_assert(TAP_SLOTS - 1 <= BATCH_SEGS_MAX, "a batch holds any frame");

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Has control look after the port. */
static void tell(struct tap_queue *q)
{
	if (!__atomic_exchange_n(&q->raised, 1, __ATOMIC_RELAXED))
		q->port->env->raise(q->port);
}

/* Gives every iovec a slot; false if packet memory is used up. */
static bool prepare(struct tap_queue *q, struct pool_cache *pool)
{
	for (; q->n_missing; q->n_missing--) {
		int64_t slot = pool_get(pool);
		uint8_t *data;

		if (slot < 0)
			return false;
		data = pool_data(pool->pool, (uint32_t)slot);
		q->iov[q->n_missing].iov_base =
		    q->n_missing == 1 ? data + FRAME_HEADROOM : data;
	}
	return true;
}

/* The @len bytes in the prepared slots as the next frame of @b. */
static struct frame *describe(
    const struct tap_queue *q, struct batch *b, uint32_t len)
{
	struct frame *f = &b->f[b->n];
	uint32_t rest;

	*f = (struct frame){
	    .head = q->iov[1].iov_base,
	    .segs = &b->segs[b->n_segs],
	    .len = len,
	    .head_len = (uint16_t)min_u32(len, TAP_HEAD_ROOM),
	    .flags = FRAME_OWNED,
	};
	rest = len - f->head_len;
	while (rest) {
		uint32_t some = min_u32(rest, POOL_FRAME_SIZE);
		const struct iovec *iov = &q->iov[2 + f->n_segs];

		f->segs[f->n_segs++] = frame_seg_own(iov->iov_base, some);
		rest -= some;
	}
	return f;
}

/* What is off does not come in, and a checksum that was verified is no work
 * for anybody. */
static uint8_t allowed(const struct port *port)
{
	return port->accepts ? port->accepts | OFFLOAD_VALID : 0;
}

static enum drop_reason judge(
    const struct tap_queue *q, struct batch *b, uint32_t len)
{
	struct frame *f;

	if (len < FRAME_LEN_MIN)
		return DROP_RX_RUNT;
	if (len > FRAME_LEN_MAX)
		return DROP_RX_OVERSIZE;
	f = describe(q, b, len);
	return offload_parse(
	    &f->offload, &q->hdr, f->head, f->head_len, len, allowed(q->port));
}

/* A message of @n bytes was read, header included. */
static void take(
    struct tap_queue *q, struct batch *b, size_t n, struct counters *c)
{
	uint32_t len =
	    n < VIRTIO_NET_HDR_LEN ? 0 : (uint32_t)(n - VIRTIO_NET_HDR_LEN);
	enum drop_reason why = judge(q, b, len);

	if (why != DROP_NONE) {
		c->rx_packets++;
		c->rx_bytes += len;
		c->drops[why]++;
		return; /* the next frame goes into the same slots */
	}
	q->n_missing = (uint8_t)(1 + b->f[b->n].n_segs);
	b->n_segs += b->f[b->n++].n_segs;
}

/* Whether there is something to be read nevertheless. */
static bool survives_error(struct tap_queue *q, int error, struct counters *c)
{
	if (error == EINVAL) { /* of a frame that it could not describe */
		c->rx_packets++;
		c->drops[DROP_RX_MALFORMED]++;
		return true;
	}
	q->drained = error != EINTR;
	if (error != EINTR && error != EAGAIN)
		tell(q);
	return false;
}

/* Without packet memory the frames stay in the kernel's queue. */
unsigned tap_queue_rx(
    struct tap_queue *q, struct batch *b, struct port_worker *w)
{
	unsigned n = 0;

	q->drained = false;
	for (; n < BATCH_MAX && b->n_segs <= BATCH_SEGS_MAX - (TAP_SLOTS - 1) &&
	       prepare(q, w->pool);
	     n++) {
		ssize_t size = readv(q->fd, q->iov, 1 + TAP_SLOTS);

		if (size >= 0)
			take(q, b, (size_t)size, w->counters);
		else if (!survives_error(q, errno, w->counters))
			break;
	}
	return n;
}

/* The kernel wakes for each frame, and after this worker's last look at its
 * epoll set none has gone unnoticed: nothing to be asked for. */
bool tap_queue_arm(const struct tap_queue *q)
{
	return q->drained;
}

static enum drop_reason why_not(struct tap_queue *q, int error)
{
	switch (error) {
	case EAGAIN:
		return DROP_TAIL_DROP;
	case ENOMEM:
	case ENOBUFS:
		return DROP_NO_MEMORY;
	case EIO: /* the interface is down */
	case ENETDOWN:
		return DROP_PORT_DOWN;
	case EBADFD: /* it is no more */
		tell(q);
		return DROP_PORT_DOWN;
	default: /* EFAULT: the sender's memory is gone */
		return DROP_KERNEL_REFUSED;
	}
}

static enum drop_reason send_one(struct tap_queue *q, const struct frame *f)
{
	uint8_t accepts = q->port->accepts;
	struct virtio_net_hdr hdr;
	struct iovec iov[2 + FRAME_SEGS_MAX];

	if (f->offload.bits & ~(accepts | OFFLOAD_VALID))
		return DROP_NO_OFFLOAD;
	hdr = offload_hdr_for(&f->offload, accepts);
	iov[0] = (struct iovec){&hdr, VIRTIO_NET_HDR_LEN};
	iov[1] = (struct iovec){f->head, f->head_len};
	for (unsigned i = 0; i < f->n_segs; i++)
		iov[2 + i] = (struct iovec){
		    shared_raw(void, f->segs[i].data), f->segs[i].len};
	if (writev(q->fd, iov, 2 + f->n_segs) >= 0)
		return DROP_NONE;
	return why_not(q, errno);
}

void tap_queue_tx(struct tap_queue *q, struct frame *const f[], unsigned n,
    struct port_worker *w)
{
	struct counters *c = w->counters;

	for (unsigned i = 0; i < n; i++) {
		enum drop_reason why = send_one(q, f[i]);

		if (why == DROP_NONE) {
			c->tx_packets++;
			c->tx_copied++;
			c->tx_bytes += f[i]->len;
		} else if (why == DROP_PORT_DOWN) {
			c->drops[why] += n - i; /* the others too */
			break;
		} else {
			c->drops[why]++;
		}
	}
}

void tap_queue_listen(struct tap_queue *q)
{
	__atomic_store_n(&q->raised, 0, __ATOMIC_RELAXED);
}

void tap_queue_init(struct tap_queue *q, struct port *port, int fd)
{
	*q = (struct tap_queue){.port = port, .fd = fd, .n_missing = TAP_SLOTS};
	q->iov[0] = (struct iovec){&q->hdr, VIRTIO_NET_HDR_LEN};
	q->iov[1].iov_len = TAP_HEAD_ROOM;
	for (unsigned i = 2; i <= TAP_SLOTS; i++)
		q->iov[i].iov_len = POOL_FRAME_SIZE;
}

void tap_queue_fini(struct tap_queue *q, struct pool_cache *cache)
{
	close(q->fd);
	for (unsigned i = q->n_missing + 1u; i <= TAP_SLOTS; i++)
		pool_put(cache, pool_slot(cache->pool, q->iov[i].iov_base));
	q->n_missing = TAP_SLOTS;
}
