/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe.c - the port that is an application: memif 2.0, either role.
 *
 * The driver's face to the switch.  On the way of a frame there is only the
 * choice of the ring; the rest is in ring.h on one side and in session.h on
 * the other.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ports/pipe/listener.h"
#include "ports/pipe/session.h"

enum {
	RING_SIZE_MIN = 32,
	RING_SIZE_DEFAULT = 1024,
	BUFFER_SIZE_DEFAULT = 2048,
	BUFFER_SIZE_MAX = 65536,
};

const char *pipe_port_path(const struct pipe_port *p)
{
	return p->client
		   ? p->endpoint.address.sun_path
		   : pipe_listener_endpoint(p->listener)->address.sun_path;
}

static struct pipe_ring *ring_of(struct port *port, unsigned q, bool sends)
{
	return pipe_port_ring((struct pipe_port *)port, q, sends);
}

static unsigned pipe_rx(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	return pipe_ring_rx(ring_of(port, q, false), b, w);
}

static void pipe_rx_done(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	(void)b;
	(void)w;
	pipe_ring_rx_done(ring_of(port, q, false));
}

static void pipe_tx(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	pipe_ring_tx(ring_of(port, q, true), f, n, w);
}

static bool pipe_arm(struct port *port, unsigned q)
{
	return pipe_ring_arm(ring_of(port, q, false));
}

static void pipe_disarm(struct port *port, unsigned q)
{
	pipe_ring_disarm(ring_of(port, q, false));
}

static int pipe_wake_fd(struct port *port, unsigned q)
{
	return ring_of(port, q, false)->fd;
}

static void pipe_attend(struct port *port)
{
	pipe_session_attend((struct pipe_port *)port);
}

static void show_access(const struct pipe_port *p, struct json_object *out)
{
	const struct endpoint_access *access =
	    &pipe_listener_endpoint(p->listener)->access;
	char text[8];

	port_show_str(out, "group", access->group);
	snprintf(text, sizeof(text), "%04o", (unsigned)access->mode);
	port_show_str(out, "mode", text);
}

static void show_memory(const struct pipe_memory *m, struct json_object *out)
{
	uint64_t size = 0;

	for (unsigned i = 0; m && i < m->n; i++)
		size += m->region[i].size;
	port_show_u64(out, "mem_regions", m ? m->n : 0);
	port_show_u64(out, "mem_size", size);
}

/* The slots of the rings that are there, how often we were woken by them and
 * rang for the peer. */
static void show_rings(const struct pipe_port *p, struct json_object *out)
{
	char key[32];

	for (unsigned i = 0; i < 2 * p->n_queues; i++) {
		const struct pipe_ring *r = &p->ring[i];
		const char *way = i & 1 ? "tx" : "rx";

		if (!r->shared)
			continue;
		snprintf(key, sizeof(key), "%s%u_size", way, i / 2);
		port_show_u64(out, key, r->mask + 1u);
		snprintf(key, sizeof(key), "%s%u_%s", way, i / 2,
		    i & 1 ? "bells" : "wakes");
		port_show_u64(out, key,
		    __atomic_load_n(
			i & 1 ? &r->n_bells : &r->n_wakes, __ATOMIC_RELAXED));
	}
}

static void pipe_show(struct port *port, struct json_object *out)
{
	struct pipe_port *p = (struct pipe_port *)port;

	port_show_str(out, "socket", pipe_port_path(p));
	port_show_str(out, "role", p->client ? "client" : "server");
	port_show_u64(out, "id", p->id);
	port_show_str(out, "peer", p->peer);
	port_show_str(out, "peer_name", p->peer_name);
	port_show_str(out, "peer_interface", p->peer_interface);
	port_show_u64(out, "queues", p->n_queues);
	if (p->client) {
		port_show_u64(out, "ring_size", 1u << p->log2_size);
		port_show_u64(out, "buffer_size", p->buffer_size);
	} else {
		port_show_bool(out, "trusted", p->trusted);
		show_access(p, out);
	}
	show_memory(p->mem, out);
	port_show_u64(out, "connects", p->n_connects);
	port_show_u64(out, "times_broken", p->n_broken);
	show_rings(p, out);
}

static int pipe_set(
    struct port *port, struct json_object *params, struct err *e)
{
	struct pipe_port *p = (struct pipe_port *)port;
	struct endpoint *ep =
	    p->client ? &p->endpoint : pipe_listener_endpoint(p->listener);
	struct endpoint_access access = ep->access;
	int rc = endpoint_access_parse(&access,
	    port_param_str(params, "group", NULL),
	    port_param_str(params, "mode", NULL), e);

	return rc ? rc : endpoint_set_access(ep, &access, e);
}

static void pipe_close(struct port *port)
{
	struct pipe_port *p = (struct pipe_port *)port;

	pipe_session_fini(p, "the port is deleted");
	if (p->client)
		endpoint_close(&p->endpoint);
	pipe_listener_leave(p);
	free(p->ring);
	free(p);
}

/* Why there is nobody to connect to, in the client role. */
static void tell_no_peer(struct pipe_port *p, int error)
{
	char text[64];

	if (p->port.state == PORT_BROKEN)
		return;
	p->unreachable = true;
	port_set_state(&p->port, PORT_WAIT, "cannot connect to %.80s: %s",
	    pipe_port_path(p), strerror_r(-error, text, sizeof(text)));
	p->port.env->changed(&p->port);
}

