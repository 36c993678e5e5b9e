/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vhost_message.c - what each vhost-user request does, and what it must
 * not be able to do.
 */
#include "switch/base/offload.h"
#include "tests/unit/vhost_peer.h"

TestSuite(vhost_message, .init = start, .fini = stop, .timeout = 20);

/* By number, as in virtio 1.2, 5.1.3: CSUM, TSO4, TSO6, ECN, USO. */
#define SENDS	 (BIT(0) | BIT(11) | BIT(12) | BIT(13) | BIT(56))
#define TAKES	 (BIT(1) | BIT(7) | BIT(8) | BIT(9) | BIT(54) | BIT(55))
#define OFFLOADS (SENDS | TAKES)
#define SEGMENTS (OFFLOAD_GSO | OFFLOAD_ECN)

Test(vhost_message, offers_few_features)
{
	uint64_t f = ask(VHOST_USER_GET_FEATURES);
	uint64_t pf = ask(VHOST_USER_GET_PROTOCOL_FEATURES);

	cr_expect_eq(f & MODERN, MODERN);
	cr_expect(f & BIT(VHOST_NET_F_MQ));
	cr_expect_not(f & BIT(VHOST_NET_F_MTU));
	cr_expect_eq(f & OFFLOADS, OFFLOADS);
	cr_expect_not(f & (BIT(10) | BIT(14)), "UFO is not offered");
	cr_expect_not(f & BIT(6), "nor whatever segmentation there may be");
	cr_expect_not(f & BIT(2), "nor the control of offloads");
	cr_expect(f & BIT(VHOST_F_LOG_ALL));
	cr_expect(pf & BIT(VHOST_PROTOCOL_LOG_SHMFD));
	cr_expect_not(pf & BIT(8), "post-copy is not offered");
	cr_expect(pf & BIT(VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS));
	cr_expect_eq(ask(VHOST_USER_GET_QUEUE_NUM), QUEUES);
	cr_expect_eq(ask(VHOST_USER_GET_MAX_MEM_SLOTS), VHOST_REGIONS_MAX);
	p->port.mtu = 9000;
	cr_expect(ask(VHOST_USER_GET_FEATURES) & BIT(VHOST_NET_F_MTU));
}

/* The port as the peer finds it with `offload off`. */
static void reopen_without_offload(void)
{
	vhost_port_ops.close(&p->port);
	close(peer);
	json_object_object_add(
	    params, "offload", json_object_new_boolean(false));
	open_port();
	attach();
}

Test(vhost_message, offers_no_offload_where_it_is_off)
{
	reopen_without_offload();
	cr_expect_not(ask(VHOST_USER_GET_FEATURES) & OFFLOADS);
	tell_u64(VHOST_USER_SET_FEATURES, MODERN | BIT(1));
	expect_closed("features");
	run_rings(2);
	cr_expect_eq(p->port.accepts, 0);
	cr_expect_eq(p->ring[1].vq.allowed, 0);
}

/* What a guest with these features may send, and takes (5.1.3.1). */
static const struct {
	uint64_t features;
	uint8_t allowed, accepts;
} offloads[] = {
    {0, 0, 0},
    {OFFLOADS, OFFLOAD_CSUM | SEGMENTS,
	OFFLOAD_CSUM | OFFLOAD_VALID | SEGMENTS},
    {SENDS, OFFLOAD_CSUM | SEGMENTS, 0},
    {TAKES, 0, OFFLOAD_CSUM | OFFLOAD_VALID | SEGMENTS},
    {BIT(0) | BIT(1), OFFLOAD_CSUM, OFFLOAD_CSUM | OFFLOAD_VALID},
    {BIT(0) | BIT(11), OFFLOAD_CSUM | OFFLOAD_TSO4, 0},
    {BIT(0) | BIT(12), OFFLOAD_CSUM | OFFLOAD_TSO6, 0},
    {BIT(0) | BIT(56), OFFLOAD_CSUM | OFFLOAD_USO, 0},
    {BIT(1) | BIT(7), 0, OFFLOAD_CSUM | OFFLOAD_VALID | OFFLOAD_TSO4},
    {BIT(1) | BIT(8), 0, OFFLOAD_CSUM | OFFLOAD_VALID | OFFLOAD_TSO6},
    {BIT(1) | BIT(54), 0, OFFLOAD_CSUM | OFFLOAD_VALID},
    {BIT(1) | BIT(55), 0, OFFLOAD_CSUM | OFFLOAD_VALID},
    {OFFLOADS & ~BIT(0) & ~BIT(1), 0, 0},
};

