/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * genl.h - ethtool's family of generic netlink.
 *
 * Generic netlink hands out the numbers of families and of multicast groups
 * when the kernel starts; this asks for them by name.
 *
 * Threads: any.
 */
#ifndef PORTS_LINK_GENL_H
#define PORTS_LINK_GENL_H

#include "ports/link/request.h"

struct genl_ethtool {
	uint16_t family;  /* the type of its messages */
	uint32_t monitor; /* the group of its notifications */
};

/* Returns 0, or -errno: -ENOENT where the kernel was built without it. */
int genl_ethtool(struct genl_ethtool *out);

/* Starts the request @cmd (ETHTOOL_MSG_*) about interface @ifindex; @flags are
 * ETHTOOL_FLAG_*.  Returns as above, with the reason in r->words. */
int genl_ethtool_init(
    struct link_request *r, uint8_t cmd, unsigned ifindex, uint32_t flags);

#endif
