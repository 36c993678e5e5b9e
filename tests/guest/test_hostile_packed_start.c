/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_packed_start.c - packed rings that are described wrongly.
 *
 * A size that is no power of two is lawful here and nowhere else, each of the
 * three parts has an alignment of its own, and where the device goes on is two
 * places with a wrap counter each; what the front end says of all that comes in
 * any order, and before or after it says that rings are packed.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/hostile.h"

static struct hostile h;

enum {
	AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	USED = 1 << VRING_PACKED_DESC_F_USED,
};

static void start(void)
{
	hostile_start(&h);
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_packed_start, .init = start, .fini = abandon, .timeout = 40);

/* A machine all right but for what @spoil does to its ring, a receive ring,
 * before the device is told of it. */
static void open_spoilt(void (*spoil)(struct guest_vring *r))
{
	const struct netdev_config c = {
	    .rings = NETDEV_RINGS_PACKED, .socket = h.path};

	hostile_leave(&h);
	cr_assert_eq(netdev_create(&h.vm, &c), 0);
	h.open = true;
	cr_assert_eq(netdev_connect(&h.vm), 0);
	spoil(netdev_rx_ring(&h.vm, 0));
	netdev_start(&h.vm);
}

static void unalign_ring(struct guest_vring *r)
{
	r->desc_gpa += 8;
}

static void unalign_driver_area(struct guest_vring *r)
{
	r->avail_gpa += 2;
}

static void unalign_device_area(struct guest_vring *r)
{
	r->used_gpa += 1;
}

static void driver_area_in_ring(struct guest_vring *r)
{
	r->avail_gpa = r->desc_gpa + 16 * (r->size - 1);
}

static void device_area_in_ring(struct guest_vring *r)
{
	r->used_gpa = r->desc_gpa;
}

static void device_area_is_driver_area(struct guest_vring *r)
{
	r->used_gpa = r->avail_gpa;
}

static void ring_past_the_region(struct guest_vring *r)
{
	const struct guest_region *m = &r->mem->region[0];

	r->desc_gpa = m->gpa + m->size - 16 * (r->size - 1);
}

static void area_past_the_region(struct guest_vring *r)
{
	const struct guest_region *m = &r->mem->region[0];

	r->avail_gpa = m->gpa + m->size - 2;
}

Test(hostile_packed_start, case_22_areas_that_do_not_lie_well)
{
	static void (*const spoil[])(struct guest_vring *) = {unalign_ring,
	    unalign_driver_area, unalign_device_area, driver_area_in_ring,
	    device_area_in_ring, device_area_is_driver_area,
	    ring_past_the_region, area_past_the_region};

	for (unsigned i = 0; i < sizeof(spoil) / sizeof(*spoil); i++) {
		open_spoilt(spoil[i]);
		hostile_expect_state(&h, "broken", "ring_addr");
	}
	hostile_finish(&h);
}

/* Negotiated, with memory, and no ring described. */
static void connect_only(void)
{
	const struct netdev_config c = {
	    .rings = NETDEV_RINGS_PACKED, .socket = h.path};

	hostile_leave(&h);
	cr_assert_eq(netdev_create(&h.vm, &c), 0);
	h.open = true;
	cr_assert_eq(netdev_connect(&h.vm), 0);
	cr_assert_eq(frontend_set_mem_table(&h.vm.fe, &h.vm.mem), 0);
}

Test(hostile_packed_start, case_15_ring_sizes)
{
	static const uint32_t bad[] = {
	    0, 32769, 65535, 65536, 0x80000000, 0xffffffff};
	static const uint32_t good[] = {1, 3, 255, 32767, 32768};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const struct vu_state state = {0, bad[i]};

		connect_only();
		hostile_expect_refused(
		    &h, VU_SET_VRING_NUM, &state, sizeof(state), NULL, 0);
	}
	connect_only();
	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++)
		cr_expect_eq(
		    frontend_tell_state(&h.vm.fe, VU_SET_VRING_NUM, 0, good[i]),
		    0, "%u descriptors", good[i]);
	hostile_finish(&h);
}