Test(vhost_message, offloads_are_what_was_negotiated)
{
	for (unsigned i = 0; i < sizeof(offloads) / sizeof(*offloads); i++) {
		negotiate(MODERN | offloads[i].features);
		cr_assert_eq(share_memory(), 0);
		for (unsigned ring = 0; ring < 4; ring++)
			describe_ring(ring);
		cr_expect_eq(p->ring[1].vq.allowed, offloads[i].allowed,
		    "%u: %#x", i, p->ring[1].vq.allowed);
		cr_expect_eq(p->ring[3].vq.allowed, offloads[i].allowed);
		cr_expect_eq(p->port.accepts, offloads[i].accepts, "%u: %#x", i,
		    p->port.accepts);
		close(peer);
		pump();
		cr_expect_eq(p->port.accepts, 0, "forgotten with the peer");
		attach();
	}
}

/* A driver that is loaded again negotiates on the same connection. */
Test(vhost_message, offloads_change_only_while_no_ring_runs)
{
	negotiate(MODERN | TAKES);
	cr_assert_eq(share_memory(), 0);
	describe_ring(1);
	cr_expect_eq(tell_u64(VHOST_USER_SET_STATUS, 0), 0);
	cr_expect_eq(p->port.rx_live, 0);
	negotiate(MODERN | SENDS);
	cr_expect_eq(p->port.accepts, 0);
	describe_ring(1);
	cr_expect_eq(p->ring[1].vq.allowed, OFFLOAD_CSUM | SEGMENTS);
	tell_u64(VHOST_USER_SET_FEATURES, MODERN | TAKES);
	expect_closed("features");
	cr_expect_eq(p->port.accepts, 0);
}

Test(vhost_message, rings_go_live_and_back)
{
	run_rings(4);
	cr_expect_eq(p->port.tx_live, 3);
	cr_expect_eq(p->port.rx_live, 3);
	cr_expect_eq(p->ring[0].vq.hdr_len, 12);
	cr_expect_eq(p->ring[0].vq.size, RING);
	cr_expect(p->ring[0].vq.mergeable);
	cr_expect_eq(
	    (uint8_t *)p->ring[1].vq.desc, p->mem->region[0].host + 0x8000);
	close(peer);
	pump();
	cr_expect_eq(p->port.state, PORT_WAIT);
	cr_expect_eq(p->port.rx_live | p->port.tx_live, 0);
	cr_expect_null(p->mem);
	cr_expect_str_eq(p->port.reason, "");
}

Test(vhost_message, legacy_guests_have_a_short_header)
{
	negotiate(0);
	cr_assert_eq(share_memory(), 0);
	describe_ring(0);
	cr_expect_eq(p->port.tx_live, 1, "enabled without being told");
	cr_expect_eq(p->ring[0].vq.hdr_len, 10);
	cr_expect_not(p->ring[0].vq.event_idx);
}

Test(vhost_message, a_disabled_ring_discards)
{
	run_rings(2);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 1, 0), 0);
	cr_expect_eq(p->port.tx_live, 0);
	cr_expect_eq(p->port.rx_live, 1);
	cr_expect(p->ring[1].discard);
	cr_expect_eq(p->port.state, PORT_WAIT);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 1, 1), 0);
	cr_expect_eq(p->port.state, PORT_UP);
	cr_expect_not(p->ring[1].discard);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 1, 2), 1);
}

