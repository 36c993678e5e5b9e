/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.c - a card in the next process: sockets and program stay.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/link/netdev.h"
#include "ports/port.h"
#include "ports/xdp/handover.h"

/* Objects at @key, one for each queue with a socket. */
static struct json_object *get_queues(struct json_object *from, size_t *n)
{
	struct json_object *queues = NULL;

	*n = 0;
	if (json_object_object_get_ex(from, "queues", &queues) &&
	    json_object_is_type(queues, json_type_array))
		*n = json_object_array_length(queues);
	return queues;
}

static void export_card(
    const struct card *c, struct handover *h, struct json_object *to)
{
	struct json_object *rss = json_object_new_array();

	handover_put_fd(h, to, "promisc", c->promisc_fd);
	port_show_bool(to, "stripped_tags", c->stripped_tags);
	port_show_bool(to, "deferred", c->deferred);
	port_show_u64(to, "defer_irqs", c->defer_irqs);
	port_show_u64(to, "flush_timeout", c->flush_timeout);
	json_object_object_add(to, "rss", rss);
	for (unsigned i = 0; c->rss && i < c->n_rss; i++)
		json_object_array_add(rss, json_object_new_int((int)c->rss[i]));
}

static int import_rss(struct card *c, struct json_object *from, struct err *e)
{
	struct json_object *rss;
	unsigned n;

	if (!json_object_object_get_ex(from, "rss", &rss))
		return 0;
	n = (unsigned)json_object_array_length(rss);
	if (!n)
		return 0;
	c->rss = calloc(n, sizeof(*c->rss));
	if (!c->rss)
		return err_set(e, -ENOMEM, "no memory for a card");
	c->n_rss = n;
	for (unsigned i = 0; i < n; i++)
		c->rss[i] = (uint32_t)json_object_get_int(
		    json_object_array_get_idx(rss, i));
	return 0;
}

/* Without its ifindex, there is nothing to put back. */
static int import_card(struct card *c, const struct link *link,
    struct handover *h, struct json_object *from, struct err *e)
{
	*c = (struct card){.promisc_fd = handover_take_fd(h, from, "promisc"),
	    .stripped_tags = port_param_bool(from, "stripped_tags", false),
	    .deferred = port_param_bool(from, "deferred", false),
	    .defer_irqs = handover_u64(from, "defer_irqs"),
	    .flush_timeout = handover_u64(from, "flush_timeout")};
	snprintf(c->name, sizeof(c->name), "%s", link->name);
	return import_rss(c, from, e);
}

static struct json_object *export_socket(
    const struct xsk *x, enum handover_stage stage, struct handover *h)
{
	struct json_object *o = json_object_new_object();

	port_show_u64(o, "queue", x->queue);
	if (stage == HANDOVER_STOPPED) {
		port_show_u64(o, "filled", x->n_filled);
		port_show_u64(o, "sending", x->n_sending);
		port_show_bool(o, "discarding", x->discarding);
		return o;
	}
	port_show_u64(o, "tx_metadata_len", x->member.tx_metadata_len);
	port_show_u64(o, "rx_holder", x->member.rx_holder);
	handover_put_fd(h, o, "rx", x->member.fd);
	handover_put_fd(h, o, "tx", x->tx_fd);
	return o;
}

void attach_export(const struct attachment *a, enum handover_stage stage,
    struct handover *h, struct json_object *to)
{
	struct json_object *queues = json_object_new_array();

	json_object_object_add(to, "queues", queues);
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (a->xsk[q])
			json_object_array_add(
			    queues, export_socket(a->xsk[q], stage, h));
	if (stage == HANDOVER_STOPPED)
		return;
	port_show_u64(to, "ifindex", a->link.ifindex);
	port_show_str(to, "mode", attach_mode_name(a->mode));
	port_show_str(to, "fallback", a->fallback);
	port_show_bool(to, "zerocopy", a->kind.zerocopy);
	port_show_bool(to, "multi", a->kind.multi);
	port_show_u64(to, "n_queues", a->n_queues);
	port_show_u64(to, "n_tx_queues", a->n_tx_queues);
	port_show_u64(to, "rx_queues", a->queues);
	port_show_u64(to, "tx_queues", a->tx_queues);
	program_export(a->program, h, to);
	export_card(&a->card, h, to);
}

