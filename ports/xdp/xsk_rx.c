/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xsk_rx.c - frames from a card: the receive and the fill ring.
 *
 * What the card has written is in packet memory, which nobody else can write
 * to: the frame is its slots, nothing is copied.  Descriptors are kernel
 * memory that we map; each is read once and its address believed only if the
 * slot was lent.
 */
#include <sys/socket.h>

#include "ports/xdp/uapi.h"
#include "ports/xdp/xsk.h"
#include "switch/base/checksum.h"

enum { FILL_STEP = 64 };

static_assert(BATCH_MAX + FRAME_SEGS_MAX <= BATCH_SEGS_MAX,
    "a batch that ends with the longest frame has room for it");

struct rx {
	struct xsk *x;
	struct batch *b;
	struct port_worker *w;
	struct frame *f; /* being put together from several buffers */
};

void xsk_fill(struct xsk *x, struct pool_cache *cache)
{
	uint32_t goal = umem_fill_goal(x->pool, XSK_RING_SIZE);
	/* At the end at least half of the goal is reached: xsk_arm(). */
	uint32_t step = goal / 2 < FILL_STEP ? goal / 2 : FILL_STEP;

	while (x->n_filled + step <= goal &&
	       xsk_prod_nb_free(&x->fill, step) >= step) {
		uint32_t at = 0, n = 0, slot[FILL_STEP];
		int64_t s;

		while (n < step && (s = pool_get(cache)) >= 0)
			slot[n++] = (uint32_t)s;
		xsk_ring_prod__reserve(&x->fill, n, &at);
		for (uint32_t i = 0; i < n; i++) {
			pool_lend(x->pool, slot[i], x->member.rx_holder);
			*xsk_ring_prod__fill_addr(&x->fill, at + i) =
			    (uint64_t)slot[i] << POOL_FRAME_SHIFT;
		}
		xsk_ring_prod__submit(&x->fill, n);
		x->n_filled += n;
		if (n < step)
			break; /* packet memory is used up: the next poll */
	}
}

