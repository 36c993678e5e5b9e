/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * card.c - a card set up for switching, and put back as it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/link/ethtool.h"
#include "ports/xdp/card.h"
#include "switch/base/log.h"

static const char strip_tags[] = "rx-vlan-hw-parse";
static const char defer_irqs[] = "napi_defer_hard_irqs";
static const char flush_timeout[] = "gro_flush_timeout";

enum {
	QUEUES_MAX = 64,
	/* While we poll the driver, its interrupt and timer are a fallback. */
	DEFER_IRQS = 2,
	FLUSH_TIMEOUT_NS = 200000,
};

static int keep_tags(struct card *c, struct err *e)
{
	bool on = false, changeable = false;
	int rc = ethtool_feature_get(c->ifindex, strip_tags, &on, &changeable);

	if (rc == -EOPNOTSUPP || (!rc && !on))
		return 0;
	if (!rc && !changeable)
		return err_set(e, -EOPNOTSUPP,
		    "%s strips VLAN tags and cannot be told to leave them",
		    c->name);
	rc = ethtool_feature_set(c->ifindex, strip_tags, false, e);
	c->stripped_tags = !rc;
	return rc;
}

static unsigned list_queues(uint64_t mask, uint8_t queue[QUEUES_MAX])
{
	unsigned n = 0;

	for (; mask; mask &= mask - 1)
		queue[n++] = (uint8_t)__builtin_ctzll(mask);
	return n;
}

static int spread(
    struct card *c, uint64_t queues, unsigned n_queues, struct err *e)
{
	uint8_t queue[QUEUES_MAX];
	unsigned n = list_queues(queues, queue);
	int rc;

	if (n == n_queues)
		return 0;
	rc = ethtool_rss_get(c->name, &c->rss, &c->n_rss);
	if (!rc)
		rc = ethtool_rss_spread(c->name, queue, n, e);
	if (!rc)
		return 0;
	err_set(e, rc,
	    "%s receives on %u queues and cannot be told to use %u of them",
	    c->name, n_queues, n);
	err_hint(
	    e, "use all: `ethtool -L %s` sets how many there are", c->name);
	free(c->rss);
	c->rss = NULL;
	return rc;
}

static int defer(struct card *c, struct err *e)
{
	int rc = link_knob_get(c->name, defer_irqs, &c->defer_irqs);

	if (!rc)
		rc = link_knob_get(c->name, flush_timeout, &c->flush_timeout);
	if (rc)
		return err_set(e, rc,
		    "busy polling of %s: its interrupts cannot be deferred",
		    c->name);
	c->deferred = true;
	rc = link_knob_set(c->name, defer_irqs, DEFER_IRQS, e);
	return rc ? rc
		  : link_knob_set(c->name, flush_timeout, FLUSH_TIMEOUT_NS, e);
}

int card_prepare(struct card *c, const struct link *link, uint64_t queues,
    unsigned n_queues, bool busy_poll, struct err *e)
{
	int rc;

	*c = (struct card){.ifindex = link->ifindex, .promisc_fd = -1};
	memcpy(c->name, link->name, sizeof(c->name));
	rc = spread(c, queues, n_queues, e);
	if (!rc)
		rc = keep_tags(c, e);
	if (!rc && busy_poll)
		rc = defer(c, e);
	if (rc)
		return rc;
	c->promisc_fd = link_promisc_open(link->ifindex, e);
	return c->promisc_fd < 0 ? c->promisc_fd : 0;
}

void card_restore(struct card *c)
{
	struct link now;
	struct err e = {0};
	int rc = 0;

	if (c->promisc_fd >= 0)
		close(c->promisc_fd);
	c->promisc_fd = -1;
	/* Renamed, it is still the same card. */
	if (c->ifindex && !link_get_index(c->ifindex, &now, NULL)) {
		if (c->stripped_tags)
			rc |= ethtool_feature_set(
			    c->ifindex, strip_tags, true, &e);
		if (c->rss)
			rc |= ethtool_rss_set(now.name, c->rss, c->n_rss, &e);
		if (c->deferred) {
			rc |= link_knob_set(
			    now.name, defer_irqs, c->defer_irqs, &e);
			rc |= link_knob_set(
			    now.name, flush_timeout, c->flush_timeout, &e);
		}
		if (rc)
			log_warning(
			    "%s is not as it was: %s", now.name, e.message);
	}
	free(c->rss);
	*c = (struct card){.promisc_fd = -1};
}
