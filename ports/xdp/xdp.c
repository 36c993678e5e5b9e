/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp.c - a port that is a network card.
 *
 *	        attached                   gone, or not to be had
 *	open ──► up ◄── carrier, up ──► wait ──────────────┐
 *	          ▲  └── queues, MTU ──► attached anew     │
 *	          └──── the name is there: try ◄───────────┘
 *
 * The card is followed by its index, so that a rename does not matter; when it
 * was removed, the port waits for the name that it was given.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ports/link/ethtool.h"
#include "ports/link/watch.h"
#include "ports/xdp/attach.h"
#include "ports/xdp/handover.h"
#include "ports/xdp/uapi.h"
#include "ports/xdp/xdp.h"
#include "switch/base/log.h"

enum { RETRY_US = 1000 * 1000 };

struct xdp_port {
	struct port port;
	char dev[IFNAMSIZ]; /* the name that it waits for */
	unsigned ifindex;   /* the card that it has had since; 0: gone */
	struct attach_wish wish;
	struct attachment at;
	struct link_watch *watch;
	sd_event_source *retry;
	uint64_t n_resets; /* sockets made anew after a fault */
	struct xdp_port *next;
};

/* All of them: no card can be two ports. */
static struct xdp_port *ports;

static bool is_attached(const struct xdp_port *p)
{
	return p->at.link.ifindex;
}

static unsigned xdp_rx(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	return xsk_rx(((struct xdp_port *)port)->at.xsk[q], b, w);
}

static void xdp_tx(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	xsk_tx(((struct xdp_port *)port)->at.xsk[q], f, n, w);
}

static bool xdp_tx_flush(struct port *port, unsigned q, struct port_worker *w)
{
	return xsk_flush(((struct xdp_port *)port)->at.xsk[q], w);
}

static bool xdp_arm(struct port *port, unsigned q)
{
	return xsk_arm(((struct xdp_port *)port)->at.xsk[q]);
}

static int xdp_wake_fd(struct port *port, unsigned q)
{
	return ((struct xdp_port *)port)->at.xsk[q]->member.fd;
}

/* The queues are live as long as the card can carry frames. */
static void follow_link(struct xdp_port *p, const struct link *now)
{
	struct port *port = &p->port;
	bool live = now->up && now->carrier;

	p->at.link = *now;
	port->mac = now->mac;
	port->link_mtu = now->mtu;
	for (unsigned q = 0; live && !port->rx_live && q < PORT_QUEUES_MAX; q++)
		if (p->at.xsk[q])
			xsk_revive(p->at.xsk[q]);
	port->rx_live = live ? p->at.queues : 0;
	port->tx_live = live ? p->at.tx_queues : 0;
	if (live)
		port_set_state(port, PORT_UP, NULL);
	else
		port_set_state(port, PORT_WAIT, "%s %s", now->name,
		    now->up ? "has no carrier" : "is down");
}

static int refuse_twice(
    const struct link *link, const struct xdp_port *has, struct err *e)
{
	err_set(e, -EBUSY, "%s is port %s already", link->name, has->port.name);
	err_hint(e, "swctl port del %s", has->port.name);
	return -EBUSY;
}

static int attach(struct xdp_port *p, const struct link *link, struct err *e)
{
	int rc;

	for (const struct xdp_port *o = ports; o; o = o->next)
		if (o != p && o->at.link.ifindex == link->ifindex)
			return refuse_twice(link, o, e);
	rc = attach_open(&p->at, &p->port, link, &p->wish, e);
	if (rc)
		return rc;
	p->ifindex = link->ifindex;
	link_watch_bind(p->watch, link->ifindex);
	p->port.near_node = (uint8_t)(link_numa_node(link->name) + 1);
	p->port.accepts = attach_accepts(&p->at);
	follow_link(p, link);
	if (p->at.fallback[0])
		log_notice("%s: no better mode, because %s", p->port.name,
		    p->at.fallback);
	log_info("%s: attached to %s, mode %s, %d of %u queues", p->port.name,
	    link->name, attach_mode_name(p->at.mode),
	    __builtin_popcountll(p->at.queues), p->at.n_queues);
	return 0;
}

