/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bridge.h - bridges, and ports as members of a bridge, as configured.
 *
 * A bridge owns a learning table and forwards among its ports with the kernel
 * bridge's semantics; `br0` exists from the start.  The words that configured
 * a bridge or a port are kept as they were given (@config): they are what
 * `config show` prints.
 *
 * Every function here takes parameters that have passed the grammar's checks
 * (cli/grammar.h) under the keys of interface "port add" and so on, changes
 * the model whole or not at all, and publishes.
 *
 * Threads: control.
 */
#ifndef SWITCH_BRIDGE_H
#define SWITCH_BRIDGE_H

#include <pthread.h>

#include "learning/fdb.h"
#include "switch/base/eth.h"
#include "switch/rate.h"
#include "switch/switch.h"

struct bridge {
	char name[PORT_NAME_MAX + 1];
	unsigned index; /* in sw->bridge */
	bool vlan_aware;
	uint32_t ageing_s; /* 0: never */
	uint32_t fdb_size;
	struct fdb *fdb;
	struct counters gone; /* of ports that left it */
	struct json_object *config;
};

/* One bit for each VLAN id. */
struct vlan_set {
	uint64_t word[ETH_N_VIDS / 64];
};

static inline bool vlan_set_has(const struct vlan_set *s, unsigned vid)
{
	return s->word[vid / 64] >> (vid % 64) & 1;
}

/* How a port takes part in its bridge; the kernel bridge's flags. */
struct bridge_port_settings {
	bool learning, flood, mcast_flood, bcast_flood;
	bool isolated, locked, admin_up;
	uint32_t mac_limit; /* 0: none */
	uint32_t mtu;	    /* 0: what the device carries, or ETH_MTU_DEFAULT */
	uint16_t access_vid; /* `vlan`; 0: none */
	uint16_t native_vid; /* of a trunk; 0: none */
	bool is_trunk;
	struct vlan_set trunk;
	struct rate_config rate_in, rate_out;
};

/* What serving a receive queue cost; written by the worker that serves it. */
struct queue_usage {
	uint64_t cycles, frames;
};

/* What its worker keeps of a receive queue from one snapshot to the next, on a
 * cache line of its own since the next queue may be another worker's.  Workers
 * are named by id + 1, 0: none (worker_sleep.c says who writes when). */
struct queue_state {
	struct queue_usage usage;
	uint64_t spin_cycles, armed_at;
	uint32_t at;	    /* its place in its worker's list */
	int watched_fd;	    /* in the epoll set of ... */
	uint8_t watched_by; /* ... this worker */
	uint8_t armed_by;   /* atomic */
} __attribute__((aligned(64)));

struct bridge_port {
	struct port *port;
	struct bridge *bridge;
	struct bridge_port_settings set;
	struct rate *rate_in, *rate_out; /* NULL: unlimited */
	/* Which worker serves receive queue q; -1: not yet placed. */
	int16_t worker_of[PORT_QUEUES_MAX];
	uint64_t moved; /* queues that are there by somebody's wish */
	struct queue_state queue[PORT_QUEUES_MAX];
	struct queue_usage seen[BALANCE_ASKERS][PORT_QUEUES_MAX]; /* before */
	pthread_spinlock_t tx_lock[PORT_QUEUES_MAX];
	enum port_state state_told; /* at the last event */
	struct json_object *config;
};

int bridge_add(struct sw *sw, struct json_object *params, struct err *e);
int bridge_set(struct sw *sw, struct json_object *params, struct err *e);
int bridge_del(struct sw *sw, struct json_object *params, struct err *e);

/* Frees every bridge, at the end of the switch: no port, no worker is left. */
void bridge_free_all(struct sw *sw);

int bridge_port_add(struct sw *sw, struct json_object *params, struct err *e);
int bridge_port_set(struct sw *sw, struct json_object *params, struct err *e);
int bridge_port_del(struct sw *sw, struct json_object *params, struct err *e);

/* By name; NULL and, if @e is given, a sentence with what exists. */
struct bridge *bridge_find(struct sw *sw, const char *name, struct err *e);
struct bridge_port *bridge_port_find(
    struct sw *sw, const char *name, struct err *e);

/* What the port carries: as configured, no more than its device does.  Sets
 * port->mtu. */
void bridge_port_update_mtu(struct bridge_port *bp);

/* Number of ports that are members of @bridge. */
unsigned bridge_n_ports(const struct sw *sw, const struct bridge *bridge);

/* Whether the port is a member of VLAN @vid of its VLAN-aware bridge. */
bool bridge_port_has_vlan(const struct bridge_port *bp, unsigned vid);

#endif
