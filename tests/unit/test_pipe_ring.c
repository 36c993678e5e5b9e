/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pipe_ring.c - frames out of an application's ring, lawful and hostile.
 */
#include "ports/peer/gather.h"
#include "tests/unit/pipe_end.h"

enum { RING = 256 };

static struct batch batch;

static unsigned rx(struct end *e)
{
	batch.n = batch.n_segs = 0;
	return pipe_ring_rx(&e->r, &batch, &e->w);
}

/* Frame @i of the batch has @len bytes, all as end_send() wrote them. */
static void expect_frame(unsigned i, uint32_t len)
{
	const struct frame *f = &batch.f[i];
	uint32_t n = 0;

	cr_assert_lt(i, batch.n);
	cr_assert_eq(f->len, len);
	cr_assert_eq(f->head, batch_head(&batch, i));
	cr_assert_eq(f->head_len, len < 64 ? len : 64);
	for (; n < f->head_len; n++)
		cr_assert_eq(f->head[n], end_pattern(n));
	for (unsigned s = 0; s < f->n_segs; s++)
		for (uint32_t k = 0; k < f->segs[s].len; k++, n++)
			cr_assert_eq(f->segs[s].data[k], end_pattern(n));
	cr_assert_eq(n, len);
	cr_assert_eq(f->flags, 0);
	cr_assert_eq(f->offload.bits, 0);
}

/* Nothing was counted: what rx hands on is counted by its caller. */
static void expect_no_counts(const struct end *e)
{
	static const struct counters none;

	cr_assert_eq(memcmp(&e->counters, &none, sizeof(none)), 0);
}

/* All that came is done with: the application may have its slots back, or a
 * server finds all buffers offered. */
static void expect_done(struct end *e, unsigned n_slots)
{
	pipe_ring_rx_done(&e->r);
	cr_assert_eq(e->r.next, (uint16_t)n_slots);
	cr_assert_eq(end_ours(e),
	    (uint16_t)(e->role.client ? n_slots + e->r.mask + 1 : n_slots));
	cr_assert_eq(e->r.fault, PIPE_NONE);
	cr_assert_eq(rx(e), 0);
}

static void expect_drop(
    struct end *e, enum drop_reason why, uint64_t bytes, unsigned n_slots)
{
	cr_assert_gt(rx(e), 0);
	cr_assert_eq(batch.n, 0);
	cr_assert_eq(e->counters.rx_packets, 1);
	cr_assert_eq(e->counters.rx_bytes, bytes);
	cr_assert_eq(e->counters.drops[why], 1, "%s", drop_name(why));
	expect_done(e, n_slots);
	end_close(e);
}

static void expect_broken(struct end *e, enum pipe_fault why)
{
	uint16_t ours = end_ours(e);

	cr_assert_eq(rx(e), 0);
	cr_assert_eq(batch.n, 0);
	cr_assert_eq(e->r.fault, why, "%s", pipe_fault_name(e->r.fault));
	cr_assert_eq(e->n_raised, 1);
	cr_assert_eq(
	    e->counters.rx_packets, e->counters.drops[DROP_BAD_DESCRIPTOR]);
	cr_assert_eq(rx(e), 0);
	cr_assert(pipe_ring_arm(&e->r));
	cr_assert_eq(end_ours(e), ours);
	cr_assert_eq(e->n_raised, 1);
	end_close(e);
}

Test(pipe_ring, takes_frames_of_every_length)
{
	static const uint32_t len[] = {
	    14, 15, 59, 60, 63, 64, 65, 128, 1514, 2048, 2049, 9018, 65553};

	for (unsigned client = 0; client < 2; client++)
		for (unsigned i = 0; i < sizeof(len) / sizeof(*len); i++) {
			struct end *e = end_open(RING, client, false);
			unsigned n =
			    end_send(e, len[i], client ? END_BUFFER : 70000);

			cr_assert_eq(rx(e), n);
			cr_assert_eq(batch.n, 1);
			expect_frame(0, len[i]);
			expect_no_counts(e);
			expect_done(e, n);
			end_close(e);
		}
}

Test(pipe_ring, takes_chains_of_any_cut)
{
	for (unsigned client = 0; client < 2; client++)
		for (uint32_t piece = 1; piece < 70; piece++) {
			struct end *e = end_open(RING, client, false);
			unsigned n = end_send(e, 60, 60);

			n += end_send(e, 200, piece);
			cr_assert_eq(rx(e), n);
			cr_assert_eq(batch.n, 2);
			expect_frame(0, 60);
			expect_frame(1, 200);
			expect_no_counts(e);
			expect_done(e, n);
			end_close(e);
		}
}

/* Some senders fill a slot anew without resetting its flag. */
Test(pipe_ring, a_chain_that_was_taken_is_none_any_more)
{
	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(RING, client, false);

		end_send(e, 3000, 1000);
		cr_assert_eq(rx(e), 3);
		expect_done(e, 3);
		for (unsigned i = 0; i < RING; i++)
			cr_assert_eq(e->ring->desc[i].flags, 0);
		cr_assert_eq(e->ring->desc[0].region, !client);
		end_close(e);
	}
}

