/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vlan.c - networks: access ports, trunks and the native network.
 *
 * On a bridge that separates VLANs: vm1 and vm2 are access ports of VLAN 10,
 * vm3 is a trunk of 10 and 20 with native VLAN 30, vm4 an access port of 20.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/guest/lan.h"

static struct lan lan;
static uint8_t plain[100], tagged[104];

static void start(void)
{
	static const char *const port[] = {NULL, ",'vlan':10", ",'vlan':10",
	    ",'trunk':'10,20,30','native':30", ",'vlan':20"};
	const struct netdev_config usual = {0};

	lan_start_empty(&lan, NULL);
	cr_assert_eq(
	    swd_do(&lan.swd, "bridge.set", "{'name':'br0','vlan_aware':true}"),
	    0);
	for (unsigned i = 1; i <= 4; i++)
		lan_add(&lan, i, &usual, port[i]);
}

static void clean_up(void)
{
	lan_abandon(&lan);
}

TestSuite(vlan, .init = start, .fini = clean_up, .timeout = 30);

/* The same frame untagged and tagged with @vid. */
static void build(struct lan_mac dst, struct lan_mac src, unsigned vid)
{
	static uint32_t seed;

	lan_build(plain, sizeof(plain), dst, src, ++seed);
	lan_build_tagged(tagged, sizeof(tagged), dst, src, vid, seed);
}

static void expect_silence(unsigned a, unsigned b)
{
	lan_settle(&lan);
	lan_expect_silence(&lan, a);
	lan_expect_silence(&lan, b);
}

static uint64_t drops(const char *port, const char *reason)
{
	return swd_drops(&lan.swd, port, reason);
}

Test(vlan, access_frames_stay_in_their_vlan_and_leave_a_trunk_tagged)
{
	build(lan_broadcast, lan_mac(1), 10);
	lan_send(&lan, 1, plain, sizeof(plain));
	lan_expect(&lan, 2, plain, sizeof(plain));
	lan_expect(&lan, 3, tagged, sizeof(tagged));
	expect_silence(1, 4);
	lan_finish(&lan);
}

Test(vlan, tagged_frames_of_a_trunk_leave_access_ports_untagged)
{
	build(lan_broadcast, lan_mac(3), 20);
	lan_send(&lan, 3, tagged, sizeof(tagged));
	lan_expect(&lan, 4, plain, sizeof(plain));
	expect_silence(1, 2);
	build(lan_broadcast, lan_mac(3), 10);
	lan_send(&lan, 3, tagged, sizeof(tagged));
	lan_expect(&lan, 1, plain, sizeof(plain));
	lan_expect(&lan, 2, plain, sizeof(plain));
	expect_silence(3, 4);
	lan_finish(&lan);
}

Test(vlan, native_vlan_is_untagged_both_ways)
{
	cr_assert_eq(
	    swd_do(&lan.swd, "port.set", "{'name':'vm4','vlan':30}"), 0);
	build(lan_broadcast, lan_mac(3), 30);
	lan_send(&lan, 3, plain, sizeof(plain));
	lan_expect(&lan, 4, plain, sizeof(plain));
	build(lan_mac(3), lan_mac(4), 30);
	lan_send(&lan, 4, plain, sizeof(plain));
	lan_expect(&lan, 3, plain, sizeof(plain));
	expect_silence(1, 2);
	lan_finish(&lan);
}

Test(vlan, vlan_that_the_trunk_does_not_carry)
{
	build(lan_broadcast, lan_mac(3), 40);
	lan_send(&lan, 3, tagged, sizeof(tagged));
	lan_settle(&lan);
	for (unsigned i = 1; i <= 4; i++)
		lan_expect_silence(&lan, i);
	cr_expect_eq(drops("vm3", "ingress_vlan_filter"), 1);
	lan_finish(&lan);
}

