/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_link.c - what the real kernel says about interfaces made for the test.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "ports/link/ethtool.h"
#include "ports/link/link.h"
#include "ports/link/request.h"
#include "tests/unit/netns.h"

#include <linux/bpf.h>

static struct err e;

static struct link get(const char *name)
{
	struct link l = {0};

	cr_assert_eq(link_get(name, &l, &e), 0, "%s", e.message);
	return l;
}

static void start(void)
{
	netns_enter();
	sh("ip link add name lnk0 address 02:00:00:00:00:01 mtu 1400"
	   " numrxqueues 4 numtxqueues 4 type veth peer name lnk1");
}

TestSuite(link, .init = start, .timeout = 20);

Test(link, missing_one_is_named)
{
	struct link l = {.mtu = 7};

	cr_expect_eq(link_get("lnk7", &l, &e), -ENODEV);
	cr_expect_str_eq(
	    e.message, "there is no interface lnk7 in this network namespace");
	cr_expect_neq(e.hint[0], '\0');
	cr_expect_eq(l.mtu, 7, "untouched on failure");
	cr_expect_eq(link_get_index(99999, &l, &e), -ENODEV);
	cr_expect_eq(link_get_index(0, &l, &e), -ENODEV);
	cr_expect_eq(link_get("lnk7", &l, NULL), -ENODEV);
}

Test(link, strange_names_are_refused)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "../lo", "a b",
	    "a:b", "a\tb", "sixteen_is_too_m", "%s%s%s%s%s%s%s%s%n"};
	struct link l;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(link_get(bad[i], &l, &e), -EINVAL, "'%s'", bad[i]);
		cr_expect_eq(link_numa_node(bad[i]), -1);
	}
	cr_expect(link_name_ok("fifteen_is_fine"));
	cr_expect(link_name_ok("eth0.100@x%n"));
}

Test(link, veth)
{
	struct link l = get("lnk0"), by_index;

	cr_expect_str_eq(l.kind, "veth");
	cr_expect_eq(l.mac, 0x020000000001);
	cr_expect_eq(l.mtu, 1400);
	cr_expect_eq(l.n_rxq_max, 4);
	cr_expect_eq(l.xdp_prog_id, 0);
	cr_expect_not(l.up);
	cr_expect_not(l.carrier);
	cr_expect_eq(link_get_index(l.ifindex, &by_index, &e), 0);
	cr_expect_str_eq(by_index.name, "lnk0");
	sh("ip link set lnk0 up");
	cr_expect(get("lnk0").up);
	cr_expect_not(get("lnk0").carrier, "the other end is down");
	sh("ip link set lnk1 up");
	cr_expect(get("lnk0").carrier);
	cr_expect_str_eq(get("lo").kind, "");
	cr_expect_eq(link_numa_node("lnk0"), -1);
}

Test(link, master)
{
	sh("ip link add lnkbr type bridge");
	sh("ip link set lnk0 master lnkbr");
	cr_expect_eq(get("lnk0").master, get("lnkbr").ifindex);
	cr_expect_eq(get("lnk1").master, 0);
}

Test(link, alternative_name_is_not_the_name)
{
	struct link l;

	sh("ip link property add dev lnk0 altname lnkalt");
	cr_expect_eq(link_get("lnkalt", &l, &e), -ENODEV);
}

/* A program that passes everything, attached as long as the fd is open. */
static int attach_xdp(unsigned ifindex)
{
	static const struct bpf_insn pass[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS},
	    {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_XDP,
	    .insn_cnt = 2,
	    .insns = (uintptr_t)pass,
	    .license = (uintptr_t) "BSD"};
	union bpf_attr attach = {0};
	int prog = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));

	cr_assert_geq(prog, 0, "BPF_PROG_LOAD: %s", strerror(errno));
	attach.link_create.prog_fd = (uint32_t)prog;
	attach.link_create.target_ifindex = ifindex;
	attach.link_create.attach_type = BPF_XDP;
	return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attach, sizeof(attach));
}

