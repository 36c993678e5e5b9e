/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offload.c - believe a virtio-net header only as far as the frame bears out.
 *
 * The header says what is left to do; the frame's own headers say whether that
 * makes sense, and where they say how long something is, the virtio-net
 * header is not asked (virtio 1.2, 5.1.6.2; the rules of virtio_net_hdr_to_skb
 * in Linux).
 */
#include <netinet/in.h>
#include <stdbool.h>

#include "switch/base/eth.h"
#include "switch/base/offload.h"

/* virtio 1.2, 5.1.6; the kernel's header would bring its own virtio_net_hdr. */
enum {
	HDR_F_NEEDS_CSUM = 1,
	HDR_F_DATA_VALID = 2,
	HDR_GSO_NONE = 0,
	HDR_GSO_TCPV4 = 1,
	HDR_GSO_TCPV6 = 4,
	HDR_GSO_UDP_L4 = 5,
	HDR_GSO_ECN = 0x80,
};

enum {
	TYPE_IP4 = 0x0800,
	TYPE_IP6 = 0x86dd,
	IP4_LEN_MIN = 20,
	IP6_LEN = 40,
	IP_LEN_MAX = 65535,
	TCP_LEN_MIN = 20,
	TCP_CSUM = 16, /* offset of the checksum */
	UDP_LEN = 8,
	UDP_CSUM = 6,
	N_TAGS_MAX = 2,
	TCP_GSO_MIN = 8,       /* as Linux */
	GSO_BY_FRAGS = 0xffff, /* not a size to Linux */
	GSO_SEGMENTS_MAX = 1024,
};

/* Where the layers of a frame begin. */
struct layers {
	const uint8_t *head;
	uint32_t n; /* bytes at @head */
	uint32_t l3;
	uint32_t l4;   /* = l3 where L3 is unknown */
	uint16_t type; /* EtherType behind the tags */
	uint8_t proto; /* of L4, IPPROTO_NONE: unknown */
	bool fragment; /* of IPv4; in IPv6 it has a proto of its own */
};

