/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - find or make a tap interface and attach to it.
 *
 * What is there is asked about first (rtnetlink), because the kernel's answer
 * to a wrong attempt is the same EINVAL for many reasons, and because it lets
 * several users share the queues of one interface without telling any.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ports/link/request.h"
#include "ports/tap/device.h"
#include "switch/base/offload.h"
#include "switch/base/privilege.h"

#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

/* Since 6.2; the headers of Debian 12 are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define DEV_TUN "/dev/net/tun"

/* What the kernel says about an interface of kind "tun". */
struct tun_info {
	bool is_tap, multi_queue;
	uint32_t n_attached; /* queues; told for multi_queue only */
};

static int read_tun(const struct nlmsghdr *m, void *arg)
{
	static const uint8_t types[IFLA_MAX + 1] = {
	    [IFLA_LINKINFO] = MNL_TYPE_NESTED};
	static const uint8_t info_types[IFLA_INFO_MAX + 1] = {
	    [IFLA_INFO_DATA] = MNL_TYPE_NESTED};
	static const uint8_t tun_types[IFLA_TUN_MAX + 1] = {
	    [IFLA_TUN_TYPE] = MNL_TYPE_U8,
	    [IFLA_TUN_MULTI_QUEUE] = MNL_TYPE_U8,
	    [IFLA_TUN_NUM_QUEUES] = MNL_TYPE_U32,
	    [IFLA_TUN_NUM_DISABLED_QUEUES] = MNL_TYPE_U32,
	};
	const struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct nlattr *tun[IFLA_TUN_MAX + 1];
	struct tun_info *t = arg;

	if (m->nlmsg_type != RTM_NEWLINK ||
	    link_attrs_of(
		m, sizeof(struct ifinfomsg), types, tb, IFLA_MAX + 1) ||
	    !tb[IFLA_LINKINFO])
		return MNL_CB_OK;
	link_attrs_nested(
	    tb[IFLA_LINKINFO], info_types, info, IFLA_INFO_MAX + 1);
	if (!info[IFLA_INFO_DATA])
		return MNL_CB_OK;
	link_attrs_nested(
	    info[IFLA_INFO_DATA], tun_types, tun, IFLA_TUN_MAX + 1);
	t->is_tap = tun[IFLA_TUN_TYPE] &&
		    mnl_attr_get_u8(tun[IFLA_TUN_TYPE]) == IFF_TAP;
	t->multi_queue = tun[IFLA_TUN_MULTI_QUEUE] &&
			 mnl_attr_get_u8(tun[IFLA_TUN_MULTI_QUEUE]);
	t->n_attached = link_attr_u32(tun[IFLA_TUN_NUM_QUEUES]) +
			link_attr_u32(tun[IFLA_TUN_NUM_DISABLED_QUEUES]);
	return MNL_CB_OK;
}

static int no_tap(const struct link *l, struct err *e)
{
	err_set(e, -EEXIST, "interface %s is no tap%s%s", l->name,
	    l->kind[0] ? ", its kind is " : "", l->kind);
	err_arg(e, l->name);
	err_hint(e, "name another interface with `dev`; one that does not "
		    "exist is made");
	return -EEXIST;
}

static int in_use(const char *name, struct err *e)
{
	err_set(
	    e, -EBUSY, "another program, or another port, uses tap %s", name);
	err_arg(e, name);
	err_hint(e, "end that one, or name another interface with `dev`");
	return -EBUSY;
}

static int has_one_queue(const char *name, unsigned n, struct err *e)
{
	err_set(e, -EINVAL, "tap %s was made for one queue and not for %u",
	    name, n);
	err_arg(e, name);
	err_hint(e,
	    "make it anew with `ip tuntap add %s mode tap multi_queue`, "
	    "or leave out `queues`",
	    name);
	return -EINVAL;
}

/* Whether interface @l can be attached to with @n queues; *info says how. */
static int inspect(
    struct tun_info *info, const struct link *l, unsigned n, struct err *e)
{
	const struct ifinfomsg head = {.ifi_index = (int)l->ifindex};
	struct link_request r;
	int rc;

	if (strcmp(l->kind, "tun"))
		return no_tap(l, e);
	link_request_init(&r, RTM_GETLINK, 0, &head, sizeof(head));
	rc = link_request_run(&r, NETLINK_ROUTE, read_tun, info);
	if (rc)
		return err_set(e, rc, "cannot ask about interface %s: %s",
		    l->name, r.words);
	if (!info->is_tap)
		return no_tap(l, e);
	if (info->n_attached)
		return in_use(l->name, e);
	return n > 1 && !info->multi_queue ? has_one_queue(l->name, n, e) : 0;
}

