/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_packed.c - a driver that breaks the rules of the packed ring.
 *
 * Descriptors are written by hand from the beginning of the first lap on.  The
 * first is made available last, so that what follows it may be written in any
 * order.  There is less to break than in a split ring (nothing names a place
 * in it), and more that can change under way: every descriptor says by itself
 * whether it is available.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "tests/guest/hostile.h"

static struct hostile h;
static struct guest_vring *tx, *rx;

enum {
	HDR = HOSTILE_HDR,
	FRAME = HOSTILE_FRAME,
	SIZE = 256,
	AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	USED = 1 << VRING_PACKED_DESC_F_USED,
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	INDIRECT = VRING_DESC_F_INDIRECT,
	RACE_MS = 300,
};

static void setup(const struct netdev_config *config)
{
	struct netdev_config c = *config;

	c.rings = NETDEV_RINGS_PACKED;
	if (!c.ring_size)
		c.ring_size = SIZE;
	hostile_begin(&h, &c);
	tx = netdev_tx_ring(&h.vm, 0);
	rx = netdev_rx_ring(&h.vm, 0);
}

static void start(void)
{
	setup(&(struct netdev_config){0});
}

static void start_empty(void)
{
	setup(&(struct netdev_config){.rx_empty = true});
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_packed, .init = start, .fini = abandon, .timeout = 40);
TestSuite(
    hostile_rx_packed, .init = start_empty, .fini = abandon, .timeout = 40);
TestSuite(hostile_packed_other, .fini = abandon, .timeout = 40);

/* Descriptor @i of the first lap; all but descriptor 0 are available. */
static void put(struct guest_vring *r, unsigned i, uint64_t addr, uint32_t len,
    unsigned flags)
{
	r->packed[i] = (struct vring_packed_desc){
	    addr, len, (uint16_t)i, (uint16_t)(flags | (i ? AVAIL : 0))};
}

static void show(struct guest_vring *r)
{
	__atomic_or_fetch(&r->packed[0].flags, AVAIL, __ATOMIC_RELEASE);
	guest_vring_kick_always(r);
}

static void post(uint64_t addr, uint32_t len, unsigned flags)
{
	put(tx, 0, addr, len, flags);
	show(tx);
}

static void provoke_until_broken(const char *reason)
{
	hostile_provoke(&h, 1000);
	hostile_expect_state(&h, "broken", reason);
	hostile_stop_provoking(&h);
}

