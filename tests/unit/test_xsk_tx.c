/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_xsk_tx.c - frames into a card's rings, and slots that come back or not.
 */
#include <criterion/criterion.h>

#include "switch/base/clock.h"
#include "tests/unit/xsk_kernel.h"

enum {
	SLOTS = 16384,
	SLOT = POOL_FRAME_SIZE,
	ROOM = SLOT - 256, /* for what is received */
	SECOND_US = 1000000,
	STALL_S = 5,
};

static uint8_t elsewhere[FRAME_LEN_MAX];

static uint64_t cycles(uint64_t us)
{
	return us * clock_cycles_per_us();
}

/* A borrowed frame of @n pieces of @len bytes in the batch. */
static struct frame *borrow(struct kernel *k, unsigned n, uint32_t len)
{
	struct batch *b = &k->batch;
	struct frame *f = &b->f[b->n++];

	kernel_write(elsewhere, 0, n * len);
	*f = (struct frame){.head = elsewhere,
	    .segs = &b->segs[b->n_segs],
	    .len = n * len,
	    .head_len = (uint16_t)len,
	    .n_segs = (uint16_t)(n - 1),
	    .n_left = 1};
	for (unsigned i = 1; i < n; i++)
		b->segs[b->n_segs++] =
		    (struct frame_seg){elsewhere + i * len, len};
	return f;
}

/* What is in flight from descriptor @from on is one frame of @len bytes in
 * @n buffers. */
static void expect_sent(
    const struct kernel *k, uint32_t from, unsigned n, uint32_t len)
{
	uint32_t at = 0;

	cr_assert_geq(k->n_in_flight, from + n);
	for (unsigned i = 0; i < n; i++) {
		const struct xdp_desc *d = &k->in_flight[from + i];

		cr_assert_eq(d->options, i + 1 < n ? XDP_PKT_CONTD : 0);
		for (uint32_t j = 0; j < d->len; j++)
			cr_assert_eq(
			    k->pool->base[d->addr + j], kernel_pattern(at++));
	}
	cr_assert_eq(at, len);
}

/* Nothing was posted, and all was counted as @why. */
static void expect_drops(struct kernel *k, enum drop_reason why, uint64_t n)
{
	uint32_t posted = k->tx.producer;

	kernel_tx(k);
	cr_assert_eq(k->tx.producer, posted);
	cr_assert_eq(k->x.tx.cached_prod, posted, "nothing is half posted");
	cr_assert_eq(k->counters.drops[why], n, "%s", drop_name(why));
}

/* All that was sent comes back, and the next frame leaves. */
static void expect_works(struct kernel *k)
{
	uint64_t sent = k->counters.tx_packets;

	kernel_done(k);
	while (k->n_in_flight || kernel_n_unsent(k)) {
		kernel_complete(k, k->n_in_flight);
		kernel_flush(k);
	}
	kernel_make(k, 1, 60);
	kernel_tx(k);
	cr_assert_eq(k->counters.tx_packets, sent + 1);
	expect_sent(k, 0, 1, 60);
	kernel_complete(k, 1);
	cr_assert_not(kernel_flush(k));
	cr_assert_eq(k->x.n_sending, 0);
	cr_assert_eq(k->x.fault, XSK_FINE);
	kernel_close(k);
}

static void expect_broken(struct kernel *k, enum xsk_fault why)
{
	uint64_t sent = k->counters.tx_packets;

	cr_assert_eq(k->x.fault, why);
	cr_assert_gt(k->n_raised, 0);
	kernel_make(k, 1, 60);
	expect_drops(k, DROP_PORT_DOWN, 1);
	cr_assert_eq(k->counters.tx_packets, sent);
	cr_assert_not(kernel_flush(k), "nobody need come again");
	kernel_close(k);
}

