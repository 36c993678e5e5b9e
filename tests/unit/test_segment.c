/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_segment.c - segmentation against one that copies and sums naively.
 */
#include "switch/base/checksum.h"
#include "switch/base/segment.h"
#include "tests/unit/packet.h"

enum { SEGMENTS_MAX = 1024 };

static struct packet big, *ref;
static struct batch batch;
static uint8_t flat[PACKET_MAX];

static void setup(void)
{
	ref = malloc(SEGMENTS_MAX * sizeof(*ref));
}

static void teardown(void)
{
	free(ref);
}

TestSuite(segment, .init = setup, .fini = teardown);

/* @f is the reference's segment @r, finished or but for its checksum. */
static void expect_segment(struct frame *f, const struct packet *r,
    const struct frame *from, bool csum)
{
	cr_assert_eq(f->len, r->len);
	cr_assert_eq(f->head_len, r->hdr_len);
	cr_assert_eq(f->flags, from->flags & FRAME_TAGGED);
	cr_assert_eq(f->tci, from->tci);
	if (csum) {
		cr_assert_eq(f->offload.bits, OFFLOAD_CSUM);
		cr_assert_eq(f->offload.gso_size, 0);
		cr_assert_eq(f->offload.hdr_len, 0);
		cr_assert(checksum_finish(f));
	}
	cr_assert_eq(f->offload.bits, OFFLOAD_VALID);
	frame_flatten(f, flat);
	cr_assert_eq(memcmp(flat, r->data, r->len), 0);
}

/* Cuts @p, which becomes a frame with @head_len bytes of head and pieces of up
 * to @most bytes, and compares.  Returns into how many. */
static unsigned check(
    struct packet *p, uint32_t size, uint32_t head_len, uint32_t most)
{
	unsigned n_ref = packet_segment(p, size, ref), n = 0, some;
	uint8_t accepts = draw(2) ? OFFLOAD_CSUM : 0;
	struct segmenter s;
	struct frame f, before;

	packet_set_partial(p);
	f = packet_frame(p, head_len, most);
	f.flags = FRAME_OWNED | (draw(2) ? FRAME_TAGGED : 0);
	f.tci = (uint16_t)draw(65536);
	f.offload = packet_offload(p, size);
	before = f;
	segment_begin(&s, &f, accepts);
	batch.n = batch.n_segs = 0;
	while ((some = segment_next(&s, &batch, BATCH_MAX))) {
		cr_assert_eq(some, batch.n);
		cr_assert_leq(batch.n_segs, BATCH_SEGS_MAX);
		for (unsigned i = 0; i < some; i++, n++) {
			cr_assert_lt(n, n_ref);
			cr_assert_eq(batch.f[i].head, batch_head(&batch, i));
			expect_segment(&batch.f[i], &ref[n], &f, accepts);
		}
		batch.n = batch.n_segs = 0;
	}
	cr_assert_eq(n, n_ref);
	cr_assert_eq(memcmp(&f, &before, sizeof(f)), 0);
	frame_flatten(&f, flat);
	cr_assert_eq(memcmp(flat, p->data, p->len), 0);
	packet_frame_free(&f);
	return n;
}

/* Every flag, option, tag, and cut. */
Test(segment, random_packets)
{
	for (unsigned round = 0; round < 3000; round++) {
		uint32_t size = 8 + draw(round % 2 ? 60 : 1500);
		uint32_t payload = size + 1 + draw(size * (1 + draw(70)));
		struct shape s =
		    packet_shape(payload > 60000 ? 60000 : payload);
		uint32_t room;

		if (size * SEGMENTS_MAX < s.payload)
			continue;
		packet_make(&big, &s);
		if (s.proto == TCP)
			big.data[big.l4 + 13] = (uint8_t)draw(256);
		room = big.len - big.hdr_len;
		check(&big, size, big.hdr_len + draw(3) * draw(room + 1) / 2,
		    1 + draw(round % 3 ? 5000 : 50));
	}
}