/* Describes ring 1 as it is except for its base, and starts it. */
static void start_ring_at(uint32_t base, bool size_first)
{
	const struct guest_vring *r = netdev_tx_ring(&h.vm, 0);
	const struct vu_addr addr = {.index = 1,
	    .desc = guest_memory_uva(&h.vm.mem, r->desc_gpa),
	    .avail = guest_memory_uva(&h.vm.mem, r->avail_gpa),
	    .used = guest_memory_uva(&h.vm.mem, r->used_gpa)};
	struct frontend *fe = &h.vm.fe;

	if (size_first)
		frontend_tell_state(fe, VU_SET_VRING_NUM, 1, r->size);
	frontend_tell_state(fe, VU_SET_VRING_BASE, 1, base);
	if (!size_first)
		frontend_tell_state(fe, VU_SET_VRING_NUM, 1, r->size);
	frontend_tell(fe, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	frontend_tell_state(fe, VU_SET_VRING_ENABLE, 1, 1);
	frontend_set_vring_fd(fe, VU_SET_VRING_CALL, 1, r->call_fd);
	frontend_set_vring_fd(fe, VU_SET_VRING_KICK, 1, r->kick_fd);
}

/* Where the device is to take the next descriptor from is not in the ring. */
Test(hostile_packed_start, base_past_the_ring)
{
	static const uint32_t base[] = {
	    0x00008100, 0x0100ffff, 0x00ff0100, 0x7fff7fff, 0xffffffff};

	for (unsigned i = 0; i < 2 * sizeof(base) / sizeof(*base); i++) {
		connect_only();
		start_ring_at(base[i / 2], i & 1);
		hostile_expect_state(&h, "broken", "ring_base");
	}
	hostile_finish(&h);
}

/* Descriptors of all laps at once, so that they do not tell where a device
 * stopped; the base says that it was in the middle. */
Test(hostile_packed_start, slots_that_do_not_tell_the_place)
{
	static const uint32_t base[] = {0x80808080, 0x00800080, 0x80ff0080, 0};
	struct guest_vring *r;

	for (unsigned i = 0; i < sizeof(base) / sizeof(*base); i++) {
		connect_only();
		r = netdev_tx_ring(&h.vm, 0);
		for (unsigned k = 0; k < r->size; k++)
			r->packed[k] =
			    (struct vring_packed_desc){.addr = UINT64_MAX,
				.len = k,
				.flags = k % 3 ? AVAIL | VRING_DESC_F_NEXT
					       : USED | VRING_DESC_F_INDIRECT};
		start_ring_at(base[i], true);
		(void)!write(r->kick_fd, &(uint64_t){1}, 8);
		frontend_sync(&h.vm.fe);
	}
	hostile_finish(&h);
}

/* Another format than the rings have that run. */
Test(hostile_packed_start, format_changed_while_rings_run)
{
	uint64_t without;

	hostile_open(&h, &(struct netdev_config){.rings = NETDEV_RINGS_PACKED});
	without = h.vm.fe.features & ~NETDEV_BIT(VIRTIO_F_RING_PACKED);
	hostile_expect_refused(&h, VU_SET_FEATURES, &without, 8, NULL, 0);
	hostile_finish(&h);
}

/* A size that only packed rings can have, then split ones after all. */
Test(hostile_packed_start, odd_size_then_split)
{
	uint64_t without;

	connect_only();
	cr_assert_eq(
	    frontend_tell_state(&h.vm.fe, VU_SET_VRING_NUM, 0, 255), 0);
	cr_assert_eq(
	    frontend_tell_state(&h.vm.fe, VU_SET_VRING_NUM, 1, 255), 0);
	without = h.vm.fe.features & ~NETDEV_BIT(VIRTIO_F_RING_PACKED);
	frontend_tell_u64(&h.vm.fe, VU_SET_FEATURES, without);
	for (unsigned i = 0; i < 2; i++) {
		const struct guest_vring *r = &h.vm.q[i].ring;
		const struct vu_addr addr = {.index = i,
		    .desc = guest_memory_uva(&h.vm.mem, r->desc_gpa),
		    .avail = guest_memory_uva(
			&h.vm.mem, h.vm.q[i].slot[0].gpa & ~3ull),
		    .used = guest_memory_uva(
			&h.vm.mem, h.vm.q[i].slot[40].gpa & ~3ull)};

		frontend_tell(
		    &h.vm.fe, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		frontend_set_vring_fd(
		    &h.vm.fe, VU_SET_VRING_KICK, i, r->kick_fd);
		frontend_tell_state(&h.vm.fe, VU_SET_VRING_ENABLE, i, 1);
		(void)!write(r->kick_fd, &(uint64_t){1}, 8);
	}
	frontend_sync(&h.vm.fe);
	hostile_finish_broken(&h, "ring_size");
}
