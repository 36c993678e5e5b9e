/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.c - a peer from its arrival to its end, however that comes about.
 *
 * Everything ends in end_session(): the rings are off the workers before the
 * connection, the memory and the descriptors go.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"

enum { SHARE_US = 1000000, SHARE_ACCURACY_US = 100000 };

/* QEMU's own complaint does not say it, and its guest runs on regardless. */
static const char not_shared[] =
    "guest memory is not shared: give QEMU -object "
    "memory-backend-memfd,id=mem,size=...,share=on and -machine "
    "memory-backend=mem";

static void note(
    struct vhost_port *p, const char *token, const char *fmt, va_list ap)
{
	p->token = token;
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
}

enum vhost_outcome vhost_refuse(struct vhost_port *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(p, "refused", fmt, ap);
	va_end(ap);
	return VHOST_REFUSED;
}

enum vhost_outcome vhost_close(
    struct vhost_port *p, const char *token, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(p, token, fmt, ap);
	va_end(ap);
	return VHOST_CLOSE;
}

enum vhost_outcome vhost_break(
    struct vhost_port *p, const char *token, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	note(p, token, fmt, ap);
	va_end(ap);
	return VHOST_BROKEN;
}

void vhost_session_raise(void *owner)
{
	struct vhost_port *p = owner;

	p->port.env->raise(&p->port);
}

void vhost_session_fini(struct vhost_port *p)
{
	p->no_memory = sd_event_source_disable_unref(p->no_memory);
	vhost_connection_close(&p->conn);
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		vhost_ring_forget(&p->ring[i], false);
		p->ring[i].enabled = p->ring[i].running = false;
	}
	dirty_log_free(p->log);
	p->log = NULL;
	p->rarp = 0;
	vhost_memory_free(p->mem, NULL);
	p->mem = NULL;
	vhost_inflight_close(p->inflight);
	p->inflight = NULL;
	p->features = p->protocol_features = 0;
	p->port.accepts = 0;
	p->has_features = false;
	p->status = 0;
	p->guest_mtu = 0;
	p->peer[0] = '\0';
}

/* With the port's state set: off the workers, told to all, taken apart. */
static void end_session(struct vhost_port *p)
{
	p->port.rx_live = p->port.tx_live = 0;
	p->port.env->changed(&p->port);
	vhost_session_fini(p);
	endpoint_again(&p->endpoint);
}

void vhost_session_break(struct vhost_port *p)
{
	p->n_broken++;
	log_limited(&p->limit, LOG_WARNING, "port %s: broken: %s: %s",
	    p->port.name, p->token, p->why);
	vhost_rings_signal_error(p);
	port_set_state(&p->port, PORT_BROKEN, "%s", p->token);
	end_session(p);
}

void vhost_session_end(void *owner, const char *token, const char *sentence)
{
	struct vhost_port *p = owner;

	if (token) {
		log_limited(&p->limit, LOG_WARNING,
		    "port %s: peer refused: %s: %s", p->port.name, token,
		    sentence);
		port_set_state(&p->port, PORT_WAIT, "%s: %s", token, sentence);
	} else if (p->has_features && !p->mem) {
		log_limited(&p->limit, LOG_WARNING, "port %s: %s", p->port.name,
		    not_shared);
		port_set_state(&p->port, PORT_WAIT, "%s", not_shared);
	} else {
		log_limited(&p->limit,
		    p->port.state == PORT_UP ? LOG_INFO : LOG_DEBUG,
		    "port %s: peer left", p->port.name);
		/* A port that broke stays so until a guest is back. */
		if (p->port.state != PORT_BROKEN)
			port_set_state(&p->port, PORT_WAIT, NULL);
	}
	end_session(p);
}

static int on_no_memory(sd_event_source *source, uint64_t now, void *userdata)
{
	struct vhost_port *p = userdata;

	(void)source;
	(void)now;
	p->no_memory = sd_event_source_disable_unref(p->no_memory);
	if (p->mem)
		return 0;
	log_limited(
	    &p->limit, LOG_WARNING, "port %s: %s", p->port.name, not_shared);
	port_set_state(&p->port, PORT_WAIT, "%s", not_shared);
	p->port.env->changed(&p->port);
	return 0;
}

void vhost_session_expect_memory(struct vhost_port *p)
{
	if (p->mem || p->no_memory)
		return;
	/* Without the timer the hint comes when the peer leaves. */
	sd_event_add_time_relative(p->port.env->event, &p->no_memory,
	    CLOCK_MONOTONIC, SHARE_US, SHARE_ACCURACY_US, on_no_memory, p);
}

