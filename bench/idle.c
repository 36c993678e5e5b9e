/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * idle.c - guests, or applications, that are there and do nothing
 *
 * Connects a card of one queue pair to each of DIR/vhost/vm1 .. vmN, with its
 * receive ring full and an address announced, says "ready" and stays until it
 * is ended.  With -p, libswpipe to each of DIR/pipe/vm1 ..
 *
 *	idle [-p] DIR N
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ports/pipe/client/swpipe.h"
#include "tests/guest/netdev.h"

enum { GUESTS_MAX = 4096, RING_SIZE = 64, FRAME_LEN = 60 };

/* A broadcast by which the switch learns where 02:00:00:00:xx:xx is. */
static void build(uint8_t frame[FRAME_LEN], unsigned i)
{
	memset(frame, 0, FRAME_LEN);
	memset(frame, 0xff, 6);
	frame[6] = 2;
	frame[10] = (uint8_t)(i >> 8);
	frame[11] = (uint8_t)i;
	frame[12] = 0x88; /* local experimental ethertype */
	frame[13] = 0xb5;
}

static int connect_guest(const char *dir, unsigned i)
{
	struct netdev *d = calloc(1, sizeof(*d));
	uint8_t frame[FRAME_LEN];
	char path[108];
	struct netdev_config config = {.socket = path, .ring_size = RING_SIZE};
	int rc;

	if (!d)
		return -1;
	snprintf(path, sizeof(path), "%s/vhost/vm%u", dir, i);
	build(frame, i);
	rc = netdev_open(d, &config);
	if (!rc)
		rc = netdev_send(d, 0, frame, sizeof(frame), NULL);
	if (rc)
		fprintf(stderr, "idle: %s: %s\n", path, strerror(-rc));
	return rc;
}

/* Listens on the pipe as an application does that sleeps until frames come. */
static int connect_application(const char *dir, unsigned i)
{
	char path[108], why[SWPIPE_ERR_SIZE];
	struct swpipe_options o = {.socket = path, .n_slots = RING_SIZE};
	struct swpipe_buf b;
	struct swpipe *p;

	snprintf(path, sizeof(path), "%s/pipe/vm%u", dir, i);
	if (swpipe_open(&p, &o, why)) {
		fprintf(stderr, "idle: %s: %s\n", path, why);
		return -1;
	}
	swpipe_tx_reserve(swpipe_queue(p, 0), &b, 1);
	build(b.data, i);
	b.len = FRAME_LEN;
	swpipe_tx_submit(swpipe_queue(p, 0), &b, 1);
	return swpipe_arm(swpipe_queue(p, 0)) < 0;
}

/* A pipe takes five descriptors. */
static void allow_many_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char *argv[])
{
	bool pipes = argc > 1 && !strcmp(argv[1], "-p");
	const char *const *arg = (const char *const *)argv + 1 + pipes;
	unsigned n = argc == 3 + pipes ? (unsigned)strtoul(arg[1], NULL, 0) : 0;

	if (!n || n > GUESTS_MAX) {
		fputs("usage: idle [-p] DIR N\n", stderr);
		return 2;
	}
	allow_many_files();
	for (unsigned i = 1; i <= n; i++)
		if (pipes ? connect_application(arg[0], i)
			  : connect_guest(arg[0], i))
			return 1;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
