/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_offload.c - any virtio-net header before any frame.
 *
 * What is accepted must be within what was negotiated, within the frame, and
 * bounded in segments; and must survive being handed over to a receiver.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GSO = OFFLOAD_TSO4 | OFFLOAD_TSO6 | OFFLOAD_USO };

static void check_csum(const struct offload *o, uint32_t len)
{
	if (!(o->bits & OFFLOAD_CSUM))
		return;
	assert(o->csum_start >= FRAME_LEN_MIN);
	assert(o->csum_start + o->csum_offset + 2u <= len);
}

static void check_gso(const struct offload *o, uint32_t head_len, uint32_t len)
{
	unsigned kinds = !!(o->bits & OFFLOAD_TSO4) +
			 !!(o->bits & OFFLOAD_TSO6) + !!(o->bits & OFFLOAD_USO);

	if (!(o->bits & GSO)) {
		assert(!o->gso_size && !o->hdr_len && !(o->bits & OFFLOAD_ECN));
		return;
	}
	assert(kinds == 1 && o->bits & OFFLOAD_CSUM);
	assert(!(o->bits & OFFLOAD_ECN) || !(o->bits & OFFLOAD_USO));
	assert(o->hdr_len <= head_len && o->csum_start < o->hdr_len);
	assert(o->gso_size && len - o->hdr_len > o->gso_size);
	assert(len - o->hdr_len <= o->gso_size * 1024u);
}

/* A second parse of what we would hand over must say the same. */
static void check_round_trip(const struct offload *o, const uint8_t *head,
    uint32_t head_len, uint32_t len)
{
	struct virtio_net_hdr hdr;
	struct offload again;

	offload_to_hdr(o, &hdr);
	assert(offload_parse(&again, &hdr, head, head_len, len, o->bits) ==
	       DROP_NONE);
	assert(again.bits == o->bits && again.hdr_len == o->hdr_len &&
	       again.gso_size == o->gso_size &&
	       again.csum_start == o->csum_start &&
	       again.csum_offset == o->csum_offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_net_hdr hdr = {0};
	struct offload o, untouched;
	uint8_t *head, allowed;
	uint32_t len, head_len;

	if (size < 16 + FRAME_LEN_MIN)
		return 0;
	memcpy(&hdr, data, VIRTIO_NET_HDR_LEN_LEGACY);
	allowed = data[10];
	memcpy(&len, data + 12, 2);
	size -= 16;
	head_len = size < FRAME_HEAD_MAX ? (uint32_t)size : FRAME_HEAD_MAX;
	len = data[11] & 1 ? head_len : head_len + len;
	if (len > FRAME_LEN_MAX)
		len = FRAME_LEN_MAX;
	head = malloc(head_len);
	memcpy(head, data + 16, head_len);
	memset(&o, 0x77, sizeof(o));
	untouched = o;
	if (offload_parse(&o, &hdr, head, head_len, len, allowed) ==
	    DROP_NONE) {
		assert(!(o.bits & ~allowed));
		check_csum(&o, len);
		check_gso(&o, head_len, len);
		check_round_trip(&o, head, head_len, len);
	} else {
		assert(!memcmp(&o, &untouched, sizeof(o)));
	}
	free(head);
	return 0;
}
