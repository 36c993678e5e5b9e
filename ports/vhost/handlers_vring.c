/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handlers_vring.c - requests about one ring.
 *
 * The index of the ring stays 32 bits wide until it was compared with the
 * number of rings that there are.
 */
#include <inttypes.h>

#include "ports/vhost/features.h"
#include "ports/vhost/handlers.h"
#include "ports/vhost/ring_log.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"

/* The ring of that index, or NULL with the outcome in *o: an index that some
 * larger device has is refused, one that no device has is a violation. */
static struct vhost_ring *find_ring(
    struct vhost_port *p, uint32_t index, enum vhost_outcome *o)
{
	if (index < vhost_port_n_rings(p))
		return &p->ring[index];
	if (index > VHOST_INDEX_MAX)
		*o = vhost_close(p, "vring_index", "ring %u", index);
	else
		*o =
		    vhost_refuse(p, "ring %u of a port with %u pairs of queues",
			index, p->n_queues);
	return NULL;
}

static enum vhost_outcome refuse_running(
    struct vhost_port *p, const struct vhost_message *m, uint32_t index)
{
	return vhost_refuse(
	    p, "%s while ring %u runs", vhost_message_name(m), index);
}

enum vhost_outcome vhost_handle_set_vring_num(
    struct vhost_port *p, struct vhost_message *m)
{
	const struct vhost_vring_state s = m->payload.state;
	enum vhost_outcome o = VHOST_DONE;
	struct vhost_ring *ring = find_ring(p, s.index, &o);

	if (!ring)
		return o;
	if (!s.num || s.num > VIRTQ_SIZE_MAX ||
	    (s.num & (s.num - 1) && !vhost_port_has(p, VHOST_F_RING_PACKED)))
		return vhost_refuse(
		    p, "ring %u of %u descriptors", s.index, s.num);
	if (ring->running)
		return s.num == ring->num ? VHOST_DONE
					  : refuse_running(p, m, s.index);
	ring->num = s.num;
	return vhost_rings_resume(p);
}

enum vhost_outcome vhost_handle_set_vring_addr(
    struct vhost_port *p, struct vhost_message *m)
{
	const struct vhost_vring_addr *a = &m->payload.addr;
	enum vhost_outcome o = VHOST_DONE;
	struct vhost_ring *ring = find_ring(p, a->index, &o);

	if (!ring)
		return o;
	if (ring->running && ring->desc_user == a->desc &&
	    ring->avail_user == a->avail && ring->used_user == a->used)
		return vhost_ring_log_set(p, ring, a);
	vhost_rings_pause(p, a->index, 1);
	ring->log_ring = a->flags & VHOST_VRING_LOG;
	ring->log_guest = a->log;
	ring->desc_user = a->desc;
	ring->avail_user = a->avail;
	ring->used_user = a->used;
	ring->has_addr = true;
	return vhost_rings_resume(p);
}

/* Of a packed ring, where the device takes and where it returns, which for a
 * network device that was stopped in order is the same place; some front ends
 * leave out the second one (vhost-user, "A vring state description"). */
enum vhost_outcome vhost_handle_set_vring_base(
    struct vhost_port *p, struct vhost_message *m)
{
	const struct vhost_vring_state s = m->payload.state;
	enum vhost_outcome o = VHOST_DONE;
	struct vhost_ring *ring = find_ring(p, s.index, &o);

	if (!ring)
		return o;
	if (s.num > UINT16_MAX && !vhost_port_has(p, VHOST_F_RING_PACKED))
		return vhost_refuse(p, "ring %u at index %u", s.index, s.num);
	if (ring->running)
		return refuse_running(p, m, s.index);
	ring->base = (uint16_t)s.num;
	ring->base_is_ours = false;
	return VHOST_DONE;
}

/* Stops the ring, as the specification wants it; what it was at is the index
 * of the next buffer that nobody took.  Its addresses are the guest's that
 * is going away, and are not believed again. */
enum vhost_outcome vhost_handle_get_vring_base(
    struct vhost_port *p, struct vhost_message *m)
{
	enum vhost_outcome o = VHOST_DONE;
	struct vhost_ring *ring = find_ring(p, m->payload.state.index, &o);
	uint16_t base;

