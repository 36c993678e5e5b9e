/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_swpipe.c - a server that writes what it likes to the client's rings.
 *
 * The input is a list of steps, of the server or of the application.  Whatever
 * the server does, parts lie in the ring's own buffers, frames are whole, and
 * counts are as asked for.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ports/pipe/client/swpipe_impl.h"

enum { LOG2_SLOTS = 4, SLOTS = 1 << LOG2_SLOTS, SIZE = 256, STEP = 4 };

static struct swpipe pipe_;
static struct swpipe_buf b[SLOTS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void setup(void)
{
	int fd[2];

	if (pipe_.memory)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd))
		abort();
	pipe_.fd = fd[0];
	pipe_.n_queues = 1;
	pipe_.log2_slots = LOG2_SLOTS;
	pipe_.buf_size = SIZE;
	pthread_mutex_init(&pipe_.lock, NULL);
	if (swpipe_map(&pipe_, NULL))
		abort();
}

/* As after the handshake, whatever the last server left behind. */
static void start_over(struct swpipe_side *s)
{
	size_t ring = (size_t)((uint8_t *)s->ring - pipe_.memory);

	s->head = s->peeked = s->tail = 0;
	s->armed = false;
	s->broken = 0;
	s->ring->head = s->ring->tail = 0;
	swpipe_side_init(s, &pipe_, ring, s->buf_offset);
}

/* The @n parts of @b are the ring's, one slot each. */
static void check_parts(const struct swpipe_side *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		size_t at = (size_t)(b[i].data - s->bufs);

		if (b[i].data < s->bufs || at % s->stride ||
		    at / s->stride >= SLOTS || b[i].len > SIZE)
			abort();
	}
}

static unsigned peek(struct swpipe_queue *q, unsigned max)
{
	int n = swpipe_rx_peek(q, b, max);

	if (n <= 0)
		return 0;
	check_parts(&q->rx, (unsigned)n);
	if ((unsigned)n > max || b[n - 1].more)
		abort();
	return (unsigned)n;
}

static void send_parts(struct swpipe_queue *q, unsigned n)
{
	unsigned got = swpipe_tx_reserve(q, b, n);

	check_parts(&q->tx, got);
	if (got > n)
		abort();
	for (unsigned i = 0; i < got; i++)
		memset(b[i].data, (int)i, b[i].len);
	swpipe_tx_submit(q, b, got);
}

/* The server writes two bytes anywhere in the rings, or moves an index. */
static void strike(struct swpipe_queue *q, const uint8_t step[STEP])
{
	uint8_t *rings = (uint8_t *)q->tx.ring;
	size_t at = step[1] | (step[0] & 3u) << 8;

	memcpy(rings + at % (2 * memif_ring_size(LOG2_SLOTS) - 1), step + 2, 2);
}

static void index_moves(struct memif_ring *ring, uint8_t by)
{
	ring->tail = (uint16_t)(ring->tail + by % (SLOTS + 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct swpipe_queue *q;
	unsigned n_held = 0, n;

	setup();
	q = &pipe_.queue[0];
	start_over(&q->rx);
	start_over(&q->tx);
	swpipe_rx_start(&q->rx);
	for (; size >= STEP; data += STEP, size -= STEP)
		switch (data[0] >> 5) {
		case 0:
		case 1:
			n_held += peek(q, data[1] % (SLOTS + 1));
			break;
		case 2:
			n = data[1] % (n_held + 1);
			swpipe_rx_release(q, n);
			n_held -= n;
			break;
		case 3:
			send_parts(q, data[1] % (SLOTS + 1));
			break;
		case 4:
			index_moves(q->rx.ring, data[1]);
			break;
		case 5:
			index_moves(q->tx.ring, data[1]);
			break;
		case 6:
			strike(q, data);
			break;
		case 7:
			swpipe_arm(q);
			break;
		}
	return 0;
}
