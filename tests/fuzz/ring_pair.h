/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring_pair.h - any memory as two guests' rings, frames from one to the other.
 *
 * A fuzz target says how the queues are set up and what its instructions put
 * into memory; this is the rest.  The input is the options of both queues and
 * then, several times, what is put into their memories.  Each time the device
 * takes what it finds on the one side, merges frames and cuts them as the other
 * side wants them, and puts them out there; the sanitizers watch our side,
 * canaries the bytes round each guest's memory, and assertions what a batch
 * promises.  A target may have bits of both memories flipped meanwhile.
 *
 * Threads: the fuzzer's, and flipper.h's.
 */
#ifndef TESTS_FUZZ_RING_PAIR_H
#define TESTS_FUZZ_RING_PAIR_H

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "ports/vhost/virtq.h"
#include "switch/base/completion.h"
#include "switch/base/merge.h"
#include "tests/fuzz/flipper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
	REGION = 0x4000, /* two of them to a guest, at 0x1000 and behind it */
	MEMORY = 2 * REGION,
	CANARIES = 64,
	CANARY = 0xa5,
	BASE = 0x1000,
	AVAIL_AT = 0x2000, /* in the first region, the descriptors before it */
	USED_AT = 0x2800,
	ROUNDS = 4,
	RING_PAIR_MIN = 4, /* bytes of input: size and options, offloads */
};

/* Both regions one after the other, canaries before, between and behind. */
struct guest {
	struct virtq vq;
	struct port port;
	struct port_env env;
	struct counters counters;
	struct port_worker w;
	struct vhost_memory *mem;
	uint8_t *bytes[2];
	int call_fd;
};

static struct guest guests[2];
static struct batch batch, merged, room;

static void add_to_flipper(struct guest *g)
{
	for (unsigned i = 0; i < 2; i++)
		flipper_add(g->bytes[i], REGION);
}

static void ignore(struct port *port)
{
	(void)port;
}

static inline void guest_init(struct guest *g)
{
	g->mem = calloc(1, sizeof(*g->mem) + 2 * sizeof(struct vhost_region));
	g->mem->n = 2;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *p = aligned_alloc(64, REGION + 2 * CANARIES);

		memset(p, CANARY, REGION + 2 * CANARIES);
		g->bytes[i] = p + CANARIES;
		g->mem->region[i] =
		    (struct vhost_region){.guest = BASE + i * REGION,
			.size = REGION,
			.host = g->bytes[i]};
	}
	g->env.raise = ignore;
	g->port.env = &g->env;
	g->w.counters = &g->counters;
	g->call_fd = eventfd(0, EFD_NONBLOCK);
	if (doorbell_open(&g->w.bell, NULL))
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	guest_init(&guests[0]);
	guest_init(&guests[1]);
	add_to_flipper(&guests[0]);
	add_to_flipper(&guests[1]);
	return 0;
}

/* An instruction of the input: small inputs are to make large rings. */
struct record {
	uint8_t kind; /* % 4: end, bytes, descriptors, available ones */
	uint8_t step;
	uint16_t at, n, addr, len, flags;
};

static inline void put(
    struct guest *g, uint32_t at, const void *from, uint32_t n)
{
	const uint8_t *p = from;

	for (uint32_t i = 0; i < n && at + i < MEMORY; i++)
		g->bytes[(at + i) / REGION][(at + i) % REGION] = p[i];
}

static inline void check_canaries(const struct guest *g)
{
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < CANARIES; k++) {
			assert(g->bytes[i][REGION + k] == CANARY);
			assert(g->bytes[i][(int)k - CANARIES] == CANARY);
		}
}

static inline bool is_in_guest(const struct guest *g, const struct frame_seg *s)
{
	for (unsigned i = 0; i < 2; i++)
		if (s->data >= g->bytes[i] && s->len <= REGION &&
		    s->data + s->len <= g->bytes[i] + REGION)
			return true;
	return false;
}

static inline void check_batch(const struct guest *g)
{
	unsigned n_segs = 0;

	assert(batch.n <= BATCH_MAX && batch.n_segs <= BATCH_SEGS_MAX);
	for (unsigned i = 0; i < batch.n; i++) {
		const struct frame *f = &batch.f[i];
		uint64_t len = f->head_len;

		assert(f->head == batch_head(&batch, i));
		assert(f->head_len <= FRAME_HEAD_MAX);
		assert(f->len >= FRAME_LEN_MIN && f->len <= FRAME_LEN_MAX);
		assert(f->n_segs <= FRAME_SEGS_MAX);
		assert(!(f->offload.bits & ~g->vq.allowed));
		for (unsigned s = 0; s < f->n_segs; s++) {
			assert(f->segs[s].len && is_in_guest(g, &f->segs[s]));
			len += f->segs[s].len;
		}
		assert(len == f->len);
		n_segs += f->n_segs;
	}
	assert(n_segs == batch.n_segs);
}

