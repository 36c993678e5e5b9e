/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vhost_memory.c - guest memory: what is mapped, what is refused, SIGBUS.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/vhost/memory.h"

enum { PAGE = 4096, SIZE = 4 * PAGE };

static const uint64_t guest = 1ull << 32, user = 1ull << 46;

static int new_memfd(off_t size, unsigned flags)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | flags);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, size), 0);
	return fd;
}

static struct vhost_region_msg region(unsigned i)
{
	return (struct vhost_region_msg){
	    guest + i * SIZE, SIZE, user - i * (1ull << 20), 0};
}

/* @n regions of one file each, all of which say at which place they are. */
static struct vhost_memory *grow(struct vhost_memory *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct vhost_region_msg msg = region(i);
		int fd = new_memfd(SIZE, MFD_ALLOW_SEALING);
		struct vhost_memory *heir;

		cr_assert_eq(pwrite(fd, &i, sizeof(i), 0), sizeof(i));
		cr_assert_eq(
		    vhost_memory_add(&heir, from, &msg, &fd, 1, NULL), 0);
		vhost_memory_free(from, heir);
		close(fd);
		from = heir;
	}
	return from;
}

static void expect_refused(struct vhost_region_msg msg, int fd, int code)
{
	struct vhost_memory *m = (void *)1;
	struct err e = {0};

	cr_expect_eq(vhost_memory_add(&m, NULL, &msg, &fd, 1, &e), code,
	    "%s instead of %s", e.message, strerror(-code));
	cr_expect_eq(e.code, code);
	cr_expect_eq(m, (void *)1);
}

Test(vhost_memory, translates_to_the_end_of_a_region_and_no_further)
{
	struct vhost_memory *m = grow(NULL, 2);
	uint32_t got = 77;
	uint8_t *p = vhost_memory_at(m, guest, 100, &got);

	cr_assert_not_null(p);
	cr_expect_eq(got, 100);
	cr_expect_eq(
	    vhost_memory_at(m, guest + SIZE - 1, 100, &got), p + SIZE - 1);
	cr_expect_eq(got, 1);
	cr_expect_not_null(vhost_memory_at(m, guest + SIZE, 8, &got));
	cr_expect_eq(got, 8);
	cr_expect_null(vhost_memory_at(m, guest + 2 * SIZE, 8, &got));
	cr_expect_null(vhost_memory_at(m, guest - 1, 8, &got));
	cr_expect_null(vhost_memory_at(m, UINT64_MAX, 8, &got));
	cr_expect_eq(got, 8);
	vhost_memory_free(m, NULL);
}

Test(vhost_memory, translates_user_addresses_within_one_region)
{
	struct vhost_memory *m = grow(NULL, 2);
	uint32_t got;

	cr_expect_eq(vhost_memory_at_user(m, user + 5, SIZE - 5),
	    vhost_memory_at(m, guest + 5, 1, &got));
	cr_expect_null(vhost_memory_at_user(m, user + 5, SIZE - 4));
	cr_expect_null(vhost_memory_at_user(m, user + 5, UINT64_MAX));
	cr_expect_null(vhost_memory_at_user(m, user - 1, 1));
	cr_expect_null(vhost_memory_at_user(m, 0, 1));
	vhost_memory_free(m, NULL);
}

Test(vhost_memory, maps_at_an_offset_that_is_no_page_boundary)
{
	struct vhost_region_msg msg = {guest, 1000, user, PAGE + 123};
	int fd = new_memfd(SIZE, 0);
	struct vhost_memory *m;
	uint32_t got;

	cr_assert_eq(pwrite(fd, "hello", 5, PAGE + 123), 5);
	cr_assert_eq(vhost_memory_add(&m, NULL, &msg, &fd, 1, NULL), 0);
	cr_expect_arr_eq(vhost_memory_at(m, guest, 5, &got), "hello", 5);
	vhost_memory_free(m, NULL);
}

