/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic.c - guests that send to each other: what one does in its turn.
 *
 * A turn of a queue pair is: take what was received, give the buffers back,
 * send what may be sent, and ring the bell if the switch wants it; all in
 * batches, so that a line that the switch writes is read as seldom as it can.
 */
#include <string.h>

#include "bench/parts/frames.h"
#include "bench/parts/traffic.h"
#include "switch/base/clock.h"

enum {
	ROUNDS = 64, /* between two looks at the clock */
	STUCK_MS = 100,
};

/* What a frame to @host says about who it is for and from whom it may be. */
static void verify(
    struct traffic *t, struct host *host, const uint8_t *frame, uint32_t len)
{
	struct frame_mark m = frame_mark(frame);
	uint32_t *expected;

	if (m.guest >= t->n || m.queue >= t->card.pairs ||
	    frame[1] != host - t->host) {
		t->misplaced++;
		return;
	}
	expected = &host->lane[m.queue].expected[m.guest];
	t->late += (int32_t)(m.seq - *expected) < 0;
	*expected = m.seq + 1;
	t->damaged += len != t->card.tx_len || !frame_intact(frame, len);
}

static uint64_t read_all(const uint8_t *frame, uint32_t len)
{
	uint64_t sum = 0, word;

	for (uint32_t i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, frame + i, 8);
		sum += word;
	}
	return sum;
}

/* Looks at the frames in the @n places from @place on. */
static void look(struct traffic *t, struct host *host, struct ring *rx,
    uint32_t place, const uint32_t len[], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *frame =
		    ring_buffer(rx, place + i) + CARD_HDR_LEN;
		uint32_t size = len[i] - CARD_HDR_LEN;

		if (len[i] < CARD_HDR_LEN + FRAME_MIN) {
			t->damaged++;
			continue;
		}
		t->payload += frame[0] + (frame[12] << 8);
		if (t->config.look == TRAFFIC_PAYLOAD)
			t->payload += read_all(frame, size);
		if (t->config.look == TRAFFIC_VERIFY)
			verify(t, host, frame, size);
	}
}

/* With mergeable buffers a driver has to read how many a frame has got; ours
 * are so large that it is one (virtio 1.2, 5.1.6.4). */
static void expect_single(struct ring *rx, uint32_t place, unsigned n)
{
	uint16_t differ = 0, buffers;

	for (unsigned i = 0; i < n; i++) {
		memcpy(&buffers, ring_buffer(rx, place + i) + 10, 2);
		differ |= buffers ^ 1;
	}
	if (differ)
		rx->fault = "a frame that fits one buffer is said to have more";
}

static void receive(struct traffic *t, struct host *host, unsigned q)
{
	struct ring *rx = &host->card.rx[q];
	uint32_t len[RING_BATCH_MAX], place = rx->taken;
	bool looks = t->config.look != TRAFFIC_NO_LOOK;
	unsigned n, idle;

	n = ring_take(rx, looks ? len : NULL, t->config.most);
	if (n && host->card.config.mergeable)
		expect_single(rx, place, n);
	if (looks)
		look(t, host, rx, place, len, n);
	host->received += n;
	idle = ring_idle(rx);
	if (idle >= t->config.batch)
		ring_give(rx, idle);
}

/* The frames that @host may send in windowed traffic.  Destinations take
 * turns, but for one time in a lap. */
static unsigned window(const struct traffic *t, const struct host *host)
{
	int64_t most = t->config.under_way, room = most;

	for (unsigned i = 0; i < host->n_to; i++) {
		const struct host *to = &t->host[host->to[i]];
		int64_t left = most - (int64_t)(to->sent_to - to->received);

		if (left < room)
			room = left;
	}
	if (room <= 0)
		return 0;
	return (unsigned)(host->n_to == 1 ? room : (room - 1) * host->n_to);
}

/* The frames that lane @q of @host should have sent by now, and has not. */
static unsigned due(struct traffic *t, const struct host *host, unsigned q)
{
	uint64_t *paced = &t->paced[host - t->host][q];
	uint64_t all =
	    (uint64_t)((double)(clock_cycles() - t->paced_at) * t->lane_rate);
	uint64_t n = all - *paced, max = host->card.config.ring_size;

	if (n > max) {
		t->host[host - t->host].lane[q].refused += n - max;
		*paced = all - max;
		n = max;
	}
	return (unsigned)n;
}

/* Gives each of the next @n frames another pair of addresses. */
static void readdress(struct traffic *t, struct host *host, unsigned q,
    struct ring *tx, unsigned n)
{
	struct lane *lane = &host->lane[q];
	uint32_t all = t->config.addresses;
	struct frame_end from = {(uint8_t)(host - t->host), (uint8_t)q, 0};
	struct frame_end to = {0, (uint8_t)q, 0};

	for (unsigned i = 0; i < n; i++) {
		uint32_t no = ring_buffer_no(tx, tx->given + i);

		lane->random = lane->random * 1664525 + 1013904223;
		to.guest = host->goes_to[no];
		to.address = (uint32_t)((uint64_t)lane->random * all >> 32);
		from.address = lane->address;
		lane->address = lane->address + 1 < all ? lane->address + 1 : 0;
		frame_address(
		    ring_buffer(tx, tx->given + i) + CARD_HDR_LEN, to, from);
	}
}