static inline uint64_t drops(const struct counters *c)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		n += c->drops[i];
	return n;
}

/* As egress.c has it: what the sender left undone and the receiver does not
 * take is done, what it takes whole is put together.  Returns how many frames
 * were handed over. */
static inline unsigned put_out(struct guest *to)
{
	struct frame *f[BATCH_MAX], *done[BATCH_MAX];
	struct completion c;
	unsigned n = batch.n, some, total = 0;

	for (unsigned i = 0; i < n; i++) {
		f[i] = &batch.f[i];
		f[i]->n_left = 1;
	}
	merged.n = merged.n_segs = 0;
	n = merge_frames(f, n, to->port.accepts, &merged);
	completion_begin(&c, f, n, to->port.accepts, &room);
	while ((some = completion_next(&c, done))) {
		virtq_tx(&to->vq, done, some, &to->w);
		total += some;
	}
	return total;
}

static inline void forward(struct guest *from, struct guest *to)
{
	uint64_t before = from->counters.rx_packets, after;
	uint64_t sent = to->counters.tx_packets + drops(&to->counters);
	unsigned n;

	batch.n = batch.n_segs = 0;
	n = virtq_rx(&from->vq, &batch, &from->w);
	after = from->counters.rx_packets;
	assert(after == drops(&from->counters));
	assert(n <= BATCH_MAX);
	assert(n == from->vq.n_taken);
	assert(batch.n + after - before == n || from->vq.fault);
	check_batch(from);
	sent += put_out(to);
	assert(to->counters.tx_packets + drops(&to->counters) == sent);
	virtq_rx_done(&from->vq, &from->w);
	assert(from->vq.next_used == from->vq.next_avail);
	assert(to->vq.next_used == to->vq.next_avail);
	if (virtq_arm(&from->vq))
		virtq_disarm(&from->vq);
}

/* What a target adds: how a queue begins, and its instructions. */
struct ring_kind {
	/* Sets up g->vq as @opt says; its memory is all zero. */
	void (*start)(struct guest *g, uint8_t opt, uint8_t bits);
	void (*put_descs)(struct guest *g, const struct record *r);
	void (*put_avail)(struct guest *g, const struct record *r);
};

static inline void guest_start(
    struct guest *g, const struct ring_kind *kind, uint8_t opt, uint8_t bits)
{
	memset(g->bytes[0], 0, REGION);
	memset(g->bytes[1], 0, REGION);
	memset(&g->counters, 0, sizeof(g->counters));
	g->port.accepts = bits;
	kind->start(g, opt, bits);
}

static inline void guest_fill(struct guest *g, const struct ring_kind *kind,
    const uint8_t **data, size_t *size)
{
	while (*size >= sizeof(struct record)) {
		struct record r;

		memcpy(&r, *data, sizeof(r));
		*data += sizeof(r);
		*size -= sizeof(r);
		if (r.kind % 4 == 0)
			break;
		if (r.kind % 4 == 2) {
			kind->put_descs(g, &r);
		} else if (r.kind % 4 == 3) {
			kind->put_avail(g, &r);
		} else {
			uint16_t n = *size < r.n ? (uint16_t)*size : r.n;

			put(g, r.at, *data, n);
			*data += n;
			*size -= n;
		}
	}
}

/* @size is RING_PAIR_MIN at least. */
static inline void ring_pair_run(
    const struct ring_kind *kind, const uint8_t *data, size_t size, bool flips)
{
	guest_start(&guests[0], kind, data[0], data[2]);
	guest_start(&guests[1], kind, data[1], data[3]);
	data += RING_PAIR_MIN;
	size -= RING_PAIR_MIN;
	for (unsigned i = 0; i < ROUNDS; i++) {
		guest_fill(&guests[0], kind, &data, &size);
		guest_fill(&guests[1], kind, &data, &size);
		if (flips)
			flipper_start();
		forward(&guests[0], &guests[1]);
		if (flips)
			flipper_stop();
	}
	check_canaries(&guests[0]);
	check_canaries(&guests[1]);
}

#endif