/* Replies as the outcome and the protocol demand. */
static int reply(
    struct vhost_port *p, struct vhost_message *m, enum vhost_outcome outcome)
{
	if (outcome != VHOST_REPLY) {
		if (!(m->header.flags & VHOST_FLAG_NEED_REPLY))
			return 0;
		m->payload.u64 = outcome != VHOST_DONE;
		m->header.size = sizeof(m->payload.u64);
	}
	return vhost_connection_reply(
	    &p->conn, m, outcome == VHOST_REPLY && m->n_fds);
}

void vhost_session_message(void *owner, struct vhost_message *m)
{
	struct vhost_port *p = owner;
	bool acks = m->header.flags & VHOST_FLAG_NEED_REPLY;
	enum vhost_outcome outcome = vhost_message_handle(p, m);
	int rc = reply(p, m, outcome);

	endpoint_settled(&p->endpoint);
	if (outcome == VHOST_BROKEN)
		vhost_session_break(p);
	else if (outcome == VHOST_CLOSE || (outcome == VHOST_REFUSED && !acks))
		vhost_session_end(p, p->token, p->why);
	else if (rc == -EAGAIN)
		vhost_session_end(p, "reply", "replies are not read");
	else if (rc)
		vhost_session_end(p, NULL, NULL);
	else if (outcome == VHOST_REFUSED)
		log_limited(&p->limit, LOG_WARNING, "port %s: refused: %s",
		    p->port.name, p->why);
}

void vhost_session_attend(struct vhost_port *p)
{
	enum vhost_outcome outcome = VHOST_DONE;

	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		uint32_t fault =
		    __atomic_load_n(&p->ring[i].vq.fault, __ATOMIC_ACQUIRE);

		if (fault && p->ring[i].running) {
			outcome = vhost_break(
			    p, virtq_fault_name(fault), "found in ring %u", i);
			break;
		}
	}
	if (p->mem && guard_is_broken(&p->mem->guard))
		outcome = vhost_break(p, virtq_fault_name(VIRTQ_MEM_SHRUNK),
		    "guest memory is gone from under its mapping");
	else if (p->log && guard_is_broken(&p->log->guard))
		outcome = vhost_break(p, "log_shrunk",
		    "the log of dirty pages is gone from under its mapping");
	else if (p->inflight && guard_is_broken(&p->inflight->guard))
		outcome = vhost_break(p, virtq_fault_name(VIRTQ_MEM_SHRUNK),
		    "in-flight memory is gone from under its mapping");
	if (outcome == VHOST_BROKEN)
		vhost_session_break(p);
}

/* Why there is nobody to connect to, in the client role. */
static void tell_no_peer(struct vhost_port *p, int error)
{
	char text[64];

	if (p->port.state == PORT_BROKEN)
		return;
	p->unreachable = true;
	port_set_state(&p->port, PORT_WAIT, "cannot connect to %.80s: %s",
	    p->endpoint.address.sun_path,
	    strerror_r(-error, text, sizeof(text)));
	p->port.env->changed(&p->port);
}

void vhost_session_attach(void *owner, int fd)
{
	struct vhost_port *p = owner;
	struct err e;

	if (fd < 0) {
		tell_no_peer(p, fd);
		return;
	}
	/* The successor of a peer that died may be here before its death. */
	if (p->conn.fd >= 0 && vhost_connection_is_dead(&p->conn))
		vhost_session_end(p, NULL, NULL);
	if (p->conn.fd >= 0) {
		close(fd);
		log_limited(&p->limit, LOG_WARNING,
		    "port %s: a second front end is refused, %s is connected",
		    p->port.name, p->peer);
		return;
	}
	if (vhost_connection_open(&p->conn, p->port.env->event, fd, &e)) {
		log_limited(
		    &p->limit, LOG_ERR, "port %s: %s", p->port.name, e.message);
		endpoint_again(&p->endpoint);
		return;
	}
	endpoint_identify(fd, p->peer, sizeof(p->peer));
	p->n_connects++;
	log_limited(&p->limit, LOG_DEBUG, "port %s: %s connected", p->port.name,
	    p->peer);
	/* What was wrong with an earlier peer stands until one is right. */
	if (p->unreachable)
		port_set_state(&p->port, PORT_WAIT, NULL);
	p->unreachable = false;
	p->port.env->changed(&p->port);
}
