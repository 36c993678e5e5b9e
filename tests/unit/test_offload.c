/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_offload.c - virtio-net headers, sound ones and the other kind.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/eth.h"
#include "switch/base/offload.h"

enum {
	NEEDS_CSUM = 1,
	DATA_VALID = 2,
	TCPV4 = 1,
	UDP = 3,
	TCPV6 = 4,
	UDP_L4 = 5,
	ECN = 0x80,
	ALL = 0xff,
	TSO = OFFLOAD_CSUM | OFFLOAD_TSO4,
};

/* The first bytes of a frame of len bytes, and the header that came with it;
 * l4 is where TCP or UDP begins. */
struct packet {
	uint8_t head[160];
	uint32_t head_len, len, l3, l4;
	struct virtio_net_hdr hdr;
};

static struct packet ethernet(uint16_t type, unsigned n_tags)
{
	struct packet p = {.head_len = 128, .len = 60000, .l3 = 14};

	for (unsigned i = 0; i < n_tags; i++, p.l3 += 4)
		eth_put_be16(
		    p.head + p.l3 - 2, i ? ETH_TYPE_VLAN : ETH_TYPE_QINQ);
	eth_put_be16(p.head + p.l3 - 2, type);
	p.l4 = p.l3;
	return p;
}

static void add_l4(struct packet *p, uint8_t proto, uint8_t gso_type)
{
	p->hdr.flags = NEEDS_CSUM;
	p->hdr.csum_start = (uint16_t)p->l4;
	p->hdr.csum_offset = proto == 6 ? 16 : 6;
	p->hdr.gso_type = gso_type;
	p->hdr.gso_size = 1400;
	if (proto == 6)
		p->head[p->l4 + 12] = 5 << 4;
}

static struct packet ip4(unsigned n_tags, unsigned n_options, uint8_t proto)
{
	struct packet p = ethernet(0x0800, n_tags);

	p.head[p.l3] = (uint8_t)(0x45 + n_options);
	p.head[p.l3 + 9] = proto;
	p.l4 = p.l3 + 20 + 4 * n_options;
	add_l4(&p, proto, proto == 6 ? TCPV4 : UDP_L4);
	return p;
}

static struct packet ip6(unsigned n_tags, uint8_t proto)
{
	struct packet p = ethernet(0x86dd, n_tags);

	p.head[p.l3] = 0x60;
	p.head[p.l3 + 6] = proto;
	p.l4 = p.l3 + 40;
	add_l4(&p, proto, proto == 6 ? TCPV6 : UDP_L4);
	return p;
}

/* Puts an extension header of 8 * @n bytes behind the IPv6 header of @p. */
static void extend(struct packet *p, uint8_t type, unsigned n)
{
	uint8_t *ext = p->head + p->l3 + 40;

	memmove(ext + 8 * n, ext, p->l4 + 20 - p->l3 - 40);
	memset(ext, 0, 8 * n);
	ext[0] = p->head[p->l3 + 6];
	ext[1] = (uint8_t)(n - 1);
	p->head[p->l3 + 6] = type;
	p->l4 += 8 * n;
	p->hdr.csum_start = (uint16_t)p->l4;
}

/* From memory that ends where the head does, for the sanitizers to watch. */
static enum drop_reason parse(
    const struct packet *p, struct offload *o, uint8_t allowed)
{
	uint8_t *head = malloc(p->head_len);
	enum drop_reason why;

	memcpy(head, p->head, p->head_len);
	why = offload_parse(o, &p->hdr, head, p->head_len, p->len, allowed);
	free(head);
	return why;
}

