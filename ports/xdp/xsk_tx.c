/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xsk_tx.c - frames to a card: the transmit and the completion ring.
 *
 * An owned frame that goes nowhere else is sent from where it lies: that is
 * how a frame passes from one card to another untouched.  All others are
 * copied into slots.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ports/xdp/uapi.h"
#include "ports/xdp/xsk.h"
#include "switch/base/clock.h"

enum {
	KICKS_MAX = 8,		/* for one batch: kernels send 32 at a time */
	STALL_US = 5 * 1000000, /* nothing came back for so long */
	LOOK_US = 1000000,	/* apart at most, for the time to count */
	/* What may be with an honest kernel: as many as wait in the transmit
	 * ring, and behind it as the completion ring has room for. */
	SENDING_MAX = 2 * XSK_RING_SIZE,
	COPY_SLOTS_MAX =
	    FRAME_LEN_MAX / (POOL_FRAME_SIZE - sizeof(struct xsk_tx_metadata)) +
	    1,
};

struct tx {
	struct xsk *x;
	struct port_worker *w;
	uint32_t at; /* the ring's next place */
};

/* Takes back what was sent. */
static void reap(struct xsk *x, struct port_worker *w)
{
	uint32_t at, n;

	n = xsk_ring_cons__peek(&x->completion, XSK_RING_SIZE, &at);
	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t slot =
		    *xsk_ring_cons__comp_addr(&x->completion, at + i) >>
		    POOL_FRAME_SHIFT;

		if (!pool_return(x->pool, slot, x->member.tx_holder)) {
			xsk_break(x, XSK_OWNER);
			continue;
		}
		pool_put(w->pool, (uint32_t)slot);
		x->n_sending--;
	}
	xsk_ring_cons__release(&x->completion, n);
	x->progress_at = w->now;
}

static bool kernel_is_done(const struct xsk *x)
{
	return __atomic_load_n(x->tx.consumer, __ATOMIC_RELAXED) ==
	       *x->tx.producer;
}

/* The port asks about the card: if it is back already, that is no news. */
static void lose_card(struct xsk *x)
{
	x->gone = true;
	x->port->env->raise(x->port);
}

/* Has the kernel look at the ring.  It sends so many at once in copy mode,
 * and says EAGAIN if there are more; other trouble passes, or the control
 * thread hears of it. */
