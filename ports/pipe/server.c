/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.c - the server's part: an application brings memory and rings.
 *
 * What it brings is noted as it comes and looked at as a whole when it wants
 * to be connected; a ring to the server is one that we receive from.
 */
#include "ports/pipe/session.h"

/* Takes the descriptor *fd over as ring @r's. */
static void note_ring(
    struct pipe_ring *r, const struct memif_add_ring *m, int *fd)
{
	r->fd = *fd;
	*fd = -1;
	r->region = m->region;
	r->offset = m->offset;
	r->mask = (1u << m->log2_size) - 1;
}

static int add_ring(struct pipe_port *p, const struct memif_msg *msg, int *fd)
{
	const struct memif_add_ring m = msg->add_ring;
	struct pipe_ring *r;

	if (m.index >= p->n_queues)
		return pipe_refuse(p, "ring_number",
		    "ring %u of a port with %u queues", m.index, p->n_queues);
	if (m.log2_size > PIPE_LOG2_RING_MAX)
		return pipe_refuse(
		    p, "ring_size", "a ring of 2^%u slots", m.log2_size);
	if (m.private_size)
		return pipe_refuse(p, "ring_private",
		    "a ring with %u bytes of private data", m.private_size);
	if (!doorbell_is_eventfd(*fd))
		return pipe_refuse(
		    p, "msg_fds", "the descriptor of a ring is no eventfd");
	r = pipe_port_ring(p, m.index, !(m.flags & MEMIF_RING_TO_SERVER));
	if (r->fd >= 0)
		return pipe_refuse(
		    p, "ring_number", "ring %u is there twice", m.index);
	note_ring(r, &m, fd);
	return pipe_session_send(p, pipe_message_ack(), -1);
}

static int add_region(struct pipe_port *p, const struct memif_msg *m, int fd)
{
	struct err e;

	if (m->add_region.index != p->mem->n)
		return pipe_refuse(p, "region_number",
		    "memory region %u comes where %u is due",
		    m->add_region.index, p->mem->n);
	if (pipe_memory_add(p->mem, fd, m->add_region.size, p->trusted, &e))
		return pipe_refuse(p, "region", "%s", e.message);
	return pipe_session_send(p, pipe_message_ack(), -1);
}

/* Finds the ring that was noted in @r. */
static int find_ring(struct pipe_port *p, struct pipe_ring *r, bool sends)
{
	uint32_t size = r->mask + 1;
	struct memif_ring __peer *shared =
	    (void __peer *)pipe_memory_at(p->mem, r->region, r->offset,
		sizeof(*shared) + size * sizeof(shared->desc[0]));

	if (!shared || (uintptr_t)shared % _Alignof(struct memif_ring))
		return pipe_refuse(p, "ring_place",
		    "a ring of %u slots at %u of region %u is not all there, "
		    "on a cache line",
		    size, r->offset, r->region);
	if (shared_poll_u32(&shared->cookie) != MEMIF_COOKIE)
		return pipe_refuse(p, "cookie",
		    "there is no ring at %u of region %u", r->offset,
		    r->region);
	r->port = &p->port;
	r->mem = p->mem;
	pipe_ring_init(r, shared, size,
	    (struct pipe_ring_role){.client = false, .sends = sends});
	return 0;
}

static int connect_rings(struct pipe_port *p, const struct memif_msg *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 2 * p->n_queues; i++) {
		int rc = 0;

		if (p->ring[i].fd < 0)
			continue;
		rc = find_ring(p, &p->ring[i], i & 1);
		if (rc)
			return rc;
		n++;
	}
	if (!n)
		return pipe_refuse(p, "ring_number", "there is no ring");
	pipe_message_text(
	    p->peer_interface, m->connect.name, sizeof(m->connect.name));
	pipe_session_go_live(p);
	return pipe_session_send(
	    p, pipe_message_connect(MEMIF_CONNECTED, p->port.name), -1);
}

int pipe_server_message(struct pipe_port *p, const struct memif_msg *m, int *fd)
{
	if (p->stage == PIPE_DESCRIBING)
		switch (m->type) {
		case MEMIF_ADD_REGION:
			return add_region(p, m, *fd);
		case MEMIF_ADD_RING:
			return add_ring(p, m, fd);
		case MEMIF_CONNECT:
			return connect_rings(p, m);
		}
	return pipe_refuse(
	    p, "message", "%s at the wrong time", pipe_message_name(m->type));
}