Test(xsk_tx, sends_an_owned_frame_from_where_it_lies)
{
	struct kernel *k = kernel_open(SLOTS);
	struct frame *f = kernel_make(k, 1, 1500);

	kernel_tx_from(k, 0);
	cr_assert(f->flags & FRAME_TAKEN);
	cr_assert_eq(k->in_flight[0].addr, kernel_addr(k, f->head));
	expect_sent(k, 0, 1, 1500);
	cr_assert_eq(k->counters.tx_packets, 1);
	cr_assert_eq(k->counters.tx_bytes, 1500);
	cr_assert_eq(k->counters.tx_copied, 0);
	expect_works(k);
}

Test(xsk_tx, copies_a_borrowed_frame)
{
	static const struct {
		unsigned n;
		uint32_t len, n_slots;
	} cut[] = {{1, 14, 1}, {1, SLOT, 1}, {2, SLOT / 2, 1},
	    {2, SLOT / 2 + 1, 2}, {100, SLOT / 20, 5}, {256, SLOT / 100, 3}};

	for (unsigned i = 0; i < sizeof(cut) / sizeof(*cut); i++) {
		struct kernel *k = kernel_open(SLOTS);
		struct frame *f = borrow(k, cut[i].n, cut[i].len);

		kernel_tx_from(k, 0);
		cr_assert_not(f->flags & FRAME_TAKEN);
		cr_assert_eq(k->n_in_flight, cut[i].n_slots);
		expect_sent(k, 0, cut[i].n_slots, cut[i].n * cut[i].len);
		cr_assert_eq(k->counters.tx_copied, 1);
		expect_works(k);
	}
}

Test(xsk_tx, flood_copies_for_all_but_the_last_taker)
{
	struct kernel *k = kernel_open(SLOTS);
	struct frame *f = kernel_make(k, 3, SLOT / 2);

	for (f->n_left = 4; f->n_left; f->n_left--) {
		cr_assert_not(f->flags & FRAME_TAKEN);
		kernel_tx_from(k, 0);
	}
	cr_assert(f->flags & FRAME_TAKEN);
	cr_assert_eq(k->counters.tx_packets, 4);
	cr_assert_eq(k->counters.tx_copied, 3);
	for (unsigned i = 0; i < 3; i++)
		expect_sent(k, 2 * i, 2, 3 * SLOT / 2);
	expect_sent(k, 6, 3, 3 * SLOT / 2);
	cr_assert_eq(k->in_flight[6].addr, kernel_addr(k, f->head));
	expect_works(k);
}

Test(xsk_tx, completion_of_what_was_not_sent)
{
	static const uint64_t addr[] = {0, (uint64_t)SLOTS * POOL_FRAME_SIZE,
	    (1ull << 32) * POOL_FRAME_SIZE, UINT64_MAX};

	for (unsigned i = 0; i < sizeof(addr) / sizeof(*addr); i++) {
		struct kernel *k = kernel_open(SLOTS);

		kernel_make(k, 1, 60);
		kernel_tx(k);
		cr_assert_neq(k->in_flight[0].addr >> POOL_FRAME_SHIFT, 0);
		kernel_complete_addr(k, addr[i]);
		kernel_flush(k);
		cr_assert_eq(k->x.n_sending, 1);
		expect_broken(k, XSK_OWNER);
	}
}

Test(xsk_tx, completion_of_what_waits_to_be_received_in)
{
	struct kernel *k = kernel_open(SLOTS);

	kernel_make(k, 1, 60);
	kernel_tx(k);
	xsk_fill(&k->x, &k->cache);
	kernel_complete_addr(k, kernel_take_fill(k));
	kernel_flush(k);
	expect_broken(k, XSK_OWNER);
}

Test(xsk_tx, completion_comes_twice)
{
	struct kernel *k = kernel_open(SLOTS);

	for (unsigned i = 0; i < 3; i++)
		kernel_make(k, 1, 60);
	kernel_tx(k);
	kernel_complete_addr(k, k->in_flight[1].addr);
	kernel_complete(k, 2);
	cr_assert(kernel_flush(k));
	cr_assert_eq(k->x.n_sending, 1, "both that were sent are back");
	expect_broken(k, XSK_OWNER);
}

