/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_hostile_pipe_client.c - an application that abuses the switch's memory.
 *
 * The port is memif's client: memory and rings are the switch's, and all that
 * the application is to write is an index, and a length and flags in a
 * descriptor.  It writes the rest as well.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/hostile_pipe.h"

enum { FRAME = HOSTILE_FRAME };

static struct hostile_pipe p;
static struct hostile *const h = &p.h;

static void start(void)
{
	hostile_pipe_begin(&p, &hostile_pipe_client, NULL);
}

static void abandon(void)
{
	hostile_abandon(h);
}

TestSuite(hostile_pipe_client, .init = start, .fini = abandon, .timeout = 40);
TestSuite(hostile_pipe_client_other, .fini = abandon, .timeout = 40);

#define EACH(i, array)                                                         \
	for (size_t i = 0; i < sizeof(array) / sizeof((array)[0]); i++)

static void expect_broken_and_return(const char *reason)
{
	hostile_expect_state(h, "broken", reason);
	hostile_leave(h);
	hostile_pipe_open(&p, NULL);
}

Test(hostile_pipe_client, case_141_more_bytes_than_the_buffer_has)
{
	static const uint32_t len[] = {2049, 65536, 0x80000000, 0xffffffff};

	EACH(i, len)
	{
		hostile_pipe_fill(&p, 1);
		app_desc(p.out, 0)->len = len[i];
		app_publish(&p.app, p.out, 1);
		expect_broken_and_return("desc");
	}
	hostile_finish(h);
}

static void jump(struct app_ring *r, uint16_t by)
{
	uint16_t *index = app_ours(&p.app, r);

	__atomic_store_n(index, (uint16_t)(*index + by), __ATOMIC_RELEASE);
	app_notify(r);
}

Test(hostile_pipe_client, case_142_more_frames_than_slots)
{
	jump(p.out, (uint16_t)(p.out->mask + 2));
	expect_broken_and_return("ring_index");
	jump(p.out, 32768);
	hostile_finish_broken(h, "ring_index");
}

Test(hostile_pipe_client, case_142_more_buffers_back_than_were_sent)
{
	jump(p.in, 30000);
	hostile_pipe_provoke_until_broken(&p, "ring_index");
	hostile_finish(h);
}

Test(hostile_pipe_client, case_144_bad_frame_first_middle_last)
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
	hostile_expect_state(h, "up", NULL);
	hostile_finish(h);
}

Test(hostile_pipe_client, case_144_bad_length_first_middle_last)
{
	static const unsigned at[] = {0, 3, 7};
	uint64_t sum = 0;

	EACH(i, at)
	{
		hostile_pipe_fill(&p, 8);
		app_desc(p.out, at[i])->len = 100000;
		app_publish(&p.app, p.out, 8);
		expect_broken_and_return("desc");
		sum += at[i];
	}
	hostile_await_sink(h, sum);
	cr_expect_eq(hostile_sink(h), sum);
	cr_expect_eq(swd_drops(&h->swd, "evil", "bad_descriptor"), 3);
	hostile_finish(h);
}

Test(hostile_pipe_client, case_145_chain_that_ends_with_what_there_is)
{
	hostile_pipe_fill(&p, 1);
	app_desc(p.out, 0)->flags = MEMIF_DESC_NEXT;
	app_publish(&p.app, p.out, 1);
	hostile_finish_dropped(h, "rx_malformed");
}

Test(hostile_pipe_client, case_145_chain_without_end)
{
	hostile_pipe_fill(&p, 512);
	for (unsigned k = 0; k < 512; k++)
		app_desc(p.out, k)->flags = MEMIF_DESC_NEXT;
	app_publish(&p.app, p.out, 512);
	hostile_finish_broken(h, "chain");
}

Test(hostile_pipe_client, case_145_bursts_of_about_256_frames)
{
	static const unsigned n[] = {255, 256, 257, 511, 512};
	uint64_t sum = 0;

	EACH(i, n)
	{
		hostile_pipe_send(&p, n[i]);
		sum += n[i];
		hostile_await_sink(h, sum);
	}
	cr_expect_eq(hostile_sink(h), sum);
	hostile_finish(h);
}

Test(hostile_pipe_client, case_75_application_never_takes_a_frame)
{
	uint64_t rss;

	hostile_provoke(h, 100000);
	hostile_await_drops(h, "guest_ring_full", 1000);
	rss = swd_rss_kib(&h->swd);
	hostile_await_drops(h, "guest_ring_full", 20000);
	hostile_stop_provoking(h);
	cr_expect_leq(swd_rss_kib(&h->swd), rss + 2048);
	hostile_finish(h);
}

/* What the switch wrote into the memory it never believes when it is back:
 * where a buffer is, whose index is where, what the ring is. */
