/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover.h - another process takes this one's place, and nobody notices.
 *
 * `swd --takeover` connects to a socket beside the control socket of the switch
 * that runs, and the two go through these steps:
 *
 *	the one that runs (leaver)		the one that comes (successor)
 *	forwards			◄─ HELLO	version, types it can take
 *	describes itself	  PORTS ─►		builds all of it, idle
 *	forwards			◄─ PREPARED
 *	stops its workers	 PLACES ─►		last numbers, addresses
 *				◄─ ACCEPTED
 *	lets go			  YOURS ─►		its workers run
 *	ends				◄─ RUNNING
 *
 * Nothing that takes time happens between the stop and the run: by PREPARED
 * the successor has mapped the guests' memory, opened its bridges and entered
 * the addresses.
 *
 * Whatever fails, one of the two goes on:
 *
 *  - Until YOURS the successor touches nothing that anybody sees.  If it says
 *    no, says nothing in time or dies, the leaver starts its workers again,
 *    where they had stopped.
 *  - From YOURS to RUNNING the successor may have begun.  If it dies, or is
 *    ended by the leaver because it does not say RUNNING in time, its queues
 *    are as those of any switch that was killed: the leaver finds out where
 *    they got to (port.h, reclaim_state) and goes on.
 *  - A leaver that dies before YOURS leaves a successor that ends as well, and
 *    guests that come back to whoever is started next, as after any crash.
 *
 * A port whose type, here or there, cannot be handed over is left out: the
 * leaver closes it when it ends, and the successor opens it anew.
 *
 * The leaver's control thread does nothing else in between, so that what it
 * described stays true.  It is held up for PREPARE_MS at most.
 *
 * What goes along besides: packet memory, which cards write to; the listening sockets, control's included, with the
 * connections that wait in them; the learned addresses with their ages; the
 * counters.  What does not: connections to the control socket, which end, and
 * what rate limits have saved up.
 *
 * Life: leaver_open when the switch is ready, leaver_close before it ends.
 * succession_ask ──► (switch_open) ──► prepare ──► complete ──► close.
 * Threads: control.
 */
#ifndef SWITCH_TAKEOVER_H
#define SWITCH_TAKEOVER_H

#include "ports/handover.h"
#include "switch/control/control.h"
#include "switch/switch.h"

struct leaver;
struct succession;

/* What ports are opened from while a process is being succeeded. */
struct inheritance {
	struct json_object *ports; /* by name: what export_state told */
	struct handover *handover;
};

/* Has @sw be succeeded by whoever of the same user asks at the socket beside
 * that of @control; for a switch that is itself a successor, @succession has
 * the socket (NULL: it is none).  -errno with a sentence. */
int leaver_open(struct leaver **leaver, struct sw *sw, struct control *control,
    struct succession *succession, struct err *e);

/* Removes the socket.  Accepts NULL. */
void leaver_close(struct leaver *leaver);

/* Asks the switch that answers beside control socket @path to be succeeded,
 * which is to have the run directory @rundir.  -ECONNREFUSED if there is none,
 * -EPROTO, or what it said. */
int succession_ask(struct succession **succession, const char *path,
    const char *rundir, struct err *e);

/* The other one's packet memory, of which nothing is free yet. */
int succession_open_pool(
    struct succession *s, struct pool **pool, struct err *e);

/* Makes @sw, which is new, what the other one is, all of it idle, and *control
 * its control socket.  On failure the process is to end with _exit(2): what it
 * has is the other's, and not to be taken down. */
int succession_prepare(struct succession *s, struct sw *sw,
    struct control **control, struct err *e);

/* Takes over.  On failure as above; after success the process is the switch,
 * and what went wrong with single ports is in the log. */
int succession_complete(struct succession *s, struct sw *sw, struct err *e);

/* The socket at which the next one is to ask; the caller's. */
int succession_take_listener(struct succession *s);

/* Accepts NULL. */
void succession_close(struct succession *s);

#endif
