/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.h - the port that is the host itself: a tap interface of the kernel.
 *
 * An interface that is there already, made persistent with `ip tuntap add`,
 * is used as it is and left in place, addresses and all; its MTU bounds the
 * port's.  Where there is none one is made, which takes the port's MTU and
 * goes with the port.
 *
 *	          attach                    link down / up
 *	waiting ─────────► attached: up ◄─────────────────► attached: wait
 *	   ▲                    │
 *	   └────────────────────┘ deleted: one of ours is made anew at once, a
 *	                          persistent one is waited for, by name
 *
 * An interface that is moved to another network namespace (a container's) goes
 * on carrying frames, because the descriptor does not care where it lies.  But
 * nothing is heard of it there: it counts as up, and its MTU as it was.
 *
 * Threads: as port.h; the queues themselves are in queue.h.
 */
#ifndef PORTS_TAP_TAP_H
#define PORTS_TAP_TAP_H

#include "ports/link/link.h"
#include "ports/tap/queue.h"

struct link_watch;

struct tap_port {
	struct port port;
	char dev[IFNAMSIZ];
	unsigned n_queues;
	bool offload;	  /* as asked for */
	bool attached;	  /* queue[] is open */
	bool ours;	  /* there is none without us */
	bool elsewhere;	  /* moved to another namespace */
	struct link link; /* as last seen */
	struct link_watch *watch;
	sd_event_source *retry;	  /* of an attempt that failed */
	struct tap_queue queue[]; /* n_queues */
};

extern const struct port_ops tap_port_ops;

/* attachment.c, all on the control thread. */

/* Attaches to interface @dev, or makes it, and follows it from then on.
 * Returns 0 or -errno with a sentence; close is due in either case. */
int tap_attachment_open(struct tap_port *p, const char *dev, struct err *e);

/* Leaves the interface, which is the end of one of ours. */
void tap_attachment_close(struct tap_port *p);

/* As ports/port.h has the operations; import into a port that is new. */
int tap_attachment_export(struct port *port, enum handover_stage stage,
    struct handover *h, struct json_object *to, struct err *e);
int tap_attachment_import(struct tap_port *p, const char *dev,
    struct handover *h, struct json_object *from, struct err *e);
void tap_attachment_resume(struct port *port, struct json_object *from);
void tap_attachment_reclaim(struct port *port);

/* As ops->attend and ops->reset. */
void tap_attachment_attend(struct tap_port *p);
void tap_attachment_reset(struct tap_port *p);

#endif
