/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_completion.c - every frame leaves as its port can take it, in order.
 */
#include "switch/base/completion.h"
#include "tests/unit/packet.h"

enum { N_MAX = 64, REF_MAX = 4000, TSO = OFFLOAD_CSUM | OFFLOAD_TSO4 };

static struct packet *in, *ref;
static struct frame frame[N_MAX], *f[N_MAX], *out[BATCH_MAX];
static struct batch room;
static uint8_t flat[PACKET_MAX];

/* Frame @i as one of: finished, sum left, large.  Its packets, as they would
 * be on a wire, are added to ref[n..).  Returns how many those are then. */
static unsigned make(unsigned i, unsigned n)
{
	unsigned kind = draw(3);
	uint32_t size = 100 + draw(300);
	struct shape s = packet_shape(kind == 2 ? size * (2 + draw(90)) : 200);

	if (s.payload > 60000)
		s.payload = 60000;
	packet_make(&in[i], &s);
	n += packet_segment(&in[i], kind == 2 ? size : 200, &ref[n]);
	if (kind)
		packet_set_partial(&in[i]);
	frame[i] = packet_frame(&in[i], in[i].hdr_len, 500);
	if (kind)
		frame[i].offload = packet_offload(&in[i], kind == 2 ? size : 0);
	f[i] = &frame[i];
	return n;
}

/* All of f[0..n) to a port; each frame is what the reference has, or is
 * unfinished only as far as the port accepts. */
static void check(unsigned n, unsigned n_ref, uint8_t accepts)
{
	struct completion c;
	unsigned some, k = 0;

	completion_begin(&c, f, n, accepts, &room);
	while ((some = completion_next(&c, out))) {
		cr_assert_leq(some, BATCH_MAX);
		for (unsigned i = 0; i < some; i++) {
			struct frame *o = out[i];

			cr_assert(
			    !completion_is_needed(o->offload.bits, accepts));
			frame_flatten(o, flat);
			if (o->offload.gso_size) {
				uint32_t left = o->len - o->offload.hdr_len;

				k += (left + o->offload.gso_size - 1) /
				     o->offload.gso_size;
				continue;
			}
			cr_assert_lt(k, n_ref);
			cr_assert_eq(o->len, ref[k].len);
			if (o->offload.bits & OFFLOAD_CSUM)
				memcpy(flat + csum_at(&ref[k]),
				    ref[k].data + csum_at(&ref[k]), 2);
			cr_assert_eq(memcmp(flat, ref[k].data, o->len), 0);
			k++;
		}
	}
	cr_assert_eq(k, n_ref);
	cr_assert_eq(c.n_refused, 0);
	cr_assert_eq(completion_next(&c, out), 0);
}

/* A flood: the same frames to ports that accept all, some and nothing. */
Test(complete, mixed_frames_to_mixed_ports)
{
	in = malloc(N_MAX * sizeof(*in));
	ref = malloc(REF_MAX * sizeof(*ref));
	for (unsigned round = 0; round < 100; round++) {
		unsigned n = 1 + draw(40), n_ref = 0;

		for (unsigned i = 0; i < n; i++)
			n_ref = make(i, n_ref);
		check(n, n_ref, 0xff);
		check(n, n_ref, (uint8_t)(OFFLOAD_CSUM | draw(256)));
		check(n, n_ref, OFFLOAD_CSUM);
		check(n, n_ref, 0);
		check(n, n_ref, 0xff);
		for (unsigned i = 0; i < n; i++)
			packet_frame_free(&frame[i]);
	}
	free(in);
	free(ref);
}

/* Nothing is touched that the port takes as it is. */
Test(complete, passes_on)
{
	struct shape s = {.ip4 = true, .proto = TCP, .payload = 5000};
	struct completion c;

	in = malloc(sizeof(*in));
	packet_make(in, &s);
	packet_set_partial(in);
	frame[0] = packet_frame(in, in->hdr_len, 500);
	frame[0].offload = packet_offload(in, 1000);
	f[0] = &frame[0];
	completion_begin(&c, f, 1, TSO, &room);
	cr_assert_eq(completion_next(&c, out), 1);
	cr_assert(out[0] == &frame[0] && out[0]->offload.bits == TSO);
	cr_assert_eq(completion_next(&c, out), 0);
	/* TSO with CWR is more than TSO. */
	frame[0].offload.bits |= OFFLOAD_ECN;
	completion_begin(&c, f, 1, TSO, &room);
	cr_assert_eq(completion_next(&c, out), 5);
	cr_assert_eq(out[0]->offload.bits, OFFLOAD_CSUM);
	packet_frame_free(&frame[0]);
	free(in);
}

/* A sum whose place nobody has in sight: left out, and counted. */
Test(complete, counts_what_cannot_be_completed)
{
	struct shape s = {.ip4 = true, .proto = TCP, .payload = 100};
	struct completion c;

	in = malloc(sizeof(*in));
	packet_make(in, &s);
	for (unsigned i = 0; i < 3; i++) {
		frame[i] = packet_frame(in, i == 1 ? in->l4 : 128, 500);
		frame[i].offload = packet_offload(in, 0);
		f[i] = &frame[i];
	}
	completion_begin(&c, f, 3, 0, &room);
	cr_assert_eq(completion_next(&c, out), 2);
	cr_assert(out[0] == f[0] && out[1] == f[2]);
	cr_assert_eq(c.n_refused, 1);
	cr_assert_eq(completion_next(&c, out), 0);
	completion_begin(&c, f, 3, OFFLOAD_CSUM, &room);
	cr_assert_eq(completion_next(&c, out), 3);
	for (unsigned i = 0; i < 3; i++)
		packet_frame_free(&frame[i]);
	free(in);
}
