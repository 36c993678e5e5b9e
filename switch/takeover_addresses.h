/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover_addresses.h - learned addresses on their way to another process.
 *
 * Each bridge's are a memfd of fixed-size entries, in the byte order of the
 * machine that both run on.  They are told twice: all of them while workers
 * go on learning, and, when no worker does any more, those seen since, which
 * includes whatever is new or has moved.
 *
 * Static entries are part of the configuration and not of this.
 *
 * Threads: control.
 */
#ifndef SWITCH_TAKEOVER_ADDRESSES_H
#define SWITCH_TAKEOVER_ADDRESSES_H

#include "ports/handover.h"
#include "switch/switch.h"

struct takeover_address {
	uint64_t key;
	uint32_t age_s;
	uint16_t port; /* number on the leaving side */
	uint16_t unused;
};

/* Adds to @to the learned addresses of every bridge that were seen in the last
 * @age_max_s seconds.  -errno with a sentence.  Closed again, also after a
 * failure, by addresses_close(). */
int addresses_export(struct sw *sw, uint32_t age_max_s, struct handover *h,
    struct json_object *to, struct err *e);
void addresses_close(struct handover *h, struct json_object *to);

/* Enters them; port_of[] says what a number means here, PORT_NONE: nothing.  An
 * address for which there is no room is left out.  Returns how many were
 * entered or moved, or -errno with a sentence. */
int addresses_import(struct sw *sw, const port_no port_of[SWITCH_PORTS_MAX],
    struct handover *h, struct json_object *from, struct err *e);

#endif