/* Which of those that it needs comes last makes no difference. */
Test(vhost_message, a_ring_waits_for_all_of_it)
{
	struct vhost_vring_addr a = ring_addr(1, USER);
	int fd = eventfd(0, EFD_NONBLOCK);

	for (unsigned last = 0; last < 5; last++) {
		cr_assert_eq(tell_u64(VHOST_USER_SET_PROTOCOL_FEATURES,
				 BIT(VHOST_PROTOCOL_REPLY_ACK)),
		    0);
		for (unsigned i = 1; i <= 5; i++) {
			cr_expect_eq(p->port.rx_live, 0, "last %u", last);
			switch ((last + i) % 5) {
			case 0:
				tell_u64(VHOST_USER_SET_FEATURES, MODERN);
				break;
			case 1:
				share_memory();
				break;
			case 2:
				tell_state(VHOST_USER_SET_VRING_NUM, 1, RING);
				break;
			case 3:
				tell(VHOST_USER_SET_VRING_ADDR, &a, sizeof(a),
				    NULL, 0);
				break;
			case 4:
				tell_fd(VHOST_USER_SET_VRING_KICK, 1, fd);
			}
		}
		cr_expect_eq(p->port.rx_live, 1, "last %u", last);
		close(peer);
		pump();
		attach();
	}
	close(fd);
}

Test(vhost_message, call_descriptor_may_change_under_way)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n;

	run_rings(2);
	told.changed = 0;
	p->ring[1].vq.next_avail = 7;
	cr_expect_eq(tell_fd(VHOST_USER_SET_VRING_CALL, 1, fd), 0);
	cr_expect_eq(told.changed, 2, "off and on again");
	cr_expect_eq(p->ring[1].vq.next_avail, 7);
	cr_expect_eq(p->port.state, PORT_UP);
	cr_expect_eq(read(fd, &n, sizeof(n)), 8, "told once to be sure");
	cr_expect_eq(
	    tell_fd(VHOST_USER_SET_VRING_CALL, 1 | VHOST_NO_FD, -1), 0);
	cr_expect_eq(p->ring[1].vq.call_fd, -1);
	close(fd);
}

Test(vhost_message, case_01_to_04_sizes_and_unknown_requests)
{
	static const uint32_t unknown[] = {0, 7, 41, 9999, 1u << 31, ~0u};
	struct vhost_header huge = {VHOST_USER_SET_MEM_TABLE, 1, ~0u};
	struct vhost_mem_table two = {.n = 2, .region = {region_at(0)}};
	uint64_t zero = 0;
	int fd[8];

	for (int i = 0; i < 8; i++)
		fd[i] = memfd_create("x", 0);
	send_bytes(&huge, sizeof(huge), fd, 8);
	expect_closed("msg_size");
	huge.size = sizeof(struct vhost_mem_table) + 1;
	send_bytes(&huge, sizeof(huge), fd, 8);
	expect_closed("msg_size");
	tell(VHOST_USER_SET_MEM_TABLE, &zero, 8, fd, 1);
	expect_closed("mem_table");
	tell(VHOST_USER_SET_VRING_ADDR, NULL, 0, NULL, 0);
	expect_closed("msg_size");
	for (unsigned i = 0; i < 6; i++) {
		cr_expect_eq(tell(unknown[i], &zero, 8, NULL, 0), 1);
		cr_expect_geq(p->conn.fd, 0);
		send_message(unknown[i], 1, &zero, 8, NULL, 0);
		expect_closed("refused");
	}
	send_message(VHOST_USER_GET_FEATURES, 0, NULL, 0, NULL, 0);
	expect_closed("msg_flags");
	send_message(VHOST_USER_GET_FEATURES, VHOST_VERSION | VHOST_FLAG_REPLY,
	    NULL, 0, NULL, 0);
	expect_closed("msg_flags");
	tell(VHOST_USER_GET_FEATURES, &zero, 8, NULL, 0);
	expect_closed("msg_size");
	tell(VHOST_USER_SET_MEM_TABLE, &two, 40, fd, 2);
	expect_closed("msg_size");
	cr_expect_eq(tell(VHOST_USER_IOTLB_MSG, fd, 32, NULL, 0), 1);
}

