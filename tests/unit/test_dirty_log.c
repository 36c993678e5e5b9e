/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_dirty_log.c - the bitmap alone: which bits, and whose file.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ports/vhost/dirty_log.h"

enum { PAGE = DIRTY_LOG_PAGE, SIZE = 3 * 4096 };

static unsigned n_broken;

static void on_broken(void *owner)
{
	(void)owner;
	n_broken++;
}

static int make_file(off_t size)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, size), 0);
	return fd;
}

static int open_log(struct dirty_log **log, int fd, uint64_t at, uint64_t size)
{
	struct err e;

	return dirty_log_open(log, fd, at, size, on_broken, NULL, &e);
}

/* The file's bytes [0, SIZE) have these bits and no others. */
static void expect_bits(int fd, const unsigned bit[], unsigned n)
{
	static uint8_t want[SIZE], is[SIZE];

	memset(want, 0, SIZE);
	for (unsigned i = 0; i < n; i++)
		want[bit[i] / 8] |= (uint8_t)(1 << bit[i] % 8);
	cr_assert_eq(pread(fd, is, SIZE, 0), SIZE);
	for (unsigned i = 0; i < SIZE; i++)
		cr_assert_eq(is[i], want[i], "byte %u is %#x", i, is[i]);
}

Test(dirty_log, a_bit_for_each_page_and_no_other)
{
	int fd = make_file(SIZE);
	struct dirty_log *log;

	cr_assert_eq(open_log(&log, fd, 0, SIZE), 0);
	cr_expect(dirty_log_mark(log, 0, 1));
	cr_expect(dirty_log_mark(log, 8 * PAGE - 1, 1));
	cr_expect(dirty_log_mark(log, 100 * PAGE - 1, 2));
	cr_expect(dirty_log_mark(log, 200 * PAGE, 3 * PAGE));
	cr_expect(dirty_log_mark(log, (8ull * SIZE - 1) * PAGE, PAGE));
	expect_bits(
	    fd, (unsigned[]){0, 7, 99, 100, 200, 201, 202, 8 * SIZE - 1}, 8);
	dirty_log_free(log);
	close(fd);
}

/* Bits that somebody fetched and cleared come back with the next write. */
Test(dirty_log, marks_again_what_was_cleared)
{
	int fd = make_file(SIZE);
	struct dirty_log *log;

	cr_assert_eq(open_log(&log, fd, 0, SIZE), 0);
	for (unsigned i = 0; i < 3; i++) {
		cr_expect(dirty_log_mark(log, 9 * PAGE, 4));
		expect_bits(fd, (unsigned[]){9}, 1);
		cr_assert_eq(pwrite(fd, "\0\0", 2, 0), 2);
	}
	dirty_log_free(log);
	close(fd);
}

Test(dirty_log, begins_at_its_offset)
{
	int fd = make_file(SIZE);
	struct dirty_log *log;

	cr_assert_eq(open_log(&log, fd, 4100, 8), 0);
	cr_expect(dirty_log_mark(log, 0, 1));
	expect_bits(fd, (unsigned[]){4100 * 8}, 1);
	dirty_log_free(log);
	close(fd);
}

Test(dirty_log, case_33_nothing_is_written_past_a_log_too_small)
{
	static const struct {
		uint64_t guest, len;
	} bad[] = {
	    {64 * PAGE, 1},
	    {64 * PAGE - 1, 2},
	    {0, 64ull * PAGE + 1},
	    {UINT64_MAX, 1},
	    {UINT64_MAX, 2},
	    {UINT64_MAX - PAGE, 2 * PAGE},
	    {0, UINT64_MAX},
	};
	int fd = make_file(SIZE);
	struct dirty_log *log;

	cr_assert_eq(open_log(&log, fd, 0, 8), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_expect_not(
		    dirty_log_covers(log, bad[i].guest, bad[i].len), "%u", i);
		cr_expect_not(
		    dirty_log_mark(log, bad[i].guest, bad[i].len), "%u", i);
	}
	cr_expect(dirty_log_covers(log, 0, 64 * PAGE));
	expect_bits(fd, NULL, 0);
	dirty_log_free(log);
	close(fd);
}

Test(dirty_log, case_34_zero_bytes_are_no_page)
{
	int fd = make_file(SIZE);
	struct dirty_log *log;

	cr_assert_eq(open_log(&log, fd, 0, SIZE), 0);
	cr_expect(dirty_log_mark(log, 0, 0));
	cr_expect(dirty_log_mark(log, PAGE, 0));
	cr_expect(dirty_log_mark(log, UINT64_MAX, 0));
	expect_bits(fd, NULL, 0);
	dirty_log_free(log);
	close(fd);
}

Test(dirty_log, case_28_takes_only_memory_that_is_there)
{
	int fd = make_file(SIZE), pair[2];
	struct dirty_log *log;

	cr_assert_eq(pipe(pair), 0);
	cr_expect_eq(open_log(&log, fd, 0, 0), -EINVAL);
	cr_expect_eq(open_log(&log, fd, 0, SIZE + 1), -EINVAL);
	cr_expect_eq(open_log(&log, fd, SIZE, 1), -EINVAL);
	cr_expect_eq(open_log(&log, fd, UINT64_MAX, 2), -EINVAL);
	cr_expect_eq(open_log(&log, fd, 2, UINT64_MAX), -EINVAL);
	cr_expect_eq(open_log(&log, pair[0], 0, 8), -EMEDIUMTYPE);
	cr_expect_neq(open_log(&log, -1, 0, 8), 0);
	close(pair[0]);
	close(pair[1]);
	close(fd);
}

Test(dirty_log, case_33_cut_off_under_us)
{
	int fd = make_file(SIZE);
	struct dirty_log *log;

	guard_install(NULL);
	cr_assert_eq(open_log(&log, fd, 0, SIZE), 0);
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_expect(dirty_log_mark(log, 0, 10 * PAGE));
	cr_expect(guard_is_broken(&log->guard));
	cr_expect_eq(n_broken, 1);
	dirty_log_free(log);
	close(fd);
}

Test(dirty_log, case_33_is_sealed_where_it_can_be)
{
	int fd = memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct dirty_log *log;

	cr_assert_eq(ftruncate(fd, SIZE), 0);
	cr_assert_eq(open_log(&log, fd, 0, SIZE), 0);
	cr_expect_eq(ftruncate(fd, 0), -1);
	cr_expect_eq(errno, EPERM);
	dirty_log_free(log);
	close(fd);
}
