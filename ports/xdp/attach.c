/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.c - a card taken from the host, and given back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ports/link/ethtool.h"
#include "ports/xdp/attach.h"
#include "switch/base/eth.h"

static const char *const mode_names[ATTACH_MODES] = {
    [ATTACH_AUTO] = "auto",
    [ATTACH_ZEROCOPY] = "zerocopy",
    [ATTACH_NATIVE] = "native",
    [ATTACH_GENERIC] = "generic",
};

const char *attach_mode_name(enum attach_mode mode)
{
	return mode_names[mode];
}

enum attach_mode attach_mode_of(const char *name)
{
	unsigned mode = 0;

	while (mode < ATTACH_MODES && strcmp(mode_names[mode], name))
		mode++;
	return mode;
}

bool attach_needs_multi(uint32_t mtu)
{
	return mtu > UMEM_MTU_MAX;
}

/* What speaks against taking the card, whatever the way. */
static int check(
    const struct link *link, const struct attach_wish *wish, struct err *e)
{
	if (!link->up) {
		err_set(e, -ENETDOWN, "%s is down", link->name);
		err_hint(e, "ip link set dev %s up", link->name);
		return -ENETDOWN;
	}
	if (link->master) {
		err_set(e, -EBUSY, "%s belongs to a bridge or bond already",
		    link->name);
		err_hint(e, "ip link set dev %s nomaster", link->name);
		return -EBUSY;
	}
	if (!wish->force && link_has_default_route(link->ifindex)) {
		err_set(e, -EBUSY,
		    "the default route leads through %s: the host would be "
		    "cut off",
		    link->name);
		err_hint(e, "`force` takes it all the same");
		return -EBUSY;
	}
	return 0;
}

static uint64_t first_queues(unsigned n)
{
	return n < PORT_QUEUES_MAX ? (1ull << n) - 1 : ~0ull;
}

static int choose_queues(
    struct attachment *a, const struct attach_wish *wish, struct err *e)
{
	uint64_t all;

	a->n_queues = (unsigned)ethtool_n_rx_queues(&a->link);
	a->n_tx_queues = (unsigned)ethtool_n_tx_queues(&a->link);
	all = first_queues(a->n_queues);
	a->queues = wish->queues ? wish->queues : all;
	a->tx_queues = a->queues & first_queues(a->n_tx_queues);
	if (a->queues & ~all)
		err_set(e, -EINVAL, "%s has %u queues, and no queue %d",
		    a->link.name, a->n_queues,
		    __builtin_ctzll(a->queues & ~all));
	else if (!a->tx_queues)
		err_set(e, -EINVAL,
		    "%s has %u queues to send with, and none of them is used",
		    a->link.name, a->n_tx_queues);
	else
		return 0;
	err_hint(e, "`ethtool -L %s` sets how many there are", a->link.name);
	return -EINVAL;
}

uint8_t attach_accepts(const struct attachment *a)
{
	uint8_t bits = OFFLOAD_CSUM;

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (a->xsk[q] && !a->xsk[q]->tx_checksum)
			bits = 0;
	return bits;
}

bool attach_queues_differ(const struct attachment *a)
{
	return (unsigned)ethtool_n_rx_queues(&a->link) != a->n_queues ||
	       (unsigned)ethtool_n_tx_queues(&a->link) != a->n_tx_queues;
}

static void close_sockets(struct attachment *a, sd_event *event)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		xsk_close(a->xsk[q], event);
		a->xsk[q] = NULL;
	}
}

static int open_sockets(struct attachment *a, struct port *port,
    const struct attach_wish *wish, enum attach_mode mode, struct err *e)
{
	struct xsk_config c = {.pool = port->env->pool,
	    .port = port,
	    .link = &a->link,
	    .driver = a->driver,
	    .busy_poll_us = wish->busy_poll_us};
	int rc = 0;

	a->mode = mode;
	a->kind = (struct umem_kind){.zerocopy = mode == ATTACH_ZEROCOPY,
	    .multi = attach_needs_multi(a->link.mtu)};
	c.kind = a->kind;
	for (c.queue = 0; !rc && c.queue < PORT_QUEUES_MAX; c.queue++)
		if (a->queues >> c.queue & 1)
			rc = xsk_open(&a->xsk[c.queue], &c, e);
	if (rc)
		close_sockets(a, port->env->event);
	return rc;
}