Test(vhost_message, case_06_07_descriptors_are_counted_and_closed)
{
	unsigned before = count_fds();
	struct vhost_mem_table table = {.n = 8};
	struct vhost_mem_region one = {.region = region_at(0)};
	uint64_t zero = 0;
	int fd[20];

	for (int i = 0; i < 20; i++)
		fd[i] = eventfd(0, 0);
	for (int i = 0; i < 200; i++) {
		tell(VHOST_USER_GET_FEATURES, NULL, 0, fd, 8);
		expect_closed("msg_fds");
		tell(VHOST_USER_GET_FEATURES, NULL, 0, fd, 20);
		expect_closed("msg_fds");
	}
	tell(VHOST_USER_SET_VRING_CALL, &zero, 8, fd, 2);
	expect_closed("msg_fds");
	tell(VHOST_USER_SET_VRING_CALL, &zero, 8, fd, 0);
	expect_closed("msg_fds");
	zero = VHOST_NO_FD;
	tell(VHOST_USER_SET_VRING_KICK, &zero, 8, fd, 1);
	expect_closed("msg_fds");
	tell(VHOST_USER_SET_MEM_TABLE, &table, sizeof(table), fd, 1);
	expect_closed("msg_fds");
	table.n = 1;
	tell(VHOST_USER_SET_MEM_TABLE, &table, 40, fd, 8);
	expect_closed("msg_fds");
	tell(VHOST_USER_ADD_MEM_REG, &one, sizeof(one), NULL, 0);
	expect_closed("msg_fds");
	for (int i = 0; i < 20; i++)
		close(fd[i]);
	cr_expect_eq(count_fds(), before);
}

Test(vhost_message, case_12_13_ring_index)
{
	static const uint32_t beyond[] = {0x100, 0x10000, 0x10001, ~0u};

	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_NUM, 2 * QUEUES, 256), 1);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 255, 1), 1);
	cr_expect_geq(p->conn.fd, 0);
	for (unsigned i = 0; i < 4; i++) {
		tell_state(VHOST_USER_SET_VRING_NUM, beyond[i], 256);
		expect_closed("vring_index");
		tell_u64(VHOST_USER_SET_VRING_KICK, 0x200ull << 8 * i);
		expect_closed("vring_index");
	}
}

Test(vhost_message, case_15_16_ring_size)
{
	static const uint32_t bad[] = {0, 3, 32769, 65536, ~0u};

	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(
		    tell_state(VHOST_USER_SET_VRING_NUM, 0, bad[i]), 1);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_NUM, 0, 32768), 0);
	run_rings(2);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_NUM, 0, 1024), 1);
	cr_expect_eq(p->ring[0].vq.size, RING);
	cr_expect_eq(p->port.tx_live, 1);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_BASE, 0, 5), 1);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_BASE, 2, 0x10000), 1);
}

Test(vhost_message, case_19_features)
{
	tell_u64(VHOST_USER_SET_FEATURES, ~0ull);
	expect_closed("features");
	tell_u64(VHOST_USER_SET_FEATURES, BIT(40));
	expect_closed("features");
	tell_u64(VHOST_USER_SET_PROTOCOL_FEATURES, BIT(8));
	expect_closed("features");
	run_rings(2);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, MODERN), 0, "the same");
	cr_expect_eq(p->port.rx_live, 1);
	tell_u64(VHOST_USER_SET_FEATURES, MODERN & ~BIT(VHOST_NET_F_MRG_RXBUF));
	expect_closed("features");
	cr_expect_eq(p->port.rx_live, 0);
}

Test(vhost_message, case_21_addresses_that_are_nowhere_wait)
{
	struct vhost_vring_addr a = {0};

	negotiate(MODERN);
	describe_ring(1);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 1, 1), 0);
	cr_expect_eq(p->port.rx_live, 0, "no memory yet");
	cr_expect_eq(tell(VHOST_USER_SET_VRING_ADDR, &a, 40, NULL, 0), 0);
	cr_assert_eq(share_memory(), 0);
	cr_expect_eq(p->port.rx_live, 1, "memory came");
	cr_expect_eq(p->port.tx_live, 0);
}

