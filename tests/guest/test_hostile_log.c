/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_log.c - a machine on the move, well-behaved and otherwise.
 *
 * The machine's front end has a log of dirty pages, as QEMU during a live
 * migration, and does with it what it should not; or does all as it should,
 * and then every page that the device has written to must be in the log.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guest/hostile.h"

enum {
	HDR = HOSTILE_HDR,
	PAGE = 4096,
	LOG_ALL = 26, /* bit of the virtio features */
	VRING_LOG = 1,
	PPS = 1000,
};

struct log_description {
	uint64_t size, offset;
};

static struct hostile h;
static int log_fd;
static uint8_t *bits;
static uint64_t log_size;

static void start(void)
{
	hostile_start(&h);
}

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(hostile_log, .init = start, .fini = abandon, .timeout = 40);

/* Of all memory, in a file that can be cut off. */
static void make_log(void)
{
	uint64_t end = 0;

	for (unsigned i = 0; i < h.vm.mem.n; i++) {
		const struct guest_region *r = &h.vm.mem.region[i];

		if (r->gpa + r->size > end)
			end = r->gpa + r->size;
	}
	log_size = end / PAGE / 8 + 1;
	log_fd = memfd_create("log", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(log_fd, (off_t)log_size), 0);
	bits =
	    mmap(NULL, log_size, PROT_READ | PROT_WRITE, MAP_SHARED, log_fd, 0);
	cr_assert_neq(bits, MAP_FAILED);
}

static void drop_log(void)
{
	munmap(bits, log_size);
	close(log_fd);
}

static void give_log(void)
{
	const struct log_description d = {log_size, 0};

	cr_assert_eq(
	    frontend_tell(&h.vm.fe, VU_SET_LOG_BASE, &d, sizeof(d), &log_fd, 1),
	    0);
}

static void set_addr(unsigned i, bool logged)
{
	const struct guest_vring *r = &h.vm.q[i].ring;
	const struct vu_addr a = {
	    .index = i,
	    .flags = logged ? VRING_LOG : 0,
	    .desc = guest_memory_uva(&h.vm.mem, r->desc_gpa),
	    .used = guest_memory_uva(&h.vm.mem, r->used_gpa),
	    .avail = guest_memory_uva(&h.vm.mem, r->avail_gpa),
	    .log = r->used_gpa,
	};

	cr_assert_eq(
	    frontend_tell(&h.vm.fe, VU_SET_VRING_ADDR, &a, sizeof(a), NULL, 0),
	    0);
}

/* In QEMU's order. */
static void switch_log(bool on)
{
	uint64_t features = h.vm.fe.features;

	if (on)
		features |= NETDEV_BIT(LOG_ALL);
	cr_assert_eq(frontend_tell_u64(&h.vm.fe, VU_SET_FEATURES, features), 0);
	for (unsigned i = 0; i < 2; i++)
		set_addr(i, on);
}

static void open_logged(const struct netdev_config *config)
{
	hostile_open(&h, config);
	make_log();
	give_log();
	switch_log(true);
}

static bool is_logged(uint64_t gpa)
{
	return bits[gpa / PAGE / 8] >> gpa / PAGE % 8 & 1;
}

static bool anything_logged(void)
{
	uint64_t i = 0;

	while (i < log_size && !bits[i])
		i++;
	return i < log_size;
}

/* Takes whatever evil has received.  Returns how many frames. */
static unsigned receive_all(int timeout_ms)
{
	uint8_t frame[2000];
	unsigned n = 0;

	while (
	    netdev_recv(&h.vm, 0, frame, sizeof(frame), n ? 0 : timeout_ms) > 0)
		n++;
	return n;
}

static uint64_t sent_to_evil(void)
{
	return swd_counter(&h.swd, "evil", "tx_packets");
}

Test(hostile_log, case_33_log_cut_off_under_traffic)
{
	open_logged(NULL);
	hostile_provoke(&h, PPS);
	cr_assert_gt(receive_all(1000), 0);
	cr_assert_eq(ftruncate(log_fd, 0), 0);
	receive_all(1000);
	hostile_expect_state(&h, "broken", "log_shrunk");
	hostile_stop_provoking(&h);
	drop_log();
	hostile_finish(&h);
}

Test(hostile_log, case_33_log_replaced_under_traffic)
{
	open_logged(NULL);
	hostile_provoke(&h, PPS);
	for (int i = 0; i < 200; i++) {
		drop_log();
		make_log();
		give_log();
		receive_all(0);
	}
	receive_all(1000);
	cr_expect(anything_logged());
	hostile_stop_provoking(&h);
	hostile_expect_state(&h, "up", NULL);
	drop_log();
	hostile_finish(&h);
}

