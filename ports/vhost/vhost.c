/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost.c - the port that is a virtual machine: a vhost-user back end.
 *
 * The driver's face to the switch.  On the way of a frame there is only the
 * choice of the ring; the rest is in virtq.h on one side and in session.h on
 * the other.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ports/vhost/features.h"
#include "ports/vhost/handover.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"

static struct vhost_ring *rx_ring(struct port *port, unsigned q)
{
	return &((struct vhost_port *)port)->ring[2 * q + 1];
}

static struct vhost_ring *tx_ring(struct port *port, unsigned q)
{
	return &((struct vhost_port *)port)->ring[2 * q];
}

/* What a guest sends on a disabled ring (vhost-user, "Ring states"). */
static __attribute__((noinline)) void discard_slow(
    struct batch *b, struct port_worker *w)
{
	for (unsigned i = 0; i < b->n; i++) {
		w->counters->rx_packets++;
		w->counters->rx_bytes += b->f[i].len;
		w->counters->drops[DROP_PORT_DOWN]++;
	}
	b->n = b->n_segs = 0;
}

static unsigned vhost_rx(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	struct vhost_ring *ring = rx_ring(port, q);
	unsigned work = virtq_rx(&ring->vq, b, w);

	if (__builtin_expect(ring->discard, 0))
		discard_slow(b, w);
	return work;
}

static void vhost_rx_done(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	(void)b;
	virtq_rx_done(&rx_ring(port, q)->vq, w);
}

static void vhost_tx(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	virtq_tx(&tx_ring(port, q)->vq, f, n, w);
}

static bool vhost_arm(struct port *port, unsigned q)
{
	return virtq_arm(&rx_ring(port, q)->vq);
}

static void vhost_disarm(struct port *port, unsigned q)
{
	virtq_disarm(&rx_ring(port, q)->vq);
}

static int vhost_wake_fd(struct port *port, unsigned q)
{
	return rx_ring(port, q)->vq.kick_fd;
}

static void vhost_attend(struct port *port)
{
	vhost_session_attend((struct vhost_port *)port);
}

/* What the machine takes undone, and what it may leave undone. */
static void show_offloads(const struct vhost_port *p, struct json_object *out)
{
	if (!p->has_features)
		return;
	json_object_object_add(
	    out, "offloads", port_offload_names(p->port.accepts));
	json_object_object_add(out, "offloads_sent",
	    port_offload_names(vhost_offloads_sent(p->features)));
}

static void show_ring(
    const struct vhost_ring *ring, unsigned i, struct json_object *out)
{
	char key[32];

	snprintf(key, sizeof(key), "vring%u_state", i);
	port_show_str(out, key,
	    !ring->running  ? "stopped"
	    : ring->discard ? "disabled"
			    : "running");
	snprintf(key, sizeof(key), "vring%u_size", i);
	port_show_u64(out, key, ring->num);
	snprintf(key, sizeof(key), "vring%u_kicks", i);
	port_show_u64(
	    out, key, __atomic_load_n(&ring->vq.n_kicks, __ATOMIC_RELAXED));
	snprintf(key, sizeof(key), "vring%u_calls", i);
	port_show_u64(
	    out, key, __atomic_load_n(&ring->vq.n_calls, __ATOMIC_RELAXED));
}

static void vhost_show(struct port *port, struct json_object *out)
{
	struct vhost_port *p = (struct vhost_port *)port;
	const struct endpoint_access *access = &p->endpoint.access;
	char text[24];

	port_show_str(out, "socket", p->endpoint.address.sun_path);
	port_show_str(out, "role", p->endpoint.client ? "client" : "server");
	port_show_str(out, "peer", p->peer);
	snprintf(text, sizeof(text), "0x%" PRIx64, p->features);
	port_show_str(out, "features", text);
	port_show_bool(out, "offload", p->offload);
	show_offloads(p, out);
	port_show_str(out, "ring",
	    vhost_port_has(p, VHOST_F_RING_PACKED) ? "packed" : "split");
	port_show_u64(out, "mem_regions", p->mem ? p->mem->n : 0);
	port_show_str(out, "group", access->group);
	snprintf(text, sizeof(text), "%04o", (unsigned)access->mode);
	port_show_str(out, "mode", text);
	port_show_u64(out, "queues", p->n_queues);
	port_show_u64(out, "guest_mtu", p->guest_mtu);
	port_show_bool(out, "migrating", vhost_port_has(p, VHOST_F_LOG_ALL));
	port_show_bool(out, "inflight", p->inflight);
	port_show_u64(out, "connects", p->n_connects);
	port_show_u64(out, "times_broken", p->n_broken);
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++)
		if (p->ring[i].num)
			show_ring(&p->ring[i], i, out);
}

