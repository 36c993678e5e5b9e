/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packed_kind.h - packed rings for ring_pair.h.
 */
#ifndef TESTS_FUZZ_PACKED_KIND_H
#define TESTS_FUZZ_PACKED_KIND_H

#include "ports/vhost/packed.h"
#include "tests/fuzz/ring_pair.h"

static const uint16_t packed_sizes[8] = {1, 2, 3, 7, 16, 100, 300, 512};

/* @opt: 0-2 size; 3 mergeable; 4 indirect; 5 event_idx; 6 second lap. */
static void packed_kind_start(struct guest *g, uint8_t opt, uint8_t bits)
{
	uint8_t *p = g->bytes[0];
	uint16_t size = packed_sizes[opt & 7];

	g->vq = (struct virtq){.mem = g->mem,
	    .packed = true,
	    .slot = (void *)p,
	    .driver_event = (void *)(p + AVAIL_AT),
	    .device_event = (void *)(p + USED_AT),
	    .port = &g->port,
	    .size = size,
	    .kick_fd = -1,
	    .call_fd = g->call_fd,
	    .hdr_len = 12,
	    .mergeable = opt & 8,
	    .indirect = opt & 16,
	    .event_idx = opt & 32,
	    .allowed = bits};
	virtq_start(
	    &g->vq, (uint16_t)(size / 2 | (opt & 64 ? 0 : PACKED_WRAP)));
}

/* r->n descriptors from offset 16 * r->at on, of the ring or of an indirect
 * table, with the flags as they are. */
static void packed_kind_put_descs(struct guest *g, const struct record *r)
{
	uint32_t n = r->n % 1024;

	for (uint32_t i = 0; i < n; i++) {
		struct vring_packed_desc d = {BASE + r->addr + i * r->step,
		    r->len, (uint16_t)(r->at + i), r->flags};

		put(g, (r->at + i) * 16u, &d, sizeof(d));
	}
}

/* r->n further descriptors, from where the device goes on: with the flags for
 * the lap, in chains of r->at. */
static void packed_kind_put_avail(struct guest *g, const struct record *r)
{
	uint16_t place = g->vq.next_avail;
	uint32_t n = r->n % 1024;

	for (uint32_t i = 0; i < n && i < g->vq.size; i++) {
		uint16_t next =
		    r->at && (i + 1) % r->at ? VRING_DESC_F_NEXT : 0;
		struct vring_packed_desc d = {BASE + r->addr + i * r->step,
		    r->len, (uint16_t)i,
		    (uint16_t)((r->flags & ~PACKED_TURN) | next |
			       packed_available_at(place))};

		put(g, (place & PACKED_INDEX) * 16u, &d, sizeof(d));
		place = packed_place(&g->vq, place, 1);
	}
}

static const struct ring_kind packed_kind = {
    packed_kind_start, packed_kind_put_descs, packed_kind_put_avail};

#endif
