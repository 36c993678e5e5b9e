/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xsk.h - AF_XDP sockets on one queue of one card, for both ways.
 *
 *	             fill ring ─────────► kernel, card
 *	packet  ◄─── receive ring ◄─────── filled slots
 *	memory  ───► transmit ring ──────► kernel, card
 *	        ◄─── completion ring ◄──── sent slots
 *
 * The rings are libxdp's; sockets are set up here, because libxdp keeps the
 * first socket of a UMEM bound as long as there are others, and a card that
 * leaves must be let go.
 *
 * A slot is lent to the socket's receive side from the fill ring on until it
 * comes out of the receive ring, and to its transmit side likewise.  What a
 * ring yields that was not lent is a fault of the kernel or the driver: it is
 * not touched, and the socket is made anew (xsk_fault).
 *
 * Life: open, xsk_fill, live, not live, close.  Threads: open and close on
 * control; the receive members by the worker that polls the queue, the
 * transmit members by whoever may transmit (ports/port.h).
 */
#ifndef PORTS_XDP_XSK_H
#define PORTS_XDP_XSK_H

#include <xdp/xsk.h>

#include "ports/link/netdev.h"
#include "ports/link/link.h"
#include "ports/port.h"
#include "ports/xdp/umem.h"

enum { XSK_RING_SIZE = 2048, XSK_RINGS = 4 };

/* Why a socket has to be made anew. */
enum xsk_fault {
	XSK_FINE,
	XSK_OWNER,   /* it gave back what it had not been lent */
	XSK_STALLED, /* it does not send any more */
};

struct xsk_config {
	struct pool *pool;
	struct port *port;	 /* raised on a fault */
	const struct link *link; /* the card */
	unsigned queue;
	struct umem_kind kind;
	struct netdev_xdp driver; /* what it can do */
	unsigned busy_poll_us;	  /* 0: interrupts */
};

struct xsk {
	/* Constant. */
	struct pool *pool;
	struct port *port;
	unsigned queue;
	unsigned max_bufs; /* of a frame that it sends */
	bool tx_checksum;  /* card or kernel complete checksums */
	bool busy_poll;
	bool is_virtual; /* a cable between stacks: checksums may be undone */
	/* The socket that receives, and has fill and completion ring; and the
	 * one that sends.  A worker sleeps on the first: each frame sent would
	 * wake it, if it were the same (bench/cards: 0.88 times the frames). */
	struct umem_member member;
	int tx_fd;
	struct {
		void *addr;
		size_t size;
	} map[XSK_RINGS];

	/* Receive side. */
	struct xsk_ring_cons rx __attribute__((aligned(64)));
	struct xsk_ring_prod fill;
	uint32_t n_filled; /* slots lent to it */
	bool discarding;   /* within a frame that is refused */

	/* Transmit side. */
	struct xsk_ring_prod tx __attribute__((aligned(64)));
	struct xsk_ring_cons completion;
	uint32_t n_sending;   /* slots lent to it */
	uint64_t progress_at; /* when one came back or a look began, cycles */
	uint64_t looked_at;   /* when we last looked for that */
	bool gone; /* the card is: nothing can be sent, until xsk_revive() */

	uint32_t fault; /* atomic enum xsk_fault */
};

/* Opens and binds a socket.  -EBUSY if somebody has the queue, -EOPNOTSUPP
 * and -EINVAL if the kernel or the driver does not do this kind; a sentence
 * always. */
int xsk_open(struct xsk **x, const struct xsk_config *c, struct err *e);

/* The same for the sockets that @member and @tx_fd name, bound already and in
 * use by another process; they are its own even on failure.  Ready to be live
 * after xsk_recall(). */
int xsk_inherit(struct xsk **x, const struct xsk_config *c,
    const struct umem_member *member, int tx_fd, struct err *e);

/* Goes on where the rings of @x are, with as many slots lent as another process
 * has lent it. */
void xsk_recall(struct xsk *x, uint32_t n_filled, uint32_t n_sending);

/* Closes it; what the kernel had rests (umem.h).  NULL is fine. */
void xsk_close(struct xsk *x, sd_event *event);

/* Lends the receive side slots from @cache until it has its share. */
void xsk_fill(struct xsk *x, struct pool_cache *cache);

/* Fills the empty @b with received frames, owned by the switch from here on.
 * Counts what it refuses.  Returns descriptors consumed. */
unsigned xsk_rx(struct xsk *x, struct batch *b, struct port_worker *w);

/* Whether nothing waits and what arrives will wake the socket's descriptor. */
bool xsk_arm(struct xsk *x);

/* Sends f[0..n): owned frames that leave for the last time as they are, the
 * others copied into slots; a checksum that is left undone is asked of the
 * card or kernel, if x->tx_checksum.  Counts each. */
void xsk_tx(
    struct xsk *x, struct frame *const f[], unsigned n, struct port_worker *w);

/* Takes back what was sent, has the kernel send what it has left lying.
 * Returns whether something is still with it. */
bool xsk_flush(struct xsk *x, struct port_worker *w);

/* The card of @x, which is not live, can send again.  Control. */
void xsk_revive(struct xsk *x);

/* Marks @x as broken for @why and raises its port.  Worker. */
void xsk_break(struct xsk *x, enum xsk_fault why);

static inline bool xsk_usable(const struct xsk *x)
{
	return !__atomic_load_n(&x->fault, __ATOMIC_RELAXED);
}

#endif
