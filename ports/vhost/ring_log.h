/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring_log.h - a machine is moved to another host: what a back end has to do.
 *
 *	the host it leaves			the host it goes to
 *
 *	SET_LOG_BASE	here is a bitmap	the same as of any machine; its
 *	SET_FEATURES	LOG_ALL: use it		 rings go on where GET_VRING_BASE
 *	SET_VRING_ADDR	with the ring, too	 said, and where its memory says
 *	  ... memory is copied, again and	SEND_RARP  it is here
 *	      again, while frames pass ...	SET_FEATURES, SET_VRING_ADDR
 *	GET_VRING_BASE	stop: the last pages	 without log, if it had one
 *	SET_FEATURES	or no LOG_ALL: it stays
 *
 * Nothing of that may cost a frame: the bitmap is given to rings, exchanged
 * and taken away while they run, by one pointer that each has, and no answer
 * leaves before every worker has seen it.  A ring that is to be logged and has
 * no bitmap yet waits for one.
 *
 * A bitmap that has no bit for some of the machine's memory, or of a ring, is
 * refused.  One whose file is cut off breaks the port: a machine that was
 * moved with pages missing would be worse off than one whose move failed.
 *
 * That the machine is somewhere else by then is for the other switches to
 * learn.  A guest that negotiated GUEST_ANNOUNCE says so itself, at QEMU's
 * request; for all others QEMU sends SEND_RARP, some of them before the rings
 * run.  Those are kept until they do.
 *
 * Post-copy, in which the machine runs on the new host while its memory is
 * still on the old one, is not offered (VHOST_USER_PROTOCOL_F_PAGEFAULT): a
 * worker that met a page which is not there would wait for the network, and
 * all its other ports with it.  QEMU says that the back end is not capable of
 * it, and the machine stays where it is.
 *
 * Threads: control.
 */
#ifndef PORTS_VHOST_RING_LOG_H
#define PORTS_VHOST_RING_LOG_H

#include "ports/vhost/ring.h"

/* Whether the front end wants writes noted, and has not said where. */
bool vhost_log_is_awaited(const struct vhost_port *p);

/* Whether the log, if there is one, has a bit for all memory and for @ring;
 * -EINVAL with a sentence if not. */
int vhost_ring_log_check(
    const struct vhost_port *p, const struct vhost_ring *ring, struct err *e);

/* Readies @ring, which is about to start. */
void vhost_ring_log_start(const struct vhost_port *p, struct vhost_ring *ring);

/* What SET_VRING_ADDR says of a ring whose addresses it leaves as they are. */
enum vhost_outcome vhost_ring_log_set(struct vhost_port *p,
    struct vhost_ring *ring, const struct vhost_vring_addr *a);

/* Features that differ in LOG_ALL alone, while rings run. */
enum vhost_outcome vhost_log_switch(struct vhost_port *p, uint64_t features);

/* Gives all rings @log, which is the port's from then on, in place of the one
 * before, which is freed.  If it is refused, nothing has changed. */
enum vhost_outcome vhost_log_exchange(
    struct vhost_port *p, struct dirty_log *log);

/* Makes the announcement that waits for the rings to run, if they do. */
void vhost_announce(struct vhost_port *p);

#endif
