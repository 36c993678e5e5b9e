/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.c - what the driver of a card does for AF_XDP.
 */
#include "ports/link/genl.h"
#include "ports/link/netdev.h"

#include <linux/genetlink.h>

/* From include/uapi/linux/netdev.h, which Debian 12 has not got. */
enum {
	NETDEV_FAMILY_VERSION = 1,
	NETDEV_CMD_DEV_GET = 1,
	NETDEV_A_DEV_IFINDEX = 1,
	NETDEV_A_DEV_XDP_ZC_MAX_SEGS = 4,
	NETDEV_A_DEV_XSK_FEATURES = 6,
	NETDEV_A_DEV_N,
	NETDEV_XSK_FLAGS_TX_CHECKSUM = 1 << 1,
};

static int read_dev(const struct nlmsghdr *m, void *arg)
{
	static const uint8_t types[NETDEV_A_DEV_N] = {
	    [NETDEV_A_DEV_XDP_ZC_MAX_SEGS] = MNL_TYPE_U32,
	    [NETDEV_A_DEV_XSK_FEATURES] = MNL_TYPE_U64,
	};
	const struct nlattr *tb[NETDEV_A_DEV_N], *features;
	struct netdev_xdp *out = arg;

	if (link_attrs_of(
		m, sizeof(struct genlmsghdr), types, tb, NETDEV_A_DEV_N))
		return MNL_CB_OK;
	out->zc_max_segs = link_attr_u32(tb[NETDEV_A_DEV_XDP_ZC_MAX_SEGS]);
	features = tb[NETDEV_A_DEV_XSK_FEATURES];
	out->tx_checksum = features && mnl_attr_get_u64(features) &
					   NETDEV_XSK_FLAGS_TX_CHECKSUM;
	return MNL_CB_OK;
}

int netdev_xdp_get(unsigned ifindex, struct netdev_xdp *out)
{
	struct link_request r;
	int rc =
	    genl_init(&r, "netdev", NETDEV_CMD_DEV_GET, NETDEV_FAMILY_VERSION);

	*out = (struct netdev_xdp){0};
	if (rc)
		return rc;
	mnl_attr_put_u32(&r.head, NETDEV_A_DEV_IFINDEX, ifindex);
	return link_request_run(&r, NETLINK_GENERIC, read_dev, out);
}