static int import_socket(struct attachment *a, struct xsk_config *c,
    struct handover *h, struct json_object *from, struct err *e)
{
	struct umem_member member = {.kind = a->kind,
	    .fd = handover_take_fd(h, from, "rx"),
	    .tx_metadata_len = (uint32_t)handover_u64(from, "tx_metadata_len"),
	    .rx_holder = (uint16_t)handover_u64(from, "rx_holder")};
	int tx_fd = handover_take_fd(h, from, "tx");

	c->queue = (unsigned)handover_u64(from, "queue");
	if (c->queue >= PORT_QUEUES_MAX || a->xsk[c->queue] || member.fd < 0 ||
	    tx_fd < 0)
		return err_set(e, -EINVAL, "queue %u of %s cannot be", c->queue,
		    a->link.name);
	return xsk_inherit(&a->xsk[c->queue], c, &member, tx_fd, e);
}

static int import_sockets(struct attachment *a, struct port *port,
    const struct attach_wish *wish, struct handover *h,
    struct json_object *from, struct err *e)
{
	struct xsk_config c = {.pool = port->env->pool,
	    .port = port,
	    .link = &a->link,
	    .kind = a->kind,
	    .driver = a->driver,
	    .busy_poll_us = wish->busy_poll_us};
	size_t n;
	struct json_object *queues = get_queues(from, &n);
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = import_socket(
		    a, &c, h, json_object_array_get_idx(queues, i), e);
	return rc;
}

int attach_import(struct attachment *a, struct port *port,
    const struct attach_wish *wish, struct handover *h,
    struct json_object *from, struct err *e)
{
	int rc;

	*a = (struct attachment){
	    .mode = attach_mode_of(port_param_str(from, "mode", "")),
	    .kind = {.zerocopy = port_param_bool(from, "zerocopy", false),
		.multi = port_param_bool(from, "multi", false)},
	    .n_queues = (unsigned)handover_u64(from, "n_queues"),
	    .n_tx_queues = (unsigned)handover_u64(from, "n_tx_queues"),
	    .queues = handover_u64(from, "rx_queues"),
	    .tx_queues = handover_u64(from, "tx_queues"),
	    .card = {.promisc_fd = -1}};
	snprintf(a->fallback, sizeof(a->fallback), "%s",
	    port_param_str(from, "fallback", ""));
	if (a->mode == ATTACH_MODES)
		return err_set(e, -EINVAL, "a card in a mode that is none");
	rc = link_get_index(
	    (unsigned)handover_u64(from, "ifindex"), &a->link, e);
	if (rc)
		return rc;
	(void)netdev_xdp_get(a->link.ifindex, &a->driver);
	rc = program_import(&a->program, h, from, e);
	if (!rc)
		rc = import_sockets(a, port, wish, h, from, e);
	if (!rc)
		rc = import_card(&a->card, &a->link, h, from, e);
	return rc;
}

void attach_recall(struct attachment *a, struct json_object *from)
{
	size_t n;
	struct json_object *queues = get_queues(from, &n);

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(queues, i);
		uint64_t q = handover_u64(o, "queue");

		if (q >= PORT_QUEUES_MAX || !a->xsk[q])
			continue;
		xsk_recall(a->xsk[q], (uint32_t)handover_u64(o, "filled"),
		    (uint32_t)handover_u64(o, "sending"));
		a->xsk[q]->discarding = port_param_bool(o, "discarding", false);
	}
	a->card.ifindex = a->link.ifindex;
}
