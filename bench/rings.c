/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rings.c - cycles per frame from one guest's ring to another's.
 *
 * One thread plays both guests and the device, so that the figure is that of
 * the device's instructions with warm rings: no cache line changes cores.  The
 * guests' own part is not measured.  The best of many batches is shown, and
 * the median.
 *
 *	rings [rounds]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/vhost/packed.h"
#include "switch/base/clock.h"

enum { SIZE = 256, SLOT = 2304, BURST = 64, HDR = VIRTIO_NET_HDR_LEN };

enum ring { SPLIT, SPLIT_IN_ORDER, PACKED, N_RINGS };

static const char *const ring_name[] = {"split", "in order", "packed"};

static const uint64_t memory_size = 1 << 20;

struct guest {
	struct virtq vq;
	struct port port;
	struct counters counters;
	struct port_worker w;
	struct vhost_memory *mem;
	uint8_t *bytes;
	uint16_t place; /* of a packed ring, the next to offer */
};

static struct batch batch;

static uint64_t slot(unsigned i)
{
	return 0x10000 + (i % SIZE) * (uint64_t)SLOT;
}

static void guest_open(struct guest *g, enum ring ring, bool mergeable)
{
	memset(g, 0, sizeof(*g));
	g->mem = calloc(1, sizeof(*g->mem) + sizeof(struct vhost_region));
	g->bytes = aligned_alloc(1 << 21, memory_size);
	if (!g->mem || !g->bytes)
		abort();
	memset(g->bytes, 0, memory_size);
	g->mem->n = 1;
	g->mem->region[0] =
	    (struct vhost_region){.size = memory_size, .host = g->bytes};
	g->w.counters = &g->counters;
	g->vq = (struct virtq){.mem = g->mem,
	    .desc = (void *)g->bytes,
	    .avail = (void *)(g->bytes + 0x2000),
	    .used = (void *)(g->bytes + 0x4000),
	    .port = &g->port,
	    .size = SIZE,
	    .kick_fd = -1,
	    .call_fd = -1,
	    .hdr_len = HDR,
	    .packed = ring == PACKED,
	    .in_order = ring == SPLIT_IN_ORDER,
	    .mergeable = mergeable};
	g->place = PACKED_WRAP;
	virtq_start(&g->vq, ring == PACKED ? PACKED_WRAP : 0);
}

static void guest_close(struct guest *g)
{
	free(g->mem);
	free(g->bytes);
}

static void fill_slot(
    struct guest *g, uint64_t at, uint32_t len, unsigned flags)
{
	uint16_t i = g->place & PACKED_INDEX;

	flags |= packed_available_at(g->place);
	g->vq.slot[i] = (struct vring_packed_desc){at, len, i, (uint16_t)flags};
	g->place = packed_place(&g->vq, g->place, 1);
}

static void offer_packed(
    struct guest *g, uint32_t len, uint16_t flags, bool apart)
{
	for (unsigned i = 0; i < BURST; i++) {
		uint64_t at = slot(g->place & PACKED_INDEX);

		if (apart)
			fill_slot(g, at, HDR, flags | VRING_DESC_F_NEXT);
		fill_slot(
		    g, apart ? at + HDR : at, apart ? len - HDR : len, flags);
	}
}

static void offer_split(
    struct guest *g, uint32_t len, uint16_t flags, bool apart)
{
	uint16_t idx = g->vq.avail->idx;

	for (unsigned i = 0; i < BURST; i++, idx++) {
		uint16_t d = (uint16_t)((apart ? 2u * idx : idx) % SIZE);
		uint64_t at = slot(d);

		g->vq.avail->ring[idx % SIZE] = d;
		g->vq.desc[d] = (struct vring_desc){at, len, flags, 0};
		if (!apart)
			continue;
		g->vq.desc[d] = (struct vring_desc){
		    at, HDR, flags | VRING_DESC_F_NEXT, (uint16_t)(d + 1)};
		g->vq.desc[d + 1] =
		    (struct vring_desc){at + HDR, len - HDR, flags, 0};
	}
	__atomic_store_n(&g->vq.avail->idx, idx, __ATOMIC_RELEASE);
}

/* BURST buffers, each in one descriptor, or the header in one of its own. */
static void guest_offer(
    struct guest *g, uint32_t len, uint16_t flags, bool apart)
{
	if (g->vq.packed)
		offer_packed(g, len, flags, apart);
	else
		offer_split(g, len, flags, apart);
}

static uint64_t forward(struct guest *from, struct guest *to)
{
	struct frame *f[BATCH_MAX];
	uint64_t start = clock_cycles();

	batch.n = batch.n_segs = 0;
	virtq_rx(&from->vq, &batch, &from->w);
	for (unsigned i = 0; i < batch.n; i++)
		f[i] = &batch.f[i];
	virtq_tx(&to->vq, f, batch.n, &to->w);
	virtq_rx_done(&from->vq, &from->w);
	return clock_cycles() - start;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(
    enum ring ring, uint32_t len, bool apart, bool merge, unsigned rounds)
{
	uint32_t into = merge ? (HDR + len + 1) / 2 : SLOT;
	uint64_t *cycles = calloc(rounds, sizeof(*cycles));
	struct guest a, b;

	guest_open(&a, ring, merge);
	guest_open(&b, ring, merge);
	for (unsigned r = 0; r < rounds; r++) {
		guest_offer(&a, HDR + len, 0, apart);
		guest_offer(&b, into, VRING_DESC_F_WRITE, false);
		if (merge)
			guest_offer(&b, into, VRING_DESC_F_WRITE, false);
		cycles[r] = forward(&a, &b);
	}
	qsort(cycles, rounds, sizeof(*cycles), by_value);
	printf("%-8s  %5u B  %-20s  best %6.1f  median %6.1f cycles/frame%s\n",
	    ring_name[ring], len,
	    merge   ? "one into two merged"
	    : apart ? "header and data"
		    : "one descriptor",
	    (double)cycles[0] / BURST, (double)cycles[rounds / 2] / BURST,
	    b.counters.tx_packets == (uint64_t)rounds * BURST ? "" : "  LOSS");
	guest_close(&a);
	guest_close(&b);
	free(cycles);
}

int main(int argc, char **argv)
{
	static const uint32_t len[] = {64, 1500};
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 20000;

	for (unsigned i = 0; i < 2; i++)
		for (enum ring ring = 0; ring < N_RINGS; ring++) {
			measure(ring, len[i], false, false, rounds);
			measure(ring, len[i], true, false, rounds);
			measure(ring, len[i], false, true, rounds);
		}
	return 0;
}
