/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_overload.c - more than its share, by guests and by the administrator.
 *
 * Whatever it is that somebody does too much of, two bystanders on a bridge of
 * their own, served by the same worker, lose nothing and are not late.  How long
 * it goes on is multiplied by $SWD_EFFORT (1).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "tests/guest/hostile.h"
#include "tests/guest/lan.h"

enum {
	KICKED_VMS = 4, /* of 8 pairs each: 64 queues */
	PAIRS = NETDEV_PAIRS_MAX,
	FLOODED_PORTS = 62,
	GUESTS = 100,
	FLOOD = 300000, /* addresses; the table has room for 65,536 */
	FLOOD_STEP = 10000,
	TABLE = 65536,
	ADDRESSES = 100000,
	SHOWN = 2000,
	STORM_MS = 1000,
	LINES_EACH = 8, /* of the log, for a guest that comes and goes */
};

static struct hostile h;
static struct lan lan;
static struct netdev vm[GUESTS];
static unsigned n_vms;

static unsigned effort(void)
{
	const char *text = getenv("SWD_EFFORT");
	unsigned n = text ? (unsigned)strtoul(text, NULL, 10) : 1;

	return n ? n : 1;
}

static void start(void)
{
	hostile_start(&h);
}

static void close_vms(void)
{
	while (n_vms)
		netdev_close(&vm[--n_vms]);
}

static void abandon(void)
{
	close_vms();
	hostile_abandon(&h);
	lan_abandon(&lan);
}

TestSuite(overload, .init = start, .fini = abandon, .timeout = 190);
TestSuite(flood, .fini = abandon, .timeout = 190);

/* Port o<i> on bridge @bridge and a machine of @pairs pairs on it. */
static void add_vm(const char *bridge, unsigned pairs)
{
	const struct netdev_config c = {.pairs = pairs, .ring_size = 64};
	struct netdev_config with_socket = c;
	char name[8], path[108];

	snprintf(name, sizeof(name), "o%u", n_vms);
	swd_socket(&h.swd, name, path, sizeof(path));
	with_socket.socket = path;
	cr_assert_eq(swd_do(&h.swd, "port.add",
			 "{'name':'%s','type':'vhost-user','queues':%u,"
			 "'bridge':'%s'}",
			 name, pairs, bridge),
	    0);
	cr_assert_eq(netdev_open(&vm[n_vms], &with_socket), 0);
	n_vms++;
	cr_assert(swd_await_state(&h.swd, name, "up"));
}

static void remove_vms(void)
{
	for (unsigned i = 0; i < n_vms; i++)
		cr_assert_eq(
		    swd_do(&h.swd, "port.del", "{'name':'o%u'}", i), 0);
	close_vms();
}

static bool storm_lasts(uint64_t since_ms)
{
	return clock_ms() - since_ms < STORM_MS * effort();
}

Test(overload, case_37_kick_storm_on_64_queues)
{
	uint64_t since, n = 0;

	while (n_vms < KICKED_VMS)
		add_vm("other", PAIRS);
	for (since = clock_ms(); storm_lasts(since);)
		for (unsigned i = 0; i < KICKED_VMS; i++)
			for (unsigned p = 0; p < PAIRS; p++, n += 2) {
				guest_vring_kick_always(
				    netdev_tx_ring(&vm[i], p));
				guest_vring_kick_always(
				    netdev_rx_ring(&vm[i], p));
			}
	cr_log_info("%.2f million kicks a second\n",
	    (double)n / (double)(clock_ms() - since) / 1e3);
	cr_expect_gt(n, 10000 * effort());
	remove_vms();
	hostile_finish(&h);
}