static void detach(struct xdp_port *p)
{
	p->port.rx_live = p->port.tx_live = 0;
	p->port.env->changed(&p->port);
	attach_close(&p->at, p->port.env->event);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata);

/* Waits for @why to pass: for news of the card, and for a second. */
static void wait_for(struct xdp_port *p, const char *why)
{
	sd_event *event = p->port.env->event;

	port_set_state(&p->port, PORT_WAIT, "%s", why);
	p->port.env->changed(&p->port);
	p->retry = sd_event_source_unref(p->retry);
	if (sd_event_add_time_relative(event, &p->retry, CLOCK_MONOTONIC,
		RETRY_US, 0, on_retry, p) < 0)
		log_warning("%s: no timer; it waits for news of %s",
		    p->port.name, p->dev);
}

static void try_to_attach(struct xdp_port *p)
{
	struct err e = {0};
	struct link link;
	int rc = p->ifindex ? link_get_index(p->ifindex, &link, &e)
			    : link_get(p->dev, &link, &e);

	p->retry = sd_event_source_unref(p->retry);
	if (!rc && !attach(p, &link, &e))
		p->port.env->changed(&p->port);
	else
		wait_for(p, e.message);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	try_to_attach(userdata);
	return 0;
}

static void attach_anew(struct xdp_port *p, const char *why)
{
	log_notice("%s: %s, attaching anew", p->port.name, why);
	detach(p);
	try_to_attach(p);
}

static void on_changed(struct xdp_port *p, const struct link *now)
{
	if (!is_attached(p)) {
		try_to_attach(p);
	} else if (attach_needs_multi(now->mtu) != p->at.kind.multi) {
		attach_anew(p, "another MTU");
	} else {
		follow_link(p, now);
		p->port.env->changed(&p->port);
	}
}

static void on_gone(struct xdp_port *p)
{
	char why[64];

	if (is_attached(p))
		detach(p);
	p->ifindex = 0;
	link_watch_bind(p->watch, 0);
	snprintf(why, sizeof(why), "there is no interface %s", p->dev);
	log_notice("%s: %s", p->port.name, why);
	wait_for(p, why);
}

static void on_link(void *port, enum link_event what, const struct link *now)
{
	struct xdp_port *p = port;

	switch (what) {
	case LINK_CHANGED:
		on_changed(p, now);
		break;
	case LINK_GONE:
		on_gone(p);
		break;
	case LINK_CHANNELS:
		if (is_attached(p) && attach_queues_differ(&p->at))
			attach_anew(p, "another number of queues");
		break;
	}
}

static const char *fault_of(const struct xdp_port *p)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		if (!p->at.xsk[q] || xsk_usable(p->at.xsk[q]))
			continue;
		return p->at.xsk[q]->fault == XSK_OWNER ? "xsk_owner"
							: "xsk_stalled";
	}
	return NULL;
}

/* A worker could not send because the card was down.  What the watch does not
 * report, because the card was up before and is again, is found out here. */
static void look_again(struct xdp_port *p)
{
	struct link now;

	if (!is_attached(p) || link_get_index(p->at.link.ifindex, &now, NULL))
		return;
	p->port.rx_live = p->port.tx_live = 0;
	p->port.env->changed(&p->port);
	follow_link(p, &now);
	p->port.env->changed(&p->port);
}

/* A worker found a socket that does not keep the rules, or no card. */
static void xdp_attend(struct port *port)
{
	struct xdp_port *p = (struct xdp_port *)port;
	const char *why = fault_of(p);

	if (!why) {
		look_again(p);
		return;
	}
	p->n_resets++;
	port_set_state(port, PORT_BROKEN, "%s", why);
	attach_anew(p, why);
}