Test(xsk_tx, completion_index_jumps)
{
	struct kernel *k = kernel_open(SLOTS);

	kernel_make(k, 1, 60);
	kernel_tx(k);
	k->completion.producer += 7 * XSK_RING_SIZE;
	kernel_flush(k);
	expect_broken(k, XSK_OWNER);
}

Test(xsk_tx, completions_are_missing)
{
	struct kernel *k = kernel_open(SLOTS);

	kernel_make(k, 1, 60);
	kernel_make(k, 1, 60);
	kernel_tx(k);
	kernel_complete(k, 1);
	cr_assert(kernel_flush(k));
	for (unsigned i = 0; i < 10 * STALL_S; i++) {
		cr_assert(kernel_flush(k));
		cr_assert_eq(k->x.fault, XSK_FINE, "after %u/10 s", i);
		k->w.now += cycles(SECOND_US / 10);
	}
	k->w.now++;
	kernel_flush(k);
	expect_broken(k, XSK_STALLED);
}

Test(xsk_tx, no_stall_while_anything_comes_back)
{
	struct kernel *k = kernel_open(SLOTS);

	for (unsigned i = 0; i < 20; i++)
		kernel_make(k, 1, 60);
	kernel_tx(k);
	for (unsigned i = 0; i < 19 * 4; i++) {
		if (i % 4 == 3)
			kernel_complete(k, 1);
		k->w.now += cycles(SECOND_US);
		cr_assert(kernel_flush(k));
		cr_assert_eq(k->x.fault, XSK_FINE);
	}
	expect_works(k);
}

Test(xsk_tx, no_stall_after_idle_hours)
{
	struct kernel *k = kernel_open(SLOTS);

	for (unsigned i = 0; i < 3; i++) {
		k->w.now += cycles(3600ull * SECOND_US);
		kernel_make(k, 1, 60);
		kernel_tx(k);
		cr_assert(kernel_flush(k));
		kernel_complete(k, 1);
		cr_assert_not(kernel_flush(k));
	}
	expect_works(k);
}

Test(xsk_tx, no_stall_because_this_process_was_stopped)
{
	struct kernel *k = kernel_open(SLOTS);

	kernel_make(k, 1, 60);
	k->send_errno = ENOBUFS; /* still in the ring when it happened */
	kernel_tx(k);
	cr_assert(kernel_flush(k));
	k->send_errno = 0;
	k->w.now += cycles(60ull * SECOND_US);
	cr_assert(kernel_flush(k));
	cr_assert_eq(k->x.fault, XSK_FINE);
	expect_works(k);
}

Test(xsk_tx, clocks_of_two_workers_differ_a_little)
{
	struct kernel *k = kernel_open(SLOTS);
	const uint64_t ahead = 5000;

	for (unsigned i = 0; i < 100; i++) {
		kernel_make(k, 1, 60);
		kernel_make(k, 1, 60);
		kernel_tx(k);
		cr_assert(kernel_flush(k));
		kernel_complete(k, 1);
		/* The other worker sees the progress, a little later. */
		k->w.now += ahead;
		kernel_make(k, 1, 60);
		kernel_tx(k);
		if (i & 1)
			cr_assert(kernel_flush(k));
		k->w.now -= ahead - 10;
		cr_assert(kernel_flush(k));
		cr_assert_eq(k->x.fault, XSK_FINE);
	}
	expect_works(k);
}

Test(xsk_tx, completions_are_swallowed_under_load)
{
	struct kernel *k = kernel_open(SLOTS);
	unsigned i;

	/* One of 64 is lost, and the rest are progress. */
	for (i = 0; i < SLOTS && xsk_usable(&k->x); i++) {
		for (unsigned j = 0; j < BATCH_MAX; j++)
			kernel_make(k, 1, 60);
		kernel_tx(k);
		while (kernel_flush(k) && kernel_n_unsent(k))
			;
		kernel_forget(k, 1);
		kernel_complete(k, k->n_in_flight);
	}
	cr_assert_lt(i, 2 * XSK_RING_SIZE + 64, "before memory is used up");
	cr_assert_gt(
	    i, 2 * XSK_RING_SIZE - 64, "not while it may be in flight");
	expect_broken(k, XSK_STALLED);
}

