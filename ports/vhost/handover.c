/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.c - a vhost-user port in the next process: the front end's view.
 *
 * Export and import stand side by side, one pair for each part of the port.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/vhost/features.h"
#include "ports/vhost/handover.h"
#include "ports/vhost/session.h"

static struct json_object *add_array(struct json_object *to, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(to, key, array);
	return array;
}

static struct json_object *add_element(struct json_object *array)
{
	struct json_object *o = json_object_new_object();

	json_object_array_add(array, o);
	return o;
}

/* The array at @key, or NULL, and its length. */
static struct json_object *get_array(
    struct json_object *from, const char *key, unsigned *n)
{
	struct json_object *array;

	*n = 0;
	if (!json_object_object_get_ex(from, key, &array) ||
	    !json_object_is_type(array, json_type_array))
		return NULL;
	*n = (unsigned)json_object_array_length(array);
	return array;
}

static void export_memory(
    const struct vhost_memory *m, struct handover *h, struct json_object *to)
{
	struct json_object *array = add_array(to, "memory");

	for (unsigned i = 0; i < m->n; i++) {
		const struct vhost_region *r = &m->region[i];
		struct json_object *o = add_element(array);

		port_show_u64(o, "guest", r->guest);
		port_show_u64(o, "size", r->size);
		port_show_u64(o, "user", r->user);
		port_show_u64(o, "offset", r->map.offset);
		port_show_u64(o, "added", r->n_added);
		port_show_bool(o, "doomed", r->doomed);
		handover_put_fd(h, o, "fd", r->map.fd);
	}
}

/* Both list regions by guest address; how often each was added is no business
 * of the map that is made of them. */
static void import_counts(struct vhost_memory *m, struct json_object *array)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct json_object *o = json_object_array_get_idx(array, i);

		m->region[i].n_added = (uint32_t)handover_u64(o, "added");
		m->region[i].doomed = port_param_bool(o, "doomed", false);
	}
}

static int import_memory(struct vhost_port *p, struct handover *h,
    struct json_object *from, struct err *e)
{
	struct vhost_region_msg msg[VHOST_REGIONS_MAX];
	int fd[VHOST_REGIONS_MAX], rc;
	unsigned n;
	struct json_object *array = get_array(from, "memory", &n);

	if (!array)
		return 0;
	if (n > VHOST_REGIONS_MAX)
		return err_set(e, -EINVAL, "port %s has %u regions of memory",
		    p->port.name, n);
	for (unsigned i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(array, i);

		msg[i] =
		    (struct vhost_region_msg){.guest = handover_u64(o, "guest"),
			.size = handover_u64(o, "size"),
			.user = handover_u64(o, "user"),
			.mmap_offset = handover_u64(o, "offset")};
		fd[i] = handover_take_fd(h, o, "fd");
	}
	rc = vhost_memory_add(&p->mem, NULL, msg, fd, n, e);
	for (unsigned i = 0; i < n; i++)
		vhost_ring_set_fd(&fd[i], -1);
	if (rc)
		return rc;
	import_counts(p->mem, array);
	p->mem->guard.owner = p;
	__atomic_store_n(
	    &p->mem->guard.on_broken, vhost_session_raise, __ATOMIC_RELEASE);
	return 0;
}

static void export_inflight(
    const struct vhost_inflight *in, struct handover *h, struct json_object *to)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(to, "inflight", o);
	port_show_u64(o, "size", in->size);
	port_show_u64(o, "offset", in->map.offset);
	port_show_u64(o, "queues", in->n_queues);
	port_show_u64(o, "queue_size", in->queue_size);
	handover_put_fd(h, o, "fd", in->map.fd);
}

static int import_inflight(struct vhost_port *p, struct handover *h,
    struct json_object *from, struct err *e)
{
	struct vhost_inflight_msg m;
	struct json_object *o;
	int fd, rc;

	if (!json_object_object_get_ex(from, "inflight", &o))
		return 0;
	m = (struct vhost_inflight_msg){.size = handover_u64(o, "size"),
	    .offset = handover_u64(o, "offset"),
	    .n_queues = (uint16_t)handover_u64(o, "queues"),
	    .queue_size = (uint16_t)handover_u64(o, "queue_size")};
	fd = handover_take_fd(h, o, "fd");
	rc = vhost_inflight_open(&p->inflight, &m, fd, e);
	vhost_ring_set_fd(&fd, -1);
	if (rc)
		return rc;
	p->inflight->guard.owner = p;
	__atomic_store_n(&p->inflight->guard.on_broken, vhost_session_raise,
	    __ATOMIC_RELEASE);
	return 0;
}