static void expect_broken(struct vhost_vring_addr a)
{
	run_rings(1);
	tell(VHOST_USER_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
	cr_expect(closed());
	cr_expect_eq(p->port.state, PORT_BROKEN);
	cr_expect_str_eq(p->port.reason, "ring_addr");
	cr_expect_eq(p->port.tx_live, 0);
	cr_expect_null(p->mem);
	close(peer);
	attach();
}

/* In a region whose addresses are aligned otherwise than our mapping is. */
static void expect_misaligned(uint64_t ring)
{
	struct vhost_mem_table table = {
	    .n = 1, .region = {{GUEST, MEM_SIZE - 16, USER + 8, 0}}};
	struct vhost_vring_addr a = ring_addr(1, ring);
	int fd = eventfd(0, EFD_NONBLOCK);

	negotiate(MODERN);
	cr_assert_eq(
	    tell(VHOST_USER_SET_MEM_TABLE, &table, 8 + 32, &memfd, 1), 0);
	tell_state(VHOST_USER_SET_VRING_NUM, 1, RING);
	tell_fd(VHOST_USER_SET_VRING_KICK, 1, fd);
	tell(VHOST_USER_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
	cr_expect(closed());
	cr_expect_str_eq(p->port.reason, "ring_addr");
	close(fd);
	close(peer);
	attach();
}

Test(vhost_message, case_22_a_ring_that_does_not_fit_breaks_the_port)
{
	struct vhost_vring_addr good = ring_addr(0, USER), a;

	a = good;
	a.desc = USER + MEM_SIZE - 16;
	expect_broken(a);
	a = good;
	a.used = USER + MEM_SIZE - 4;
	expect_broken(a);
	a = good;
	a.desc++;
	expect_broken(a);
	a = good;
	a.avail++;
	expect_broken(a);
	a = good;
	a.used += 2;
	expect_broken(a);
	a = good;
	a.avail = a.desc + 64;
	expect_broken(a);
	cr_expect_eq(p->n_broken, 6);
	expect_misaligned(USER + 8);
	expect_misaligned(USER + 16);
	cr_expect_eq(p->port.state, PORT_BROKEN, "until a guest is back");
	run_rings(2);
	cr_expect_eq(p->port.state, PORT_UP);
}

#define PACKED (MODERN | BIT(VHOST_F_RING_PACKED))

static uint8_t *map_memory(void)
{
	uint8_t *map =
	    mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	cr_assert_neq(map, MAP_FAILED);
	return map;
}

/* As a driver does that begins anew. */
static void clear_rings(void)
{
	uint8_t *map = map_memory();

	memset(map, 0, MEM_SIZE);
	munmap(map, MEM_SIZE);
}

static uint32_t base_of(unsigned i)
{
	struct vhost_vring_state s = {i, 0}, got = {0};
	struct vhost_header h;

	send_message(VHOST_USER_GET_VRING_BASE, 1, &s, 8, NULL, 0);
	cr_assert_eq(recv(peer, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
	cr_assert_eq(recv(peer, &got, sizeof(got), MSG_DONTWAIT), sizeof(got));
	return got.num;
}

static const char *format_shown(void)
{
	static char format[16];
	struct json_object *out = json_object_new_object(), *ring;

	vhost_port_ops.show(&p->port, out);
	cr_assert(json_object_object_get_ex(out, "ring", &ring));
	snprintf(format, sizeof(format), "%s", json_object_get_string(ring));
	json_object_put(out);
	return format;
}

/* Ring 0, packed, of @num descriptors and said to be at @base. */
static void run_packed(uint32_t num, uint32_t base)
{
	negotiate(PACKED);
	cr_assert_eq(share_memory(), 0);
	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
	describe_ring(0);
	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_NUM, 0, num), 0);
	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_BASE, 0, base), 0);
	cr_expect_eq(p->port.tx_live, 0);
	tell_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
}

