/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_link_watch.c - the real kernel's news of interfaces, as reported.
 */
#include <fcntl.h>
#include <time.h>

#include "ports/link/watch.h"
#include "tests/unit/netns.h"

enum { SEEN_MAX = 64, PATIENCE_MS = 3000, QUIET_MS = 60 };

static sd_event *event;
static struct err e;

/* What a watch has reported, oldest first. */
static struct {
	enum link_event what;
	struct link now;
} seen[SEEN_MAX];
static unsigned n_seen;

static struct link_watch *watch;

static void note(void *arg, enum link_event what, const struct link *now)
{
	(void)arg;
	cr_assert_lt(n_seen, SEEN_MAX);
	cr_expect_eq(!now, what == LINK_GONE);
	seen[n_seen].what = what;
	if (now)
		seen[n_seen].now = *now;
	n_seen++;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Runs the loop until there are @n reports, then until nothing more comes. */
static void await(unsigned n)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (n_seen < n && now_ms() < end)
		sd_event_run(event, 10000);
	end = now_ms() + QUIET_MS;
	while (now_ms() < end)
		sd_event_run(event, 10000);
}

/* Waits for the reports @n that are due, and forgets them. */
static void expect(unsigned n)
{
	await(n);
	cr_expect_eq(n_seen, n, "%u reports, not %u", n_seen, n);
	n_seen = 0;
}

static struct link get(const char *name)
{
	struct link l = {0};

	cr_assert_eq(link_get(name, &l, &e), 0, "%s", e.message);
	return l;
}

static unsigned n_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct link_watch *open_watch(const char *name)
{
	struct link_watch *w = NULL;

	cr_assert_eq(link_watch_open(&w, event, name, note, NULL, &e), 0, "%s",
	    e.message);
	return w;
}

static void make(void)
{
	sh("ip link add name lnk0 numrxqueues 4 numtxqueues 4 type veth"
	   " peer name lnk1 numrxqueues 4 numtxqueues 4");
}

static void start(void)
{
	netns_enter();
	make();
	cr_assert_geq(sd_event_new(&event), 0);
	watch = open_watch("lnk0");
}

static void stop(void)
{
	link_watch_close(watch);
	event = sd_event_unref(event);
}

TestSuite(link_watch, .init = start, .fini = stop, .timeout = 30);

Test(link_watch, says_nothing_while_nothing_changes)
{
	sh("ip link add name lnk2 type veth peer name lnk3");
	sh("ip link set lnk2 up");
	sh("ip link set lnk1 mtu 1400");
	sh("ip link set lnk0 mtu 1500");
	expect(0);
}

Test(link_watch, up_and_down)
{
	sh("ip link set lnk0 up");
	await(1);
	cr_assert_eq(n_seen, 1);
	cr_expect_eq(seen[0].what, LINK_CHANGED);
	cr_expect(seen[0].now.up);
	cr_expect_not(seen[0].now.carrier);
	sh("ip link set lnk1 up");
	await(2);
	cr_assert_geq(n_seen, 2);
	cr_expect(seen[n_seen - 1].now.carrier);
	sh("ip link set lnk0 down");
	await(3);
	cr_assert_geq(n_seen, 3);
	cr_expect_not(seen[n_seen - 1].now.up);
	cr_expect_not(seen[n_seen - 1].now.carrier);
}

Test(link_watch, mtu_address_and_master)
{
	sh("ip link set lnk0 mtu 1400");
	await(1);
	cr_expect_eq(seen[0].now.mtu, 1400);
	expect(1);
	sh("ip link set lnk0 address 02:00:00:00:00:07");
	await(1);
	cr_expect_eq(seen[0].now.mac, 0x020000000007);
	expect(1);
	sh("ip link add lnkbr type bridge && ip link set lnk0 master lnkbr");
	await(1);
	cr_expect_eq(seen[0].now.master, get("lnkbr").ifindex);
	expect(1);
	sh("ip link set lnk0 nomaster"); /* an RTM_DELLINK of AF_BRIDGE */
	await(1);
	cr_expect_eq(seen[0].what, LINK_CHANGED);
	expect(1);
}

