/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_merge.c - what is merged gives the original back; the rest stays.
 */
#include "switch/base/checksum.h"
#include "switch/base/merge.h"
#include "switch/base/segment.h"
#include "tests/unit/packet.h"

enum { ALL = 0xff, SIZE = 1000, PSH = 8, ACK = 0x10 };

static struct packet big, *ref, *in;
static struct frame frame[BATCH_MAX], *f[BATCH_MAX];
static struct batch room, cuts;
static uint8_t flat[PACKET_MAX];
static unsigned n_in;

static void setup(void)
{
	ref = malloc(BATCH_MAX * sizeof(*ref));
	in = malloc(BATCH_MAX * sizeof(*in));
}

static void teardown(void)
{
	free(ref);
	free(in);
}

TestSuite(merge, .init = setup, .fini = teardown);

static void empty(void)
{
	for (unsigned i = 0; i < n_in; i++)
		packet_frame_free(&frame[i]);
	n_in = 0;
}

/* Adds @p to the batch: all in the head, as from a card, or cut at random. */
static struct frame *add(const struct packet *p)
{
	uint32_t head_len = draw(2) ? p->len : p->hdr_len + draw(20);

	if (head_len > p->len)
		head_len = p->len;
	memcpy(&in[n_in], p, offsetof(struct packet, data) + p->len);
	frame[n_in] = packet_frame(p, head_len, 2000);
	if (head_len == p->len)
		frame[n_in].flags = FRAME_OWNED;
	return &frame[n_in++];
}

static unsigned merge(uint8_t accepts)
{
	for (unsigned i = 0; i < n_in; i++)
		f[i] = &frame[i];
	room.n = room.n_segs = 0;
	return merge_frames(f, n_in, accepts, &room);
}

/* @m is @p, to be cut into segments of @size again. */
static void expect_merged(
    struct frame *m, const struct packet *p, uint32_t size)
{
	struct offload o = packet_offload(p, size), again;
	struct virtio_net_hdr hdr;
	struct packet whole;

	cr_assert_eq(m->len, p->len);
	cr_assert_eq(m->head_len, p->hdr_len);
	cr_assert(!(m->flags & ~FRAME_TAGGED));
	cr_assert_eq(memcmp(&m->offload, &o, sizeof(o)), 0);
	frame_flatten(m, flat);
	memcpy(&whole, p, offsetof(struct packet, data) + p->len);
	packet_set_partial(&whole);
	cr_assert_eq(memcmp(flat, whole.data, p->len), 0);
	/* A receiver's judgement of it. */
	offload_to_hdr(&m->offload, &hdr);
	cr_assert_eq(
	    offload_parse(&again, &hdr, m->head, m->head_len, m->len, o.bits),
	    DROP_NONE);
	cr_assert_eq(memcmp(&again, &o, sizeof(o)), 0);
	m->offload = packet_offload(p, 0);
	cr_assert(checksum_finish(m));
	frame_flatten(m, whole.data);
	cr_assert(packet_is_right(&whole));
	memcpy(m->head + csum_at(p), flat + csum_at(p), 2);
	m->offload = o;
}

static struct shape mergeable(uint32_t payload)
{
	struct shape s = packet_shape(payload);

	s.ip_words = 0;
	return s;
}

/* Segmentation and merging undo each other, PSH or not. */
Test(merge, gives_the_original_back)
{
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t size = 8 + draw(1450);
		struct shape s = mergeable(size + 1 + draw(size * 40));
		struct segmenter cut;
		unsigned n;

		packet_make(&big, &s);
		if (s.proto == TCP)
			big.data[big.l4 + 13] =
			    (uint8_t)(ACK | draw(2) * PSH | draw(2) * 0x40);
		n = packet_segment(&big, size, ref);
		for (unsigned i = 0; i < n; i++)
			add(&ref[i]);
		cr_assert_eq(merge(ALL), 1);
		expect_merged(f[0], &big, size);
		segment_begin(&cut, f[0], 0);
		cuts.n = cuts.n_segs = 0;
		cr_assert_eq(segment_next(&cut, &cuts, BATCH_MAX), n);
		for (unsigned i = 0; i < n; i++) {
			frame_flatten(&cuts.f[i], flat);
			cr_assert_eq(cuts.f[i].len, ref[i].len);
			cr_assert_eq(memcmp(flat, ref[i].data, ref[i].len), 0);
		}
		empty();
	}
}