Test(vhost_message, runs_packed_rings)
{
	struct vring_packed_desc *slot;

	cr_expect(ask(VHOST_USER_GET_FEATURES) & BIT(VHOST_F_RING_PACKED));
	cr_expect(ask(VHOST_USER_GET_FEATURES) & BIT(VHOST_F_IN_ORDER));
	run_packed(100, 0x80008000);
	cr_expect_eq(p->port.tx_live, 1);
	cr_expect(p->ring[0].vq.packed);
	cr_expect_str_eq(format_shown(), "packed");
	cr_expect_eq(p->ring[0].vq.next_avail, 0x8000);
	p->ring[0].vq.next_avail = p->ring[0].vq.next_used = 0x804d;
	cr_expect_eq(base_of(0), 0x804d804d);
	cr_expect_eq(p->port.tx_live, 0);
	/* The slots know better than a front end whose back end was killed. */
	slot = (void *)map_memory(); /* where ring 0 is */
	for (unsigned i = 0; i < 33; i++)
		slot[i].flags = 0x8080;
	run_packed(100, 0x80008000);
	cr_expect_eq(p->ring[0].vq.next_avail, 0x8021);
	cr_expect_eq(base_of(0), 0x80218021);
	/* Where they cannot tell, the front end does. */
	for (unsigned i = 0; i < 33; i++)
		slot[i].flags = i % 2 ? 0x80 : 0x8080;
	run_packed(100, 0x00420042);
	cr_expect_eq(p->ring[0].vq.next_avail, 0x42);
	munmap(slot, MEM_SIZE);
}

Test(vhost_message, packed_rings_that_cannot_be)
{
	static const struct {
		uint32_t num, base;
		uint64_t avail, used;
		const char *reason;
	} bad[] = {{100, 0x80648064, 0x2000, 0x4000, "ring_base"},
	    {100, 0x7fff, 0x2000, 0x4000, "ring_base"},
	    {100, 0x80008000, 0x2002, 0x4000, "ring_addr"},
	    {100, 0x80008000, 0x2000, 0x4002, "ring_addr"},
	    {100, 0x80008000, 0x640 - 4, 0x4000, "ring_addr"},
	    {100, 0x80008000, 0x2000, 0x2000, "ring_addr"}};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct vhost_vring_addr a = ring_addr(0, USER);

		negotiate(PACKED);
		cr_assert_eq(share_memory(), 0);
		describe_ring(0);
		a.avail = USER + bad[i].avail;
		a.used = USER + bad[i].used;
		tell(VHOST_USER_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
		tell_state(VHOST_USER_SET_VRING_NUM, 0, bad[i].num);
		tell_state(VHOST_USER_SET_VRING_BASE, 0, bad[i].base);
		tell_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
		cr_expect(closed());
		cr_expect_str_eq(p->port.reason, bad[i].reason);
		close(peer);
		attach();
	}
}

/* What is told of a ring of one format is not believed of the other. */
Test(vhost_message, rings_change_their_format)
{
	run_packed(100, 0x80008000);
	p->ring[0].vq.next_avail = p->ring[0].vq.next_used = 0x804d;
	base_of(0);
	clear_rings();
	cr_assert_eq(tell_u64(VHOST_USER_SET_FEATURES, MODERN), 0);
	cr_expect_eq(
	    tell_state(VHOST_USER_SET_VRING_NUM, 0, 100), 1, "no power of two");
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_BASE, 0, 0x80008000), 1);
	describe_ring(0);
	cr_expect_eq(p->port.tx_live, 1);
	cr_expect_not(p->ring[0].vq.packed);
	cr_expect_str_eq(format_shown(), "split");
	cr_expect_eq(p->ring[0].vq.next_avail, 0);
	base_of(0);
	clear_rings();
	cr_assert_eq(tell_u64(VHOST_USER_SET_FEATURES, PACKED), 0);
	describe_ring(0);
	cr_expect_eq(p->port.tx_live, 1);
	cr_expect(p->ring[0].vq.packed);
	cr_expect_eq(p->ring[0].vq.next_avail, 0x8000);
}