Test(vhost_memory, case_25_refuses_what_wraps_or_is_empty)
{
	int fd = new_memfd(SIZE, 0);

	expect_refused(
	    (struct vhost_region_msg){guest, 0, user, 0}, fd, -EINVAL);
	expect_refused(
	    (struct vhost_region_msg){UINT64_MAX - 10, SIZE, user, 0}, fd,
	    -EINVAL);
	expect_refused(
	    (struct vhost_region_msg){guest, SIZE, UINT64_MAX - 10, 0}, fd,
	    -EINVAL);
	expect_refused(
	    (struct vhost_region_msg){guest, SIZE, user, UINT64_MAX - PAGE}, fd,
	    -EINVAL);
	expect_refused(
	    (struct vhost_region_msg){0, UINT64_MAX, 0, 0}, fd, -EINVAL);
	expect_refused((struct vhost_region_msg){0, UINT64_MAX - PAGE, 0, PAGE},
	    fd, -EINVAL);
}

Test(vhost_memory, refuses_a_region_longer_than_its_file)
{
	int fd = new_memfd(SIZE, 0);

	expect_refused(
	    (struct vhost_region_msg){guest, SIZE + 1, user, 0}, fd, -EINVAL);
	expect_refused(
	    (struct vhost_region_msg){guest, SIZE, user, 1}, fd, -EINVAL);
}

Test(vhost_memory, refuses_regions_that_overlap)
{
	struct vhost_region_msg msg[] = {region(0), region(1)};
	int fd[] = {new_memfd(SIZE, 0), new_memfd(SIZE, 0)};
	struct vhost_memory *m;

	msg[1].guest = msg[0].guest + SIZE - 1;
	cr_expect_eq(vhost_memory_add(&m, NULL, msg, fd, 2, NULL), -EINVAL);
	msg[1].guest = msg[0].guest - SIZE;
	cr_assert_eq(vhost_memory_add(&m, NULL, msg, fd, 2, NULL), 0);
	cr_expect_lt(m->region[0].guest, m->region[1].guest);
	vhost_memory_free(m, NULL);
}

Test(vhost_memory, case_28_refuses_what_is_not_memory)
{
	char name[] = "/var/tmp/swd-XXXXXX";
	int disk = mkstemp(name), pair[2], sealed;
	struct vhost_region_msg msg = region(0);
	char ro[32];

	cr_assert_eq(ftruncate(disk, SIZE), 0);
	unlink(name);
	expect_refused(msg, disk, -EMEDIUMTYPE);
	expect_refused(msg, open("/dev/zero", O_RDWR), -EMEDIUMTYPE);
	expect_refused(msg, open("/tmp", O_RDONLY), -EMEDIUMTYPE);
	cr_assert_eq(pipe(pair), 0);
	expect_refused(msg, pair[0], -EMEDIUMTYPE);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	expect_refused(msg, pair[0], -EMEDIUMTYPE);
	sealed = new_memfd(SIZE, MFD_ALLOW_SEALING);
	snprintf(ro, sizeof(ro), "/proc/self/fd/%d", sealed);
	expect_refused(msg, open(ro, O_RDONLY), -EACCES);
	cr_assert_eq(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), 0);
	expect_refused(msg, sealed, -EPERM);
}

Test(vhost_memory, case_27_seals_against_shrinking)
{
	struct vhost_region_msg msg = region(0);
	int fd = new_memfd(SIZE, MFD_ALLOW_SEALING);
	struct vhost_memory *m;

	cr_assert_eq(vhost_memory_add(&m, NULL, &msg, &fd, 1, NULL), 0);
	cr_expect_eq(ftruncate(fd, PAGE), -1);
	cr_expect_eq(errno, EPERM);
	vhost_memory_free(m, NULL);
}

static bool is_mapped(void *p)
{
	unsigned char resident;

	return !mincore(p, PAGE, &resident);
}

