/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_restart.c - guests that outlive the switch.
 *
 * A switch that is killed says nothing to anybody, and no record of what was
 * under way is kept outside the rings: it is from them, whatever their format,
 * that the next one finds out where to go on.  What the front ends say of that
 * is long out of date.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/guest/lan.h"

static const struct netdev_config forgetful = {.stale_base = true};
static struct lan lan;

static void clean_up(void)
{
	lan_abandon(&lan);
}

TestSuite(restart, .fini = clean_up, .timeout = 30);

static void finish(void)
{
	for (unsigned i = 0; i < 20; i++)
		lan_both_ways(&lan);
	lan_settle(&lan);
	lan_finish(&lan);
}

/* Another switch where there was one, with the guests on it that there were;
 * the first of them is the last to come back.  Rings are enabled before they
 * start, because a back end discards what is in one that is started and not
 * enabled (vhost-user, "Ring states"). */
static void bring_back(void)
{
	cr_assert_eq(swd_respawn(&lan.swd), 0);
	for (unsigned i = 2; i >= 1; i--) {
		char name[8];

		snprintf(name, sizeof(name), "vm%u", i);
		cr_assert_eq(swd_do(&lan.swd, "port.add",
				 "{'name':'%s','type':'vhost-user'}", name),
		    0);
		netdev_disconnect(&lan.vm[i]);
		lan.before[i] = lan.vm[i].n_sent;
		cr_assert_eq(netdev_connect(&lan.vm[i]), 0);
		for (unsigned k = 0; k < 2; k++)
			cr_assert_eq(frontend_tell_state(&lan.vm[i].fe,
					 VU_SET_VRING_ENABLE, k, 1),
			    0);
		cr_assert_eq(netdev_start(&lan.vm[i]), 0);
		cr_assert(swd_await_state(&lan.swd, name, "up"));
	}
}

Test(restart, guests_outlive_the_switch)
{
	lan_start(&lan, 2, &forgetful, NULL);
	lan_both_ways(&lan);
	lan_settle(&lan);
	swd_kill(&lan.swd);
	bring_back();
	finish();
}

enum { BURST = 80 };

/* Both guests have back all that they sent. */
static void drain(void)
{
	for (unsigned i = 1; i <= 2; i++)
		cr_assert_eq(netdev_drain_tx(&lan.vm[i], 0, LAN_WAIT_MS), 0);
}

/* Returns when no thread of the switch runs any more. */
static void stop_switch(void)
{
	int status;

	kill(lan.swd.pid, SIGSTOP);
	cr_assert_eq(waitpid(lan.swd.pid, &status, WUNTRACED), lan.swd.pid);
	cr_assert(WIFSTOPPED(status));
}

/* Queues frames of one length from vm1 to vm2, in chains of two and three. */
static void send_burst(void)
{
	uint8_t frame[99];

	for (unsigned k = 0; k < BURST; k++) {
		const struct netdev_layout l = {.parts = 1 + k % 2};

		lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1), k);
		cr_assert_eq(netdev_queue_frame(
				 &lan.vm[1], 0, frame, sizeof(frame), &l, NULL),
		    0);
	}
	netdev_flush(&lan.vm[1], 0);
}

/* What a switch did not take before it was killed is there for the next. */
Test(restart, frames_in_the_ring_outlive_the_switch)
{
	uint8_t frame[99];

	lan_start(&lan, 2, &forgetful, NULL);
	for (unsigned i = 0; i < 3; i++) {
		lan_both_ways(&lan);
		drain();
		stop_switch();
		send_burst();
		swd_kill(&lan.swd);
		bring_back();
		lan.before[1] -= BURST; /* they are the new one's to count */
		for (unsigned k = 0; k < BURST; k++) {
			lan_build(
			    frame, sizeof(frame), lan_mac(2), lan_mac(1), k);
			lan_expect(&lan, 2, frame, sizeof(frame));
		}
		drain();
	}
	finish();
}

/* Whatever a switch was at when it was killed, the next one finds its place in
 * the rings.  Frames that were on their way may be lost or come again. */
Test(restart, switch_killed_in_the_middle)
{
	lan_start(&lan, 2, &forgetful, NULL);
	for (unsigned i = 0; i < 20; i++) {
		lan_both_ways(&lan);
		drain();
		send_burst();
		nanosleep(&(struct timespec){.tv_nsec = i * 7000}, NULL);
		swd_kill(&lan.swd);
		bring_back();
		drain();
		lan_discard(&lan, 2);
	}
	for (unsigned i = 0; i < 20; i++)
		lan_both_ways(&lan);
	lan_finish(&lan);
}
