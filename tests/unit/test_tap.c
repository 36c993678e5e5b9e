/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tap.c - frames through a queue of a tap port, lawful and hostile.
 *
 * A pair of datagram sockets is the kernel: like /dev/net/tun it hands out
 * one message a read and cuts in silence what does not fit.
 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/tap/queue.h"
#include "switch/base/eth.h"

enum {
	HDR = VIRTIO_NET_HDR_LEN,
	ALL = OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_ECN |
	      OFFLOAD_USO,
	TCP_AT = ETH_HDR_LEN + 20,
	TCP_HDRS = TCP_AT + 20,
	NEEDS_CSUM = 1,
	DATA_VALID = 2,
	GSO_TCP4 = 1,
	GSO_TCP6 = 4,
};

static struct tap_queue queue;
static struct port port;
static struct port_env env;
static struct pool_cache cache;
static struct counters counters;
static struct batch batch;
static struct port_worker worker = {.counters = &counters, .pool = &cache};
static int host; /* the kernel's end */
static unsigned n_raised;

static void raise_count(struct port *p)
{
	(void)p;
	n_raised++;
}

/* A queue that accepts @accepts, with packet memory of @n_slots. */
static void open_queue(uint8_t accepts, uint32_t n_slots)
{
	int fd[2], size = 1 << 20;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	host = fd[1];
	cr_assert_eq(
	    pool_open(&env.pool, (size_t)n_slots * POOL_FRAME_SIZE, NULL), 0);
	pool_cache_init(&cache, env.pool, 0);
	env.raise = raise_count;
	port.env = &env;
	port.accepts = accepts;
	tap_queue_init(&queue, &port, fd[0]);
}

/* Every slot is back where it came from. */
static void close_queue(void)
{
	uint32_t n_slots = env.pool->n_slots;

	tap_queue_fini(&queue, &cache);
	pool_cache_fini(&cache);
	cr_assert_eq(pool_n_free(env.pool), n_slots);
	pool_close(env.pool);
	close(host);
}

static uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8));
}

/* The host sends @hdr and a TCP/IPv4 frame of @len bytes. */
static void host_sends(const struct virtio_net_hdr *hdr, uint32_t len)
{
	static uint8_t message[HDR + 80000];
	uint8_t *frame = message + HDR;

	memcpy(message, hdr, HDR);
	for (uint32_t i = 0; i < len; i++)
		frame[i] = pattern(i);
	if (len >= TCP_HDRS) {
		eth_put_be16(frame + 12, 0x0800);
		frame[ETH_HDR_LEN] = 0x45;
		memset(frame + ETH_HDR_LEN + 6, 0, 2);
		frame[ETH_HDR_LEN + 9] = IPPROTO_TCP;
		frame[TCP_AT + 12] = 5 << 4;
	}
	cr_assert_eq(send(host, message, HDR + len, 0), HDR + len);
}

static unsigned rx(void)
{
	batch.n = batch.n_segs = 0;
	return tap_queue_rx(&queue, &batch, &worker);
}

static void done(void)
{
	for (unsigned i = 0; i < batch.n; i++)
		pool_put_frame(&cache, &batch.f[i]);
}

/* Frame @i is whole, ours, and lies in slots of its own. */
static void expect_frame(unsigned i, uint32_t len)
{
	const struct frame *f = &batch.f[i];
	uint32_t n = f->head_len;

	cr_assert_lt(i, batch.n);
	cr_assert_eq(f->len, len);
	cr_assert_eq(f->flags, FRAME_OWNED);
	cr_assert_eq(n, len < TAP_HEAD_ROOM ? len : TAP_HEAD_ROOM);
	cr_assert_eq(f->head,
	    pool_data(env.pool, pool_slot(env.pool, f->head)) + FRAME_HEADROOM);
	cr_assert_eq(f->head[5], pattern(5));
	for (unsigned s = 0; s < f->n_segs; s++) {
		cr_assert_gt(f->segs[s].len, 0);
		for (uint32_t k = 0; k < f->segs[s].len; k++, n++)
			cr_assert_eq(f->segs[s].data[k], pattern(n));
	}
	cr_assert_eq(n, len);
}

static const struct virtio_net_hdr plain;

static const struct virtio_net_hdr tso = {.flags = NEEDS_CSUM,
    .gso_type = GSO_TCP4,
    .hdr_len = TCP_HDRS,
    .gso_size = 1448,
    .csum_start = TCP_AT,
    .csum_offset = 16};

Test(tap, plain_frame_takes_one_slot)
{
	open_queue(ALL, 100);
	host_sends(&plain, 60);
	host_sends(&plain, TAP_HEAD_ROOM);
	cr_assert_eq(rx(), 2);
	expect_frame(0, 60);
	expect_frame(1, TAP_HEAD_ROOM);
	cr_assert_eq(batch.n_segs, 0);
	cr_assert_eq(batch.f[0].offload.bits, 0);
	cr_assert_eq(counters.rx_packets, 0, "counted by the caller");
	cr_assert(tap_queue_arm(&queue));
	done();
	close_queue();
}

