/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_link_rss.c - the spread over receive queues, with a driver that has it.
 *
 * No virtual interface offers such a table, so the driver is played here:
 * this file's ioctl() is the one that is linked, and behaves like the
 * kernel's ethtool_get_rxfh_indir() and ethtool_set_rxfh_indir().
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ports/link/ethtool.h"

#include <linux/ethtool.h>

enum { TABLE = 128, QUEUES = 4 };

static uint32_t table[TABLE];
static unsigned claimed = TABLE; /* the size that the driver names */

static int get(struct ethtool_rxfh_indir *t)
{
	unsigned room = t->size;

	t->size = claimed;
	if (!room)
		return 0;
	cr_assert_leq(room, TABLE);
	memcpy(t->ring_index, table, room * sizeof(table[0]));
	return 0;
}

static int set(const struct ethtool_rxfh_indir *t)
{
	if (t->size && t->size != TABLE)
		return errno = EINVAL, -1;
	for (unsigned i = 0; i < TABLE; i++) {
		uint32_t queue = t->size ? t->ring_index[i] : i % QUEUES;

		if (queue >= QUEUES)
			return errno = EINVAL, -1;
		table[i] = queue;
	}
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	const struct ifreq *ifr;
	uint32_t cmd;
	va_list ap;

	(void)fd;
	(void)request;
	va_start(ap, request);
	ifr = va_arg(ap, const struct ifreq *);
	va_end(ap);
	cr_assert_str_eq(ifr->ifr_name, "card");
	memcpy(&cmd, ifr->ifr_data, sizeof(cmd));
	return cmd == ETHTOOL_GRXFHINDIR ? get((void *)ifr->ifr_data)
					 : set((void *)ifr->ifr_data);
}

Test(link_rss, spread_is_even_and_put_back)
{
	static const uint8_t queues[] = {1, 3};
	unsigned hits[QUEUES] = {0}, n = 0;
	uint32_t *before = NULL;

	cr_assert_eq(ethtool_rss_set("card", NULL, 0, NULL), 0);
	cr_assert_eq(ethtool_rss_get("card", &before, &n), 0);
	cr_assert_eq(n, TABLE);
	cr_assert_eq(ethtool_rss_spread("card", queues, 2, NULL), 0);
	for (unsigned i = 0; i < TABLE; i++)
		hits[table[i]]++;
	cr_expect_eq(hits[0] + hits[2], 0);
	cr_expect_eq(hits[1], TABLE / 2);
	cr_expect_eq(hits[3], TABLE / 2);
	cr_assert_eq(ethtool_rss_set("card", before, n, NULL), 0);
	cr_expect_arr_eq(table, before, sizeof(table));
	cr_expect_eq(table[5], 5 % QUEUES);
	free(before);
}

Test(link_rss, queue_that_is_not_there)
{
	static const uint8_t queues[] = {0, QUEUES};
	struct err e;

	cr_expect_eq(ethtool_rss_spread("card", queues, 2, &e), -EINVAL);
	cr_expect_str_eq(e.message,
	    "cannot set how interface card spreads "
	    "over its receive queues: Invalid argument");
}

Test(link_rss, absurd_size_is_refused)
{
	uint32_t *indir = NULL;
	unsigned n = 7;

	claimed = UINT32_MAX;
	cr_expect_eq(ethtool_rss_get("card", &indir, &n), -EOPNOTSUPP);
	claimed = 0;
	cr_expect_eq(ethtool_rss_get("card", &indir, &n), -EOPNOTSUPP);
	cr_expect_null(indir);
	cr_expect_eq(n, 7);
}
