/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_pipe.c - an application whose memory and rings are not in order.
 *
 * It is memif's client: what the switch reads and writes is all its own.  Cases
 * in which the application is merely odd end with its port up; cases in which it
 * breaks a ring end with the port broken, for the reason that `port show` gives.
 * The other role is in test_hostile_pipe_client.c.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/guest/hostile_pipe.h"

enum { FRAME = HOSTILE_FRAME, BUFFER = 2048 };

static struct hostile_pipe p;
static struct hostile *const h = &p.h;

static void start(void)
{
	hostile_pipe_begin(&p, &hostile_pipe_server, NULL);
}

static void start_empty(void)
{
	hostile_pipe_begin(
	    &p, &hostile_pipe_server, &(struct app_config){.in_empty = true});
}

static void abandon(void)
{
	hostile_abandon(h);
}

TestSuite(hostile_pipe, .init = start, .fini = abandon, .timeout = 40);
TestSuite(hostile_pipe_in, .init = start_empty, .fini = abandon, .timeout = 40);
TestSuite(hostile_pipe_other, .fini = abandon, .timeout = 40);

#define EACH(i, array)                                                         \
	for (size_t i = 0; i < sizeof(array) / sizeof((array)[0]); i++)

/* A good broadcast whose descriptor is then @bad. */
static void send_bad(struct memif_desc bad)
{
	hostile_pipe_fill(&p, 1);
	*app_desc(p.out, 0) = bad;
	app_publish(&p.app, p.out, 1);
}

/* Offers one buffer, and more of the same. */
static void offer_bad(struct memif_desc bad, unsigned n)
{
	for (unsigned k = 0; k < n; k++)
		*app_desc(p.in, k) = bad;
	__atomic_store_n(&p.in->shared->head, (uint16_t)n, __ATOMIC_RELEASE);
}

static uint32_t region_size(void)
{
	return (uint32_t)p.app.region[0].size;
}

/* The port breaks for @reason, and the application comes back. */
static void expect_broken_and_return(const char *reason)
{
	hostile_expect_state(h, "broken", reason);
	hostile_leave(h);
	hostile_pipe_open(&p, NULL);
}

Test(hostile_pipe, case_141_offset_and_length_wrap)
{
	const struct memif_desc bad[] = {
	    {.offset = 0xfffffff0, .len = FRAME},
	    {.offset = 0xffffffff, .len = 1},
	    {.offset = 64, .len = 0xffffffff},
	    {.offset = 0x80000000, .len = 0x80000000},
	    {.offset = 0xffffffff, .len = 0xffffffff},
	};

	EACH(i, bad)
	{
		send_bad(bad[i]);
		expect_broken_and_return("desc");
	}
	hostile_finish(h);
}

Test(hostile_pipe_in, case_141_receive_buffer_that_wraps)
{
	offer_bad((struct memif_desc){.offset = 0xffffffc0, .len = BUFFER}, 1);
	hostile_pipe_provoke_until_broken(&p, "desc");
	hostile_finish(h);
}

Test(hostile_pipe, case_142_region_that_is_not_there)
{
	static const uint16_t region[] = {1, 2, 255, 256, 32768, 65535};

	EACH(i, region)
	{
		send_bad(
		    (struct memif_desc){.region = region[i], .len = FRAME});
		expect_broken_and_return("desc");
	}
	hostile_finish(h);
}

Test(hostile_pipe_in, case_142_receive_buffer_in_no_region)
{
	offer_bad((struct memif_desc){.region = 1, .len = BUFFER}, 1);
	hostile_pipe_provoke_until_broken(&p, "desc");
	hostile_finish(h);
}

Test(hostile_pipe, case_142_last_byte_one_past_the_region)
{
	send_bad((struct memif_desc){
	    .offset = region_size() - FRAME + 1, .len = FRAME});
	hostile_finish_broken(h, "desc");
}

Test(hostile_pipe, case_142_last_byte_of_the_region_is_fine)
{
	const struct memif_desc last = {
	    .offset = region_size() - FRAME, .len = FRAME};

	memset(app_at(&p.app, &last), 0, FRAME);
	memset(app_at(&p.app, &last), 0xff, 6);
	app_at(&p.app, &last)[6] = 2;
	send_bad(last);
	hostile_await_sink(h, 1);
	hostile_finish(h);
}

