/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.c - the port that is the host itself.
 *
 * The driver's face to the switch.  Frames are the business of queue.h, the
 * interface that they go to and come from that of attachment.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/tap/device.h"
#include "ports/tap/tap.h"
#include "switch/base/eth.h"

static unsigned tap_rx(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	return tap_queue_rx(&((struct tap_port *)port)->queue[q], b, w);
}

static void tap_tx(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	tap_queue_tx(&((struct tap_port *)port)->queue[q], f, n, w);
}

static bool tap_arm(struct port *port, unsigned q)
{
	return tap_queue_arm(&((struct tap_port *)port)->queue[q]);
}

static int tap_wake_fd(struct port *port, unsigned q)
{
	return ((struct tap_port *)port)->queue[q].fd;
}

static void tap_attend(struct port *port)
{
	tap_attachment_attend((struct tap_port *)port);
}

static void tap_reset(struct port *port)
{
	tap_attachment_reset((struct tap_port *)port);
}

static void tap_show(struct port *port, struct json_object *out)
{
	struct tap_port *p = (struct tap_port *)port;

	json_object_object_add(out, "dev",
	    json_object_new_string(p->attached ? p->link.name : p->dev));
	if (!p->attached)
		return;
	if (!p->elsewhere)
		json_object_object_add(
		    out, "ifindex", json_object_new_uint64(p->link.ifindex));
	json_object_object_add(out, "persistent",
	    json_object_new_boolean(tap_device_is_persistent(p->queue[0].fd)));
	json_object_object_add(
	    out, "offload", json_object_new_boolean(p->offload));
	if (port->accepts)
		json_object_object_add(
		    out, "offloads", port_offload_names(port->accepts));
}

static void tap_close(struct port *port)
{
	tap_attachment_close((struct tap_port *)port);
	free(port);
}

static struct tap_port *new_port(const struct port_env *env, const char *name,
    struct json_object *params, unsigned n_queues)
{
	size_t size =
	    sizeof(struct tap_port) + n_queues * sizeof(struct tap_queue);
	struct tap_port *p = aligned_alloc(_Alignof(struct tap_port), size);

	if (!p)
		return NULL;
	memset(p, 0, size);
	p->n_queues = n_queues;
	p->offload = port_param_bool(params, "offload", true);
	p->port.ops = &tap_port_ops;
	p->port.env = env;
	snprintf(p->port.name, sizeof(p->port.name), "%s", name);
	/* What the switch is going to say, but an interface has to know. */
	p->port.mtu = (uint32_t)port_param_int(params, "mtu", 0);
	if (!p->port.mtu)
		p->port.mtu = ETH_MTU_DEFAULT;
	p->port.admin_up =
	    strcmp(port_param_str(params, "state", "up"), "down") != 0;
	return p;
}

static int create(struct tap_port **p, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	int64_t n = port_param_int(params, "queues", 1);

	if (n < 1 || n > PORT_QUEUES_MAX)
		return err_set(e, -EINVAL,
		    "queues %" PRId64 " is not between 1 and %d", n,
		    PORT_QUEUES_MAX);
	*p = new_port(env, name, params, (unsigned)n);
	return *p ? 0 : err_set(e, -ENOMEM, "no memory for a port");
}

static int tap_open(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	const char *dev = port_param_str(params, "dev", name);
	struct tap_port *p;
	int rc = create(&p, env, name, params, e);

	if (rc)
		return rc;
	rc = tap_attachment_open(p, dev, e);
	if (rc)
		tap_close(&p->port);
	else
		*port = &p->port;
	return rc;
}

static int tap_import(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct handover *h,
    struct json_object *from, struct err *e)
{
	const char *dev = port_param_str(params, "dev", name);
	struct tap_port *p;
	int rc = create(&p, env, name, params, e);

	if (rc)
		return rc;
	rc = tap_attachment_import(p, dev, h, from, e);
	if (rc)
		tap_close(&p->port);
	else
		*port = &p->port;
	return rc;
}

const struct port_ops tap_port_ops = {
    .type = "tap",
    .open = tap_open,
    .close = tap_close,
    .reset = tap_reset,
    .show = tap_show,
    .attend = tap_attend,
    .export_state = tap_attachment_export,
    .import_state = tap_import,
    .resume_state = tap_attachment_resume,
    .reclaim_state = tap_attachment_reclaim,
    .rx = tap_rx,
    .rx_done = port_rx_done_owned,
    .tx = tap_tx,
    .arm = tap_arm,
    .disarm = port_disarm_none,
    .wake_fd = tap_wake_fd,
    .wakes_always = true,
};