/* What the kernel dropped before we saw it. */
static uint64_t count_missed(const struct xdp_port *p)
{
	uint64_t sum = 0;

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		struct xdp_statistics s = {0};
		socklen_t size = sizeof(s);

		if (p->at.xsk[q] && !getsockopt(p->at.xsk[q]->member.fd,
					SOL_XDP, XDP_STATISTICS, &s, &size))
			sum += s.rx_dropped + s.rx_ring_full +
			       s.rx_fill_ring_empty_descs;
	}
	return sum;
}

/* Who completes the checksums of what leaves. */
static const char *checksum_by(const struct xdp_port *p)
{
	if (!(p->port.accepts & OFFLOAD_CSUM))
		return "switch";
	return p->at.kind.zerocopy ? "card" : "kernel";
}

static void xdp_show(struct port *port, struct json_object *out)
{
	const struct xdp_port *p = (const struct xdp_port *)port;
	const char *asked = attach_mode_name(p->wish.mode);

	json_object_object_add(
	    out, "mode_asked", json_object_new_string(asked));
	if (!is_attached(p)) {
		json_object_object_add(
		    out, "dev", json_object_new_string(p->dev));
		return;
	}
	json_object_object_add(
	    out, "dev", json_object_new_string(p->at.link.name));
	json_object_object_add(
	    out, "mode", json_object_new_string(attach_mode_name(p->at.mode)));
	json_object_object_add(
	    out, "multi_buffer", json_object_new_boolean(p->at.kind.multi));
	json_object_object_add(
	    out, "tx_checksum", json_object_new_string(checksum_by(p)));
	json_object_object_add(
	    out, "rx_missed", json_object_new_uint64(count_missed(p)));
	if (p->wish.busy_poll_us)
		json_object_object_add(out, "busy_poll",
		    json_object_new_int((int)p->wish.busy_poll_us));
	if (p->n_resets)
		json_object_object_add(
		    out, "resets", json_object_new_uint64(p->n_resets));
}

static int check_mtu(
    const struct link *link, struct json_object *params, struct err *e)
{
	int64_t mtu = port_param_int(params, "mtu", 0);

	if (mtu <= link->mtu)
		return 0;
	err_set(e, -EINVAL, "mtu %d is more than the %u of %s", (int)mtu,
	    link->mtu, link->name);
	err_hint(e, "ip link set dev %s mtu %d", link->name, (int)mtu);
	return -EINVAL;
}

static int xdp_set(struct port *port, struct json_object *params, struct err *e)
{
	const struct xdp_port *p = (const struct xdp_port *)port;

	return is_attached(p) ? check_mtu(&p->at.link, params, e) : 0;
}

static void xdp_close(struct port *port)
{
	struct xdp_port *p = (struct xdp_port *)port, **at = &ports;

	while (*at && *at != p)
		at = &(*at)->next;
	if (*at)
		*at = p->next;
	link_watch_close(p->watch);
	sd_event_source_unref(p->retry);
	attach_close(&p->at, port->env->event);
	free(p);
}

/* "0,2-3" as the grammar let it pass; "all" is 0. */
static uint64_t parse_queues(const char *list)
{
	uint64_t mask = 0;

	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long from = strtoul(list, &end, 10), to = from;

		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		for (; from <= to && from < PORT_QUEUES_MAX; from++)
			mask |= 1ull << from;
		list = *end == ',' ? end + 1 : end;
	}
	return mask;
}

static void configure(
    struct xdp_port *p, const char *name, struct json_object *params)
{
	const char *dev = port_param_str(params, "dev", name);
	const char *mode = port_param_str(params, "mode", "auto");

	snprintf(p->dev, sizeof(p->dev), "%s", dev);
	p->wish = (struct attach_wish){.mode = attach_mode_of(mode),
	    .queues = parse_queues(port_param_str(params, "queues", "all")),
	    .busy_poll_us = (unsigned)port_param_int(params, "busy_poll", 0),
	    .force = port_param_bool(params, "force", false)};
}

