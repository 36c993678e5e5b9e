/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sound.h - a frame with nothing wrong, for a fuzzer to spoil.
 *
 * Inputs say what is different in it, so that the shortest ones already get
 * past every check and each of their bits may fail one.
 */
#ifndef TESTS_FUZZ_SOUND_H
#define TESTS_FUZZ_SOUND_H

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "switch/base/eth.h"
#include "switch/base/layers.h"

enum { SOUND_MIN = 80, SOUND_IP4 = 1, SOUND_TCP = 2 };

/* Where the L4 header of such a frame begins. */
static inline uint16_t sound_l4(unsigned kind)
{
	return (uint16_t)(ETH_HDR_LEN +
			  (kind & SOUND_IP4 ? IP4_HDR_LEN : IP6_HDR_LEN));
}

/* A frame of @len bytes, at least SOUND_MIN, whose lengths and checksums are
 * 0, but for the one of L4, which just is not. */
static inline void sound_frame(uint8_t *p, uint32_t len, unsigned kind)
{
	uint8_t *ip = p + ETH_HDR_LEN, *l4 = p + sound_l4(kind);
	uint8_t proto = kind & SOUND_TCP ? IPPROTO_TCP : IPPROTO_UDP;

	memset(p, 0, len);
	if (kind & SOUND_IP4) {
		eth_put_be16(ip - 2, ETH_TYPE_IP4);
		ip[0] = 0x45;
		ip[IP4_PROTO] = proto;
	} else {
		eth_put_be16(ip - 2, ETH_TYPE_IP6);
		ip[0] = 0x60;
		ip[IP6_NEXT] = proto;
	}
	l4[UDP_CSUM] = 1;
	if (kind & SOUND_TCP) {
		l4[UDP_CSUM] = 0;
		l4[TCP_DOFF] = 5 << 4;
		l4[TCP_FLAGS] = TCP_F_ACK;
	}
}

#endif