static void export_ring(
    const struct vhost_ring *ring, struct handover *h, struct json_object *to)
{
	port_show_u64(to, "num", ring->num);
	port_show_u64(to, "base", ring->base);
	port_show_u64(to, "desc", ring->desc_user);
	port_show_u64(to, "avail", ring->avail_user);
	port_show_u64(to, "used", ring->used_user);
	port_show_bool(to, "has_addr", ring->has_addr);
	port_show_bool(to, "has_kick", ring->has_kick);
	port_show_bool(to, "enabled", ring->enabled);
	port_show_bool(to, "base_is_ours", ring->base_is_ours);
	port_show_u64(
	    to, "kicks", __atomic_load_n(&ring->vq.n_kicks, __ATOMIC_RELAXED));
	port_show_u64(
	    to, "calls", __atomic_load_n(&ring->vq.n_calls, __ATOMIC_RELAXED));
	handover_put_fd(h, to, "kick", ring->vq.kick_fd);
	handover_put_fd(h, to, "call", ring->vq.call_fd);
	handover_put_fd(h, to, "err", ring->err_fd);
}

static void import_ring(
    struct vhost_ring *ring, struct handover *h, struct json_object *from)
{
	ring->num = (uint32_t)handover_u64(from, "num");
	ring->base = (uint16_t)handover_u64(from, "base");
	ring->desc_user = handover_u64(from, "desc");
	ring->avail_user = handover_u64(from, "avail");
	ring->used_user = handover_u64(from, "used");
	ring->has_addr = port_param_bool(from, "has_addr", false);
	ring->has_kick = port_param_bool(from, "has_kick", false);
	ring->enabled = port_param_bool(from, "enabled", false);
	ring->base_is_ours = port_param_bool(from, "base_is_ours", false);
	ring->vq.n_kicks = handover_u64(from, "kicks");
	ring->vq.n_calls = handover_u64(from, "calls");
	ring->vq.kick_fd = handover_take_fd(h, from, "kick");
	ring->vq.call_fd = handover_take_fd(h, from, "call");
	ring->err_fd = handover_take_fd(h, from, "err");
}

static int import_rings(struct vhost_port *p, struct handover *h,
    struct json_object *from, struct err *e)
{
	unsigned n;
	struct json_object *array = get_array(from, "rings", &n);

	if (n != vhost_port_n_rings(p))
		return err_set(e, -EINVAL, "port %s has %u rings and not %u",
		    p->port.name, n, vhost_port_n_rings(p));
	for (unsigned i = 0; i < n; i++)
		import_ring(
		    &p->ring[i], h, json_object_array_get_idx(array, i));
	return 0;
}

static void add_hex(char *text, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	text += strlen(text);
	for (size_t i = 0; i < n; i++)
		text += sprintf(text, "%02x", b[i]);
}

/* Reads bytes[0..n) from *text and moves it past them. */
static bool read_hex(const char **text, void *bytes, size_t n)
{
	uint8_t *b = bytes;

	for (size_t i = 0; i < n; i++, *text += 2)
		if (sscanf(*text, "%2hhx", &b[i]) != 1 || !(*text)[1])
			return false;
	return true;
}

/* The part of a message that has arrived, as one string. */
static void export_message(const struct vhost_connection *c, struct handover *h,
    struct json_object *to)
{
	const size_t header = sizeof(c->msg.header);
	char text[2 * (sizeof(c->msg.header) + sizeof(c->msg.payload)) + 1] =
	    "";
	struct json_object *fds;

	if (!c->have)
		return;
	add_hex(text, &c->msg.header, c->have < header ? c->have : header);
	if (c->have > header)
		add_hex(text, c->msg.payload.bytes, c->have - header);
	port_show_str(to, "message", text);
	fds = add_array(to, "message_fds");
	for (unsigned i = 0; i < c->msg.n_fds; i++)
		handover_put_fd(h, add_element(fds), "fd", c->msg.fd[i]);
}

static int import_message(
    struct vhost_connection *c, struct handover *h, struct json_object *from)
{
	const char *text = port_param_str(from, "message", "");
	size_t have = strlen(text) / 2, header = sizeof(c->msg.header);
	unsigned n;
	struct json_object *fds = get_array(from, "message_fds", &n);

	if (have > header + sizeof(c->msg.payload) || n > VHOST_FDS_MAX ||
	    !read_hex(&text, &c->msg.header, have < header ? have : header) ||
	    (have > header &&
		!read_hex(&text, c->msg.payload.bytes, have - header)))
		return -EINVAL;
	for (unsigned i = 0; i < n; i++)
		c->msg.fd[c->msg.n_fds++] = handover_take_fd(
		    h, json_object_array_get_idx(fds, i), "fd");
	c->have = (uint32_t)have;
	return 0;
}

static int import_connection(struct vhost_port *p, struct handover *h,
    struct json_object *from, struct err *e)
{
	int fd = handover_take_fd(h, from, "connection");
	int rc;

	if (fd < 0)
		return 0;
	rc = vhost_connection_open(&p->conn, p->port.env->event, fd, e);
	if (rc)
		return rc;
	endpoint_identify(fd, p->peer, sizeof(p->peer));
	if (import_message(&p->conn, h, from))
		return err_set(e, -EINVAL,
		    "port %s: a message makes no sense in part", p->port.name);
	return 0;
}