/* The driver found no slot to receive in and waits to be told of new ones. */
static void wake_receiver(struct xsk *x)
{
	recvfrom(x->member.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

/* Whether the kernel may hand back @d: a slot that it has, and within that a
 * place with room for a tag before it. */
static bool take_back(struct rx *r, const struct xdp_desc *d)
{
	uint64_t slot = d->addr >> POOL_FRAME_SHIFT;
	uint64_t offset = d->addr & (POOL_FRAME_SIZE - 1);

	if (!pool_return(r->x->pool, slot, r->x->member.rx_holder))
		return false;
	r->x->n_filled--;
	if (d->len && offset >= FRAME_HEADROOM &&
	    offset + d->len <= POOL_FRAME_SIZE)
		return true;
	pool_put(r->w->pool, (uint32_t)slot);
	return false;
}

static void refuse(struct rx *r, enum drop_reason why, uint32_t len_bytes)
{
	struct counters *c = r->w->counters;

	c->rx_packets++;
	c->rx_bytes += len_bytes;
	c->drops[why]++;
}

/* The next frame of @b, as far as it is known by its first buffer. */
static inline void begin_frame(
    struct frame *f, struct batch *b, uint8_t *data, uint32_t len)
{
	f->head = data;
	f->segs = &b->segs[b->n_segs];
	f->len = len;
	f->head_len = (uint16_t)len;
	f->n_segs = 0;
	f->flags = FRAME_OWNED;
	f->tci = 0;
	f->offload = (struct offload){0};
}

/* The frame in hand is no frame: its slots go back. */
static void give_up_frame(struct rx *r, enum drop_reason why)
{
	pool_put_frame(r->w->pool, r->f);
	r->b->n_segs -= r->f->n_segs;
	refuse(r, why, r->f->len);
	r->f = NULL;
}

static void end_frame(struct rx *r)
{
	if (r->f->len < FRAME_LEN_MIN || r->f->head_len < FRAME_LEN_MIN)
		give_up_frame(r, DROP_RX_RUNT);
	else
		r->b->n++;
	if (r->f && r->x->is_virtual)
		checksum_detect(r->f);
	r->f = NULL;
}

/* Adds to the frame in hand; gives it up if it becomes too much. */
static void add_buffer(struct rx *r, uint8_t *data, uint32_t len, bool more)
{
	bool is_long = r->f->len + len > FRAME_LEN_MAX;

	if (is_long || r->f->n_segs == FRAME_SEGS_MAX) {
		pool_put(r->w->pool, pool_slot(r->x->pool, data));
		give_up_frame(
		    r, is_long ? DROP_RX_OVERSIZE : DROP_RX_MALFORMED);
		r->x->discarding = more;
		return;
	}
	r->f->segs[r->f->n_segs++] = frame_seg_own(data, len);
	r->f->len += len;
	r->b->n_segs++;
}

/* One buffer of a frame of several, or of one that is refused. */
static __attribute__((noinline)) void take_buffer_slow(
    struct rx *r, const struct xdp_desc *d)
{
	uint8_t *data = r->x->pool->base + d->addr;
	bool more = d->options & XDP_PKT_CONTD;

	if (r->x->discarding) {
		pool_put(r->w->pool, pool_slot(r->x->pool, data));
		r->x->discarding = more;
		return;
	}
	if (r->f) {
		add_buffer(r, data, d->len, more);
	} else {
		r->f = &r->b->f[r->b->n];
		begin_frame(r->f, r->b, data, d->len);
	}
	if (r->f && !more)
		end_frame(r);
}

/* One buffer, mostly a whole frame. */
static inline void take_buffer(struct rx *r, const struct xdp_desc *d)
{
	struct batch *b = r->b;

	if (r->f || r->x->discarding || d->options & XDP_PKT_CONTD ||
	    d->len < FRAME_LEN_MIN) {
		take_buffer_slow(r, d);
		return;
	}
	begin_frame(&b->f[b->n], b, r->x->pool->base + d->addr, d->len);
	if (r->x->is_virtual)
		checksum_detect(&b->f[b->n]);
	b->n++;
}

/* Descriptors of a batch, and behind it those that end its last frame: the
 * kernel hands over frames whole, but more than a batch of buffers. */
unsigned xsk_rx(struct xsk *x, struct batch *b, struct port_worker *w)
{
	struct rx r = {.x = x, .b = b, .w = w};
	uint32_t at, next, n;

	if (!xsk_usable(x))
		return 0;
	xsk_fill(x, w->pool);
	n = xsk_ring_cons__peek(&x->rx, BATCH_MAX, &at);
	if (x->busy_poll ? !n : xsk_ring_prod__needs_wakeup(&x->fill))
		wake_receiver(x);
	for (uint32_t i = 0; i < n; i++) {
		struct xdp_desc d = *xsk_ring_cons__rx_desc(&x->rx, at + i);

		if (!take_back(&r, &d)) {
			xsk_break(x, XSK_OWNER);
			break;
		}
		take_buffer(&r, &d);
		if (r.f && i + 1 == n)
			n += xsk_ring_cons__peek(&x->rx, 1, &next);
	}
	if (r.f) { /* no kernel leaves a frame half done */
		give_up_frame(&r, DROP_RX_MALFORMED);
		x->discarding = true;
	}
	xsk_ring_cons__release(&x->rx, n);
	return n;
}

bool xsk_arm(struct xsk *x)
{
	/* Too few slots to receive in: only polling gets more. */
	if (x->n_filled < umem_fill_goal(x->pool, XSK_RING_SIZE) / 2)
		return !xsk_usable(x);
	if (xsk_ring_prod__needs_wakeup(&x->fill))
		wake_receiver(x);
	return !xsk_cons_nb_avail(&x->rx, 1);
}
