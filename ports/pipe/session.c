/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c - a peer from its arrival to its end, however that comes about.
 *
 * Everything ends in end_session(): the rings are off the workers before the
 * channel, the memory and the descriptors go.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ports/pipe/session.h"

int pipe_refuse(struct pipe_port *p, const char *token, const char *fmt, ...)
{
	va_list ap;

	p->token = token;
	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return -EPROTO;
}

static void forget_ring(struct pipe_ring *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->shared = NULL;
	r->mem = NULL;
	r->buffers = NULL;
}

void pipe_session_fini(struct pipe_port *p, const char *farewell)
{
	if (farewell && p->channel.fd >= 0) {
		struct memif_msg m = pipe_message_disconnect(farewell);

		pipe_channel_send(&p->channel, &m, -1);
	}
	pipe_channel_close(&p->channel);
	for (unsigned i = 0; i < 2 * p->n_queues; i++)
		forget_ring(&p->ring[i]);
	pipe_memory_close(p->mem);
	p->mem = NULL;
	p->stage = PIPE_ALONE;
	p->n_to_server = p->n_to_client = p->n_told = 0;
	p->peer[0] = p->peer_name[0] = p->peer_interface[0] = '\0';
}

/* With the port's state set: off the workers, told to all, taken apart. */
static void end_session(struct pipe_port *p, const char *farewell)
{
	p->port.rx_live = p->port.tx_live = 0;
	p->port.env->changed(&p->port);
	pipe_session_fini(p, farewell);
	if (p->client)
		endpoint_again(&p->endpoint);
}

static void break_session(struct pipe_port *p)
{
	p->n_broken++;
	log_limited(&p->limit, LOG_WARNING, "port %s: broken: %s: %s",
	    p->port.name, p->token, p->why);
	port_set_state(&p->port, PORT_BROKEN, "%s", p->token);
	end_session(p, p->token);
}

/* As pipe_refuse() has it. */
static void throw_out(struct pipe_port *p)
{
	log_limited(&p->limit, LOG_WARNING, "port %s: peer refused: %s: %s",
	    p->port.name, p->token, p->why);
	port_set_state(&p->port, PORT_WAIT, "%s: %s", p->token, p->why);
	end_session(p, p->why);
}

/* The peer left; @reason as it gave it, or "".  A server of DPDK's that closes
 * its interface crashes if a client is back before it is done with that. */
static void part(struct pipe_port *p, const char *reason)
{
	if (p->client && p->stage == PIPE_CONNECTED)
		endpoint_rest(&p->endpoint);
	log_limited(&p->limit, p->port.state == PORT_UP ? LOG_INFO : LOG_DEBUG,
	    "port %s: peer left%s%s", p->port.name, *reason ? ": " : "",
	    reason);
	/* A port that broke stays so until a peer is back. */
	if (p->port.state != PORT_BROKEN)
		port_set_state(
		    &p->port, PORT_WAIT, *reason ? "peer: %s" : NULL, reason);
	end_session(p, NULL);
}

void pipe_session_part(struct pipe_port *p)
{
	part(p, "");
}

static void on_end(void *owner, const char *token, const char *sentence)
{
	struct pipe_port *p = owner;

	if (!token) {
		part(p, "");
		return;
	}
	pipe_refuse(p, token, "%s", sentence);
	throw_out(p);
}

static bool on_message(void *owner, const struct memif_msg *m, int *fd)
{
	struct pipe_port *p = owner;
	const char *fault = pipe_message_fault(m, !p->client, *fd >= 0);
	char reason[MEMIF_REASON_SIZE + 1];
	int rc;

	if (!fault && m->type == MEMIF_DISCONNECT) {
		pipe_message_text(
		    reason, m->disconnect.reason, sizeof(m->disconnect.reason));
		part(p, reason);
		return false;
	}
	if (fault)
		rc = pipe_refuse(p, "message", "%s", fault);
	else if (p->client)
		rc = pipe_client_message(p, m);
	else
		rc = pipe_server_message(p, m, fd);
	if (rc)
		throw_out(p);
	return !rc;
}

int pipe_session_send(struct pipe_port *p, struct memif_msg m, int fd)
{
	int rc = pipe_channel_send(&p->channel, &m, fd);

	if (!rc)
		return 0;
	return pipe_refuse(p, "reply", "sending %s: %s",
	    pipe_message_name(m.type), strerror(-rc));
}

/* Called from the SIGBUS handler: something of @owner's memory is gone. */
static void raise_port(void *owner)
{
	struct pipe_port *p = owner;

	p->port.env->raise(&p->port);
}

bool pipe_session_attach(struct pipe_port *p, int fd)
{
	struct err e;

	p->mem = pipe_memory_open();
	if (!p->mem) {
		close(fd);
		return false;
	}
	p->mem->guard.owner = p;
	p->mem->guard.on_broken = raise_port;
	p->channel.on_message = on_message;
	p->channel.on_end = on_end;
	p->channel.owner = p;
	if (pipe_channel_open(&p->channel, p->port.env->event, fd, &e)) {
		log_limited(
		    &p->limit, LOG_ERR, "port %s: %s", p->port.name, e.message);
		pipe_session_fini(p, NULL);
		return false;
	}
	endpoint_identify(fd, p->peer, sizeof(p->peer));
	p->n_connects++;
	log_limited(&p->limit, LOG_DEBUG, "port %s: %s connected", p->port.name,
	    p->peer);
	return true;
}

static uint64_t start_rings(struct pipe_port *p, bool sends)
{
	uint64_t live = 0;

	for (unsigned q = 0; q < p->n_queues; q++) {
		struct pipe_ring *r = pipe_port_ring(p, q, sends);

		if (!r->shared)
			continue;
		pipe_ring_start(r);
		live |= UINT64_C(1) << q;
	}
	return live;
}

void pipe_session_go_live(struct pipe_port *p)
{
	p->port.rx_live = start_rings(p, false);
	p->port.tx_live = start_rings(p, true);
	p->stage = PIPE_CONNECTED;
	log_limited(&p->limit, LOG_INFO, "port %s: up, %s, %s", p->port.name,
	    p->peer, p->peer_name);
	port_set_state(&p->port, PORT_UP, NULL);
	p->port.env->changed(&p->port);
	if (p->client)
		endpoint_settled(&p->endpoint);
}

void pipe_session_attend(struct pipe_port *p)
{
	if (!p->mem)
		return;
	p->token = NULL;
	if (guard_is_broken(&p->mem->guard))
		pipe_refuse(p, pipe_fault_name(PIPE_MEM_SHRUNK),
		    "shared memory is gone from under its mapping");
	for (unsigned i = 0; !p->token && i < 2 * p->n_queues; i++) {
		uint32_t fault =
		    __atomic_load_n(&p->ring[i].fault, __ATOMIC_ACQUIRE);

		if (fault && p->ring[i].shared)
			pipe_refuse(p, pipe_fault_name(fault),
			    "found in the ring %s queue %u",
			    i & 1 ? "to" : "from", i / 2);
	}
	if (p->token)
		break_session(p);
}