/* Whether there is no use in trying another way. */
static bool is_final(int rc)
{
	return rc == -EBUSY || rc == -EPERM || rc == -ENODEV || rc == -ENOMEM ||
	       rc == -ENETDOWN;
}

/* Another way is tried because of @why. */
static void note_fallback(struct attachment *a, const struct err *why)
{
	snprintf(a->fallback, sizeof(a->fallback), "%s", why->message);
}

/* The program in the driver, then the best kind of socket that is wanted. */
static int attach_to_driver(struct attachment *a, struct port *port,
    const struct attach_wish *wish, struct err *e)
{
	int rc = program_open(&a->program, &a->link, false, e);

	if (rc)
		return rc;
	if (wish->mode != ATTACH_NATIVE) {
		rc = open_sockets(a, port, wish, ATTACH_ZEROCOPY, e);
		if (!rc || wish->mode == ATTACH_ZEROCOPY || is_final(rc))
			return rc;
		note_fallback(a, e);
	}
	return open_sockets(a, port, wish, ATTACH_NATIVE, e);
}

static int attach_to_kernel(struct attachment *a, struct port *port,
    const struct attach_wish *wish, struct err *e)
{
	int rc = program_open(&a->program, &a->link, true, e);

	return rc ? rc : open_sockets(a, port, wish, ATTACH_GENERIC, e);
}

static int attach_program_and_sockets(struct attachment *a, struct port *port,
    const struct attach_wish *wish, struct err *e)
{
	int rc;

	if (wish->mode == ATTACH_GENERIC)
		return attach_to_kernel(a, port, wish, e);
	rc = attach_to_driver(a, port, wish, e);
	if (!rc || wish->mode != ATTACH_AUTO || is_final(rc))
		return rc;
	note_fallback(a, e);
	program_close(a->program);
	a->program = NULL;
	return attach_to_kernel(a, port, wish, e);
}

/* Slots near the card, if its node is known. */
static void fill(struct attachment *a, struct pool *pool, int node)
{
	struct pool_cache cache;

	pool_cache_init(&cache, pool, 0);
	if (node >= 0 && (unsigned)node < pool->n_nodes)
		cache.node = (unsigned)node;
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		if (a->xsk[q])
			xsk_fill(a->xsk[q], &cache);
	pool_cache_fini(&cache);
}

static int serve_queues(struct attachment *a, struct err *e)
{
	int rc = 0;

	for (unsigned q = 0; !rc && q < PORT_QUEUES_MAX; q++)
		if (a->xsk[q])
			rc = program_serve(
			    a->program, q, a->xsk[q]->member.fd, e);
	return rc;
}

int attach_open(struct attachment *a, struct port *port,
    const struct link *link, const struct attach_wish *wish, struct err *e)
{
	int rc;

	*a = (struct attachment){.link = *link, .card = {.promisc_fd = -1}};
	(void)netdev_xdp_get(link->ifindex, &a->driver);
	rc = check(link, wish, e);
	if (!rc)
		rc = choose_queues(a, wish, e);
	if (!rc)
		rc = attach_program_and_sockets(a, port, wish, e);
	if (!rc) {
		fill(a, port->env->pool, link_numa_node(link->name));
		rc = card_prepare(&a->card, link, a->queues, a->n_queues,
		    wish->busy_poll_us > 0, e);
	}
	if (!rc)
		rc = serve_queues(a, e);
	if (rc)
		attach_close(a, port->env->event);
	return rc;
}

void attach_close(struct attachment *a, sd_event *event)
{
	program_close(a->program);
	close_sockets(a, event);
	card_restore(&a->card);
	*a = (struct attachment){.card = {.promisc_fd = -1}};
}