static int vhost_set(
    struct port *port, struct json_object *params, struct err *e)
{
	struct vhost_port *p = (struct vhost_port *)port;
	struct endpoint_access access = p->endpoint.access;
	int rc = endpoint_access_parse(&access,
	    port_param_str(params, "group", NULL),
	    port_param_str(params, "mode", NULL), e);

	return rc ? rc : endpoint_set_access(&p->endpoint, &access, e);
}

static void vhost_port_close(struct port *port)
{
	struct vhost_port *p = (struct vhost_port *)port;

	vhost_session_fini(p);
	endpoint_close(&p->endpoint);
	vhost_rings_free(p->ring, vhost_port_n_rings(p));
	vhost_bell_put();
	free(p);
}

/* Where the peer is met, path[0..size), and who may connect there. */
static int place_endpoint(struct vhost_port *p, struct json_object *params,
    struct endpoint_access *access, char *path, size_t size, struct err *e)
{
	const char *wish = port_param_str(params, "socket", NULL);
	const char *role = port_param_str(params, "role", "server");
	int rc;

	p->endpoint.client = !strcmp(role, "client");
	p->endpoint.type = SOCK_STREAM;
	p->endpoint.on_peer = vhost_session_attach;
	p->endpoint.owner = p;
	endpoint_access_default(access, "libvirt-qemu");
	rc =
	    endpoint_access_parse(access, port_param_str(params, "group", NULL),
		port_param_str(params, "mode", NULL), e);
	if (!rc && !wish)
		rc = endpoint_default_path(
		    path, size, p->port.env->rundir, "vhost", p->port.name, e);
	if (wish)
		snprintf(path, size, "%s", wish);
	return rc;
}

static struct vhost_port *new_port(
    const struct port_env *env, const char *name, unsigned n_queues)
{
	struct vhost_port *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ring = vhost_rings_new(2 * n_queues);
	if (!p->ring) {
		free(p);
		return NULL;
	}
	p->n_queues = n_queues;
	p->port.ops = &vhost_port_ops;
	p->port.env = env;
	p->port.state = PORT_WAIT;
	snprintf(p->port.name, sizeof(p->port.name), "%s", name);
	p->conn.fd = p->endpoint.fd = -1;
	p->conn.on_message = vhost_session_message;
	p->conn.on_end = vhost_session_end;
	p->conn.owner = p;
	return p;
}

/* A port that meets nobody yet; to be closed as any other. */
static int create(struct vhost_port **out, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	int64_t n = port_param_int(params, "queues", 1);
	struct vhost_port *p;
	int rc;

	if (n < 1 || n > PORT_QUEUES_MAX)
		return err_set(e, -EINVAL,
		    "queues %" PRId64 " is not between 1 and %d", n,
		    PORT_QUEUES_MAX);
	p = new_port(env, name, (unsigned)n);
	if (!p)
		return err_set(e, -ENOMEM, "no memory for a port");
	p->offload = port_param_bool(params, "offload", true);
	rc = vhost_bell_get(e);
	if (rc) {
		vhost_rings_free(p->ring, vhost_port_n_rings(p));
		free(p);
		return rc;
	}
	*out = p;
	return 0;
}

static int vhost_open(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	struct endpoint_access access;
	struct vhost_port *p;
	char path[512];
	int rc = create(&p, env, name, params, e);

	if (rc)
		return rc;
	rc = place_endpoint(p, params, &access, path, sizeof(path), e);
	if (!rc)
		rc = endpoint_open(&p->endpoint, env->event, path, &access, e);
	if (rc)
		vhost_port_close(&p->port);
	else
		*port = &p->port;
	return rc;
}

static int vhost_import(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct handover *h,
    struct json_object *from, struct err *e)
{
	struct endpoint_access access;
	struct vhost_port *p;
	char path[512];
	int rc = create(&p, env, name, params, e);

	if (rc)
		return rc;
	rc = place_endpoint(p, params, &access, path, sizeof(path), e);
	if (!rc)
		rc = endpoint_inherit(&p->endpoint, env->event, path, &access,
		    handover_take_fd(h, from, "listener"), e);
	if (!rc)
		rc = vhost_handover_import(p, h, from, e);
	if (rc)
		vhost_port_close(&p->port);
	else
		*port = &p->port;
	return rc;
}

const struct port_ops vhost_port_ops = {
    .type = "vhost-user",
    .open = vhost_open,
    .close = vhost_port_close,
    .set = vhost_set,
    .show = vhost_show,
    .attend = vhost_attend,
    .export_state = vhost_handover_export,
    .import_state = vhost_import,
    .resume_state = vhost_handover_resume,
    .reclaim_state = vhost_handover_reclaim,
    .rx = vhost_rx,
    .rx_done = vhost_rx_done,
    .tx = vhost_tx,
    .arm = vhost_arm,
    .disarm = vhost_disarm,
    .wake_fd = vhost_wake_fd,
};