static struct shape tcp4(uint32_t payload)
{
	return (struct shape){.ip4 = true,
	    .proto = TCP,
	    .n_tags = 1,
	    .tcp_words = 3,
	    .payload = payload};
}

/* Segments of SIZE bytes of a fresh packet of shape @s, in ref[]. */
static unsigned segments_of(const struct shape *s)
{
	packet_make(&big, s);
	return packet_segment(&big, SIZE, ref);
}

/* Two segments of @s, the second changed by @change and summed again, do not
 * become one; unchanged, they do. */
static void refuse(
    const struct shape *s, void (*change)(struct packet *p), const char *what)
{
	for (int changed = 0; changed < 2; changed++) {
		cr_assert_eq(segments_of(s), 2);
		if (changed) {
			change(&ref[1]);
			packet_set_csum(&ref[1]);
		}
		add(&ref[0]);
		add(&ref[1]);
		cr_assert_eq(merge(ALL), 1u + changed, "%s", what);
		if (changed)
			cr_assert(f[0] == &frame[0] && f[1] == &frame[1]);
		empty();
	}
}

/* A byte of the headers, and the bits of it that matter. */
struct flip {
	const char *what;
	uint32_t at;
	uint8_t bits;
};

static struct flip flip;

static void flip_l2(struct packet *p)
{
	p->data[flip.at] ^= flip.bits;
}

static void flip_ip(struct packet *p)
{
	p->data[p->l3 + flip.at] ^= flip.bits;
}

static void flip_l4(struct packet *p)
{
	p->data[p->l4 + flip.at] ^= flip.bits;
}

static void refuse_flips(const struct shape *s, const struct flip *flips,
    unsigned n, void (*change)(struct packet *p))
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned bit = 1; bit < 256; bit <<= 1)
			if (flips[i].bits & bit) {
				flip = flips[i];
				flip.bits = (uint8_t)bit;
				refuse(s, change, flip.what);
			}
}

#define N(array) (sizeof(array) / sizeof((array)[0]))

Test(merge, headers_that_differ)
{
	static const struct flip l2[] = {{"destination", 0, 0xff},
	    {"destination", 5, 0xff}, {"source", 6, 0xff}, {"source", 11, 0xff},
	    {"vlan", 14, 0xff}, {"vlan", 15, 0xff}};
	static const struct flip ip4[] = {{"tos", 1, 0xff}, {"id", 4, 0xff},
	    {"id", 5, 0xfe}, {"fragment", 6, 0xff}, {"fragment", 7, 0xff},
	    {"ttl", 8, 0xff}, {"source", 12, 0xff}, {"source", 15, 0xff},
	    {"destination", 16, 0xff}, {"destination", 19, 0xff}};
	static const struct flip ip6[] = {{"class", 0, 0x0f},
	    {"label", 1, 0xff}, {"label", 2, 0xff}, {"label", 3, 0xff},
	    {"hops", 7, 0xff}, {"source", 8, 0xff}, {"source", 23, 0xff},
	    {"destination", 24, 0xff}, {"destination", 39, 0xff}};
	static const struct flip tcp[] = {{"source port", 0, 0xff},
	    {"source port", 1, 0xff}, {"destination port", 2, 0xff},
	    {"destination port", 3, 0xff}, {"sequence", 4, 0xff},
	    {"sequence", 7, 0xff}, {"ack", 8, 0xff}, {"ack", 11, 0xff},
	    {"reserved", 12, 0x0f}, {"flags", 13, 0xf7}, {"window", 14, 0xff},
	    {"window", 15, 0xff}, {"options", 20, 0xff}, {"options", 31, 0xff}};
	static const struct flip udp[] = {
	    {"source port", 0, 0xff}, {"destination port", 3, 0xff}};
	struct shape s = tcp4(2 * SIZE), six = s, datagram = s;

	six.ip4 = false;
	datagram.proto = UDP;
	refuse_flips(&s, l2, N(l2), flip_l2);
	refuse_flips(&six, l2, N(l2), flip_l2);
	refuse_flips(&s, ip4, N(ip4), flip_ip);
	refuse_flips(&datagram, ip4, N(ip4), flip_ip);
	refuse_flips(&six, ip6, N(ip6), flip_ip);
	refuse_flips(&s, tcp, N(tcp), flip_l4);
	refuse_flips(&six, tcp, N(tcp), flip_l4);
	refuse_flips(&datagram, udp, N(udp), flip_l4);
}

static void grow(struct packet *p)
{
	p->data[p->len++] = 1;
}

static void pad(struct packet *p)
{
	packet_set_csum(p);
	p->len += 2;
}

