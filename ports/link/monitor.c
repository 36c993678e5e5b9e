/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * monitor.c - the two sockets at which the kernel announces changes.
 *
 * A socket that overflows says ENOBUFS once and goes on; what it lost is not
 * known, so everything is suspect.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ports/link/genl.h"
#include "ports/link/monitor.h"
#include "switch/base/log.h"
#include "switch/base/privilege.h"

#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>

enum {
	MESSAGES_MAX = 64,	/* read in one turn of the loop */
	SOCKET_BYTES = 1 << 20, /* room for a thousand interfaces at once */
};

static struct {
	struct mnl_socket *route, *ethtool;
	sd_event_source *route_source, *ethtool_source;
	link_hint_fn *hint;
	uint16_t family;
	struct log_limit log;
} monitor;

/* Messages of another address family than none are about a bridge's port,
 * whose leaving of the bridge is an RTM_DELLINK, too. */
static int on_link(const struct nlmsghdr *m, void *arg)
{
	static const uint8_t types[IFLA_MAX + 1] = {
	    [IFLA_IFNAME] = MNL_TYPE_NUL_STRING};
	const struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(m);

	(void)arg;
	if ((m->nlmsg_type != RTM_NEWLINK && m->nlmsg_type != RTM_DELLINK) ||
	    link_attrs_of(m, sizeof(*head), types, tb, IFLA_MAX + 1) ||
	    head->ifi_family != AF_UNSPEC)
		return MNL_CB_OK;
	monitor.hint(m->nlmsg_type == RTM_DELLINK ? LINK_HINT_REMOVED
						  : LINK_HINT_CHANGED,
	    (unsigned)head->ifi_index,
	    tb[IFLA_IFNAME] ? mnl_attr_get_str(tb[IFLA_IFNAME]) : "");
	return MNL_CB_OK;
}

static int on_channels(const struct nlmsghdr *m, void *arg)
{
	static const uint8_t types[ETHTOOL_A_CHANNELS_MAX + 1] = {
	    [ETHTOOL_A_CHANNELS_HEADER] = MNL_TYPE_NESTED};
	static const uint8_t header_types[ETHTOOL_A_HEADER_MAX + 1] = {
	    [ETHTOOL_A_HEADER_DEV_INDEX] = MNL_TYPE_U32};
	const struct nlattr *tb[ETHTOOL_A_CHANNELS_MAX + 1];
	const struct nlattr *header[ETHTOOL_A_HEADER_MAX + 1];
	const struct genlmsghdr *head = mnl_nlmsg_get_payload(m);

	(void)arg;
	if (m->nlmsg_type != monitor.family ||
	    link_attrs_of(
		m, sizeof(*head), types, tb, ETHTOOL_A_CHANNELS_MAX + 1) ||
	    head->cmd != ETHTOOL_MSG_CHANNELS_NTF ||
	    !tb[ETHTOOL_A_CHANNELS_HEADER])
		return MNL_CB_OK;
	link_attrs_nested(tb[ETHTOOL_A_CHANNELS_HEADER], header_types, header,
	    ETHTOOL_A_HEADER_MAX + 1);
	monitor.hint(LINK_HINT_CHANNELS,
	    link_attr_u32(header[ETHTOOL_A_HEADER_DEV_INDEX]), "");
	return MNL_CB_OK;
}

/* Reads up to MESSAGES_MAX messages, the loop comes back for the rest; the
 * socket announces @what. */
static int drain(struct mnl_socket *s, mnl_cb_t each, enum link_hint what)
{
	_Alignas(struct nlmsghdr) uint8_t buf[LINK_REPLY_SIZE];

	for (unsigned i = 0; i < MESSAGES_MAX; i++) {
		ssize_t n = mnl_socket_recvfrom(s, buf, sizeof(buf));

		if (n >= 0) {
			mnl_cb_run(buf, (size_t)n, 0, 0, each, NULL);
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			log_limited(&monitor.log, LOG_INFO,
			    "netlink: news of interfaces were lost (%m); "
			    "asking about every one");
			monitor.hint(what, 0, NULL);
		}
	}
	return 0;
}

static int on_route_readable(
    sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	(void)userdata;
	return drain(monitor.route, on_link, LINK_HINT_CHANGED);
}

static int on_ethtool_readable(
    sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	(void)userdata;
	return drain(monitor.ethtool, on_channels, LINK_HINT_CHANNELS);
}

/* Joins multicast group @group of @bus and has @readable called. */
static int join(struct mnl_socket **s, sd_event_source **source,
    sd_event *event, int bus, uint32_t group, sd_event_io_handler_t readable)
{
	int fd, bytes = SOCKET_BYTES;

	*s = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!*s)
		return -errno;
	fd = mnl_socket_get_fd(*s);
	/* Less room, where this is refused, only means asking more often. */
	privilege_raise();
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	privilege_lower();
	if (mnl_socket_bind(*s, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(
		*s, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return -errno;
	return sd_event_add_io(event, source, fd, EPOLLIN, readable, NULL);
}

int link_monitor_open(sd_event *event, link_hint_fn *hint, struct err *e)
{
	struct genl_family ethtool;
	struct link_request r;
	int rc = genl_find(
	    &r, ETHTOOL_GENL_NAME, ETHTOOL_MCGRP_MONITOR_NAME, &ethtool);

	if (!rc) {
		monitor.hint = hint;
		monitor.family = ethtool.id;
		rc = join(&monitor.route, &monitor.route_source, event,
		    NETLINK_ROUTE, RTNLGRP_LINK, on_route_readable);
	}
	if (rc >= 0)
		rc = join(&monitor.ethtool, &monitor.ethtool_source, event,
		    NETLINK_GENERIC, ethtool.group, on_ethtool_readable);
	if (rc >= 0)
		return 0;
	link_monitor_close();
	return err_set(
	    e, rc, "cannot watch network interfaces: %s", strerror(-rc));
}

void link_monitor_close(void)
{
	sd_event_source_disable_unref(monitor.route_source);
	sd_event_source_disable_unref(monitor.ethtool_source);
	if (monitor.route)
		mnl_socket_close(monitor.route);
	if (monitor.ethtool)
		mnl_socket_close(monitor.ethtool);
	memset(&monitor, 0, sizeof(monitor));
}
