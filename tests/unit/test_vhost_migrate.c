/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vhost_migrate.c - a front end that moves its machine to another host.
 *
 * The log as the messages have it; what workers write to it is in
 * test_log_split.c and test_log_packed.c.
 */
#include "tests/unit/vhost_peer.h"

TestSuite(vhost_migrate, .init = start, .fini = stop, .timeout = 20);

enum { LOG_SIZE = ((UINT64_C(1) << 32) + MEM_SIZE) / DIRTY_LOG_PAGE / 8 };

#define LOGGED (MODERN | BIT(VHOST_F_LOG_ALL))

static int logfd = -1;

/* The sockets' state and descriptors of a front end that can migrate. */
static void negotiate_log(uint64_t features)
{
	cr_assert_eq(
	    tell_u64(VHOST_USER_SET_PROTOCOL_FEATURES,
		BIT(VHOST_PROTOCOL_REPLY_ACK) | BIT(VHOST_PROTOCOL_LOG_SHMFD)),
	    0);
	cr_assert_eq(tell_u64(VHOST_USER_SET_FEATURES, features), 0);
}

static uint64_t tell_log(uint64_t offset, uint64_t size)
{
	const struct vhost_log_msg msg = {size, offset};

	logfd = memfd_create("log", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(logfd, 2 * LOG_SIZE), 0);
	return tell(VHOST_USER_SET_LOG_BASE, &msg, sizeof(msg), &logfd, 1);
}

static uint64_t tell_addr(unsigned i, uint32_t flags, uint64_t log)
{
	struct vhost_vring_addr a = ring_addr(i, USER);

	a.flags = flags;
	a.log = log;
	return tell(VHOST_USER_SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
}

static void run_logged_rings(void)
{
	negotiate_log(MODERN);
	cr_assert_eq(share_memory(), 0);
	for (unsigned i = 0; i < 2; i++) {
		describe_ring(i);
		cr_assert_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, i, 1), 0);
	}
	cr_assert_eq(p->port.state, PORT_UP);
}

static const struct virtq_log *log_of(unsigned i)
{
	return p->ring[i].vq.log;
}

/* The bit of guest address @gpa, in the file as the front end has it. */
static bool logged(uint64_t gpa)
{
	uint8_t byte = 0;

	cr_assert_eq(
	    pread(logfd, &byte, 1, (off_t)(gpa / DIRTY_LOG_PAGE / 8)), 1);
	return byte >> gpa / DIRTY_LOG_PAGE % 8 & 1;
}

/* As QEMU does it, with rings that run on. */
Test(vhost_migrate, logging_is_switched_while_rings_run)
{
	const uint64_t used = GUEST + 0x4000;
	unsigned changed;

	run_logged_rings();
	changed = told.changed;
	cr_expect_null(log_of(0));
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	cr_expect_null(log_of(0), "a log alone is no order to use it");
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 0);
	cr_assert_not_null(log_of(0));
	cr_expect_eq(log_of(0)->log, p->log);
	cr_expect_not(log_of(0)->ring);
	cr_expect_eq(tell_addr(0, VHOST_VRING_LOG, used), 0);
	cr_expect(log_of(0)->ring);
	cr_expect_eq(log_of(0)->used, used);
	cr_expect_eq(log_of(0)->slot, GUEST);
	cr_expect_not(log_of(1)->ring);
	cr_expect_not(logged(used));
	cr_expect(virtq_arm(&p->ring[0].vq));
	cr_expect(logged(used));

	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, MODERN), 0);
	cr_expect_null(log_of(0));
	cr_expect_eq(tell_addr(0, 0, used), 0);
	cr_expect_eq(told.changed, changed, "no ring was off its worker");
	close(logfd);
}

/* QEMU takes a larger log when memory is plugged in meanwhile. */
Test(vhost_migrate, case_33_log_replaced)
{
	const uint64_t used = GUEST + 0x4000;
	unsigned changed;
	int first;

	run_logged_rings();
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 0);
	cr_expect_eq(tell_addr(0, VHOST_VRING_LOG, used), 0);
	changed = told.changed;
	first = logfd;
	cr_expect_eq(tell_log(0, 2 * LOG_SIZE), 0);
	cr_expect(virtq_arm(&p->ring[0].vq));
	cr_expect(logged(used));
	cr_expect_eq(told.changed, changed);
	close(logfd);
	logfd = first;
	cr_expect_not(logged(used));
	close(first);
}

Test(vhost_migrate, case_33_log_replaced_again_and_again)
{
	unsigned fds;

	run_logged_rings();
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	close(logfd);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 0);
	fds = count_fds();
	for (unsigned i = 0; i < 1000; i++) {
		cr_expect_eq(tell_log(i % 2 * 4096, LOG_SIZE), 0);
		close(logfd);
	}
	cr_expect_eq(count_fds(), fds);
	cr_expect_eq(p->port.state, PORT_UP);
}

