/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch.h - everything that one process switches: bridges, ports, workers.
 *
 * This is the model, what the administrator configured, as the control thread
 * sees it.  Workers never look at it: from it snapshot_build() makes the
 * immutable picture that they forward by, and every change of the model ends
 * with switch_publish().
 *
 *	bridge.c      bridges           bridge_port.c   their members
 *	snapshot.c    model -> immutable snapshot, published under QSBR
 *	placement.c   which worker serves which queue
 *	rebalance.c   ... and which should, from what the queues cost
 *	worker.c      threads: poll, arm, sleep
 *	spin.c        how long an empty queue is polled
 *	forget.c      a port's addresses leave the table a few at a time
 *	forward.c     one batch: look up, sort by egress, send
 *	takeover*.c   another process goes on where this one stops
 *	control/      the unix socket, methods, events, the configuration file
 *
 * Life: one struct sw from swd.c's main().  Threads: control only, except
 * where a function says otherwise.
 */
#ifndef SWITCH_SWITCH_H
#define SWITCH_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "ports/port.h"
#include "switch/base/counters.h"
#include "switch/base/err.h"
#include "switch/spin.h"

enum {
	SWITCH_PORTS_MAX = 4096,
	SWITCH_BRIDGES_MAX = 256,
	SWITCH_WORKERS_MAX = 64,
};

struct bridge;
struct bridge_port;
struct inheritance;
struct succession;
struct worker;
struct snapshot;
struct events;
struct forgetting;

/* Who looks at what queues cost (rebalance.h). */
enum balance_asker { BALANCE_TIMER, BALANCE_REQUEST, BALANCE_ASKERS };

struct balancing {
	bool on;
	uint32_t threshold; /* per cent (balance.h) */
	uint32_t interval_s;
	sd_event_source *timer;
	uint64_t looked_at[BALANCE_ASKERS]; /* cycles */
};

/* As the grammar has them. */
enum { BALANCE_THRESHOLD = 25, BALANCE_INTERVAL_S = 10 };

struct sw {
	sd_event *event;
	struct pool *pool;
	const char *rundir;
	struct port_env env; /* what drivers are given */
	int raise_fd;	     /* eventfd: some port->raised is set */

	struct bridge *bridge[SWITCH_BRIDGES_MAX];  /* holes are NULL */
	struct bridge_port *port[SWITCH_PORTS_MAX]; /* by port_no */
	struct worker *worker[SWITCH_WORKERS_MAX];  /* by worker id */
	enum spin spin;				    /* of all workers */
	struct balancing balancing;
	struct counters *retired[SWITCH_PORTS_MAX]; /* of deleted workers */
	struct forgetting *forgetting; /* in tables, what left (forget.c) */

	struct snapshot *snapshot; /* the one that workers use */
	unsigned publish_held;	   /* > 0: publish once, at release */
	bool publish_wanted;
	bool stopped;		       /* no worker polls anything */
	struct inheritance *inherited; /* while taking over, or NULL */

	struct events *events; /* subscribers of `monitor` */
};

struct switch_options {
	const char *rundir;
	const char *cpus; /* "1,3-5"; NULL: the last one we may run on */
	size_t pool_size;
	struct succession *succession; /* who leaves packet memory, or NULL */
};

/* Builds the switch with bridge br0 and its workers, all asleep.  -errno with
 * a sentence and nothing left behind. */
int switch_open(struct sw **sw, sd_event *event,
    const struct switch_options *options, struct err *e);

/* Closes every port, stops the workers, frees all.  Accepts NULL. */
void switch_close(struct sw *sw);

/* Publishes a snapshot of the model and returns when no worker uses an older
 * one; both at once or, between hold and release, once at the release.  A
 * driver's stop of a queue (port_env.changed) is never held back. */
void switch_publish(struct sw *sw);

/* The same for whoever frees afterwards what workers could see: must not be
 * held back. */
void switch_publish_and_wait(struct sw *sw);
void switch_publish_hold(struct sw *sw);
void switch_publish_release(struct sw *sw);

/* Returns when no worker touches any queue, whatever is published, until
 * switch_go_on(). */
void switch_stop(struct sw *sw);
void switch_go_on(struct sw *sw);

/* Counters of every port, summed over the workers, each worker read between
 * two of its batches, so that conservation holds exactly in what is returned:
 * sum[0..SWITCH_PORTS_MAX), of which ports that do not exist are zero. */
void switch_read_counters(struct sw *sw, struct counters sum[]);

#endif
