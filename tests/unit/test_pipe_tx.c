/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pipe_tx.c - frames into an application's ring, lawful and hostile.
 */
#include "tests/unit/pipe_end.h"

enum { RING = 256 };

static uint8_t bytes[FRAME_LEN_MAX];

/* A frame of @len bytes, borrowed from somewhere: its head apart from the rest,
 * which is in pieces of at most @piece. */
struct source {
	struct frame f;
	struct frame_seg segs[FRAME_SEGS_MAX];
	uint8_t head[FRAME_HEAD_MAX];
};

static struct frame *source(struct source *s, uint32_t len, uint32_t piece)
{
	uint32_t at = len < 64 ? len : 64;

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = end_pattern(i);
	memcpy(s->head, bytes, at);
	s->f = (struct frame){.head = s->head,
	    .segs = s->segs,
	    .len = len,
	    .head_len = (uint16_t)at,
	    .n_left = 1};
	while (at < len) {
		uint32_t some = len - at < piece ? len - at : piece;

		s->segs[s->f.n_segs++] = (struct frame_seg){bytes + at, some};
		at += some;
	}
	return &s->f;
}

static void tx(struct end *e, struct frame *f, unsigned n)
{
	struct frame *all[BATCH_MAX];

	for (unsigned i = 0; i < n; i++)
		all[i] = f;
	pipe_ring_tx(&e->r, all, n, &e->w);
}

/* Slot @i on hold a frame of @len bytes; returns in how many. */
static unsigned expect_frame(struct end *e, unsigned i, uint32_t len)
{
	uint32_t at = 0;
	unsigned n = 0;
	struct memif_desc d;

	do {
		d = *end_desc(e, i + n++);
		cr_assert_gt(d.len, 0);
		cr_assert_eq(d.region, !e->role.client);
		for (uint32_t k = 0; k < d.len; k++)
			cr_assert_eq(end_at(e, &d)[k], end_pattern(at + k));
		at += d.len;
	} while (d.flags & MEMIF_DESC_NEXT);
	cr_assert_eq(d.flags, 0);
	cr_assert_eq(at, len);
	return n;
}

static void expect_sent(const struct end *e, uint64_t n, uint64_t n_bytes)
{
	cr_assert_eq(e->counters.tx_packets, n);
	cr_assert_eq(e->counters.tx_copied, n);
	cr_assert_eq(e->counters.tx_bytes, n_bytes);
}

static void expect_drops(const struct end *e, enum drop_reason why, uint64_t n)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		all += e->counters.drops[i];
	cr_assert_eq(e->counters.drops[why], n, "%s", drop_name(why));
	cr_assert_eq(all, n);
}

static bool is_canary(
    const struct end *e, unsigned region, uint32_t at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (e->mem->region[region].at[at + i] != CANARY)
			return false;
	return true;
}

Test(pipe_tx, sends_frames_of_every_length)
{
	static const uint32_t len[] = {
	    14, 15, 60, 63, 64, 65, 1514, 2048, 2049, 9018, FRAME_LEN_MAX};
	struct source s;

	for (unsigned client = 0; client < 2; client++)
		for (unsigned i = 0; i < sizeof(len) / sizeof(*len); i++) {
			struct end *e = end_open(RING, client, true);
			unsigned n = (len[i] + END_BUFFER - 1) / END_BUFFER;

			if (!client)
				end_offer(e, RING, END_BUFFER);
			tx(e, source(&s, len[i], 1000), 1);
			expect_sent(e, 1, len[i]);
			cr_assert_eq(end_ours(e), n);
			cr_assert_eq(expect_frame(e, 0, len[i]), n);
			end_close(e);
		}
}

Test(pipe_tx, fills_buffers_of_any_length)
{
	struct source s;

	for (uint32_t room = 1; room < 300; room++) {
		struct end *e = end_open(1024, false, true);

		end_offer(e, 3, 0);
		end_offer(e, 800, room);
		tx(e, source(&s, 260, 7), 3);
		cr_assert_eq(e->r.fault, PIPE_NONE);
		expect_sent(e, 3, 3 * 260);
		end_close(e);
	}
}