Test(link, xdp_program)
{
	int fd = attach_xdp(get("lnk0").ifindex);

	cr_assert_geq(fd, 0, "BPF_LINK_CREATE: %s", strerror(errno));
	cr_expect_neq(get("lnk0").xdp_prog_id, 0);
	close(fd);
	cr_expect_eq(get("lnk0").xdp_prog_id, 0);
}

static bool leads_out(const char *name)
{
	return link_has_default_route(get(name).ifindex);
}

/* Adds @route, which must be seen through lnk0 and not through lnk1. */
static void expect_default(const char *route)
{
	cr_expect_not(leads_out("lnk0"), "before '%s'", route);
	sh("ip %s add default %s", route[0] == '6' ? "-6 route" : "route",
	    route + 2);
	cr_expect(leads_out("lnk0"), "'%s'", route);
	cr_expect_not(leads_out("lnk1"), "'%s'", route);
	sh("ip %s del default %s", route[0] == '6' ? "-6 route" : "route",
	    route + 2);
}

Test(link, default_route)
{
	sh("ip link add name lnk2 type veth peer name lnk3");
	sh("for i in 0 1 2 3; do ip link set lnk$i up; done");
	sh("ip addr add 192.0.2.1/24 dev lnk0");
	sh("ip addr add 198.51.100.1/24 dev lnk1");
	sh("ip route add 203.0.113.0/24 dev lnk0");
	sh("ip nexthop add id 7 dev lnk0");
	expect_default("4 via 192.0.2.2");
	expect_default("4 dev lnk0 table 777");
	expect_default("4 nexthop dev lnk2 nexthop dev lnk0");
	expect_default("4 nhid 7");
	expect_default("6 via fe80::1 dev lnk0");
	expect_default("6 dev lnk0 table 777");
	expect_default("6 nexthop via fe80::1 dev lnk2 nexthop via fe80::2 dev"
		       " lnk0");
	cr_expect_not(link_has_default_route(99999));
}

/* More routes than fit into one message of the dump. */
Test(link, default_route_among_many)
{
	sh("ip link set lnk0 up");
	sh("for i in $(seq 0 255); do for j in $(seq 0 15); do"
	   " echo route add 10.$i.$j.0/24 dev lnk0; done; done | ip -b -");
	cr_expect_not(leads_out("lnk0"));
	sh("ip route add default dev lnk0 table 900");
	cr_expect(leads_out("lnk0"));
}

Test(link, mtu)
{
	unsigned ifindex = get("lnk0").ifindex;

	cr_expect_eq(link_set_mtu(ifindex, 9000, &e), 0);
	cr_expect_eq(get("lnk0").mtu, 9000);
	cr_expect_eq(link_set_mtu(ifindex, 10, &e), -EINVAL);
	cr_expect_str_eq(e.message, "cannot set the mtu of interface lnk0 to "
				    "10: mtu less than device minimum");
	cr_expect_eq(get("lnk0").mtu, 9000);
	cr_expect_eq(link_set_mtu(99999, 1500, &e), -ENODEV);
}

static bool is_promiscuous(void)
{
	return !system("ip -d link show lnk0 | grep -q 'promiscuity 1'");
}

Test(link, promiscuous_until_closed)
{
	unsigned ifindex = get("lnk0").ifindex;
	int fd = link_promisc_open(ifindex, &e);
	int status;

	cr_assert_geq(fd, 0, "%s", e.message);
	cr_expect(is_promiscuous());
	close(fd);
	cr_expect_not(is_promiscuous());
	if (!fork())
		_exit(
		    link_promisc_open(ifindex, NULL) < 0 || !is_promiscuous());
	wait(&status);
	cr_expect_eq(status, 0);
	cr_expect_not(is_promiscuous(), "the process is dead");
	cr_expect_eq(link_promisc_open(99999, &e), -ENODEV);
}

