/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offload.c - what sums, segmentation and merging cost beside a memcpy.
 *
 * Cycles of the constant-rate counter for each byte of payload, medians over
 * ROUNDS, with all data in L2: 64 KB of TCP in a guest's pages of 4 KB, and
 * segments of 1448 bytes.  "and out" is what an egress port adds: one copy of
 * every frame to where it goes.
 *
 *	build/bench/offload [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/checksum.h"
#include "switch/base/clock.h"
#include "switch/base/eth.h"
#include "switch/base/layers.h"
#include "switch/base/merge.h"
#include "switch/base/segment.h"

enum {
	MSS = 1448,
	L3 = 14,
	L4 = L3 + 20,
	HDR_LEN = L4 + 32, /* with time stamps */
	N_SEGMENTS = 45,
	PAYLOAD = N_SEGMENTS * MSS,
	PAGE = 4096,
	SLOT = 2048,
	ROUNDS_MAX = 100000,
};

static unsigned n_rounds = 5001;
static double sample[ROUNDS_MAX];
static uint8_t data[PAYLOAD] __attribute__((aligned(4096)));
static uint8_t to[BATCH_MAX][SLOT] __attribute__((aligned(4096)));
static uint8_t slots[BATCH_MAX][SLOT] __attribute__((aligned(4096)));
static uint8_t large_head[HDR_LEN];
static struct frame_seg large_segs[PAYLOAD / PAGE + 1];
static struct frame large, small[BATCH_MAX];
static struct batch batch;
static uint8_t accepts; /* of the port that the work is for */
static bool copying;	/* "and out" */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Prints the median of what @work takes for @n units, and the 90th
 * percentile. */
static void print_row(const char *what, void (*work)(void), double n)
{
	for (unsigned r = 0; r < n_rounds; r++) {
		uint64_t t = clock_cycles();

		work();
		sample[r] = (double)(clock_cycles() - t);
	}
	qsort(sample, n_rounds, sizeof(sample[0]), compare);
	printf("%-40s %8.3f %8.3f\n", what, sample[n_rounds / 2] / n,
	    sample[n_rounds / 10 * 9] / n);
}

/* Headers of a TCP packet of @payload bytes, number @i of its flow. */
static void write_headers(uint8_t *p, uint32_t payload, unsigned i)
{
	uint32_t seq = i * MSS;
	uint16_t sum;

	memset(p, 0, HDR_LEN);
	memset(p, 2, 12);
	eth_put_be16(p + 12, ETH_TYPE_IP4);
	p[L3] = 0x45;
	eth_put_be16(p + L3 + IP4_LEN, (uint16_t)(HDR_LEN - L3 + payload));
	eth_put_be16(p + L3 + IP4_ID, (uint16_t)i);
	p[L3 + IP4_PROTO] = 6;
	p[L3 + IP4_ADDRS] = p[L3 + IP4_ADDRS + 4] = 10;
	sum = (uint16_t)~checksum_fold(checksum_add(0, 0, p + L3, IP4_HDR_LEN));
	memcpy(p + L3 + IP4_CSUM, &sum, sizeof(sum));
	eth_put_be16(p + L4, 1000);
	eth_put_be16(p + L4 + TCP_SEQ, (uint16_t)(seq >> 16));
	eth_put_be16(p + L4 + TCP_SEQ + 2, (uint16_t)seq);
	p[L4 + TCP_DOFF] = 8 << 4;
	p[L4 + TCP_FLAGS] = TCP_F_ACK;
}

static void make_large(void)
{
	write_headers(large_head, PAYLOAD, 0);
	large = (struct frame){.head = large_head,
	    .segs = large_segs,
	    .len = HDR_LEN + PAYLOAD,
	    .head_len = HDR_LEN,
	    .offload = {.bits = OFFLOAD_CSUM | OFFLOAD_TSO4,
		.hdr_len = HDR_LEN,
		.gso_size = MSS,
		.csum_start = L4,
		.csum_offset = TCP_CSUM}};
	for (uint32_t at = 0; at < PAYLOAD; at += PAGE)
		large_segs[large.n_segs++] = (struct frame_seg){
		    data + at, PAYLOAD - at < PAGE ? PAYLOAD - at : PAGE};
}

/* What a card would have received: each packet whole, in a slot. */
static void make_small(void)
{
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		struct frame *f = &small[i];
		struct layers p;
		uint16_t sum;

		write_headers(slots[i], MSS, i);
		for (unsigned k = 0; k < MSS; k++)
			slots[i][HDR_LEN + k] = (uint8_t)rand();
		*f = (struct frame){.head = slots[i],
		    .len = HDR_LEN + MSS,
		    .head_len = HDR_LEN + MSS,
		    .flags = FRAME_OWNED};
		layers_parse(&p, f->head, f->head_len);
		sum = checksum_fold(layers_pseudo_sum(&p, f->len - p.l4));
		memcpy(f->head + p.l4 + TCP_CSUM, &sum, sizeof(sum));
		f->offload = (struct offload){.bits = OFFLOAD_CSUM,
		    .csum_start = (uint16_t)p.l4,
		    .csum_offset = TCP_CSUM};
		checksum_finish(f);
		f->offload.bits = 0;
	}
}