Test(vhost_migrate, case_33_log_cut_off_breaks_the_port)
{
	guard_install(NULL);
	run_logged_rings();
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 0);
	cr_expect_eq(tell_addr(1, VHOST_VRING_LOG, GUEST + 0xc000), 0);
	cr_assert_eq(ftruncate(logfd, 0), 0);
	cr_expect(virtq_arm(&p->ring[1].vq));
	cr_expect_geq(told.raised, 1);
	vhost_port_ops.attend(&p->port);
	cr_expect_eq(p->port.state, PORT_BROKEN);
	cr_expect_str_eq(p->port.reason, "log_shrunk");
	cr_expect_null(p->log);
	close(peer);
	close(logfd);
	attach();
	run_logged_rings();
}

/* Nobody gets away with a log that was lost by giving another one. */
Test(vhost_migrate, case_33_log_cut_off_and_replaced)
{
	guard_install(NULL);
	run_logged_rings();
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 0);
	cr_expect_eq(tell_addr(1, VHOST_VRING_LOG, GUEST + 0xc000), 0);
	cr_assert_eq(ftruncate(logfd, 0), 0);
	close(logfd);
	cr_expect(virtq_arm(&p->ring[1].vq));
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	close(logfd);
	vhost_port_ops.attend(&p->port);
	cr_expect_str_eq(p->port.reason, "log_shrunk");
}

Test(vhost_migrate, rings_wait_for_a_log_that_is_wanted)
{
	negotiate_log(LOGGED);
	cr_assert_eq(share_memory(), 0);
	for (unsigned i = 0; i < 2; i++) {
		describe_ring(i);
		cr_assert_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, i, 1), 0);
	}
	cr_expect_eq(p->port.rx_live | p->port.tx_live, 0);
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	cr_expect_eq(p->port.rx_live & p->port.tx_live, 1);
	cr_expect_not_null(log_of(0));
	close(logfd);
}

Test(vhost_migrate, no_logging_without_a_log)
{
	run_logged_rings();
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 1);
	cr_expect_eq(p->features, MODERN);
	cr_expect_eq(p->port.rx_live & p->port.tx_live, 1);
}

Test(vhost_migrate, case_19_nothing_else_changes_with_it)
{
	run_logged_rings();
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	close(logfd);
	tell_u64(VHOST_USER_SET_FEATURES, LOGGED & ~BIT(VHOST_NET_F_MRG_RXBUF));
	expect_closed("features");
}

Test(vhost_migrate, no_log_without_its_feature)
{
	run_rings(2);
	cr_expect_eq(tell_log(0, LOG_SIZE), 1);
	cr_expect_null(p->log);
	close(logfd);
}

/* A log with no bit for some of memory, or of a ring, at whatever moment this
 * comes out. */
Test(vhost_migrate, case_33_log_too_small)
{
	run_logged_rings();
	cr_expect_eq(tell_log(0, LOG_SIZE - 1), 0, "it is not in use");
	close(logfd);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 1);
	cr_expect_eq(p->features, MODERN);
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	close(logfd);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 0);
	cr_expect_eq(tell_log(0, LOG_SIZE - 1), 1);
	close(logfd);
	cr_expect_eq(p->log->size, LOG_SIZE);
	cr_expect_eq(log_of(0)->log, p->log);
	cr_expect_eq(p->port.rx_live & p->port.tx_live, 1);
}

Test(vhost_migrate, case_33_log_too_small_for_a_ring)
{
	const uint64_t end = LOG_SIZE * UINT64_C(8) * DIRTY_LOG_PAGE;

	run_logged_rings();
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	close(logfd);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 0);
	cr_expect_eq(tell_addr(0, VHOST_VRING_LOG, end - 4 - 8 * RING - 2), 0);
	cr_expect_eq(tell_addr(0, VHOST_VRING_LOG, end - 4 - 8 * RING - 1), 1);
	cr_expect_eq(tell_addr(0, VHOST_VRING_LOG, UINT64_MAX), 1);
	cr_expect_eq(log_of(0)->used, end - 4 - 8 * RING - 2);
	cr_expect_eq(tell_addr(0, 0, UINT64_MAX), 0, "it is not wanted");
	cr_expect_eq(p->port.rx_live & p->port.tx_live, 1);
}

