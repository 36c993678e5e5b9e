/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_learning.c - what the switch learns, and who gets what it does not know.
 *
 * The semantics are the Linux bridge's.  One sentence of them, one test, each
 * through real ports: three machines on br0 and the question who received a
 * probe.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "tests/guest/lan.h"

enum { VM1 = 1 << 1, VM2 = 1 << 2, VM3 = 1 << 3 };

static struct lan lan;
static const struct lan_mac group = {{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}};

static void start(void)
{
	lan_start(&lan, 3, NULL, NULL);
}

static void clean_up(void)
{
	lan_abandon(&lan);
}

TestSuite(learning, .init = start, .fini = clean_up, .timeout = 30);

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000,
		      .tv_nsec = ms % 1000 * 1000000L},
	    NULL);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool unknown(const char *mac)
{
	return lan_knows(&lan, mac, 0, 0);
}

/* What is sent for @dst by vm1 reaches these machines. */
static unsigned reached(struct lan_mac dst)
{
	return lan_probe(&lan, 1, dst, lan_mac(1));
}

static void must(const char *method, const char *params)
{
	cr_assert_eq(swd_do(&lan.swd, method, "%s", params), 0);
}

static uint64_t drops(const char *port, const char *reason)
{
	return swd_drops(&lan.swd, port, reason);
}

Test(learning, source_is_learned)
{
	cr_expect(unknown(lan_mac_text(1)));
	lan_announce(&lan, 1);
	cr_expect(lan_knows(&lan, lan_mac_text(1), 0, 1));
	cr_expect(unknown(lan_mac_text(2)));
	lan_finish(&lan);
}

Test(learning, flood_off_spares_a_port_unknown_unicast_alone)
{
	lan_set(&lan, 2, "'flood':false");
	cr_expect_eq(reached(lan_stranger(1)), VM3);
	cr_expect_eq(reached(group), VM2 | VM3);
	cr_expect_eq(reached(lan_broadcast), VM2 | VM3);
	lan_finish(&lan);
}

Test(learning, mcast_flood_off_spares_a_port_multicast_alone)
{
	lan_set(&lan, 2, "'mcast_flood':false");
	cr_expect_eq(reached(lan_stranger(1)), VM2 | VM3);
	cr_expect_eq(reached(group), VM3);
	cr_expect_eq(reached(lan_broadcast), VM2 | VM3);
	lan_finish(&lan);
}

Test(learning, bcast_flood_off_spares_a_port_broadcast_alone)
{
	lan_set(&lan, 2, "'bcast_flood':false");
	cr_expect_eq(reached(lan_stranger(1)), VM2 | VM3);
	cr_expect_eq(reached(group), VM2 | VM3);
	cr_expect_eq(reached(lan_broadcast), VM3);
	lan_finish(&lan);
}

Test(learning, flood_switches_are_of_the_egress_port)
{
	lan_set(
	    &lan, 1, "'flood':false,'mcast_flood':false,'bcast_flood':false");
	cr_expect_eq(reached(lan_stranger(1)), VM2 | VM3);
	cr_expect_eq(reached(lan_broadcast), VM2 | VM3);
	lan_finish(&lan);
}

Test(learning, flood_off_does_not_stop_known_unicast)
{
	lan_announce(&lan, 2);
	lan_set(&lan, 2, "'flood':false");
	cr_expect_eq(reached(lan_mac(2)), VM2);
	lan_finish(&lan);
}

Test(learning, nobody_to_flood_to_is_a_counted_drop)
{
	lan_set(&lan, 2, "'flood':false");
	lan_set(&lan, 3, "'flood':false");
	cr_expect_eq(reached(lan_stranger(1)), 0);
	cr_expect_eq(drops("vm1", "port_list_is_empty"), 1);
	lan_finish(&lan);
}

Test(learning, learning_off_means_no_entry)
{
	lan_set(&lan, 2, "'learning':false");
	lan_announce(&lan, 2);
	cr_expect(unknown(lan_mac_text(2)));
	cr_expect_eq(reached(lan_mac(2)), VM2 | VM3);
	lan_finish(&lan);
}

Test(learning, learning_off_does_not_refresh_or_move)
{
	lan_announce(&lan, 2);
	lan_set(&lan, 3, "'learning':false");
	cr_expect_eq(lan_probe(&lan, 3, lan_broadcast, lan_mac(2)), VM1 | VM2);
	cr_expect(lan_knows(&lan, lan_mac_text(2), 0, 2));
	lan_finish(&lan);
}

