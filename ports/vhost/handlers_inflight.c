/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handlers_inflight.c - requests about in-flight memory.
 *
 * Memory that we make is in use from then on, as if it had been handed back at
 * once.  A session has one, and the one before is gone when a message is
 * answered.
 */
#include <errno.h>
#include <unistd.h>

#include "ports/vhost/handlers.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"

/* Only for the exchange are rings that run off the workers; they know where
 * they are. */
static enum vhost_outcome exchange(
    struct vhost_port *p, struct vhost_inflight *heir)
{
	heir->guard.owner = p;
	__atomic_store_n(
	    &heir->guard.on_broken, vhost_session_raise, __ATOMIC_RELEASE);
	vhost_rings_pause(p, 0, vhost_port_n_rings(p));
	vhost_inflight_close(p->inflight);
	p->inflight = heir;
	return vhost_rings_resume(p);
}

static enum vhost_outcome check(
    struct vhost_port *p, const struct vhost_message *m)
{
	unsigned n = m->payload.inflight.n_queues;

	if (!(p->protocol_features >> VHOST_PROTOCOL_INFLIGHT_SHMFD & 1))
		return vhost_refuse(
		    p, "%s was not negotiated", vhost_message_name(m));
	if (n > vhost_port_n_rings(p))
		return vhost_refuse(p,
		    "%s for %u rings of a port with %u pairs of queues",
		    vhost_message_name(m), n, p->n_queues);
	return VHOST_DONE;
}

enum vhost_outcome vhost_handle_get_inflight_fd(
    struct vhost_port *p, struct vhost_message *m)
{
	struct vhost_inflight_msg *msg = &m->payload.inflight;
	enum vhost_outcome o = check(p, m);
	struct vhost_inflight *heir;
	struct err e;
	int fd;

	if (o != VHOST_DONE)
		return o;
	if (vhost_inflight_create(msg, &fd, &e))
		return vhost_refuse(p, "%s", e.message);
	if (vhost_inflight_open(&heir, msg, fd, &e)) {
		close(fd);
		return vhost_refuse(p, "%s", e.message);
	}
	m->fd[0] = fd;
	m->n_fds = 1;
	o = exchange(p, heir);
	return o == VHOST_DONE ? VHOST_REPLY : o;
}

enum vhost_outcome vhost_handle_set_inflight_fd(
    struct vhost_port *p, struct vhost_message *m)
{
	enum vhost_outcome o = check(p, m);
	struct vhost_inflight *heir;
	struct err e;

	if (o != VHOST_DONE)
		return o;
	if (vhost_inflight_open(&heir, &m->payload.inflight, m->fd[0], &e))
		return vhost_refuse(p, "%s", e.message);
	return exchange(p, heir);
}
