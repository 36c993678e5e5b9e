/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.c - what light guests say: UDP over IPv4, with a mark to know it by.
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

#include "bench/parts/frames.h"

enum { ETH_LEN = 14, PORT_FIRST = 4096 };

static uint16_t sum_of(const struct iphdr *ip)
{
	uint16_t word[sizeof(*ip) / 2];
	uint32_t sum = 0;

	memcpy(word, ip, sizeof(word));
	for (unsigned i = 0; i < sizeof(*ip) / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* 10.guest.x.x, where x are the address's low bytes. */
static uint32_t ip_of(struct frame_end end)
{
	return htonl(
	    10u << 24 | (uint32_t)end.guest << 16 | (end.address & 0xffff));
}

static void lay_packet(
    uint8_t *at, uint32_t len, struct frame_end to, struct frame_end from)
{
	struct iphdr ip = {
	    .version = 4,
	    .ihl = sizeof(ip) / 4,
	    .ttl = 64,
	    .protocol = IPPROTO_UDP,
	    .tot_len = htons((uint16_t)len),
	    .saddr = ip_of(from),
	    .daddr = ip_of(to),
	};
	struct udphdr udp = {
	    .source = htons(PORT_FIRST + from.queue),
	    .dest = htons(PORT_FIRST + to.queue),
	    .len = htons((uint16_t)(len - sizeof(ip))),
	};

	ip.check = sum_of(&ip);
	memcpy(at, &ip, sizeof(ip));
	memcpy(at + sizeof(ip), &udp, sizeof(udp));
}

/* The 8 bytes of the pattern at @i. */
static uint64_t pattern(uint16_t seed, uint32_t i)
{
	return (seed + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15) + i;
}

void frame_lay(uint8_t *frame, uint32_t len, struct frame_end to,
    struct frame_end from, uint16_t seed)
{
	const struct frame_mark m = {
	    .guest = from.guest, .queue = from.queue, .seed = seed};

	frame_address(frame, to, from);
	frame[12] = 0x08;
	frame[13] = 0x00;
	lay_packet(frame + ETH_LEN, len - ETH_LEN, to, from);
	memcpy(frame + FRAME_MARK_AT, &m, sizeof(m));
	for (uint32_t i = FRAME_PATTERN_AT; i < len; i += 8) {
		uint64_t word = pattern(seed, i);

		memcpy(frame + i, &word, len - i < 8 ? len - i : 8);
	}
}

void frame_to_all(uint8_t *frame)
{
	memset(frame, 0xff, 6);
}

bool frame_intact(const uint8_t *frame, uint32_t len)
{
	uint16_t seed = frame_mark(frame).seed;
	uint64_t differ = 0;
	uint32_t i = FRAME_PATTERN_AT;

	for (; i + 8 <= len; i += 8) {
		uint64_t word;

		memcpy(&word, frame + i, 8);
		differ |= word ^ pattern(seed, i);
	}
	if (i < len) {
		uint64_t word = pattern(seed, i);

		differ |= (uint64_t)memcmp(frame + i, &word, len - i);
	}
	return !differ;
}