Test(hostile_pipe_client, case_147_what_the_switch_wrote_rewritten)
{
	static const uint8_t frame[FRAME] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1};
	uint32_t x = 12345;

	for (unsigned i = 0; i < 300; i++) {
		struct memif_desc *d = app_desc(p.out, 0);

		x = x * 1664525 + 1013904223;
		app_fill(&p.app, 0, 0, frame, FRAME);
		d->offset = x;
		d->region = (uint16_t)(x >> 7);
		d->metadata = x;
		app_publish(&p.app, p.out, 1);
		hostile_await_sink(h, i + 1);
		p.out->shared->cookie = x;
		p.in->shared->cookie = ~x;
		p.out->shared->flags = (uint16_t)(x >> 3);
		p.in->shared->flags = (uint16_t)(x >> 5);
		for (unsigned k = 0; k <= p.in->mask; k++)
			p.in->shared->desc[k] = (struct memif_desc){
			    .region = (uint16_t)x, .len = x, .offset = ~x};
	}
	hostile_expect_state(h, "up", NULL);
	hostile_finish(h);
}

/* The switch's own index moves under it. */
Test(hostile_pipe_client, case_147_index_of_the_switch_rewritten)
{
	hostile_provoke(h, 1000);
	for (unsigned i = 0; i < 200; i++) {
		__atomic_store_n(app_theirs(&p.app, p.in), (uint16_t)(i * 999),
		    __ATOMIC_RELAXED);
		__atomic_store_n(app_theirs(&p.app, p.out), (uint16_t)(i * 777),
		    __ATOMIC_RELAXED);
		hostile_await_sink(h, i + 1);
	}
	hostile_stop_provoking(h);
	hostile_expect_state(h, "up", NULL);
	hostile_finish(h);
}

Test(hostile_pipe_client, case_150_memory_cannot_be_shrunk)
{
	int fd = p.app.region[0].fd;

	cr_expect_eq(ftruncate(fd, 0), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_eq(ftruncate(fd, 1 << 30), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	hostile_finish(h);
}

Test(hostile_pipe_client, case_150_holes_punched_under_traffic)
{
	hostile_provoke(h, 10000);
	for (unsigned i = 0; i < 100 && !app_is_left(&p.app, 0); i++) {
		for (unsigned k = 0; k < p.app.n_regions; k++)
			cr_assert_eq(
			    fallocate(p.app.region[k].fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				p.app.region[k].map_size),
			    0);
		app_notify(p.out);
	}
	hostile_stop_provoking(h);
	hostile_finish(h);
}

/* Of the bystanders' traffic, which is marked, nothing is in memory that the
 * application can see, nor of anything else that it was not sent. */
Test(hostile_pipe_client, case_153_nothing_of_others_is_in_the_memory)
{
	static const uint8_t mark[] = "!dnatsyb"; /* as it lies in memory */
	uint8_t frame[2048];

	hostile_provoke(h, 1000);
	for (int i = 0; i < 300; i++) {
		int len = app_recv(&p.app, 0, frame, sizeof(frame), 2000);

		cr_assert_eq(len, 1500);
		for (int k = 14; k < len; k++)
			cr_assert_eq(frame[k], 0, "byte %d of frame %d", k, i);
	}
	hostile_stop_provoking(h);
	for (unsigned i = 0; i < p.app.n_regions; i++)
		cr_expect_null(memmem(
		    p.app.region[i].at, p.app.region[i].map_size, mark, 8));
	hostile_finish(h);
}

Test(hostile_pipe_client, case_36_descriptor_that_blocks)
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

Test(hostile_pipe_client, case_45_port_deleted_under_traffic)
{
	for (int i = 0; i < 20; i++) {
		hostile_pipe_send(&p, 200);
		cr_assert_eq(swd_do(&h->swd, "port.del", "{'name':'evil'}"), 0);
		cr_expect(app_is_left(&p.app, 2000));
		hostile_leave(h);
		cr_assert_eq(hostile_add_port(h), 0);
		hostile_pipe_open(&p, NULL);
	}
	hostile_finish(h);
}

/* What a server may say before rings are there: sizes and versions that no
 * client could go along with, and silence. */
Test(hostile_pipe_client, hellos_of_all_kinds)
{
	static const struct {
		uint16_t min, max, ring;
		uint8_t log2_size;
	} hello[] = {{0x200, 0x200, 65535, 255}, {0x201, 0xffff, 0, 10},
	    {0, 0x1ff, 0, 10}, {0x200, 0x200, 0, 0}, {0xffff, 0, 0, 0}};

	EACH(i, hello)
	{
		const struct app_config c = {.socket = h->path, .server = true};
		struct memif_msg m = {.type = MEMIF_HELLO};

		hostile_leave(h);
		cr_assert_eq(app_connect(&p.app, &c), 0);
		h->open = true;
		m.hello.min_version = hello[i].min;
		m.hello.max_version = hello[i].max;
		m.hello.max_ring_to_client = hello[i].ring;
		m.hello.max_ring_to_server = hello[i].ring;
		m.hello.max_log2_ring_size = hello[i].log2_size;
		cr_assert_eq(app_say(&p.app, m, -1), 0);
		app_is_left(&p.app, 100);
	}
	hostile_finish(h);
}

Test(hostile_pipe_client_other, a_server_that_says_nothing)
{
	struct app_config c = {.server = true};

	hostile_pipe_start(&p, &hostile_pipe_client);
	c.socket = h->path;
	cr_assert_eq(app_connect(&p.app, &c), 0);
	h->open = true;
	cr_expect_not(app_is_left(&p.app, 200));
	hostile_expect_state(h, "wait", NULL);
	hostile_finish(h);
}
