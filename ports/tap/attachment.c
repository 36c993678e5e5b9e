/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attachment.c - a tap port and its interface, which comes and goes.
 *
 * The kernel's news about the interface (watch.h) and the worker's that its
 * descriptor is dead (attend) may come in any order: whether it is gone is
 * asked of the descriptor alone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ports/link/watch.h"
#include "ports/tap/device.h"
#include "ports/tap/tap.h"
#include "switch/base/log.h"

/* What makes an attempt fail may end without the interface changing, such as
 * the program that is just making it. */
enum { RETRY_US = 200000, RETRY_ACCURACY_US = 10000 };

/* An interface that is down takes no frames; what it sent before is read. */
static void picture(struct tap_port *p)
{
	struct port *port = &p->port;
	bool up = p->elsewhere || p->link.up;

	for (unsigned q = 0; q < p->n_queues; q++)
		port->rx_live |= 1ull << q;
	port->tx_live = up ? port->rx_live : 0;
	port->mac = p->link.mac;
	port->link_mtu = p->ours ? 0 : p->link.mtu;
	if (up)
		port_set_state(port, PORT_UP, NULL);
	else
		port_set_state(port, PORT_WAIT,
		    "tap %s is down: `ip link set dev %s up`", p->link.name,
		    p->link.name);
}

/* The MTU of an interface of ours is the port's. */
static int give_mtu(struct tap_port *p, struct err *e)
{
	int rc = 0;

	if (!p->ours || p->link.mtu == p->port.mtu)
		return 0;
	if (p->elsewhere)
		return err_set(e, -ENODEV,
		    "tap %s lies in another namespace and keeps its mtu %u",
		    p->dev, p->link.mtu);
	rc = link_set_mtu(p->link.ifindex, p->port.mtu, e);
	if (!rc)
		p->link.mtu = p->port.mtu;
	return rc;
}

static void detach(struct tap_port *p)
{
	struct pool_cache cache;

	if (!p->attached)
		return;
	pool_cache_init(&cache, p->port.env->pool, 0);
	for (unsigned q = 0; q < p->n_queues; q++)
		tap_queue_fini(&p->queue[q], &cache);
	pool_cache_fini(&cache);
	p->attached = false;
}

/* Opens the interface and its queues; none is live. */
static int attach(struct tap_port *p, bool may_create, struct err *e)
{
	struct tap_device d;
	int fd[PORT_QUEUES_MAX];
	int rc = tap_device_open(
	    &d, p->dev, may_create, p->offload, fd, p->n_queues, e);

	if (rc)
		return rc;
	for (unsigned q = 0; q < p->n_queues; q++)
		tap_queue_init(&p->queue[q], &p->port, fd[q]);
	p->attached = true;
	p->ours = d.is_new;
	p->elsewhere = false;
	p->link = d.link;
	p->port.accepts = d.offload;
	rc = give_mtu(p, e);
	if (rc) {
		detach(p);
		return rc;
	}
	link_watch_bind(p->watch, d.link.ifindex);
	tap_device_set_carrier(fd[0], p->port.admin_up);
	return 0;
}

static void retry_later(struct tap_port *p)
{
	sd_event_source_set_time_relative(p->retry, RETRY_US);
	sd_event_source_set_enabled(p->retry, SD_EVENT_ONESHOT);
}

/* An interface of the user's making is the user's to make again. */
static void try_again(struct tap_port *p)
{
	struct err e = {0};
	int rc = attach(p, p->ours, &e);

	if (!rc)
		picture(p);
	else if (rc == -ENODEV)
		port_set_state(&p->port, PORT_WAIT, "tap %s is gone", p->dev);
	else
		port_set_state(&p->port, PORT_WAIT, "%s", e.message);
	p->port.env->changed(&p->port);
	if (rc && rc != -ENODEV)
		retry_later(p);
}

static void lose(struct tap_port *p)
{
	p->port.rx_live = p->port.tx_live = 0;
	port_set_state(&p->port, PORT_WAIT, "tap %s is gone", p->dev);
	p->port.env->changed(&p->port);
	log_warning("port %s: tap %s is gone", p->port.name, p->dev);
	detach(p);
	link_watch_bind(p->watch, 0);
	try_again(p);
}

static int on_retry(sd_event_source *source, uint64_t now, void *userdata)
{
	struct tap_port *p = userdata;

	(void)source;
	(void)now;
	if (!p->attached)
		try_again(p);
	return 0;
}

static void on_seen(struct tap_port *p, const struct link *now)
{
	struct link was = p->link;
	bool was_elsewhere = p->elsewhere;

	if (now->ifindex != was.ifindex || now->mac != was.mac)
		if (was_elsewhere)
			return; /* another one took its name */
	p->link = *now;
	p->elsewhere = false;
	if (was_elsewhere)
		link_watch_bind(p->watch, now->ifindex);
	if (was_elsewhere || now->up != was.up || now->mac != was.mac ||
	    now->mtu != was.mtu || strcmp(now->name, was.name)) {
		picture(p);
		p->port.env->changed(&p->port);
	}
}

static void on_unseen(struct tap_port *p)
{
	if (tap_device_is_gone(p->queue[0].fd)) {
		lose(p);
		return;
	}
	p->elsewhere = true;
	link_watch_bind(p->watch, 0);
	picture(p);
	p->port.env->changed(&p->port);
}

