/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_device.c - the life of a guest's card: how it comes, stops and returns.
 *
 * Every test ends with traffic, because a device that has come back but does
 * not carry frames has not come back.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/guest/lan.h"

static struct lan lan;

static void clean_up(void)
{
	lan_abandon(&lan);
}

TestSuite(device, .fini = clean_up, .timeout = 30);

static void both_ways(void)
{
	lan_both_ways(&lan);
}

static void both_ways_and_finish(void)
{
	for (unsigned i = 0; i < 20; i++)
		both_ways();
	lan_settle(&lan);
	lan_finish(&lan);
}

Test(device, without_reply_ack)
{
	lan_start(&lan, 2,
	    &(struct netdev_config){
		.protocol_without = NETDEV_BIT(VU_PROTOCOL_REPLY_ACK)},
	    NULL);
	both_ways_and_finish();
}

Test(device, without_any_protocol_feature)
{
	lan_start(&lan, 2,
	    &(struct netdev_config){.protocol_without = ~UINT64_C(0)}, NULL);
	both_ways_and_finish();
}

Test(device, offers_what_the_tests_rely_on)
{
	const unsigned virtio[] = {VIRTIO_F_VERSION_1, VIRTIO_NET_F_MRG_RXBUF,
	    VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX,
	    VIRTIO_F_RING_PACKED, VIRTIO_F_IN_ORDER, VIRTIO_NET_F_MQ,
	    VU_FEATURE_PROTOCOL};
	const unsigned protocol[] = {VU_PROTOCOL_MQ, VU_PROTOCOL_RARP,
	    VU_PROTOCOL_REPLY_ACK, VU_PROTOCOL_NET_MTU, VU_PROTOCOL_STATUS,
	    VU_PROTOCOL_CONFIGURE_MEM_SLOTS};
	const struct frontend *fe = &lan.vm[1].fe;

	lan_start(&lan, 1, &(struct netdev_config){.pairs = 2}, NULL);
	for (unsigned i = 0; i < sizeof(virtio) / sizeof(*virtio); i++)
		cr_expect(fe->offered >> virtio[i] & 1,
		    "virtio feature %u is not offered", virtio[i]);
	for (unsigned i = 0; i < sizeof(protocol) / sizeof(*protocol); i++)
		cr_expect(fe->protocol_offered >> protocol[i] & 1,
		    "protocol feature %u is not offered", protocol[i]);
	cr_expect_gt(fe->slots_max, VU_TABLE_MAX);
	lan_finish(&lan);
}

Test(device, in_the_client_role)
{
	const struct netdev_config usual = {0};
	char path[108];
	struct netdev_config c = {.listen = true, .socket = path};

	lan_start_empty(&lan, NULL);
	snprintf(path, sizeof(path), "%s/guest.sock", lan.swd.dir);
	cr_assert_eq(netdev_create(&lan.vm[1], &c), 0);
	lan.n = 1;
	cr_assert_eq(swd_do(&lan.swd, "port.add",
			 "{'name':'vm1','type':'vhost-user','role':'client',"
			 "'socket':'%s'}",
			 path),
	    0);
	cr_assert_eq(netdev_connect(&lan.vm[1]), 0);
	cr_assert_eq(netdev_start(&lan.vm[1]), 0);
	lan_add(&lan, 2, &usual, NULL);
	both_ways();
	netdev_disconnect(&lan.vm[1]);
	cr_assert_eq(netdev_reconnect(&lan.vm[1]), 0);
	cr_assert(swd_await_state(&lan.swd, "vm1", "up"));
	both_ways_and_finish();
}

/* Machines of @pairs queue pairs; every pair transmits. */
static void use_pairs(unsigned pairs)
{
	uint8_t frame[200];

	lan_start(&lan, 2, &(struct netdev_config){.pairs = pairs}, NULL);
	lan_announce(&lan, 1);
	lan_announce(&lan, 2);
	for (unsigned i = 0; i < 40 * pairs; i++) {
		lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1), i);
		cr_assert_eq(netdev_send(&lan.vm[1], i % pairs, frame,
				 sizeof(frame), NULL),
		    0);
		lan_expect(&lan, 2, frame, sizeof(frame));
	}
	both_ways_and_finish();
}