static int no_dev_tun(int error, struct err *e)
{
	if (error == EACCES || error == EPERM) {
		err_set(e, -error, "swd may not open " DEV_TUN);
		err_hint(e, "let its user read and write it; under systemd "
			    "that also takes PrivateDevices=no");
	} else if (error == ENOENT || error == ENODEV || error == ENXIO) {
		err_set(e, -error, "there is no " DEV_TUN);
		err_hint(e, "`modprobe tun` brings it");
	} else {
		err_set(e, -error, DEV_TUN ": %s", strerror(error));
	}
	return -error;
}

static int not_attached(
    const char *name, bool is_new, unsigned n, int error, struct err *e)
{
	switch (error) {
	case EBUSY:
		return in_use(name, e);
	case EPERM:
		err_set(e, -error, "swd has no permission to %s tap %s",
		    is_new ? "make" : "use", name);
		err_hint(e,
		    "give it CAP_NET_ADMIN, or make the interface "
		    "beforehand with `ip tuntap add %s mode tap user USER`",
		    name);
		break;
	case E2BIG:
		err_set(e, -error, "tap %s has no room for %u queues", name, n);
		err_hint(e, "ask for fewer `queues`");
		break;
	default:
		err_set(e, -error, "tap %s: %s", name, strerror(error));
	}
	err_arg(e, name);
	return -error;
}

/* A descriptor attached to @name with @flags, or -errno. */
static int open_queue(
    const char *name, int flags, bool is_new, unsigned n, struct err *e)
{
	struct ifreq ifr = {.ifr_flags = (short)flags};
	int fd = open(DEV_TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC), rc;

	if (fd < 0)
		return no_dev_tun(errno, e);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	privilege_raise();
	rc = ioctl(fd, TUNSETIFF, &ifr);
	privilege_lower();
	if (!rc)
		return fd;
	rc = not_attached(name, is_new, n, errno, e);
	close(fd);
	return rc;
}

static void close_queues(int fd[], unsigned n)
{
	while (n)
		close(fd[--n]);
}

/* Whoever makes it is the first to attach, or it is somebody else's. */
static int open_queues(const char *name, bool is_new, bool multi_queue,
    int fd[], unsigned n, struct err *e)
{
	int flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
		    (multi_queue ? IFF_MULTI_QUEUE : 0);

	for (unsigned q = 0; q < n; q++) {
		bool makes = is_new && q == 0;

		fd[q] = open_queue(
		    name, flags | (makes ? IFF_TUN_EXCL : 0), makes, n, e);
		if (fd[q] < 0) {
			close_queues(fd, q);
			return fd[q];
		}
	}
	return 0;
}

/* Tells the kernel what may be left to us; returns the same as bits.  What it
 * may be left to it needs no word: that comes with the headers. */
static int set_offload(int fd, bool on, uint8_t *bits)
{
	unsigned long tso =
	    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

	*bits = 0;
	if (!on)
		return ioctl(fd, TUNSETOFFLOAD, 0ul);
	*bits = OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_ECN;
	if (ioctl(fd, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6))
		return ioctl(fd, TUNSETOFFLOAD, tso); /* before 6.2 */
	*bits |= OFFLOAD_USO;
	return 0;
}

static int set_up(struct tap_device *d, int fd, bool offload, struct err *e)
{
	int hdr_len = VIRTIO_NET_HDR_LEN, little_endian = 1;

	if (ioctl(fd, TUNSETVNETHDRSZ, &hdr_len) ||
	    ioctl(fd, TUNSETVNETLE, &little_endian) ||
	    set_offload(fd, offload, &d->offload))
		return err_set(e, -errno,
		    "tap %s does not carry virtio-net headers: %m",
		    d->link.name);
	return 0;
}

int tap_device_open(struct tap_device *d, const char *name, bool may_create,
    bool offload, int fd[], unsigned n, struct err *e)
{
	struct tun_info info = {.multi_queue = n > 1};
	int rc = link_get(name, &d->link, e);

	d->is_new = rc == -ENODEV && may_create;
	if (!rc)
		rc = inspect(&info, &d->link, n, e);
	if (rc && !d->is_new)
		return rc;
	rc = open_queues(name, d->is_new, info.multi_queue, fd, n, e);
	if (rc)
		return rc;
	rc = link_get(name, &d->link, e);
	if (!rc)
		rc = set_up(d, fd[0], offload, e);
	if (rc)
		close_queues(fd, n);
	return rc;
}

/* The flags that the interface of @fd has; 0: there is none. */
static int flags_of(int fd)
{
	struct ifreq ifr = {0};

	return ioctl(fd, TUNGETIFF, &ifr) ? 0 : ifr.ifr_flags;
}

bool tap_device_is_gone(int fd)
{
	return !flags_of(fd);
}

bool tap_device_is_persistent(int fd)
{
	return flags_of(fd) & IFF_PERSIST;
}

void tap_device_set_carrier(int fd, bool on)
{
	int carrier = on;

	/* Fails while the interface is down, which says the same. */
	ioctl(fd, TUNSETCARRIER, &carrier);
}