static struct shape tcp4(uint32_t payload)
{
	return (struct shape){.ip4 = true, .proto = TCP, .payload = payload};
}

Test(segment, the_largest_there_is)
{
	struct shape s = tcp4(65535 - 40);

	packet_make(&big, &s);
	cr_assert_eq(check(&big, 1460, big.hdr_len, 4096), 45);
	s.ip4 = false;
	s.payload = 65535 - 20;
	packet_make(&big, &s);
	cr_assert_eq(check(&big, 1440, 128, 65535), 46);
	cr_assert_eq(check(&big, 65514, 128, 65535), 2);
	s.payload = 1024 * 8;
	packet_make(&big, &s);
	cr_assert_eq(check(&big, 8, big.hdr_len, 65535), 1024);
}

/* As many pieces as a frame may have, more than one batch has twice. */
Test(segment, the_smallest_pieces)
{
	for (uint32_t size = 8; size < 300; size += 7) {
		struct shape s = tcp4(2000);

		packet_make(&big, &s);
		check(&big, size, big.hdr_len, 1);
		check(&big, size, big.hdr_len, 2);
		check(&big, size, big.hdr_len + 1, 9);
	}
}

/* Numbers that wrap around in the middle. */
Test(segment, sequence_and_id_wrap)
{
	struct shape s = tcp4(10000);

	packet_make(&big, &s);
	memset(big.data + big.l4 + 4, 0xff, 4);
	eth_put_be16(big.data + big.l3 + 4, 0xfffd);
	check(&big, 1000, big.hdr_len, 3000);
}

/* Segments are appended to a batch that already has frames. */
Test(segment, appends_as_far_as_there_is_room)
{
	struct shape shape = tcp4(100 * 64);
	struct segmenter s;
	struct frame f;

	packet_make(&big, &shape);
	packet_set_partial(&big);
	f = packet_frame(&big, big.hdr_len, 65535);
	f.offload = packet_offload(&big, 100);
	batch.n = 60;
	batch.n_segs = 7;
	segment_begin(&s, &f, 0);
	cr_assert_eq(segment_next(&s, &batch, BATCH_MAX), 4);
	cr_assert_eq(batch.f[60].segs, &batch.segs[7]);
	cr_assert_eq(segment_next(&s, &batch, BATCH_MAX), 0);
	batch.n = 0;
	batch.n_segs = BATCH_SEGS_MAX - 2;
	cr_assert_eq(segment_next(&s, &batch, BATCH_MAX), 2);
	batch.n = batch.n_segs = 0;
	cr_assert_eq(segment_next(&s, &batch, BATCH_MAX), 58);
	cr_assert_eq(segment_next(&s, &batch, BATCH_MAX), 0);
	packet_frame_free(&f);
}

/* The destination of a pseudo-header is the last address of a routing header,
 * which only the sender's sum knows of (RFC 8200, 8.1). */
Test(segment, keeps_the_pseudo_header_of_the_sender)
{
	struct shape shape = {.proto = TCP, .payload = 3000};
	struct segmenter s;
	struct packet other;
	struct frame f;
	unsigned n;

	packet_make(&big, &shape);
	packet_set_partial(&big);
	memcpy(&other, &big, sizeof(other));
	memset(other.data + other.l3 + 24, 0xab, 16);
	packet_set_partial(&other);
	memcpy(big.data + csum_at(&big), other.data + csum_at(&big), 2);
	f = packet_frame(&big, big.hdr_len, 65535);
	f.offload = packet_offload(&big, 1000);
	n = packet_segment(&other, 1000, ref);
	batch.n = batch.n_segs = 0;
	segment_begin(&s, &f, 0);
	cr_assert_eq(segment_next(&s, &batch, BATCH_MAX), n);
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(memcmp(batch.f[i].head + csum_at(&big),
				 ref[i].data + csum_at(&big), 2),
		    0);
	packet_frame_free(&f);
}
