/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_control.c - a front end that breaks the vhost-user protocol.
 *
 * Named after the cases of the history of vhost-user back ends; what each
 * must leave untouched is asserted by hostile_finish().
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/guest/hostile.h"

static struct hostile h;

static void start(void)
{
	hostile_start(&h);
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_control, .init = start, .fini = abandon, .timeout = 40);

static const uint32_t indices[] = {
    4, 5, 0x100, 0x101, 0xffff, 0x10000, 0x10001, 0x7fffffff, 0xffffffff};

#define EACH(i, array)                                                         \
	for (size_t i = 0; i < sizeof(array) / sizeof((array)[0]); i++)

/* A new connection after negotiation, memory announced: ready for rings. */
static void negotiate(void)
{
	hostile_leave(&h);
	hostile_connect(&h);
	cr_assert_eq(
	    frontend_negotiate(&h.vm.fe, NETDEV_FEATURES, NETDEV_PROTOCOL), 0);
}

static void negotiate_with_memory(void)
{
	negotiate();
	cr_assert_eq(frontend_set_mem_table(&h.vm.fe, &h.vm.mem), 0);
}

Test(hostile_control, case_01_oversized_payload)
{
	static const uint32_t size[] = {0xffffffff, 0x80000000, 4096, 1024};
	int fd[8];

	for (int i = 0; i < 8; i++)
		fd[i] = eventfd(0, 0);
	EACH(i, size)
	{
		struct vu_header header = {
		    VU_SET_MEM_TABLE, VU_VERSION, size[i]};

		hostile_leave(&h);
		hostile_connect(&h);
		cr_assert_eq(
		    frontend_send_raw(&h.vm.fe, &header, sizeof(header), fd, 8),
		    0);
		hostile_expect_closed(&h);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_03_payload_too_short)
{
	static const uint32_t request[] = {VU_SET_FEATURES, VU_SET_MEM_TABLE,
	    VU_SET_VRING_NUM, VU_SET_VRING_ADDR, VU_SET_VRING_BASE,
	    VU_GET_VRING_BASE, VU_SET_VRING_KICK, VU_SET_VRING_CALL,
	    VU_SET_VRING_ENABLE, VU_ADD_MEM_REG, VU_REM_MEM_REG,
	    VU_SET_PROTOCOL_FEATURES, VU_NET_SET_MTU, VU_SET_STATUS};

	EACH(i, request)
	{
		uint8_t byte[4] = {0};

		negotiate();
		hostile_expect_refused(&h, request[i], NULL, 0, NULL, 0);
		negotiate();
		hostile_expect_refused(
		    &h, request[i], byte, sizeof(byte), NULL, 0);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_04_unknown_requests)
{
	static const uint32_t request[] = {
	    0, 41, 99, 9999, 0x7fffffff, 0x80000000, 0xffffffff};

	EACH(i, request)
	{
		uint64_t payload = 0;

		negotiate();
		hostile_expect_refused(
		    &h, request[i], &payload, sizeof(payload), NULL, 0);
		negotiate();
		cr_assert_eq(frontend_send(&h.vm.fe, request[i], VU_VERSION,
				 &payload, sizeof(payload), NULL, 0),
		    0);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_06_descriptors_where_none_belong)
{
	int fd[8];

	for (int i = 0; i < 8; i++)
		fd[i] = eventfd(0, 0);
	hostile_connect(&h);
	for (int i = 0; i < 2000; i++) {
		struct vu_reply reply;

		if (frontend_send(&h.vm.fe, VU_GET_FEATURES, VU_VERSION, NULL,
			0, fd, 8) ||
		    frontend_recv(&h.vm.fe, &reply)) {
			hostile_leave(&h);
			hostile_connect(&h);
		}
	}
	hostile_finish(&h);
}

Test(hostile_control, case_07_wrong_number_of_descriptors)
{
	struct vu_mem_table table = {.n = 8};
	uint64_t ring = 0;
	int fd[8];

	for (int i = 0; i < 8; i++)
		fd[i] = eventfd(0, 0);
	negotiate();
	hostile_expect_refused(&h, VU_SET_VRING_CALL, &ring, 8, fd, 2);
	negotiate();
	hostile_expect_refused(&h, VU_SET_VRING_KICK, &ring, 8, NULL, 0);
	negotiate();
	hostile_expect_refused(
	    &h, VU_SET_MEM_TABLE, &table, sizeof(table), fd, 1);
	negotiate();
	table.n = 1;
	table.region[0] = (struct vu_region){0, 4096, 0x1000, 0};
	hostile_expect_refused(&h, VU_SET_MEM_TABLE, &table, 8 + 32, fd, 8);
	hostile_finish(&h);
}

Test(hostile_control, case_10_ring_size_set_again_and_again)
{
	uint64_t rss;

	negotiate();
	h.vm.fe.acks = false;
	rss = swd_rss_kib(&h.swd);
	for (uint32_t i = 0; i < 100000; i++) {
		struct vu_state state = {i % 4, 1u << (i % 15)};

		cr_assert_eq(frontend_send(&h.vm.fe, VU_SET_VRING_NUM,
				 VU_VERSION, &state, sizeof(state), NULL, 0),
		    0);
	}
	cr_assert_eq(frontend_sync(&h.vm.fe), 0);
	cr_expect_leq(swd_rss_kib(&h.swd), rss + 1024);
	hostile_finish(&h);
}

Test(hostile_control, case_12_ring_index_out_of_range)
{
	EACH(i, indices)
	{
		struct vu_state state = {indices[i], 0};
		struct vu_addr addr = {.index = indices[i]};
		uint64_t ring = indices[i] & 0xff;

		negotiate();
		hostile_expect_refused(
		    &h, VU_SET_VRING_BASE, &state, sizeof(state), NULL, 0);
		negotiate();
		hostile_expect_refused(
		    &h, VU_GET_VRING_BASE, &state, sizeof(state), NULL, 0);
		negotiate();
		state.num = 256;
		hostile_expect_refused(
		    &h, VU_SET_VRING_NUM, &state, sizeof(state), NULL, 0);
		negotiate();
		state.num = 1;
		hostile_expect_refused(
		    &h, VU_SET_VRING_ENABLE, &state, sizeof(state), NULL, 0);
		negotiate();
		hostile_expect_refused(
		    &h, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		if (ring >= 4) {
			ring |= VU_NO_FD;
			negotiate();
			hostile_expect_refused(
			    &h, VU_SET_VRING_CALL, &ring, 8, NULL, 0);
		}
	}
	hostile_finish(&h);
}

Test(hostile_control, case_13_one_queue_pair_too_many)
{
	struct vu_state state = {4, 1};

	negotiate();
	cr_expect_eq(h.vm.fe.queue_pairs_max, 2);
	hostile_expect_refused(
	    &h, VU_SET_VRING_ENABLE, &state, sizeof(state), NULL, 0);
	hostile_finish(&h);
}

Test(hostile_control, case_15_ring_sizes)
{
	static const uint32_t size[] = {
	    0, 3, 255, 32769, 65535, 65536, 0x80000000, 0xffffffff};

	EACH(i, size)
	{
		struct vu_state state = {0, size[i]};

		negotiate();
		hostile_expect_refused(
		    &h, VU_SET_VRING_NUM, &state, sizeof(state), NULL, 0);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_16_ring_size_changed_while_it_runs)
{
	struct vu_state state = {0, 1024};

	hostile_open(&h, NULL);
	hostile_expect_refused(
	    &h, VU_SET_VRING_NUM, &state, sizeof(state), NULL, 0);
	hostile_finish(&h);
}

Test(hostile_control, case_19_features_never_offered)
{
	uint64_t all = UINT64_MAX, platform;

	negotiate();
	platform = h.vm.fe.features | NETDEV_BIT(VIRTIO_F_ACCESS_PLATFORM);
	hostile_expect_refused(&h, VU_SET_FEATURES, &all, 8, NULL, 0);
	negotiate();
	hostile_expect_refused(&h, VU_SET_FEATURES, &platform, 8, NULL, 0);
	hostile_finish(&h);
}

Test(hostile_control, case_19_features_changed_while_rings_run)
{
	uint64_t without;

	hostile_open(&h, NULL);
	without = h.vm.fe.features & ~NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF);
	hostile_expect_refused(&h, VU_SET_FEATURES, &without, 8, NULL, 0);
	hostile_finish(&h);
}

/* SET_VRING_ADDR for ring 0 with everything else in order, then enable. */
static void start_ring(const struct vu_addr *addr)
{
	struct vu_state size = {0, 256}, base = {0, 0}, on = {0, 1};
	uint64_t ring = 0;
	int fd = eventfd(0, EFD_NONBLOCK);

	frontend_tell(&h.vm.fe, VU_SET_VRING_NUM, &size, 8, NULL, 0);
	frontend_tell(&h.vm.fe, VU_SET_VRING_BASE, &base, 8, NULL, 0);
	frontend_tell(
	    &h.vm.fe, VU_SET_VRING_ADDR, addr, sizeof(*addr), NULL, 0);
	frontend_tell(&h.vm.fe, VU_SET_VRING_CALL, &ring, 8, &fd, 1);
	frontend_tell(&h.vm.fe, VU_SET_VRING_KICK, &ring, 8, &fd, 1);
	frontend_tell(&h.vm.fe, VU_SET_VRING_ENABLE, &on, 8, NULL, 0);
	(void)!write(fd, &(uint64_t){1}, 8);
	close(fd);
}

static struct vu_addr addresses(uint64_t desc, uint64_t avail, uint64_t used)
{
	return (struct vu_addr){
	    .index = 0, .desc = desc, .avail = avail, .used = used};
}

Test(hostile_control, case_21_ring_addresses_that_are_nowhere)
{
	uint64_t uva;

	negotiate_with_memory();
	uva = h.vm.mem.region[0].uva;
	start_ring(&(struct vu_addr){0});
	negotiate();
	start_ring(&(struct vu_addr){0, 0, uva, uva + 8192, uva + 16384, 0});
	negotiate_with_memory();
	start_ring(
	    &(struct vu_addr){0, 0, uva - 4096, uva + 8192, uva + 16384, 0});
	cr_expect_eq(swd_counter(&h.swd, "evil", "tx_packets"), 0);
	hostile_finish(&h);
}

Test(hostile_control, case_22_ring_across_the_end_of_a_region)
{
	uint64_t uva, end;
	struct vu_addr bad[5];

	negotiate_with_memory();
	uva = h.vm.mem.region[0].uva;
	end = uva + h.vm.mem.region[0].size;
	bad[0] = addresses(end - 16, uva, uva + 8192);
	bad[1] = addresses(uva, end - 16, uva + 8192);
	bad[2] = addresses(uva, uva + 8192, end - 16);
	bad[3] = addresses(uva + 1, uva + 8192, uva + 16384);
	bad[4] = addresses(UINT64_MAX - 15, uva + 8192, uva + 16384);
	EACH(i, bad)
	{
		negotiate_with_memory();
		start_ring(&bad[i]);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_24_number_of_regions)
{
	static const uint32_t n[] = {9, 64, 0xffff, 0xffffffff};

	EACH(i, n)
	{
		struct vu_mem_table table = {.n = n[i]};
		int fd[8];

		for (int k = 0; k < 8; k++)
			fd[k] = h.vm.mem.region[0].fd;
		negotiate();
		for (int k = 0; k < 8; k++)
			fd[k] = h.vm.mem.region[0].fd;
		hostile_expect_refused(
		    &h, VU_SET_MEM_TABLE, &table, sizeof(table), fd, 8);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_25_region_arithmetic_that_wraps)
{
	static const struct vu_region bad[] = {
	    {0, UINT64_MAX, 0x10000, 0},
	    {0, UINT64_MAX - 4095, 0x10000, 8192},
	    {UINT64_MAX - 4095, 8192, 0x10000, 0},
	    {0, 8192, UINT64_MAX - 4095, 0},
	    {0, 8192, 0x10000, UINT64_MAX - 4095},
	    {0, 0, 0x10000, 0},
	    {0, 1ull << 40, 0x10000, 0},
	    {0, 8192, 0x10000, 1ull << 40},
	};

	EACH(i, bad)
	{
		struct vu_mem_table table = {.n = 1};
		struct vu_mem_reg reg = {.region = bad[i]};
		int fd;

		table.region[0] = bad[i];
		negotiate();
		fd = h.vm.mem.region[0].fd;
		hostile_expect_refused(
		    &h, VU_SET_MEM_TABLE, &table, 8 + 32, &fd, 1);
		negotiate();
		fd = h.vm.mem.region[0].fd;
		hostile_expect_refused(
		    &h, VU_ADD_MEM_REG, &reg, sizeof(reg), &fd, 1);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_27_memory_shrunk_under_traffic)
{
	hostile_open(
	    &h, &(struct netdev_config){.memory_flags = GUEST_UNSEALABLE});
	for (int i = 0; i < 50; i++) {
		uint8_t frame[1500] = {
		    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};

		netdev_send(&h.vm, 0, frame, sizeof(frame), NULL);
	}
	/* Nobody here may touch the memory after this: SIGBUS is ours too. */
	cr_assert_eq(ftruncate(h.vm.mem.region[0].fd, 0), 0);
	guest_vring_kick_always(netdev_tx_ring(&h.vm, 0));
	hostile_expect_state(&h, "broken", "mem_shrunk");
	frontend_fini(&h.vm.fe);
	h.open = false;
	hostile_finish(&h);
}

Test(hostile_control, case_27_sealable_memory_is_sealed_on_receipt)
{
	hostile_open(&h, NULL);
	cr_expect_eq(ftruncate(h.vm.mem.region[0].fd, 0), -1);
	cr_expect_eq(errno, EPERM);
	hostile_finish(&h);
}

Test(hostile_control, case_28_wrong_kind_of_region_descriptor)
{
	struct vu_mem_table table = {.n = 1, .region = {{0, 4096, 0x10000, 0}}};
	char name[] = "/var/tmp/swd-test-XXXXXX";
	int fd[5], sealed, pair[2];

	fd[0] = mkstemp(name);
	cr_assert_geq(fd[0], 0);
	unlink(name);
	cr_assert_eq(ftruncate(fd[0], 1 << 20), 0);
	fd[1] = open("/dev/zero", O_RDWR);
	cr_assert_eq(pipe(pair), 0);
	fd[2] = pair[1];
	fd[3] = open("/tmp", O_RDONLY | O_DIRECTORY);
	sealed = memfd_create("x", MFD_ALLOW_SEALING);
	cr_assert_eq(ftruncate(sealed, 1 << 20), 0);
	fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE);
	fd[4] = sealed;
	EACH(i, fd)
	{
		negotiate();
		hostile_expect_refused(
		    &h, VU_SET_MEM_TABLE, &table, 8 + 32, &fd[i], 1);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_30_memory_table_replaced_under_traffic)
{
	uint8_t frame[200] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};

	hostile_open(&h, NULL);
	for (int i = 0; i < 300; i++) {
		netdev_send(&h.vm, 0, frame, sizeof(frame), NULL);
		cr_assert_eq(frontend_set_mem_table(&h.vm.fe, &h.vm.mem), 0);
		netdev_reap_tx(&h.vm, 0);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_31_regions_come_and_go)
{
	struct guest_region stranger = {
	    .gpa = 1ull << 50, .uva = 1ull << 50, .size = 4096};

	hostile_open(&h, &(struct netdev_config){.slots = true, .regions = 4});
	for (int i = 0; i < 200; i++) {
		const struct guest_region *r = &h.vm.mem.region[i % 4];

		frontend_rem_mem_reg(&h.vm.fe, r);
		frontend_add_mem_reg(&h.vm.fe, r);
	}
	cr_expect_neq(frontend_rem_mem_reg(&h.vm.fe, &stranger), 0);
	hostile_finish(&h);
}

Test(hostile_control, case_31_more_regions_than_slots)
{
	unsigned n = 0;

	negotiate();
	for (; n < 600; n++) {
		struct guest_region r = h.vm.mem.region[0];

		r.gpa = (1ull << 40) + n * 0x100000ull * 16;
		r.uva = (1ull << 46) + n * 0x100000ull * 16;
		if (frontend_add_mem_reg(&h.vm.fe, &r))
			break;
	}
	cr_expect(n >= 8 && n <= h.vm.fe.slots_max, "%u regions", n);
	hostile_finish(&h);
}

Test(hostile_control, case_36_call_descriptor_that_blocks)
{
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};
	uint64_t full = UINT64_MAX - 1;
	struct guest_vring *tx;

	hostile_open(&h, NULL);
	tx = netdev_tx_ring(&h.vm, 0);
	(void)!read(tx->call_fd, &(uint64_t){0}, 8);
	cr_assert_eq(write(tx->call_fd, &full, 8), 8);
	fcntl(tx->call_fd, F_SETFL, 0); /* blocking, for both of us */
	for (int i = 0; i < 100; i++) {
		guest_vring_arm(tx);
		cr_assert_eq(
		    netdev_send(&h.vm, 0, frame, sizeof(frame), NULL), 0);
		cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_37_kick_storm)
{
	hostile_open(&h, NULL);
	for (int i = 0; i < 300000; i++)
		guest_vring_kick_always(netdev_tx_ring(&h.vm, 0));
	hostile_finish(&h);
}

Test(hostile_control, case_39_rings_stopped_under_traffic)
{
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};

	hostile_open(&h, NULL);
	for (int i = 0; i < 100; i++) {
		uint32_t base[2];

		for (int k = 0; k < 20; k++)
			netdev_queue_frame(
			    &h.vm, 0, frame, sizeof(frame), NULL, NULL);
		netdev_flush(&h.vm, 0);
		cr_assert_eq(netdev_stop(&h.vm, base), 0);
		/* Consumed and returned are the same: nothing is in flight. */
		cr_expect_eq(
		    base[1], guest_vring_base(netdev_tx_ring(&h.vm, 0)));
		netdev_reap_tx(&h.vm, 0);
		cr_assert_eq(netdev_start(&h.vm), 0);
		cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_40_reboot_without_disconnect)
{
	struct vu_state on = {0, 1};
	uint32_t base[2];

	hostile_open(&h, NULL);
	cr_assert_eq(netdev_stop(&h.vm, base), 0);
	cr_assert_eq(frontend_set_mem_table(&h.vm.fe, &h.vm.mem), 0);
	/* Enabled, but nobody said where they are now. */
	for (on.index = 0; on.index < 2; on.index++)
		frontend_tell(&h.vm.fe, VU_SET_VRING_ENABLE, &on, 8, NULL, 0);
	memset(guest_memory_at(
		   &h.vm.mem, netdev_rx_ring(&h.vm, 0)->desc_gpa, 4096),
	    0xff, 4096);
	cr_assert_eq(frontend_sync(&h.vm.fe), 0);
	hostile_finish(&h);
}

Test(hostile_control, case_42_reconnect_storm)
{
	for (int i = 0; i < 200; i++) {
		hostile_open(&h, NULL);
		hostile_leave(&h);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_43_two_front_ends_on_one_socket)
{
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};

	hostile_open(&h, NULL);
	for (int i = 0; i < 50; i++) {
		struct frontend second;

		if (!frontend_connect(&second, h.path))
			cr_expect(frontend_closed(&second, 2000));
		frontend_fini(&second);
	}
	cr_assert_eq(netdev_send(&h.vm, 0, frame, sizeof(frame), NULL), 0);
	cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
	hostile_finish(&h);
}

Test(hostile_control, case_45_port_deleted_under_traffic)
{
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};

	for (int i = 0; i < 30; i++) {
		hostile_open(&h, NULL);
		for (int k = 0; k < 100; k++)
			netdev_queue_frame(
			    &h.vm, 0, frame, sizeof(frame), NULL, NULL);
		netdev_flush(&h.vm, 0);
		cr_assert_eq(swd_do(&h.swd, "port.del", "{'name':'evil'}"), 0);
		hostile_leave(&h);
		cr_assert_eq(hostile_add_port(&h), 0);
	}
	hostile_finish(&h);
}

Test(hostile_control, case_49_iotlb_without_iommu)
{
	uint8_t iotlb[32] = {0};

	negotiate_with_memory();
	hostile_expect_refused(&h, VU_IOTLB_MSG, iotlb, sizeof(iotlb), NULL, 0);
	hostile_finish(&h);
}

Test(hostile_control, kick_descriptor_that_is_not_an_eventfd)
{
	uint64_t ring = 0;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	negotiate();
	hostile_expect_refused(&h, VU_SET_VRING_KICK, &ring, 8, pair, 1);
	negotiate();
	hostile_expect_refused(&h, VU_SET_VRING_CALL, &ring, 8, pair, 1);
	hostile_finish(&h);
}

Test(hostile_control, half_a_message_holds_up_nobody)
{
	struct vu_header header = {VU_SET_FEATURES, VU_VERSION, 8};

	hostile_connect(&h);
	cr_assert_eq(frontend_send_raw(&h.vm.fe, &header, 7, NULL, 0), 0);
	cr_assert_eq(frontend_closed(&h.vm.fe, 50), false);
	hostile_finish(&h);
}
