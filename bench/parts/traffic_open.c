/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic_open.c - guests that send to each other: how they come to that.
 *
 * First every address says a word, so that the switch knows where it is; the
 * first of all to everybody, the others to one that is known.  Then each
 * transmit buffer gets the frame that it will carry.
 */
#include <stdlib.h>

#include "bench/parts/frames.h"
#include "bench/parts/traffic.h"
#include "switch/base/clock.h"

enum { ANNOUNCE_MS = 2000 };

static void add_to(struct host *host, unsigned to)
{
	host->to[host->n_to++] = (uint8_t)to;
}

static void add_others(struct traffic *t, unsigned g)
{
	for (unsigned to = t->config.first; to < t->n; to++)
		if (to != g)
			add_to(&t->host[g], to);
}

static void choose_destinations(struct traffic *t)
{
	unsigned first = t->config.first;

	for (unsigned g = first; g < t->n; g++)
		switch (t->config.pattern) {
		case TRAFFIC_PAIR:
			if (((g - first) ^ 1) < t->n - first)
				add_to(&t->host[g], first + ((g - first) ^ 1));
			break;
		case TRAFFIC_ONE_TO_MANY:
			if (g == first)
				add_others(t, g);
			break;
		case TRAFFIC_MANY_TO_ONE:
			if (g != first)
				add_to(&t->host[g], first);
			break;
		case TRAFFIC_MESH:
			add_others(t, g);
			break;
		}
}

/* Waits until transmit ring @tx has its buffers back; @n of them. */
static void await_idle(struct traffic *t, struct ring *tx, unsigned n)
{
	uint64_t until =
	    clock_cycles() + ANNOUNCE_MS * 1000 * clock_cycles_per_us();

	t->stopped = true;
	while (ring_idle(tx) < n) {
		ring_take(tx, NULL, RING_SIZE_MAX);
		traffic_step(t);
		traffic_check(t);
		if ((int64_t)(until - clock_cycles()) < 0)
			card_die("the switch takes no frames");
	}
	t->stopped = false;
}

static void announce_queue(struct traffic *t, unsigned g, unsigned q)
{
	struct ring *tx = &t->host[g].card.tx[q];
	uint32_t len = t->card.tx_len;

	for (uint32_t a = 0; a < t->config.addresses; a++) {
		struct frame_end from = {(uint8_t)g, (uint8_t)q, a};
		struct frame_end to = {(uint8_t)((g + 1) % t->n), 0, 0};
		uint8_t *frame;

		await_idle(t, tx, 1);
		frame = ring_buffer(tx, tx->given) + CARD_HDR_LEN;
		frame_lay(frame, len, to, from, 0);
		if (!a)
			frame_to_all(frame);
		ring_give(tx, 1);
		if (a % t->config.batch)
			continue;
		ring_kick(tx);
		await_idle(t, tx, tx->size);
	}
	ring_kick(tx);
	await_idle(t, tx, tx->size);
}

/* Lays out the frames of queue @q of guest @g, all of whose buffers are ours:
 * each to the next destination, and each time round to the next address. */
static void lay_frames(struct traffic *t, unsigned g, unsigned q)
{
	struct host *host = &t->host[g];
	struct ring *tx = &host->card.tx[q];

	for (uint32_t i = 0; i < tx->size && host->n_to; i++) {
		uint32_t no = ring_buffer_no(tx, tx->given + i);
		uint32_t a = i / host->n_to % t->config.addresses;
		struct frame_end from = {(uint8_t)g, (uint8_t)q, a};
		struct frame_end to = {host->to[i % host->n_to], (uint8_t)q, a};

		host->goes_to[no] = to.guest;
		frame_lay(ring_buffer(tx, tx->given + i) + CARD_HDR_LEN,
		    t->card.tx_len, to, from, (uint16_t)no);
	}
}

void traffic_open(struct traffic *t, char *const socket[], unsigned n,
    const struct card_config *card, const struct traffic_config *config)
{
	memset(t, 0, sizeof(*t));
	t->config = *config;
	t->card = *card;
	t->n = n;
	choose_destinations(t);
	for (unsigned g = 0; g < n; g++) {
		struct host *host = &t->host[g];

		host->goes_to = calloc(card->ring_size, 1);
		if (!host->goes_to)
			card_die("out of memory");
		card_open(&host->card, socket[g], card);
		t->readdress |=
		    (uint64_t)config->addresses * host->n_to > card->ring_size;
	}
	for (unsigned g = 0; g < n; g++)
		for (unsigned q = 0; q < card->pairs; q++)
			announce_queue(t, g, q);
	for (unsigned g = 0; g < n; g++)
		for (unsigned q = 0; q < card->pairs; q++)
			lay_frames(t, g, q);
	traffic_stop(t, 20);
	traffic_reset_counts(t);
}

void traffic_close(struct traffic *t)
{
	for (unsigned g = 0; g < t->n; g++) {
		card_close(&t->host[g].card);
		free(t->host[g].goes_to);
	}
}