Test(learning, address_moves_to_where_it_was_seen_last)
{
	lan_announce(&lan, 2);
	cr_expect_eq(reached(lan_mac(2)), VM2);
	cr_expect_eq(lan_probe(&lan, 3, lan_broadcast, lan_mac(2)), VM1 | VM2);
	cr_expect(lan_knows(&lan, lan_mac_text(2), 0, 3));
	cr_expect_eq(reached(lan_mac(2)), VM3);
	lan_finish(&lan);
}

Test(learning, entry_is_gone_one_sweep_after_its_age)
{
	double learned, gone;

	must("bridge.set", "{'name':'br0','ageing':1}");
	lan_announce(&lan, 2);
	learned = seconds();
	cr_expect(lan_knows(&lan, lan_mac_text(2), 0, 2));
	do {
		sleep_ms(20);
		gone = seconds() - learned;
	} while (!unknown(lan_mac_text(2)) && gone < 5);
	/* The age, a second for whole seconds, and the sweep's second. */
	cr_expect_geq(gone, 0.95, "gone after %.2f s", gone);
	cr_expect_leq(gone, 3.3, "gone after %.2f s", gone);
	cr_expect_eq(reached(lan_mac(2)), VM2 | VM3);
	lan_finish(&lan);
}

Test(learning, entry_in_use_does_not_age)
{
	must("bridge.set", "{'name':'br0','ageing':1}");
	lan_announce(&lan, 2);
	for (unsigned i = 0; i < 14; i++) {
		sleep_ms(120);
		cr_expect_eq(
		    lan_probe(&lan, 2, lan_stranger(1), lan_mac(2)), VM1 | VM3);
	}
	cr_expect(lan_knows(&lan, lan_mac_text(2), 0, 2));
	lan_finish(&lan);
}

Test(learning, static_entry_directs_frames)
{
	must("fdb.add", "{'mac':'02:ee:00:00:00:07','port':'vm3'}");
	cr_expect(lan_knows(&lan, "02:ee:00:00:00:07", 0, 3));
	cr_expect_eq(reached(lan_stranger(7)), VM3);
	lan_finish(&lan);
}

Test(learning, static_entry_does_not_move)
{
	must("fdb.add", "{'mac':'02:ee:00:00:00:07','port':'vm3'}");
	cr_expect_eq(
	    lan_probe(&lan, 2, lan_broadcast, lan_stranger(7)), VM1 | VM3);
	cr_expect(lan_knows(&lan, "02:ee:00:00:00:07", 0, 3));
	lan_finish(&lan);
}

Test(learning, static_entry_does_not_age)
{
	must("bridge.set", "{'name':'br0','ageing':1}");
	must("fdb.add", "{'mac':'02:ee:00:00:00:07','port':'vm3'}");
	lan_announce(&lan, 2);
	for (unsigned i = 0; i < 200 && !unknown(lan_mac_text(2)); i++)
		sleep_ms(20);
	cr_expect(unknown(lan_mac_text(2)));
	cr_expect(lan_knows(&lan, "02:ee:00:00:00:07", 0, 3));
	cr_expect_eq(reached(lan_stranger(7)), VM3);
	lan_finish(&lan);
}

Test(learning, flush_leaves_static_entries)
{
	must("fdb.add", "{'mac':'02:ee:00:00:00:07','port':'vm3'}");
	lan_announce(&lan, 3);
	must("fdb.flush", "{'port':'vm3'}");
	cr_expect(lan_knows(&lan, "02:ee:00:00:00:07", 0, 3));
	cr_expect(unknown(lan_mac_text(3)));
	lan_finish(&lan);
}

Test(learning, entry_deleted_by_hand)
{
	lan_announce(&lan, 3);
	must("fdb.del", "{'mac':'02:00:00:00:00:03'}");
	cr_expect(unknown(lan_mac_text(3)));
	cr_expect_eq(reached(lan_mac(3)), VM2 | VM3);
	lan_finish(&lan);
}

Test(learning, flush_by_port)
{
	lan_announce(&lan, 2);
	lan_announce(&lan, 3);
	must("fdb.flush", "{'port':'vm2'}");
	cr_expect(unknown(lan_mac_text(2)));
	cr_expect(lan_knows(&lan, lan_mac_text(3), 0, 3));
	lan_finish(&lan);
}

