/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * genl.h - families of generic netlink.
 *
 * Generic netlink hands out the numbers of families and of multicast groups
 * when the kernel starts; this asks for them by name.
 *
 * Threads: any.
 */
#ifndef PORTS_LINK_GENL_H
#define PORTS_LINK_GENL_H

#include "ports/link/request.h"

struct genl_family {
	uint16_t id;	/* the type of its messages */
	uint32_t group; /* its multicast group asked for; 0: none */
};

/* Finds family @name and, unless @group is NULL, that group of it.  Returns 0
 * or -errno, with the reason in r->words: -ENOENT where the kernel was built
 * without it. */
int genl_find(struct link_request *r, const char *name, const char *group,
    struct genl_family *out);

/* Starts a request @cmd to family @name. */
int genl_init(
    struct link_request *r, const char *name, uint8_t cmd, uint8_t version);

/* Starts the request @cmd (ETHTOOL_MSG_*) to ethtool's family about interface @ifindex; @flags are
 * ETHTOOL_FLAG_*.  Returns as above, with the reason in r->words. */
int genl_ethtool_init(
    struct link_request *r, uint8_t cmd, unsigned ifindex, uint32_t flags);

#endif