static void expect(struct packet p, uint8_t allowed, uint8_t bits)
{
	struct virtio_net_hdr hdr;
	struct offload o;
	bool gso = bits & (OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_USO);

	cr_assert_eq(parse(&p, &o, allowed), DROP_NONE);
	cr_assert_eq(o.bits, bits, "%x", o.bits);
	cr_assert_eq(o.hdr_len, !gso ? 0
				: bits & OFFLOAD_USO
				    ? p.l4 + 8
				    : p.l4 + (p.head[p.l4 + 12] >> 4) * 4u);
	cr_assert_eq(o.gso_size, gso ? p.hdr.gso_size : 0);
	offload_to_hdr(&o, &hdr);
	cr_assert_eq(hdr.num_buffers, 0);
	cr_assert_eq(hdr.gso_type, gso ? p.hdr.gso_type : 0);
	cr_assert_eq(hdr.gso_size, o.gso_size);
	cr_assert_eq(hdr.hdr_len, o.hdr_len);
	if (bits & OFFLOAD_CSUM) {
		cr_assert_eq(hdr.flags, NEEDS_CSUM);
		cr_assert_eq(hdr.csum_start, p.hdr.csum_start);
		cr_assert_eq(hdr.csum_offset, p.hdr.csum_offset);
	} else {
		cr_assert_eq(hdr.flags, bits & OFFLOAD_VALID ? DATA_VALID : 0);
	}
}

static void refuse(struct packet p, uint8_t allowed, enum drop_reason why)
{
	struct offload o, untouched;

	memset(&o, 0x77, sizeof(o));
	untouched = o;
	cr_assert_eq(parse(&p, &o, allowed), why, "%d", parse(&p, &o, allowed));
	cr_assert_eq(memcmp(&o, &untouched, sizeof(o)), 0);
}

/* Both checksum only, and with segmentation, under any number of tags. */
Test(offload, sound_packets)
{
	for (unsigned tags = 0; tags <= 2; tags++) {
		struct packet tcp4 = ip4(tags, 0, 6), opts = ip4(tags, 3, 6);
		struct packet tcp6 = ip6(tags, 6), udp4 = ip4(tags, 1, 17);
		struct packet udp6 = ip6(tags, 17);

		expect(tcp4, TSO, TSO);
		expect(opts, ALL, TSO);
		expect(tcp6, ALL, OFFLOAD_CSUM | OFFLOAD_TSO6);
		expect(udp4, ALL, OFFLOAD_CSUM | OFFLOAD_USO);
		expect(udp6, ALL, OFFLOAD_CSUM | OFFLOAD_USO);
		tcp4.head[tcp4.l4 + 12] = 15 << 4;
		expect(tcp4, TSO, TSO);
		tcp4.hdr.gso_type |= ECN;
		expect(tcp4, ALL, TSO | OFFLOAD_ECN);
		tcp4.hdr.gso_type = 0;
		expect(tcp4, OFFLOAD_CSUM, OFFLOAD_CSUM);
		udp6.hdr.gso_type = 0;
		expect(udp6, OFFLOAD_CSUM, OFFLOAD_CSUM);
		tcp4.hdr.flags = 0;
		expect(tcp4, 0, 0);
		tcp4.hdr.flags = DATA_VALID;
		expect(tcp4, OFFLOAD_CSUM, 0);
		expect(tcp4, ALL, OFFLOAD_VALID);
	}
}

Test(offload, extension_headers)
{
	static const uint8_t type[] = {0, 43, 60};
	struct packet p;

	for (unsigned i = 0; i < 3; i++) {
		p = ip6(0, 6);
		extend(&p, type[i], 1 + i);
		expect(p, ALL, OFFLOAD_CSUM | OFFLOAD_TSO6);
		extend(&p, 60, 1);
		expect(p, ALL, OFFLOAD_CSUM | OFFLOAD_TSO6);
		p.hdr.csum_start -= 8;
		refuse(p, ALL, DROP_BAD_GSO);
		p.hdr.gso_type = 0;
		refuse(p, ALL, DROP_BAD_CSUM);
	}
	p = ip6(0, 6);
	extend(&p, 60, 9); /* it ends at 126, TCP beyond what is visible */
	refuse(p, ALL, DROP_BAD_GSO);
	p.hdr.gso_type = 0;
	expect(p, ALL, OFFLOAD_CSUM);
	extend(&p, 60, 1); /* and this one is itself cut off */
	p.head_len = p.l3 + 40 + 7;
	p.hdr.gso_type = TCPV6;
	refuse(p, ALL, DROP_BAD_GSO);
	p.hdr.gso_type = 0;
	expect(p, ALL, OFFLOAD_CSUM);
	p.head_len++;
	expect(p, ALL, OFFLOAD_CSUM);
}