Test(xsk_tx, all_rings_full_are_no_stall)
{
	struct kernel *k = kernel_open(SLOTS);

	k->budget = XSK_RING_SIZE;
	for (unsigned i = 0; i < 3 * XSK_RING_SIZE; i += BATCH_MAX) {
		for (unsigned j = 0; j < BATCH_MAX; j++)
			kernel_make(k, 1, 60);
		kernel_tx(k);
		cr_assert(kernel_flush(k));
	}
	cr_assert_eq(k->x.n_sending, 2 * XSK_RING_SIZE);
	cr_assert_eq(k->counters.drops[DROP_TAIL_DROP], XSK_RING_SIZE);
	cr_assert_eq(k->x.fault, XSK_FINE);
	expect_works(k);
}

Test(xsk_tx, frame_of_several_buffers_goes_in_place)
{
	struct kernel *k = kernel_open(SLOTS);
	struct frame *f = kernel_make(k, 5, ROOM);

	kernel_make(k, 1, 60);
	kernel_tx_from(k, 0);
	cr_assert(f->flags & FRAME_TAKEN);
	cr_assert_eq(k->n_in_flight, 6);
	expect_sent(k, 0, 5, 5 * ROOM);
	expect_sent(k, 5, 1, 60);
	cr_assert_eq(k->counters.tx_copied, 0);
	expect_works(k);
}

Test(xsk_tx, frame_of_several_buffers_on_a_card_that_cannot)
{
	struct kernel *k = kernel_open(SLOTS);

	k->x.max_bufs = 1;
	kernel_make(k, 2, SLOT / 2 + 1);
	borrow(k, 2, SLOT / 2 + 1);
	expect_drops(k, DROP_MTU_EXCEEDED, 2);
	/* What fits in one slot is put together. */
	kernel_make(k, 2, SLOT / 2);
	kernel_tx(k);
	expect_sent(k, 0, 1, SLOT);
	cr_assert_eq(k->counters.tx_copied, 1);
	expect_works(k);
}

Test(xsk_tx, frame_of_more_buffers_than_a_card_sends)
{
	struct kernel *k = kernel_open(SLOTS);
	struct frame *f = kernel_make(k, KERNEL_BUFS_MAX + 1, 100);

	kernel_tx_from(k, 0);
	cr_assert_not(f->flags & FRAME_TAKEN);
	expect_sent(k, 0, 1, 100 * (KERNEL_BUFS_MAX + 1));
	kernel_done(k);
	kernel_make(k, KERNEL_BUFS_MAX, 100);
	kernel_tx(k);
	expect_sent(k, 1, KERNEL_BUFS_MAX, 100 * KERNEL_BUFS_MAX);
	expect_works(k);
}

Test(xsk_tx, copy_into_more_buffers_than_a_card_sends)
{
	struct kernel *k = kernel_open(SLOTS);

	k->x.max_bufs = 4;
	borrow(k, 4, SLOT);
	kernel_tx(k);
	expect_sent(k, 0, 4, 4 * SLOT);
	borrow(k, 5, SLOT - 16);
	expect_drops(k, DROP_MTU_EXCEEDED, 1);
	expect_works(k);
}

Test(xsk_tx, ring_is_full_in_the_middle_of_a_frame)
{
	struct kernel *k = kernel_open(SLOTS);

	k->send_errno = ENOBUFS;
	for (unsigned i = 0; i < XSK_RING_SIZE - 4; i += 4) {
		for (unsigned j = 0; j < 4; j++)
			kernel_make(k, 1, 60);
		kernel_tx(k);
	}
	cr_assert_eq(kernel_n_unsent(k), XSK_RING_SIZE - 4);
	kernel_make(k, 5, ROOM);
	borrow(k, 5, ROOM);
	expect_drops(k, DROP_TAIL_DROP, 2);
	kernel_make(k, 4, ROOM);
	kernel_tx(k);
	cr_assert_eq(kernel_n_unsent(k), XSK_RING_SIZE);
	kernel_make(k, 1, 60);
	borrow(k, 1, 60);
	expect_drops(k, DROP_TAIL_DROP, 4);
	k->send_errno = 0;
	expect_works(k);
}

