/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_base.c - packet memory, doorbell, errors, levels.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "switch/base/counters.h"
#include "switch/base/doorbell.h"
#include "switch/base/err.h"
#include "switch/base/eth.h"
#include "switch/base/log.h"
#include "switch/base/pool.h"

Test(pool, gives_every_slot_once_and_takes_them_back)
{
	struct pool_cache a, b;
	struct pool *pool;
	uint8_t seen[512] = {0};
	unsigned n = 0;
	int64_t slot;

	cr_assert_eq(pool_open(&pool, 512 * POOL_FRAME_SIZE, NULL), 0);
	pool_cache_init(&a, pool, 0);
	pool_cache_init(&b, pool, 0);
	cr_assert_eq(pool_n_free(pool), 512);
	while ((slot = pool_get(n % 2 ? &a : &b)) >= 0 ||
	       (slot = pool_get(n % 2 ? &b : &a)) >= 0) {
		cr_assert_eq(seen[slot]++, 0);
		memset(pool_data(pool, (uint32_t)slot), 1, POOL_FRAME_SIZE);
		n++;
	}
	cr_assert_eq(n, 512);
	for (uint32_t i = 0; i < 512; i++)
		pool_put(i % 3 ? &a : &b, i);
	pool_cache_fini(&a);
	pool_cache_fini(&b);
	cr_assert_eq(pool_n_free(pool), 512);
	pool_close(pool);
}

Test(pool, believes_the_kernel_only_what_it_was_lent)
{
	struct pool_cache cache;
	struct pool *pool;
	uint32_t slot[3];

	cr_assert_eq(pool_open(&pool, 16 * POOL_FRAME_SIZE, NULL), 0);
	pool_cache_init(&cache, pool, 0);
	for (int i = 0; i < 3; i++)
		slot[i] = (uint32_t)pool_get(&cache);
	cr_expect_eq(
	    pool_slot(pool, pool_data(pool, slot[1]) + POOL_FRAME_SIZE - 1),
	    slot[1]);
	pool_lend(pool, slot[0], 7);
	pool_lend(pool, slot[1], 7);
	cr_expect_not(pool_return(pool, slot[0], 8), "another's");
	cr_expect_not(pool_return(pool, slot[2], 7), "never lent");
	cr_expect_not(pool_return(pool, 16, 7), "no slot");
	cr_expect_not(pool_return(pool, UINT64_MAX, 7), "no slot");
	cr_expect(pool_return(pool, slot[0], 7));
	cr_expect_not(pool_return(pool, slot[0], 7), "twice");
	pool_put(&cache, slot[0]);
	pool_put(&cache, slot[2]);
	pool_cache_fini(&cache);
	cr_expect_eq(pool_n_free(pool), 15);
	cr_expect_eq(pool_recover(pool, 7), 1);
	cr_expect_eq(pool_n_free(pool), 16);
	pool_close(pool);
}

Test(pool, a_frame_of_several_slots_goes_back_whole)
{
	struct frame_seg seg[2];
	struct frame f = {.segs = seg, .n_segs = 2, .flags = FRAME_OWNED};
	struct pool_cache cache;
	struct pool *pool;

	cr_assert_eq(pool_open(&pool, 16 * POOL_FRAME_SIZE, NULL), 0);
	pool_cache_init(&cache, pool, 0);
	f.head = pool_data(pool, (uint32_t)pool_get(&cache)) + 100;
	for (int i = 0; i < 2; i++)
		seg[i].data = pool_data(pool, (uint32_t)pool_get(&cache));
	pool_put_frame(&cache, &f);
	pool_cache_fini(&cache);
	cr_expect_eq(pool_n_free(pool), 16);
	pool_close(pool);
}

Test(doorbell, rings_an_eventfd)
{
	struct doorbell *bell;
	int fd = eventfd(0, EFD_NONBLOCK);
	uint64_t n;

	cr_assert_eq(doorbell_open(&bell, NULL), 0);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(doorbell_ring(bell, fd), 0);
	cr_assert_eq(read(fd, &n, sizeof(n)), 8);
	cr_assert_eq(n, 1000);
	doorbell_close(bell);
}

/* A peer fills the counter and takes O_NONBLOCK away: a write would sleep. */
Test(doorbell, case_36_is_not_held_up_by_a_full_counter, .timeout = 5)
{
	struct doorbell *bell;
	int fd = eventfd(0, 0);
	uint64_t full = UINT64_MAX - 1;

	cr_assert_eq(write(fd, &full, sizeof(full)), 8);
	cr_assert_eq(doorbell_open(&bell, NULL), 0);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(doorbell_ring(bell, fd), 0);
	doorbell_close(bell);
}

Test(doorbell, knows_an_eventfd_from_other_files)
{
	struct doorbell *bell;
	int event = eventfd(0, 0), file = open("/dev/null", O_RDWR), p[2];

	cr_assert_eq(pipe(p), 0);
	cr_assert(doorbell_is_eventfd(event));
	cr_assert_not(doorbell_is_eventfd(file));
	cr_assert_not(doorbell_is_eventfd(p[1]));
	cr_assert_not(doorbell_is_eventfd(-1));
	cr_assert_eq(doorbell_open(&bell, NULL), 0);
	cr_assert_lt(doorbell_ring(bell, file), 0);
	cr_assert_lt(doorbell_ring(bell, -1), 0);
	doorbell_close(bell);
}

Test(err, keeps_one_sentence_and_its_hint)
{
	struct err e = {0};

	cr_assert_eq(err_set(&e, -EEXIST, "port %s exists", "vm1"), -EEXIST);
	err_arg(&e, "vm1");
	err_hint(&e, "use `%s`", "port set");
	cr_assert_str_eq(e.message, "port vm1 exists");
	cr_assert_str_eq(e.hint, "use `port set`");
	cr_assert_str_eq(e.arg, "vm1");
	cr_assert_str_eq(err_name(e.code), "EEXIST");
	err_set(&e, -EINVAL, "other");
	cr_assert_str_eq(e.hint, "");
	cr_assert_eq(err_set(NULL, -EIO, "nobody reads this"), -EIO);
}

Test(eth, mac_is_a_number_in_the_order_of_the_wire)
{
	uint8_t p[8] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0xaa, 0xbb}, q[6];

	cr_assert_eq(eth_mac(p), 0x021122334455ull);
	eth_mac_put(q, 0x021122334455ull);
	cr_assert_arr_eq(p, q, 6);
	cr_assert(eth_mac_is_group(ETH_MAC_BROADCAST));
	cr_assert(eth_mac_is_group(0x01005e000001ull));
	cr_assert_not(eth_mac_is_group(0x020000000001ull));
	cr_assert(eth_mac_is_reserved(0x0180c200000full));
	cr_assert_not(eth_mac_is_reserved(0x0180c2000010ull));
}

Test(log, levels_by_name_and_number)
{
	cr_assert_eq(log_level_parse("debug"), LOG_DEBUG);
	cr_assert_eq(log_level_parse("3"), LOG_ERR);
	cr_assert_eq(log_level_parse("33"), -EINVAL);
	cr_assert_eq(log_level_parse("loud"), -EINVAL);
}

Test(counters, every_reason_has_its_own_name)
{
	for (int i = 0; i < DROP_N; i++) {
		cr_assert_not_null(drop_name(i));
		for (int k = 0; k < i; k++)
			cr_assert_str_neq(drop_name(i), drop_name(k));
	}
}
