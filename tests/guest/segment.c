/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.c - TCP and UDP packets of any size, and a second opinion on them.
 *
 * RFC 791, 8200, 9293, 768; no options.
 */
#include <string.h>

#include "tests/guest/lan.h"
#include "tests/guest/segment.h"

enum { TYPE_IP4 = 0x0800, TYPE_IP6 = 0x86dd, TYPE_VLAN = 0x8100 };

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t sum(uint32_t so_far, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		so_far += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		so_far = (so_far & 0xffff) + (so_far >> 16);
	}
	return so_far;
}

static uint32_t pseudo_sum(
    const struct segment *s, const uint8_t *frame, uint32_t len)
{
	const uint8_t *ip = frame + s->l3;
	uint32_t of = sum(0, ip + (s->ip6 ? 8 : 12), s->ip6 ? 32 : 8);

	of += len - s->l4 + s->proto;
	return (of & 0xffff) + (of >> 16);
}

uint8_t segment_byte(uint32_t at)
{
	return (uint8_t)(at * 7 + (at >> 8) * 3 + (at >> 16));
}

static void locate(struct segment *s)
{
	bool tcp = s->proto == SEGMENT_TCP;

	s->l3 = s->tagged ? 18 : 14;
	s->l4 = s->l3 + (s->ip6 ? 40 : 20);
	s->hdr_len = s->l4 + (tcp ? 20 : 8);
	s->csum = s->l4 + (tcp ? 16 : 6);
}

static void put_ip(uint8_t *ip, const struct segment *s, uint32_t len)
{
	ip[0] = s->ip6 ? 0x60 : 0x45;
	if (s->ip6) {
		put16(ip + 4, len - 40);
		ip[6] = s->proto;
		ip[7] = 64;
		memset(ip + 8, 0xfd, 32);
		return;
	}
	put16(ip + 2, len);
	put16(ip + 4, 0x1234);
	ip[8] = 64;
	ip[9] = s->proto;
	memset(ip + 12, 10, 8);
	put16(ip + 10, ~sum(0, ip, 20));
}

static void put_l4(uint8_t *l4, const struct segment *s, uint32_t len)
{
	put16(l4, 4711);
	put16(l4 + 2, 5201);
	if (s->proto == SEGMENT_UDP) {
		put16(l4 + 4, len);
		return;
	}
	put16(l4 + 4, s->seq >> 16);
	put16(l4 + 6, s->seq);
	l4[12] = 5 << 4;
	l4[13] = s->flags;
	put16(l4 + 14, 8192);
}

uint32_t segment_build(
    uint8_t *frame, struct segment *s, unsigned to, unsigned from)
{
	struct lan_mac dst = lan_mac(to), src = lan_mac(from);
	uint32_t len;

	locate(s);
	len = s->hdr_len + s->payload;
	memset(frame, 0, s->hdr_len);
	memcpy(frame, dst.byte, 6);
	memcpy(frame + 6, src.byte, 6);
	if (s->tagged) {
		put16(frame + 12, TYPE_VLAN);
		put16(frame + 14, 7);
	}
	put16(frame + s->l3 - 2, s->ip6 ? TYPE_IP6 : TYPE_IP4);
	put_ip(frame + s->l3, s, len - s->l3);
	put_l4(frame + s->l4, s, len - s->l4);
	for (uint32_t i = 0; i < s->payload; i++)
		frame[s->hdr_len + i] = segment_byte(s->seq + i);
	put16(frame + s->csum, pseudo_sum(s, frame, len));
	return len;
}

static bool lengths_are_right(
    const struct segment *s, const uint8_t *frame, uint32_t len)
{
	const uint8_t *ip = frame + s->l3;

	if (s->proto == SEGMENT_UDP && be16(frame + s->l4 + 4) != len - s->l4)
		return false;
	if (s->ip6)
		return be16(ip + 4) == len - s->l4;
	return be16(ip + 2) == len - s->l3 && sum(0, ip, 20) == 0xffff;
}

bool segment_parse(
    struct segment *s, const uint8_t *frame, uint32_t len, bool undone)
{
	uint32_t pseudo;

	memset(s, 0, sizeof(*s));
	s->tagged = be16(frame + 12) == TYPE_VLAN;
	s->ip6 = be16(frame + (s->tagged ? 16 : 12)) == TYPE_IP6;
	s->proto = frame[(s->tagged ? 18 : 14) + (s->ip6 ? 6 : 9)];
	locate(s);
	if (len < s->hdr_len || !lengths_are_right(s, frame, len))
		return false;
	s->payload = len - s->hdr_len;
	if (s->proto == SEGMENT_TCP) {
		s->seq =
		    be16(frame + s->l4 + 4) << 16 | be16(frame + s->l4 + 6);
		s->flags = frame[s->l4 + 13];
	}
	pseudo = pseudo_sum(s, frame, len);
	if (undone)
		return be16(frame + s->csum) == pseudo;
	return sum(pseudo, frame + s->l4, len - s->l4) == 0xffff;
}