/* An inner checksum behind the first L4 header, as VXLAN leaves it. */
Test(offload, a_tunnel_leaves_the_inner_sum)
{
	struct packet p = ip4(0, 0, 17);

	p.hdr.gso_type = 0;
	p.hdr.csum_start = 84;
	p.hdr.csum_offset = 16;
	expect(p, ALL, OFFLOAD_CSUM);
	p.hdr.gso_type = UDP_L4;
	refuse(p, ALL, DROP_BAD_GSO);
	p = ethernet(0x88b5, 0);
	p.hdr.flags = NEEDS_CSUM;
	p.hdr.csum_start = 14;
	expect(p, ALL, OFFLOAD_CSUM);
}

Test(offload, case_85_checksum_outside)
{
	struct packet p = ip4(1, 1, 6), q;

	p.hdr.gso_type = 0;
	p.len = p.head_len = p.l4 + 20;
	expect(p, ALL, OFFLOAD_CSUM);
	for (uint32_t start = 0; start < p.l4; start++) {
		q = p;
		q.hdr.csum_start = (uint16_t)start;
		refuse(q, ALL, DROP_BAD_CSUM);
	}
	q = p;
	q.hdr.csum_start = (uint16_t)(p.len - 1);
	q.hdr.csum_offset = 0;
	refuse(q, ALL, DROP_BAD_CSUM);
	q.hdr.csum_start--;
	expect(q, ALL, OFFLOAD_CSUM);
	q.hdr.csum_offset = 1;
	refuse(q, ALL, DROP_BAD_CSUM);
	q.hdr.csum_offset = 0xffff;
	refuse(q, ALL, DROP_BAD_CSUM);
	q.hdr.csum_start = 0xffff;
	refuse(q, ALL, DROP_BAD_CSUM);
	q = p;
	q.hdr.csum_offset = 6;
	refuse(q, ALL, DROP_BAD_CSUM);
	q.hdr.csum_offset = 18;
	refuse(q, ALL, DROP_BAD_CSUM);
	q = ip4(0, 0, 17);
	q.hdr.gso_type = 0;
	q.hdr.csum_offset = 16;
	refuse(q, ALL, DROP_BAD_CSUM);
	q = ethernet(0x0806, 2);
	q.hdr.flags = NEEDS_CSUM;
	q.hdr.csum_start = 21;
	refuse(q, ALL, DROP_BAD_CSUM);
}

/* What is called IP and is not, or not all there. */
Test(offload, case_85_headers_cut_short)
{
	struct packet p = ip4(2, 0, 6), q = ip6(2, 6);

	p.hdr.gso_type = q.hdr.gso_type = 0;
	p.head_len = p.len = p.l3 + 20;
	refuse(p, ALL, DROP_BAD_CSUM);
	for (p.head_len = 0; p.head_len < p.l3 + 20; p.head_len++) {
		p.len = 2000;
		refuse(p, ALL, DROP_BAD_CSUM);
	}
	expect(p, ALL, OFFLOAD_CSUM);
	for (q.head_len = 0; q.head_len < q.l3 + 40; q.head_len++)
		refuse(q, ALL, DROP_BAD_CSUM);
	expect(q, ALL, OFFLOAD_CSUM);
	p = ip4(0, 0, 6);
	p.hdr.gso_type = 0;
	p.head[14] = 0x44;
	refuse(p, ALL, DROP_BAD_CSUM);
	p.head[14] = 0x65;
	refuse(p, ALL, DROP_BAD_CSUM);
	q = ip6(0, 6);
	q.hdr.gso_type = 0;
	q.head[14] = 0x45;
	refuse(q, ALL, DROP_BAD_CSUM);
}