/* Descriptor 0 of the transmit ring comes back as it was given. */
static bool is_back(uint16_t id)
{
	const struct vring_packed_desc *d = &tx->packed[0];

	for (int i = 0; i < 1000; i++) {
		uint16_t flags = __atomic_load_n(&d->flags, __ATOMIC_ACQUIRE);

		if ((flags & (AVAIL | USED)) == (AVAIL | USED))
			return d->id == id;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return false;
}

Test(hostile_packed, buffer_id_is_the_drivers_own)
{
	put(tx, 0, h.buf, HDR + FRAME, 0);
	tx->packed[0].id = 0xffff;
	show(tx);
	hostile_await_sink(&h, 1);
	cr_expect(is_back(0xffff));
	hostile_finish(&h);
}

/* A chain that goes on where the driver has made nothing available. */
Test(hostile_packed, case_52_chain_past_what_is_available)
{
	post(h.buf, HDR, NEXT);
	hostile_finish_broken(&h, "avail_jump");
}

Test(hostile_packed, case_52_long_chain_past_what_is_available)
{
	for (unsigned i = 1; i < 100; i++)
		put(tx, i, h.buf, 1, NEXT);
	post(h.buf, HDR, NEXT);
	hostile_finish_broken(&h, "avail_jump");
}

Test(hostile_rx_packed, case_52_receive_chain_past_what_is_available)
{
	put(rx, 0, h.buf, HDR, WRITE | NEXT);
	show(rx);
	provoke_until_broken("avail_jump");
	hostile_finish(&h);
}

Test(hostile_packed, case_57_chain_without_end)
{
	for (unsigned i = 0; i < SIZE; i++)
		put(tx, i, h.buf, 1, NEXT);
	show(tx);
	hostile_finish_broken(&h, "desc_loop");
}

Test(hostile_packed, case_57_chain_without_end_of_empty_buffers)
{
	for (unsigned i = 0; i < SIZE; i++)
		put(tx, i, h.buf, 0, NEXT);
	show(tx);
	hostile_finish_broken(&h, "desc_loop");
}

Test(hostile_rx_packed, case_57_chain_without_end_on_the_receive_ring)
{
	for (unsigned i = 0; i < SIZE; i++)
		put(rx, i, h.buf, 0, WRITE | NEXT);
	show(rx);
	provoke_until_broken("desc_loop");
	hostile_finish(&h);
}

/* The longest chain that there can be is lawful, though nobody's frame. */
Test(hostile_packed, case_57_chain_as_long_as_the_ring)
{
	const uint64_t blank = h.buf + HDR + FRAME;

	for (unsigned i = 0; i < SIZE; i++)
		put(tx, i, blank + i, 1, i + 1 < SIZE ? NEXT : 0);
	show(tx);
	hostile_await_drops(&h, "rx_malformed", 1);
	cr_expect(is_back(SIZE - 1));
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

Test(hostile_packed_other, case_57_ring_of_one_descriptor_that_has_a_next)
{
	setup(&(struct netdev_config){.ring_size = 1});
	post(h.buf, HDR, NEXT);
	hostile_finish_broken(&h, "desc_loop");
}

Test(hostile_packed_other, ring_of_one_descriptor)
{
	uint8_t frame[FRAME] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};
	const struct netdev_layout joined = {.joined = true};

	setup(&(struct netdev_config){.ring_size = 1});
	for (unsigned i = 0; i < 100; i++) {
		cr_assert_eq(
		    netdev_send(&h.vm, 0, frame, sizeof(frame), &joined), 0);
		cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
	}
	hostile_await_sink(&h, 100);
	cr_expect(netdev_faultless(&h.vm));
	hostile_finish(&h);
}

static void indirect(uint32_t len, unsigned flags, unsigned inner_flags)
{
	uint64_t table = guest_memory_alloc(&h.vm.mem, 65536, 16);
	struct vring_packed_desc *d = guest_memory_at(&h.vm.mem, table, 65536);

	for (unsigned i = 0; i < 4096; i++)
		d[i] = (struct vring_packed_desc){h.buf, 1, 0, 0};
	d[0].flags = (uint16_t)inner_flags;
	post(table, len, INDIRECT | flags);
}

Test(hostile_packed, case_60_indirect_table_of_no_bytes)
{
	indirect(0, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_packed, case_60_indirect_table_of_15_bytes)
{
	indirect(15, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_packed, case_60_indirect_table_of_17_bytes)
{
	indirect(17, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_packed, case_60_indirect_table_of_2_gigabytes)
{
	indirect(0x80000000, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_packed, case_60_indirect_inside_indirect)
{
	indirect(32, 0, INDIRECT);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_packed, case_60_indirect_and_next)
{
	indirect(32, NEXT, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_packed, case_60_indirect_inside_a_chain)
{
	put(tx, 1, h.buf, 32, INDIRECT);
	post(h.buf, HDR, NEXT);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_packed_other, case_60_indirect_was_not_negotiated)
{
	setup(&(struct netdev_config){
	    .without = NETDEV_BIT(VIRTIO_RING_F_INDIRECT_DESC)});
	indirect(32, 0, 0);
	hostile_finish_broken(&h, "indirect");
}

Test(hostile_packed, case_60_indirect_table_outside_memory)
{
	post(1ull << 50, 32, INDIRECT);
	hostile_finish_broken(&h, "addr");
}

Test(hostile_packed, case_60_indirect_table_unaligned_is_fine)
{
	uint64_t table = guest_memory_alloc(&h.vm.mem, 64, 16) + 3;
	struct vring_packed_desc d = {h.buf, HDR + FRAME, 0, 0};

	guest_memory_write(&h.vm.mem, table, &d, sizeof(d));
	post(table, sizeof(d), INDIRECT);
	hostile_await_sink(&h, 1);
	hostile_finish(&h);
}

/* In a table all flags but WRITE are reserved, and a device ignores them
 * (2.8.7): neither is there a chain to follow nor is anything used. */
Test(hostile_packed, indirect_table_with_reserved_flags)
{
	uint64_t table = guest_memory_alloc(&h.vm.mem, 64, 16);
	const struct vring_packed_desc d[2] = {{h.buf, HDR, 7, NEXT | USED},
	    {h.buf + HDR, FRAME, 0xffff, NEXT | AVAIL | USED}};

	guest_memory_write(&h.vm.mem, table, d, sizeof(d));
	post(table, sizeof(d), INDIRECT);
	hostile_await_sink(&h, 1);
	hostile_finish(&h);
}

/* Flags that do not belong to any lap: neither available nor used. */
Test(hostile_packed, flags_that_mean_nothing)
{
	for (unsigned i = 1; i < SIZE; i++)
		tx->packed[i].flags = (uint16_t)(i << 3 | NEXT | WRITE);
	put(tx, 0, h.buf, HDR + FRAME, USED | 0x7f78);
	guest_vring_kick_always(tx);
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	cr_expect_eq(hostile_sink(&h), 0);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

/* Descriptor @i as put() made it, for the second lap. */
static void put_again(struct guest_vring *r, unsigned i)
{
	r->packed[i].len = HDR + FRAME;
	__atomic_store_n(&r->packed[i].flags, USED, __ATOMIC_RELEASE);
}

/* All of the ring at once, and at once again with every descriptor marked for
 * the lap that comes next, also where the device has not been yet. */
Test(hostile_packed, all_descriptors_at_once_twice)
{
	for (unsigned i = 0; i < SIZE; i++)
		put(tx, i, h.buf, HDR + FRAME, 0);
	show(tx);
	for (unsigned i = 0; i < SIZE; i++)
		put_again(tx, i);
	guest_vring_kick_always(tx);
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	cr_expect_leq(hostile_sink(&h), 2 * SIZE);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

/* Two laps of a full ring that are lawful: each frame once. */
Test(hostile_packed, all_descriptors_at_once_in_each_of_two_laps)
{
	for (unsigned i = 0; i < SIZE; i++)
		put(tx, i, h.buf, HDR + FRAME, 0);
	show(tx);
	hostile_await_sink(&h, SIZE);
	cr_assert(is_back(0));
	for (unsigned i = SIZE; i-- > 0;)
		put_again(tx, i);
	guest_vring_kick_always(tx);
	hostile_await_sink(&h, 2 * SIZE);
	nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	cr_expect_eq(hostile_sink(&h), 2 * SIZE);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

static bool racing; /* atomic */

/* Flips bits of both rings, mostly of flags, lengths and ids. */
static void *race(void *arg)
{
	uint32_t x = 1;

	(void)arg;
	while (__atomic_load_n(&racing, __ATOMIC_RELAXED)) {
		struct guest_vring *r = x >> 31 ? tx : rx;
		uint8_t *d = (uint8_t *)&r->packed[x >> 8 & 7];

		__atomic_xor_fetch(
		    &d[x >> 28 & 7 ? 8 + (x >> 24 & 7) : (x >> 24 & 7)],
		    (uint8_t)(1 << (x >> 20 & 7)), __ATOMIC_RELAXED);
		x = x * 1664525 + 1013904223;
	}
	return NULL;
}

/* Whatever comes of it, it comes of it for this port alone; where the port
 * breaks, the machine begins anew. */
Test(hostile_packed, case_61_descriptors_change_while_they_are_read)
{
	struct timespec t0, t;
	pthread_t thread;

	hostile_provoke(&h, 20000);
	racing = true;
	cr_assert_eq(pthread_create(&thread, NULL, race, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	do {
		for (unsigned i = 0; i < 8; i++) {
			put(tx, i, h.buf, HDR + FRAME, i % 3 ? 0 : NEXT);
			put(rx, i, h.buf + 4096 * i, 4096, WRITE);
		}
		guest_vring_kick_always(tx);
		guest_vring_kick_always(rx);
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while (
	    (t.tv_sec - t0.tv_sec) * 1000 + (t.tv_nsec - t0.tv_nsec) / 1000000 <
	    RACE_MS);
	__atomic_store_n(&racing, false, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	hostile_stop_provoking(&h);
	hostile_finish(&h);
}

/* Both the driver's own wishes and, which are not the driver's to write, the
 * device's. */
static void random_wishes(uint64_t without)
{
	uint8_t frame[FRAME] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};
	uint32_t x = 12345;

	setup(&(struct netdev_config){.without = without});
	hostile_provoke(&h, 1000);
	for (int i = 0; i < 2000; i++) {
		x = x * 1664525 + 1013904223;
		*tx->driver_event = *rx->driver_event =
		    (struct vring_packed_desc_event){
			(uint16_t)(x >> 16), (uint16_t)(x >> (x & 8))};
		if (x & 0x100)
			*tx->device_event = *rx->driver_event;
		netdev_send(&h.vm, 0, frame, sizeof(frame), NULL);
		guest_vring_kick_always(tx);
		netdev_reap_tx(&h.vm, 0);
		while (netdev_recv(&h.vm, 0, (uint8_t[2048]){0}, 2048, 0) >= 0)
			;
	}
	hostile_stop_provoking(&h);
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

Test(hostile_packed_other, case_76_random_notification_wishes)
{
	random_wishes(0);
}

Test(hostile_packed_other, case_76_random_wishes_without_event_index)
{
	random_wishes(NETDEV_BIT(VIRTIO_RING_F_EVENT_IDX));
}
