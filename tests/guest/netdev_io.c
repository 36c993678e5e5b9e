/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev_io.c - a guest's network card: frames out and in.
 *
 * A frame goes out cut as the test wants it; what comes in is put together
 * from as many buffers as its header says, and every promise that the device
 * makes on the way is checked (virtio 1.2, 5.1.6).
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "tests/guest/netdev.h"

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void put_slot(struct netdev_queue *q, uint64_t slot)
{
	q->free[q->n_free++] = (uint16_t)slot;
}

/* Appends a buffer of @len bytes at @at in @slot.  Returns where the next one
 * may start. */
static uint32_t append(struct guest_buf b[], unsigned *n,
    const struct netdev_slot *slot, uint32_t at, uint32_t len, bool in)
{
	b[(*n)++] = (struct guest_buf){slot->gpa + at, len, in};
	return at + len + NETDEV_GAP;
}

/* Lays header and frame out in @slot as @l says. */
static unsigned lay_out(const struct netdev *d, const struct netdev_slot *slot,
    const uint8_t *frame, uint32_t len, const struct netdev_layout *l,
    const struct virtio_net_hdr *hdr, struct guest_buf b[])
{
	unsigned n = 0, parts = l->parts ? l->parts : 1;
	uint32_t at = 0, joined = 0, done = 0;

	memset(slot->at, 0, d->hdr_len);
	if (hdr)
		memcpy(slot->at, hdr, sizeof(*hdr));
	if (l->joined)
		joined = d->hdr_len;
	else
		at = append(b, &n, slot, 0, d->hdr_len, false);
	for (unsigned i = 0; i < parts; i++) {
		uint32_t piece = (len - done) / (parts - i);

		memcpy(slot->at + at + joined, frame + done, piece);
		at = append(b, &n, slot, at, joined + piece, false);
		done += piece;
		joined = 0;
	}
	return n;
}

int netdev_queue_frame(struct netdev *d, unsigned pair, const void *frame,
    uint32_t len, const struct netdev_layout *layout,
    const struct virtio_net_hdr *hdr)
{
	static const struct netdev_layout plain;
	struct netdev_queue *q = &d->q[2 * pair + 1];
	struct guest_buf b[NETDEV_PARTS_MAX + 1];
	const struct netdev_layout *l = layout ? layout : &plain;
	unsigned n;
	uint16_t slot;
	int err;

	if (len > d->config.frame_max || l->parts > NETDEV_PARTS_MAX)
		return -EMSGSIZE;
	netdev_reap_tx(d, pair);
	if (!q->n_free)
		return -ENOSPC;
	slot = q->free[q->n_free - 1];
	n = lay_out(d, &q->slot[slot], frame, len, l, hdr, b);
	err = guest_vring_add(&q->ring, b, n, l->indirect, slot);
	if (err < 0)
		return err;
	q->n_free--;
	d->n_sent++;
	return 0;
}

void netdev_flush(struct netdev *d, unsigned pair)
{
	struct guest_vring *r = netdev_tx_ring(d, pair);

	guest_vring_publish(r);
	guest_vring_kick(r);
}

int netdev_send(struct netdev *d, unsigned pair, const void *frame,
    uint32_t len, const struct netdev_layout *layout)
{
	int err = netdev_queue_frame(d, pair, frame, len, layout, NULL);

	if (!err)
		netdev_flush(d, pair);
	return err;
}

void netdev_reap_tx(struct netdev *d, unsigned pair)
{
	struct netdev_queue *q = &d->q[2 * pair + 1];
	uint64_t slot;
	uint32_t len;

	while (guest_vring_reap(&q->ring, &slot, &len)) {
		d->faults.tx_written += len != 0;
		put_slot(q, slot);
	}
}

int netdev_drain_tx(struct netdev *d, unsigned pair, int timeout_ms)
{
	struct netdev_queue *q = &d->q[2 * pair + 1];
	int64_t deadline = now_ms() + timeout_ms;

	netdev_reap_tx(d, pair);
	while (q->n_free < d->config.ring_size) {
		int64_t left = deadline - now_ms();

		if (!guest_vring_wait(&q->ring, left > 0 ? (int)left : 0))
			return -ETIMEDOUT;
		netdev_reap_tx(d, pair);
	}
	return 0;
}

