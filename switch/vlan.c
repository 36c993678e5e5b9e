/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlan.c - 802.1Q: which VLAN a frame belongs to, and its tag on the way out.
 *
 * A tag moves the two addresses by four bytes, in place: the head has room
 * before it and is ours.  Offsets of the offload state move with them.
 */
#include "switch/vlan.h"

enum { ADDRS_LEN = 2 * ETH_ADDR_LEN, TCI_PRIORITY = 0xf000 };

static void shift_offload(struct offload *o, int bytes)
{
	if (!o->bits)
		return;
	o->csum_start = (uint16_t)(o->csum_start + bytes);
	o->hdr_len = (uint8_t)(o->hdr_len + bytes);
}

static void tag_pop(struct frame *f)
{
	memmove(f->head + ETH_VLAN_LEN, f->head, ADDRS_LEN);
	f->head += ETH_VLAN_LEN;
	f->head_len = (uint16_t)(f->head_len - ETH_VLAN_LEN);
	f->len -= ETH_VLAN_LEN;
	f->flags &= (uint16_t)~FRAME_TAGGED;
	shift_offload(&f->offload, -ETH_VLAN_LEN);
}

static void tag_push(struct frame *f)
{
	f->head -= ETH_VLAN_LEN;
	memmove(f->head, f->head + ETH_VLAN_LEN, ADDRS_LEN);
	eth_put_be16(f->head + ADDRS_LEN, ETH_TYPE_VLAN);
	eth_put_be16(f->head + ADDRS_LEN + 2, f->tci);
	f->head_len = (uint16_t)(f->head_len + ETH_VLAN_LEN);
	f->len += ETH_VLAN_LEN;
	f->flags |= FRAME_TAGGED;
	shift_offload(&f->offload, ETH_VLAN_LEN);
}

enum drop_reason vlan_classify(
    const struct snapshot_port *from, struct frame *f)
{
	uint16_t tci = 0;

	if (eth_be16(f->head + ADDRS_LEN) == ETH_TYPE_VLAN) {
		if (f->head_len < ETH_HDR_LEN + ETH_VLAN_LEN)
			return DROP_RX_MALFORMED;
		tci = eth_be16(f->head + ETH_HDR_LEN);
		tag_pop(f);
	}
	f->tci = tci;
	if (tci & ETH_VID_MASK)
		return from->is_trunk &&
			       vlan_set_has(from->vlans, tci & ETH_VID_MASK)
			   ? DROP_NONE
			   : DROP_INGRESS_VLAN_FILTER;
	if (!from->untagged_vid)
		return DROP_VLAN_TAG_MISMATCH;
	f->tci = (uint16_t)((tci & TCI_PRIORITY) | from->untagged_vid);
	return DROP_NONE;
}

enum drop_reason vlan_dress(const struct snapshot_port *to, struct frame *f)
{
	bool tagged = (f->tci & ETH_VID_MASK) != to->untagged_vid;

	if (tagged != !!(f->flags & FRAME_TAGGED)) {
		if (tagged)
			tag_push(f);
		else
			tag_pop(f);
	}
	if (!tagged && eth_type_is_vlan(eth_be16(f->head + ADDRS_LEN)))
		return DROP_EGRESS_TAG_STACKED;
	return DROP_NONE;
}
