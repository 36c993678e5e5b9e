/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.h - a card taken from the host, and given back.
 *
 *	program ──► sockets ──► card set up ──► queues given to the sockets
 *
 * in the best way there is, or in the one that is asked for: frames handed
 * over by the driver without a copy, by the driver with one, or by the kernel
 * in the driver's place.  Giving back goes the same way in reverse, the
 * program first.
 *
 * Life: open, close; between them the sockets are the workers' as long as
 * their queues are live.  Threads: control.
 */
#ifndef PORTS_XDP_ATTACH_H
#define PORTS_XDP_ATTACH_H

#include "ports/xdp/card.h"
#include "ports/xdp/program.h"
#include "ports/xdp/xsk.h"

enum attach_mode {
	ATTACH_AUTO,
	ATTACH_ZEROCOPY,
	ATTACH_NATIVE,
	ATTACH_GENERIC,
	ATTACH_MODES
};

/* What the administrator asked for. */
struct attach_wish {
	enum attach_mode mode;
	uint64_t queues; /* bit q; 0: all */
	unsigned busy_poll_us;
	bool force; /* also if the default route leads through it */
};

struct attachment {
	struct link link; /* ifindex 0: nothing is attached */
	enum attach_mode mode;
	char fallback[256]; /* why not in a better mode, or "" */
	struct umem_kind kind;
	unsigned n_queues, n_tx_queues; /* of the card */
	uint64_t queues;		/* bit q: there is a socket */
	uint64_t tx_queues;		/* bit q: ... that can send, too */
	struct program *program;
	struct card card;
	struct netdev_xdp driver; /* what it can do */
	struct xsk *xsk[PORT_QUEUES_MAX];
};

/* Takes @link for @port.  -errno with a sentence that names the way out, and
 * the card as it was. */
int attach_open(struct attachment *a, struct port *port,
    const struct link *link, const struct attach_wish *wish, struct err *e);

/* Gives it back.  No queue is live. */
void attach_close(struct attachment *a, sd_event *event);

/* What frames may leave undone by it (enum offload_bit). */
uint8_t attach_accepts(const struct attachment *a);

/* Whether the card has another number of queues than when it was taken. */
bool attach_queues_differ(const struct attachment *a);

/* Whether the card with MTU @mtu needs frames of several buffers. */
bool attach_needs_multi(uint32_t mtu);

/* "zerocopy" and back; ATTACH_MODES for what is none. */
const char *attach_mode_name(enum attach_mode mode);
enum attach_mode attach_mode_of(const char *name);

#endif