Test(xsk_tx, pool_is_empty)
{
	for (unsigned left = 0; left < 5; left++) {
		struct kernel *k = kernel_open(SLOTS);
		static uint32_t slot[SLOTS];
		int64_t s;

		while ((s = pool_get(&k->cache)) >= 0)
			slot[k->n_held++] = (uint32_t)s;
		for (unsigned i = 0; i < left; i++)
			pool_put(&k->cache, slot[--k->n_held]);
		borrow(k, 5, ROOM);
		expect_drops(k, DROP_NO_MEMORY, 1);
		cr_assert_eq(k->cache.n, left);
		while (k->n_held)
			pool_put(&k->cache, slot[--k->n_held]);
		expect_works(k);
	}
}

Test(xsk_tx, unfinished_checksums_are_refused)
{
	struct kernel *k = kernel_open(SLOTS);

	kernel_make(k, 1, 60)->offload.bits = OFFLOAD_CSUM;
	expect_drops(k, DROP_NO_OFFLOAD, 1);
	kernel_make(k, 1, 60)->offload.bits = OFFLOAD_VALID;
	kernel_tx(k);
	cr_assert_eq(k->counters.tx_packets, 1);
	expect_works(k);
}

static void post(struct kernel *k, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		kernel_make(k, 1, 60);
	kernel_tx(k);
}

Test(xsk_tx, kernel_sends_some_at_a_call)
{
	struct kernel *k = kernel_open(SLOTS);

	post(k, 64);
	cr_assert_eq(k->n_sendto, 2);
	cr_assert_eq(kernel_n_unsent(k), 0);
	cr_assert(kernel_flush(k));
	cr_assert_eq(k->n_sendto, 2, "there is nothing to send");
	expect_works(k);
}

Test(xsk_tx, kernel_sends_hardly_any_at_a_call)
{
	struct kernel *k = kernel_open(SLOTS);

	k->budget = 1;
	post(k, 64);
	cr_assert_leq(k->n_sendto, 8, "work is bounded");
	cr_assert_gt(k->n_sendto, 1);
	while (kernel_n_unsent(k))
		cr_assert(kernel_flush(k));
	expect_works(k);
}

Test(xsk_tx, kernel_has_no_memory)
{
	struct kernel *k = kernel_open(SLOTS);

	k->send_errno = ENOBUFS;
	post(k, 64);
	cr_assert_eq(k->n_sendto, 1);
	cr_assert(kernel_flush(k));
	cr_assert_eq(k->n_sendto, 2, "it is tried again");
	k->send_errno = 0;
	expect_works(k);
}

Test(xsk_tx, kernel_need_not_be_woken)
{
	struct kernel *k = kernel_open(SLOTS);

	k->tx.flags = 0;
	post(k, 64);
	cr_assert(kernel_flush(k));
	cr_assert_eq(k->n_sendto, 0);
	k->x.busy_poll = true;
	cr_assert(kernel_flush(k));
	cr_assert_eq(k->n_sendto, 2, "a polled card sends in our time");
	expect_works(k);
}

Test(xsk_tx, card_is_gone)
{
	static const int why[] = {ENXIO, ENETDOWN};

	for (unsigned i = 0; i < 2; i++) {
		struct kernel *k = kernel_open(SLOTS);

		k->send_errno = why[i];
		post(k, 64);
		cr_assert_eq(k->n_sendto, 1);
		cr_assert(k->x.gone);
		cr_assert_not(kernel_flush(k), "no worker spins on it");
		borrow(k, 1, 60);
		expect_drops(k, DROP_PORT_DOWN, 1);
		k->w.now += cycles(60ull * SECOND_US);
		kernel_flush(k);
		cr_assert_eq(k->x.fault, XSK_FINE, "it did nothing wrong");
		cr_assert_eq(k->x.n_sending, 64);
		kernel_close(k);
	}
}