	if (!ring)
		return o;
	vhost_rings_pause(p, m->payload.state.index, 1);
	base = ring->base;
	vhost_ring_forget(ring, true);
	ring->base = base;
	ring->base_is_ours = true;
	o = vhost_rings_resume(p);
	m->payload.state.num = base;
	if (vhost_port_has(p, VHOST_F_RING_PACKED))
		m->payload.state.num |= (uint32_t)base << 16;
	m->header.size = sizeof(m->payload.state);
	return o == VHOST_DONE ? VHOST_REPLY : o;
}

/* The descriptor of SET_VRING_KICK, CALL or ERR in *fd (-1: none is meant),
 * still the message's. */
static struct vhost_ring *find_ring_fd(struct vhost_port *p,
    const struct vhost_message *m, uint32_t *index, int *fd,
    enum vhost_outcome *o)
{
	uint64_t value = m->payload.u64;
	bool none = value & VHOST_NO_FD;
	struct vhost_ring *ring;

	if (value & ~(uint64_t)(VHOST_INDEX_MAX | VHOST_NO_FD)) {
		*o = vhost_close(p, "vring_index", "ring %#" PRIx64, value);
		return NULL;
	}
	if (m->n_fds != !none) {
		*o = vhost_close(p, "msg_fds", "%s comes with %u descriptors",
		    vhost_message_name(m), m->n_fds);
		return NULL;
	}
	*index = value & VHOST_INDEX_MAX;
	ring = find_ring(p, *index, o);
	if (ring && !none && !doorbell_is_eventfd(m->fd[0])) {
		*o = vhost_refuse(p, "%s of ring %u is not an eventfd",
		    vhost_message_name(m), *index);
		return NULL;
	}
	*fd = none ? -1 : m->fd[0];
	return ring;
}

enum vhost_outcome vhost_handle_set_vring_kick(
    struct vhost_port *p, struct vhost_message *m)
{
	enum vhost_outcome o = VHOST_DONE;
	uint32_t index;
	int fd;
	struct vhost_ring *ring = find_ring_fd(p, m, &index, &fd, &o);

	if (!ring)
		return o;
	vhost_rings_pause(p, index, 1);
	vhost_ring_set_fd(
	    &ring->vq.kick_fd, fd < 0 ? -1 : vhost_message_take_fd(m, 0));
	ring->has_kick = true;
	return vhost_rings_resume(p);
}

enum vhost_outcome vhost_handle_set_vring_call(
    struct vhost_port *p, struct vhost_message *m)
{
	enum vhost_outcome o = VHOST_DONE;
	uint32_t index;
	int fd;
	struct vhost_ring *ring = find_ring_fd(p, m, &index, &fd, &o);

	if (!ring)
		return o;
	vhost_rings_pause(p, index, 1);
	vhost_ring_set_fd(
	    &ring->vq.call_fd, fd < 0 ? -1 : vhost_message_take_fd(m, 0));
	return vhost_rings_resume(p);
}

enum vhost_outcome vhost_handle_set_vring_err(
    struct vhost_port *p, struct vhost_message *m)
{
	enum vhost_outcome o = VHOST_DONE;
	uint32_t index;
	int fd;
	struct vhost_ring *ring = find_ring_fd(p, m, &index, &fd, &o);

	if (!ring)
		return o;
	vhost_ring_set_fd(
	    &ring->err_fd, fd < 0 ? -1 : vhost_message_take_fd(m, 0));
	return VHOST_DONE;
}

enum vhost_outcome vhost_handle_set_vring_enable(
    struct vhost_port *p, struct vhost_message *m)
{
	const struct vhost_vring_state s = m->payload.state;
	enum vhost_outcome o = VHOST_DONE;
	struct vhost_ring *ring = find_ring(p, s.index, &o);

	if (!ring)
		return o;
	if (s.num > 1)
		return vhost_refuse(p, "ring %u enabled by %u", s.index, s.num);
	if (ring->enabled == s.num)
		return VHOST_DONE;
	vhost_rings_pause(p, s.index, 1);
	ring->enabled = s.num;
	return vhost_rings_resume(p);
}
