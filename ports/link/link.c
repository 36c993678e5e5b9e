/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.c - what the kernel says about network interfaces (rtnetlink).
 *
 * A reply fills a struct link of its own, which reaches the caller only when
 * the whole exchange has gone well.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/link/link.h"
#include "ports/link/request.h"
#include "switch/base/eth.h"
#include "switch/base/log.h"
#include "switch/base/privilege.h"

#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>

/* The same rule as the kernel's (dev_valid_name), which also keeps a path
 * under /sys where it belongs. */
bool link_name_ok(const char *name)
{
	size_t n = strnlen(name, IFNAMSIZ);

	if (n == 0 || n == IFNAMSIZ || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || isspace((uint8_t)*name))
			return false;
	return true;
}

/* IFLA_INFO_KIND, cut where it is longer than any that a driver asks for. */
static void read_kind(struct link *l, const struct nlattr *info)
{
	static const uint8_t types[IFLA_INFO_MAX + 1] = {
	    [IFLA_INFO_KIND] = MNL_TYPE_STRING};
	const struct nlattr *tb[IFLA_INFO_MAX + 1], *kind;

	link_attrs_nested(info, types, tb, IFLA_INFO_MAX + 1);
	kind = tb[IFLA_INFO_KIND];
	if (kind)
		snprintf(l->kind, sizeof(l->kind), "%.*s",
		    mnl_attr_get_payload_len(kind), mnl_attr_get_str(kind));
}

/* With several programs attached, in different modes, IFLA_XDP_PROG_ID is
 * left out and each mode has its own. */
static void read_xdp(struct link *l, const struct nlattr *xdp)
{
	static const uint8_t types[IFLA_XDP_MAX + 1] = {
	    [IFLA_XDP_PROG_ID] = MNL_TYPE_U32,
	    [IFLA_XDP_DRV_PROG_ID] = MNL_TYPE_U32,
	    [IFLA_XDP_SKB_PROG_ID] = MNL_TYPE_U32,
	    [IFLA_XDP_HW_PROG_ID] = MNL_TYPE_U32,
	};
	const struct nlattr *tb[IFLA_XDP_MAX + 1];

	link_attrs_nested(xdp, types, tb, IFLA_XDP_MAX + 1);
	for (unsigned i = 0; i <= IFLA_XDP_MAX && !l->xdp_prog_id; i++)
		l->xdp_prog_id = link_attr_u32(tb[i]);
}

static uint64_t read_mac(const struct nlattr *a)
{
	uint8_t mac[sizeof(uint64_t)] = {0};

	if (!a || mnl_attr_get_payload_len(a) != ETH_ADDR_LEN)
		return 0;
	memcpy(mac, mnl_attr_get_payload(a), ETH_ADDR_LEN);
	return eth_mac(mac);
}

static int read_link(const struct nlmsghdr *m, void *arg)
{
	static const uint8_t types[IFLA_MAX + 1] = {
	    [IFLA_IFNAME] = MNL_TYPE_NUL_STRING,
	    [IFLA_ADDRESS] = MNL_TYPE_BINARY,
	    [IFLA_MTU] = MNL_TYPE_U32,
	    [IFLA_MASTER] = MNL_TYPE_U32,
	    [IFLA_NUM_RX_QUEUES] = MNL_TYPE_U32,
	    [IFLA_OPERSTATE] = MNL_TYPE_U8,
	    [IFLA_LINKINFO] = MNL_TYPE_NESTED,
	    [IFLA_XDP] = MNL_TYPE_NESTED,
	};
	const struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(m);
	struct link *l = arg;

	if (m->nlmsg_type != RTM_NEWLINK ||
	    link_attrs_of(m, sizeof(*head), types, tb, IFLA_MAX + 1) ||
	    !tb[IFLA_IFNAME])
		return MNL_CB_OK;
	memset(l, 0, sizeof(*l));
	l->ifindex = (unsigned)head->ifi_index;
	snprintf(
	    l->name, sizeof(l->name), "%s", mnl_attr_get_str(tb[IFLA_IFNAME]));
	l->mac = read_mac(tb[IFLA_ADDRESS]);
	l->mtu = link_attr_u32(tb[IFLA_MTU]);
	l->up = head->ifi_flags & IFF_UP;
	l->carrier = head->ifi_flags & IFF_LOWER_UP ||
		     (tb[IFLA_OPERSTATE] &&
			 mnl_attr_get_u8(tb[IFLA_OPERSTATE]) == IF_OPER_UP);
	l->master = link_attr_u32(tb[IFLA_MASTER]);
	l->n_rxq_max = link_attr_u32(tb[IFLA_NUM_RX_QUEUES]);
	if (tb[IFLA_LINKINFO])
		read_kind(l, tb[IFLA_LINKINFO]);
	if (tb[IFLA_XDP])
		read_xdp(l, tb[IFLA_XDP]);
	return MNL_CB_OK;
}