/* Between a frame's end and the next buffer nothing is touched. */
Test(pipe_tx, writes_nothing_behind_a_frame)
{
	struct source s;

	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(RING, client, true);

		if (!client)
			end_offer(e, RING, END_BUFFER);
		tx(e, source(&s, 100, 36), 64);
		for (unsigned i = 0; i < 64; i++) {
			expect_frame(e, i, 100);
			cr_assert(is_canary(e, !client,
			    end_desc(e, i)->offset + 100, END_BUFFER - 100));
		}
		end_close(e);
	}
}

Test(pipe_tx, goes_round)
{
	struct source s;

	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(64, client, true);

		if (!client)
			end_offer(e, 64, END_BUFFER);
		for (unsigned i = 0; i < 3000; i++) {
			uint16_t at = end_ours(e);
			unsigned n = 1 + i % 30, got;

			tx(e, source(&s, 60 + i % 5000, 700), n);
			got = (uint16_t)(end_ours(e) - at);
			cr_assert_gt(got, 0);
			for (unsigned k = 0; k < got;)
				k += expect_frame(e, at + k, 60 + i % 5000);
			if (client)
				end_move(e, got);
			else
				end_offer(e, got, END_BUFFER);
		}
		cr_assert_eq(e->r.fault, PIPE_NONE);
		end_close(e);
	}
}

Test(pipe_tx, a_full_ring_drops_what_is_left)
{
	struct source s;

	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(32, client, true);

		if (!client)
			end_offer(e, 32, END_BUFFER);
		tx(e, source(&s, 60, 60), 40);
		expect_sent(e, 32, 32 * 60);
		expect_drops(e, DROP_GUEST_RING_FULL, 8);
		tx(e, source(&s, 60, 60), 1);
		expect_drops(e, DROP_GUEST_RING_FULL, 9);
		end_close(e);
	}
}

/* Nothing is written for a frame that does not fit, and the next one may. */
Test(pipe_tx, a_frame_too_long_for_what_is_left_does_not_hold_up_others)
{
	struct source a, b;
	struct frame *f[2] = {source(&a, 5000, 999), source(&b, 60, 60)};

	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(32, client, true);

		if (client)
			tx(e, &b.f, 30);
		else
			end_offer(e, 2, END_BUFFER);
		source(&a, 5000, 999);
		pipe_ring_tx(&e->r, f, 2, &e->w);
		expect_drops(e, DROP_GUEST_RING_FULL, 1);
		cr_assert_eq(expect_frame(e, client ? 30 : 0, 60), 1);
		end_close(e);
	}
}

Test(pipe_tx, a_frame_longer_than_the_ring_never_fits)
{
	struct source s;
	struct end *e = end_open(32, false, true);

	end_offer(e, 32, 100);
	tx(e, source(&s, 3201, 999), 1);
	expect_drops(e, DROP_GUEST_BUFFER_SMALL, 1);
	tx(e, source(&s, 3200, 999), 1);
	expect_sent(e, 1, 3200);
	end_close(e);
	e = end_open(1024, false, true);
	end_offer(e, 1024, 1);
	tx(e, source(&s, 1000, 999), 1);
	expect_drops(e, DROP_GUEST_BUFFER_SMALL, 1);
	end_close(e);
}

static void bad(struct memif_desc d, unsigned at)
{
	struct source s;
	struct end *e = end_open(RING, false, true);

	end_offer(e, 8, END_BUFFER);
	*end_desc(e, at) = d;
	tx(e, source(&s, 100, 100), 8);
	expect_sent(e, at, at * 100u);
	expect_drops(e, DROP_GUEST_RING_BROKEN, 8 - at);
	cr_assert_eq(e->r.fault, PIPE_DESC);
	cr_assert_eq(e->n_raised, 1);
	cr_assert_eq(end_ours(e), at);
	tx(e, &s.f, 2);
	expect_drops(e, DROP_GUEST_RING_BROKEN, 10 - at);
	end_close(e);
}

