/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * genl.c - families of generic netlink.
 *
 * Every message of ethtool's family begins with the same nest, numbered 1 in
 * all of them, that says which interface it is about.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ports/link/genl.h"

#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>

_Static_assert((int)ETHTOOL_A_CHANNELS_HEADER == (int)ETHTOOL_A_FEATURES_HEADER,
    "one number for the nest that names the interface");

/* What is looked for, and found. */
struct search {
	const char *group;
	struct genl_family found;
};

/* One entry of CTRL_ATTR_MCAST_GROUPS. */
static void read_group(struct search *s, const struct nlattr *group)
{
	static const uint8_t types[CTRL_ATTR_MCAST_GRP_MAX + 1] = {
	    [CTRL_ATTR_MCAST_GRP_NAME] = MNL_TYPE_NUL_STRING,
	    [CTRL_ATTR_MCAST_GRP_ID] = MNL_TYPE_U32,
	};
	const struct nlattr *tb[CTRL_ATTR_MCAST_GRP_MAX + 1], *name;

	link_attrs_nested(group, types, tb, CTRL_ATTR_MCAST_GRP_MAX + 1);
	name = tb[CTRL_ATTR_MCAST_GRP_NAME];
	if (name && !strcmp(mnl_attr_get_str(name), s->group))
		s->found.group = link_attr_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
}

static int read_family(const struct nlmsghdr *m, void *arg)
{
	static const uint8_t types[CTRL_ATTR_MAX + 1] = {
	    [CTRL_ATTR_FAMILY_ID] = MNL_TYPE_U16,
	    [CTRL_ATTR_MCAST_GROUPS] = MNL_TYPE_NESTED,
	};
	const struct nlattr *tb[CTRL_ATTR_MAX + 1], *group;
	struct search *s = arg;

	if (link_attrs_of(
		m, sizeof(struct genlmsghdr), types, tb, CTRL_ATTR_MAX + 1))
		return MNL_CB_OK;
	if (tb[CTRL_ATTR_FAMILY_ID])
		s->found.id = mnl_attr_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	if (!s->group || !tb[CTRL_ATTR_MCAST_GROUPS])
		return MNL_CB_OK;
	for (group = NULL;
	     (group = link_attrs_next(tb[CTRL_ATTR_MCAST_GROUPS], group));)
		read_group(s, group);
	return MNL_CB_OK;
}

int genl_find(struct link_request *r, const char *name, const char *group,
    struct genl_family *out)
{
	static const struct genlmsghdr head = {
	    .cmd = CTRL_CMD_GETFAMILY, .version = 1};
	struct search s = {.group = group};
	int rc;

	link_request_init(r, GENL_ID_CTRL, 0, &head, sizeof(head));
	mnl_attr_put_strz(&r->head, CTRL_ATTR_FAMILY_NAME, name);
	rc = link_request_run(r, NETLINK_GENERIC, read_family, &s);
	if (!rc && (!s.found.id || (group && !s.found.group))) {
		rc = -ENOENT;
		snprintf(r->words, sizeof(r->words),
		    "the kernel has no %s netlink", name);
	}
	if (!rc)
		*out = s.found;
	return rc;
}

int genl_init(
    struct link_request *r, const char *name, uint8_t cmd, uint8_t version)
{
	const struct genlmsghdr head = {.cmd = cmd, .version = version};
	struct genl_family family;
	int rc = genl_find(r, name, NULL, &family);

	if (!rc)
		link_request_init(r, family.id, 0, &head, sizeof(head));
	return rc;
}

int genl_ethtool_init(
    struct link_request *r, uint8_t cmd, unsigned ifindex, uint32_t flags)
{
	struct nlattr *nest;
	int rc = genl_init(r, ETHTOOL_GENL_NAME, cmd, ETHTOOL_GENL_VERSION);

	if (rc)
		return rc;
	nest = mnl_attr_nest_start(&r->head, ETHTOOL_A_CHANNELS_HEADER);
	mnl_attr_put_u32(&r->head, ETHTOOL_A_HEADER_DEV_INDEX, ifindex);
	mnl_attr_put_u32(&r->head, ETHTOOL_A_HEADER_FLAGS, flags);
	mnl_attr_nest_end(&r->head, nest);
	return 0;
}
