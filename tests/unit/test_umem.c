/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_umem.c - packet memory shared among sockets, and slots that rest.
 *
 * setsockopt() ends here for descriptors from FD on, so that the test decides
 * what the kernel says to a registration.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ports/xdp/uapi.h"
#include "ports/xdp/umem.h"
#include "switch/base/clock.h"

enum { SLOTS = 16384, RING = 2048, FD = 1 << 20 };

static struct pool *pool;
static struct err e;
static int answer;  /* errno of the next registrations */
static bool is_old; /* a kernel without metadata for what is sent */
static unsigned n_registered;

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	const struct umem_reg *reg = value;

	if (fd < FD)
		return (int)syscall(
		    SYS_setsockopt, fd, level, name, value, size);
	cr_assert_eq(level, SOL_XDP);
	cr_assert_eq(name, XDP_UMEM_REG);
	cr_assert_eq(size, sizeof(*reg));
	cr_assert_eq(reg->addr, (uintptr_t)pool->base);
	cr_assert_eq(reg->len, pool->size);
	cr_assert_eq(reg->chunk_size, POOL_FRAME_SIZE);
	cr_assert_eq(reg->headroom, 0);
	cr_assert_eq(reg->tx_metadata_len,
	    reg->flags ? sizeof(struct xsk_tx_metadata) : 0);
	if (is_old && reg->flags) {
		errno = EINVAL;
		return -1;
	}
	cr_assert(is_old || answer || reg->flags == XDP_UMEM_TX_METADATA_LEN);
	n_registered += !answer;
	errno = answer;
	return answer ? -1 : 0;
}

static void start(void)
{
	cr_assert_eq(pool_open(&pool, SLOTS * POOL_FRAME_SIZE, NULL), 0);
}

static void stop(void)
{
	pool_close(pool);
}

TestSuite(umem, .init = start, .fini = stop, .timeout = 30);

/* A member of kind @zerocopy, @multi that shares with @shared (-1: it
 * registers). */
static struct umem_member join(int fd, bool zerocopy, bool multi, int shared)
{
	struct umem_member m = {.kind = {zerocopy, multi}, .fd = FD + fd};
	unsigned before = n_registered;
	int got = 12345;

	cr_assert_eq(umem_prepare(&m, pool, &got, &e), 0, "%s", e.message);
	cr_assert_eq(got, shared < 0 ? -1 : FD + shared);
	cr_assert_eq(n_registered - before, shared < 0);
	return m;
}

#define JOIN(m, ...)                                                           \
	do {                                                                   \
		*(m) = join(__VA_ARGS__);                                      \
		cr_assert_eq(umem_join(m, &e), 0, "%s", e.message);            \
	} while (0)

Test(umem, sockets_of_one_kind_share)
{
	struct umem_member m[7];

	JOIN(&m[0], 0, true, false, -1);
	JOIN(&m[1], 1, false, false, -1);
	JOIN(&m[2], 2, true, true, -1);
	JOIN(&m[3], 3, false, true, -1);
	JOIN(&m[4], 4, true, false, 0);
	JOIN(&m[5], 5, false, true, 3);
	JOIN(&m[6], 6, false, false, 1);
	for (unsigned i = 0; i < 7; i++)
		for (unsigned j = 0; j < 7; j++) {
			cr_assert_neq(m[i].rx_holder, m[j].tx_holder);
			if (i == j)
				continue;
			cr_assert_neq(m[i].rx_holder, m[j].rx_holder);
			cr_assert_neq(m[i].tx_holder, m[j].tx_holder);
		}
}

Test(umem, who_registered_may_leave_first)
{
	struct umem_member a, b, c;
	sd_event *event;

	cr_assert_geq(sd_event_new(&event), 0);
	JOIN(&a, 0, true, false, -1);
	JOIN(&b, 1, true, false, 0);
	umem_leave(&a, pool, event);
	JOIN(&c, 2, true, false, 1);
	umem_leave(&b, pool, event);
	umem_leave(&c, pool, event);
	JOIN(&a, 3, true, false, -1);
	sd_event_unref(event);
}

Test(umem, one_that_failed_is_shared_by_nobody)
{
	struct umem_member a = join(0, true, false, -1);

	umem_leave(&a, pool, NULL);
	JOIN(&a, 1, true, false, -1);
}

