/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h - the contract between the switch and a kind of port.
 *
 * A driver embeds struct port as its first member, fills in a struct port_ops
 * and is registered by one line in port.c; its words are one block of rows in
 * the grammar (cli/grammar.c).  null.c is the smallest one and the template.
 *
 * Life of a port
 *
 *	open ──► (queues go live and back, as the peer likes) ──► close
 *
 * A queue is *live* while its bit is set in rx_live or tx_live.  The driver
 * changes these on the control thread and then calls env->changed(), which
 * publishes them and returns only when no worker uses the previous ones:
 *
 *	to start a queue   prepare it, set its bit, changed()
 *	to stop a queue    clear its bit, changed(), then take it apart
 *
 * A port whose peer or device shall not notice that another process takes this
 * one's place (switch/takeover.h) has four more operations, all or none:
 *
 *	the process that leaves			the one that comes
 *	export_state, RUNNING	─────────►	import_state
 *	(workers stop)
 *	export_state, STOPPED	─────────►	resume_state, queues live
 *
 * From import_state to resume_state both processes have the port; the one that
 * comes touches nothing that the other one, its peer or its device could see,
 * and if it fails, or close is called, the other goes on as if nothing had
 * been.  Control of the process that leaves does nothing else meanwhile, so
 * that only what workers change is told at the second stage.
 *
 * Threads: open, close, set, show, attend on the control thread.  rx, rx_done,
 * arm, disarm on the one worker that owns that receive queue; tx and tx_flush
 * on any worker, one at a time for each transmit queue (the switch locks where
 * two could meet).  wake_fd on the worker that owns the queue.
 *
 * Ownership: the switch owns the port between open and close; it writes
 * name, no, mac and mtu, the driver the rest.
 */
#ifndef PORTS_PORT_H
#define PORTS_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "ports/handover.h"
#include "switch/base/counters.h"
#include "switch/base/doorbell.h"
#include "switch/base/err.h"
#include "switch/base/frame.h"
#include "switch/base/pool.h"

enum {
	PORT_NAME_MAX = 31,
	PORT_QUEUES_MAX = 64, /* receive, and as many transmit, queues */
	PORT_REASON_MAX = 159,
};

enum port_state {
	PORT_DOWN,   /* the administrator's wish */
	PORT_WAIT,   /* no peer yet */
	PORT_UP,     /* a peer, and at least one live queue */
	PORT_BROKEN, /* the peer violated its protocol; see reason */
};

struct port;

/* What the switch offers to a driver; outlives every port. */
struct port_env {
	sd_event *event; /* the control thread's loop */
	struct pool *pool;
	const char *rundir; /* where sockets go by default */

	/* Control: rx_live, tx_live, accepts, state, reason or peer of @port
	 * changed.  Returns when no worker uses the previous queues. */
	void (*changed)(struct port *port);

	/* Any thread, also from a signal handler: have ops->attend(@port)
	 * called on the control thread soon. */
	void (*raise)(struct port *port);

	/* Control: tell the network behind the port moved; floods @frame
	 * [0..len) as if it came in by @port (RARP after migration). */
	void (*announce)(struct port *port, const uint8_t *frame, uint32_t len);
};

/* What a worker lends to a driver for the length of one call. */
struct port_worker {
	struct counters *counters; /* this worker's, of the port called */
	struct doorbell *bell;
	struct pool_cache *pool;
	uint64_t now; /* cycles, read once a batch */
};

struct port_ops {
	const char *type; /* as in `swctl port add NAME type TYPE` */

	/* Creates the port; @params has passed the grammar's checks.  On
	 * success *port is the driver's, with ops and env filled in. */
	int (*open)(struct port **port, const struct port_env *env,
	    const char *name, struct json_object *params, struct err *e);

	/* Releases everything.  No queue is live and no worker looks. */
	void (*close)(struct port *port);

	/* Applies type-specific keys of `port set`; may be NULL. */
	int (*set)(
	    struct port *port, struct json_object *params, struct err *e);

	/* The switch changed port->mtu or port->state up/down; may be NULL. */
	void (*reset)(struct port *port);

	/* Adds the type's own keys to @out, flat.  May be NULL. */
	void (*show)(struct port *port, struct json_object *out);

	/* The answer to env->raise(); may be NULL when it is never called. */
	void (*attend)(struct port *port);

	/* Fills the empty batch @b with up to BATCH_MAX frames from queue @q.
	 * Frames that the driver itself refuses are counted as rx_packets and
	 * rx_bytes and under their reason here; the others by the caller.
	 * Returns how much of the queue's work was done: 0 only if the queue
	 * was found empty. */
	unsigned (*rx)(struct port *port, unsigned q, struct batch *b,
	    struct port_worker *w);