/* More than once round the indices' range. */
Test(pipe_ring, goes_round)
{
	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(RING, client, false);
		unsigned total = 0;

		for (unsigned i = 0; i < 2400; i++) {
			unsigned n = end_send(e, 2100, 1050), got = 0;

			for (unsigned k = 0; k < i % 60; k++)
				n += end_send(e, 60 + k, END_BUFFER);
			while (got < n) {
				unsigned some = rx(e);

				cr_assert_gt(some, 0);
				got += some;
				pipe_ring_rx_done(&e->r);
			}
			total += got;
		}
		expect_no_counts(e);
		cr_assert_gt(total, 70000);
		end_close(e);
	}
}

Test(pipe_ring, goes_on_where_the_tail_is)
{
	struct end *e = end_open_at(RING, false, false, 65500);

	for (unsigned i = 0; i < 64; i++)
		end_send(e, 60, 60);
	cr_assert_eq(rx(e), 64);
	pipe_ring_rx_done(&e->r);
	cr_assert_eq(e->ring->tail, (uint16_t)(65500 + 64));
	end_close(e);
}

Test(pipe_ring, case_145_bursts_of_as_many_as_the_ring_has)
{
	for (unsigned client = 0; client < 2; client++)
		for (unsigned n = 255; n < 257; n++) {
			struct end *e = end_open(256, client, false);
			unsigned got = 0;

			for (unsigned i = 0; i < n; i++)
				end_send(e, 60, 60);
			for (unsigned i = 0; i < 4; i++) {
				got += rx(e);
				pipe_ring_rx_done(&e->r);
			}
			cr_assert_eq(got, n);
			cr_assert_eq(e->r.fault, PIPE_NONE);
			end_close(e);
		}
}

Test(pipe_ring, case_145_more_than_the_ring_has)
{
	static const uint16_t jump[] = {257, 300, 32768, 65535};

	for (unsigned client = 0; client < 2; client++)
		for (unsigned i = 0; i < 4; i++) {
			struct end *e = end_open(256, client, false);

			end_move(e, jump[i]);
			expect_broken(e, PIPE_INDEX);
		}
}

Test(pipe_ring, case_145_next_without_a_next_slot)
{
	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(RING, client, false);

		end_send_part(e, 0, 100, MEMIF_DESC_NEXT);
		end_send_part(e, 100, 100, MEMIF_DESC_NEXT);
		expect_drop(e, DROP_RX_MALFORMED, 0, 2);
	}
}

Test(pipe_ring, a_chain_without_end_breaks)
{
	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(1024, client, false);

		for (unsigned i = 0; i < 1024; i++)
			end_send_part(e, 0, 0, MEMIF_DESC_NEXT);
		expect_broken(e, PIPE_CHAIN);
	}
}

Test(pipe_ring, runts_and_giants_are_dropped)
{
	for (unsigned client = 0; client < 2; client++) {
		for (uint32_t len = 0; len < 14; len++) {
			struct end *e = end_open(RING, client, false);

			end_send(e, len, 64);
			expect_drop(e, DROP_RX_RUNT, len, 1);
		}
		struct end *e = end_open(RING, client, false);
		unsigned n = end_send(e, FRAME_LEN_MAX + 1, END_BUFFER);

		expect_drop(e, DROP_RX_OVERSIZE, FRAME_LEN_MAX + 1, n);
		e = end_open(1024, client, false);
		n = end_send(e, 1024, 4);
		cr_assert_eq(n, 256);
		cr_assert_eq(rx(e), n);
		expect_frame(0, 1024);
		end_close(e);
		e = end_open(1024, client, false);
		n = end_send(e, 1028, 4);
		expect_drop(e, DROP_RX_MALFORMED, 1028, n);
	}
}

/* However long it says that it is, one byte too many is enough. */
Test(pipe_ring, of_a_giant_no_more_is_counted_than_is_looked_at)
{
	struct end *e = end_open(RING, false, false);

	end_send(e, FRAME_LEN_MAX + 1000, FRAME_LEN_MAX + 1000);
	expect_drop(e, DROP_RX_OVERSIZE, FRAME_LEN_MAX + 1, 1);
}

/* Slot @i has one bad frame between good ones: those before it arrive. */
static void bad_at(unsigned i, struct memif_desc bad)
{
	struct end *e = end_open(RING, false, false);

	for (unsigned k = 0; k < 8; k++)
		end_send(e, 100, 100);
	*end_desc(e, i) = bad;
	cr_assert_eq(rx(e), i);
	cr_assert_eq(batch.n, i);
	for (unsigned k = 0; k < i; k++)
		expect_frame(k, 100);
	cr_assert_eq(e->counters.rx_packets, 1);
	cr_assert_eq(e->counters.rx_bytes, 0);
	cr_assert_eq(e->counters.drops[DROP_BAD_DESCRIPTOR], 1);
	cr_assert_eq(e->r.fault, PIPE_DESC);
	cr_assert_eq(e->n_raised, 1);
	pipe_ring_rx_done(&e->r);
	cr_assert_eq(e->ring->tail, i);
	cr_assert_eq(rx(e), 0);
	end_close(e);
}