Test(link, channels)
{
	struct link_channels now, max;
	struct link l = get("lnk0"), lo = get("lo");

	cr_assert_eq(ethtool_channels_get(l.ifindex, &now, &max), 0);
	cr_expect_eq(max.rx + max.combined, 4);
	sh("ethtool -L lnk0 rx 3 tx 2");
	cr_assert_eq(ethtool_channels_get(l.ifindex, &now, NULL), 0);
	cr_expect_eq(now.rx, 3);
	cr_expect_eq(now.tx, 2);
	cr_expect_eq(ethtool_n_rx_queues(&l), 3);
	cr_expect_eq(ethtool_n_tx_queues(&l), 2);
	cr_expect_eq(link_count_queues("lnk0", "rx-"), 3);
	cr_expect_eq(ethtool_channels_get(lo.ifindex, &now, &max), -EOPNOTSUPP);
	cr_expect_eq(ethtool_n_rx_queues(&lo), 1);
	cr_expect_eq(ethtool_channels_get(99999, &now, &max), -ENODEV);
}

/* A device without channels, whose queues only /sys counts. */
Test(link, queues_without_channels)
{
	struct link l;

	sh("ip link add name lnkd numrxqueues 3 numtxqueues 2 type bridge");
	l = get("lnkd");
	cr_expect_eq(ethtool_channels_get(l.ifindex, NULL, NULL), -EOPNOTSUPP);
	cr_expect_eq(ethtool_n_rx_queues(&l), 3);
	cr_expect_eq(ethtool_n_tx_queues(&l), 2);
}

Test(link, feature)
{
	unsigned ifindex = get("lnk0").ifindex;
	bool on = false, changeable = false;

	cr_assert_eq(
	    ethtool_feature_get(ifindex, "rx-vlan-hw-parse", &on, &changeable),
	    0);
	cr_expect(on);
	cr_expect(changeable);
	cr_expect_eq(
	    ethtool_feature_set(ifindex, "rx-vlan-hw-parse", false, &e), 0);
	ethtool_feature_get(ifindex, "rx-vlan-hw-parse", &on, &changeable);
	cr_expect_not(on);
	sh("ethtool -k lnk0 | grep -q 'rx-vlan-offload: off'");
	cr_expect_eq(
	    ethtool_feature_set(ifindex, "rx-vlan-hw-parse", true, &e), 0);
	sh("ethtool -k lnk0 | grep -q 'rx-vlan-offload: on'");
}

Test(link, feature_that_is_not)
{
	unsigned ifindex = get("lnk0").ifindex;
	bool on, changeable = true;

	cr_expect_eq(
	    ethtool_feature_get(ifindex, "loopback", &on, &changeable), 0);
	cr_expect_not(changeable);
	cr_expect_eq(
	    ethtool_feature_set(ifindex, "loopback", true, &e), -EOPNOTSUPP);
	cr_expect_str_eq(e.message, "the driver of interface lnk0 does not let "
				    "loopback be switched on");
	cr_expect_eq(ethtool_feature_get(ifindex, "no-such", &on, &changeable),
	    -EOPNOTSUPP);
	cr_expect_lt(ethtool_feature_set(ifindex, "no-such", true, &e), 0);
	cr_expect_eq(ethtool_feature_set(99999, "loopback", true, &e), -ENODEV);
}

Test(link, rss_that_veth_has_not)
{
	static const uint8_t queues[] = {0, 1};
	static const char *const sentence =
	    "the driver of interface lnk0 does not let the spread over receive "
	    "queues be set";
	uint32_t *indir, table[1] = {0};
	unsigned n;

	cr_expect_eq(ethtool_rss_get("lnk0", &indir, &n), -EOPNOTSUPP);
	cr_expect_eq(ethtool_rss_set("lnk0", table, 1, &e), -EOPNOTSUPP);
	cr_expect_str_eq(e.message, sentence);
	e.message[0] = '\0';
	cr_expect_eq(ethtool_rss_spread("lnk0", queues, 2, &e), -EOPNOTSUPP);
	cr_expect_str_eq(e.message, sentence);
	cr_expect_eq(ethtool_rss_spread("lnk0", queues, 0, &e), -EINVAL);
	cr_expect_eq(ethtool_rss_get("lnk7", &indir, &n), -ENODEV);
}