Test(offload, case_87_tiny_segments)
{
	struct packet p = ip4(0, 0, 6), u = ip4(0, 0, 17);

	p.len = 500;
	for (uint16_t size = 0; size < 8; size++) {
		p.hdr.gso_size = size;
		refuse(p, ALL, DROP_BAD_GSO);
	}
	p.hdr.gso_size = 8;
	expect(p, ALL, TSO);
	p.len = p.l4 + 20 + 8 * 1024;
	expect(p, ALL, TSO);
	p.len++;
	refuse(p, ALL, DROP_BAD_GSO);
	u.hdr.gso_size = 0;
	refuse(u, ALL, DROP_BAD_GSO);
	u.hdr.gso_size = 1;
	u.len = u.l4 + 8 + 1024;
	expect(u, ALL, OFFLOAD_CSUM | OFFLOAD_USO);
	u.len++;
	refuse(u, ALL, DROP_BAD_GSO);
}

Test(offload, case_88_huge_segments)
{
	struct packet p = ip4(0, 0, 6);

	p.hdr.gso_size = 0xffff;
	refuse(p, ALL, DROP_BAD_GSO);
	p.hdr.gso_size = 0xfffe;
	expect(p, ALL, OFFLOAD_CSUM);
	p.len = p.l4 + 20 + 1400;
	p.hdr.gso_size = 1400;
	expect(p, ALL, OFFLOAD_CSUM);
	p.len++;
	expect(p, ALL, TSO);
}

Test(offload, case_90_hdr_len_is_not_believed)
{
	static const uint16_t hdr_len[] = {0, 1, 13, 54, 128, 1400, 0xffff};

	for (unsigned i = 0; i < sizeof(hdr_len) / sizeof(*hdr_len); i++) {
		struct packet p = ip4(0, 0, 6);

		p.hdr.hdr_len = hdr_len[i];
		expect(p, ALL, TSO);
	}
}

/* L4 headers that are not inside the head. */
Test(offload, case_90_l4_header_cut_short)
{
	struct packet p = ip4(0, 0, 6), u = ip6(0, 17);

	p.head[p.l4 + 12] = 4 << 4;
	refuse(p, ALL, DROP_BAD_GSO);
	p.head[p.l4 + 12] = 8 << 4;
	p.head_len = p.l4 + 31;
	refuse(p, ALL, DROP_BAD_GSO);
	p.head_len = p.l4 + 32;
	expect(p, ALL, TSO);
	p.head_len = p.l4 + 12;
	refuse(p, ALL, DROP_BAD_GSO);
	p.head_len = p.l4 + 19;
	refuse(p, ALL, DROP_BAD_GSO);
	p.len = p.head_len;
	refuse(p, ALL, DROP_BAD_GSO);
	p = ip4(0, 0, 6);
	p.head_len = p.l4 + 20;
	expect(p, ALL, TSO);
	u.head_len = u.l4 + 7;
	refuse(u, ALL, DROP_BAD_GSO);
	u.head_len = u.l4 + 8;
	expect(u, ALL, OFFLOAD_CSUM | OFFLOAD_USO);
}

