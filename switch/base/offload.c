/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offload.c - believe a virtio-net header only as far as the frame bears out.
 *
 * The header says what is left to do; the frame's own headers say whether that
 * makes sense, and where they say how long something is, the virtio-net
 * header is not asked (virtio 1.2, 5.1.6.2; the rules of virtio_net_hdr_to_skb
 * in Linux).
 */
#include <assert.h>
#include <netinet/in.h>

#include "switch/base/frame.h"
#include "switch/base/layers.h"
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
	GSO_BY_FRAGS = 0xffff, /* not a size to Linux */
	GSO_SEGMENTS_MAX = 1024,
};

static_assert(OFFLOAD_HDR_LEN_MAX + 4 <= FRAME_HEAD_MAX,
    "all headers fit where segments get theirs");

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
	bool ip4 = p->type == ETH_TYPE_IP4, ip6 = p->type == ETH_TYPE_IP6;
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

/* Adds the segmentation that @hdr asks for to *o; false if it cannot be. */
static bool parse_gso(struct offload *o, const struct layers *p,
    const struct virtio_net_hdr *hdr, uint32_t len, uint8_t allowed)
{
	bool ecn = hdr->gso_type & HDR_GSO_ECN;
	uint8_t bit = gso_bit(p, hdr->gso_type & (uint8_t)~HDR_GSO_ECN);
	uint32_t hdr_len = layers_hdr_len(p), size = hdr->gso_size;
	uint8_t bits = ecn ? bit | OFFLOAD_ECN : bit;

	if (!bit || bits & ~allowed || (ecn && bit == OFFLOAD_USO))
		return false;
	if (o->csum_start != p->l4 || !hdr_len || hdr_len > OFFLOAD_HDR_LEN_MAX)
		return false;
	if (size < (bit == OFFLOAD_USO ? 1 : OFFLOAD_TCP_SIZE_MIN) ||
	    size == GSO_BY_FRAGS || len - hdr_len > size * GSO_SEGMENTS_MAX)
		return false;
	if (len - p->l3 >
	    IP_LEN_MAX + (p->type == ETH_TYPE_IP4 ? 0u : IP6_HDR_LEN))
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
		bool is_sound = layers_parse(&p, head, head_len);

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
