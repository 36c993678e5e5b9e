/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.h - TCP and UDP packets of any size, and a second opinion on them.
 *
 * A payload says what it is: byte i of a stream is segment_byte(i), and the
 * TCP sequence number of a packet is where in the stream it begins.  Whoever
 * receives some of it can tell what it should be, however it was cut.
 *
 * Written byte by byte from the RFCs; shares nothing with the switch.
 *
 * Threads: any.
 */
#ifndef TESTS_GUEST_SEGMENT_H
#define TESTS_GUEST_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SEGMENT_MAX = 65535 + 18,
	SEGMENT_TCP = 6,
	SEGMENT_UDP = 17,
	SEGMENT_FIN = 0x01,
	SEGMENT_PSH = 0x08,
	SEGMENT_ACK = 0x10,
	SEGMENT_CWR = 0x80,
};

struct segment {
	bool ip6, tagged; /* VLAN 7, by the machine itself */
	uint8_t proto;
	uint8_t flags; /* of TCP */
	uint32_t seq;  /* of TCP; a datagram's place is not in it */
	uint32_t payload;

	/* Where in the frame, set by build and parse. */
	uint32_t l3, l4, hdr_len, csum; /* the last one: the checksum field */
};

uint8_t segment_byte(uint32_t at);

/* Makes frame[0..) from machine @from to machine @to (lan.h), its checksum
 * left undone: the sum of the pseudo-header.  Returns its length. */
uint32_t segment_build(
    uint8_t *frame, struct segment *s, unsigned to, unsigned from);

/* Takes frame[0..len) apart into *s.  False if a length in it is wrong, or its
 * IPv4 header's sum, or its checksum: that of the pseudo-header if @undone,
 * else that of all. */
bool segment_parse(
    struct segment *s, const uint8_t *frame, uint32_t len, bool undone);

#endif