Test(merge, sizes)
{
	struct shape s = tcp4(2 * SIZE);

	refuse(&s, grow, "longer");
	s.proto = UDP;
	refuse(&s, grow, "longer");
	/* A frame longer than what its headers speak of. */
	s = tcp4(2 * SIZE - 300);
	segments_of(&s);
	pad(&ref[1]);
	add(&ref[0]);
	add(&ref[1]);
	cr_assert_eq(merge(ALL), 2);
	/* Also if nobody will look at the checksum that does not include it. */
	frame[0].offload.bits = frame[1].offload.bits = OFFLOAD_VALID;
	cr_assert_eq(merge(ALL), 2);
	empty();
	/* Segments shorter than what a receiver believes. */
	s = tcp4(14);
	packet_make(&big, &s);
	packet_segment(&big, 7, ref);
	add(&ref[0]);
	add(&ref[1]);
	cr_assert_eq(merge(ALL), 2);
	empty();
}

/* Nothing comes after a shorter one, even if it follows in the flow. */
Test(merge, the_shorter_is_the_last)
{
	for (unsigned udp = 0; udp < 2; udp++) {
		struct shape s = tcp4(4 * SIZE);
		uint8_t *seq;

		s.proto = udp ? UDP : TCP;
		segments_of(&s);
		ref[1].len -= 100;
		packet_set_csum(&ref[1]);
		for (unsigned i = 2; !udp && i < 4; i++) {
			seq = ref[i].data + big.l4 + 4;
			for (unsigned k = 0; k < 100; k++)
				for (int b = 3; b >= 0 && !seq[b]--; b--)
					;
			packet_set_csum(&ref[i]);
		}
		for (unsigned i = 0; i < 4; i++)
			add(&ref[i]);
		cr_assert_eq(merge(ALL), 2);
		cr_assert_eq(f[0]->len, big.hdr_len + 2 * SIZE - 100u);
		cr_assert_eq(f[1]->len, big.hdr_len + 2 * SIZE);
		empty();
	}
}

/* The end of a push is the end of a run; FIN and the like are never in one. */
Test(merge, flags)
{
	struct shape s = tcp4(3 * SIZE);
	unsigned n = segments_of(&s);

	for (unsigned flags = 0; flags < 256; flags++) {
		for (unsigned i = 0; i < n; i++) {
			ref[i].data[big.l4 + 13] = (uint8_t)flags;
			packet_set_csum(&ref[i]);
			add(&ref[i]);
		}
		cr_assert_eq(merge(ALL), (flags & ~0x40) == ACK ? 1 : n);
		empty();
	}
	for (unsigned at = 0; at < n; at++) {
		for (unsigned i = 0; i < n; i++) {
			ref[i].data[big.l4 + 13] = i == at ? ACK | PSH : ACK;
			packet_set_csum(&ref[i]);
			add(&ref[i]);
		}
		cr_assert_eq(merge(ALL), at == n - 1 ? 1 : 2);
		cr_assert_eq(f[0]->head[big.l4 + 13],
		    at == n - 2 || at == n - 1 || !at ? ACK | PSH : ACK);
		empty();
	}
}

/* RFC 6864: with DF, an identification that stands still is as good. */
Test(merge, identifications)
{
	struct shape s = tcp4(4 * SIZE);

	for (unsigned df = 0; df < 2; df++)
		for (unsigned kind = 0; kind < 4; kind++) {
			unsigned n = segments_of(&s);

			for (unsigned i = 0; i < n; i++) {
				uint8_t *ip = ref[i].data + big.l3;
				unsigned id[] = {
				    7, 7 + i, 7 + i / 2, 7 + 2 * i};

				eth_put_be16(ip + 6, df ? 0x4000 : 0);
				eth_put_be16(ip + 4, (uint16_t)id[kind]);
				packet_set_csum(&ref[i]);
				add(&ref[i]);
			}
			/* 7 7 8 8: pairs with DF; without, 7, (7 8), 8. */
			cr_assert_eq(merge(ALL), kind == 1 || (kind == 0 && df)
						     ? 1
						 : kind == 2 ? (df ? 2 : 3)
							     : n);
			empty();
		}
}

static void add_segments(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		add(&ref[i]);
}

