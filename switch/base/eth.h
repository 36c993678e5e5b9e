/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eth.h - the first bytes of an Ethernet frame (IEEE 802.3, 802.1Q).
 *
 * A MAC address is handled as a 48-bit number in network byte order, first
 * octet on top, so that it compares, hashes and prints without a copy.
 */
#ifndef SWITCH_BASE_ETH_H
#define SWITCH_BASE_ETH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	ETH_ADDR_LEN = 6,
	ETH_HDR_LEN = 14,
	ETH_VLAN_LEN = 4, /* one 802.1Q tag */
	ETH_MTU_DEFAULT = 1500,
	ETH_MTU_MIN = 68,
	ETH_MTU_MAX = 65535 - ETH_HDR_LEN - ETH_VLAN_LEN,
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_QINQ = 0x88a8,
	ETH_VID_MAX = 4094,
	ETH_VID_MASK = 0xfff,
	ETH_N_VIDS = 4096,
};

#define ETH_MAC_BROADCAST 0xffffffffffffull

static inline uint16_t eth_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t eth_be32(const uint8_t *p)
{
	return (uint32_t)eth_be16(p) << 16 | eth_be16(p + 2);
}

static inline void eth_put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The address at @p; reads 8 bytes, of which the caller has at least 14. */
static inline uint64_t eth_mac(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v >> 16;
}

static inline void eth_mac_put(uint8_t *p, uint64_t mac)
{
	for (int i = ETH_ADDR_LEN - 1; i >= 0; i--, mac >>= 8)
		p[i] = (uint8_t)mac;
}

/* Group bit of the first octet: multicast and broadcast (802.3, 3.2.3). */
static inline bool eth_mac_is_group(uint64_t mac)
{
	return mac >> 40 & 1;
}

/* 01:80:C2:00:00:00 .. 0F: never forwarded by a bridge (802.1Q, 8.6.3). */
static inline bool eth_mac_is_reserved(uint64_t mac)
{
	return (mac & ~0xfull) == 0x0180c2000000ull;
}

static inline bool eth_type_is_vlan(uint16_t type)
{
	return type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ;
}

#endif