Test(hostile_pipe_in, case_142_receive_buffer_past_the_region)
{
	offer_bad(
	    (struct memif_desc){.offset = region_size() - 100, .len = BUFFER},
	    1);
	hostile_pipe_provoke_until_broken(&p, "desc");
	hostile_finish(h);
}

/* An index of the application's that says more than there are slots. */
static void jump(struct app_ring *r, uint16_t by)
{
	uint16_t *index = app_ours(&p.app, r);

	__atomic_store_n(index, (uint16_t)(*index + by), __ATOMIC_RELEASE);
	app_notify(r);
}

Test(hostile_pipe, case_142_head_jumps_past_the_ring)
{
	jump(p.out, (uint16_t)(p.out->mask + 2));
	expect_broken_and_return("ring_index");
	jump(p.out, 32768);
	expect_broken_and_return("ring_index");
	jump(p.out, 65535);
	hostile_finish_broken(h, "ring_index");
}

Test(hostile_pipe, case_142_more_buffers_than_slots)
{
	jump(p.in, 1);
	hostile_pipe_provoke_until_broken(&p, "ring_index");
	hostile_finish(h);
}

/* One of eight frames has less than a header: only that one is lost. */
Test(hostile_pipe, case_144_bad_frame_first_middle_last)
{
	static const unsigned at[] = {0, 3, 7};

	EACH(i, at)
	{
		hostile_pipe_fill(&p, 8);
		app_desc(p.out, at[i])->len = 13;
		app_publish(&p.app, p.out, 8);
		hostile_await_sink(h, 7 * (i + 1));
		hostile_await_drops(h, "rx_runt", i + 1);
	}
	cr_expect_eq(hostile_sink(h), 3 * 7);
	cr_expect_eq(swd_drops(&h->swd, "evil", "rx_runt"), 3);
	hostile_expect_state(h, "up", NULL);
	hostile_finish(h);
}

/* One of eight descriptors leads nowhere: those before it are forwarded, it is
 * counted, and nothing is known of where the next would begin. */
Test(hostile_pipe, case_144_bad_descriptor_first_middle_last)
{
	static const unsigned at[] = {0, 3, 7};
	uint64_t sum = 0;

	EACH(i, at)
	{
		hostile_pipe_fill(&p, 8);
		app_desc(p.out, at[i])->region = 9;
		app_publish(&p.app, p.out, 8);
		expect_broken_and_return("desc");
		sum += at[i];
	}
	hostile_await_sink(h, sum);
	cr_expect_eq(hostile_sink(h), sum);
	cr_expect_eq(swd_drops(&h->swd, "evil", "bad_descriptor"), 3);
	hostile_finish(h);
}

Test(hostile_pipe, case_145_chain_that_ends_with_what_there_is)
{
	hostile_pipe_fill(&p, 1);
	app_desc(p.out, 0)->flags = MEMIF_DESC_NEXT;
	app_publish(&p.app, p.out, 1);
	hostile_finish_dropped(h, "rx_malformed");
}

Test(hostile_pipe_other, case_145_chain_without_end)
{
	hostile_pipe_begin(
	    &p, &hostile_pipe_server, &(struct app_config){.log2_size = 9});
	hostile_pipe_fill(&p, 512);
	for (unsigned k = 0; k < 512; k++)
		app_desc(p.out, k)->flags = MEMIF_DESC_NEXT;
	app_publish(&p.app, p.out, 512);
	hostile_finish_broken(h, "chain");
}

Test(hostile_pipe, case_145_chain_of_empty_buffers)
{
	hostile_pipe_fill(&p, 16);
	for (unsigned k = 0; k < 16; k++) {
		app_desc(p.out, k)->len = 0;
		app_desc(p.out, k)->flags = MEMIF_DESC_NEXT;
	}
	app_desc(p.out, 15)->flags = 0;
	app_publish(&p.app, p.out, 16);
	hostile_finish_dropped(h, "rx_runt");
}