Test(merge, checksums_are_verified)
{
	for (unsigned round = 0; round < 400; round++) {
		struct shape s = mergeable(4 * SIZE);
		unsigned n = segments_of(&s), bad = draw(n), at;

		if (s.ip4 && draw(3) == 0)
			at = big.l3 + 10;
		else
			at = csum_at(&big) + (draw(2) ? 0 : 30);
		ref[bad].data[at] ^= (uint8_t)(1 + draw(255));
		add_segments(n);
		cr_assert_eq(merge(ALL), bad == 0 || bad == n - 1 ? 2 : 3);
		for (unsigned i = 0; i < 3; i++)
			if (f[i] == &frame[bad])
				bad = n;
		cr_assert_eq(bad, n);
		empty();
	}
}

/* Nobody sums what is known to be right, or left to be completed. */
Test(merge, checksums_that_need_no_look)
{
	struct shape s = tcp4(4 * SIZE);
	unsigned n = segments_of(&s);

	for (unsigned i = 0; i < n; i++) {
		ref[i].data[big.hdr_len + 1] ^= 1;
		if (i % 2)
			packet_set_partial(&ref[i]);
		add(&ref[i]);
		frame[i].offload = packet_offload(&big, 0);
		if (i % 2 == 0)
			frame[i].offload =
			    (struct offload){.bits = OFFLOAD_VALID};
		big.data[big.hdr_len + i * SIZE + 1] ^= 1;
	}
	cr_assert_eq(merge(ALL), 1);
	expect_merged(f[0], &big, SIZE);
	/* But not if it is another checksum that was left. */
	frame[1].offload.csum_start++;
	cr_assert_eq(merge(ALL), 3);
	empty();
}

Test(merge, a_datagram_without_checksum)
{
	struct shape s = tcp4(3 * SIZE);
	unsigned n;

	s.proto = UDP;
	n = segments_of(&s);
	for (unsigned i = 0; i < n; i++)
		eth_put_be16(ref[i].data + csum_at(&big), 0);
	add_segments(n);
	cr_assert_eq(merge(ALL), n);
	for (unsigned i = 0; i < n; i++)
		frame[i].offload.bits = OFFLOAD_VALID;
	cr_assert_eq(merge(ALL), n);
	empty();
}

/* Only what the port takes, and each kind by its own bit. */
Test(merge, accepts)
{
	for (unsigned kind = 0; kind < 4; kind++) {
		struct shape s = tcp4(3 * SIZE);
		uint8_t bit;
		unsigned n;

		s.ip4 = kind & 1;
		s.proto = kind & 2 ? UDP : TCP;
		n = segments_of(&s);
		bit = packet_offload(&big, SIZE).bits;
		add_segments(n);
		cr_assert_eq(merge(0), n);
		cr_assert_eq(merge(OFFLOAD_CSUM), n);
		cr_assert_eq(merge((uint8_t)~OFFLOAD_CSUM), n);
		cr_assert_eq(merge((uint8_t)(ALL & ~bit) | OFFLOAD_CSUM), n);
		cr_assert_eq(merge(bit), 1);
		empty();
	}
}

/* Frames of other flows in between do not matter; the order of what is left
 * is that of the first parts. */
Test(merge, flows_side_by_side)
{
	enum { FLOWS = 4, PARTS = 6 };
	static struct packet flow[FLOWS];
	unsigned merged = 0;

	for (unsigned round = 0; round < 300; round++) {
		unsigned next[FLOWS] = {0}, sent = 0, n;

		for (unsigned k = 0; k < FLOWS; k++) {
			struct shape s = mergeable(PARTS * SIZE);

			packet_make(&flow[k], &s);
		}
		while (sent < FLOWS * PARTS) {
			unsigned k = draw(FLOWS);

			if (next[k] == PARTS)
				continue;
			packet_segment(&flow[k], SIZE, ref);
			add(&ref[next[k]++]);
			sent++;
		}
		n = merge(ALL);
		merged += n == FLOWS;
		for (unsigned i = 0; i < n; i++)
			for (unsigned k = 0; n == FLOWS && k < FLOWS; k++)
				if (!memcmp(f[i]->head, flow[k].data, 14) &&
				    !memcmp(f[i]->head + flow[k].l3 + 8,
					flow[k].data + flow[k].l3 + 8, 2))
					expect_merged(f[i], &flow[k], SIZE);
		empty();
	}
	cr_assert_gt(merged, 200); /* the others shared a bucket */
}

static void make_ack(struct packet *p)
{
	p->len = p->hdr_len;
	packet_set_csum(p);
}

static void make_fragment(struct packet *p)
{
	p->data[p->l3 + 6] = 0x20;
	packet_set_csum(p);
}