/* Broadcasts, each of which goes to all but two of the bridge's ports. */
Test(overload, case_106_flood_to_64_ports)
{
	uint8_t frame[60];
	uint64_t since, n = 0;

	for (unsigned i = 0; i < FLOODED_PORTS; i++)
		cr_assert_eq(swd_do(&h.swd, "port.add",
				 "{'name':'n%u','type':'null',"
				 "'bridge':'other'}",
				 i),
		    0);
	hostile_open(&h, NULL);
	lan_build(frame, sizeof(frame), lan_broadcast, lan_mac(1), 1);
	for (since = clock_ms(); storm_lasts(since); n++)
		while (netdev_queue_frame(
		    &h.vm, 0, frame, sizeof(frame), NULL, NULL)) {
			netdev_flush(&h.vm, 0);
			netdev_reap_tx(&h.vm, 0);
		}
	netdev_flush(&h.vm, 0);
	cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
	hostile_await_sink(&h, n);
	cr_expect_eq(hostile_sink(&h), n);
	for (unsigned i = 0; i < FLOODED_PORTS; i++)
		cr_assert_eq(
		    swd_do(&h.swd, "port.del", "{'name':'n%u'}", i), 0);
	hostile_finish(&h);
}

static uint64_t n_entries(void)
{
	struct json_object *all = swd_call(&lan.swd, "bridge.show", NULL);
	struct json_object *v = NULL;
	uint64_t n;

	cr_assert_eq(json_pointer_get(all, "/0/fdb_entries", &v), 0);
	n = json_object_get_uint64(v);
	json_object_put(all);
	return n;
}

/* What vm2 and vm3 say to each other stays between them. */
Test(flood, case_99_mac_flood)
{
	lan_start(&lan, 3, NULL, NULL);
	for (unsigned i = 1; i <= 3; i++)
		lan_announce(&lan, i);
	for (unsigned at = 0; at < FLOOD * effort(); at += FLOOD_STEP) {
		lan_teach(&lan.vm[1], 1000 + at, FLOOD_STEP);
		lan_settle(&lan);
		lan_discard(&lan, 2);
		lan_discard(&lan, 3);
		cr_assert_eq(
		    lan_probe(&lan, 2, lan_mac(3), lan_mac(2)), 1 << 3);
		cr_assert_eq(
		    lan_probe(&lan, 3, lan_mac(2), lan_mac(3)), 1 << 2);
	}
	cr_expect(lan_knows(&lan, lan_mac_text(2), 0, 2));
	cr_expect(lan_knows(&lan, lan_mac_text(3), 0, 3));
	cr_expect_leq(n_entries(), TABLE);
	cr_expect_gt(n_entries(), TABLE - TABLE / 100, "no flood");
	lan_finish(&lan);
}

/* A client that asks a lot and reads nothing. */
static int ask_and_not_read(void)
{
	static const char show[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"port.show\"}\n"
	    "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"fdb.show\"}\n";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%.60s/swd.sock", h.swd.dir);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	for (unsigned i = 0; i < SHOWN; i++)
		if (send(fd, show, sizeof(show) - 1,
			MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	return fd;
}

static void show_all(void)
{
	json_object_put(swd_call(&h.swd, "port.show", "{\"stats\":true}"));
	json_object_put(swd_call(&h.swd, "config.show", NULL));
	json_object_put(swd_call(&h.swd, "worker.show", NULL));
}

Test(overload, a_hundred_guests_attach_and_leave)
{
	for (unsigned round = 0; round < effort(); round++) {
		int slow = ask_and_not_read();

		while (n_vms < GUESTS) {
			add_vm("other", 1);
			if (n_vms % 10 == 0)
				show_all();
		}
		remove_vms();
		close(slow);
		h.log_lines += GUESTS * LINES_EACH;
	}
	hostile_finish(&h);
}

Test(overload, a_full_table_is_shown_and_forgotten)
{
	for (unsigned round = 0; round < effort(); round++) {
		int slow;

		cr_assert_eq(swd_do(&h.swd, "bridge.add",
				 "{'name':'big','fdb_size':1048576}"),
		    0);
		add_vm("big", 1);
		lan_teach(&vm[0], 0, ADDRESSES);
		cr_assert(
		    swd_await_counter(&h.swd, "o0", "rx_packets", ADDRESSES));
		slow = ask_and_not_read();
		show_all();
		cr_assert_eq(
		    swd_do(&h.swd, "port.set", "{'name':'o0','state':'down'}"),
		    0);
		cr_assert_eq(swd_do(&h.swd, "fdb.flush", "{}"), 0);
		remove_vms();
		cr_assert_eq(swd_do(&h.swd, "bridge.del", "{'name':'big'}"), 0);
		close(slow);
	}
	hostile_finish(&h);
}