Test(device, two_queue_pairs)
{
	use_pairs(2);
}

Test(device, three_queue_pairs)
{
	use_pairs(3);
}

Test(device, four_queue_pairs)
{
	use_pairs(4);
}

Test(device, eight_regions_in_one_table)
{
	lan_start(&lan, 2, &(struct netdev_config){.regions = 8}, NULL);
	both_ways_and_finish();
}

Test(device, forty_regions_by_add_mem_reg)
{
	const struct netdev_config c = {.regions = 40, .slots = true};

	lan_start(&lan, 2, &c, NULL);
	for (unsigned i = 0; i < 300; i++)
		both_ways();
	both_ways_and_finish();
}

Test(device, regions_sealed_by_the_front_end)
{
	lan_start(&lan, 2,
	    &(struct netdev_config){.memory_flags = GUEST_SEALED}, NULL);
	both_ways_and_finish();
}

Test(device, regions_that_cannot_be_sealed)
{
	lan_start(&lan, 2,
	    &(struct netdev_config){.memory_flags = GUEST_UNSEALABLE}, NULL);
	both_ways_and_finish();
}

Test(device, region_added_and_removed_while_it_runs)
{
	struct guest_region *r;
	struct netdev *d = &lan.vm[1];

	lan_start(&lan, 2, &(struct netdev_config){.slots = true, .regions = 2},
	    NULL);
	both_ways();
	r = guest_memory_add(&d->mem, 16 * GUEST_PAGE, 0);
	cr_assert_not_null(r);
	cr_assert_eq(frontend_add_mem_reg(&d->fe, r), 0);
	both_ways();
	cr_assert_eq(frontend_rem_mem_reg(&d->fe, r), 0);
	both_ways_and_finish();
}

/* Buffers that begin in one file and end in the next: adjacent for the guest,
 * nowhere near each other for anybody else. */
Test(device, frame_across_two_regions)
{
	struct netdev *d = &lan.vm[1];
	struct guest_region *r[2];
	uint8_t frame[1500] = {0};
	struct guest_buf b;

	lan_start(&lan, 2, &(struct netdev_config){.slots = true}, NULL);
	r[0] = guest_memory_add(&d->mem, GUEST_PAGE, 0);
	cr_assert_not_null(r[0]);
	r[1] =
	    guest_memory_add_at(&d->mem, r[0]->gpa + GUEST_PAGE, GUEST_PAGE, 0);
	cr_assert_not_null(r[1]);
	cr_assert_eq(frontend_add_mem_reg(&d->fe, r[0]), 0);
	cr_assert_eq(frontend_add_mem_reg(&d->fe, r[1]), 0);
	for (uint32_t before = 1; before < 1512; before += 151) {
		uint64_t cookie = d->q[1].free[--d->q[1].n_free];

		b.gpa = r[1]->gpa - before;
		b.len = d->hdr_len + sizeof(frame);
		b.in = false;
		lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1), before);
		cr_assert(guest_memory_write(
		    &d->mem, b.gpa, (uint8_t[12]){0}, d->hdr_len));
		cr_assert(guest_memory_write(
		    &d->mem, b.gpa + d->hdr_len, frame, sizeof(frame)));
		cr_assert_geq(
		    guest_vring_add(&d->q[1].ring, &b, 1, false, cookie), 0);
		d->n_sent++;
		netdev_flush(d, 0);
		lan_expect(&lan, 2, frame, sizeof(frame));
		cr_assert_eq(netdev_drain_tx(d, 0, LAN_WAIT_MS), 0);
	}
	both_ways_and_finish();
}

/* Whether all workers of the switch sleep. */
static bool all_asleep(void)
{
	struct json_object *w = swd_call(&lan.swd, "worker.show", NULL);
	size_t n = w ? json_object_array_length(w) : 0;
	bool asleep = n > 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *state;

		asleep =
		    asleep &&
		    json_object_object_get_ex(
			json_object_array_get_idx(w, i), "state", &state) &&
		    strcmp(json_object_get_string(state), "sleeping") == 0;
	}
	json_object_put(w);
	return asleep;
}