/* A port that is told of its card, and has none; to be closed as any other. */
static int create(struct xdp_port **out, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	struct xdp_port *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return err_set(e, -ENOMEM, "no memory for port %s", name);
	p->port.ops = &xdp_port_ops;
	p->port.env = env;
	p->port.from_wire = true;
	p->at.card.promisc_fd = -1;
	snprintf(p->port.name, sizeof(p->port.name), "%s", name);
	configure(p, name, params);
	rc = link_watch_open(&p->watch, env->event, p->dev, on_link, p, e);
	if (rc)
		xdp_close(&p->port);
	else
		*out = p;
	return rc;
}

static int xdp_open(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	struct xdp_port *p;
	struct link link;
	int rc = create(&p, env, name, params, e);

	if (rc)
		return rc;
	/* After the watch, so that no news is missed. */
	rc = link_get(port_param_str(params, "dev", name), &link, e);
	if (!rc)
		rc = check_mtu(&link, params, e);
	if (!rc)
		rc = attach(p, &link, e);
	if (rc) {
		xdp_close(&p->port);
		return rc;
	}
	p->next = ports;
	ports = p;
	*port = &p->port;
	return 0;
}

static int xdp_export(struct port *port, enum handover_stage stage,
    struct handover *h, struct json_object *to, struct err *e)
{
	const struct xdp_port *p = (const struct xdp_port *)port;

	if (fault_of(p) || umem_is_resting())
		return err_set(e, -EAGAIN,
		    "port %s has just let a card go, for which a second must "
		    "pass",
		    port->name);
	port_show_bool(to, "attached", is_attached(p));
	port_show_u64(to, "card", p->ifindex);
	port_show_u64(to, "resets", p->n_resets);
	if (is_attached(p))
		attach_export(&p->at, stage, h, to);
	return 0;
}

static int xdp_import(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct handover *h,
    struct json_object *from, struct err *e)
{
	struct xdp_port *p;
	int rc = create(&p, env, name, params, e);

	if (rc)
		return rc;
	p->ifindex = (unsigned)handover_u64(from, "card");
	p->n_resets = handover_u64(from, "resets");
	p->port.state = PORT_WAIT;
	if (port_param_bool(from, "attached", false))
		rc = attach_import(&p->at, &p->port, &p->wish, h, from, e);
	if (rc) {
		xdp_close(&p->port);
		return rc;
	}
	if (is_attached(p)) {
		p->port.near_node =
		    (uint8_t)(link_numa_node(p->at.link.name) + 1);
		p->port.accepts = attach_accepts(&p->at);
		p->port.link_mtu = p->at.link.mtu;
	}
	p->next = ports;
	ports = p;
	*port = &p->port;
	return 0;
}

static void xdp_resume(struct port *port, struct json_object *from)
{
	struct xdp_port *p = (struct xdp_port *)port;
	struct link now;

	link_watch_bind(p->watch, p->ifindex);
	if (!is_attached(p)) {
		try_to_attach(p);
		return;
	}
	attach_recall(&p->at, from);
	if (link_get_index(p->ifindex, &now, NULL))
		on_gone(p);
	else
		on_changed(p, &now);
}

/* What the kernel was lent meanwhile nobody knows: sockets are made anew. */
static void xdp_reclaim(struct port *port)
{
	struct xdp_port *p = (struct xdp_port *)port;

	if (is_attached(p))
		attach_anew(p, "another switch died at it");
}

const struct port_ops xdp_port_ops = {
    .type = "xdp",
    .open = xdp_open,
    .close = xdp_close,
    .set = xdp_set,
    .show = xdp_show,
    .attend = xdp_attend,
    .export_state = xdp_export,
    .import_state = xdp_import,
    .resume_state = xdp_resume,
    .reclaim_state = xdp_reclaim,
    .rx = xdp_rx,
    .rx_done = port_rx_done_owned,
    .tx = xdp_tx,
    .tx_flush = xdp_tx_flush,
    .arm = xdp_arm,
    .disarm = port_disarm_none,
    .wake_fd = xdp_wake_fd,
    .wakes_always = true,
};