static void copy_out(uint8_t *out, const struct frame *f)
{
	memcpy(out, f->head, f->head_len);
	out += f->head_len;
	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(out, f->segs[i].data, f->segs[i].len);
		out += f->segs[i].len;
	}
}

static void work_memcpy(void)
{
	for (unsigned i = 0; i < N_SEGMENTS; i++)
		memcpy(to[i], data + i * MSS, MSS);
}

static void work_checksum(void)
{
	for (unsigned i = 0; i < N_SEGMENTS; i++) {
		uint64_t sum = checksum_add(0, 0, data + i * MSS, MSS);

		__asm__ volatile("" : : "r"(sum));
	}
}

static void work_checksum_64k(void)
{
	uint64_t sum = checksum_add(0, 0, data, PAYLOAD);

	__asm__ volatile("" : : "r"(sum));
}

static void work_segment(void)
{
	struct segmenter s;
	unsigned at = 0;

	segment_begin(&s, &large, accepts);
	while (s.left) {
		batch.n = batch.n_segs = 0;
		segment_next(&s, &batch, BATCH_MAX);
		for (unsigned i = 0; copying && i < batch.n; i++)
			copy_out(to[at++], &batch.f[i]);
	}
}

static unsigned merge_into(struct frame *f[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		f[i] = &small[i];
	batch.n = batch.n_segs = 0;
	return merge_frames(f, n, accepts, &batch);
}

static void work_merge(void)
{
	struct frame *f[BATCH_MAX];
	unsigned n = merge_into(f, N_SEGMENTS);

	for (unsigned i = 0; copying && i < n; i++)
		copy_out(to[0], f[i]);
}

static void work_copy_small(void)
{
	for (unsigned i = 0; i < N_SEGMENTS; i++)
		copy_out(to[i], &small[i]);
}

static void work_merge_nothing(void)
{
	struct frame *f[BATCH_MAX];

	merge_into(f, BATCH_MAX);
}

static void work_merge_one(void)
{
	struct frame *f[1];

	merge_into(f, 1);
}

static void bench_sums(void)
{
	puts("cycles a byte                              median      p90");
	print_row("memcpy of 1448 bytes", work_memcpy, PAYLOAD);
	print_row("checksum of 1448 bytes", work_checksum, PAYLOAD);
	print_row("checksum of 65160 bytes", work_checksum_64k, PAYLOAD);
}

static void bench_segment(void)
{
	for (unsigned k = 0; k < 4; k++) {
		static const char *const what[] = {"segment and sum",
		    "segment, sums left", "segment and sum, and out",
		    "segment, sums left, and out"};

		accepts = k & 1 ? OFFLOAD_CSUM : 0;
		copying = k & 2;
		print_row(what[k], work_segment, PAYLOAD);
	}
}

static void bench_merge(void)
{
	accepts = OFFLOAD_CSUM | OFFLOAD_TSO4;
	copying = false;
	print_row("merge", work_merge, PAYLOAD);
	copying = true;
	print_row("merge, and out", work_merge, PAYLOAD);
	print_row("the same packets out, not merged", work_copy_small, PAYLOAD);
	for (unsigned i = 0; i < BATCH_MAX; i++)
		small[i].offload.bits = OFFLOAD_VALID;
	copying = false;
	print_row("merge, sums known to be right", work_merge, PAYLOAD);
}

/* Every packet of another flow; then pure ACKs of one. */
static void bench_merge_nothing(void)
{
	puts("cycles a frame");
	for (unsigned i = 0; i < BATCH_MAX; i++)
		eth_put_be16(slots[i] + L4, (uint16_t)(1000 + i));
	print_row("nothing merges: 64 flows", work_merge_nothing, BATCH_MAX);
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		write_headers(slots[i], 0, 0);
		small[i].len = small[i].head_len = HDR_LEN;
	}
	print_row("nothing merges: 64 ACKs", work_merge_nothing, BATCH_MAX);
	print_row("a batch of one", work_merge_one, 1);
}

int main(int argc, char *argv[])
{
	if (argc > 1)
		n_rounds = (unsigned)strtoul(argv[1], NULL, 0);
	if (n_rounds < 10 || n_rounds > ROUNDS_MAX) {
		fprintf(stderr, "offload: 10 to %u rounds\n", ROUNDS_MAX);
		return 2;
	}
	make_large();
	make_small();
	bench_sums();
	bench_segment();
	bench_merge();
	bench_merge_nothing();
	return 0;
}