static void on_link(void *arg, enum link_event what, const struct link *now)
{
	struct tap_port *p = arg;

	if (what == LINK_CHANGED && p->attached)
		on_seen(p, now);
	else if (what == LINK_CHANGED)
		try_again(p);
	else if (what == LINK_GONE && p->attached && !p->elsewhere)
		on_unseen(p);
}

void tap_attachment_attend(struct tap_port *p)
{
	if (!p->attached)
		return;
	if (tap_device_is_gone(p->queue[0].fd)) {
		lose(p);
		return;
	}
	for (unsigned q = 0; q < p->n_queues; q++)
		tap_queue_listen(&p->queue[q]);
}

void tap_attachment_reset(struct tap_port *p)
{
	struct err e = {0};

	if (!p->attached)
		return;
	if (give_mtu(p, &e))
		log_warning("port %s: %s", p->port.name, e.message);
	tap_device_set_carrier(p->queue[0].fd, p->port.admin_up);
}

/* Timer and watch, which must be there before the interface is looked at. */
static int listen_to_events(struct tap_port *p, const char *dev, struct err *e)
{
	sd_event *event = p->port.env->event;
	int rc = sd_event_add_time_relative(event, &p->retry, CLOCK_MONOTONIC,
	    0, RETRY_ACCURACY_US, on_retry, p);

	if (rc < 0)
		return err_set(e, rc, "a timer: %s", strerror(-rc));
	sd_event_source_set_enabled(p->retry, SD_EVENT_OFF);
	return link_watch_open(&p->watch, event, dev, on_link, p, e);
}

int tap_attachment_open(struct tap_port *p, const char *dev, struct err *e)
{
	int rc = listen_to_events(p, dev, e);

	if (rc)
		return rc;
	snprintf(p->dev, sizeof(p->dev), "%.*s", IFNAMSIZ - 1, dev);
	rc = attach(p, true, e);
	if (!rc)
		picture(p);
	return rc;
}

int tap_attachment_export(struct port *port, enum handover_stage stage,
    struct handover *h, struct json_object *to, struct err *e)
{
	struct tap_port *p = (struct tap_port *)port;
	struct json_object *queues = json_object_new_array();

	(void)e;
	json_object_object_add(to, "queues", queues);
	if (stage == HANDOVER_STOPPED)
		return 0;
	port_show_bool(to, "attached", p->attached);
	port_show_bool(to, "ours", p->ours);
	port_show_bool(to, "elsewhere", p->elsewhere);
	port_show_u64(to, "ifindex", p->link.ifindex);
	port_show_str(to, "name", p->link.name);
	port_show_u64(to, "mac", p->link.mac);
	port_show_u64(to, "mtu", p->link.mtu);
	port_show_u64(to, "accepts", port->accepts);
	for (unsigned q = 0; p->attached && q < p->n_queues; q++) {
		struct json_object *o = json_object_new_object();

		handover_put_fd(h, o, "fd", p->queue[q].fd);
		json_object_array_add(queues, o);
	}
	return 0;
}

/* The interface as it is, or in another namespace as it was. */
static void recall_link(struct tap_port *p, struct json_object *from)
{
	unsigned ifindex = (unsigned)handover_u64(from, "ifindex");

	if (!p->elsewhere && !link_get_index(ifindex, &p->link, NULL))
		return;
	p->link = (struct link){.ifindex = ifindex,
	    .mac = handover_u64(from, "mac"),
	    .mtu = (uint32_t)handover_u64(from, "mtu")};
	snprintf(p->link.name, sizeof(p->link.name), "%s",
	    port_param_str(from, "name", ""));
}

static int inherit_queues(struct tap_port *p, struct handover *h,
    struct json_object *from, struct err *e)
{
	struct json_object *queues = NULL;

	json_object_object_get_ex(from, "queues", &queues);
	if (!json_object_is_type(queues, json_type_array) ||
	    json_object_array_length(queues) != p->n_queues)
		return err_set(e, -EINVAL, "port %s has other queues than %u",
		    p->port.name, p->n_queues);
	for (unsigned q = 0; q < p->n_queues; q++)
		tap_queue_init(&p->queue[q], &p->port,
		    handover_take_fd(
			h, json_object_array_get_idx(queues, q), "fd"));
	p->attached = true;
	return 0;
}

int tap_attachment_import(struct tap_port *p, const char *dev,
    struct handover *h, struct json_object *from, struct err *e)
{
	int rc = listen_to_events(p, dev, e);

	if (rc)
		return rc;
	snprintf(p->dev, sizeof(p->dev), "%.*s", IFNAMSIZ - 1, dev);
	p->ours = port_param_bool(from, "ours", false);
	p->elsewhere = port_param_bool(from, "elsewhere", false);
	p->port.accepts = (uint8_t)handover_u64(from, "accepts");
	if (!port_param_bool(from, "attached", false))
		return 0;
	recall_link(p, from);
	link_watch_bind(p->watch, p->elsewhere ? 0 : p->link.ifindex);
	return inherit_queues(p, h, from, e);
}

void tap_attachment_resume(struct port *port, struct json_object *from)
{
	struct tap_port *p = (struct tap_port *)port;

	(void)from;
	if (!p->attached) {
		try_again(p);
		return;
	}
	picture(p);
	port->env->changed(port);
}

/* A descriptor has no position that could be lost. */
void tap_attachment_reclaim(struct port *port)
{
	(void)port;
}

void tap_attachment_close(struct tap_port *p)
{
	link_watch_close(p->watch);
	sd_event_source_disable_unref(p->retry);
	detach(p);
}
