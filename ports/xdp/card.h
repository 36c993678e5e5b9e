/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * card.h - a card set up for switching, and put back as it was.
 *
 * A port of a bridge receives every frame, with its VLAN tag, on the queues
 * that are used.  What is changed for that:
 *
 *	promiscuity      held by a socket: gone with the process
 *	VLAN stripping   off, if it was on
 *	receive scaling  over the queues that are used, if not all are
 *	interrupts       deferred, when we poll the driver ourselves
 *
 * Life: prepare, restore; restore also after prepare failed.
 * Threads: control.
 */
#ifndef PORTS_XDP_CARD_H
#define PORTS_XDP_CARD_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/link/link.h"

struct card {
	unsigned ifindex;
	char name[IFNAMSIZ];
	int promisc_fd;
	bool stripped_tags, deferred;
	uint64_t defer_irqs, flush_timeout; /* as they were, if deferred */
	uint32_t *rss;			    /* as it was; NULL: not changed */
	unsigned n_rss;
};

/* Sets up @link, whose traffic is wanted on @queues (bit q) of its @n_queues
 * queues; with @busy_poll its interrupts are deferred. */
int card_prepare(struct card *c, const struct link *link, uint64_t queues,
    unsigned n_queues, bool busy_poll, struct err *e);

/* Puts back what prepare changed.  A card that is gone is no trouble. */
void card_restore(struct card *c);

#endif
