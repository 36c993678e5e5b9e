/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ethtool.c - queues and offloads of a card, by ethtool's generic netlink.
 *
 * Offloads travel as bit sets in which every bit comes with its name, so that
 * nothing here depends on the kernel's numbers for them.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ports/link/ethtool.h"
#include "ports/link/genl.h"

#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>

enum { FEATURE_NAME_MAX = 31 /* ETH_GSTRING_LEN, less the NUL */ };

struct channels {
	struct link_channels now, max;
};

static int read_channels(const struct nlmsghdr *m, void *arg)
{
	static const uint8_t types[ETHTOOL_A_CHANNELS_MAX + 1] = {
	    [ETHTOOL_A_CHANNELS_RX_MAX] = MNL_TYPE_U32,
	    [ETHTOOL_A_CHANNELS_TX_MAX] = MNL_TYPE_U32,
	    [ETHTOOL_A_CHANNELS_COMBINED_MAX] = MNL_TYPE_U32,
	    [ETHTOOL_A_CHANNELS_RX_COUNT] = MNL_TYPE_U32,
	    [ETHTOOL_A_CHANNELS_TX_COUNT] = MNL_TYPE_U32,
	    [ETHTOOL_A_CHANNELS_COMBINED_COUNT] = MNL_TYPE_U32,
	};
	const struct nlattr *tb[ETHTOOL_A_CHANNELS_MAX + 1];
	struct channels *c = arg;

	if (link_attrs_of(m, sizeof(struct genlmsghdr), types, tb,
		ETHTOOL_A_CHANNELS_MAX + 1))
		return MNL_CB_OK;
	c->now = (struct link_channels){
	    .rx = link_attr_u32(tb[ETHTOOL_A_CHANNELS_RX_COUNT]),
	    .tx = link_attr_u32(tb[ETHTOOL_A_CHANNELS_TX_COUNT]),
	    .combined = link_attr_u32(tb[ETHTOOL_A_CHANNELS_COMBINED_COUNT]),
	};
	c->max = (struct link_channels){
	    .rx = link_attr_u32(tb[ETHTOOL_A_CHANNELS_RX_MAX]),
	    .tx = link_attr_u32(tb[ETHTOOL_A_CHANNELS_TX_MAX]),
	    .combined = link_attr_u32(tb[ETHTOOL_A_CHANNELS_COMBINED_MAX]),
	};
	return MNL_CB_OK;
}

int ethtool_channels_get(
    unsigned ifindex, struct link_channels *now, struct link_channels *max)
{
	struct channels c = {0};
	struct link_request r;
	int rc;

	rc = genl_ethtool_init(&r, ETHTOOL_MSG_CHANNELS_GET, ifindex, 0);
	if (!rc)
		rc = link_request_run(&r, NETLINK_GENERIC, read_channels, &c);
	if (rc)
		return rc;
	if (now)
		*now = c.now;
	if (max)
		*max = c.max;
	return 0;
}

/* What the driver counts, else what /sys does, else the one there must be. */
static int n_queues(int counted, const char *name, const char *what)
{
	if (counted <= 0)
		counted = link_count_queues(name, what);
	return counted > 0 ? counted : 1;
}

int ethtool_n_rx_queues(const struct link *l)
{
	struct link_channels c = {0};

	ethtool_channels_get(l->ifindex, &c, NULL);
	return n_queues((int)(c.rx + c.combined), l->name, "rx-");
}

int ethtool_n_tx_queues(const struct link *l)
{
	struct link_channels c = {0};

	ethtool_channels_get(l->ifindex, &c, NULL);
	return n_queues((int)(c.tx + c.combined), l->name, "tx-");
}

/* The answer about one feature. */
struct feature {
	const char *name;
	bool known, on, settable, fixed;
};

/* Whether this bit of a set is the feature's; *value: if it is set. */
static bool read_bit(const struct nlattr *bit, const char *name, bool *value)
{
	static const uint8_t types[ETHTOOL_A_BITSET_BIT_MAX + 1] = {
	    [ETHTOOL_A_BITSET_BIT_NAME] = MNL_TYPE_NUL_STRING,
	    [ETHTOOL_A_BITSET_BIT_VALUE] = MNL_TYPE_FLAG,
	};
	const struct nlattr *tb[ETHTOOL_A_BITSET_BIT_MAX + 1], *found;

	link_attrs_nested(bit, types, tb, ETHTOOL_A_BITSET_BIT_MAX + 1);
	found = tb[ETHTOOL_A_BITSET_BIT_NAME];
	if (!found || strcmp(mnl_attr_get_str(found), name))
		return false;
	*value = tb[ETHTOOL_A_BITSET_BIT_VALUE];
	return true;
}

/* Looks for the feature in @set.  With a mask, a bit that is set says so;
 * without, it is enough that it is there. */