Test(vhost_migrate, case_33_log_too_small_for_memory_that_comes)
{
	struct vhost_mem_region more = {.region = region_at(8)};
	int fd = memfd_create("more", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, MEM_SIZE), 0);
	run_logged_rings();
	cr_expect_eq(tell_log(0, LOG_SIZE), 0);
	close(logfd);
	cr_expect_eq(tell_u64(VHOST_USER_SET_FEATURES, LOGGED), 0);
	tell(VHOST_USER_ADD_MEM_REG, &more, sizeof(more), &fd, 1);
	cr_expect_eq(p->port.state, PORT_BROKEN);
	cr_expect_str_eq(p->port.reason, "log_size");
	close(fd);
}

Test(vhost_migrate, case_28_log_of_the_wrong_kind)
{
	const struct vhost_log_msg none = {0, 0}, wraps = {8, UINT64_MAX - 3},
				   past = {2 * LOG_SIZE, 1};
	int fd = eventfd(0, EFD_NONBLOCK);

	run_logged_rings();
	cr_expect_eq(tell_log(0, 3 * LOG_SIZE), 1);
	cr_expect_eq(
	    tell(VHOST_USER_SET_LOG_BASE, &none, sizeof(none), &logfd, 1), 1);
	cr_expect_eq(
	    tell(VHOST_USER_SET_LOG_BASE, &wraps, sizeof(wraps), &logfd, 1), 1);
	cr_expect_eq(
	    tell(VHOST_USER_SET_LOG_BASE, &past, sizeof(past), &logfd, 1), 1);
	cr_expect_eq(
	    tell(VHOST_USER_SET_LOG_BASE, &past, sizeof(past), &fd, 1), 1);
	cr_expect_null(p->log);
	close(logfd);
	close(fd);
}

Test(vhost_migrate, postcopy_is_refused)
{
	negotiate_log(MODERN);
	cr_expect_eq(tell(VHOST_USER_POSTCOPY_ADVISE, NULL, 0, NULL, 0), 1);
	cr_expect_not_null(strstr(p->why, "post-copy is not supported"));
}

/* QEMU 7.2 resets the device before it asks; a driver that begins anew has
 * empty rings. */
Test(vhost_migrate, where_a_ring_was_survives_a_reset)
{
	const struct vhost_vring_state ring = {1, 0};
	struct {
		struct vhost_header h;
		struct vhost_vring_state state;
	} m;

	run_logged_rings();
	p->ring[1].vq.next_avail = 77;
	cr_expect_eq(tell_u64(VHOST_USER_SET_STATUS, 0), 0);
	cr_expect_eq(p->port.rx_live, 0);
	send_message(VHOST_USER_GET_VRING_BASE, VHOST_VERSION, &ring,
	    sizeof(ring), NULL, 0);
	cr_assert_eq(recv(peer, &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
	cr_expect_eq(m.state.index, 1);
	cr_expect_eq(m.state.num, 77);
	cr_expect_eq(tell_u64(VHOST_USER_SET_STATUS, 0), 0);
	describe_ring(1);
	cr_expect_eq(p->ring[1].vq.next_avail, 0);
}

static const uint8_t mac[8] = {0x52, 0x54, 0, 1, 2, 3, 0, 0};

static uint64_t tell_rarp(void)
{
	uint64_t v;

	memcpy(&v, mac, 8);
	return tell_u64(VHOST_USER_SEND_RARP, v);
}

Test(vhost_migrate, rarp_is_announced)
{
	run_rings(2);
	cr_expect_eq(tell_rarp(), 0);
	cr_expect_eq(told.announced_len, 60);
	cr_expect_arr_eq(told.announced, "\xff\xff\xff\xff\xff\xff", 6);
	cr_expect_arr_eq(told.announced + 6, mac, 6);
	cr_expect_arr_eq(told.announced + 12,
	    "\x80\x35\x00\x01\x08\x00\x06\x04\x00\x03", 10);
	cr_expect_arr_eq(told.announced + 22, mac, 6);
	cr_expect_arr_eq(told.announced + 32, mac, 6);
	cr_expect_eq(tell_u64(VHOST_USER_SEND_RARP, 1), 1, "a group");
}

/* QEMU sends the first one before it starts the rings. */
Test(vhost_migrate, rarp_waits_for_the_rings)
{
	negotiate(MODERN);
	cr_expect_eq(tell_rarp(), 0);
	cr_expect_eq(told.announced_len, 0);
	run_rings(2);
	cr_expect_eq(told.announced_len, 60);
	told.announced_len = 0;
	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 0, 0), 0);
	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, 0, 1), 0);
	cr_expect_eq(told.announced_len, 0, "once is enough");
}

Test(vhost_migrate, rarp_of_a_peer_that_left_is_forgotten)
{
	negotiate(MODERN);
	cr_expect_eq(tell_rarp(), 0);
	close(peer);
	pump();
	attach();
	run_rings(2);
	cr_expect_eq(told.announced_len, 0);
}