static void on_server(void *owner, int fd)
{
	struct pipe_port *p = owner;

	if (fd < 0) {
		tell_no_peer(p, fd);
		return;
	}
	if (!pipe_session_attach(p, fd)) {
		endpoint_again(&p->endpoint);
		return;
	}
	p->stage = PIPE_GREETING;
	if (p->unreachable)
		port_set_state(&p->port, PORT_WAIT, NULL);
	p->unreachable = false;
	p->port.env->changed(&p->port);
}

static int meet(struct pipe_port *p, const char *name,
    struct json_object *params, struct err *e)
{
	const char *path = port_param_str(params, "socket", NULL);
	const char *group = port_param_str(params, "group", NULL);
	const char *mode = port_param_str(params, "mode", NULL);
	struct endpoint_access access;
	char standard[512];
	int rc = 0;

	if (!path) {
		rc = endpoint_default_path(standard, sizeof(standard),
		    p->port.env->rundir, "pipe", name, e);
		path = standard;
	}
	if (rc)
		return rc;
	if (!p->client)
		return pipe_listener_join(p, path, group, mode, e);
	endpoint_access_default(&access, NULL);
	p->endpoint.client = true;
	p->endpoint.type = SOCK_SEQPACKET;
	p->endpoint.on_peer = on_server;
	p->endpoint.owner = p;
	return endpoint_open(
	    &p->endpoint, p->port.env->event, path, &access, e);
}

/* Takes over what @params says of the memory, which is ours. */
static int configure_memory(
    struct pipe_port *p, struct json_object *params, struct err *e)
{
	int64_t n = port_param_int(params, "ring_size", RING_SIZE_DEFAULT);
	int64_t size =
	    port_param_int(params, "buffer_size", BUFFER_SIZE_DEFAULT);

	if (n < RING_SIZE_MIN || n > 1 << PIPE_LOG2_RING_MAX || n & (n - 1)) {
		err_set(e, -EINVAL,
		    "ring-size %" PRId64 " is not a power of two from %d to %d",
		    n, RING_SIZE_MIN, 1 << PIPE_LOG2_RING_MAX);
		err_arg(e, "ring-size");
		return -EINVAL;
	}
	if (size < BUFFER_SIZE_DEFAULT || size > BUFFER_SIZE_MAX || size % 64) {
		err_set(e, -EINVAL,
		    "buffer-size %" PRId64
		    " is not a multiple of 64 from %d to %d",
		    size, BUFFER_SIZE_DEFAULT, BUFFER_SIZE_MAX);
		err_arg(e, "buffer-size");
		return -EINVAL;
	}
	if (2 * p->n_queues * n * (size + 64) > UINT32_MAX)
		return err_set(e, -EINVAL,
		    "%u queues with %" PRId64 " buffers of %" PRId64
		    " bytes each way are more than 4 GB",
		    p->n_queues, n, size);
	p->log2_size = (unsigned)__builtin_ctzll((uint64_t)n);
	p->buffer_size = (uint32_t)size;
	return 0;
}

static struct pipe_ring *new_rings(unsigned n)
{
	struct pipe_ring *ring =
	    aligned_alloc(_Alignof(struct pipe_ring), n * sizeof(*ring));

	if (!ring)
		return NULL;
	memset(ring, 0, n * sizeof(*ring));
	for (unsigned i = 0; i < n; i++)
		ring[i].fd = -1;
	return ring;
}

static struct pipe_port *new_port(const struct port_env *env, const char *name,
    struct json_object *params, unsigned n_queues)
{
	struct pipe_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ring = new_rings(2 * n_queues);
	if (!p->ring) {
		free(p);
		return NULL;
	}
	p->n_queues = n_queues;
	p->client = !strcmp(port_param_str(params, "role", "server"), "client");
	p->trusted = port_param_bool(params, "trusted", false);
	p->id = (uint32_t)port_param_int(params, "id", 0);
	snprintf(p->secret, sizeof(p->secret), "%s",
	    port_param_str(params, "secret", ""));
	p->port.ops = &pipe_port_ops;
	p->port.env = env;
	p->port.state = PORT_WAIT;
	snprintf(p->port.name, sizeof(p->port.name), "%s", name);
	p->channel.fd = p->endpoint.fd = -1;
	return p;
}

static int pipe_open(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	int64_t n = port_param_int(params, "queues", 1);
	struct pipe_port *p;
	int rc;

	if (n < 1 || n > PORT_QUEUES_MAX)
		return err_set(e, -EINVAL,
		    "queues %" PRId64 " is not between 1 and %d", n,
		    PORT_QUEUES_MAX);
	p = new_port(env, name, params, (unsigned)n);
	if (!p)
		return err_set(e, -ENOMEM, "no memory for a port");
	rc = configure_memory(p, params, e);
	if (!rc)
		rc = meet(p, name, params, e);
	if (rc) {
		free(p->ring);
		free(p);
		return rc;
	}
	*port = &p->port;
	return 0;
}

const struct port_ops pipe_port_ops = {
    .type = "pipe",
    .open = pipe_open,
    .close = pipe_close,
    .set = pipe_set,
    .show = pipe_show,
    .attend = pipe_attend,
    .rx = pipe_rx,
    .rx_done = pipe_rx_done,
    .tx = pipe_tx,
    .arm = pipe_arm,
    .disarm = pipe_disarm,
    .wake_fd = pipe_wake_fd,
};