static void bad(struct memif_desc d)
{
	static const unsigned where[] = {0, 4, 7};

	for (unsigned k = 0; k < 3; k++)
		bad_at(where[k], d);
	d.flags = MEMIF_DESC_NEXT;
	bad_at(3, d);
}

Test(pipe_ring, case_141_offset_and_length_wrap)
{
	bad((struct memif_desc){.region = 1, .offset = 0xfffffff0, .len = 64});
	bad((struct memif_desc){.region = 1, .offset = 64, .len = 0xfffffff0});
	bad((struct memif_desc){
	    .region = 1, .offset = 0xffffffff, .len = 0xffffffff});
}

Test(pipe_ring, case_142_outside_of_memory)
{
	bad((struct memif_desc){.region = 2, .len = 64});
	bad((struct memif_desc){.region = 255, .len = 64});
	bad((struct memif_desc){.region = 256, .len = 64});
	bad((struct memif_desc){.region = 65535, .len = 64});
	bad((struct memif_desc){
	    .region = 1, .offset = END_REGION - 63, .len = 64});
	bad((struct memif_desc){.region = 1, .offset = END_REGION, .len = 64});
	bad((struct memif_desc){
	    .region = 0, .offset = END_REGION + 1, .len = 0});
}

Test(pipe_ring, case_142_longer_than_our_buffer)
{
	struct end *e = end_open(RING, true, false);

	e->ring->desc[0].len = END_BUFFER + 1;
	end_move(e, 1);
	expect_broken(e, PIPE_DESC);
}

/* A server's idea of where our buffer is does not count. */
Test(pipe_ring, our_buffers_stay_where_they_are)
{
	struct end *e = end_open(RING, true, false);

	end_send(e, 100, 100);
	e->ring->desc[0].region = 77;
	e->ring->desc[0].offset = 0xfffffff0;
	cr_assert_eq(rx(e), 1);
	expect_frame(0, 100);
	expect_done(e, 1);
	cr_assert_eq(e->ring->desc[0].region, 0);
	cr_assert_eq(e->ring->desc[0].offset, END_BUFFERS);
	cr_assert_eq(e->ring->desc[0].len, END_BUFFER);
	end_close(e);
}

Test(pipe_ring, case_144_refused_ones_between_good_ones)
{
	static const unsigned where[] = {0, 4, 7};

	for (unsigned k = 0; k < 3; k++) {
		struct end *e = end_open(RING, false, false);

		for (unsigned i = 0; i < 8; i++)
			end_send(e, i == where[k] ? 13 : 100, 100);
		cr_assert_eq(rx(e), 8);
		cr_assert_eq(batch.n, 7);
		cr_assert_eq(e->counters.rx_packets, 1);
		cr_assert_eq(e->counters.drops[DROP_RX_RUNT], 1);
		expect_done(e, 8);
		end_close(e);
	}
}

Test(pipe_ring, case_147_header_rewritten_while_it_runs)
{
	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(RING, client, false);

		e->ring->cookie = 0;
		end_send(e, 100, 100);
		cr_assert_eq(rx(e), 1);
		expect_frame(0, 100);
		expect_done(e, 1);
		/* Ours is not read again. */
		if (client)
			e->ring->head = 12345;
		else
			e->ring->tail = 12345;
		end_send(e, 100, 100);
		cr_assert_eq(rx(e), 1);
		expect_done(e, 2);
		end_close(e);
	}
}

Test(pipe_ring, case_148_payload_changed_after_the_check)
{
	struct end *e = end_open(RING, false, false);

	end_send(e, 64, 64);
	cr_assert_eq(rx(e), 1);
	memset(e->mem->region[1].at, 0xff, 64);
	expect_frame(0, 64);
	end_close(e);
}

Test(pipe_ring, case_150_memory_that_is_gone)
{
	struct end *e = end_open(RING, false, false);

	end_send(e, 64, 64);
	guard_break(&e->mem->guard);
	expect_broken(e, PIPE_MEM_SHRUNK);
}

Test(pipe_ring, listens_before_it_sleeps)
{
	for (unsigned client = 0; client < 2; client++) {
		struct end *e = end_open(RING, client, false);

		cr_assert_eq(e->ring->flags, MEMIF_RING_MASK_INT);
		cr_assert_not(pipe_ring_arm(&e->r));
		cr_assert_eq(e->ring->flags, 0);
		pipe_ring_disarm(&e->r);
		cr_assert(pipe_ring_arm(&e->r));
		end_send(e, 60, 60);
		pipe_ring_disarm(&e->r);
		cr_assert_eq(e->r.n_wakes, 1);
		cr_assert_eq(rx(e), 1);
		cr_assert_eq(e->ring->flags, MEMIF_RING_MASK_INT);
		expect_done(e, 1);
		cr_assert_not(pipe_ring_arm(&e->r));
		end_send(e, 60, 60);
		cr_assert_not(pipe_ring_arm(&e->r));
		end_close(e);
	}
}