Test(vlan, untagged_on_a_trunk_without_a_native_vlan)
{
	cr_assert_eq(swd_do(&lan.swd, "port.set",
			 "{'name':'vm3','trunk':'10,20','native':0}"),
	    0);
	build(lan_broadcast, lan_mac(3), 10);
	lan_send(&lan, 3, plain, sizeof(plain));
	lan_settle(&lan);
	for (unsigned i = 1; i <= 4; i++)
		lan_expect_silence(&lan, i);
	cr_expect_eq(drops("vm3", "vlan_tag_mismatch"), 1);
	lan_finish(&lan);
}

Test(vlan, tagged_on_an_access_port_does_not_choose_its_vlan)
{
	build(lan_broadcast, lan_mac(1), 20);
	lan_send(&lan, 1, tagged, sizeof(tagged));
	lan_settle(&lan);
	for (unsigned i = 1; i <= 4; i++)
		lan_expect_silence(&lan, i);
	cr_expect_eq(drops("vm1", "ingress_vlan_filter") +
			 drops("vm1", "vlan_tag_mismatch"),
	    1);
	lan_finish(&lan);
}

Test(vlan, an_address_is_learned_in_each_vlan_by_itself)
{
	build(lan_broadcast, lan_mac(9), 10);
	lan_send(&lan, 1, plain, sizeof(plain));
	lan_expect(&lan, 2, plain, sizeof(plain));
	lan_expect(&lan, 3, tagged, sizeof(tagged));
	build(lan_broadcast, lan_mac(9), 20);
	lan_send(&lan, 4, plain, sizeof(plain));
	lan_expect(&lan, 3, tagged, sizeof(tagged));
	lan_settle(&lan);
	cr_expect(lan_knows(&lan, lan_mac_text(9), 10, 1));
	cr_expect(lan_knows(&lan, lan_mac_text(9), 20, 4));
	build(lan_mac(9), lan_mac(3), 20);
	lan_send(&lan, 3, tagged, sizeof(tagged));
	lan_expect(&lan, 4, plain, sizeof(plain));
	build(lan_mac(9), lan_mac(3), 10);
	lan_send(&lan, 3, tagged, sizeof(tagged));
	lan_expect(&lan, 1, plain, sizeof(plain));
	expect_silence(2, 4);
	lan_finish(&lan);
}

Test(vlan, flush_by_vlan)
{
	build(lan_broadcast, lan_mac(9), 10);
	lan_send(&lan, 1, plain, sizeof(plain));
	lan_send(&lan, 4, plain, sizeof(plain));
	lan_settle(&lan);
	cr_assert_eq(
	    swd_do(&lan.swd, "fdb.flush", "{'bridge':'br0','vlan':10}"), 0);
	cr_expect(lan_knows(&lan, lan_mac_text(9), 10, 0));
	cr_expect(lan_knows(&lan, lan_mac_text(9), 20, 4));
	lan_finish(&lan);
}

Test(vlan, static_entry_of_one_vlan)
{
	cr_assert_eq(swd_do(&lan.swd, "fdb.add",
			 "{'mac':'02:00:00:00:00:09','port':'vm2','vlan':10}"),
	    0);
	build(lan_mac(9), lan_mac(1), 10);
	lan_send(&lan, 1, plain, sizeof(plain));
	lan_expect(&lan, 2, plain, sizeof(plain));
	expect_silence(3, 4);
	build(lan_mac(9), lan_mac(4), 20);
	lan_send(&lan, 4, plain, sizeof(plain));
	lan_expect(&lan, 3, tagged, sizeof(tagged));
	expect_silence(1, 2);
	lan_finish(&lan);
}

Test(vlan, without_vlan_awareness_tags_are_payload)
{
	cr_assert_eq(
	    swd_do(&lan.swd, "bridge.set", "{'name':'br0','vlan_aware':false}"),
	    0);
	build(lan_broadcast, lan_mac(1), 77);
	lan_send(&lan, 1, tagged, sizeof(tagged));
	for (unsigned i = 2; i <= 4; i++)
		lan_expect(&lan, i, tagged, sizeof(tagged));
	lan_settle(&lan);
	lan_finish(&lan);
}