/* Gives slot @s of @q to the device as one buffer of @size bytes. */
static int give(
    struct netdev *d, struct netdev_queue *q, uint16_t s, uint32_t size)
{
	const struct netdev_slot *slot = &q->slot[s];
	struct guest_buf b[NETDEV_PARTS_MAX];
	unsigned n = 0, parts = d->config.rx_parts;
	uint32_t at = 0, done = 0;

	if (!d->config.fast)
		memset(slot->at, NETDEV_PATTERN, slot->size);
	for (unsigned i = 0; i < parts; i++) {
		uint32_t piece = (size - done) / (parts - i);

		at = append(b, &n, slot, at, piece, true);
		done += piece;
	}
	return guest_vring_add(
	    &q->ring, b, n, d->config.rx_indirect, s | (uint64_t)size << 16);
}

unsigned netdev_fill_rx(
    struct netdev *d, unsigned pair, uint32_t size, unsigned n)
{
	struct netdev_queue *q = &d->q[2 * pair];
	unsigned given = 0;

	if (!size || size > d->config.rx_size)
		size = d->config.rx_size;
	while (given < n && q->n_free &&
	       give(d, q, q->free[q->n_free - 1], size) >= 0) {
		q->n_free--;
		given++;
	}
	guest_vring_publish(&q->ring);
	guest_vring_kick(&q->ring);
	return given;
}

/* Copies bytes [from, to) of the buffer of @size bytes in @slot to @out. */
static void gather(const struct netdev *d, const struct netdev_slot *slot,
    uint32_t size, uint32_t from, uint32_t to, uint8_t *out)
{
	unsigned parts = d->config.rx_parts;
	uint32_t at = 0, done = 0;

	for (unsigned i = 0; i < parts && from < to; i++) {
		uint32_t piece = (size - done) / (parts - i);

		if (from < done + piece) {
			uint32_t end = to < done + piece ? to : done + piece;

			memcpy(out, slot->at + at + (from - done), end - from);
			out += end - from;
			from = end;
		}
		at += piece + NETDEV_GAP;
		done += piece;
	}
}

/* Counts bytes past the first @written of the buffer, and between its pieces,
 * that are not what they were. */
static void check_rest(struct netdev *d, const struct netdev_slot *slot,
    uint32_t size, uint32_t written)
{
	unsigned parts = d->config.rx_parts;
	uint32_t at = 0, done = 0;

	for (unsigned i = 0; i < parts; i++) {
		uint32_t piece = (size - done) / (parts - i);
		uint32_t j = 0;

		if (written > done)
			j = written - done < piece ? written - done : piece;
		for (; j < piece + NETDEV_GAP; j++)
			if (slot->at[at + j] != NETDEV_PATTERN)
				d->faults.rx_past_end++;
		at += piece + NETDEV_GAP;
		done += piece;
	}
}

/* One buffer of a frame: its bytes from @skip on go to to[0..max).  Returns
 * how many there are, or -EPROTO. */
static int take_buffer(struct netdev *d, struct netdev_queue *q, uint32_t skip,
    uint8_t *to, uint32_t max)
{
	uint64_t cookie;
	uint32_t len, size;
	uint16_t s;
	int got = -EPROTO;

	if (!guest_vring_reap(&q->ring, &cookie, &len)) {
		d->faults.rx_missing++;
		return -EPROTO;
	}
	s = (uint16_t)cookie;
	size = (uint32_t)(cookie >> 16);
	if (len > size)
		d->faults.rx_long++;
	else if (len < skip)
		d->faults.rx_short++;
	else if (len - skip > max)
		got = -EMSGSIZE;
	else
		got = (int)(len - skip);
	if (got >= 0) {
		gather(d, &q->slot[s], size, 0, skip, (uint8_t *)&d->rx_hdr);
		gather(d, &q->slot[s], size, skip, len, to);
		if (!d->config.fast)
			check_rest(d, &q->slot[s], size, len);
	}
	put_slot(q, s);
	return got;
}

