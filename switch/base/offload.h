/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offload.h - what a sender left for the receiver to finish.
 *
 * The offload state of a frame is parsed once, at ingress, from the
 * virtio-net header (virtio 1.2, 5.1.6) and validated against the frame
 * itself; lengths that can be computed from the headers are recomputed, not
 * believed.  An egress port either accepts the state and passes it on, or
 * the frame is completed, or it is dropped by name: nothing leaves with a
 * checksum that is neither right nor declared unfinished.
 */
#ifndef SWITCH_BASE_OFFLOAD_H
#define SWITCH_BASE_OFFLOAD_H

#include <stdint.h>

#include "switch/base/counters.h"

/* What a port may send unfinished, or accepts unfinished.  A frame's state is
 * a subset of one bit of these for the checksum and one for the segmentation. */
enum offload_bit {
	OFFLOAD_CSUM = 1 << 0, /* checksum to be completed at start+offset */
	OFFLOAD_TSO4 = 1 << 1,
	OFFLOAD_TSO6 = 1 << 2,
	OFFLOAD_ECN = 1 << 3, /* TSO of a segment with CWR set */
	OFFLOAD_USO = 1 << 4,
	OFFLOAD_VALID = 1 << 5, /* checksum already verified by the sender */
};

enum {
	OFFLOAD_GSO = OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_USO,
	OFFLOAD_HDR_LEN_MAX = UINT8_MAX - 4, /* room to add a tag */
	OFFLOAD_TCP_SIZE_MIN = 8,	     /* of a segment, as Linux */
};

struct offload {
	uint8_t bits;	      /* 0: a finished frame */
	uint8_t hdr_len;      /* L2 to L4 headers in bytes, when segmenting */
	uint16_t gso_size;    /* payload bytes per segment */
	uint16_t csum_start;  /* from the first byte of the frame */
	uint16_t csum_offset; /* from csum_start */
};

/* virtio 1.2, 5.1.6; little endian once VERSION_1 is negotiated, and this
 * switch runs on little-endian machines only. */
struct virtio_net_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers; /* only with MRG_RXBUF or VERSION_1 */
};

enum { VIRTIO_NET_HDR_LEN = 12, VIRTIO_NET_HDR_LEN_LEGACY = 10 };

/* Validates @hdr, which is our copy, against the frame whose first @head_len
 * bytes are at @head and which is @len bytes long, and stores the state in
 * *o.  @allowed (enum offload_bit) is what the sender negotiated.  Returns
 * DROP_NONE, or the reason to drop the frame, with *o untouched.  Worker. */
enum drop_reason offload_parse(struct offload *o,
    const struct virtio_net_hdr *hdr, const uint8_t *head, uint32_t head_len,
    uint32_t len, uint8_t allowed);

/* The header (num_buffers 0) that hands @o over to a receiver that accepts
 * it.  Worker. */
void offload_to_hdr(const struct offload *o, struct virtio_net_hdr *hdr);

/* The same for a receiver that @accepts (enum offload_bit) some of it: what it
 * has not asked for is left out. */
static inline struct virtio_net_hdr offload_hdr_for(
    const struct offload *o, uint8_t accepts)
{
	struct virtio_net_hdr hdr = {0};
	struct offload some = *o;

	some.bits &= accepts;
	if (some.bits)
		offload_to_hdr(&some, &hdr);
	return hdr;
}

#endif
