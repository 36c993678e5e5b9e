/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gaps.c - single frames with gaps between them, and how long each takes
 *
 *	gaps SOCKET SOCKET GAP_US COUNT
 *
 * One guest sends a frame to the other every GAP_US microseconds, COUNT times;
 * both are this program, which polls, so that what varies is the switch: is it
 * still polling when the frame comes, or has it to be woken.  Prints the median
 * time from one guest to the other and that of the 99th per cent, in us.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/clock.h"
#include "tests/guest/netdev.h"

enum { FRAME_LEN = 60, PATIENCE_MS = 1000 };

static void die(const char *what, int err)
{
	fprintf(stderr, "gaps: %s: %s\n", what, strerror(err));
	exit(1);
}

static void build(uint8_t *frame, uint8_t dst, uint8_t src)
{
	memset(frame, 0, FRAME_LEN);
	memset(frame, dst ? 0 : 0xff, 6);
	if (dst) {
		frame[0] = 2;
		frame[5] = dst;
	}
	frame[6] = 2;
	frame[11] = src;
	frame[12] = 0x88; /* local experimental ethertype */
	frame[13] = 0xb5;
}

static void send_frame(struct netdev *d, uint8_t dst, uint8_t src)
{
	uint8_t frame[FRAME_LEN];
	int rc;

	build(frame, dst, src);
	netdev_reap_tx(d, 0);
	rc = netdev_send(d, 0, frame, FRAME_LEN, NULL);
	if (rc)
		die("send", -rc);
}

/* Waits, polling, for a frame. */
static void receive(struct netdev *d)
{
	uint64_t end = clock_ms() + PATIENCE_MS;
	uint8_t frame[2048];

	while (netdev_recv(d, 0, frame, sizeof(frame), 0) < 0)
		if (clock_ms() > end)
			die("a frame did not arrive", ETIMEDOUT);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char *argv[])
{
	static struct netdev a, b;
	uint64_t gap_ns, count, next, *took;

	if (argc != 5 || !(count = strtoull(argv[4], NULL, 0))) {
		fputs("usage: gaps SOCKET SOCKET GAP_US COUNT\n", stderr);
		return 2;
	}
	gap_ns = strtoull(argv[3], NULL, 0) * 1000;
	took = calloc(count, sizeof(*took));
	if (!took ||
	    netdev_open(&a, &(struct netdev_config){.socket = argv[1]}) ||
	    netdev_open(&b, &(struct netdev_config){.socket = argv[2]}))
		die("cannot connect", errno);
	send_frame(&a, 0, 1);
	receive(&b);
	send_frame(&b, 1, 2);
	receive(&a);
	next = clock_ns();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t begin;

		next += gap_ns;
		while ((begin = clock_ns()) < next)
			;
		send_frame(&a, 2, 1);
		receive(&b);
		took[i] = clock_ns() - begin;
	}
	qsort(took, count, sizeof(*took), by_size);
	printf("%.1f %.1f\n", (double)took[count / 2] / 1e3,
	    (double)took[count * 99 / 100] / 1e3);
	netdev_close(&a);
	netdev_close(&b);
	return 0;
}
