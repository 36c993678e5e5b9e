/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idle.c - guests that are there and do nothing
 *
 * Connects a card of one queue pair to each of DIR/vhost/vm1 .. vmN, with its
 * receive ring full and an address announced, says "ready" and stays until it
 * is ended.
 *
 *	idle DIR N
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/netdev.h"

enum { GUESTS_MAX = 4096, RING_SIZE = 64, FRAME_LEN = 60 };

/* A broadcast by which the switch learns where 02:00:00:00:xx:xx is. */
static int announce(struct netdev *d, unsigned i)
{
	uint8_t frame[FRAME_LEN] = {0};

	memset(frame, 0xff, 6);
	frame[6] = 2;
	frame[10] = (uint8_t)(i >> 8);
	frame[11] = (uint8_t)i;
	frame[12] = 0x88; /* local experimental ethertype */
	frame[13] = 0xb5;
	return netdev_send(d, 0, frame, sizeof(frame), NULL);
}

static int connect_guest(const char *dir, unsigned i)
{
	struct netdev *d = calloc(1, sizeof(*d));
	char path[108];
	struct netdev_config config = {.socket = path, .ring_size = RING_SIZE};
	int rc;

	if (!d)
		return -1;
	snprintf(path, sizeof(path), "%s/vhost/vm%u", dir, i);
	rc = netdev_open(d, &config);
	if (!rc)
		rc = announce(d, i);
	if (rc)
		fprintf(stderr, "idle: %s: %s\n", path, strerror(-rc));
	return rc;
}

int main(int argc, char *argv[])
{
	unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 0) : 0;

	if (!n || n > GUESTS_MAX) {
		fputs("usage: idle DIR N\n", stderr);
		return 2;
	}
	for (unsigned i = 1; i <= n; i++)
		if (connect_guest(argv[1], i))
			return 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