Test(learning, flush_by_bridge)
{
	must("bridge.add", "{'name':'br1'}");
	lan_announce(&lan, 2);
	lan_announce(&lan, 3);
	must("fdb.flush", "{'bridge':'br1'}");
	cr_expect(lan_knows(&lan, lan_mac_text(2), 0, 2));
	must("fdb.flush", "{'bridge':'br0'}");
	cr_expect(unknown(lan_mac_text(2)));
	cr_expect(unknown(lan_mac_text(3)));
	lan_finish(&lan);
}

Test(learning, port_deleted_takes_its_entries_along)
{
	lan_announce(&lan, 3);
	cr_expect(lan_knows(&lan, lan_mac_text(3), 0, 3));
	must("port.del", "{'name':'vm3'}");
	cr_expect(unknown(lan_mac_text(3)));
	netdev_close(&lan.vm[3]);
	lan.n = 2;
	cr_expect_eq(reached(lan_mac(3)), VM2);
	cr_expect_eq(swd_stop(&lan.swd), 0);
	lan_abandon(&lan);
}

Test(learning, guest_that_is_away_gets_nothing)
{
	lan_announce(&lan, 2);
	netdev_disconnect(&lan.vm[2]);
	cr_assert(swd_await_state(&lan.swd, "vm2", "wait"));
	cr_expect_eq(reached(lan_mac(2)) & VM2, 0);
	cr_expect_eq(reached(lan_broadcast), VM3);
	cr_expect_eq(swd_counter(&lan.swd, "vm2", "tx_packets"), 0);
	cr_assert_eq(netdev_reconnect(&lan.vm[2]), 0);
	cr_assert(swd_await_state(&lan.swd, "vm2", "up"));
	lan_announce(&lan, 2);
	cr_expect_eq(reached(lan_mac(2)), VM2);
	lan_finish(&lan);
}

Test(learning, mac_limit_drops_further_sources)
{
	lan_set(&lan, 1, "'mac_limit':3");
	for (unsigned i = 1; i <= 3; i++)
		cr_expect_eq(lan_probe(&lan, 1, lan_broadcast, lan_stranger(i)),
		    VM2 | VM3);
	for (unsigned i = 4; i <= 6; i++)
		cr_expect_eq(
		    lan_probe(&lan, 1, lan_broadcast, lan_stranger(i)), 0);
	cr_expect_eq(drops("vm1", "mac_limit"), 3);
	cr_expect(lan_knows(&lan, "02:ee:00:00:00:03", 0, 1));
	cr_expect(unknown("02:ee:00:00:00:04"));
	cr_expect_eq(
	    lan_probe(&lan, 1, lan_broadcast, lan_stranger(2)), VM2 | VM3);
	lan_announce(&lan, 2);
	must("fdb.flush", "{'port':'vm1'}");
	cr_expect_eq(
	    lan_probe(&lan, 1, lan_broadcast, lan_stranger(4)), VM2 | VM3);
	lan_finish(&lan);
}

/* IEEE 802.1Q table 8-1: no bridge relays these. */
Test(learning, reserved_addresses_are_not_forwarded)
{
	struct lan_mac reserved = {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};

	for (unsigned i = 0; i <= 0x0f; i++) {
		reserved.byte[5] = (uint8_t)i;
		cr_expect_eq(reached(reserved), 0,
		    "01:80:c2:00:00:%02x is forwarded", i);
	}
	cr_expect_eq(drops("vm1", "reserved_address"), 16);
	reserved.byte[5] = 0x10;
	cr_expect_eq(reached(reserved), VM2 | VM3);
	lan_finish(&lan);
}

Test(learning, multicast_source_is_dropped_and_counted)
{
	cr_expect_eq(lan_probe(&lan, 1, lan_broadcast, group), 0);
	cr_expect_eq(lan_probe(&lan, 1, lan_mac(2), lan_broadcast), 0);
	cr_expect_eq(drops("vm1", "source_mac_is_multicast"), 2);
	cr_expect(unknown("01:00:5e:01:02:03"));
	lan_finish(&lan);
}

