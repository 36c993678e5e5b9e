/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_swpipe.c - the client library's rings, with a server in the process.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>

#include "ports/pipe/client/swpipe.h"
#include "tests/unit/swpipe_peer.h"

enum {
	SLOTS = 16,
	SIZE = 256,
	N = MEMIF_DESC_NEXT,
};

static struct peer peer;
static struct swpipe *pipe_;
static struct swpipe_queue *queue;
static struct swpipe_buf b[2 * SLOTS];
static char why[SWPIPE_ERR_SIZE];

static void open_with(const struct swpipe_options *o)
{
	struct swpipe_options with = *o;

	peer_open(&peer);
	with.socket = peer.path;
	cr_assert_eq(swpipe_open(&pipe_, &with, why), 0, "%s", why);
	peer_connected(&peer);
	queue = swpipe_queue(pipe_, 0);
}

static void setup(void)
{
	peer_init(&peer);
	open_with(&(struct swpipe_options){.n_slots = SLOTS, .buf_size = SIZE});
}

static void teardown(void)
{
	swpipe_close(pipe_);
	peer_close(&peer);
}

static struct peer_queue *other(void)
{
	return &peer.queue[0];
}

/* Sends a frame of @n parts of @len bytes to the client. */
static void give(uint8_t fill, uint32_t len, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		peer_write(&peer, 0, i, fill, len, i + 1 < n ? N : 0);
	peer_publish(other(), n);
}

static void expect_part(unsigned i, uint8_t fill, uint32_t len, uint32_t more)
{
	cr_assert_eq(b[i].len, len);
	cr_assert_eq(b[i].more, more);
	for (uint32_t k = 0; k < len; k++)
		cr_assert_eq(b[i].data[k], fill);
}

static void expect_broken(void)
{
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), -EPROTO);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), -EPROTO);
	cr_assert_eq(swpipe_check(pipe_, why), -EPROTO);
	cr_assert_str_eq(why, "the server broke a ring of queue 0");
	cr_assert_eq(swpipe_arm(queue) == 1, false);
}

TestSuite(swpipe, .init = setup, .fini = teardown);

/* --- to the client */

Test(swpipe, all_buffers_are_offered)
{
	cr_assert_eq(peer_offered(other()), SLOTS);
	for (unsigned i = 0; i < SLOTS; i++) {
		struct memif_desc *d =
		    peer_desc(other(), other()->to_client, i);

		cr_assert_eq(d->len, SIZE);
		cr_assert_eq(d->flags, 0);
		peer_data(&peer, d)[0] = (uint8_t)i;
	}
	/* No two buffers are the same. */
	for (unsigned i = 0; i < SLOTS; i++)
		cr_assert_eq(peer_data(&peer,
				 peer_desc(other(), other()->to_client, i))[0],
		    i);
}

Test(swpipe, an_empty_ring_gives_nothing)
{
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 0);
	cr_assert_eq(swpipe_check(pipe_, why), 0);
}

Test(swpipe, frames_arrive_as_they_were)
{
	give(1, 60, 1);
	give(2, SIZE, 1);
	give(3, 1, 1);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 3);
	expect_part(0, 1, 60, 0);
	expect_part(1, 2, SIZE, 0);
	expect_part(2, 3, 1, 0);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 0);
	cr_assert_eq(peer_offered(other()), SLOTS - 3);
	swpipe_rx_release(queue, 3);
	cr_assert_eq(peer_offered(other()), SLOTS);
}

Test(swpipe, frames_may_be_released_in_parts)
{
	give(1, 60, 1);
	give(2, 60, 1);
	cr_assert_eq(swpipe_rx_peek(queue, b, 1), 1);
	cr_assert_eq(swpipe_rx_peek(queue, b + 1, 1), 1);
	expect_part(0, 1, 60, 0);
	expect_part(1, 2, 60, 0);
	swpipe_rx_release(queue, 1);
	cr_assert_eq(peer_offered(other()), SLOTS - 1);
	expect_part(1, 2, 60, 0);
	swpipe_rx_release(queue, 1);
	cr_assert_eq(peer_offered(other()), SLOTS);
}

/* More often than 16 bits can count, with batches that do not divide it. */
Test(swpipe, indices_wrap)
{
	for (unsigned i = 0; i < 70000; i += 7) {
		for (unsigned k = 0; k < 7; k++)
			give((uint8_t)(i + k), 60 + k, 1);
		cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 7);
		for (unsigned k = 0; k < 7; k++)
			expect_part(k, (uint8_t)(i + k), 60 + k, 0);
		swpipe_rx_release(queue, 7);
		cr_assert_eq(peer_offered(other()), SLOTS);
	}
}

Test(swpipe, a_released_slot_is_as_good_as_new)
{
	struct memif_desc *d = peer_desc(other(), other()->to_client, 0);

	give(1, 10, 2);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 2);
	swpipe_rx_release(queue, 2);
	cr_assert_eq(d->len, SIZE);
	cr_assert_eq(d->flags, 0);
}

