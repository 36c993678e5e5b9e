/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring_log.c - the log of dirty pages: given to rings, exchanged, taken away.
 *
 * Each ring has room for two accounts of what is to be noted where.  One is
 * written while workers use the other; the pointer to it is stored, and after
 * a grace period nobody knows the other any more.
 */
#include <errno.h>
#include <inttypes.h>

#include "ports/vhost/features.h"
#include "ports/vhost/ring_log.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"
#include "switch/base/quiesce.h"

static bool is_logged(const struct vhost_port *p)
{
	return vhost_port_has(p, VHOST_F_LOG_ALL) && p->log;
}

bool vhost_log_is_awaited(const struct vhost_port *p)
{
	return vhost_port_has(p, VHOST_F_LOG_ALL) && !p->log;
}

int vhost_ring_log_check(
    const struct vhost_port *p, const struct vhost_ring *ring, struct err *e)
{
	if (!is_logged(p))
		return 0;
	for (unsigned i = 0; i < p->mem->n; i++) {
		const struct vhost_region *r = &p->mem->region[i];

		if (!dirty_log_covers(p->log, r->guest, r->size))
			return err_set(e, -EINVAL,
			    "a log of %" PRIu64
			    " bytes has no bit for guest memory up to %#" PRIx64,
			    p->log->size, r->guest + r->size);
	}
	if (ring->log_ring && !dirty_log_covers(p->log, ring->log_guest,
				  vhost_ring_used_size(p, ring)))
		return err_set(e, -EINVAL,
		    "a log of %" PRIu64
		    " bytes has no bit for a ring at %#" PRIx64,
		    p->log->size, ring->log_guest);
	return 0;
}

/* The guest address of what the front end has at @user, which is there. */
static uint64_t guest_address(const struct vhost_memory *m, uint64_t user)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->region[i];

		if (user - r->user < r->size)
			return r->guest + (user - r->user);
	}
	return 0;
}

static void choose(const struct vhost_port *p, struct vhost_ring *ring)
{
	struct virtq_log *next =
	    &ring->log[ring->vq.log == &ring->log[0] ? 1 : 0];

	if (is_logged(p))
		*next = (struct virtq_log){.log = p->log,
		    .ring = ring->log_ring,
		    .used = ring->log_guest,
		    .slot = guest_address(p->mem, ring->desc_user)};
	else
		next = NULL;
	__atomic_store_n(&ring->vq.log, next, __ATOMIC_RELEASE);
}

void vhost_ring_log_start(const struct vhost_port *p, struct vhost_ring *ring)
{
	choose(p, ring);
}

static void choose_all(struct vhost_port *p)
{
	bool any = false;

	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		if (!p->ring[i].running)
			continue;
		choose(p, &p->ring[i]);
		any = true;
	}
	if (any)
		quiesce_wait();
}

static int check_all(const struct vhost_port *p, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < vhost_port_n_rings(p); i++)
		if (p->ring[i].running)
			rc = vhost_ring_log_check(p, &p->ring[i], e);
	return rc;
}

enum vhost_outcome vhost_ring_log_set(struct vhost_port *p,
    struct vhost_ring *ring, const struct vhost_vring_addr *a)
{
	const bool ring_before = ring->log_ring;
	const uint64_t guest_before = ring->log_guest;
	struct err e;

	ring->log_ring = a->flags & VHOST_VRING_LOG;
	ring->log_guest = a->log;
	if (vhost_ring_log_check(p, ring, &e)) {
		ring->log_ring = ring_before;
		ring->log_guest = guest_before;
		return vhost_refuse(p, "%s", e.message);
	}
	choose(p, ring);
	quiesce_wait();
	return VHOST_DONE;
}

enum vhost_outcome vhost_log_switch(struct vhost_port *p, uint64_t features)
{
	const uint64_t before = p->features;
	struct err e;

	p->features = features;
	if (vhost_log_is_awaited(p)) {
		p->features = before;
		return vhost_refuse(p, "logging without a log");
	}
	if (check_all(p, &e)) {
		p->features = before;
		return vhost_refuse(p, "%s", e.message);
	}
	choose_all(p);
	return VHOST_DONE;
}

enum vhost_outcome vhost_log_exchange(
    struct vhost_port *p, struct dirty_log *log)
{
	struct dirty_log *before = p->log;
	struct err e;

	p->log = log;
	if (check_all(p, &e)) {
		p->log = before;
		return vhost_refuse(p, "%s", e.message);
	}
	choose_all(p);
	if (before && guard_is_broken(&before->guard))
		guard_break(&log->guard); /* pages are missing all the same */
	dirty_log_free(before);
	return VHOST_DONE;
}