Test(vhost_memory, generations_share_their_mappings)
{
	struct vhost_memory *one = grow(NULL, 1), *two, *three;
	struct vhost_region_msg msg = region(1), first = region(0);
	int fd = new_memfd(SIZE, 0);
	void *shared = one->region[0].map.start, *second;

	cr_assert_eq(vhost_memory_add(&two, one, &msg, &fd, 1, NULL), 0);
	cr_expect_eq(two->n, 2);
	cr_expect_eq(two->region[0].map.start, shared);
	second = two->region[1].map.start;
	vhost_memory_free(one, two);
	cr_expect(is_mapped(shared));
	cr_assert_eq(vhost_memory_remove(&three, two, &first, NULL), 0);
	vhost_memory_free(two, three);
	cr_expect_not(is_mapped(shared));
	cr_expect(is_mapped(second));
	vhost_memory_free(three, NULL);
	cr_expect_not(is_mapped(second));
}

Test(vhost_memory, removes_only_what_is_named_exactly)
{
	struct vhost_memory *m = grow(NULL, 3), *heir;
	struct vhost_region_msg msg = region(1);

	msg.size--;
	cr_expect_eq(vhost_memory_remove(&heir, m, &msg, NULL), -ENOENT);
	msg = region(1);
	msg.user++;
	cr_expect_eq(vhost_memory_remove(&heir, m, &msg, NULL), -ENOENT);
	msg = region(1);
	msg.mmap_offset = 99;
	cr_assert_eq(vhost_memory_remove(&heir, m, &msg, NULL), 0);
	cr_expect_eq(heir->n, 2);
	cr_expect_eq(heir->region[1].guest, region(2).guest);
	vhost_memory_free(m, heir);
	vhost_memory_free(heir, NULL);
}

/* QEMU up to 8.0 announces all memory once for each pair of queues. */
Test(vhost_memory, counts_regions_that_are_added_again)
{
	struct vhost_memory *m = grow(NULL, 2), *heir;
	struct vhost_region_msg msg = region(1);
	void *map = m->region[1].map.start;
	int fd = new_memfd(SIZE, 0);

	cr_assert_eq(vhost_memory_add(&heir, m, &msg, &fd, 1, NULL), 0);
	vhost_memory_free(m, heir);
	cr_expect_eq(heir->n, 2);
	cr_expect_eq(heir->region[1].map.start, map);
	cr_assert_eq(vhost_memory_remove(&m, heir, &msg, NULL), 0);
	vhost_memory_free(heir, m);
	cr_expect_eq(m->n, 2);
	cr_assert_eq(vhost_memory_remove(&heir, m, &msg, NULL), 0);
	vhost_memory_free(m, heir);
	cr_expect_eq(heir->n, 1);
	cr_expect_not(is_mapped(map));
	cr_expect_eq(vhost_memory_remove(&m, heir, &msg, NULL), -ENOENT);
	vhost_memory_free(heir, NULL);
}

Test(vhost_memory, a_removed_region_does_not_hold_its_place)
{
	struct vhost_memory *m = grow(NULL, 1), *heir;
	struct vhost_region_msg msg = region(0);
	void *map = m->region[0].map.start;
	int fd = new_memfd(SIZE, 0);

	cr_assert_eq(vhost_memory_add(&heir, m, &msg, &fd, 1, NULL), 0);
	vhost_memory_free(m, heir);
	msg.guest += PAGE;
	cr_expect_eq(vhost_memory_add(&m, heir, &msg, &fd, 1, NULL), -EINVAL);
	msg = region(0);
	cr_assert_eq(vhost_memory_remove(&m, heir, &msg, NULL), 0);
	vhost_memory_free(heir, m);
	msg.guest += PAGE;
	cr_assert_eq(vhost_memory_add(&heir, m, &msg, &fd, 1, NULL), 0);
	vhost_memory_free(m, heir);
	cr_expect_eq(heir->n, 1);
	cr_expect_not(is_mapped(map));
	vhost_memory_free(heir, NULL);
}

Test(vhost_memory, holds_as_many_regions_as_it_says_and_no_more)
{
	struct vhost_region_msg msg = region(VHOST_REGIONS_MAX);
	struct vhost_memory *m = grow(NULL, VHOST_REGIONS_MAX), *heir;
	int fd = new_memfd(SIZE, 0);
	uint32_t got;

	for (unsigned i = 0; i < VHOST_REGIONS_MAX; i++) {
		uint8_t *p = vhost_memory_at(m, region(i).guest, 4, &got);

		cr_assert_arr_eq(p, &i, sizeof(i));
	}
	cr_expect_eq(vhost_memory_add(&heir, m, &msg, &fd, 1, NULL), -ENOSPC);
	vhost_memory_free(m, NULL);
}