Test(tap, long_frame_spans_slots_and_keeps_its_state)
{
	open_queue(ALL, 200);
	host_sends(&tso, 65535);
	host_sends(&plain, 61);
	host_sends(&tso, TAP_HEAD_ROOM + 1);
	cr_assert_eq(rx(), 3);
	expect_frame(0, 65535);
	expect_frame(1, 61);
	expect_frame(2, TAP_HEAD_ROOM + 1);
	cr_assert_eq(batch.f[0].n_segs, TAP_SLOTS - 1);
	cr_assert_eq(batch.f[0].offload.bits, OFFLOAD_CSUM | OFFLOAD_TSO4);
	cr_assert_eq(batch.f[0].offload.gso_size, 1448);
	cr_assert_eq(batch.f[0].offload.hdr_len, TCP_HDRS);
	cr_assert_eq(batch.f[1].offload.bits, 0);
	cr_assert_eq(batch.f[2].n_segs, 1);
	done();
	close_queue();
}

Test(tap, checksum_that_was_verified_comes_along)
{
	const struct virtio_net_hdr valid = {.flags = DATA_VALID};

	open_queue(ALL, 100);
	host_sends(&valid, 100);
	rx();
	cr_assert_eq(batch.f[0].offload.bits, OFFLOAD_VALID);
	done();
	port.accepts = 0;
	host_sends(&valid, 100);
	rx();
	cr_assert_eq(batch.f[0].offload.bits, 0);
	done();
	close_queue();
}

static void expect_refused(
    const struct virtio_net_hdr *hdr, uint32_t len, enum drop_reason why)
{
	struct counters before = counters;

	host_sends(hdr, len);
	host_sends(&plain, 64);
	cr_assert_eq(rx(), 2);
	cr_assert_eq(batch.n, 1);
	expect_frame(0, 64);
	cr_assert_eq(
	    counters.drops[why], before.drops[why] + 1, "%s", drop_name(why));
	cr_assert_eq(counters.rx_packets, before.rx_packets + 1);
	cr_assert_geq(counters.rx_bytes, before.rx_bytes + len);
	done();
}

Test(tap, wrong_lengths)
{
	open_queue(ALL, 100);
	expect_refused(&plain, 0, DROP_RX_RUNT);
	expect_refused(&plain, FRAME_LEN_MIN - 1, DROP_RX_RUNT);
	expect_refused(&plain, FRAME_LEN_MAX + 1, DROP_RX_OVERSIZE);
	host_sends(&plain, FRAME_LEN_MAX);
	rx();
	expect_frame(0, FRAME_LEN_MAX);
	done();
	close_queue();
}

Test(tap, message_that_was_cut)
{
	open_queue(ALL, 100);
	host_sends(&plain, 79000);
	cr_assert_eq(rx(), 1);
	cr_assert_eq(batch.n, 0);
	cr_assert_eq(counters.drops[DROP_RX_OVERSIZE], 1);
	cr_assert_eq(send(host, "short", 5, 0), 5);
	cr_assert_eq(rx(), 1);
	cr_assert_eq(batch.n, 0);
	cr_assert_eq(counters.drops[DROP_RX_RUNT], 1);
	close_queue();
}

Test(tap, hostile_headers)
{
	struct virtio_net_hdr hdr = tso;

	open_queue(ALL, 100);
	hdr.gso_size = 0;
	expect_refused(&hdr, 9000, DROP_BAD_GSO);
	hdr = tso;
	hdr.gso_type = GSO_TCP6;
	expect_refused(&hdr, 9000, DROP_BAD_GSO);
	hdr = tso;
	hdr.flags = 0;
	expect_refused(&hdr, 9000, DROP_BAD_GSO);
	hdr = (struct virtio_net_hdr){
	    .flags = NEEDS_CSUM, .csum_start = 9000, .csum_offset = 16};
	expect_refused(&hdr, 9000, DROP_BAD_CSUM);
	hdr.csum_start = 0xffff;
	hdr.csum_offset = 0xffff;
	expect_refused(&hdr, 9000, DROP_BAD_CSUM);
	close_queue();
}

Test(tap, what_is_off_does_not_come_in)
{
	struct virtio_net_hdr csum = tso;

	csum.gso_type = 0;
	open_queue(0, 100);
	expect_refused(&csum, 1000, DROP_BAD_CSUM);
	expect_refused(&tso, 1600, DROP_BAD_CSUM);
	close_queue();
}

Test(tap, batch_without_room_for_the_longest_is_full)
{
	open_queue(ALL, 100);
	host_sends(&plain, 60);
	batch.n = 0;
	batch.n_segs = BATCH_SEGS_MAX - TAP_SLOTS + 2;
	cr_assert_eq(tap_queue_rx(&queue, &batch, &worker), 0);
	cr_assert_not(tap_queue_arm(&queue));
	batch.n_segs--;
	cr_assert_eq(tap_queue_rx(&queue, &batch, &worker), 1);
	expect_frame(0, 60);
	done();
	close_queue();
}