static void kick(struct xsk *x)
{
	for (int i = 0; i < KICKS_MAX && !kernel_is_done(x); i++) {
		if (!xsk_ring_prod__needs_wakeup(&x->tx) && !x->busy_poll)
			return;
		if (sendto(x->tx_fd, NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
			return;
		if (errno == ENXIO || errno == ENETDOWN)
			lose_card(x);
		if (errno != EAGAIN)
			return;
	}
}

/* Writes down before the frame at @data what the sender of @f left to be done.
 * Returns the descriptor's flag for that. */
static uint32_t leave_checksum(
    const struct xsk *x, uint8_t *data, const struct frame *f)
{
	const struct xsk_tx_metadata m = {.flags = XDP_TXMD_FLAGS_CHECKSUM,
	    .request = {.csum_start = f->offload.csum_start,
		.csum_offset = f->offload.csum_offset}};

	if (!(f->offload.bits & OFFLOAD_CSUM))
		return 0;
	memcpy(data - x->member.tx_metadata_len, &m, sizeof(m));
	return XDP_TX_METADATA;
}

static void put_desc(
    struct tx *t, const uint8_t *data, uint32_t len, uint32_t options)
{
	struct xsk *x = t->x;

	pool_lend(x->pool, pool_slot(x->pool, data), x->member.tx_holder);
	*xsk_ring_prod__tx_desc(&x->tx, t->at++) =
	    (struct xdp_desc){.addr = (uint64_t)(data - x->pool->base),
		.len = len,
		.options = options};
	x->n_sending++;
}

static bool has_room(struct xsk *x, uint32_t n_slots)
{
	uint32_t at;

	return xsk_ring_prod__reserve(&x->tx, n_slots, &at) == n_slots;
}

/* The mark of the buffer after which @left are still to come. */
static uint32_t goes_on(uint32_t left)
{
	return left ? XDP_PKT_CONTD : 0;
}

static enum drop_reason send_in_place(struct tx *t, struct frame *f)
{
	uint32_t left = f->n_segs;

	if (!has_room(t->x, left + 1))
		return DROP_TAIL_DROP;
	put_desc(t, f->head, f->head_len,
	    leave_checksum(t->x, f->head, f) | goes_on(left));
	for (unsigned i = 0; i < f->n_segs; i++)
		put_desc(t, frame_seg_at(&f->segs[i]), f->segs[i].len,
		    goes_on(--left));
	f->flags |= FRAME_TAKEN;
	return DROP_NONE;
}

/* Where in a frame a copy goes on. */
struct reader {
	const struct frame *f;
	unsigned next; /* segment after this piece */
	const uint8_t __peer *data;
	uint32_t left; /* of this piece */
};

static void read_bytes(struct reader *r, uint8_t *to, uint32_t n)
{
	while (n) {
		uint32_t some = r->left < n ? r->left : n;

		shared_carry_in(to, r->data, some);
		to += some;
		n -= some;
		r->data += some;
		r->left -= some;
		if (!r->left && r->next < r->f->n_segs) {
			r->data = r->f->segs[r->next].data;
			r->left = r->f->segs[r->next++].len;
		}
	}
}

static enum drop_reason send_copy(struct tx *t, const struct frame *f)
{
	uint32_t before = t->x->member.tx_metadata_len;
	uint32_t room = POOL_FRAME_SIZE - before;
	uint32_t n = f->len <= room ? 1 : (f->len + room - 1) / room;
	uint32_t slot[COPY_SLOTS_MAX], got = 0, left, options = 0;
	struct reader r = {f, 0, frame_seg_own(f->head, 0).data, f->head_len};
	int64_t s = 0;

	if (n > t->x->max_bufs)
		return DROP_MTU_EXCEEDED;
	while (got < n && (s = pool_get(t->w->pool)) >= 0)
		slot[got++] = (uint32_t)s;
	if (s < 0 || !has_room(t->x, n)) {
		while (got)
			pool_put(t->w->pool, slot[--got]);
		return s < 0 ? DROP_NO_MEMORY : DROP_TAIL_DROP;
	}
	left = f->len;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t some = left < room ? left : room;
		uint8_t *to = pool_data(t->x->pool, slot[i]) + before;

		read_bytes(&r, to, some);
		left -= some;
		if (i == 0)
			options = leave_checksum(t->x, to, f);
		put_desc(t, to, some, options | goes_on(left));
		options = 0;
	}
	t->w->counters->tx_copied++;
	return DROP_NONE;
}

/* Whether @f can be sent from where it lies: it is ours, nobody else is to
 * have it, and there is room before each buffer for what the kernel looks for
 * there. */
static bool lies_well(const struct xsk *x, const struct frame *f)
{
	uint32_t before = x->member.tx_metadata_len;

	if (!(f->flags & FRAME_OWNED) || f->n_left != 1 ||
	    f->n_segs >= x->max_bufs || pool_offset(x->pool, f->head) < before)
		return false;
	for (unsigned i = 0; i < f->n_segs; i++)
		if (pool_offset(x->pool, frame_seg_at(&f->segs[i])) < before)
			return false;
	return true;
}

static enum drop_reason send_one(struct tx *t, struct frame *f)
{
	uint8_t accepts = t->x->tx_checksum ? OFFLOAD_CSUM : 0;

	if (f->offload.bits & ~(accepts | OFFLOAD_VALID))
		return DROP_NO_OFFLOAD;
	if (t->x->gone || !xsk_usable(t->x))
		return DROP_PORT_DOWN;
	return lies_well(t->x, f) ? send_in_place(t, f) : send_copy(t, f);
}

void xsk_tx(
    struct xsk *x, struct frame *const f[], unsigned n, struct port_worker *w)
{
	struct counters *c = w->counters;
	struct tx t = {.x = x, .w = w};
	uint32_t begin;

	reap(x, w);
	begin = t.at = x->tx.cached_prod;
	for (unsigned i = 0; i < n; i++) {
		enum drop_reason why = send_one(&t, f[i]);

		if (why != DROP_NONE) {
			c->drops[why]++;
			continue;
		}
		c->tx_packets++;
		c->tx_bytes += f[i]->len;
	}
	xsk_ring_prod__submit(&x->tx, t.at - begin);
	kick(x);
}

/* Another worker's clock may be a little ahead. */
static bool is_past(uint64_t since, uint64_t now, unsigned us)
{
	return (int64_t)(now - since) > (int64_t)(us * clock_cycles_per_us());
}

/* Whether slots do not come back.  The time in which nobody looked does not
 * count: this process was stopped, or the card down. */
static bool is_stalled(struct xsk *x, uint64_t now)
{
	if (is_past(x->looked_at, now, LOOK_US))
		x->progress_at = now;
	x->looked_at = now;
	return is_past(x->progress_at, now, STALL_US) ||
	       x->n_sending > SENDING_MAX;
}

bool xsk_flush(struct xsk *x, struct port_worker *w)
{
	if (x->gone || !xsk_usable(x))
		return false;
	reap(x, w);
	if (!x->n_sending)
		return false;
	kick(x);
	if (is_stalled(x, w->now))
		xsk_break(x, XSK_STALLED);
	return true;
}
