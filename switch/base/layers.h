/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layers.h - where the headers of a frame begin.
 *
 * Ethernet, up to two VLAN tags, IPv4 or IPv6 with its extension headers, TCP
 * or UDP.  Only the head of a frame is looked at; what lies beyond counts as
 * unknown.  Shared by everything that judges or rewrites headers, so that all
 * of it has the same opinion of where they are.
 *
 * Threads: any.  Ownership: struct layers refers to the head it was made of.
 */
#ifndef SWITCH_BASE_LAYERS_H
#define SWITCH_BASE_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	ETH_TYPE_IP4 = 0x0800,
	ETH_TYPE_IP6 = 0x86dd,
	IP_LEN_MAX = 65535, /* a total length, or an IPv6 payload */
	IP_VLAN_TAGS_MAX = 2,
};

/* IPv4 (RFC 791, 3.1): offsets of its fields, and lengths in bytes. */
enum {
	IP4_LEN = 2,
	IP4_ID = 4,
	IP4_FRAGMENT = 6, /* flags and offset */
	IP4_PROTO = 9,
	IP4_CSUM = 10,
	IP4_ADDRS = 12, /* source and destination */
	IP4_HDR_LEN = 20,
	IP4_DF = 0x4000, /* in the fragment field: may not be fragmented */
};

/* IPv6 (RFC 8200, 3). */
enum {
	IP6_LEN = 4,
	IP6_NEXT = 6,
	IP6_ADDRS = 8,
	IP6_HDR_LEN = 40,
};

/* TCP (RFC 9293, 3.1) and UDP (RFC 768); both begin with the two ports. */
enum {
	TCP_SEQ = 4,
	TCP_ACK = 8,
	TCP_DOFF = 12, /* header length in words, upper half */
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CSUM = 16,
	TCP_HDR_LEN = 20,
	TCP_F_FIN = 0x01,
	TCP_F_PSH = 0x08,
	TCP_F_ACK = 0x10,
	TCP_F_ECE = 0x40,
	TCP_F_CWR = 0x80,
	UDP_LEN = 4,
	UDP_CSUM = 6,
	UDP_HDR_LEN = 8,
};

struct layers {
	const uint8_t *head;
	uint32_t n; /* bytes at @head */
	uint32_t l3;
	uint32_t l4;   /* = l3 where L3 is unknown; may lie past n */
	uint16_t type; /* EtherType behind the tags */
	uint8_t proto; /* of L4, IPPROTO_NONE: unknown */
	bool fragment; /* of IPv4; in IPv6 it has a proto of its own */
};

/* Finds the layers of the frame that begins with head[0..n).  False if what
 * calls itself IP is not, or its fixed header is not all there. */
bool layers_parse(struct layers *p, const uint8_t *head, uint32_t n);

/* Bytes up to the payload of @p, which is TCP or UDP; 0 if the L4 header is
 * not all there. */
uint32_t layers_hdr_len(const struct layers *p);

/* The ones' complement sum (checksum.h) of the pseudo-header of @p, which is
 * TCP or UDP of @l4_len bytes over IPv4 (RFC 9293, 3.1) or over IPv6 without
 * a routing header (RFC 8200, 8.1). */
uint64_t layers_pseudo_sum(const struct layers *p, uint32_t l4_len);

#endif