/* Asks for the interface of index @ifindex or, with 0, of name @name. */
static int ask_link(struct link_request *r, unsigned ifindex, const char *name,
    struct link *out)
{
	const struct ifinfomsg head = {.ifi_index = (int)ifindex};
	struct link l = {0};
	int rc;

	link_request_init(r, RTM_GETLINK, 0, &head, sizeof(head));
	if (name)
		mnl_attr_put_strz(&r->head, IFLA_IFNAME, name);
	mnl_attr_put_u32(&r->head, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	rc = link_request_run(r, NETLINK_ROUTE, read_link, &l);
	if (!rc && (!l.ifindex || (name && strcmp(l.name, name))))
		rc = -ENODEV;
	if (!rc)
		*out = l;
	return rc;
}

int link_get(const char *name, struct link *out, struct err *e)
{
	struct link_request r;
	int rc = -EINVAL;

	if (!link_name_ok(name)) {
		err_set(e, rc, "'%s' cannot be the name of an interface", name);
		err_hint(e,
		    "names have 1 to %d characters, none of them a "
		    "space, '/' or ':'",
		    IFNAMSIZ - 1);
		return rc;
	}
	rc = ask_link(&r, 0, name, out);
	if (rc == -ENODEV) {
		err_set(e, rc,
		    "there is no interface %s in this network "
		    "namespace",
		    name);
		err_hint(e, "`ip link` lists those that there are; one that "
			    "lies in another namespace has to be moved here");
	} else if (rc) {
		err_set(
		    e, rc, "cannot ask about interface %s: %s", name, r.words);
	}
	return rc;
}

int link_get_index(unsigned ifindex, struct link *out, struct err *e)
{
	struct link_request r;
	int rc = ifindex ? ask_link(&r, ifindex, NULL, out) : -ENODEV;

	if (rc == -ENODEV)
		return err_set(e, rc,
		    "there is no interface of index %u in "
		    "this network namespace",
		    ifindex);
	if (rc)
		return err_set(e, rc, "cannot ask about interface %u: %s",
		    ifindex, r.words);
	return 0;
}

/* The kernel has picked what leads through the interface, by whatever form of
 * next hop; left to see is which of it is the way to everywhere. */
static int find_default(const struct nlmsghdr *m, void *arg)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(m);
	bool *found = arg;

	if (m->nlmsg_type == RTM_NEWROUTE &&
	    mnl_nlmsg_get_payload_len(m) >= sizeof(*route) &&
	    m->nlmsg_flags & NLM_F_DUMP_FILTERED && !route->rtm_dst_len &&
	    route->rtm_type == RTN_UNICAST)
		*found = true;
	return MNL_CB_OK;
}

bool link_has_default_route(unsigned ifindex)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	bool found = false;

	for (unsigned i = 0; i < sizeof(families) && !found; i++) {
		const struct rtmsg head = {.rtm_family = families[i]};
		struct link_request r;

		link_request_init(
		    &r, RTM_GETROUTE, NLM_F_DUMP, &head, sizeof(head));
		mnl_attr_put_u32(&r.head, RTA_OIF, ifindex);
		if (link_request_run(&r, NETLINK_ROUTE, find_default, &found))
			log_warning("interface %u: cannot ask for its %s "
				    "routes: %s",
			    ifindex, i ? "IPv6" : "IPv4", r.words);
	}
	return found;
}

void link_name_of(unsigned ifindex, char name[IFNAMSIZ])
{
	struct link l;

	if (link_get_index(ifindex, &l, NULL))
		snprintf(name, IFNAMSIZ, "%u", ifindex);
	else
		memcpy(name, l.name, IFNAMSIZ);
}

int link_set_mtu(unsigned ifindex, uint32_t mtu, struct err *e)
{
	const struct ifinfomsg head = {.ifi_index = (int)ifindex};
	char name[IFNAMSIZ];
	struct link_request r;
	int rc;

	link_request_init(&r, RTM_SETLINK, 0, &head, sizeof(head));
	mnl_attr_put_u32(&r.head, IFLA_MTU, mtu);
	rc = link_request_run(&r, NETLINK_ROUTE, NULL, NULL);
	if (rc) {
		link_name_of(ifindex, name);
		err_set(e, rc,
		    "cannot set the mtu of interface %s to %" PRIu32 ": %s",
		    name, mtu, r.words);
	}
	return rc;
}

/* Protocol 0: the socket is here for its membership and receives nothing. */
int link_promisc_open(unsigned ifindex, struct err *e)
{
	const struct packet_mreq membership = {
	    .mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_PROMISC};
	char name[IFNAMSIZ];
	int fd, rc;

	privilege_raise();
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	privilege_lower();
	if (fd >= 0 && !setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP,
			   &membership, sizeof(membership)))
		return fd;
	rc = -errno;
	if (fd >= 0)
		close(fd);
	link_name_of(ifindex, name);
	return err_set(e, rc, "cannot make interface %s promiscuous: %s", name,
	    strerror(-rc));
}
