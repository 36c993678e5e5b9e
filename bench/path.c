/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path.c - where the cycles of a frame from guest to guest go, by stage.
 *
 * One thread plays two guests and the worker between them (parts/puppet.h), so
 * that what is counted are the switch's own instructions with warm caches.  The
 * guests' part is not counted.  Of many batches the median is shown.
 *
 *	rx       descriptors fetched, heads copied, frames described
 *	forward  admitted, learned, looked up, sorted by egress
 *	tx       the receiver's buffers found, headers written, frames copied
 *	done     the sender's buffers returned
 *
 * The columns before these: ring format, frame size, frames in a batch,
 * addresses of each guest, of which every frame has another, and the shape of
 * buffers.
 *
 *	path [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/parts/puppet.h"
#include "learning/fdb.h"
#include "switch/base/clock.h"
#include "switch/base/eth.h"
#include "switch/forward.h"

enum { LEN_MAX = 1500, ROOM = VIRTIO_NET_HDR_LEN + LEN_MAX };

enum stage { ALL, RX, TX, DONE, N_STAGES };

struct work {
	enum puppet_ring ring;
	uint32_t len;
	unsigned n, n_addresses;
	enum puppet_shape shape;
	bool merged; /* each frame takes two buffers */
};

/* Two guests on a bridge, and the forwarder of a worker. */
struct rig {
	struct puppet guest[2];
	struct counters counters[2];
	struct counters *block[SWITCH_PORTS_MAX];
	struct snapshot snap;
	struct snapshot_port sp[2];
	struct snapshot_bridge *bridge;
	struct forwarder *fw;
	uint64_t n_sent[2];
};

static unsigned n_rounds = 20000;
static uint64_t spent[N_STAGES]; /* cycles of the present batch */
static uint64_t *sample[N_STAGES];

static unsigned path_rx(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	uint64_t start = clock_cycles();
	unsigned n = virtq_rx(&((struct puppet *)port)->sends, b, w);

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
	virtq_rx_done(&((struct puppet *)port)->sends, w);
	spent[DONE] = clock_cycles() - start;
}

static void path_tx(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	uint64_t start = clock_cycles();

	(void)q;
	virtq_tx(&((struct puppet *)port)->receives, f, n, w);
	spent[TX] = clock_cycles() - start;
}

static const struct port_ops ops = {
    .type = "path", .rx = path_rx, .rx_done = path_rx_done, .tx = path_tx};

static struct rig *rig_open(enum puppet_ring ring)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct snapshot_bridge *bridge =
	    calloc(1, sizeof(*bridge) + 2 * sizeof(port_no));

	if (!r || !bridge)
		abort();
	*bridge = (struct snapshot_bridge){fdb_open(65536, NULL), 2};
	bridge->port[1] = 1;
	r->bridge = bridge;
	r->snap =
	    (struct snapshot){.n_ports = 2, .n_workers = 1, .port = r->sp};
	for (unsigned i = 0; i < 2; i++) {
		puppet_open(&r->guest[i], ring);
		r->guest[i].port.ops = &ops;
		r->block[i] = &r->counters[i];
		r->sp[i] = (struct snapshot_port){.port = &r->guest[i].port,
		    .bridge = bridge,
		    .up = true,
		    .flood = true,
		    .max_len = LEN_MAX + ETH_HDR_LEN,
		    .rules = {.learning = true},
		    .n_tx = 1};
	}
	if (!bridge->fdb || forwarder_open(&r->fw, r->block, NULL, NULL, NULL))
		abort();
	return r;
}

static void rig_close(struct rig *r)
{
	forwarder_close(r->fw);
	fdb_close(r->bridge->fdb);
	free(r->bridge);
	for (unsigned i = 0; i < 2; i++)
		puppet_close(&r->guest[i]);
	free(r);
}

/* A batch from guest @from to the other one. */
static void offer(struct rig *r, unsigned from, const struct work *w)
{
	struct puppet *g = &r->guest[from];
	uint32_t half = (VIRTIO_NET_HDR_LEN + w->len + 1) / 2;

	for (unsigned i = 0; i < w->n; i++) {
		uint8_t *p = puppet_frame(g, i, w->shape);
		uint64_t a =
		    0x020000000000ull | r->n_sent[from]++ % w->n_addresses;

		eth_mac_put(p, a | (1u - from) << 16);
		eth_mac_put(p + ETH_ADDR_LEN, a | from << 16);
	}
	puppet_send(g, w->n, w->len, w->shape);
	puppet_expect(&r->guest[1 - from], w->merged ? 2 * w->n : w->n,
	    w->merged ? half : ROOM);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double median(enum stage s, unsigned n)
{
	qsort(sample[s], n_rounds, sizeof(uint64_t), by_value);
	return (double)sample[s][n_rounds / 2] / n;
}

static void print(const struct work *w, bool whole)
{
	static const char *const ring[] = {
	    [PUPPET_SPLIT] = "split",
	    [PUPPET_SPLIT_IN_ORDER] = "split-in-order",
	    [PUPPET_PACKED] = "packed",
	};
	double all = median(ALL, w->n), rx = median(RX, w->n);
	double tx = median(TX, w->n), done = median(DONE, w->n);

	printf("%-14s %5u %5u %9u %-6s %6.1f %6.1f %8.1f %6.1f %6.1f%s\n",
	    ring[w->ring], w->len, w->n, w->n_addresses,
	    w->merged		       ? "merged"
	    : w->shape == PUPPET_APART ? "apart"
				       : "whole",
	    all, rx, all - rx - tx - done, tx, done, whole ? "" : "  LOSS");
}

static void measure(const struct work *w, bool shown)
{
	struct rig *r = rig_open(w->ring);

	for (unsigned round = 0; round < n_rounds; round++) {
		unsigned from = round & 1;
		uint64_t start;

		offer(r, from, w);
		start = clock_cycles();
		forward_poll(r->fw, &r->snap, (port_no)from, 0, start, 1);
		spent[ALL] = clock_cycles() - start;
		for (unsigned s = 0; s < N_STAGES; s++)
			sample[s][round] = spent[s];
	}
	if (shown)
		print(
		    w, r->counters[0].tx_packets + r->counters[1].tx_packets ==
			   (uint64_t)n_rounds * w->n);
	rig_close(r);
}

int main(int argc, char **argv)
{
	static const struct work works[] = {
	    {.len = 64, .n = 64, .n_addresses = 1},
	    {.len = 64, .n = 64, .n_addresses = 256},
	    {.len = 64, .n = 16, .n_addresses = 1},
	    {.len = 64, .n = 1, .n_addresses = 1},
	    {.len = 256, .n = 64, .n_addresses = 1},
	    {.len = 1500, .n = 64, .n_addresses = 1},
	    {.len = 64, .n = 64, .n_addresses = 1, .shape = PUPPET_APART},
	    {.len = 64, .n = 64, .n_addresses = 1, .merged = true},
	};

	if (argc > 1)
		n_rounds = (unsigned)atoi(argv[1]);
	for (unsigned s = 0; s < N_STAGES; s++)
		sample[s] = calloc(n_rounds, sizeof(uint64_t));
	/* Until the core runs as fast as it will. */
	for (unsigned i = 0; i < 5; i++)
		measure(&works[0], false);
	printf("ring           bytes batch addresses shape     all     rx  "
	       "forward     tx   done  cycles a frame\n");
	for (unsigned i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		for (unsigned ring = 0; ring < PUPPET_N_RINGS; ring++) {
			struct work w = works[i];

			w.ring = ring;
			measure(&w, true);
		}
	return 0;
}
