/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.h - what the driver of a card does for AF_XDP.
 *
 * From the family "netdev" of generic netlink (Linux 6.3; features of sockets
 * 6.8).  An older kernel says nothing, and the features are not there.
 *
 * Threads: any; meant for the control thread.
 */
#ifndef PORTS_LINK_NETDEV_H
#define PORTS_LINK_NETDEV_H

#include <stdbool.h>

struct netdev_xdp {
	unsigned zc_max_segs; /* buffers of a frame in zero-copy mode; 0: ? */
	bool tx_checksum;     /* completes checksums in zero-copy mode */
};

/* Fills in *out, with zeros for what the kernel does not tell.  Returns 0 or
 * -errno: -ENOENT, -EOPNOTSUPP where it has no such family or question. */
int netdev_xdp_get(unsigned ifindex, struct netdev_xdp *out);

#endif
