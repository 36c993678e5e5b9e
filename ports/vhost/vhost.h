/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost.h - the port that is a virtual machine: a vhost-user back end.
 *
 *	connection.c  bytes and descriptors into messages
 *	message.c     the table of requests and their rules
 *	handlers_*.c  what each request does
 *	session.c     a peer: arrives, is answered, leaves, is thrown out
 *	ring_log.c    which pages were written to, for a migration
 *	ring.c        when a ring runs; the only place that makes queues live
 *	handover.c    the same port in the next process
 *	memory.c      guest memory: mapped, translated
 *	inflight*.c   what a back end that may be killed leaves to the next
 *	virtq*.c split*.c packed*.c  the rings themselves, on the workers
 *	frame_in.c frame_out.h buffer.c  frames out of, into buffers
 *
 * Ring 2i is the guest's receiveq i, our transmit queue i; ring 2i+1 is its
 * transmitq i, our receive queue i (virtio 1.2, 5.1.2).
 *
 * Threads: as ports/port.h says.  Everything in struct vhost_port is the
 * control thread's; of a live ring, the workers' is in its struct virtq.
 */
#ifndef PORTS_VHOST_VHOST_H
#define PORTS_VHOST_VHOST_H

#include "ports/port.h"
#include "ports/vhost/connection.h"
#include "ports/peer/endpoint.h"
#include "ports/vhost/inflight.h"
#include "ports/vhost/ring.h"
#include "switch/base/log.h"

extern const struct port_ops vhost_port_ops;

struct vhost_port {
	struct port port;
	struct endpoint endpoint;
	struct vhost_connection conn;
	char peer[64];	  /* "pid 12 uid 0", or "" */
	bool unreachable; /* the reason is that nobody listens */

	/* Negotiated; forgotten when the peer leaves. */
	uint64_t features;
	uint64_t protocol_features;
	bool has_features;		 /* SET_FEATURES was seen */
	uint8_t status;			 /* of the virtio device */
	uint16_t guest_mtu;		 /* NET_SET_MTU, 0: none */
	struct vhost_memory *mem;	 /* NULL: none yet */
	struct dirty_log *log;		 /* of its pages; NULL: none yet */
	uint64_t rarp;			 /* to be announced, 0: nothing */
	struct vhost_inflight *inflight; /* NULL: not asked for */

	bool offload;		 /* the features are offered */
	unsigned n_queues;	 /* pairs */
	struct vhost_ring *ring; /* [2 * n_queues] */

	char why[PORT_REASON_MAX + 1]; /* of the last outcome, a sentence */
	const char *token;	       /* and its name in the list of cases */
	sd_event_source *no_memory;    /* runs out when none was shared */
	struct log_limit limit;
	uint64_t n_connects, n_broken;
};

static inline unsigned vhost_port_n_rings(const struct vhost_port *p)
{
	return 2 * p->n_queues;
}

/* Whether virtio feature @bit is negotiated. */
static inline bool vhost_port_has(const struct vhost_port *p, unsigned bit)
{
	return p->features >> bit & 1;
}

#endif