Test(tap, without_packet_memory_frames_wait)
{
	open_queue(ALL, TAP_SLOTS);
	host_sends(&plain, 60);
	host_sends(&tso, 65000);
	host_sends(&plain, 70);
	cr_assert_eq(rx(), 1);
	expect_frame(0, 60);
	cr_assert_not(tap_queue_arm(&queue), "there is more");
	struct batch held = batch;
	cr_assert_eq(rx(), 0);
	cr_assert_not(tap_queue_arm(&queue));
	batch = held;
	done();
	cr_assert_eq(rx(), 1);
	batch.f[0].segs = batch.segs;
	expect_frame(0, 65000);
	done();
	cr_assert_eq(rx(), 1);
	expect_frame(0, 70);
	done();
	cr_assert_eq(rx(), 0);
	cr_assert(tap_queue_arm(&queue));
	cr_assert_eq(counters.rx_packets, 0, "nothing was dropped");
	close_queue();
}

/* Sending. */

static uint8_t body[4000];

static struct frame_seg segs[2] = {{body + 100, 900}, {body + 1000, 3000}};

static struct frame make_frame(uint8_t bits)
{
	for (uint32_t i = 0; i < sizeof(body); i++)
		body[i] = pattern(i);
	return (struct frame){.head = body,
	    .head_len = 100,
	    .segs = segs,
	    .n_segs = 2,
	    .len = sizeof(body),
	    .n_left = 1,
	    .offload = {.bits = bits,
		.hdr_len = TCP_HDRS,
		.gso_size = 1448,
		.csum_start = TCP_AT,
		.csum_offset = 16}};
}

static void tx(struct frame *f)
{
	tap_queue_tx(&queue, &f, 1, &worker);
}

Test(tap, frame_leaves_with_the_header_it_needs)
{
	struct frame f = make_frame(OFFLOAD_CSUM | OFFLOAD_TSO4);
	uint8_t got[HDR + sizeof(body) + 1];

	open_queue(ALL, 100);
	tx(&f);
	cr_assert_eq(recv(host, got, sizeof(got), 0), HDR + sizeof(body));
	cr_assert_eq(memcmp(got, &tso, HDR), 0);
	cr_assert_eq(memcmp(got + HDR, body, sizeof(body)), 0);
	cr_assert_eq(counters.tx_packets, 1);
	cr_assert_eq(counters.tx_copied, 1);
	cr_assert_eq(counters.tx_bytes, sizeof(body));
	f = make_frame(OFFLOAD_VALID);
	tx(&f);
	cr_assert_eq(recv(host, got, sizeof(got), 0), HDR + sizeof(body));
	cr_assert_eq(memcmp(got, &plain, HDR), 0);
	close_queue();
}

Test(tap, unfinished_frame_does_not_leave_where_it_is_not_wanted)
{
	struct frame f = make_frame(OFFLOAD_CSUM | OFFLOAD_USO);
	uint8_t got[HDR];

	open_queue(ALL & ~OFFLOAD_USO, 100);
	tx(&f);
	cr_assert_eq(counters.drops[DROP_NO_OFFLOAD], 1);
	cr_assert_eq(counters.tx_packets, 0);
	cr_assert_eq(recv(host, got, sizeof(got), 0), -1);
	close_queue();
}

Test(tap, memory_that_went_away_under_a_frame)
{
	struct frame f = make_frame(0);
	struct frame_seg gone[2] = {segs[0], segs[1]};

	gone[1].data = mmap(
	    NULL, gone[1].len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	f.segs = gone;
	open_queue(ALL, 100);
	tx(&f);
	cr_assert_eq(counters.drops[DROP_KERNEL_REFUSED], 1);
	f.segs = segs;
	tx(&f);
	cr_assert_eq(counters.tx_packets, 1);
	cr_assert_eq(n_raised, 0);
	close_queue();
}

Test(tap, full_queue_of_the_kernel)
{
	struct frame f = make_frame(0);

	open_queue(ALL, 100);
	for (int i = 0; i < 2000; i++)
		tx(&f);
	cr_assert_gt(counters.tx_packets, 0);
	cr_assert_gt(counters.drops[DROP_TAIL_DROP], 0);
	cr_assert_eq(
	    counters.tx_packets + counters.drops[DROP_TAIL_DROP], 2000);
	close_queue();
}

/* A descriptor that can neither be read nor written. */
Test(tap, error_is_told_once)
{
	open_queue(ALL, 100);
	close(queue.fd);
	cr_assert_eq(rx(), 0);
	cr_assert_eq(rx(), 0);
	cr_assert_eq(n_raised, 1);
	cr_assert(tap_queue_arm(&queue), "control will look");
	tap_queue_listen(&queue);
	cr_assert_eq(rx(), 0);
	cr_assert_eq(n_raised, 2);
	queue.fd = dup(host);
	close_queue();
}
