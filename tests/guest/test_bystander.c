/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_bystander.c - the bystander sees what it is there to see.
 *
 * A watcher that reports nothing because it sees nothing would make every
 * hostile test pass.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <time.h>

#include "tests/guest/bystander.h"
#include "tests/guest/lan.h"

static struct lan lan;
static struct bystander_report report;

static void clean_up(void)
{
	lan_abandon(&lan);
}

TestSuite(bystander, .fini = clean_up, .timeout = 30);

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

Test(bystander, is_undisturbed_by_good_neighbours)
{
	struct bystander *b;
	uint8_t frame[60];

	lan_start(&lan, 2, NULL, NULL);
	b = bystander_start(&lan.swd, NULL, 0);
	cr_assert_not_null(b);
	for (unsigned i = 0; i < 50; i++) {
		lan_build(frame, sizeof(frame), lan_stranger(1), lan_mac(1), i);
		lan_send(&lan, 1, frame, sizeof(frame));
		sleep_ms(2);
	}
	bystander_stop(b, &report);
	cr_expect(bystander_undisturbed(b, &report, 20000));
	cr_expect_gt(report.sent, 100);
	cr_expect_gt(report.foreign, 0, "floods do not reach it");
	cr_expect_gt(report.p50_ns, 0);
	cr_expect_leq(report.p50_ns, report.p999_ns);
	bystander_end(b);
	lan_finish(&lan);
}

Test(bystander, notices_loss)
{
	struct bystander *b;

	lan_start_empty(&lan, NULL);
	b = bystander_start(&lan.swd, NULL, 0);
	cr_assert_not_null(b);
	sleep_ms(50);
	cr_assert_eq(swd_do(&lan.swd, "port.set",
			 "{'name':'by2','bcast_flood':false,'mtu':68}"),
	    0);
	sleep_ms(50);
	cr_assert_eq(
	    swd_do(&lan.swd, "port.set", "{'name':'by2','mtu':1500}"), 0);
	sleep_ms(50);
	bystander_stop(b, &report);
	cr_expect_gt(report.lost, 0);
	cr_expect_not(bystander_undisturbed(b, &report, 20000));
	bystander_end(b);
	lan_finish(&lan);
}

Test(bystander, notices_a_stall)
{
	struct bystander *b;

	lan_start_empty(&lan, NULL);
	b = bystander_start(&lan.swd, NULL, 0);
	cr_assert_not_null(b);
	sleep_ms(50);
	kill(lan.swd.pid, SIGSTOP);
	sleep_ms(60);
	kill(lan.swd.pid, SIGCONT);
	sleep_ms(50);
	bystander_stop(b, &report);
	cr_expect_gt(report.stalls, 0);
	cr_expect_eq(report.lost, 0);
	bystander_end(b);
	lan_finish(&lan);
}