Test(swpipe, a_frame_of_many_parts_comes_whole)
{
	give(1, SIZE, 5);
	give(2, 60, 1);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 6);
	for (unsigned i = 0; i < 5; i++)
		expect_part(i, 1, SIZE, i < 4);
	expect_part(5, 2, 60, 0);
}

Test(swpipe, half_a_frame_waits_for_its_other_half)
{
	give(1, 60, 1);
	peer_write(&peer, 0, 0, 2, SIZE, N);
	peer_write(&peer, 0, 1, 2, SIZE, N);
	peer_publish(other(), 2);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 1);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 0);
	give(3, 60, 1);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 3);
	expect_part(0, 2, SIZE, 1);
	expect_part(2, 3, 60, 0);
}

Test(swpipe, a_short_array_is_filled_with_whole_frames)
{
	give(1, 60, 1);
	give(2, 60, 3);
	cr_assert_eq(swpipe_rx_peek(queue, b, 3), 1);
	cr_assert_eq(swpipe_rx_peek(queue, b, 2), -EMSGSIZE);
	cr_assert_eq(swpipe_rx_peek(queue, b, 3), 3);
}

/* --- from a hostile server */

Test(swpipe, an_index_beyond_what_was_offered_breaks_the_ring)
{
	peer_publish(other(), SLOTS + 1);
	expect_broken();
}

Test(swpipe, an_index_that_goes_back_breaks_the_ring)
{
	give(1, 60, 2);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 2);
	peer_publish(other(), 0xffff);
	expect_broken();
}

Test(swpipe, a_part_longer_than_its_buffer_breaks_the_ring)
{
	give(1, 60, 1);
	give(2, SIZE + 1, 1);
	expect_broken();
}

Test(swpipe, a_frame_without_end_breaks_the_ring)
{
	for (unsigned i = 0; i < SLOTS; i++)
		peer_write(&peer, 0, i, 1, SIZE, N);
	peer_publish(other(), SLOTS);
	expect_broken();
}

/* What it writes to the rest of a descriptor is not read. */
Test(swpipe, addresses_are_our_own)
{
	struct memif_desc *d = peer_desc(other(), other()->to_client, 0);

	give(1, 60, 1);
	d->region = 7;
	d->offset = UINT32_MAX;
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 1);
	expect_part(0, 1, 60, 0);
}

Test(swpipe, an_index_beyond_what_was_sent_breaks_the_ring)
{
	peer_took(other(), 1);
	cr_assert_eq(swpipe_tx_reserve(queue, b, SLOTS), SLOTS);
	cr_assert_eq(swpipe_tx_reserve(queue, b, SLOTS), SLOTS);
	swpipe_tx_submit(queue, b, 1);
	peer_took(other(), 1);
	cr_assert_eq(swpipe_tx_reserve(queue, b, SLOTS), 0);
	cr_assert_eq(swpipe_tx_reserve(queue, b, SLOTS), 0);
	cr_assert_eq(swpipe_check(pipe_, why), -EPROTO);
}

/* --- to the server */

static void take(uint8_t fill, uint32_t len, uint16_t flags)
{
	struct memif_desc *d =
	    peer_desc(other(), other()->to_server, other()->to_server->tail);

	cr_assert_gt(peer_sent(other()), 0);
	cr_assert_eq(d->len, len);
	cr_assert_eq(d->flags, flags);
	for (uint32_t k = 0; k < len; k++)
		cr_assert_eq(peer_data(&peer, d)[k], fill);
	peer_took(other(), 1);
}

static void fill_part(unsigned i, uint8_t fill, uint32_t len, uint32_t more)
{
	memset(b[i].data, fill, len);
	b[i].len = len;
	b[i].more = more;
}