/* More headers than an offload can say. */
Test(offload, case_90_headers_past_255_bytes)
{
	static uint8_t head[400];
	struct packet p = ip6(0, 6);
	struct offload o;

	memcpy(head, p.head, sizeof(p.head));
	head[20] = 60;
	head[54] = 6;
	head[55] = 22;
	head[54 + 23 * 8 + 12] = 5 << 4;
	p.hdr.csum_start = 54 + 23 * 8;
	cr_assert_eq(
	    offload_parse(&o, &p.hdr, head, 400, 60000, ALL), DROP_BAD_GSO);
	p.hdr.csum_start = 54 + 22 * 8;
	head[55] = 21;
	head[54 + 22 * 8 + 12] = 5 << 4;
	cr_assert_eq(
	    offload_parse(&o, &p.hdr, head, 400, 60000, ALL), DROP_NONE);
	cr_assert_eq(o.hdr_len, 54 + 22 * 8 + 20);
	/* A tag that is added to these no longer fits. */
	head[54 + 22 * 8 + 12] = 6 << 4;
	cr_assert_eq(
	    offload_parse(&o, &p.hdr, head, 400, 60000, ALL), DROP_BAD_GSO);
}

Test(offload, case_91_type_against_packet)
{
	static const uint8_t types[] = {
	    TCPV4, TCPV6, UDP_L4, UDP, 2, 6, 0x7f, ECN, ECN | UDP_L4};
	static const uint8_t good[5] = {TCPV4, UDP_L4, TCPV6, UDP_L4};
	struct packet p[] = {ip4(0, 0, 6), ip4(0, 0, 17), ip6(0, 6), ip6(0, 17),
	    ip4(0, 0, 1), ip4(3, 0, 6), ethernet(0x0806, 0), ethernet(0, 0)};

	for (unsigned i = 0; i < sizeof(p) / sizeof(*p); i++)
		for (unsigned k = 0; k < sizeof(types); k++) {
			add_l4(&p[i], i % 2 ? 17 : 6, types[k]);
			if (i < 4 && types[k] == good[i])
				continue;
			refuse(p[i], ALL, DROP_BAD_GSO);
		}
}

Test(offload, case_91_fragments)
{
	struct packet p = ip4(0, 0, 6), q = ip6(0, 6);

	p.head[20] = 0x40; /* DF is none */
	expect(p, ALL, TSO);
	p.head[20] = 0x20;
	refuse(p, ALL, DROP_BAD_GSO);
	p.head[20] = 0;
	p.head[21] = 1;
	refuse(p, ALL, DROP_BAD_GSO);
	extend(&q, 44, 1);
	refuse(q, ALL, DROP_BAD_GSO);
}

Test(offload, case_93_never_negotiated)
{
	struct packet p = ip4(0, 0, 6), q = ip6(0, 6), u = ip4(0, 0, 17);

	refuse(p, 0, DROP_BAD_CSUM);
	refuse(p, ALL & ~OFFLOAD_CSUM, DROP_BAD_CSUM);
	refuse(p, ALL & ~OFFLOAD_TSO4, DROP_BAD_GSO);
	refuse(q, ALL & ~OFFLOAD_TSO6, DROP_BAD_GSO);
	refuse(u, ALL & ~OFFLOAD_USO, DROP_BAD_GSO);
	p.hdr.gso_type |= ECN;
	refuse(p, ALL & ~OFFLOAD_ECN, DROP_BAD_GSO);
	p.hdr.gso_type = TCPV4;
	p.hdr.flags = 0;
	refuse(p, ALL, DROP_BAD_GSO);
	p.hdr.flags = DATA_VALID;
	refuse(p, ALL, DROP_BAD_GSO);
}

Test(offload, case_96_length_past_ip)
{
	struct packet p = ip4(0, 0, 6), q = ip4(1, 0, 17), r = ip6(1, 6);

	p.hdr.gso_size = q.hdr.gso_size = r.hdr.gso_size = 9000;
	p.len = 14 + 65535;
	expect(p, ALL, TSO);
	p.len++;
	refuse(p, ALL, DROP_BAD_GSO);
	q.len = 18 + 65536;
	refuse(q, ALL, DROP_BAD_GSO);
	r.len = 18 + 40 + 65535;
	expect(r, ALL, OFFLOAD_CSUM | OFFLOAD_TSO6);
	r.len++;
	refuse(r, ALL, DROP_BAD_GSO);
}