Test(learning, isolated_ports_reach_only_the_others)
{
	lan_set(&lan, 1, "'isolated':true");
	lan_set(&lan, 2, "'isolated':true");
	cr_expect_eq(reached(lan_broadcast), VM3);
	cr_expect_eq(lan_probe(&lan, 2, lan_broadcast, lan_mac(2)), VM3);
	cr_expect_eq(lan_probe(&lan, 3, lan_broadcast, lan_mac(3)), VM1 | VM2);
	cr_expect_eq(reached(lan_mac(2)), 0);
	cr_expect_eq(drops("vm1", "isolated") + drops("vm2", "isolated"), 1);
	cr_expect_eq(reached(lan_mac(3)), VM3);
	lan_finish(&lan);
}

Test(learning, locked_port_passes_entries_alone)
{
	lan_set(&lan, 1, "'locked':true");
	cr_expect_eq(reached(lan_broadcast), 0);
	cr_expect_eq(drops("vm1", "locked"), 1);
	cr_expect(unknown(lan_mac_text(1)));
	must("fdb.add", "{'mac':'02:00:00:00:00:01','port':'vm1'}");
	cr_expect_eq(reached(lan_broadcast), VM2 | VM3);
	lan_announce(&lan, 2);
	cr_expect_eq(lan_probe(&lan, 1, lan_mac(3), lan_mac(2)), 0);
	cr_expect_eq(drops("vm1", "locked"), 2);
	lan_finish(&lan);
}

Test(learning, longer_than_the_egress_mtu)
{
	uint8_t frame[1514];

	lan_set(&lan, 2, "'mtu':1000");
	lan_announce(&lan, 2);
	lan_build(frame, 1014, lan_mac(2), lan_mac(1), 1);
	lan_send(&lan, 1, frame, 1014);
	lan_expect(&lan, 2, frame, 1014);
	lan_build(frame, 1015, lan_mac(2), lan_mac(1), 2);
	lan_send(&lan, 1, frame, 1015);
	lan_settle(&lan);
	lan_expect_silence(&lan, 2);
	cr_expect_eq(drops("vm2", "mtu_exceeded"), 1);
	lan_build(frame, 1514, lan_broadcast, lan_mac(1), 3);
	lan_send(&lan, 1, frame, 1514);
	lan_expect(&lan, 3, frame, 1514);
	lan_settle(&lan);
	lan_expect_silence(&lan, 2);
	cr_expect_eq(drops("vm2", "mtu_exceeded"), 2);
	lan_finish(&lan);
}

Test(learning, port_down_neither_gets_nor_gives)
{
	uint8_t frame[60];

	must("fdb.add", "{'mac':'02:ee:00:00:00:07','port':'vm2'}");
	lan_announce(&lan, 2);
	lan_set(&lan, 2, "'state':'down'");
	cr_assert(swd_await_state(&lan.swd, "vm2", "down"));
	cr_expect(unknown(lan_mac_text(2)));
	cr_expect_eq(reached(lan_mac(2)), VM3);
	cr_expect_eq(reached(lan_stranger(7)), 0);
	cr_expect_eq(drops("vm2", "port_down"), 1);
	cr_expect_eq(reached(lan_broadcast), VM3);
	lan_build(frame, sizeof(frame), lan_broadcast, lan_mac(2), 77);
	lan_send(&lan, 2, frame, sizeof(frame));
	lan_build(frame, sizeof(frame), lan_mac(3), lan_mac(1), 78);
	lan_send(&lan, 1, frame, sizeof(frame));
	lan_expect(&lan, 3, frame, sizeof(frame));
	lan_expect_silence(&lan, 3);
	cr_expect_eq(swd_counter(&lan.swd, "vm2", "tx_packets"), 0);
	lan_set(&lan, 2, "'state':'up'");
	cr_assert(swd_await_state(&lan.swd, "vm2", "up"));
	/* What waited in its ring may pass or not, but not stay. */
	lan_settle(&lan);
	lan_discard(&lan, 1);
	lan_discard(&lan, 3);
	cr_expect_eq(reached(lan_stranger(7)), VM2);
	lan_finish(&lan);
}

Test(learning, bridges_are_separate)
{
	const struct netdev_config usual = {0};

	must("bridge.add", "{'name':'br1'}");
	lan_add(&lan, 4, &usual, ",'bridge':'br1'");
	cr_expect_eq(reached(lan_broadcast), VM2 | VM3);
	cr_expect_eq(lan_probe(&lan, 4, lan_mac(1), lan_mac(4)), 0);
	cr_expect_eq(drops("vm4", "port_list_is_empty"), 1);
	lan_finish(&lan);
}