	/* Gives the buffers of every frame of @b, taken or not, back. */
	void (*rx_done)(struct port *port, unsigned q, struct batch *b,
	    struct port_worker *w);

	/* Sends f[0..n) on queue @q, in order, and counts each under
	 * tx_packets and tx_bytes or under one reason.  Takes owned frames if
	 * it can use them in place, copies the others and counts those under
	 * tx_copied. */
	void (*tx)(struct port *port, unsigned q, struct frame *const f[],
	    unsigned n, struct port_worker *w);

	/* Goes on with what tx on queue @q began and the kernel has not ended:
	 * hands over what was left, takes buffers back.  Returns whether
	 * something is still under way; if so it is called again soon, also
	 * without new frames.  NULL: tx ends what it begins. */
	bool (*tx_flush)(struct port *port, unsigned q, struct port_worker *w);

	/* Asks to be woken for queue @q.  Returns true if it is empty and the
	 * worker may stop polling it; false if work arrived meanwhile. */
	bool (*arm)(struct port *port, unsigned q);

	/* The worker polls @q again: notifications are not needed. */
	void (*disarm)(struct port *port, unsigned q);

	/* The descriptor that becomes readable when an armed @q has work, used
	 * edge-triggered and never read; -1: this queue can only be polled. */
	int (*wake_fd)(struct port *port, unsigned q);

	/* Adds to @to and @h what @stage has to tell.  -errno with a sentence
	 * if the port cannot be handed over at this moment. */
	int (*export_state)(struct port *port, enum handover_stage stage,
	    struct handover *h, struct json_object *to, struct err *e);

	/* As open, but the port that another process described in @from. */
	int (*import_state)(struct port **port, const struct port_env *env,
	    const char *name, struct json_object *params, struct handover *h,
	    struct json_object *from, struct err *e);

	/* The other process has let go, and left off as @from says: the port
	 * is this one's.  Queues may go live; a failure is the port's state. */
	void (*resume_state)(struct port *port, struct json_object *from);

	/* The process that came died at once, and nobody knows how far its
	 * queues got: finds out.  No worker looks; live queues stay live. */
	void (*reclaim_state)(struct port *port);

	/* wake_fd is readable while @q has work, armed or not, and no longer:
	 * what is looked at once for each arming suffices. */
	bool wakes_always;
};

struct port {
	const struct port_ops *ops;
	const struct port_env *env;
	char name[PORT_NAME_MAX + 1];
	port_no no;
	uint64_t mac; /* of the port itself, 0: none */
	uint32_t mtu; /* bytes of payload after the Ethernet header */
	bool admin_up;

	enum port_state state; /* PORT_WAIT, PORT_UP or PORT_BROKEN */
	char reason[PORT_REASON_MAX + 1]; /* why it waits or broke, or "" */
	uint64_t rx_live, tx_live;	  /* bit q: queue q */
	uint32_t link_mtu; /* what its device carries at most, 0: anything */
	uint8_t near_node; /* the NUMA node of its device + 1, 0: none */
	uint8_t accepts;   /* enum offload_bit: passed on, not completed */
	bool from_wire;	   /* its frames are no larger than a packet: merge them
			  * for whoever accepts that */

	uint32_t raised; /* atomic: attend() is wanted */
};

/* The driver of @type; NULL if there is none. */
const struct port_ops *port_driver(const char *type);

/* The types whose ports another process can hand over to this one; the
 * caller's. */
struct json_object *port_types_inheritable(void);

/* "up" for PORT_UP. */
const char *port_state_name(enum port_state state);

/* Sets state and reason in one go (reason NULL: none).  Control; the caller
 * follows with env->changed(). */
void port_set_state(struct port *port, enum port_state state,
    const char *reason_fmt, ...) __attribute__((format(printf, 3, 4)));

/* "csum", "tso4", ... for @bits (enum offload_bit), a JSON array that is the
 * caller's. */
struct json_object *port_offload_names(uint8_t bits);

/* Adds a key to what ops->show fills. */
void port_show_str(struct json_object *out, const char *key, const char *value);
void port_show_u64(struct json_object *out, const char *key, uint64_t value);
void port_show_bool(struct json_object *out, const char *key, bool value);

/* rx_done of a driver whose frames are all owned: the slots of those that no
 * tx took go back. */
void port_rx_done_owned(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w);

/* disarm of a driver whose peer notifies in any case. */
void port_disarm_none(struct port *port, unsigned q);

/* Typed access to @params: the value, or @otherwise if the key is absent. */
int64_t port_param_int(
    struct json_object *params, const char *key, int64_t otherwise);
bool port_param_bool(
    struct json_object *params, const char *key, bool otherwise);
const char *port_param_str(
    struct json_object *params, const char *key, const char *otherwise);

#endif
