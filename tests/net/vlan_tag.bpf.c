/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlan_tag.bpf.c - a host that is tagged for VLAN 10, for test_pairs.sh.
 *
 * A VLAN interface without the kernel's 8021q: run by tc on a host's interface,
 * it gives what the stack sends a tag, and takes it from what it receives.  As
 * from a VLAN interface, the tag is beside the frame until the interface puts
 * it in.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { TYPE_VLAN = 0x8100, VID = 10 };

SEC("tc/egress")
int tag_sent(struct __sk_buff *frame)
{
	if (bpf_skb_vlan_push(frame, bpf_htons(TYPE_VLAN), VID))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* What has no tag, or that of another VLAN, is not for this host. */
SEC("tc/ingress")
int untag_received(struct __sk_buff *frame)
{
	if (!frame->vlan_present || (frame->vlan_tci & 0xfff) != VID ||
	    bpf_skb_vlan_pop(frame))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char program_license[] SEC("license") = "Dual BSD/GPL";
