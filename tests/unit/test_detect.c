/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_detect.c - checksums that were left undone without a word.
 */
#include "switch/base/checksum.h"
#include "tests/unit/packet.h"

static struct packet in, out;

static struct frame random_frame(bool undone)
{
	struct shape s = packet_shape(100 + draw(3000));

	packet_make(&in, &s);
	if (undone)
		packet_set_partial(&in);
	else
		packet_set_csum(&in);
	return packet_frame(&in, in.hdr_len + draw(100), 2000);
}

Test(detect, what_was_left_undone_can_be_finished)
{
	for (unsigned round = 0; round < 20000; round++) {
		struct frame f = random_frame(true);

		checksum_detect(&f);
		cr_assert_eq(f.offload.bits, OFFLOAD_CSUM);
		cr_assert_eq(f.offload.csum_start, in.l4);
		cr_assert_eq(f.offload.csum_offset, in.proto == TCP ? 16 : 6);
		cr_assert(checksum_finish(&f));
		out = in;
		frame_flatten(&f, out.data);
		cr_assert(packet_is_right(&out));
		packet_frame_free(&f);
	}
}

static uint16_t field_of(const struct packet *p)
{
	return eth_be16(p->data + p->l4 + (p->proto == TCP ? 16 : 6));
}

/* Of the packets that differ in one word, those with the right checksum, one
 * of which has the same as if it were undone. */
static void check_every_word(void)
{
	unsigned looked_undone = 0;
	uint16_t undone;

	packet_set_partial(&in);
	undone = field_of(&in);
	for (unsigned word = 0; word < 65536; word++) {
		struct frame f;

		eth_put_be16(in.data + in.hdr_len, (uint16_t)word);
		packet_set_csum(&in);
		if (field_of(&in) != undone && word % 64)
			continue;
		looked_undone += field_of(&in) == undone;
		f = packet_frame(&in, in.hdr_len, 2000);
		checksum_detect(&f);
		cr_assert_eq(f.offload.bits, 0);
		packet_frame_free(&f);
	}
	cr_assert_gt(looked_undone, 0);
}

Test(detect, what_is_right_is_left_alone)
{
	for (unsigned round = 0; round < 20; round++) {
		struct shape s = packet_shape(100);

		packet_make(&in, &s);
		check_every_word();
	}
}

Test(detect, what_is_wrong_or_cut_off_is_left_alone)
{
	for (unsigned round = 0; round < 20000; round++) {
		struct frame f = random_frame(true), g = f;

		if (round % 2) {
			g.head_len = (uint16_t)draw(in.hdr_len);
			g.len = g.head_len;
			g.n_segs = 0;
		} else {
			g.head[in.l4 + (in.proto == TCP ? 16 : 6)] ^= 0x10;
		}
		checksum_detect(&g);
		cr_assert_eq(g.offload.bits, 0);
		packet_frame_free(&f);
	}
}
