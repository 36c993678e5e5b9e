/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * puppet.c - a guest that is played by the thread which serves it.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/parts/puppet.h"
#include "ports/vhost/packed.h"

enum {
	RING = 256,
	SLOT = 2304,
	MEMORY = 1 << 21,
	SENDS = 0, /* the rings ... */
	RECEIVES = 0x8000,
	SENDS_BUFFERS = 0x20000, /* ... and what is in them */
	RECEIVES_BUFFERS = 0x100000,
	HDR = VIRTIO_NET_HDR_LEN,
};

static void ring_open(
    struct puppet *p, struct virtq *vq, uint64_t at, enum puppet_ring ring)
{
	*vq = (struct virtq){.mem = p->mem,
	    .desc = (void *)(p->bytes + at),
	    .avail = (void *)(p->bytes + at + 0x2000),
	    .used = (void *)(p->bytes + at + 0x4000),
	    .port = &p->port,
	    .size = RING,
	    .kick_fd = -1,
	    .call_fd = -1,
	    .hdr_len = HDR,
	    .packed = ring == PUPPET_PACKED,
	    .in_order = ring == PUPPET_SPLIT_IN_ORDER,
	    .mergeable = true};
	virtq_start(vq, vq->packed ? PACKED_WRAP : 0);
}

void puppet_open(struct puppet *p, enum puppet_ring ring)
{
	*p = (struct puppet){
	    .mem = calloc(1, sizeof(*p->mem) + sizeof(struct vhost_region)),
	    .bytes = aligned_alloc(MEMORY, MEMORY)};
	if (!p->mem || !p->bytes)
		abort();
	memset(p->bytes, 0, MEMORY);
	p->mem->n = 1;
	p->mem->region[0] =
	    (struct vhost_region){.size = MEMORY, .host = p->bytes};
	ring_open(p, &p->sends, SENDS, ring);
	ring_open(p, &p->receives, RECEIVES, ring);
	if (ring == PUPPET_PACKED)
		p->sends_at = p->receives_at = PACKED_WRAP;
}

void puppet_close(struct puppet *p)
{
	free(p->mem);
	free(p->bytes);
}

static void fill(struct virtq *vq, uint16_t *place, uint64_t addr, uint32_t len,
    unsigned flags)
{
	uint16_t i = *place % RING;

	if (vq->packed) {
		i = *place & PACKED_INDEX;
		flags |= packed_available_at(*place);
		vq->slot[i] =
		    (struct vring_packed_desc){addr, len, i, (uint16_t)flags};
		*place = packed_place(vq, *place, 1);
		return;
	}
	vq->desc[i] = (struct vring_desc){
	    addr, len, (uint16_t)flags, (uint16_t)((i + 1) % RING)};
	++*place;
}

static uint64_t buffer_of(const struct virtq *vq, uint64_t base, uint16_t place)
{
	unsigned i = vq->packed ? place & PACKED_INDEX : place % RING;

	return base + i * (uint64_t)SLOT;
}

static void offer(struct virtq *vq, uint16_t *place, uint64_t base, unsigned n,
    uint32_t len, unsigned flags, enum puppet_shape shape)
{
	uint16_t idx = vq->packed ? 0 : vq->avail->idx;

	for (unsigned i = 0; i < n; i++, idx++) {
		uint64_t addr = buffer_of(vq, base, *place);
		uint16_t head = *place % RING;

		if (shape == PUPPET_APART) {
			fill(vq, place, addr, HDR, flags | VRING_DESC_F_NEXT);
			fill(vq, place, addr + HDR, len - HDR, flags);
		} else {
			fill(vq, place, addr, len, flags);
		}
		if (!vq->packed)
			vq->avail->ring[idx % RING] = head;
	}
	if (!vq->packed)
		__atomic_store_n(&vq->avail->idx, idx, __ATOMIC_RELEASE);
}

uint8_t *puppet_frame(struct puppet *p, unsigned i, enum puppet_shape shape)
{
	unsigned n = shape == PUPPET_APART ? 2 * i : i;
	uint16_t place = p->sends.packed
			     ? packed_place(&p->sends, p->sends_at, n)
			     : (uint16_t)(p->sends_at + n);

	return p->bytes + buffer_of(&p->sends, SENDS_BUFFERS, place) + HDR;
}

void puppet_send(
    struct puppet *p, unsigned n, uint32_t len, enum puppet_shape shape)
{
	offer(&p->sends, &p->sends_at, SENDS_BUFFERS, n, HDR + len, 0, shape);
}

void puppet_expect(struct puppet *p, unsigned n, uint32_t len)
{
	offer(&p->receives, &p->receives_at, RECEIVES_BUFFERS, n, len,
	    VRING_DESC_F_WRITE, PUPPET_WHOLE);
}
