/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_packed.c - any memory as two guests' packed rings; see ring_pair.h.
 *
 * A queue goes on where the slots say that a device stopped, if they do say
 * so, else in the middle of a lap: whatever wrote the memory, the place that
 * packed_recover() finds has to be one in the ring.
 */
#include "ports/vhost/packed.h"
#include "tests/fuzz/ring_pair.h"

static const uint16_t sizes[8] = {1, 2, 3, 7, 16, 100, 300, 512};

/* @opt: 0-2 size; 3 mergeable; 4 indirect; 5 event_idx; 6 second lap. */
static void start(struct guest *g, uint8_t opt, uint8_t bits)
{
	uint8_t *p = g->bytes[0];
	uint16_t size = sizes[opt & 7];

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
static void put_descs(struct guest *g, const struct record *r)
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
static void put_avail(struct guest *g, const struct record *r)
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

/* Killed and started again: it goes on in the ring, and what it finishes for
 * its predecessor does no harm. */
static void recover(struct guest *g)
{
	uint16_t place;

	if (!packed_recover(&g->vq, &place))
		return;
	assert((place & PACKED_INDEX) < g->vq.size);
	virtq_start(&g->vq, place);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ring_kind kind = {start, put_descs, put_avail};

	if (size < RING_PAIR_MIN)
		return 0;
	ring_pair_run(&kind, data, size);
	recover(&guests[0]);
	recover(&guests[1]);
	forward(&guests[0], &guests[1]);
	check_canaries(&guests[0]);
	check_canaries(&guests[1]);
	return 0;
}