/* Whether what @h says is left to be done was asked for. */
static bool is_agreed(const struct netdev *d, const struct virtio_net_hdr *h)
{
	const struct frontend *f = &d->fe;

	if (h->flags && !frontend_has(f, VIRTIO_NET_F_GUEST_CSUM))
		return false;
	if (h->gso_type & VIRTIO_NET_HDR_GSO_ECN &&
	    !frontend_has(f, VIRTIO_NET_F_GUEST_ECN))
		return false;
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return frontend_has(f, VIRTIO_NET_F_GUEST_TSO4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return frontend_has(f, VIRTIO_NET_F_GUEST_TSO6);
	case NETDEV_GSO_UDP_L4:
		return frontend_has(f, NETDEV_F_GUEST_USO4) &&
		       frontend_has(f, NETDEV_F_GUEST_USO6);
	}
	return false;
}

/* How many buffers the frame has, by the header just read; 0: nonsense. */
static unsigned check_header(struct netdev *d)
{
	const struct virtio_net_hdr *h = &d->rx_hdr.hdr;
	unsigned n =
	    d->hdr_len == sizeof(d->rx_hdr) ? d->rx_hdr.num_buffers : 1;

	if (n && (d->mergeable || n == 1) && is_agreed(d, h))
		return n;
	d->faults.rx_header++;
	return 0;
}

static int take_frame(
    struct netdev *d, unsigned pair, uint8_t *frame, uint32_t max)
{
	struct netdev_queue *q = &d->q[2 * pair];
	unsigned n;
	int len, more = 0;

	memset(&d->rx_hdr, 0, sizeof(d->rx_hdr));
	len = take_buffer(d, q, d->hdr_len, frame, max);
	n = len < 0 ? 1 : check_header(d);
	if (!n)
		len = -EPROTO;
	while (n-- > 1 && more >= 0) {
		more = take_buffer(d, q, 0, frame + len, max - (uint32_t)len);
		len = more < 0 ? more : len + more;
	}
	if (!d->hold_rx)
		netdev_fill_rx(d, pair, 0, d->config.ring_size);
	if (len >= 0)
		d->n_received++;
	return len;
}

int netdev_recv(
    struct netdev *d, unsigned pair, void *frame, uint32_t max, int timeout_ms)
{
	if (!guest_vring_wait(netdev_rx_ring(d, pair), timeout_ms))
		return -ETIMEDOUT;
	return take_frame(d, pair, frame, max);
}

/* The pair that has a frame, after asking for calls; -1: none. */
static int find_pair(struct netdev *d, bool arm)
{
	for (unsigned i = 0; i < d->config.pairs; i++) {
		struct guest_vring *r = netdev_rx_ring(d, i);

		if (guest_vring_has_used(r) || (arm && !guest_vring_arm(r)))
			return (int)i;
	}
	return -1;
}

int netdev_recv_any(struct netdev *d, void *frame, uint32_t max, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	struct pollfd p[NETDEV_PAIRS_MAX];
	int pair = find_pair(d, false);

	for (unsigned i = 0; i < d->config.pairs; i++)
		p[i] = (struct pollfd){
		    .fd = netdev_rx_ring(d, i)->call_fd, .events = POLLIN};
	while (pair < 0 && (pair = find_pair(d, true)) < 0) {
		int64_t left = deadline - now_ms();

		if (poll(p, d->config.pairs, left > 0 ? (int)left : 0) <= 0)
			return -ETIMEDOUT;
		for (unsigned i = 0; i < d->config.pairs; i++)
			guest_vring_disarm(netdev_rx_ring(d, i));
	}
	return take_frame(d, (unsigned)pair, frame, max);
}

bool netdev_faultless(const struct netdev *d)
{
	static const struct netdev_faults none;
	uint64_t bad = 0;

	for (unsigned i = 0; i < 2 * d->config.pairs; i++)
		bad += d->q[i].ring.n_bad;
	return !bad && memcmp(&d->faults, &none, sizeof(none)) == 0 &&
	       guest_memory_canaries_intact(&d->mem);
}
