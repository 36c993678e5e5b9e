/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_inflight.c - a front end that misuses in-flight memory.
 *
 * Named after the cases of the history of vhost-user back ends; what each must
 * leave untouched is asserted by hostile_finish().  $CASE_REPEATS says how often
 * memory is asked for, which the case wants to be a million times.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
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

TestSuite(hostile_inflight, .init = start, .fini = abandon, .timeout = 3000);

static const struct netdev_config noted = {.inflight = true};

static void negotiate(void)
{
	hostile_leave(&h);
	hostile_connect(&h);
	cr_assert_eq(
	    frontend_negotiate(&h.vm.fe, NETDEV_FEATURES,
		NETDEV_PROTOCOL | NETDEV_BIT(VU_PROTOCOL_INFLIGHT_SHMFD)),
	    0);
}

static unsigned repeats(unsigned usual)
{
	const char *said = getenv("CASE_REPEATS");

	return said ? (unsigned)atoi(said) : usual;
}

/* Frames pass, and every buffer comes back. */
static void expect_traffic(void)
{
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};

	for (int i = 0; i < 100; i++)
		cr_assert_eq(
		    netdev_send(&h.vm, 0, frame, sizeof(frame), NULL), 0);
	cr_assert_eq(netdev_drain_tx(&h.vm, 0, 2000), 0);
}

Test(hostile_inflight, case_07_wrong_number_of_descriptors)
{
	struct vu_inflight i = {4096, 0, 2, 256};
	int fd[8];

	for (int k = 0; k < 8; k++)
		fd[k] = eventfd(0, 0);
	for (unsigned n = 0; n <= 8; n++) {
		negotiate();
		hostile_expect_refused(
		    &h, VU_SET_INFLIGHT_FD, &i, sizeof(i), fd, n);
		if (!n)
			continue;
		negotiate();
		hostile_expect_refused(
		    &h, VU_GET_INFLIGHT_FD, &i, sizeof(i), fd, n);
	}
	for (int k = 0; k < 8; k++)
		close(fd[k]);
	hostile_finish(&h);
}

Test(hostile_inflight, case_09_asked_for_again_and_again)
{
	unsigned n = repeats(3000), fds = 0, maps = 0;

	hostile_open(&h, &noted);
	for (unsigned k = 0; k < n; k++) {
		struct vu_inflight i = {
		    .n_queues = 4, .queue_size = (uint16_t)(1 << k % 16)};
		int fd;

		cr_assert_eq(frontend_get_inflight(&h.vm.fe, &i, &fd), 0);
		cr_assert_eq(frontend_set_inflight(&h.vm.fe, &i, fd), 0);
		close(fd);
		if (k == 9) {
			frontend_sync(&h.vm.fe);
			fds = swd_n_fds(&h.swd);
			maps = swd_n_maps(&h.swd);
		}
	}
	frontend_sync(&h.vm.fe);
	cr_expect_leq(swd_n_fds(&h.swd), fds);
	cr_expect_leq(swd_n_maps(&h.swd), maps + 1);
	expect_traffic();
	hostile_finish(&h);
}

/* Memory for rings of one size, and rings of another: these keep no notes. */
Test(hostile_inflight, case_16_ring_size_changed_after_memory_was_set)
{
	hostile_open(&h, &noted);
	for (unsigned size = 1; size < 32768; size *= 4) {
		struct vu_inflight i = {
		    .n_queues = 2, .queue_size = (uint16_t)size};
		int fd;

		cr_assert_eq(frontend_get_inflight(&h.vm.fe, &i, &fd), 0);
		close(fd);
		expect_traffic();
		hostile_expect_refused(&h, VU_SET_VRING_NUM,
		    &(struct vu_state){1, 1024}, sizeof(struct vu_state), NULL,
		    0);
		hostile_leave(&h);
		hostile_open(&h, &noted);
	}
	hostile_finish(&h);
}

/* What a successor finds: everything that notes can be. */
static void scribble(uint8_t *at, size_t size, unsigned round)
{
	uint16_t *word = (uint16_t *)at;

	for (size_t i = 0; i < size / 2; i++)
		word[i] = (uint16_t)(round % 2 ? rand() % 300 : rand());
	for (size_t part = 0; round % 3 && part < size; part += size / 2) {
		word[part / 2 + 4] = 1; /* version */
		word[part / 2 + 5] = 256;
	}
}

Test(hostile_inflight, case_18_corrupted_notes)
{
	for (unsigned round = 0; round < 30; round++) {
		struct vu_inflight i;
		uint8_t *at;

		hostile_open(&h, &noted);
		i = h.vm.inflight;
		at = mmap(NULL, i.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    h.vm.inflight_fd, (off_t)i.offset);
		cr_assert_neq(at, MAP_FAILED);
		netdev_disconnect(&h.vm);
		scribble(at, i.size, round);
		/* The guest's own rings may have got what they never gave. */
		netdev_reconnect(&h.vm);
		scribble(at, i.size, round + 1);
		frontend_sync(&h.vm.fe);
		munmap(at, i.size);
		hostile_leave(&h);
	}
	hostile_finish(&h);
}

/* Scribbled on while the rings run, the notes are only written. */
Test(hostile_inflight, case_18_notes_corrupted_under_traffic)
{
	struct vu_inflight i;
	uint8_t *at;

	hostile_open(&h, &noted);
	i = h.vm.inflight;
	at = mmap(NULL, i.size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    h.vm.inflight_fd, (off_t)i.offset);
	cr_assert_neq(at, MAP_FAILED);
	for (unsigned round = 0; round < 100; round++) {
		scribble(at, i.size, round);
		expect_traffic();
	}
	munmap(at, i.size);
	hostile_finish(&h);
}

Test(hostile_inflight, case_27_memory_shrunk_under_traffic)
{
	struct vu_inflight i = {
	    .size = 64 << 10, .n_queues = 2, .queue_size = 256};
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};
	int fd = memfd_create("notes", MFD_CLOEXEC);

	hostile_open(&h, &noted);
	cr_assert_eq(ftruncate(fd, 64 << 10), 0);
	cr_assert_eq(frontend_set_inflight(&h.vm.fe, &i, fd), 0);
	expect_traffic();
	cr_assert_eq(ftruncate(fd, 0), 0);
	netdev_send(&h.vm, 0, frame, sizeof(frame), NULL);
	hostile_expect_state(&h, "broken", "mem_shrunk");
	close(fd);
	hostile_finish(&h);
}

Test(hostile_inflight, case_28_wrong_kind_of_descriptor)
{
	struct vu_inflight i = {4096, 0, 2, 256};
	int fd[4], pair[2];

	fd[0] = open("/dev/zero", O_RDWR);
	cr_assert_eq(pipe(pair), 0);
	fd[1] = pair[1];
	fd[2] = open("/tmp", O_RDONLY | O_DIRECTORY);
	fd[3] = memfd_create("sealed", MFD_ALLOW_SEALING);
	cr_assert_eq(ftruncate(fd[3], 4096), 0);
	fcntl(fd[3], F_ADD_SEALS, F_SEAL_WRITE);
	for (unsigned k = 0; k < 4; k++) {
		negotiate();
		hostile_expect_refused(
		    &h, VU_SET_INFLIGHT_FD, &i, sizeof(i), &fd[k], 1);
		close(fd[k]);
	}
	close(pair[0]);
	hostile_finish(&h);
}