static void count(void *owner)
{
	++*(int *)owner;
}

/* Under a sanitizer what was there before is not the default. */
static void guard_over_default(void)
{
	signal(SIGBUS, SIG_DFL);
	cr_assert_eq(guard_install(NULL), 0);
}

/* Memory of one file that cannot be sealed, cut off behind its first page. */
static struct vhost_memory *cut(int *broken, int *file)
{
	struct vhost_region_msg msg = region(0);
	int fd = new_memfd(SIZE, 0);
	struct vhost_memory *m;

	guard_over_default();
	cr_assert_eq(vhost_memory_add(&m, NULL, &msg, &fd, 1, NULL), 0);
	m->guard.owner = broken;
	m->guard.on_broken = count;
	memset(m->region[0].host, 0xee, SIZE);
	*file = fd;
	cr_assert_eq(ftruncate(fd, PAGE), 0);
	return m;
}

Test(vhost_memory, case_27_lives_when_memory_is_cut_off)
{
	int told = 0, fd;
	struct vhost_memory *m = cut(&told, &fd);
	volatile uint8_t *p = m->region[0].host;

	cr_expect_eq(p[0], 0xee);
	cr_expect_eq(m->guard.broken, 0);
	cr_expect_eq(p[PAGE + 10], 0);
	cr_expect_eq(m->guard.broken, 1);
	cr_expect_eq(told, 1);
	p[2 * PAGE] = 5;
	cr_expect_eq(p[2 * PAGE], 5);
	cr_expect_eq(p[3 * PAGE], 0);
	cr_expect_eq(told, 1);
	vhost_memory_free(m, NULL);
}

Test(vhost_memory, case_27_tells_every_generation)
{
	int told = 0, fd;
	struct vhost_memory *one = cut(&told, &fd), *two;
	struct vhost_region_msg msg = region(1);
	int other = new_memfd(SIZE, 0);

	cr_assert_eq(vhost_memory_add(&two, one, &msg, &other, 1, NULL), 0);
	cr_expect_eq(((volatile uint8_t *)two->region[0].host)[PAGE], 0);
	cr_expect_eq(one->guard.broken, 1);
	cr_expect_eq(two->guard.broken, 1);
	vhost_memory_free(one, two);
	vhost_memory_free(two, NULL);
}

Test(vhost_memory, an_heir_of_broken_memory_is_broken)
{
	int told = 0, fd;
	struct vhost_memory *one = cut(&told, &fd), *two;
	struct vhost_region_msg msg = region(1);
	int other = new_memfd(SIZE, 0);

	cr_expect_eq(((volatile uint8_t *)one->region[0].host)[PAGE], 0);
	cr_assert_eq(vhost_memory_add(&two, one, &msg, &other, 1, NULL), 0);
	cr_expect_eq(two->guard.broken, 1);
	vhost_memory_free(one, two);
	vhost_memory_free(two, NULL);
}

static void cut_and_touch_what_is_not_the_guests(void)
{
	int fd = new_memfd(PAGE, 0);
	volatile uint8_t *p =
	    mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	guard_over_default();
	cr_assert_eq(ftruncate(fd, 0), 0);
	p[0] = 1;
}

Test(vhost_memory, sigbus_elsewhere_still_kills, .signal = SIGBUS)
{
	cut_and_touch_what_is_not_the_guests();
}

Test(vhost_memory, sigbus_from_outside_still_kills, .signal = SIGBUS)
{
	guard_over_default();
	kill(getpid(), SIGBUS);
	pause();
}

Test(vhost_memory, sigbus_where_freed_memory_was_kills, .signal = SIGBUS)
{
	int told = 0, fd;
	struct vhost_memory *m = cut(&told, &fd);
	void *at = m->region[0].map.start;
	volatile uint8_t *p;

	vhost_memory_free(m, NULL);
	p = mmap(
	    at, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	p[PAGE] = 1;
}