Test(hostile_pipe_other, case_145_bursts_of_about_256_frames)
{
	static const unsigned n[] = {255, 256, 257, 511, 512};
	uint64_t sum = 0;

	hostile_pipe_begin(
	    &p, &hostile_pipe_server, &(struct app_config){.log2_size = 9});
	EACH(i, n)
	{
		hostile_pipe_send(&p, n[i]);
		sum += n[i];
		hostile_await_sink(h, sum);
	}
	cr_expect_eq(hostile_sink(h), sum);
	hostile_finish(h);
}

Test(hostile_pipe, case_58_frame_longer_than_any)
{
	const uint32_t len = region_size() < 40000 ? region_size() : 40000;

	hostile_pipe_fill(&p, 2);
	for (unsigned k = 0; k < 2; k++)
		*app_desc(p.out, k) = (struct memif_desc){
		    .len = len, .flags = k ? 0 : MEMIF_DESC_NEXT};
	app_publish(&p.app, p.out, 2);
	hostile_finish_dropped(h, "rx_oversize");
}

Test(hostile_pipe, case_66_buffer_is_the_ring_itself)
{
	send_bad((struct memif_desc){.len = 1024});
	hostile_expect_state(h, "up", NULL);
	hostile_finish(h);
}

/* Ends in whatever the frame made of the ring. */
Test(hostile_pipe_in, case_66_receive_buffer_is_the_ring_itself)
{
	offer_bad((struct memif_desc){.len = BUFFER}, 64);
	hostile_provoke(h, 1000);
	hostile_await_sink(h, 20);
	hostile_stop_provoking(h);
	hostile_finish(h);
}

Test(hostile_pipe_in, case_75_application_never_offers_buffers)
{
	uint64_t rss = swd_rss_kib(&h->swd);

	hostile_provoke(h, 100000);
	hostile_await_drops(h, "guest_ring_full", 20000);
	hostile_stop_provoking(h);
	cr_expect_leq(swd_rss_kib(&h->swd), rss + 2048);
	hostile_finish(h);
}

/* Buffers too small for the frame, as many of them as there are slots. */
Test(hostile_pipe_in, case_73_frame_over_very_many_small_buffers)
{
	offer_bad((struct memif_desc){.len = 3, .offset = region_size() - 64},
	    p.in->mask + 1u);
	hostile_provoke(h, 1000);
	hostile_await_drops(h, "guest_buffer_small", 10);
	hostile_stop_provoking(h);
	cr_expect_eq(p.in->shared->tail, 0, "part of a frame was delivered");
	hostile_finish(h);
}

/* Everything in the ring's header that the switch has no need to read again is
 * rewritten while frames pass. */
Test(hostile_pipe, case_147_ring_header_rewritten)
{
	static const uint8_t frame[FRAME] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};
	uint32_t x = 12345;

	for (unsigned i = 0; i < 200; i++) {
		x = x * 1664525 + 1013904223;
		p.out->shared->cookie = x;
		p.in->shared->cookie = ~x;
		p.out->shared->tail = (uint16_t)(x >> 16);
		p.out->shared->flags = (uint16_t)x;
		p.in->shared->flags = (uint16_t)(x >> 8);
		app_fill(&p.app, 0, 0, frame, FRAME);
		app_publish(&p.app, p.out, 1);
		hostile_await_sink(h, i + 1);
	}
	hostile_expect_state(h, "up", NULL);
	hostile_finish(h);
}

/* Descriptors that change while they are read: at worst the port breaks. */
Test(hostile_pipe, case_147_descriptors_rewritten_while_they_are_read)
{
	for (unsigned i = 0; i < 300; i++) {
		if (app_is_left(&p.app, app_n_free(&p.app, 0) ? 0 : 2000))
			break;
		hostile_pipe_fill(&p, 1);
		app_publish(&p.app, p.out, 1);
		for (unsigned k = 0; k < 2000; k++) {
			struct memif_desc *d = app_desc(p.out, (unsigned)-1);

			__atomic_store_n(&d->len, k & 1 ? 0xffffffff : FRAME,
			    __ATOMIC_RELAXED);
			__atomic_store_n(&d->flags, (uint16_t)(k >> 1 & 1),
			    __ATOMIC_RELAXED);
		}
		app_desc(p.out, (unsigned)-1)->flags = 0;
	}
	hostile_finish(h);
}

/* A bridge member that gets frames to one address and nothing else: what
 * reaches it was decided on with that address. */