Test(link_watch, rename_of_a_bound_one_is_a_change)
{
	link_watch_bind(watch, get("lnk0").ifindex);
	expect(0);
	sh("ip link set lnk0 name lnk9");
	await(1);
	cr_expect_eq(seen[0].what, LINK_CHANGED);
	cr_expect_str_eq(seen[0].now.name, "lnk9");
	expect(1);
	sh("ip link add name lnk0 type veth peer name lnk8");
	expect(0);
}

Test(link_watch, rename_of_one_followed_by_name_is_its_end)
{
	sh("ip link set lnk0 name lnk9");
	await(1);
	cr_expect_eq(seen[0].what, LINK_GONE);
	expect(1);
	sh("ip link set lnk9 name lnk0");
	await(1);
	cr_expect_eq(seen[0].what, LINK_CHANGED);
	expect(1);
}

Test(link_watch, removed_and_back_by_name)
{
	unsigned first = get("lnk0").ifindex;

	link_watch_bind(watch, first);
	sh("ip link del lnk0");
	await(1);
	cr_expect_eq(seen[0].what, LINK_GONE);
	expect(1);
	make();
	expect(0);
	link_watch_bind(watch, 0);
	await(1);
	cr_expect_eq(seen[0].what, LINK_CHANGED);
	cr_expect_eq(seen[0].now.ifindex, get("lnk0").ifindex);
	cr_expect_neq(seen[0].now.ifindex, first);
	expect(1);
}

/* Both pieces of news lie in the socket before either is read. */
Test(link_watch, replaced_one_is_gone_first)
{
	sh("ip link del lnk0");
	make();
	await(2);
	cr_expect_eq(seen[0].what, LINK_GONE);
	cr_expect_eq(seen[1].what, LINK_CHANGED);
	expect(2);
}

Test(link_watch, successor_of_the_same_index_is_not_the_same)
{
	unsigned ifindex = get("lnk0").ifindex;

	link_watch_bind(watch, ifindex);
	expect(0);
	sh("ip link del lnk0");
	sh("ip link add name lnk0 index %u type veth peer name lnk1", ifindex);
	await(2);
	cr_expect_eq(seen[0].what, LINK_GONE);
	cr_expect_eq(seen[1].what, LINK_CHANGED);
	expect(2);
}

Test(link_watch, one_that_appears_later)
{
	struct link_watch *w = open_watch("lnk5");

	expect(0);
	sh("ip link add name lnk5 type veth peer name lnk6");
	await(1);
	cr_expect_eq(seen[0].what, LINK_CHANGED);
	cr_expect_str_eq(seen[0].now.name, "lnk5");
	link_watch_close(w);
}

Test(link_watch, bound_to_one_that_is_gone_already)
{
	unsigned ifindex = get("lnk0").ifindex;

	sh("ip link del lnk0");
	expect(1);
	link_watch_bind(watch, ifindex);
	await(1);
	cr_expect_eq(seen[0].what, LINK_GONE);
	expect(1);
}

Test(link_watch, moved_to_another_namespace_is_gone)
{
	pid_t elsewhere = netns_elsewhere();

	link_watch_bind(watch, get("lnk0").ifindex);
	sh("ip link set lnk0 netns %d", elsewhere);
	await(1);
	cr_expect_eq(seen[0].what, LINK_GONE);
	expect(1);
	netns_end(elsewhere);
}

Test(link_watch, channels)
{
	sh("ethtool -L lnk0 rx 2 tx 2");
	await(1);
	cr_expect_eq(seen[0].what, LINK_CHANNELS);
	cr_expect_str_eq(seen[0].now.name, "lnk0");
	expect(1);
	link_watch_bind(watch, get("lnk0").ifindex);
	sh("ethtool -L lnk0 rx 3 tx 3");
	await(1);
	cr_expect_eq(seen[0].what, LINK_CHANNELS);
	expect(1);
	sh("ethtool -L lnk1 rx 2 tx 2");
	expect(0);
}

/* More than the socket holds, so that what comes after it is lost. */
static void drown_news(void)
{
	unsigned noisy;

	sh("ip link show lnk2 2>/dev/null >&2 ||"
	   " ip link add name lnk2 type veth peer name lnk3");
	noisy = get("lnk2").ifindex;
	for (unsigned i = 0; i < 5000; i++)
		link_set_mtu(noisy, 1000 + i % 2, NULL);
}

