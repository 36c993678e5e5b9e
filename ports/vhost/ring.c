/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.c - when a ring runs; the only place that makes queues live.
 *
 * Every change of the live queues is published at once for all rings that it
 * concerns, and what a worker may look at is touched only afterwards.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/vhost/access.h"
#include "ports/vhost/features.h"
#include "ports/vhost/packed.h"
#include "ports/vhost/ring_log.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"

static struct doorbell *bell;
static unsigned bell_users;

int vhost_bell_get(struct err *e)
{
	int rc = bell_users ? 0 : doorbell_open(&bell, e);

	if (!rc)
		bell_users++;
	return rc;
}

void vhost_bell_put(void)
{
	if (--bell_users)
		return;
	doorbell_close(bell);
	bell = NULL;
}

struct vhost_ring *vhost_rings_new(unsigned n)
{
	struct vhost_ring *ring =
	    aligned_alloc(_Alignof(struct vhost_ring), n * sizeof(*ring));

	if (!ring)
		return NULL;
	memset(ring, 0, n * sizeof(*ring));
	for (unsigned i = 0; i < n; i++)
		ring[i].vq.kick_fd = ring[i].vq.call_fd = ring[i].err_fd = -1;
	return ring;
}

void vhost_ring_set_fd(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

void vhost_ring_forget(struct vhost_ring *ring, bool keep_call)
{
	vhost_ring_set_fd(&ring->vq.kick_fd, -1);
	vhost_ring_set_fd(&ring->err_fd, -1);
	if (!keep_call)
		vhost_ring_set_fd(&ring->vq.call_fd, -1);
	ring->has_addr = ring->has_kick = ring->base_is_ours = false;
	ring->num = 0;
	ring->base = 0;
}

void vhost_rings_free(struct vhost_ring *ring, unsigned n)
{
	for (unsigned i = 0; ring && i < n; i++)
		vhost_ring_forget(&ring[i], false);
	free(ring);
}

/* The word and the bit in which ring @i is live. */
static uint64_t *live_word(struct vhost_port *p, unsigned i)
{
	return i & 1 ? &p->port.rx_live : &p->port.tx_live;
}

static uint64_t live_bit(unsigned i)
{
	return UINT64_C(1) << i / 2;
}

void vhost_rings_pause(struct vhost_port *p, unsigned first, unsigned n)
{
	bool any = false;

	for (unsigned i = first; i < first + n; i++) {
		*live_word(p, i) &= ~live_bit(i);
		any |= p->ring[i].running;
	}
	if (!any)
		return;
	p->port.env->changed(&p->port);
	for (unsigned i = first; i < first + n; i++) {
		struct vhost_ring *ring = &p->ring[i];

		if (!ring->running)
			continue;
		ring->running = false;
		ring->base = ring->vq.next_avail;
		ring->base_is_ours = true;
	}
}

/* The three parts of a ring (virtio 1.2, 2.7 and 2.8), as the peer sees them,
 * with how they must be aligned and what they take up. */
struct part {
	uint64_t user, size;
	unsigned align;
	void __peer *host;
};

uint64_t vhost_ring_used_size(
    const struct vhost_port *p, const struct vhost_ring *ring)
{
	if (vhost_port_has(p, VHOST_F_RING_PACKED))
		return 4;
	return 4 + UINT64_C(8) * ring->num +
	       (vhost_port_has(p, VHOST_F_EVENT_IDX) ? 2 : 0);
}

static void describe(const struct vhost_port *p, const struct vhost_ring *ring,
    struct part part[3])
{
	uint64_t n = ring->num;
	uint64_t event = vhost_port_has(p, VHOST_F_EVENT_IDX) ? 2 : 0;
	bool packed = vhost_port_has(p, VHOST_F_RING_PACKED);

	part[0] = (struct part){ring->desc_user, 16 * n, 16, NULL};
	if (packed)
		part[1] = (struct part){ring->avail_user, 4, 4, NULL};
	else
		part[1] =
		    (struct part){ring->avail_user, 4 + 2 * n + event, 2, NULL};
	part[2] = (struct part){
	    ring->used_user, vhost_ring_used_size(p, ring), 4, NULL};
}

static bool is_enabled(
    const struct vhost_port *p, const struct vhost_ring *ring)
{
	return ring->enabled || !vhost_port_has(p, VHOST_F_PROTOCOL_FEATURES);
}

/* A ring that is not all described yet, or lies in memory that is not shared
 * yet (or no more), waits.  One towards the guest also waits to be enabled. */
static bool can_run(
    const struct vhost_port *p, unsigned i, const struct part part[3])
{
	const struct vhost_ring *ring = &p->ring[i];

	if (!p->has_features || !p->mem || vhost_log_is_awaited(p) ||
	    !ring->num || !ring->has_addr || !ring->has_kick ||
	    !(i & 1 || is_enabled(p, ring)))
		return false;
	for (unsigned k = 0; k < 3; k++)
		if (!vhost_memory_at_user(p->mem, part[k].user, 1))
			return false;
	return true;
}

/* Where the parts lie in our memory; false: not whole, not aligned, or one
 * over the other. */
static bool locate(const struct vhost_memory *mem, struct part part[3])
{
	for (unsigned k = 0; k < 3; k++) {
		part[k].host =
		    vhost_memory_at_user(mem, part[k].user, part[k].size);
		if (!part[k].host || part[k].user % part[k].align ||
		    (uintptr_t)part[k].host % part[k].align)
			return false;
		for (unsigned j = 0; j < k; j++)
			if (part[j].user < part[k].user + part[k].size &&
			    part[k].user < part[j].user + part[j].size)
				return false;
	}
	return true;
}

/* What could not be judged when it was said, for want of the features. */
static enum vhost_outcome examine(
    struct vhost_port *p, unsigned i, struct part part[3])
{
	const struct vhost_ring *ring = &p->ring[i];
	bool packed = vhost_port_has(p, VHOST_F_RING_PACKED);
	struct err e;

	if (!packed && ring->num & (ring->num - 1))
		return vhost_break(p, "ring_size",
		    "split ring %u is of %u descriptors", i, ring->num);
	if (packed && (ring->base & PACKED_INDEX) >= ring->num)
		return vhost_break(p, "ring_base",
		    "packed ring %u of %u descriptors is at descriptor %u", i,
		    ring->num, ring->base & PACKED_INDEX);
	if (!locate(p->mem, part))
		return vhost_break(p, "ring_addr",
		    "ring %u does not lie whole, aligned and by itself in one "
		    "memory region",
		    i);
	if (vhost_ring_log_check(p, ring, &e))
		return vhost_break(p, "log_size", "%s", e.message);
	return VHOST_DONE;
}

/* A back end that was killed may have taken buffers that it never returned;
 * the ring in the guest's memory is the one that knows.  Of a packed ring that
 * it cannot tell, its notes are believed, and without notes the front end. */
static uint16_t first_place(struct vhost_ring *ring)
{
	struct virtq *vq = &ring->vq;
	uint16_t place = ring->base;

	if (ring->base_is_ours)
		return place;
	if (!vq->packed)
		place = shared_poll(&vq->used->idx);
	else if (!packed_recover(vq, &place))
		inflight_place(vq, &place);
	return inflight_resume(vq, place);
}

static void start(struct vhost_port *p, unsigned i, const struct part part[3])
{
	struct vhost_ring *ring = &p->ring[i];
	struct virtq *vq = &ring->vq;
	bool modern = vhost_port_has(p, VHOST_F_VERSION_1);
	uint16_t place;

	vq->mem = p->mem;
	vq->port = &p->port;
	vq->packed = vhost_port_has(p, VHOST_F_RING_PACKED);
	if (vq->packed) {
		vq->slot = part[0].host;
		vq->driver_event = part[1].host;
		vq->device_event = part[2].host;
	} else {
		vq->desc = part[0].host;
		vq->avail = part[1].host;
		vq->used = part[2].host;
	}
	vq->size = ring->num;
	vq->mergeable = vhost_port_has(p, VHOST_NET_F_MRG_RXBUF);
	vq->indirect = vhost_port_has(p, VHOST_F_INDIRECT_DESC);
	vq->event_idx = vhost_port_has(p, VHOST_F_EVENT_IDX);
	vq->in_order = vhost_port_has(p, VHOST_F_IN_ORDER);
	vq->allowed = vhost_offloads_sent(p->features);
	vq->hdr_len = modern || vq->mergeable ? VIRTIO_NET_HDR_LEN
					      : VIRTIO_NET_HDR_LEN_LEGACY;
	vhost_ring_log_start(p, ring);
	vq->inflight =
	    vhost_inflight_queue(p->inflight, i, vq->size, vq->packed);
	place = first_place(ring);
	inflight_begin(vq, place);
	virtq_start(vq, place);
	ring->discard = !is_enabled(p, ring);
	ring->running = true;
	*live_word(p, i) |= live_bit(i);
}

/* Up: frames can pass in at least one direction. */
static void set_state(struct vhost_port *p)
{
	bool up = false;

	for (unsigned i = 0; i < vhost_port_n_rings(p); i++)
		up |= p->ring[i].running && !p->ring[i].discard;
	if (up) {
		if (p->port.state != PORT_UP)
			log_limited(&p->limit, LOG_INFO, "port %s: up, %s",
			    p->port.name, p->peer);
		port_set_state(&p->port, PORT_UP, NULL);
		p->no_memory = sd_event_source_disable_unref(p->no_memory);
	} else if (p->port.state == PORT_UP) {
		port_set_state(&p->port, PORT_WAIT, NULL);
	}
}

/* What was returned before the ring was stopped may not have been told, and
 * one notification too many does no harm. */
static void notify(const struct vhost_ring *ring)
{
	if (ring->vq.call_fd >= 0)
		doorbell_ring(bell, ring->vq.call_fd);
}

enum vhost_outcome vhost_rings_resume(struct vhost_port *p)
{
	bool started[2 * PORT_QUEUES_MAX] = {false};
	enum port_state state = p->port.state;
	enum vhost_outcome o;
	bool any = false;

	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		struct part part[3];

		if (p->ring[i].running)
			continue;
		describe(p, &p->ring[i], part);
		if (!can_run(p, i, part))
			continue;
		o = examine(p, i, part);
		if (o != VHOST_DONE)
			return o;
		start(p, i, part);
		any = started[i] = true;
	}
	set_state(p);
	if (any || p->port.state != state)
		p->port.env->changed(&p->port);
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++)
		if (started[i])
			notify(&p->ring[i]);
	vhost_announce(p);
	return VHOST_DONE;
}

void vhost_rings_rewind(struct vhost_port *p)
{
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		struct vhost_ring *ring = &p->ring[i];

		if (!ring->running)
			continue;
		ring->base = ring->vq.next_avail;
		ring->base_is_ours = false;
		virtq_start(&ring->vq, first_place(ring));
		notify(ring);
	}
}

void vhost_rings_signal_error(struct vhost_port *p)
{
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++)
		if (p->ring[i].err_fd >= 0)
			doorbell_ring(bell, p->ring[i].err_fd);
}
