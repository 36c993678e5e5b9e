/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path.c - where the cycles of a frame from guest to guest go, by stage.
 *
 * One thread plays two guests and the worker between them, so that what is
 * counted are the switch's own instructions with warm caches: no line changes
 * cores.  The guests' part is not counted.  Of many batches the median is
 * shown, by frame size, frames in a batch, and addresses of each guest, of
 * which every frame takes another.
 *
 *	rx       descriptors fetched, heads copied, frames described
 *	forward  admitted, learned, looked up, sorted by egress
 *	tx       the receiver's buffers found, headers written, frames copied
 *	done     the sender's buffers returned
 *
 *	path [ROUNDS [SIZE BATCH ADDRESSES]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learning/fdb.h"
#include "ports/vhost/virtq.h"
#include "switch/base/clock.h"
#include "switch/base/eth.h"
#include "switch/forward.h"

enum {
	RING = 256,
	SLOT = 2304,
	MEMORY = 1 << 21,
	TX_RING = 0, /* of the guest; then its receive ring, ... */
	RX_RING = 0x8000,
	TX_BUFFERS = 0x20000, /* ... and the buffers of both */
	RX_BUFFERS = 0x100000,
	HDR = VIRTIO_NET_HDR_LEN,
};

enum stage { ALL, RX, TX, DONE, N_STAGES };

struct guest {
	struct port port;
	struct virtq sends, receives; /* as the switch sees them */
	struct vhost_memory *mem;
	uint8_t *bytes;
	uint64_t n_sent;
};

/* Two guests on a bridge, and the forwarder of a worker. */
struct rig {
	struct guest guest[2];
	struct counters counters[2];
	struct counters *block[SWITCH_PORTS_MAX];
	struct snapshot snap;
	struct snapshot_port sp[2];
	struct snapshot_bridge *bridge;
	struct forwarder *fw;
};

static unsigned n_rounds = 20000;
static uint64_t spent[N_STAGES]; /* cycles of the present batch */
static uint64_t *sample[N_STAGES];

static struct guest *guest_of(struct port *port)
{
	return (struct guest *)port;
}

static unsigned path_rx(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	uint64_t start = clock_cycles();
	unsigned n = virtq_rx(&guest_of(port)->sends, b, w);

	(void)q;
	spent[RX] = clock_cycles() - start;
	return n;
}

static void path_rx_done(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	uint64_t start = clock_cycles();

	(void)q;
	(void)b;
	virtq_rx_done(&guest_of(port)->sends, w);
	spent[DONE] = clock_cycles() - start;
}

static void path_tx(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	uint64_t start = clock_cycles();

	(void)q;
	virtq_tx(&guest_of(port)->receives, f, n, w);
	spent[TX] = clock_cycles() - start;
}

static const struct port_ops ops = {
    .type = "path", .rx = path_rx, .rx_done = path_rx_done, .tx = path_tx};

static void ring_open(struct guest *g, struct virtq *vq, uint64_t at)
{
	*vq = (struct virtq){.mem = g->mem,
	    .desc = (void *)(g->bytes + at),
	    .avail = (void *)(g->bytes + at + 0x2000),
	    .used = (void *)(g->bytes + at + 0x4000),
	    .port = &g->port,
	    .size = RING,
	    .kick_fd = -1,
	    .call_fd = -1,
	    .hdr_len = HDR,
	    .mergeable = true};
	virtq_start(vq, 0);
}

static void guest_open(struct guest *g)
{
	g->port.ops = &ops;
	g->mem = calloc(1, sizeof(*g->mem) + sizeof(struct vhost_region));
	g->bytes = aligned_alloc(MEMORY, MEMORY);
	if (!g->mem || !g->bytes)
		abort();
	memset(g->bytes, 0, MEMORY);
	g->mem->n = 1;
	g->mem->region[0] =
	    (struct vhost_region){.size = MEMORY, .host = g->bytes};
	ring_open(g, &g->sends, TX_RING);
	ring_open(g, &g->receives, RX_RING);
}

static void rig_open(struct rig *r)
{
	r->bridge = calloc(1, sizeof(*r->bridge) + 2 * sizeof(port_no));
	if (!r->bridge)
		abort();
	r->bridge->fdb = fdb_open(65536, NULL);
	r->bridge->n_ports = 2;
	r->bridge->port[1] = 1;
	r->snap =
	    (struct snapshot){.n_ports = 2, .n_workers = 1, .port = r->sp};
	for (unsigned i = 0; i < 2; i++) {
		guest_open(&r->guest[i]);
		r->block[i] = &r->counters[i];
		r->sp[i] = (struct snapshot_port){.port = &r->guest[i].port,
		    .bridge = r->bridge,
		    .up = true,
		    .flood = true,
		    .max_len = 9014,
		    .rules = {.learning = true},
		    .n_tx = 1};
	}
	if (!r->bridge->fdb ||
	    forwarder_open(&r->fw, r->block, NULL, NULL, NULL))
		abort();
}

static void rig_close(struct rig *r)
{
	forwarder_close(r->fw);
	fdb_close(r->bridge->fdb);
	free(r->bridge);
	for (unsigned i = 0; i < 2; i++) {
		free(r->guest[i].mem);
		free(r->guest[i].bytes);
	}
	free(r);
}

/* The next @n buffers of @vq, each in one descriptor. */
static void offer(struct virtq *vq, unsigned n, uint64_t buffers, uint32_t len,
    uint16_t flags)
{
	uint16_t idx = vq->avail->idx;

	for (unsigned i = 0; i < n; i++, idx++) {
		uint16_t d = idx % RING;

		vq->avail->ring[d] = d;
		vq->desc[d] = (struct vring_desc){
		    buffers + d * (uint64_t)SLOT, len, flags, 0};
	}
	__atomic_store_n(&vq->avail->idx, idx, __ATOMIC_RELEASE);
}

/* A batch from guest @from to the other one. */
static void send(struct rig *r, unsigned from, unsigned n, uint32_t len,
    unsigned n_addresses)
{
	struct guest *g = &r->guest[from];

	for (unsigned i = 0; i < n; i++) {
		unsigned d = (g->sends.avail->idx + i) % RING;
		uint8_t *p = g->bytes + TX_BUFFERS + d * SLOT + HDR;
		uint64_t a = 0x020000000000ull | g->n_sent++ % n_addresses;

		eth_mac_put(p, a | (1u - from) << 16);
		eth_mac_put(p + ETH_ADDR_LEN, a | from << 16);
	}
	offer(&g->sends, n, TX_BUFFERS, HDR + len, 0);
	offer(&r->guest[1 - from].receives, n, RX_BUFFERS, SLOT,
	    VRING_DESC_F_WRITE);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median(enum stage s, unsigned n_frames)
{
	qsort(sample[s], n_rounds, sizeof(uint64_t), by_value);
	return (double)sample[s][n_rounds / 2] / n_frames;
}

static void print(uint32_t len, unsigned n, unsigned n_addresses, bool whole)
{
	double all = median(ALL, n), rx = median(RX, n);
	double tx = median(TX, n), done = median(DONE, n);

	printf("%5u %5u %9u %6.1f %7.1f %8.1f %6.1f %6.1f%s\n", len, n,
	    n_addresses, all, rx, all - rx - tx - done, tx, done,
	    whole ? "" : "  LOSS");
}

static void measure(uint32_t len, unsigned n, unsigned n_addresses)
{
	struct rig *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	rig_open(r);
	for (unsigned round = 0; round < n_rounds; round++) {
		unsigned from = round & 1;
		uint64_t start;

		send(r, from, n, len, n_addresses);
		start = clock_cycles();
		forward_poll(r->fw, &r->snap, (port_no)from, 0, start, 1);
		spent[ALL] = clock_cycles() - start;
		for (unsigned s = 0; s < N_STAGES; s++)
			sample[s][round] = spent[s];
	}
	print(len, n, n_addresses,
	    r->counters[0].tx_packets + r->counters[1].tx_packets ==
		(uint64_t)n_rounds * n);
	rig_close(r);
}

int main(int argc, char **argv)
{
	static const uint32_t len[] = {64, 256, 1500};
	static const unsigned n_addresses[] = {1, 256}, n[] = {64, 16, 1};

	if (argc > 1)
		n_rounds = (unsigned)atoi(argv[1]);
	for (unsigned s = 0; s < N_STAGES; s++)
		sample[s] = calloc(n_rounds, sizeof(uint64_t));
	printf("bytes batch addresses    all      rx  forward     tx   done  "
	       "cycles a frame\n");
	if (argc == 5) {
		measure((uint32_t)atoi(argv[2]), (unsigned)atoi(argv[3]),
		    (unsigned)atoi(argv[4]));
		return 0;
	}
	for (unsigned i = 0; i < 3; i++)
		for (unsigned a = 0; a < 2; a++)
			for (unsigned k = 0; k < 3; k++)
				measure(len[i], n[k], n_addresses[a]);
	return 0;
}