Test(umem, kernel_that_completes_no_checksums)
{
	struct umem_member a, b;

	is_old = true;
	JOIN(&a, 0, false, false, -1);
	JOIN(&b, 1, false, false, 0);
	cr_expect_eq(a.tx_metadata_len, 0);
	cr_expect_eq(b.tx_metadata_len, 0);
	is_old = false;
	JOIN(&a, 2, true, false, -1);
	JOIN(&b, 3, true, false, 2);
	cr_expect_eq(a.tx_metadata_len, sizeof(struct xsk_tx_metadata));
	cr_expect_eq(b.tx_metadata_len, sizeof(struct xsk_tx_metadata));
}

Test(umem, memory_that_may_not_be_locked)
{
	struct umem_member m = {.fd = FD};
	int shared = 12345;

	answer = ENOBUFS;
	cr_assert_eq(umem_prepare(&m, pool, &shared, &e), -ENOBUFS);
	cr_expect(
	    strstr(e.message, "65536 KiB of packet memory"), "%s", e.message);
	cr_expect(strstr(e.hint, "LimitMEMLOCK"), "%s", e.hint);
	answer = EINVAL;
	cr_assert_eq(umem_prepare(&m, pool, &shared, &e), -EINVAL);
	cr_expect(strstr(e.message, "Invalid argument"), "%s", e.message);
}

Test(umem, receive_sides_have_fair_parts)
{
	struct umem_member m[100];
	sd_event *event;

	cr_assert_geq(sd_event_new(&event), 0);
	cr_expect_eq(umem_fill_goal(pool, RING), RING);
	JOIN(&m[0], 0, false, false, -1);
	cr_expect_eq(umem_fill_goal(pool, RING), RING);
	JOIN(&m[1], 1, false, false, 0);
	cr_expect_eq(umem_fill_goal(pool, RING), SLOTS / 4 / 2);
	JOIN(&m[2], 2, false, false, 1);
	cr_expect_eq(umem_fill_goal(pool, RING), SLOTS / 4 / 3);
	for (int i = 3; i < 100; i++)
		JOIN(&m[i], i, false, false, i - 1);
	cr_expect_eq(umem_fill_goal(pool, RING), 64, "or it receives nothing");
	for (unsigned i = 2; i < 100; i++)
		umem_leave(&m[i], pool, event);
	cr_expect_eq(umem_fill_goal(pool, RING), SLOTS / 4 / 2);
	sd_event_unref(event);
}

/* Lends @n slots to @holder. */
static void lend(struct pool_cache *cache, uint16_t holder, unsigned n)
{
	while (n--)
		pool_lend(pool, (uint32_t)pool_get(cache), holder);
}

/* Runs @event until @ms have passed since @begin. */
static void run_until(sd_event *event, uint64_t begin, uint64_t ms)
{
	uint64_t now;

	while ((now = clock_ms()) < begin + ms)
		cr_assert_geq(
		    sd_event_run(event, (begin + ms - now) * 1000), 0);
}

Test(umem, slots_rest_before_they_are_used_again)
{
	struct umem_member gone, other, next;
	struct pool_cache cache;
	uint64_t begin;
	sd_event *event;

	pool_cache_init(&cache, pool, 0);
	cr_assert_geq(sd_event_new(&event), 0);
	JOIN(&gone, 0, false, false, -1);
	JOIN(&other, 1, false, false, 0);
	lend(&cache, gone.rx_holder, 100);
	lend(&cache, gone.tx_holder, 10);
	lend(&cache, other.rx_holder, 5);
	pool_cache_fini(&cache);
	begin = clock_ms();
	umem_leave(&gone, pool, event);
	run_until(event, begin, UMEM_REST_MS / 2);
	cr_assert_eq(pool_n_free(pool), SLOTS - 115, "a card may write there");
	JOIN(&next, 2, false, false, 1);
	cr_assert_neq(next.rx_holder, gone.rx_holder, "its number rests too");
	run_until(event, begin, UMEM_REST_MS + 500);
	cr_assert_eq(pool_n_free(pool), SLOTS - 5);
	JOIN(&next, 3, false, false, 2);
	cr_assert_eq(next.rx_holder, gone.rx_holder);
	sd_event_unref(event);
}

Test(umem, there_are_so_many_sockets_and_no_more)
{
	enum { MAX = 4096 };
	static struct umem_member m[MAX + 1];
	unsigned n = 0;

	while (n <= MAX && !umem_join(&m[n], &e))
		n++;
	cr_assert_eq(n, MAX);
	cr_expect(strstr(e.message, "4096"), "%s", e.message);
	cr_expect_eq(m[MAX - 1].tx_holder, 2 * MAX, "in 16 bits, and not 0");
	umem_leave(&m[MAX], pool, NULL);
	cr_expect_eq(umem_fill_goal(pool, RING), 64);
}