Test(xsk_tx, card_is_back)
{
	struct kernel *k = kernel_open(SLOTS);

	k->send_errno = ENETDOWN;
	post(k, 64);
	k->send_errno = 0;
	k->w.now += cycles(60ull * SECOND_US);
	k->x.gone = false; /* as the port does then */
	cr_assert(kernel_flush(k));
	cr_assert_eq(k->x.fault, XSK_FINE);
	expect_works(k);
}

Test(xsk_tx, memory_beyond_4_gib)
{
	struct kernel *k = kernel_open((5ull << 30) / POOL_FRAME_SIZE);
	struct frame *f[2];
	const uint64_t wanted = 1ull << 32;

	while (pool_get(&k->cache) <= (int64_t)(wanted >> POOL_FRAME_SHIFT))
		k->n_held++;
	k->n_held++;
	f[0] = kernel_make(k, 5, ROOM);
	f[1] = borrow(k, 5, ROOM);
	xsk_tx(&k->x, f, 2, &k->w);
	for (unsigned i = 0; i < 10; i++)
		cr_assert_gt(k->in_flight[i].addr, wanted);
	expect_sent(k, 0, 5, 5 * ROOM);
	expect_sent(k, 5, 5, 5 * ROOM);
	kernel_complete(k, 10);
	cr_assert_not(xsk_flush(&k->x, &k->w));
	kernel_close(k);
}

/* Of a frame of 60 bytes, checksum field at 34 + 16. */
static const struct offload undone = {
    .bits = OFFLOAD_CSUM, .csum_start = 34, .csum_offset = 16};

static void expect_asked(const struct kernel *k, uint32_t i)
{
	const struct xdp_desc *d = &k->in_flight[i];
	struct xsk_tx_metadata m;

	cr_assert_eq(d->options, XDP_TX_METADATA);
	memcpy(&m, k->pool->base + d->addr - sizeof(m), sizeof(m));
	cr_assert_eq(m.flags, XDP_TXMD_FLAGS_CHECKSUM);
	cr_assert_eq(m.request.csum_start, undone.csum_start);
	cr_assert_eq(m.request.csum_offset, undone.csum_offset);
}

Test(xsk_tx, checksum_is_asked_of_the_kernel)
{
	struct kernel *k = kernel_open(SLOTS);

	k->x.member.tx_metadata_len = sizeof(struct xsk_tx_metadata);
	k->x.tx_checksum = true;
	kernel_make(k, 1, 60)->offload = undone;
	borrow(k, 2, 30)->offload = undone;
	kernel_tx(k);
	cr_assert_eq(k->counters.tx_packets, 2);
	cr_assert_eq(k->counters.tx_copied, 1);
	expect_asked(k, 0);
	expect_asked(k, 1);
}

Test(xsk_tx, checksum_that_nobody_completes)
{
	struct kernel *k = kernel_open(SLOTS);

	kernel_make(k, 1, 60)->offload = undone;
	expect_drops(k, DROP_NO_OFFLOAD, 1);
	expect_works(k);
}

/* The kernel takes no buffer that begins where its metadata would lie. */
Test(xsk_tx, no_room_before_a_buffer)
{
	struct kernel *k = kernel_open(SLOTS);
	struct frame *f = kernel_make(k, 1, 60);

	k->x.member.tx_metadata_len = sizeof(struct xsk_tx_metadata);
	memmove(f->head - pool_offset(k->pool, f->head), f->head, 60);
	f->head -= pool_offset(k->pool, f->head);
	kernel_tx(k);
	expect_sent(k, 0, 1, 60);
	cr_assert_eq(k->counters.tx_copied, 1);
	cr_assert_eq(pool_offset(k->pool, k->pool->base + k->in_flight[0].addr),
	    sizeof(struct xsk_tx_metadata));
	expect_works(k);
}