Test(vhost_message, a_split_ring_of_a_packed_one_s_size)
{
	run_packed(256, 0x80008000);
	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_NUM, 0, 100), 0);
	cr_assert_eq(tell_u64(VHOST_USER_SET_FEATURES, MODERN), 0);
	tell_state(VHOST_USER_SET_VRING_ENABLE, 0, 1);
	cr_expect(closed());
	cr_expect_str_eq(p->port.reason, "ring_size");
}

Test(vhost_message, case_24_25_28_memory_tables)
{
	struct vhost_mem_table table = {.n = 9};
	int fd[8], pair[2];

	for (int i = 0; i < 8; i++)
		fd[i] = memfd_create("x", 0);
	tell(VHOST_USER_SET_MEM_TABLE, &table, sizeof(table), fd, 8);
	expect_closed("mem_table");
	table.n = ~0u;
	tell(VHOST_USER_SET_MEM_TABLE, &table, sizeof(table), fd, 8);
	expect_closed("mem_table");
	table.n = 1;
	table.region[0] = region_at(0);
	tell(VHOST_USER_SET_MEM_TABLE, &table, 40, fd, 1);
	expect_closed("mem_table");
	cr_assert_eq(pipe(pair), 0);
	cr_assert_eq(share_memory(), 0);
	cr_expect_eq(tell(VHOST_USER_SET_MEM_TABLE, &table, 40, pair, 1), 1);
	cr_expect_eq(p->mem->n, 1, "what was there stays");
}

Test(vhost_message, case_30_31_memory_changes_under_way)
{
	struct vhost_mem_region second = {.region = region_at(1)};
	struct vhost_mem_region first = {.region = region_at(0)};
	int fd = memfd_create("more", 0);
	void *desc;

	cr_assert_eq(ftruncate(fd, MEM_SIZE), 0);
	run_rings(2);
	desc = p->ring[1].vq.desc;
	p->ring[1].vq.next_avail = 99;
	cr_expect_eq(
	    tell(VHOST_USER_ADD_MEM_REG, &second, sizeof(second), &fd, 1), 0);
	cr_expect_eq(p->mem->n, 2);
	cr_expect_eq(p->ring[1].vq.desc, desc);
	cr_expect_eq(p->ring[1].vq.mem, p->mem);
	cr_expect_eq(p->ring[1].vq.next_avail, 99);
	cr_expect_eq(p->port.rx_live, 1);
	cr_expect_eq(
	    tell(VHOST_USER_REM_MEM_REG, &second, sizeof(second), NULL, 0), 0);
	cr_expect_eq(
	    tell(VHOST_USER_REM_MEM_REG, &second, sizeof(second), NULL, 0), 1);
	second.region.guest = first.region.guest + 4096;
	tell(VHOST_USER_ADD_MEM_REG, &second, sizeof(second), &fd, 1);
	expect_closed("mem_table");
	run_rings(2);
	cr_expect_eq(
	    tell(VHOST_USER_REM_MEM_REG, &first, sizeof(first), &fd, 1), 0);
	cr_expect_eq(p->port.rx_live, 0);
	cr_expect_eq(p->port.state, PORT_WAIT);
	cr_expect_eq(
	    tell(VHOST_USER_ADD_MEM_REG, &first, sizeof(first), &memfd, 1), 0);
	cr_expect_eq(p->port.rx_live, 1);
	close(fd);
}

Test(vhost_message, case_39_40_a_stopped_ring_forgets_its_place)
{
	struct vhost_vring_state s = {1, 0}, got;
	struct vhost_header h;

	run_rings(2);
	p->ring[1].vq.next_avail = 4711;
	for (int i = 0; i < 2; i++) {
		send_message(VHOST_USER_GET_VRING_BASE, 1, &s, 8, NULL, 0);
		cr_assert_eq(recv(peer, &h, sizeof(h), 0), sizeof(h));
		cr_assert_eq(recv(peer, &got, sizeof(got), 0), sizeof(got));
		cr_expect_eq(got.index, 1);
		cr_expect_eq(got.num, 4711);
		cr_expect_eq(p->port.rx_live, 0);
	}
	cr_assert_eq(share_memory(), 0);
	cr_expect_eq(tell_state(VHOST_USER_SET_VRING_NUM, 1, RING), 0);
	cr_expect_eq(tell_u64(VHOST_USER_SET_VRING_KICK, 1 | VHOST_NO_FD), 0);
	cr_expect_eq(p->port.rx_live, 0, "nobody said where it is now");
	cr_expect_eq(p->port.tx_live, 1);
	describe_ring(1);
	cr_expect_eq(p->port.rx_live, 1);
}