Test(swpipe, frames_leave_as_they_are)
{
	cr_assert_eq(swpipe_tx_reserve(queue, b, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(b[i].len, SIZE);
	fill_part(0, 1, 60, 0);
	fill_part(1, 2, SIZE, 1);
	fill_part(2, 2, 3, 0);
	swpipe_tx_submit(queue, b, 3);
	cr_assert_eq(peer_sent(other()), 3);
	take(1, 60, 0);
	take(2, SIZE, N);
	take(2, 3, 0);
}

Test(swpipe, what_is_not_submitted_is_reserved_again)
{
	uint8_t *first;

	cr_assert_eq(swpipe_tx_reserve(queue, b, 2), 2);
	first = b[0].data;
	cr_assert_eq(swpipe_tx_reserve(queue, b, 2), 2);
	cr_assert_eq(b[0].data, first);
	swpipe_tx_submit(queue, b, 0);
	cr_assert_eq(peer_sent(other()), 0);
}

Test(swpipe, a_full_ring_has_no_room_until_frames_are_taken)
{
	cr_assert_eq(swpipe_tx_reserve(queue, b, 2 * SLOTS), SLOTS);
	for (unsigned i = 0; i < SLOTS; i++)
		fill_part(i, (uint8_t)i, 60, 0);
	swpipe_tx_submit(queue, b, SLOTS);
	cr_assert_eq(swpipe_tx_reserve(queue, b, 1), 0);
	take(0, 60, 0);
	take(1, 60, 0);
	cr_assert_eq(swpipe_tx_reserve(queue, b, SLOTS), 2);
}

Test(swpipe, indices_wrap_on_the_way_out)
{
	for (unsigned i = 0; i < 70000; i += 7) {
		cr_assert_eq(swpipe_tx_reserve(queue, b, 7), 7);
		for (unsigned k = 0; k < 7; k++)
			fill_part(k, (uint8_t)(i + k), 60 + k, 0);
		swpipe_tx_submit(queue, b, 7);
		cr_assert_eq(peer_sent(other()), 7);
		for (unsigned k = 0; k < 7; k++)
			take((uint8_t)(i + k), 60 + k, 0);
	}
}

/* --- notifications */

static uint64_t events(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) < 0 ? 0 : n;
}

static void send_one(void)
{
	cr_assert_eq(swpipe_tx_reserve(queue, b, 1), 1);
	fill_part(0, 1, 60, 0);
	swpipe_tx_submit(queue, b, 1);
}

Test(swpipe, a_server_that_polls_is_not_notified)
{
	send_one();
	cr_assert_eq(events(other()->to_server_fd), 0);
}

Test(swpipe, a_server_that_asks_is_notified_once_a_batch)
{
	other()->to_server->flags = 0;
	cr_assert_eq(swpipe_tx_reserve(queue, b, 8), 8);
	for (unsigned i = 0; i < 8; i++)
		fill_part(i, 1, 60, 0);
	swpipe_tx_submit(queue, b, 8);
	cr_assert_eq(events(other()->to_server_fd), 1);
}

static bool readable(void)
{
	struct pollfd fd = {.fd = swpipe_fd(queue), .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

static bool masked(void)
{
	return other()->to_client->flags & MEMIF_RING_MASK_INT;
}

static void notify(void)
{
	const uint64_t one = 1;

	cr_assert_eq(write(other()->to_client_fd, &one, sizeof(one)), 8);
}

Test(swpipe, only_an_armed_queue_asks_for_notifications)
{
	cr_assert(masked());
	cr_assert_eq(swpipe_arm(queue), 1);
	cr_assert(!masked());
	cr_assert(!readable());
	give(1, 60, 1);
	notify();
	cr_assert(readable());
	cr_assert_eq(swpipe_arm(queue), 0);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 1);
	cr_assert(masked());
	cr_assert(!readable());
}

Test(swpipe, arming_sees_what_is_there_already)
{
	give(1, 60, 1);
	cr_assert_eq(swpipe_arm(queue), 0);
}

Test(swpipe, waiting_ends_in_time)
{
	cr_assert_eq(swpipe_wait(queue, 0), 0);
	cr_assert_eq(swpipe_wait(queue, 20), 0);
}

static void *give_later(void *with_notice)
{
	usleep(20000);
	give(1, 60, 1);
	if (with_notice)
		notify();
	return NULL;
}

Test(swpipe, waiting_ends_with_a_frame)
{
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, give_later, other()), 0);
	cr_assert_eq(swpipe_wait(queue, 5000), 1);
	cr_assert_eq(swpipe_rx_peek(queue, b, SLOTS), 1);
	pthread_join(t, NULL);
}

/* --- the end */

Test(swpipe, a_server_that_hangs_up_is_quoted)
{
	peer_hang_up(&peer, "out of\033memory");
	cr_assert(readable());
	cr_assert_eq(swpipe_wait(queue, 5000), -ECONNREFUSED);
	cr_assert_eq(swpipe_check(pipe_, why), -ECONNREFUSED);
	cr_assert_str_eq(why, "the server hung up: out of?memory");
}

Test(swpipe, a_server_that_dies_is_noticed)
{
	cr_assert_eq(swpipe_check(pipe_, why), 0);
	close(peer.fd);
	peer.fd = -1;
	cr_assert(readable());
	cr_assert_eq(swpipe_arm(queue), -ECONNRESET);
	cr_assert_eq(swpipe_check(pipe_, why), -ECONNRESET);
	cr_assert_str_eq(why, "the server is gone");
}

Test(swpipe, a_client_says_goodbye)
{
	struct memif_msg m;
	int fd;

	swpipe_close(pipe_);
	pipe_ = NULL;
	cr_assert(peer_hear(&peer, &m, &fd));
	cr_assert_eq(m.type, MEMIF_DISCONNECT);
	cr_assert(!peer_hear(&peer, &m, &fd));
}

Test(swpipe, the_memory_cannot_shrink)
{
	cr_assert(peer.seals & F_SEAL_SHRINK);
}