Test(hostile_log, case_33_log_too_small_for_memory)
{
	hostile_open(&h, NULL);
	make_log();
	log_size--;
	give_log();
	cr_expect_eq(frontend_tell_u64(&h.vm.fe, VU_SET_FEATURES,
			 h.vm.fe.features | NETDEV_BIT(LOG_ALL)),
	    -EREMOTEIO);
	drop_log();
	hostile_expect_state(&h, "up", NULL);
	hostile_finish(&h);
}

Test(hostile_log, case_34_zero_length_descriptors)
{
	struct guest_buf b[] = {{UINT64_MAX, 0, true}, {0, HDR, true},
	    {0, 0, true}, {1ull << 60, 0, true}, {0, 1600, true}};
	struct guest_vring *rx;

	open_logged(&(struct netdev_config){.rx_empty = true});
	rx = netdev_rx_ring(&h.vm, 0);
	b[1].gpa = guest_memory_alloc(&h.vm.mem, PAGE, PAGE);
	b[4].gpa = guest_memory_alloc(&h.vm.mem, 2 * PAGE, PAGE);
	cr_assert_geq(guest_vring_add(rx, b, 5, false, 0), 0);
	guest_vring_publish(rx);
	hostile_provoke(&h, PPS);
	cr_assert(guest_vring_wait(rx, 2000));
	hostile_stop_provoking(&h);
	cr_expect(is_logged(b[1].gpa));
	cr_expect(is_logged(b[4].gpa));
	cr_expect_not(is_logged(b[4].gpa + PAGE));
	hostile_expect_state(&h, "up", NULL);
	drop_log();
	hostile_finish(&h);
}

/* All memory, as QEMU would have copied it at one moment. */
static uint8_t *copy_memory(void)
{
	uint8_t *copy, *to;
	uint64_t size = 0;

	for (unsigned i = 0; i < h.vm.mem.n; i++)
		size += h.vm.mem.region[i].size;
	copy = to = malloc(size);
	cr_assert_not_null(copy);
	for (unsigned i = 0; i < h.vm.mem.n; i++) {
		const struct guest_region *r = &h.vm.mem.region[i];

		memcpy(to, r->base, r->size);
		to += r->size;
	}
	return copy;
}

/* Every page that differs from the copy is in the log.  Returns how many. */
static unsigned compare_memory(const uint8_t *copy)
{
	unsigned n = 0;

	for (unsigned i = 0; i < h.vm.mem.n; i++) {
		const struct guest_region *r = &h.vm.mem.region[i];

		for (uint64_t at = 0; at < r->size; at += PAGE, copy += PAGE) {
			if (!memcmp(copy, r->base + at, PAGE))
				continue;
			cr_expect(is_logged(r->gpa + at), "page %#llx",
			    (unsigned long long)(r->gpa + at));
			n++;
		}
	}
	return n;
}

/* The driver does nothing meanwhile, so that all that changes is the switch's
 * doing.  Two regions, and the rings somewhere in them. */
Test(hostile_log, case_181_every_page_written_is_in_the_log)
{
	uint8_t *copy;

	hostile_open(&h, &(struct netdev_config){.regions = 2});
	make_log();
	give_log();
	switch_log(true);
	copy = copy_memory();
	hostile_provoke(&h, PPS);
	for (uint64_t n = sent_to_evil() + 100; sent_to_evil() < n;)
		usleep(10000); /* the suite's timeout is the limit */
	cr_assert_eq(netdev_stop(&h.vm, NULL), 0);
	hostile_stop_provoking(&h);
	cr_expect_gt(compare_memory(copy), 30);
	free(copy);
	drop_log();
	hostile_finish(&h);
}

/* Of frames for everybody, the sink and evil get the same number. */
Test(hostile_log, case_181_logging_switched_under_traffic_loses_nothing)
{
	uint64_t sunk, evil;

	hostile_open(&h, NULL);
	make_log();
	give_log();
	sunk = hostile_sink(&h);
	evil = sent_to_evil();
	hostile_provoke(&h, PPS);
	for (int i = 0; i < 300; i++) {
		switch_log(i % 2 == 0);
		receive_all(0);
	}
	hostile_stop_provoking(&h);
	hostile_await_sink(&h, sunk + 1);
	receive_all(100);
	cr_expect(netdev_faultless(&h.vm));
	cr_expect_eq(sent_to_evil() - evil +
			 swd_drops(&h.swd, "evil", "guest_ring_full"),
	    hostile_sink(&h) - sunk);
	drop_log();
	hostile_finish(&h);
}
