/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c - the client's part: the memory is ours, and the first word too.
 *
 * One region holds everything, rings in front:
 *
 *	ring to server 0 .. n, to client 0 .. m | buffers of each, in that order
 *
 * One message goes out for each that comes in: INIT for HELLO, and for each
 * ACK the next of ADD_REGION, ADD_RING ..., CONNECT.
 */
#include <errno.h>
#include <sys/eventfd.h>

#include "ports/pipe/session.h"

/* Ring @i in the order above. */
static struct pipe_ring *ring_no(const struct pipe_port *p, unsigned i)
{
	return i < p->n_to_server
		   ? pipe_port_ring(p, i, true)
		   : pipe_port_ring(p, i - p->n_to_server, false);
}

static unsigned n_rings(const struct pipe_port *p)
{
	return p->n_to_server + p->n_to_client;
}

/* Each ring begins on a cache line, even where a server wants tiny ones. */
static uint32_t offset_of_ring(unsigned i, unsigned log2_size)
{
	const size_t line = _Alignof(struct memif_ring);
	size_t size = (memif_ring_size(log2_size) + line - 1) & ~(line - 1);

	return (uint32_t)(i * size);
}

static int make_ring(struct pipe_port *p, unsigned i, unsigned log2_size)
{
	struct pipe_ring *r = ring_no(p, i);
	uint32_t size = 1u << log2_size;
	uint32_t at =
	    offset_of_ring(n_rings(p), log2_size) + i * size * p->buffer_size;

	r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->fd < 0)
		return pipe_refuse(p, "ring", "eventfd: %m");
	r->port = &p->port;
	r->mem = p->mem;
	r->region = 0;
	r->offset = offset_of_ring(i, log2_size);
	r->buffer_size = p->buffer_size;
	r->buffers_at = at;
	r->buffers = p->mem->region[0].at + at;
	pipe_ring_init(r, (void __peer *)(p->mem->region[0].at + r->offset),
	    size,
	    (struct pipe_ring_role){
		.client = true, .sends = i < p->n_to_server});
	return 0;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Makes the memory as far as the server takes it. */
static int make_memory(struct pipe_port *p, const struct memif_hello *hello)
{
	unsigned log2_size = least(p->log2_size, hello->max_log2_ring_size);
	uint64_t size;
	struct err e;

	p->n_to_server = least(p->n_queues, hello->max_ring_to_server + 1u);
	p->n_to_client = least(p->n_queues, hello->max_ring_to_client + 1u);
	size = offset_of_ring(n_rings(p), log2_size) +
	       n_rings(p) * ((uint64_t)p->buffer_size << log2_size);
	if (pipe_memory_make(p->mem, size, &e))
		return pipe_refuse(p, "region", "%s", e.message);
	for (unsigned i = 0; i < n_rings(p); i++)
		if (make_ring(p, i, log2_size))
			return -EPROTO;
	return 0;
}

static int greet(struct pipe_port *p, const struct memif_hello *hello)
{
	if (hello->min_version > MEMIF_VERSION ||
	    hello->max_version < MEMIF_VERSION)
		return pipe_refuse(p, "version",
		    "the server speaks versions %u.%u to %u.%u",
		    hello->min_version >> 8, hello->min_version & 0xff,
		    hello->max_version >> 8, hello->max_version & 0xff);
	pipe_message_text(p->peer_name, hello->name, sizeof(hello->name));
	if (make_memory(p, hello))
		return -EPROTO;
	p->stage = PIPE_DESCRIBING;
	return pipe_session_send(
	    p, pipe_message_init(p->id, p->secret, "swd"), -1);
}

static unsigned log2_of(uint32_t size)
{
	return (unsigned)__builtin_ctz(size);
}

/* The n_told-th thing that the server has to know. */
static int tell_next(struct pipe_port *p)
{
	unsigned i = p->n_told++;
	const struct pipe_ring *r;
	bool to_server;

	if (!i)
		return pipe_session_send(p,
		    pipe_message_add_region(p->mem->region[0].size),
		    p->mem->fd);
	if (--i == n_rings(p)) {
		p->stage = PIPE_CONNECTING;
		return pipe_session_send(
		    p, pipe_message_connect(MEMIF_CONNECT, p->port.name), -1);
	}
	r = ring_no(p, i);
	to_server = i < p->n_to_server;
	return pipe_session_send(p,
	    pipe_message_add_ring(to_server, to_server ? i : i - p->n_to_server,
		r->offset, log2_of(r->mask + 1)),
	    r->fd);
}

int pipe_client_message(struct pipe_port *p, const struct memif_msg *m)
{
	if (p->stage == PIPE_GREETING && m->type == MEMIF_HELLO)
		return greet(p, &m->hello);
	if (p->stage == PIPE_DESCRIBING && m->type == MEMIF_ACK)
		return tell_next(p);
	if (p->stage == PIPE_CONNECTING && m->type == MEMIF_CONNECTED) {
		pipe_message_text(p->peer_interface, m->connect.name,
		    sizeof(m->connect.name));
		pipe_session_go_live(p);
		return 0;
	}
	return pipe_refuse(
	    p, "message", "%s at the wrong time", pipe_message_name(m->type));
}