/* Writes what a driver and its stack write into the next @n frames. */
static void refresh(struct host *host, unsigned q, struct ring *tx, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t *at = ring_buffer(tx, tx->given + i);
		uint32_t no = ring_buffer_no(tx, tx->given + i);
		uint32_t *seq = &host->lane[q].seq[host->goes_to[no]];

		memset(at, 0, CARD_HDR_LEN);
		frame_set_seq(at + CARD_HDR_LEN, (*seq)++);
	}
}

/* Counts the next @n frames for those whom they go to. */
static void count(
    struct traffic *t, struct host *host, struct ring *tx, unsigned n)
{
	host->sent += n;
	if (host->n_to == 1) {
		t->host[host->to[0]].sent_to += n;
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t no = ring_buffer_no(tx, tx->given + i);

		t->host[host->goes_to[no]].sent_to++;
	}
}

static void send(struct traffic *t, struct host *host, unsigned q)
{
	struct ring *tx = &host->card.tx[q];
	bool paced = t->lane_rate != 0;
	unsigned n = paced ? due(t, host, q) : window(t, host);
	unsigned least = paced ? 1 : t->config.batch;

	if (n < least)
		return;
	if (n > t->config.most)
		n = t->config.most;
	if (ring_idle(tx) < n)
		ring_take(tx, NULL, RING_SIZE_MAX);
	if (ring_idle(tx) < n)
		n = ring_idle(tx);
	if (n < least)
		return;
	if (t->readdress)
		readdress(t, host, q, tx, n);
	if (t->config.look != TRAFFIC_NO_LOOK)
		refresh(host, q, tx, n);
	count(t, host, tx, n);
	t->paced[host - t->host][q] += n;
	ring_give(tx, n);
}

void traffic_turn(struct traffic *t, unsigned g, unsigned q)
{
	struct host *host = &t->host[g];

	receive(t, host, q);
	if (host->n_to && !t->stopped)
		send(t, host, q);
	ring_kick(&host->card.rx[q]);
	ring_kick(&host->card.tx[q]);
}

static uint64_t moved(const struct host *host)
{
	return host->sent + host->received;
}

void traffic_step(struct traffic *t)
{
	uint64_t then = clock_cycles(), now;

	for (unsigned g = 0; g < t->n; g++)
		for (unsigned q = 0; q < t->card.pairs; q++) {
			uint64_t was = moved(&t->host[g]);

			traffic_turn(t, g, q);
			now = clock_cycles();
			if (moved(&t->host[g]) != was)
				t->busy_cycles += now - then;
			then = now;
		}
}

/* Without this a windowed sender whose frames were lost would wait for them for
 * ever, and one that others' frames were flooded to would send too many. */
void traffic_forgive(struct traffic *t)
{
	for (unsigned g = 0; g < t->n; g++) {
		t->host[g].sent_to = t->host[g].received;
	}
}

void traffic_run(struct traffic *t, uint64_t until)
{
	uint64_t patience = STUCK_MS * 1000 * clock_cycles_per_us();
	uint64_t received = traffic_received(t), moved = clock_cycles(), now;

	do {
		for (unsigned i = 0; i < ROUNDS; i++)
			traffic_step(t);
		now = clock_cycles();
		if (traffic_received(t) != received) {
			received = traffic_received(t);
			moved = now;
		} else if (now - moved > patience) {
			traffic_forgive(t);
			moved = now;
		}
	} while ((int64_t)(until - now) > 0);
}

void traffic_pace(struct traffic *t)
{
	unsigned lanes = 0;

	for (unsigned g = 0; g < t->n; g++)
		lanes += t->host[g].n_to ? t->card.pairs : 0;
	if (lanes)
		t->lane_rate = t->config.rate / lanes / 1e6 /
			       (double)clock_cycles_per_us();
	memset(t->paced, 0, sizeof(t->paced));
	t->paced_at = clock_cycles();
}

void traffic_stop(struct traffic *t, unsigned ms)
{
	uint64_t until = clock_cycles() + ms * 1000 * clock_cycles_per_us();

	t->stopped = true;
	do
		traffic_step(t);
	while (traffic_received(t) < traffic_sent(t) &&
	       (int64_t)(until - clock_cycles()) > 0);
	t->stopped = false;
}

void traffic_reset_counts(struct traffic *t)
{
	for (unsigned g = 0; g < t->n; g++) {
		t->host[g].sent = t->host[g].sent_to = t->host[g].received = 0;
		memset(t->host[g].lane, 0, sizeof(t->host[g].lane));
	}
	t->misplaced = t->late = t->damaged = 0;
}

uint64_t traffic_sent(const struct traffic *t)
{
	uint64_t n = 0;

	for (unsigned g = 0; g < t->n; g++)
		n += t->host[g].sent;
	return n;
}

uint64_t traffic_received(const struct traffic *t)
{
	uint64_t n = 0;

	for (unsigned g = 0; g < t->n; g++)
		n += t->host[g].received;
	return n;
}

uint64_t traffic_refused(const struct traffic *t)
{
	uint64_t n = 0;

	for (unsigned g = 0; g < t->n; g++)
		for (unsigned q = 0; q < t->card.pairs; q++)
			n += t->host[g].lane[q].refused;
	return n;
}

void traffic_check(const struct traffic *t)
{
	for (unsigned g = 0; g < t->n; g++) {
		const struct card *c = &t->host[g].card;

		if (card_fault(c))
			card_die("%s: %s", c->socket, card_fault(c));
	}
}