static bool read_bitset(const struct nlattr *set, const char *name, bool *value)
{
	static const uint8_t types[ETHTOOL_A_BITSET_MAX + 1] = {
	    [ETHTOOL_A_BITSET_NOMASK] = MNL_TYPE_FLAG,
	    [ETHTOOL_A_BITSET_BITS] = MNL_TYPE_NESTED,
	};
	const struct nlattr *tb[ETHTOOL_A_BITSET_MAX + 1], *bit;

	*value = false;
	if (!set)
		return false;
	link_attrs_nested(set, types, tb, ETHTOOL_A_BITSET_MAX + 1);
	if (!tb[ETHTOOL_A_BITSET_BITS])
		return false;
	for (bit = NULL;
	     (bit = link_attrs_next(tb[ETHTOOL_A_BITSET_BITS], bit));)
		if (read_bit(bit, name, value)) {
			*value |= tb[ETHTOOL_A_BITSET_NOMASK] != NULL;
			return true;
		}
	return false;
}

static int read_feature(const struct nlmsghdr *m, void *arg)
{
	static const uint8_t types[ETHTOOL_A_FEATURES_MAX + 1] = {
	    [ETHTOOL_A_FEATURES_HW] = MNL_TYPE_NESTED,
	    [ETHTOOL_A_FEATURES_ACTIVE] = MNL_TYPE_NESTED,
	    [ETHTOOL_A_FEATURES_NOCHANGE] = MNL_TYPE_NESTED,
	};
	const struct nlattr *tb[ETHTOOL_A_FEATURES_MAX + 1];
	struct feature *f = arg;

	if (link_attrs_of(m, sizeof(struct genlmsghdr), types, tb,
		ETHTOOL_A_FEATURES_MAX + 1))
		return MNL_CB_OK;
	f->known =
	    read_bitset(tb[ETHTOOL_A_FEATURES_HW], f->name, &f->settable);
	read_bitset(tb[ETHTOOL_A_FEATURES_ACTIVE], f->name, &f->on);
	read_bitset(tb[ETHTOOL_A_FEATURES_NOCHANGE], f->name, &f->fixed);
	return MNL_CB_OK;
}

int ethtool_feature_get(
    unsigned ifindex, const char *feature, bool *on, bool *changeable)
{
	struct feature f = {.name = feature};
	struct link_request r;
	int rc;

	rc = genl_ethtool_init(&r, ETHTOOL_MSG_FEATURES_GET, ifindex, 0);
	if (!rc)
		rc = link_request_run(&r, NETLINK_GENERIC, read_feature, &f);
	if (rc)
		return rc;
	if (!f.known)
		return -EOPNOTSUPP;
	*on = f.on;
	*changeable = f.settable && !f.fixed;
	return 0;
}

/* Appends the set of just this bit. */
static void put_feature(struct link_request *r, const char *feature, bool on)
{
	struct nlmsghdr *m = &r->head;
	struct nlattr *set, *bits, *bit;

	set = mnl_attr_nest_start(m, ETHTOOL_A_FEATURES_WANTED);
	bits = mnl_attr_nest_start(m, ETHTOOL_A_BITSET_BITS);
	bit = mnl_attr_nest_start(m, ETHTOOL_A_BITSET_BITS_BIT);
	mnl_attr_put_strz(m, ETHTOOL_A_BITSET_BIT_NAME, feature);
	if (on)
		mnl_attr_put(m, ETHTOOL_A_BITSET_BIT_VALUE, 0, NULL);
	mnl_attr_nest_end(m, bit);
	mnl_attr_nest_end(m, bits);
	mnl_attr_nest_end(m, set);
}

/* The kernel reports success also where the driver kept things as they were,
 * so what counts is how they are afterwards. */
int ethtool_feature_set(
    unsigned ifindex, const char *feature, bool on, struct err *e)
{
	const char *way = on ? "on" : "off";
	bool is_on = !on, changeable;
	char name[IFNAMSIZ];
	struct link_request r;
	int rc;

	assert(strlen(feature) <= FEATURE_NAME_MAX);
	rc = genl_ethtool_init(
	    &r, ETHTOOL_MSG_FEATURES_SET, ifindex, ETHTOOL_FLAG_OMIT_REPLY);
	if (!rc) {
		put_feature(&r, feature, on);
		rc = link_request_run(&r, NETLINK_GENERIC, NULL, NULL);
	}
	link_name_of(ifindex, name);
	if (rc)
		return err_set(e, rc, "cannot switch %s of interface %s %s: %s",
		    feature, name, way, r.words);
	rc = ethtool_feature_get(ifindex, feature, &is_on, &changeable);
	if (!rc && is_on == on)
		return 0;
	return err_set(e, rc ? rc : -EOPNOTSUPP,
	    "the driver of interface %s does not let %s be switched %s", name,
	    feature, way);
}