Test(link_watch, lost_news_are_asked_for)
{
	struct link_watch *other = open_watch("lnk1");

	link_watch_bind(other, get("lnk1").ifindex);
	drown_news();
	sh("ip link set lnk0 mtu 1300");
	await(1);
	cr_expect_eq(seen[0].now.mtu, 1300);
	expect(1);
	drown_news();
	sh("ip link del lnk0");
	await(2);
	cr_expect_eq(seen[0].what, LINK_GONE);
	cr_expect_eq(seen[1].what, LINK_GONE);
	expect(2);
	link_watch_close(other);
}

Test(link_watch, replacement_among_lost_news)
{
	drown_news();
	sh("ip link del lnk0");
	make();
	await(2);
	cr_expect_eq(seen[0].what, LINK_GONE);
	cr_expect_eq(seen[1].what, LINK_CHANGED);
	expect(2);
}

/* Callbacks that close, bind and open. */
static struct link_watch *victim, *opened;

static void close_both(void *arg, enum link_event what, const struct link *now)
{
	note(arg, what, now);
	link_watch_close(watch);
	link_watch_close(victim);
	watch = victim = NULL;
	cr_expect_eq(now->mtu, 1300, "lives as long as the call");
}

Test(link_watch, callback_closes_its_own_and_another)
{
	unsigned before;

	link_watch_close(watch);
	before = n_fds();
	link_watch_open(&victim, event, "lnk0", close_both, NULL, &e);
	link_watch_open(&watch, event, "lnk0", close_both, NULL, &e);
	sh("ip link set lnk0 mtu 1300");
	expect(1);
	cr_expect_eq(n_fds(), before, "the sockets went with the last watch");
}

static void close_own(void *arg, enum link_event what, const struct link *now)
{
	note(arg, what, now);
	link_watch_close(watch);
	watch = NULL;
}

Test(link_watch, nothing_comes_after_close)
{
	link_watch_close(watch);
	link_watch_open(&watch, event, "lnk0", close_own, NULL, &e);
	sh("ip link del lnk0");
	make();
	await(1);
	cr_expect_eq(seen[0].what, LINK_GONE);
	expect(1);
}

static void follow_name(void *arg, enum link_event what, const struct link *now)
{
	note(arg, what, now);
	if (what == LINK_GONE) {
		link_watch_bind(watch, 0);
		opened = open_watch("lnk1");
	} else {
		link_watch_bind(watch, now->ifindex);
	}
}

Test(link_watch, callback_binds_and_opens)
{
	link_watch_close(watch);
	link_watch_open(&watch, event, "lnk0", follow_name, NULL, &e);
	link_watch_bind(watch, get("lnk0").ifindex);
	sh("ip link del lnk0");
	await(1);
	cr_expect_eq(seen[0].what, LINK_GONE);
	expect(1);
	make();
	await(2); /* lnk0 is back, and lnk1 is there */
	cr_expect_eq(seen[0].what, LINK_CHANGED);
	cr_expect_eq(seen[1].what, LINK_CHANGED);
	expect(2);
	sh("ip link set lnk0 name lnk4"); /* bound again */
	await(1);
	cr_expect_str_eq(seen[0].now.name, "lnk4");
	expect(1);
	link_watch_close(opened);
}

Test(link_watch, a_thousand_share_one_pair_of_sockets)
{
	static struct link_watch *many[1000];
	unsigned before = n_fds();
	char name[IFNAMSIZ];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "none%u", i);
		many[i] = open_watch(name);
	}
	cr_expect_eq(n_fds(), before);
	sh("ip link add name none500 type veth peer name none501");
	await(2);
	cr_expect_eq(n_seen, 2);
	for (unsigned i = 0; i < 1000; i++)
		link_watch_close(many[i]);
	cr_expect_eq(n_fds(), before);
}

Test(link_watch, bad_name_is_refused)
{
	struct link_watch *w = NULL;

	cr_expect_eq(
	    link_watch_open(&w, event, "a/b", note, NULL, &e), -EINVAL);
	cr_expect_null(w);
	link_watch_close(NULL);
}