static void export_settled(
    struct vhost_port *p, struct handover *h, struct json_object *to)
{
	struct json_object *rings = add_array(to, "rings");

	handover_put_fd(h, to, "listener", p->endpoint.fd);
	handover_put_fd(h, to, "connection", p->conn.fd);
	export_message(&p->conn, h, to);
	port_show_u64(to, "features", p->features);
	port_show_u64(to, "protocol_features", p->protocol_features);
	port_show_bool(to, "has_features", p->has_features);
	port_show_u64(to, "status", p->status);
	port_show_u64(to, "guest_mtu", p->guest_mtu);
	port_show_u64(to, "rarp", p->rarp);
	port_show_bool(to, "unreachable", p->unreachable);
	port_show_bool(to, "broken", p->port.state == PORT_BROKEN);
	port_show_str(to, "reason", p->port.reason);
	port_show_str(to, "group", p->endpoint.access.group);
	port_show_u64(to, "connects", p->n_connects);
	port_show_u64(to, "times_broken", p->n_broken);
	if (p->mem)
		export_memory(p->mem, h, to);
	if (p->inflight)
		export_inflight(p->inflight, h, to);
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++)
		export_ring(&p->ring[i], h, add_element(rings));
}

static void export_places(const struct vhost_port *p, struct json_object *to)
{
	struct json_object *places = add_array(to, "places");

	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		const struct vhost_ring *ring = &p->ring[i];

		json_object_array_add(places,
		    ring->running ? json_object_new_int(ring->vq.next_avail)
				  : NULL);
	}
}

/* What a worker or the SIGBUS handler found, and control has yet to see. */
static bool has_fault(const struct vhost_port *p)
{
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++)
		if (p->ring[i].running && virtq_is_broken(&p->ring[i].vq))
			return true;
	return (p->mem && guard_is_broken(&p->mem->guard)) ||
	       (p->inflight && guard_is_broken(&p->inflight->guard));
}

int vhost_handover_export(struct port *port, enum handover_stage stage,
    struct handover *h, struct json_object *to, struct err *e)
{
	struct vhost_port *p = (struct vhost_port *)port;

	if (has_fault(p))
		return err_set(e, -EAGAIN,
		    "port %s has just broken, which is to be dealt with first",
		    port->name);
	if (p->log)
		return err_set(e, -EAGAIN,
		    "the guest at port %s is being moved, which is to end first",
		    port->name);
	if (stage == HANDOVER_RUNNING)
		export_settled(p, h, to);
	else
		export_places(p, to);
	return 0;
}

int vhost_handover_import(struct vhost_port *p, struct handover *h,
    struct json_object *from, struct err *e)
{
	int rc;

	p->features = handover_u64(from, "features");
	p->protocol_features = handover_u64(from, "protocol_features");
	p->has_features = port_param_bool(from, "has_features", false);
	p->status = (uint8_t)handover_u64(from, "status");
	p->guest_mtu = (uint16_t)handover_u64(from, "guest_mtu");
	p->rarp = handover_u64(from, "rarp");
	p->unreachable = port_param_bool(from, "unreachable", false);
	p->n_connects = handover_u64(from, "connects");
	p->n_broken = handover_u64(from, "times_broken");
	p->port.accepts =
	    p->has_features ? vhost_offloads_taken(p->features) : 0;
	snprintf(p->endpoint.access.group, sizeof(p->endpoint.access.group),
	    "%s", port_param_str(from, "group", ""));
	port_set_state(&p->port,
	    port_param_bool(from, "broken", false) ? PORT_BROKEN : PORT_WAIT,
	    "%s", port_param_str(from, "reason", ""));
	rc = import_rings(p, h, from, e);
	if (!rc)
		rc = import_memory(p, h, from, e);
	if (!rc)
		rc = import_inflight(p, h, from, e);
	if (!rc)
		rc = import_connection(p, h, from, e);
	return rc;
}

/* The rings that ran go on where they were; of the others nothing is new. */
static void import_places(struct vhost_port *p, struct json_object *from)
{
	unsigned n;
	struct json_object *places = get_array(from, "places", &n);

	for (unsigned i = 0; i < n && i < vhost_port_n_rings(p); i++) {
		struct json_object *o = json_object_array_get_idx(places, i);

		if (!o)
			continue;
		p->ring[i].base = (uint16_t)json_object_get_int(o);
		p->ring[i].base_is_ours = true;
	}
}

void vhost_handover_resume(struct port *port, struct json_object *from)
{
	struct vhost_port *p = (struct vhost_port *)port;

	endpoint_own(&p->endpoint);
	import_places(p, from);
	if (p->conn.fd < 0)
		endpoint_again(&p->endpoint);
	else if (p->has_features)
		vhost_session_expect_memory(p);
	if (vhost_rings_resume(p) == VHOST_BROKEN)
		vhost_session_break(p);
}

void vhost_handover_reclaim(struct port *port)
{
	vhost_rings_rewind((struct vhost_port *)port);
}
