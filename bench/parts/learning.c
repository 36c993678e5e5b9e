/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * learning.c - how many addresses a switch learns, and how fast (after RFC
 * 2889, 5.7 and 5.8).
 *
 * The first guest sends one frame from each address.  Then the second sends
 * one frame to each: whatever the third receives of those was flooded, so its
 * address was not known.  Next the third sends one frame from each address,
 * which has moved, then; and again the second one asks, by what the first
 * receives.  The addresses are others in each run.
 */
#include <stdio.h>

#include "bench/parts/frames.h"
#include "bench/parts/run.h"
#include "bench/parts/waited.h"
#include "switch/base/clock.h"

enum { ASKER = 1, QUIET_MS = 20 };

struct stage {
	unsigned from; /* guest */
	unsigned home; /* where the addresses are, or are to be */
	double rate;   /* frames a second; 0: windowed */
	uint8_t run;   /* a byte of all addresses of this run */
};

/* Addresses frame @i of @s: from the i-th address, or to it. */
static void address(uint8_t *frame, const struct stage *s, uint32_t i)
{
	struct frame_end moving = {
	    .guest = 0xff, .queue = s->run, .address = i};
	struct frame_end asker = {.guest = ASKER};

	if (s->from == ASKER)
		frame_address(frame, moving, asker);
	else
		frame_address(frame, asker, moving);
}

/* How many more frames @s may have sent of @all: by the clock, or as many as
 * have arrived where they must, and a window. */
static uint64_t allowed(const struct traffic *t, const struct stage *s,
    uint64_t start, uint64_t arrived, uint64_t all)
{
	double us;

	if (s->rate == 0) {
		uint64_t n = arrived + t->config.under_way;

		return n < all ? n : all;
	}
	us = (double)(clock_cycles() - start) / (double)clock_cycles_per_us();
	return us * s->rate / 1e6 < (double)all ? (uint64_t)(us * s->rate / 1e6)
						: all;
}

static void send_some(
    struct ring *tx, const struct stage *s, uint32_t sent, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		address(
		    ring_buffer(tx, tx->given + i) + CARD_HDR_LEN, s, sent + i);
	ring_give(tx, n);
	ring_kick(tx);
}

/* Receives at all guests, which otherwise go on, until nothing comes. */
static void settle(struct traffic *t)
{
	uint64_t quiet = QUIET_MS * 1000 * clock_cycles_per_us();
	uint64_t since = clock_cycles(), n = 0, was = 0;

	while (clock_cycles() - since < quiet) {
		traffic_step(t);
		n = 0;
		for (unsigned g = 0; g < RUN_LEARNED; g++)
			n += t->host[g].received;
		if (n != was)
			since = clock_cycles();
		was = n;
	}
}

/* Sends one frame from or to each of @all addresses; returns how long that
 * took, in us. */
static double play(struct traffic *t, const struct stage *s, uint32_t all)
{
	struct ring *tx = &t->host[s->from].card.tx[0];
	unsigned to = s->from == ASKER ? s->home : ASKER;
	uint64_t start = clock_cycles(), before = t->host[to].received;
	uint64_t moved = start, patience = 1000000 * clock_cycles_per_us();
	uint32_t sent = 0;

	while (sent < all) {
		uint64_t may =
		    allowed(t, s, start, t->host[to].received - before, all);
		unsigned n = (unsigned)(may > sent ? may - sent : 0);

		if (n > ring_idle(tx))
			ring_take(tx, NULL, RING_SIZE_MAX);
		n = n < ring_idle(tx) ? n : ring_idle(tx);
		n = n < RING_BATCH_MAX ? n : RING_BATCH_MAX;
		if (n) {
			send_some(tx, s, sent, n);
			moved = clock_cycles();
		} else if (clock_cycles() - moved > patience) {
			card_die("frames are lost, at %u of %u", sent, all);
		}
		sent += n;
		traffic_step(t);
		traffic_check(t);
	}
	return (double)(clock_cycles() - start) / (double)clock_cycles_per_us();
}

/* Where frames lie that guest @g sends, all buffers being its own. */
static void lay_frames(struct traffic *t, unsigned g)
{
	struct ring *tx = &t->host[g].card.tx[0];

	for (uint32_t i = 0; i < tx->size; i++)
		frame_lay(ring_buffer(tx, tx->given + i) + CARD_HDR_LEN,
		    t->card.tx_len, (struct frame_end){0},
		    (struct frame_end){.guest = (uint8_t)g}, 0);
}

struct result {
	uint64_t known, arrived;
	double mps, others_mpps;
};

/* What the guests receive that learn and ask nothing. */
static uint64_t others_received(const struct traffic *t)
{
	uint64_t n = 0;

	for (unsigned g = RUN_LEARNED; g < t->n; g++)
		n += t->host[g].received;
	return n;
}

/* Has guest @home send from all addresses, and asks whether the switch knows
 * it, by what arrives at guest @elsewhere. */
static struct result learn(struct traffic *t, const struct run *run,
    unsigned home, unsigned elsewhere, uint8_t byte)
{
	struct stage say = {home, home, t->config.rate, byte};
	struct stage ask = {ASKER, home, 0, byte};
	uint32_t all = run->n_addresses;
	struct result r;
	uint64_t others;
	double us;

	for (unsigned g = 0; g < RUN_LEARNED; g++)
		t->host[g].received = 0;
	traffic_forgive(t);
	others = others_received(t);
	us = play(t, &say, all);
	r.mps = all / us;
	r.others_mpps = (double)(others_received(t) - others) / us;
	settle(t);
	r.arrived = t->host[ASKER].received;
	t->host[elsewhere].received = 0;
	play(t, &ask, all);
	settle(t);
	r.known = all - t->host[elsewhere].received;
	return r;
}

static void print(
    const char *name, const struct result *r, const struct run *run)
{
	if (run->readable)
		printf("%-8s %lu of %u addresses, at %.3f M/s; %lu frames "
		       "arrived; others %.3f Mpps\n",
		    name, (unsigned long)r->known, run->n_addresses, r->mps,
		    (unsigned long)r->arrived, r->others_mpps);
	else
		printf("%lu %.3f %.3f ", (unsigned long)r->known, r->mps,
		    r->others_mpps);
}

void run_learning(struct traffic *t, const struct run *run)
{
	uint8_t byte = (uint8_t)(clock_ns() / 1000000 % 255 + 1);
	uint64_t start = clock_ns(), waited = waited_ns(run->switch_pid);
	struct result learned, moved;
	double per_cent;

	for (unsigned g = 0; g < RUN_LEARNED; g++)
		lay_frames(t, g);
	learned = learn(t, run, 0, 2, byte);
	moved = learn(t, run, 2, 0, byte);
	waited = waited_ns(run->switch_pid) - waited;
	per_cent = (double)waited * 100 / (double)(clock_ns() - start);
	print("learned", &learned, run);
	print("moved", &moved, run);
	printf(
	    run->readable ? "waited   %.1f %% of a cpu\n" : "%.1f\n", per_cent);
}