static bool parse_ip4(struct layers *p)
{
	const uint8_t *ip = p->head + p->l3;
	uint32_t ihl;

	if (p->n < p->l3 + IP4_LEN_MIN || ip[0] >> 4 != 4)
		return false;
	ihl = (ip[0] & 15) * 4u;
	if (ihl < IP4_LEN_MIN)
		return false;
	p->l4 = p->l3 + ihl;
	p->proto = ip[9];
	p->fragment = eth_be16(ip + 6) & 0x3fff;
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

	if (p->n < p->l3 + IP6_LEN || ip[0] >> 4 != 6)
		return false;
	p->l4 = p->l3 + IP6_LEN;
	p->proto = ip[6];
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

/* False if what calls itself IP is not. */
static bool parse_layers(struct layers *p, const uint8_t *head, uint32_t n)
{
	*p = (struct layers){
	    .head = head, .n = n, .l3 = ETH_HDR_LEN, .proto = IPPROTO_NONE};
	if (n < ETH_HDR_LEN)
		return false;
	p->type = eth_be16(head + 12);
	for (int i = 0; i < N_TAGS_MAX && eth_type_is_vlan(p->type); i++) {
		p->l3 += ETH_VLAN_LEN;
		if (n < p->l3)
			return false;
		p->type = eth_be16(head + p->l3 - 2);
	}
	p->l4 = p->l3;
	if (p->type == TYPE_IP4)
		return parse_ip4(p);
	return p->type != TYPE_IP6 || parse_ip6(p);
}

static bool csum_offset_fits(uint8_t proto, uint16_t offset)
{
	if (proto == IPPROTO_TCP)
		return offset == TCP_CSUM;
	return proto != IPPROTO_UDP || offset == UDP_CSUM;
}

/* A sum may begin further in than the first L4 header (tunnels), but nothing
 * before that header may be summed or overwritten. */
static bool csum_fits(
    const struct layers *p, const struct virtio_net_hdr *hdr, uint32_t len)
{
	uint32_t start = hdr->csum_start;

	if (start < p->l4 || start + hdr->csum_offset + 2u > len)
		return false;
	return start > p->l4 || csum_offset_fits(p->proto, hdr->csum_offset);
}

/* The enum offload_bit that @gso_type means for such a packet; 0: none. */
static uint8_t gso_bit(const struct layers *p, uint8_t gso_type)
{
	bool ip4 = p->type == TYPE_IP4, ip6 = p->type == TYPE_IP6;
	bool tcp = p->proto == IPPROTO_TCP, udp = p->proto == IPPROTO_UDP;

	if (p->fragment)
		return 0;
	if (gso_type == HDR_GSO_TCPV4 && ip4 && tcp)
		return OFFLOAD_TSO4;
	if (gso_type == HDR_GSO_TCPV6 && ip6 && tcp)
		return OFFLOAD_TSO6;
	if (gso_type == HDR_GSO_UDP_L4 && udp)
		return OFFLOAD_USO;
	return 0;
}

/* Bytes up to the payload of @p, or 0 if the L4 header is not all there. */
static uint32_t headers_len(const struct layers *p)
{
	uint32_t l4_len = UDP_LEN;

	if (p->proto == IPPROTO_TCP) {
		if (p->n < p->l4 + TCP_LEN_MIN)
			return 0;
		l4_len = (p->head[p->l4 + 12] >> 4) * 4u;
		if (l4_len < TCP_LEN_MIN)
			return 0;
	}
	return p->n < p->l4 + l4_len ? 0 : p->l4 + l4_len;
}

/* Adds the segmentation that @hdr asks for to *o; false if it cannot be. */
static bool parse_gso(struct offload *o, const struct layers *p,
    const struct virtio_net_hdr *hdr, uint32_t len, uint8_t allowed)
{
	bool ecn = hdr->gso_type & HDR_GSO_ECN;
	uint8_t bit = gso_bit(p, hdr->gso_type & (uint8_t)~HDR_GSO_ECN);
	uint32_t hdr_len = headers_len(p), size = hdr->gso_size;
	uint8_t bits = ecn ? bit | OFFLOAD_ECN : bit;

	if (!bit || bits & ~allowed || (ecn && bit == OFFLOAD_USO))
		return false;
	if (o->csum_start != p->l4 || !hdr_len || hdr_len > UINT8_MAX)
		return false;
	if (size < (bit == OFFLOAD_USO ? 1 : TCP_GSO_MIN) ||
	    size == GSO_BY_FRAGS || len - hdr_len > size * GSO_SEGMENTS_MAX)
		return false;
	if (len - p->l3 > IP_LEN_MAX + (p->type == TYPE_IP4 ? 0u : IP6_LEN))
		return false;
	if (len - hdr_len <= size)
		return true; /* one segment: nothing to cut */
	o->bits |= bits;
	o->hdr_len = (uint8_t)hdr_len;
	o->gso_size = hdr->gso_size;
	return true;
}

enum drop_reason offload_parse(struct offload *o,
    const struct virtio_net_hdr *hdr, const uint8_t *head, uint32_t head_len,
    uint32_t len, uint8_t allowed)
{
	bool needs_csum = hdr->flags & HDR_F_NEEDS_CSUM;
	bool is_gso = hdr->gso_type != HDR_GSO_NONE;
	struct offload new = {0};
	struct layers p;

	if (needs_csum) {
		if (!(allowed & OFFLOAD_CSUM))
			return DROP_BAD_CSUM;
		new.bits = OFFLOAD_CSUM;
		new.csum_start = hdr->csum_start;
		new.csum_offset = hdr->csum_offset;
	} else if (hdr->flags & HDR_F_DATA_VALID) {
		new.bits = (uint8_t)(OFFLOAD_VALID & allowed);
	}
	if (needs_csum || is_gso) {
		bool is_sound = parse_layers(&p, head, head_len);

		if (is_gso && (!needs_csum || !is_sound ||
				  !parse_gso(&new, &p, hdr, len, allowed)))
			return DROP_BAD_GSO;
		if (!is_sound || !csum_fits(&p, hdr, len))
			return DROP_BAD_CSUM;
	}
	*o = new;
	return DROP_NONE;
}

void offload_to_hdr(const struct offload *o, struct virtio_net_hdr *hdr)
{
	*hdr = (struct virtio_net_hdr){0};
	if (o->bits & OFFLOAD_CSUM) {
		hdr->flags = HDR_F_NEEDS_CSUM;
		hdr->csum_start = o->csum_start;
		hdr->csum_offset = o->csum_offset;
	} else if (o->bits & OFFLOAD_VALID) {
		hdr->flags = HDR_F_DATA_VALID;
	}
	if (o->bits & OFFLOAD_TSO4)
		hdr->gso_type = HDR_GSO_TCPV4;
	else if (o->bits & OFFLOAD_TSO6)
		hdr->gso_type = HDR_GSO_TCPV6;
	else if (o->bits & OFFLOAD_USO)
		hdr->gso_type = HDR_GSO_UDP_L4;
	else
		return;
	if (o->bits & OFFLOAD_ECN)
		hdr->gso_type |= HDR_GSO_ECN;
	hdr->hdr_len = o->hdr_len;
	hdr->gso_size = o->gso_size;
}