Test(pipe_tx, case_142_buffers_outside_of_memory)
{
	static const unsigned where[] = {0, 3, 7};

	for (unsigned i = 0; i < 3; i++) {
		unsigned at = where[i];

		bad((struct memif_desc){.region = 2, .len = 2048}, at);
		bad((struct memif_desc){.region = 65535, .len = 2048}, at);
		bad(
		    (struct memif_desc){
			.region = 1, .len = 2048, .offset = END_REGION - 2047},
		    at);
		bad(
		    (struct memif_desc){
			.region = 1, .len = 2048, .offset = 0xfffffff0},
		    at);
		bad(
		    (struct memif_desc){
			.region = 1, .len = 0xffffffff, .offset = 16},
		    at);
	}
}

Test(pipe_tx, case_145_more_buffers_than_the_ring_has)
{
	static const uint16_t jump[] = {257, 32768, 65535};
	struct source s;

	for (unsigned client = 0; client < 2; client++)
		for (unsigned i = 0; i < 3; i++) {
			struct end *e = end_open(RING, client, true);

			/* A server that has taken what was never sent. */
			end_move(e, client ? (unsigned)-(int)jump[i] : jump[i]);
			if (client)
				*end_theirs(e) =
				    (uint16_t)(jump[i] == 65535 ? 1 : jump[i]);
			tx(e, source(&s, 60, 60), 1);
			cr_assert_eq(e->r.fault, PIPE_INDEX);
			expect_drops(e, DROP_GUEST_RING_BROKEN, 1);
			end_close(e);
		}
}

/* What a server wrote to descriptors of ours is of no matter. */
Test(pipe_tx, our_descriptors_are_written_anew)
{
	struct source s;
	struct end *e = end_open(RING, true, true);

	for (unsigned i = 0; i < RING; i++)
		*end_desc(e, i) = (struct memif_desc){
		    .flags = 0xffff, .region = 9, .len = 1, .offset = 5};
	tx(e, source(&s, 100, 100), 2);
	cr_assert_eq(end_desc(e, 1)->offset, END_BUFFERS + END_BUFFER);
	expect_frame(e, 0, 100);
	expect_frame(e, 1, 100);
	end_close(e);
}

/* Clients do not all reset the flags of what they offer. */
Test(pipe_tx, flags_of_free_buffers_mean_nothing)
{
	struct source s;
	struct end *e = end_open(RING, false, true);

	end_offer(e, 8, END_BUFFER);
	for (unsigned i = 0; i < 8; i++)
		end_desc(e, i)->flags = MEMIF_DESC_NEXT;
	tx(e, source(&s, 100, 100), 2);
	expect_frame(e, 0, 100);
	expect_frame(e, 1, 100);
	end_close(e);
}

Test(pipe_tx, one_notification_a_batch_and_none_if_masked)
{
	struct source s;

	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(RING, client, true);

		if (!client)
			end_offer(e, RING, END_BUFFER);
		e->ring->flags = 0;
		tx(e, source(&s, 60, 60), 32);
		cr_assert_eq(end_bells(e), 1);
		e->ring->flags = MEMIF_RING_MASK_INT;
		tx(e, &s.f, 32);
		cr_assert_eq(end_bells(e), 0);
		cr_assert_eq(e->ring->flags, MEMIF_RING_MASK_INT);
		cr_assert_eq(e->r.n_bells, 1);
		end_close(e);
	}
}

Test(pipe_tx, an_unfinished_frame_is_refused)
{
	struct source s;
	struct end *e = end_open(RING, true, true);

	source(&s, 100, 100)->offload.bits = OFFLOAD_CSUM;
	tx(e, &s.f, 1);
	expect_drops(e, DROP_NO_OFFLOAD, 1);
	end_close(e);
}

Test(pipe_tx, case_150_memory_that_is_gone)
{
	struct source s;
	struct end *e = end_open(RING, true, true);

	guard_break(&e->mem->guard);
	tx(e, source(&s, 60, 60), 3);
	cr_assert_eq(e->r.fault, PIPE_MEM_SHRUNK);
	expect_drops(e, DROP_GUEST_RING_BROKEN, 3);
	end_close(e);
}