static void open_witness(struct netdev *witness)
{
	char path[108];

	swd_socket(&h->swd, "witness", path, sizeof(path));
	cr_assert_eq(swd_do(&h->swd, "port.add",
			 "{'name':'witness','type':'vhost-user',"
			 "'bridge':'other','flood':false,'bcast_flood':false,"
			 "'mcast_flood':false}"),
	    0);
	cr_assert_eq(
	    netdev_open(witness, &(struct netdev_config){.socket = path}), 0);
	cr_assert_eq(swd_do(&h->swd, "fdb.add",
			 "{'mac':'02:aa:00:00:00:01','port':'witness'}"),
	    0);
}

Test(hostile_pipe, case_148_frame_changed_after_it_was_classified)
{
	static const uint8_t mine[FRAME] = {2, 0xaa, 0, 0, 0, 1, 2, 1};
	struct netdev witness;
	uint8_t got[2048];
	unsigned n = 0;

	open_witness(&witness);
	for (int i = 0; i < 3000; i++) {
		uint8_t *at;

		app_fill(&p.app, 0, 0, mine, FRAME);
		at = app_at(&p.app, app_desc(p.out, 0));
		app_publish(&p.app, p.out, 1);
		while (app_n_free(&p.app, 0) <= p.out->mask) {
			memset(at, 0x06, 6);
			memcpy(at, mine, 6);
		}
		while (netdev_recv(&witness, 0, got, sizeof(got), 0) > 0) {
			cr_assert_arr_eq(got, mine, 6);
			n++;
		}
	}
	cr_expect_gt(n, 0);
	netdev_close(&witness);
	cr_assert_eq(swd_do(&h->swd, "port.del", "{'name':'witness'}"), 0);
	hostile_finish(h);
}

Test(hostile_pipe, case_150_sealable_memory_is_sealed_on_receipt)
{
	cr_expect_eq(ftruncate(p.app.region[0].fd, 0), -1);
	cr_expect_eq(errno, EPERM);
	hostile_finish(h);
}

Test(hostile_pipe_other, case_150_memory_that_can_shrink_is_refused)
{
	struct app_config c = {.unsealable = true};

	hostile_pipe_start(&p, &hostile_pipe_server);
	c.socket = h->path;
	cr_expect_eq(app_open(&p.app, &c), -ECONNRESET);
	cr_expect_not_null(
	    strstr(p.app.farewell, "trusted"), "%s", p.app.farewell);
	hostile_expect_state(h, "wait", "region");
	hostile_finish(h);
}

Test(hostile_pipe_other, case_150_memory_shrunk_under_traffic)
{
	const struct app_config c = {.unsealable = true};

	hostile_pipe_begin(&p, &hostile_pipe_trusting, &c);
	hostile_pipe_send(&p, 200);
	/* Nobody here may touch the memory after this: SIGBUS is ours too. */
	cr_assert_eq(ftruncate(p.app.region[0].fd, 0), 0);
	app_notify(p.out);
	hostile_provoke(h, 1000);
	hostile_expect_state(h, "broken", "mem_shrunk");
	hostile_stop_provoking(h);
	hostile_leave(h);
	hostile_finish(h);
}

/* Rings are zeroes after it, and so are the canaries. */
Test(hostile_pipe, case_150_holes_punched_under_traffic)
{
	for (unsigned i = 0; i < 50; i++) {
		hostile_pipe_send(&p, 20);
		cr_assert_eq(fallocate(p.app.region[0].fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				 p.app.region[0].map_size),
		    0);
		app_notify(p.out);
		hostile_leave(h);
		hostile_pipe_open(&p, NULL);
	}
	hostile_finish(h);
}

Test(hostile_pipe, case_151_a_second_application_is_refused)
{
	const struct app_config c = {.socket = h->path};

	for (unsigned i = 0; i < 50; i++) {
		struct app second;

		cr_assert_eq(app_connect(&second, &c), 0);
		cr_expect_eq(app_greet(&second, 0), -ECONNRESET);
		cr_expect_not_null(
		    strstr(second.farewell, "another"), "%s", second.farewell);
		app_close(&second);
	}
	hostile_expect_state(h, "up", NULL);
	hostile_pipe_send(&p, 1);
	hostile_await_sink(h, 1);
	hostile_finish(h);
}