/* The ring in the guest's memory knows better than who lost track of it. */
Test(vhost_message, goes_on_where_a_killed_back_end_was)
{
	struct vring_used *used;

	run_rings(2);
	used = p->ring[1].vq.used;
	used->idx = 300;
	close(peer);
	pump();
	attach();
	run_rings(2);
	cr_expect_eq(p->ring[1].vq.next_avail, 300);
	cr_expect_eq(p->ring[1].vq.next_used, 300);
}

Test(vhost_message, reset_stops_the_rings)
{
	run_rings(2);
	cr_expect_eq(tell_u64(VHOST_USER_SET_STATUS, 0xf), 0);
	cr_expect_eq(ask(VHOST_USER_GET_STATUS), 0xf);
	cr_expect_eq(tell_u64(VHOST_USER_SET_STATUS, 0x100), 1);
	cr_expect_eq(tell_u64(VHOST_USER_SET_STATUS, 0), 0);
	cr_expect_eq(p->port.rx_live | p->port.tx_live, 0);
	describe_ring(0);
	cr_expect_eq(p->port.tx_live, 1, "still enabled");
	cr_expect_eq(tell(VHOST_USER_RESET_DEVICE, NULL, 0, NULL, 0), 0);
	describe_ring(0);
	cr_expect_eq(p->port.tx_live, 0, "not enabled");
}

Test(vhost_message, only_eventfds_ring)
{
	int pair[2];

	cr_assert_eq(pipe(pair), 0);
	cr_expect_eq(tell_fd(VHOST_USER_SET_VRING_KICK, 0, pair[0]), 1);
	cr_expect_eq(tell_fd(VHOST_USER_SET_VRING_CALL, 0, pair[1]), 1);
	cr_expect_eq(tell_fd(VHOST_USER_SET_VRING_ERR, 0, pair[1]), 1);
}

Test(vhost_message, worker_faults_break_the_port)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n;

	run_rings(2);
	cr_expect_eq(tell_fd(VHOST_USER_SET_VRING_ERR, 0, fd), 0);
	virtq_break(&p->ring[1].vq, VIRTQ_DESC_LOOP);
	cr_expect_eq(told.raised, 1);
	vhost_port_ops.attend(&p->port);
	cr_expect(closed());
	cr_expect_eq(p->port.state, PORT_BROKEN);
	cr_expect_str_eq(p->port.reason, "desc_loop");
	cr_expect_eq(read(fd, &n, sizeof(n)), 8);
	close(fd);
}

Test(vhost_message, case_27_memory_cut_off_breaks_the_port)
{
	guard_install(NULL);
	run_rings(2);
	cr_assert_eq(ftruncate(memfd, 0), 0);
	cr_expect(virtq_arm(&p->ring[1].vq));
	cr_expect_geq(told.raised, 1);
	vhost_port_ops.attend(&p->port);
	cr_expect_eq(p->port.state, PORT_BROKEN);
	cr_expect_str_eq(p->port.reason, "mem_shrunk");
}

Test(vhost_message, mtu_is_checked)
{
	p->port.mtu = 9000;
	cr_expect_eq(tell_u64(VHOST_USER_NET_SET_MTU, 9000), 0);
	cr_expect_eq(tell_u64(VHOST_USER_NET_SET_MTU, 67), 1);
	cr_expect_eq(tell_u64(VHOST_USER_NET_SET_MTU, 9001), 1);
	cr_expect_eq(tell_u64(VHOST_USER_NET_SET_MTU, 1ull << 32 | 1500), 1);
	cr_expect_eq(p->guest_mtu, 9000);
}
