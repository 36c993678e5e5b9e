/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vlan.c - classification and tags.
 */
#include <criterion/criterion.h>

#include "switch/vlan.h"

static struct vlan_set members;
static uint8_t memory[FRAME_HEADROOM + 64];

/* A frame that carries the tags tag[0..n), type 0x8100 each. */
static struct frame make_frame(const uint16_t tag[], unsigned n)
{
	struct frame f = {
	    .head = memory + FRAME_HEADROOM, .head_len = 60, .len = 1500};

	memset(memory, 0, sizeof(memory));
	for (int i = 0; i < 12; i++)
		f.head[i] = (uint8_t)(i * 2);
	for (unsigned i = 0; i < n; i++) {
		eth_put_be16(f.head + 12 + 4 * i, ETH_TYPE_VLAN);
		eth_put_be16(f.head + 14 + 4 * i, tag[i]);
	}
	eth_put_be16(f.head + 12 + 4 * n, 0x0800);
	return f;
}

static struct snapshot_port trunk(uint16_t native)
{
	memset(&members, 0, sizeof(members));
	members.word[0] = 1ull << 10 | 1ull << 20 | 1ull << native;
	return (struct snapshot_port){.vlan_aware = true,
	    .is_trunk = true,
	    .untagged_vid = native,
	    .vlans = &members};
}

static struct snapshot_port access_port(uint16_t vid)
{
	return (struct snapshot_port){
	    .vlan_aware = true, .untagged_vid = vid, .vlans = &members};
}

static void expect_addresses(const struct frame *f)
{
	for (int i = 0; i < 12; i++)
		cr_assert_eq(f->head[i], i * 2);
}

Test(vlan, an_untagged_frame_belongs_to_the_access_vlan)
{
	struct frame f = make_frame(NULL, 0);
	struct snapshot_port p = access_port(7);

	cr_assert_eq(vlan_classify(&p, &f), DROP_NONE);
	cr_assert_eq(f.tci, 7);
}

Test(vlan, case_103_a_tagged_frame_does_not_enter_an_access_port)
{
	struct frame f = make_frame((uint16_t[]){10, 20}, 2);
	struct snapshot_port p = access_port(10);

	cr_assert_eq(vlan_classify(&p, &f), DROP_INGRESS_VLAN_FILTER);
}

Test(vlan, case_103_an_inner_tag_never_becomes_the_outer_one)
{
	struct frame f = make_frame((uint16_t[]){10, 20}, 2);
	struct snapshot_port in = trunk(0), out = trunk(10);

	cr_assert_eq(vlan_classify(&in, &f), DROP_NONE);
	cr_assert_eq(f.tci, 10);
	cr_assert_eq(vlan_dress(&out, &f), DROP_EGRESS_TAG_STACKED);
}

Test(vlan, a_trunk_takes_only_its_vlans)
{
	struct frame f = make_frame((uint16_t[]){30}, 1);
	struct snapshot_port p = trunk(0);

	cr_assert_eq(vlan_classify(&p, &f), DROP_INGRESS_VLAN_FILTER);
	f = make_frame(NULL, 0);
	cr_assert_eq(vlan_classify(&p, &f), DROP_VLAN_TAG_MISMATCH);
	f = make_frame((uint16_t[]){0xa000}, 1);
	cr_assert_eq(vlan_classify(&p, &f), DROP_VLAN_TAG_MISMATCH);
}

Test(vlan, a_tag_comes_off_and_goes_on_again_with_its_priority)
{
	struct frame f = make_frame((uint16_t[]){0xa014}, 1), was = f;
	struct snapshot_port in = trunk(0), inside = access_port(20);

	cr_assert_eq(vlan_classify(&in, &f), DROP_NONE);
	cr_assert_eq(f.len, was.len - 4);
	cr_assert_eq(f.head_len, was.head_len - 4);
	cr_assert_eq(vlan_dress(&inside, &f), DROP_NONE);
	expect_addresses(&f);
	cr_assert_eq(eth_be16(f.head + 12), 0x0800);

	cr_assert_eq(vlan_dress(&in, &f), DROP_NONE);
	cr_assert_eq(vlan_dress(&in, &f), DROP_NONE);
	expect_addresses(&f);
	cr_assert_eq(eth_be16(f.head + 12), ETH_TYPE_VLAN);
	cr_assert_eq(eth_be16(f.head + 14), 0xa014);
	cr_assert_eq(f.len, was.len);
	cr_assert_eq(f.head, was.head);
}

Test(vlan, offload_offsets_move_with_the_tag)
{
	struct frame f = make_frame((uint16_t[]){20}, 1);
	struct snapshot_port in = trunk(0);

	f.offload = (struct offload){
	    .bits = OFFLOAD_CSUM, .hdr_len = 58, .csum_start = 38};
	cr_assert_eq(vlan_classify(&in, &f), DROP_NONE);
	cr_assert_eq(f.offload.csum_start, 34);
	cr_assert_eq(f.offload.hdr_len, 54);
	cr_assert_eq(vlan_dress(&in, &f), DROP_NONE);
	cr_assert_eq(f.offload.csum_start, 38);
}

Test(vlan, a_tag_cut_short_is_malformed)
{
	struct frame f = make_frame((uint16_t[]){20}, 1);
	struct snapshot_port in = trunk(0);

	f.head_len = 16;
	f.len = 16;
	cr_assert_eq(vlan_classify(&in, &f), DROP_RX_MALFORMED);
}