/* Of the bystanders' traffic, which is marked, nothing is in memory that the
 * application can see, nor of anything else that it was not sent. */
Test(hostile_pipe, case_153_nothing_of_others_is_in_the_memory)
{
	static const uint8_t mark[] = "!dnatsyb"; /* as it lies in memory */
	const struct app_region *r = &p.app.region[0];
	uint8_t frame[2048];

	hostile_provoke(h, 1000);
	for (int i = 0; i < 300; i++) {
		int len = app_recv(&p.app, 0, frame, sizeof(frame), 2000);

		cr_assert_eq(len, 1500);
		for (int k = 14; k < len; k++)
			cr_assert_eq(frame[k], 0, "byte %d of frame %d", k, i);
	}
	hostile_stop_provoking(h);
	cr_expect_null(memmem(r->at, r->map_size, mark, 8));
	hostile_finish(h);
}

Test(hostile_pipe, case_36_descriptor_that_blocks)
{
	uint64_t full = UINT64_MAX - 1;
	uint8_t frame[2048];

	(void)!read(p.in->fd, &(uint64_t){0}, 8);
	cr_assert_eq(write(p.in->fd, &full, 8), 8);
	fcntl(p.in->fd, F_SETFL, 0); /* blocking, for both of us */
	hostile_provoke(h, 1000);
	hostile_await_sink(h, 100);
	hostile_stop_provoking(h);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(
		    app_recv(&p.app, 0, frame, sizeof(frame), 2000), 1500);
	hostile_finish(h);
}

Test(hostile_pipe, case_37_notification_storm)
{
	for (int i = 0; i < 300000; i++)
		app_notify(p.out);
	hostile_finish(h);
}

Test(hostile_pipe, case_42_reconnect_storm)
{
	for (int i = 0; i < 200; i++) {
		hostile_leave(h);
		hostile_pipe_open(&p, NULL);
	}
	hostile_finish(h);
}

Test(hostile_pipe, case_45_port_deleted_under_traffic)
{
	for (int i = 0; i < 30; i++) {
		hostile_pipe_send(&p, 200);
		cr_assert_eq(swd_do(&h->swd, "port.del", "{'name':'evil'}"), 0);
		cr_expect(app_is_left(&p.app, 2000));
		hostile_leave(h);
		cr_assert_eq(hostile_add_port(h), 0);
		hostile_pipe_open(&p, NULL);
	}
	hostile_finish(h);
}

Test(hostile_pipe, case_97_runts)
{
	hostile_pipe_fill(&p, 14);
	for (uint32_t len = 0; len < 14; len++)
		app_desc(p.out, len)->len = len;
	app_publish(&p.app, p.out, 14);
	hostile_await_drops(h, "rx_runt", 14);
	hostile_expect_state(h, "up", NULL);
	hostile_finish(h);
}

/* Messages at any time, of any type, with descriptors and without. */
Test(hostile_pipe, messages_at_the_wrong_time)
{
	for (unsigned i = 0; i < 60; i++) {
		struct memif_msg m = {.type = (uint16_t)(i < 50 ? i / 5 : i)};
		int fd = i & 1 ? eventfd(0, 0) : -1;

		memset(m.bytes, (int)(i * 37), sizeof(m.bytes));
		cr_assert_eq(app_say(&p.app, m, fd), 0);
		cr_expect(app_is_left(&p.app, 2000), "message %u", i / 5);
		if (fd >= 0)
			close(fd);
		hostile_leave(h);
		hostile_pipe_open(&p, NULL);
	}
	hostile_finish(h);
}

/* Who connects and says nothing delays nobody, and is not kept for ever. */
Test(hostile_pipe, silent_connections)
{
	const struct app_config c = {.socket = h->path};
	struct app silent[40];

	for (unsigned i = 0; i < 40; i++)
		cr_assert_eq(app_connect(&silent[i], &c), 0);
	cr_expect(app_is_left(&silent[0], 2000));
	hostile_pipe_send(&p, 1);
	hostile_await_sink(h, 1);
	for (unsigned i = 0; i < 40; i++)
		app_close(&silent[i]);
	hostile_finish(h);
}