/* Asking may wake a worker, so that the answer counts only once. */
static void await_sleep(void)
{
	bool asleep = all_asleep();

	for (unsigned i = 0; i < 1000 && !asleep; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		asleep = all_asleep();
	}
	cr_assert(asleep, "the worker does not go to sleep");
}

/* A sleeping worker and a sleeping guest: kick and call have to work. */
static void wake_up(uint64_t without)
{
	struct guest_vring *tx = netdev_tx_ring(&lan.vm[1], 0);
	struct guest_vring *rx = netdev_rx_ring(&lan.vm[2], 0);
	struct pollfd p = {.events = POLLIN};
	uint8_t frame[60];

	lan_start(&lan, 2, &(struct netdev_config){.without = without}, NULL);
	both_ways();
	p.fd = rx->call_fd;
	for (unsigned i = 0; i < 25; i++) {
		uint64_t kicks = tx->n_kicks;

		await_sleep();
		guest_vring_disarm(rx);
		cr_assert(guest_vring_arm(rx));
		lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1), i);
		lan_send(&lan, 1, frame, sizeof(frame));
		cr_expect_eq(tx->n_kicks, kicks + 1, "no kick is asked for");
		cr_assert_eq(poll(&p, 1, LAN_WAIT_MS), 1, "no call comes");
		lan_expect(&lan, 2, frame, sizeof(frame));
	}
	both_ways_and_finish();
}

Test(device, kick_wakes_a_sleeping_worker)
{
	wake_up(0);
}

Test(device, kick_wakes_a_sleeping_worker_without_event_index)
{
	wake_up(NETDEV_BIT(VIRTIO_RING_F_EVENT_IDX));
}

Test(device, idle_costs_next_to_nothing)
{
	uint64_t before;

	lan_start(&lan, 2, NULL, NULL);
	both_ways();
	await_sleep();
	before = swd_cpu_ms(&lan.swd);
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	cr_expect_leq(swd_cpu_ms(&lan.swd) - before, 30);
	both_ways_and_finish();
}

/* Stops all rings of vm1 and starts them again. */
static void stop_and_start(bool traffic_while_stopped)
{
	struct netdev *d = &lan.vm[1];
	uint32_t base[2];
	uint8_t frame[60];

	lan_settle(&lan);
	cr_assert_eq(netdev_drain_tx(d, 0, LAN_WAIT_MS), 0);
	cr_assert_eq(netdev_stop(d, base), 0);
	cr_expect_eq(base[0], guest_vring_base(netdev_rx_ring(d, 0)));
	cr_expect_eq(base[1], guest_vring_base(netdev_tx_ring(d, 0)));
	if (traffic_while_stopped) {
		lan_build(frame, sizeof(frame), lan_mac(1), lan_mac(2), 1);
		lan_send(&lan, 2, frame, sizeof(frame));
		lan_settle(&lan);
		lan_expect_silence(&lan, 1);
	}
	cr_assert_eq(netdev_start(d), 0);
	both_ways();
}

Test(device, rings_stop_and_go_on_where_they_stopped)
{
	lan_start(&lan, 2, NULL, NULL);
	for (unsigned i = 0; i < 10; i++) {
		both_ways();
		stop_and_start(i & 1);
	}
	both_ways_and_finish();
}

Test(device, disconnect_and_reconnect)
{
	lan_start(&lan, 2, NULL, NULL);
	for (unsigned i = 0; i < 10; i++) {
		both_ways();
		lan_settle(&lan);
		cr_assert_eq(netdev_drain_tx(&lan.vm[1], 0, LAN_WAIT_MS), 0);
		netdev_disconnect(&lan.vm[1]);
		cr_assert(swd_await_state(&lan.swd, "vm1", "wait"));
		cr_assert_eq(netdev_reconnect(&lan.vm[1]), 0);
		cr_assert(swd_await_state(&lan.swd, "vm1", "up"));
	}
	both_ways_and_finish();
}

