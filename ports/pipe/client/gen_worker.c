/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gen_worker.c - the loop that sends, receives and echoes.
 *
 * Nobody but the sender writes to the buffers of a ring to the switch, so
 * their payload is written once, at the beginning; from then on a frame costs
 * its first line.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "ports/pipe/client/gen.h"

enum {
	LINE = 64,
	IDLE_ROUNDS = 2000, /* without a frame before it sleeps */
	SLEEP_MS = 100,
};

uint32_t gen_quiet, gen_stop;

static bool is_set(const uint32_t *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

/* Adds to a count that the main thread reads. */
static void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void set_address(uint8_t mac[6], unsigned number)
{
	const uint8_t a[6] = {
	    2, 0, (uint8_t)(number >> 8), (uint8_t)number, 0, 0};

	memcpy(mac, a, sizeof(a));
}

static void fill_payload(struct gen_end *e)
{
	unsigned n_slots = swpipe_n_slots(e->queue);
	struct swpipe_buf *b = calloc(n_slots, sizeof(*b));
	unsigned n = b ? swpipe_tx_reserve(e->queue, b, n_slots) : 0;

	for (unsigned i = 0; i < n; i++)
		for (uint32_t k = 0; k < b[i].len; k++)
			b[i].data[k] = (uint8_t)k;
	free(b);
}

void gen_end_init(struct gen_end *e, const struct gen_options *o,
    struct swpipe *p, unsigned i, unsigned from, unsigned to)
{
	uint32_t room;

	e->queue = swpipe_queue(p, i);
	room = swpipe_buf_size(e->queue);
	e->parts = (o->size + room - 1) / room;
	e->probe = (struct probe){.type = PROBE_TYPE, .magic = PROBE_MAGIC};
	set_address(e->probe.src, from);
	set_address(e->probe.dst, to);
	if (getrandom(&e->probe.sender, sizeof(e->probe.sender), 0) < 0)
		e->probe.sender = from << 16 | i;
	fill_payload(e);
}

/* --- receiving */

static inline void look_at(struct gen_worker *w, const struct swpipe_buf *b)
{
	struct probe p;

	if (b->len < sizeof(p)) {
		count(&w->counts.foreign, 1);
		return;
	}
	memcpy(&p, b->data, sizeof(p));
	if (p.type == PROBE_TYPE && p.magic == PROBE_MAGIC)
		stream_see(&w->streams, p.sender, p.flow, p.seq);
	else if (p.type != PROBE_TYPE || p.magic != PROBE_HELLO)
		count(&w->counts.foreign, 1);
}

/* Takes frames of @e into w->in; returns how many parts. */
static unsigned take(struct gen_worker *w, struct gen_end *e)
{
	int n = swpipe_rx_peek(e->queue, w->in, w->o->burst);

	if (n == -EMSGSIZE)
		n = swpipe_rx_peek(e->queue, w->in, GEN_PARTS_MAX);
	if (n < 0) {
		__atomic_store_n(&w->failed, 1, __ATOMIC_RELAXED);
		return 0;
	}
	return (unsigned)n;
}

static unsigned receive(struct gen_worker *w, struct gen_end *e)
{
	unsigned n = take(w, e), n_frames = 0;
	uint64_t bytes = 0;
	bool first = true;

	for (unsigned i = 0; i < n; i++) {
		bytes += w->in[i].len;
		if (first)
			look_at(w, &w->in[i]);
		first = !w->in[i].more;
		n_frames += first;
	}
	if (!n)
		return 0;
	swpipe_rx_release(e->queue, n);
	count(&w->counts.received, n_frames);
	count(&w->counts.received_bytes, bytes);
	count(&w->counts.lost, w->streams.lost - w->counts.lost);
	count(&w->counts.late, w->streams.late - w->counts.late);
	return n;
}

/* --- sending */

static inline void write_probe(struct gen_end *e, uint8_t *data, uint32_t flows)
{
	struct probe p = e->probe;

	p.dst[4] = p.src[4] = (uint8_t)(e->flow >> 8);
	p.dst[5] = p.src[5] = (uint8_t)e->flow;
	p.flow = e->flow;
	p.seq = e->seq;
	memcpy(data, &p, sizeof(p));
	if (++e->flow == flows) {
		e->flow = 0;
		e->seq++;
	}
}

static inline void lay_out(
    const struct gen_end *e, struct swpipe_buf b[], uint32_t size)
{
	for (unsigned k = 0; k + 1 < e->parts; k++) {
		size -= b[k].len;
		b[k].more = 1;
	}
	b[e->parts - 1].len = size;
}

static uint64_t send_frames(struct gen_worker *w, struct gen_end *e, uint64_t n)
{
	unsigned parts = e->parts, n_bufs;
	struct swpipe_buf *b = w->out;

	if (n > w->o->burst)
		n = w->o->burst;
	if (n > GEN_PARTS_MAX / parts)
		n = GEN_PARTS_MAX / parts;
	n_bufs = swpipe_tx_reserve(e->queue, b, (unsigned)n * parts);
	n = n_bufs / parts;
	for (unsigned i = 0; i < n; i++, b += parts) {
		write_probe(e, b->data, w->o->n_flows);
		lay_out(e, b, w->o->size);
	}
	swpipe_tx_submit(e->queue, w->out, (unsigned)n * parts);
	count(&w->counts.sent, n);
	count(&w->counts.sent_bytes, n * w->o->size);
	return n;
}

static uint64_t allowed(struct gen_worker *w, struct gen_end *e)
{
	const uint64_t second = 1000000000;
	uint64_t rate = w->o->rate, n;

	if (!rate)
		return w->o->burst;
	/* What was not sent for a second will never be. */
	if (!e->due || w->now - e->due > second)
		e->due = w->now;
	n = (uint64_t)((unsigned __int128)(w->now - e->due) * rate / second);
	if (n > w->o->burst)
		n = w->o->burst;
	return n;
}

static unsigned send_some(struct gen_worker *w, struct gen_end *e)
{
	uint64_t n = allowed(w, e);

	if (!n || is_set(&gen_quiet))
		return 0;
	n = send_frames(w, e, n);
	if (w->o->rate)
		e->due += n * 1000000000 / w->o->rate;
	return (unsigned)n;
}

/* Sends @n frames, however long it takes: what a ring holds is enough. */
static void kick(struct gen_worker *w, struct gen_end *e, uint64_t n)
{
	uint64_t k;

	while (n && (k = send_frames(w, e, n)))
		n -= k;
}

/* A receiver that never sends is not learned: it says where it is. */
static void announce(struct gen_worker *w, struct gen_end *e)
{
	e->probe.magic = PROBE_HELLO;
	kick(w, e, w->o->n_flows);
	count(&w->counts.sent, -w->counts.sent);
	count(&w->counts.sent_bytes, -w->counts.sent_bytes);
}

/* --- echoing */

/* Whole lines: buffers begin and end with one. */
static inline void copy_part(uint8_t *to, const uint8_t *from, uint32_t len)
{
	for (uint32_t i = 0; i < len; i += LINE)
		memcpy(to + i, from + i, LINE);
}

static inline void swap_addresses(uint8_t *f)
{
	uint8_t dst[6];

	memcpy(dst, f, 6);
	memcpy(f, f + 6, 6);
	memcpy(f + 6, dst, 6);
}

static unsigned echo(struct gen_worker *w, struct gen_end *e)
{
	unsigned n = take(w, e), room, n_whole = 0;
	uint64_t bytes = 0, n_in = 0, n_out = 0;
	bool first = true;

	if (!n)
		return 0;
	room = swpipe_tx_reserve(e->queue, w->out, n);
	for (unsigned i = 0; i < n; i++) {
		bytes += w->in[i].len;
		if (i < room) {
			copy_part(w->out[i].data, w->in[i].data, w->in[i].len);
			w->out[i].len = w->in[i].len;
			w->out[i].more = w->in[i].more;
			if (first && w->in[i].len >= 12)
				swap_addresses(w->out[i].data);
		}
		first = !w->in[i].more;
		n_in += first;
		if (first && i < room) {
			n_whole = i + 1;
			n_out++;
		}
	}
	swpipe_tx_submit(e->queue, w->out, n_whole);
	swpipe_rx_release(e->queue, n);
	count(&w->counts.received, n_in);
	count(&w->counts.received_bytes, bytes);
	count(&w->counts.sent, n_out);
	count(&w->counts.sent_bytes, bytes);
	count(&w->counts.unsent, n_in - n_out);
	return n;
}

/* --- the loop */

static unsigned serve(struct gen_worker *w, struct gen_end *e)
{
	switch (w->o->mode) {
	case GEN_ECHO:
		return echo(w, e);
	case GEN_SEND:
		return send_some(w, e);
	case GEN_RECEIVE:
		return receive(w, e);
	case GEN_BOTH:
		break;
	}
	return receive(w, e) + send_some(w, e);
}

/* Until the next frame has to be sent. */
static int time_left_ms(const struct gen_worker *w)
{
	uint64_t gap;

	if (w->o->mode == GEN_RECEIVE || w->o->mode == GEN_ECHO ||
	    is_set(&gen_quiet))
		return SLEEP_MS;
	if (!w->o->rate)
		return 0;
	gap = 1000 / w->o->rate;
	return gap < SLEEP_MS ? (int)gap : SLEEP_MS;
}

static void sleep_until_frames(struct gen_worker *w)
{
	struct pollfd fd[GEN_PIPES_MAX];
	int ms = time_left_ms(w);
	bool idle = ms > 0;

	for (unsigned i = 0; i < w->n_ends && idle; i++) {
		fd[i] = (struct pollfd){
		    .fd = swpipe_fd(w->end[i].queue), .events = POLLIN};
		idle = swpipe_arm(w->end[i].queue) == 1;
	}
	if (idle)
		poll(fd, w->n_ends, ms);
}

static void begin(struct gen_worker *w)
{
	for (unsigned i = 0; i < w->n_ends; i++) {
		if (w->o->mode == GEN_ECHO)
			kick(w, &w->end[i], w->o->kick);
		if (w->o->mode == GEN_RECEIVE)
			announce(w, &w->end[i]);
	}
}

void *gen_worker_main(void *worker)
{
	struct gen_worker *w = worker;

	begin(w);
	while (!is_set(&gen_stop) && !is_set(&w->failed)) {
		unsigned work = 0;

		if (w->o->rate)
			w->now = now_ns();
		for (unsigned i = 0; i < w->n_ends; i++)
			work += serve(w, &w->end[i]);
		w->n_idle = work ? 0 : w->n_idle + 1;
		if (w->n_idle >= IDLE_ROUNDS && !w->o->polls) {
			sleep_until_frames(w);
			w->n_idle = 0;
		}
	}
	return NULL;
}
