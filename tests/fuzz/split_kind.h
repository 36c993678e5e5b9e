/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * split_kind.h - split rings for ring_pair.h.
 */
#ifndef TESTS_FUZZ_SPLIT_KIND_H
#define TESTS_FUZZ_SPLIT_KIND_H

#include "tests/fuzz/ring_pair.h"

/* @opt: 0-2 size, 4 to 512; 3 mergeable; 4 indirect; 5 event_idx; 6 legacy. */
static void split_kind_start(struct guest *g, uint8_t opt, uint8_t bits)
{
	uint8_t *p = g->bytes[0];

	g->vq = (struct virtq){.mem = g->mem,
	    .desc = (void *)p,
	    .avail = (void *)(p + AVAIL_AT),
	    .used = (void *)(p + USED_AT),
	    .port = &g->port,
	    .size = 4u << (opt & 7),
	    .kick_fd = -1,
	    .call_fd = g->call_fd,
	    .hdr_len = opt & 64 && !(opt & 8) ? 10 : 12,
	    .mergeable = opt & 8,
	    .indirect = opt & 16,
	    .event_idx = opt & 32,
	    .allowed = bits};
	virtq_start(&g->vq, 0);
}

/* r->n linked descriptors from offset 16 * r->at on, of the ring or of an
 * indirect table; the last one ends the chain unless flags say otherwise. */
static void split_kind_put_descs(struct guest *g, const struct record *r)
{
	uint32_t n = r->n % 1024;

	for (uint32_t i = 0; i < n; i++) {
		uint16_t next = i + 1 < n ? VRING_DESC_F_NEXT : 0;
		struct vring_desc d = {BASE + r->addr + i * r->step, r->len,
		    r->flags | next, (uint16_t)(r->at % 512 + i + 1)};

		put(g, (r->at + i) * 16u, &d, sizeof(d));
	}
}

/* r->n further entries: heads r->at, r->at + r->step ... */
static void split_kind_put_avail(struct guest *g, const struct record *r)
{
	uint16_t idx = g->vq.avail->idx, n = r->n % 1024;

	for (uint16_t i = 0; i < n; i++)
		g->vq.avail->ring[(uint16_t)(idx + i) & (g->vq.size - 1)] =
		    (uint16_t)(r->at + i * r->step);
	g->vq.avail->idx = (uint16_t)(idx + n);
}

static const struct ring_kind split_kind = {
    split_kind_start, split_kind_put_descs, split_kind_put_avail};

#endif