Test(device, reconnecting_leaks_nothing)
{
	unsigned fds, maps;

	lan_start(&lan, 2, &(struct netdev_config){.regions = 3}, NULL);
	both_ways();
	fds = swd_n_fds(&lan.swd);
	maps = swd_n_maps(&lan.swd);
	for (unsigned i = 0; i < 30; i++) {
		netdev_disconnect(&lan.vm[1]);
		cr_assert(swd_await_state(&lan.swd, "vm1", "wait"));
		cr_assert_eq(netdev_reconnect(&lan.vm[1]), 0);
	}
	cr_assert(swd_await_state(&lan.swd, "vm1", "up"));
	both_ways();
	cr_expect_eq(swd_n_fds(&lan.swd), fds);
	cr_expect_leq(swd_n_maps(&lan.swd), maps + 2);
	both_ways_and_finish();
}

Test(device, reset_and_start_anew)
{
	struct netdev *d = &lan.vm[1];

	lan_start(&lan, 2, NULL, NULL);
	both_ways();
	lan_settle(&lan);
	cr_assert_eq(netdev_drain_tx(d, 0, LAN_WAIT_MS), 0);
	if (frontend_has_protocol(&d->fe, VU_PROTOCOL_RESET_DEVICE))
		cr_assert_eq(
		    frontend_tell(&d->fe, VU_RESET_DEVICE, NULL, 0, NULL, 0),
		    0);
	else
		cr_assert_eq(netdev_stop(d, NULL), 0);
	cr_assert_eq(
	    frontend_tell_u64(&d->fe, VU_SET_FEATURES, d->fe.features), 0);
	cr_assert_eq(netdev_start(d), 0);
	both_ways_and_finish();
}

Test(device, port_removed_under_a_live_guest)
{
	lan_start(&lan, 3, NULL, NULL);
	lan_announce(&lan, 3);
	lan_settle(&lan);
	cr_assert_eq(swd_do(&lan.swd, "port.del", "{'name':'vm3'}"), 0);
	cr_expect(frontend_closed(&lan.vm[3].fe, LAN_WAIT_MS));
	netdev_close(&lan.vm[3]);
	lan.n = 2;
	for (unsigned i = 0; i < 20; i++)
		both_ways();
	lan_settle(&lan);
	cr_expect_eq(swd_stop(&lan.swd), 0);
	lan_abandon(&lan);
}

Test(device, mtu_of_the_port_is_the_limit)
{
	struct frontend *fe = &lan.vm[1].fe;

	lan_start(&lan, 2, NULL, NULL);
	if (frontend_has_protocol(fe, VU_PROTOCOL_NET_MTU))
		cr_expect_eq(frontend_tell_u64(fe, VU_NET_SET_MTU, 1500), 0);
	both_ways_and_finish();
}

/* After a migration the back end announces the guest by a reverse ARP
 * (RFC 903) that it makes itself. */
Test(device, send_rarp_announces_the_guest)
{
	uint8_t got[LAN_FRAME_MAX];
	uint64_t mac = 0;
	const struct lan_mac m = lan_mac(1);
	int n;

	lan_start(&lan, 3, NULL, NULL);
	memcpy(&mac, m.byte, sizeof(m.byte));
	cr_assert_eq(frontend_tell_u64(&lan.vm[1].fe, VU_SEND_RARP, mac), 0);
	for (unsigned i = 2; i <= 3; i++) {
		n = netdev_recv(&lan.vm[i], 0, got, sizeof(got), LAN_WAIT_MS);
		cr_assert_geq(n, 42, "vm%u gets no RARP: %d", i, n);
		cr_expect_arr_eq(got, lan_broadcast.byte, 6);
		cr_expect_arr_eq(got + 6, m.byte, 6);
		cr_expect_eq(got[12] << 8 | got[13], 0x8035);
		cr_expect_eq(got[20] << 8 | got[21], 3);
		cr_expect_arr_eq(got + 22, m.byte, 6);
		cr_expect_arr_eq(got + 32, m.byte, 6);
	}
	lan_expect_silence(&lan, 1);
	cr_expect(lan_knows(&lan, lan_mac_text(1), 0, 1));
	lan_finish(&lan);
}
