/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - what the kernel says about network interfaces.
 *
 * One-shot questions and settings.  Each opens a netlink socket, asks, and
 * closes it: there is nothing to share, nothing to get out of step, and a
 * question costs some ten microseconds.  What *changes* is in watch.h, what
 * the driver of a card can be told in ethtool.h.
 *
 * Everything is about the network namespace of the calling thread.  The names
 * under /sys are those of the namespace in which /sys was mounted, which
 * `ip netns exec` and systemd see to.
 *
 * Life: an ifindex is an interface from its creation to its removal; a name
 * may be given to another one at any time.  Ask by name once, then by index.
 * Threads: any; meant for the control thread, since the kernel answers under
 * a lock (rtnl) that a slow driver may hold for a while.
 * Ownership: answers are copies.
 */
#ifndef PORTS_LINK_LINK_H
#define PORTS_LINK_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/base/err.h"

enum { LINK_KIND_MAX = 15 };

struct link {
	unsigned ifindex;
	char name[IFNAMSIZ];
	char kind[LINK_KIND_MAX + 1]; /* "veth", "bridge"; "" for hardware */
	uint64_t mac; /* as in eth.h; 0: none, or not Ethernet */
	uint32_t mtu;
	bool up;	      /* the administrator's wish */
	bool carrier;	      /* the cable's */
	uint32_t xdp_prog_id; /* attached in whatever mode; 0: none */
	unsigned master;      /* bridge or bond that it belongs to; 0: none */
	unsigned n_rxq_max;   /* receive queues that it was created with */
};

/* Whether @name is one that the kernel could have given to an interface.  The
 * functions below that take a name refuse every other. */
bool link_name_ok(const char *name);

/* Fills in *out.  Alternative names are not followed, so that the name asked
 * for is the name in *out.  Returns 0, -EINVAL for what is no name, -ENODEV,
 * or what the kernel says. */
int link_get(const char *name, struct link *out, struct err *e);
int link_get_index(unsigned ifindex, struct link *out, struct err *e);

/* The name of the interface for a sentence; its number if it has none. */
void link_name_of(unsigned ifindex, char name[IFNAMSIZ]);

/* Whether a default route of IPv4 or IPv6, in any table, leads through the
 * interface: taking it over would cut the machine off.  A question that fails
 * is answered with no, and logged. */
bool link_has_default_route(unsigned ifindex);

/* Returns 0, or -errno with the reason of the driver, if it gave one. */
int link_set_mtu(unsigned ifindex, uint32_t mtu, struct err *e);

/* Makes the interface receive what is not addressed to it.  Returns a
 * descriptor, owned by the caller, that holds this state: when it is closed,
 * by hand or by the end of the process, the kernel takes it back. */
int link_promisc_open(unsigned ifindex, struct err *e);

/* The NUMA node of the card, -1: unknown, or there is only one. */
int link_numa_node(const char *name);

/* Reads or writes the number in /sys/class/net/NAME/KNOB.  @knob is a literal
 * of the caller's: "napi_defer_hard_irqs", "gro_flush_timeout".  Returns 0,
 * -ENODEV where there is no such interface or the kernel has no such knob. */
int link_knob_get(const char *name, const char *knob, uint64_t *value);
int link_knob_set(
    const char *name, const char *knob, uint64_t value, struct err *e);

/* Counts /sys/class/net/NAME/queues/rx-* (or tx-*, with @what "tx-");
 * -errno. */
int link_count_queues(const char *name, const char *what);

#endif
