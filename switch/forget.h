/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forget.h - the addresses of a port that left, or is not to have any more.
 *
 * A table of a million addresses takes some ten milliseconds to walk, in which
 * nobody else would be served.  What the first FORGET_AT_ONCE steps reach, which
 * is all of a table of the usual size, is forgotten at once; the rest between
 * what else the control thread does.  Until then
 *
 *	an address of a port that left is like an unknown one (forward.c), and
 *	the port's number nobody else's;
 *	an address of a port that is down or does not learn still leads there,
 *	and one that it has again by then may be forgotten with the others.
 *
 * Threads: control.
 */
#ifndef SWITCH_FORGET_H
#define SWITCH_FORGET_H

#include <stdbool.h>

#include "switch/switch.h"

/* Has the addresses of port @no, of @kinds (enum fdb_kind), forgotten by
 * @bridge; after the grace period in which workers ceased to learn any. */
void forget_port(
    struct sw *sw, const struct bridge *bridge, port_no no, uint8_t kinds);

/* Whether a table has not forgotten port @no yet. */
bool forget_is_busy(const struct sw *sw, port_no no);

/* Forgets @key at once if it leads to a port that left: somebody else is to
 * have it. */
void forget_key(struct sw *sw, const struct bridge *bridge, uint64_t key);

/* @bridge, or every one (NULL), is about to go, with its table. */
void forget_bridge(struct sw *sw, const struct bridge *bridge);

#endif
