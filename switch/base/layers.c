/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layers.c - walk the headers at the front of a frame.
 *
 * Every step asks first whether what it wants to read is within the head.
 */
#include <netinet/in.h>

#include "switch/base/checksum.h"
#include "switch/base/eth.h"
#include "switch/base/layers.h"

static bool parse_ip4(struct layers *p)
{
	const uint8_t *ip = p->head + p->l3;
	uint32_t ihl;

	if (p->n < p->l3 + IP4_HDR_LEN || ip[0] >> 4 != 4)
		return false;
	ihl = (ip[0] & 15) * 4u;
	if (ihl < IP4_HDR_LEN)
		return false;
	p->l4 = p->l3 + ihl;
	p->proto = ip[IP4_PROTO];
	p->fragment = eth_be16(ip + IP4_FRAGMENT) & 0x3fff;
	return true;
}

static bool is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING ||
	       proto == IPPROTO_DSTOPTS;
}

/* Extension headers are followed as far as they are visible (RFC 8200, 4). */
static bool parse_ip6(struct layers *p)
{
	const uint8_t *ip = p->head + p->l3;

	if (p->n < p->l3 + IP6_HDR_LEN || ip[0] >> 4 != 6)
		return false;
	p->l4 = p->l3 + IP6_HDR_LEN;
	p->proto = ip[IP6_NEXT];
	while (is_extension(p->proto)) {
		if (p->n < p->l4 + 8) {
			p->proto = IPPROTO_NONE;
			break;
		}
		p->proto = p->head[p->l4];
		p->l4 += (p->head[p->l4 + 1] + 1u) * 8;
	}
	return true;
}

bool layers_parse(struct layers *p, const uint8_t *head, uint32_t n)
{
	*p = (struct layers){
	    .head = head, .n = n, .l3 = ETH_HDR_LEN, .proto = IPPROTO_NONE};
	if (n < ETH_HDR_LEN)
		return false;
	p->type = eth_be16(head + 12);
	for (int i = 0; i < IP_VLAN_TAGS_MAX && eth_type_is_vlan(p->type);
	     i++) {
		p->l3 += ETH_VLAN_LEN;
		if (n < p->l3)
			return false;
		p->type = eth_be16(head + p->l3 - 2);
	}
	p->l4 = p->l3;
	if (p->type == ETH_TYPE_IP4)
		return parse_ip4(p);
	return p->type != ETH_TYPE_IP6 || parse_ip6(p);
}

uint32_t layers_hdr_len(const struct layers *p)
{
	uint32_t l4_len = UDP_HDR_LEN;

	if (p->proto == IPPROTO_TCP) {
		if (p->n < p->l4 + TCP_HDR_LEN)
			return 0;
		l4_len = (p->head[p->l4 + TCP_DOFF] >> 4) * 4u;
		if (l4_len < TCP_HDR_LEN)
			return 0;
	}
	return p->n < p->l4 + l4_len ? 0 : p->l4 + l4_len;
}

uint64_t layers_pseudo_sum(const struct layers *p, uint32_t l4_len)
{
	bool ip4 = p->type == ETH_TYPE_IP4;
	const uint8_t *addrs = p->head + p->l3 + (ip4 ? IP4_ADDRS : IP6_ADDRS);

	return checksum_add(0, 0, addrs, ip4 ? 8 : 32) +
	       checksum_be16((uint16_t)l4_len) + checksum_be16(p->proto);
}