Test(link, driver)
{
	char driver[ETHTOOL_DRIVER_SIZE];

	cr_expect_eq(ethtool_driver("lnk0", driver), 0);
	cr_expect_str_eq(driver, "veth");
	cr_expect_eq(ethtool_driver("lnk7", driver), -ENODEV);
	cr_expect_eq(ethtool_driver("a/b", driver), -EINVAL);
}

Test(link, knobs)
{
	uint64_t v = 0;

	cr_expect_eq(link_knob_set("lnk0", "gro_flush_timeout", 200000, &e), 0);
	cr_expect_eq(link_knob_get("lnk0", "gro_flush_timeout", &v), 0);
	cr_expect_eq(v, 200000);
	cr_expect_eq(
	    link_knob_set("lnk0", "napi_defer_hard_irqs", UINT64_MAX, &e),
	    -ERANGE);
	cr_expect_eq(
	    link_knob_set("lnk7", "gro_flush_timeout", 1, &e), -ENODEV);
	cr_expect_eq(link_knob_get("lnk0", "no_such", &v), -ENODEV);
}

static unsigned n_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

Test(link, questions_leave_nothing_open)
{
	unsigned before = n_fds();
	struct link_channels now;
	bool on, changeable;
	struct link l;

	for (int i = 0; i < 3; i++) {
		link_get("lnk0", &l, &e);
		link_get("lnk7", &l, &e);
		link_has_default_route(l.ifindex);
		ethtool_channels_get(l.ifindex, &now, NULL);
		ethtool_feature_get(l.ifindex, "loopback", &on, &changeable);
		ethtool_driver("lnk0", (char[ETHTOOL_DRIVER_SIZE]){0});
		link_promisc_open(99999, &e);
	}
	cr_expect_eq(n_fds(), before);
}

/* Attributes as no kernel should send them; ASan watches the edges. */
Test(link_attrs, lengths_are_not_trusted)
{
	static const uint8_t types[] = {0, MNL_TYPE_U32, MNL_TYPE_NUL_STRING};
	const struct nlattr *tb[3];

	for (unsigned seed = 0; seed < 200000; seed++) {
		size_t size = 4 + seed % 21;
		uint16_t *p = malloc(size);

		memset(p, 'x', size);
		p[0] = (uint16_t)(seed / 21 % 40);
		p[1] = (uint16_t)(seed / 840 % 4);
		link_attrs_sort(p, size, types, tb, 3);
		if (tb[1])
			cr_assert_eq(mnl_attr_get_payload_len(tb[1]), 4);
		cr_assert_null(tb[2], "no NUL at its end");
		cr_assert(!tb[1] || p[0] <= size);
		free(p);
	}
}

Test(link_attrs, an_attribute_of_the_right_form_is_found)
{
	static const uint8_t types[] = {0, MNL_TYPE_U32, MNL_TYPE_NUL_STRING};
	const struct nlattr *tb[3];
	struct link_request r;

	link_request_init(&r, 0, 0, "head", 4);
	mnl_attr_put_u32(&r.head, 7, 99);
	mnl_attr_put_u32(&r.head, 1, 42);
	mnl_attr_put_strz(&r.head, 2, "name");
	cr_assert_eq(link_attrs_of(&r.head, 4, types, tb, 3), 0);
	cr_expect_eq(link_attr_u32(tb[1]), 42);
	cr_expect_str_eq(mnl_attr_get_str(tb[2]), "name");
	cr_expect_eq(link_attrs_of(&r.head, 4096, types, tb, 3), -EBADMSG);
}