static void make_other(struct packet *p)
{
	p->data[p->l3 + 9] = 1;
	packet_set_csum(p);
}

static void make_arp(struct packet *p)
{
	eth_put_be16(p->data + p->l3 - 2, 0x0806);
}

/* Between two parts: what belongs to the flow, or may, divides it. */
Test(merge, what_is_in_between)
{
	static const struct {
		void (*make)(struct packet *p);
		unsigned n;
	} t[] = {
	    {make_ack, 3}, {make_fragment, 3}, {make_other, 2}, {make_arp, 2}};

	for (unsigned i = 0; i < N(t); i++) {
		struct shape s = tcp4(2 * SIZE);
		static struct packet between;

		cr_assert_eq(segments_of(&s), 2);
		memcpy(&between, &ref[1], sizeof(between));
		t[i].make(&between);
		add(&ref[0]);
		add(&between);
		add(&ref[1]);
		cr_assert_eq(merge(ALL), t[i].n);
		cr_assert(f[1] == &frame[1]);
		empty();
	}
}

Test(merge, classified_differently)
{
	struct shape s = tcp4(2 * SIZE);

	add_segments(segments_of(&s));
	frame[1].tci = 5;
	cr_assert_eq(merge(ALL), 2);
	frame[0].tci = 5;
	cr_assert_eq(merge(ALL), 1);
	cr_assert_eq(f[0]->tci, 5);
	frame[1].flags |= FRAME_TAGGED;
	cr_assert_eq(merge(ALL), 2);
	frame[0].flags |= FRAME_TAGGED;
	cr_assert_eq(merge(ALL), 1);
	cr_assert_eq(f[0]->flags, FRAME_TAGGED);
	empty();
}

/* What is large already stays, and divides its flow. */
Test(merge, large_frames)
{
	struct shape s = tcp4(4 * SIZE);
	unsigned n = segments_of(&s);

	packet_set_partial(&big);
	add(&ref[0]);
	add(&big);
	frame[1].offload = packet_offload(&big, SIZE);
	for (unsigned i = 1; i < n; i++)
		add(&ref[i]);
	cr_assert_eq(merge(ALL), 3);
	cr_assert(f[0] == &frame[0] && f[1] == &frame[1]);
	empty();
	/* One that is continued. */
	packet_segment(&big, 3 * SIZE, ref);
	packet_set_partial(&ref[0]);
	add_segments(2);
	frame[0].offload = packet_offload(&big, SIZE);
	cr_assert_eq(merge(ALL), 2);
	frame[0].offload = packet_offload(&big, 0);
	cr_assert_eq(merge(ALL), 1);
	empty();
}

/* Up to what an IP header can say, and the pieces that a frame can have. */
Test(merge, limits)
{
	struct shape s = tcp4(65535 - 20 - 32);

	s.n_tags = 0;
	packet_make(&big, &s);
	for (unsigned over = 0; over < 2; over++) {
		unsigned n = packet_segment(&big, 1400, ref);

		if (over) {
			struct packet *last = &ref[n - 1];

			last->data[last->len++] = 1;
			packet_set_csum(last);
		}
		for (unsigned i = 0; i < n; i++) {
			frame[i] = packet_frame(&ref[i], ref[i].len, 1);
			n_in++;
		}
		cr_assert_eq(merge(ALL), 1 + over);
		if (!over)
			expect_merged(f[0], &big, 1400);
		empty();
	}
	s = tcp4(60 * 100);
	packet_make(&big, &s);
	packet_segment(&big, 100, ref);
	for (unsigned i = 0; i < 60; i++, n_in++)
		frame[i] = packet_frame(&ref[i], big.hdr_len, 12);
	cr_assert_gt(merge(ALL), 2);
	cr_assert_leq(room.n_segs, BATCH_SEGS_MAX);
	for (unsigned i = 0; i < room.n; i++) {
		cr_assert_leq(room.f[i].n_segs, FRAME_SEGS_MAX);
		frame_flatten(&room.f[i], flat);
	}
	empty();
}

/* Headers that are not in the head are not looked at. */
Test(merge, headers_out_of_sight)
{
	struct shape s = tcp4(2 * SIZE);
	unsigned n = segments_of(&s);

	for (uint32_t head_len = 14; head_len <= big.hdr_len; head_len++) {
		for (unsigned i = 0; i < n; i++, n_in++)
			frame[i] = packet_frame(&ref[i], head_len, 2000);
		cr_assert_eq(merge(ALL), head_len < big.hdr_len ? 2 : 1);
		empty();
	}
}
