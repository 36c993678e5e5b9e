/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_peer.c - what test_xdp*.sh needs and no common tool does.
 *
 *	xdp_peer hold DEV QUEUE        binds an AF_XDP socket, says "held", waits
 *	xdp_peer send DEV MAC SIZE N   sends N raw frames; 0: until it is ended
 */
#include <errno.h>
#include <error.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 2048, N_CHUNKS = 64, N_RING = 64, FRAME_MAX = 65536 };

static void set(int fd, int option, const void *value, socklen_t size)
{
	if (setsockopt(fd, SOL_XDP, option, value, size))
		error(1, errno, "AF_XDP option %d", option);
}

static int hold(unsigned ifindex, const char *queue)
{
	static const int rings[] = {XDP_UMEM_FILL_RING,
	    XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING};
	const int n = N_RING;
	struct xdp_umem_reg memory = {
	    .len = N_CHUNKS * CHUNK, .chunk_size = CHUNK};
	struct sockaddr_xdp to = {.sxdp_family = AF_XDP,
	    .sxdp_ifindex = ifindex,
	    .sxdp_queue_id = (uint32_t)atoi(queue),
	    .sxdp_flags = XDP_COPY};
	int fd = socket(AF_XDP, SOCK_RAW, 0);

	memory.addr = (uintptr_t)mmap(NULL, memory.len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	set(fd, XDP_UMEM_REG, &memory, sizeof(memory));
	for (unsigned i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		set(fd, rings[i], &n, sizeof(n));
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)))
		error(1, errno, "bind");
	puts("held");
	fflush(stdout);
	return pause();
}

static int send_frames(
    unsigned ifindex, const char *mac, const char *size, const char *count)
{
	static uint8_t frame[FRAME_MAX];
	static const uint8_t src_and_type[] = {2, 0, 0, 0, 0, 1, 0x88, 0xb5};
	const struct sockaddr_ll to = {.sll_family = AF_PACKET,
	    .sll_ifindex = (int)ifindex,
	    .sll_halen = 6};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	size_t len = (size_t)atol(size);
	long n = atol(count);

	if (len > sizeof(frame) ||
	    sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &frame[0], &frame[1],
		&frame[2], &frame[3], &frame[4], &frame[5]) != 6)
		error(1, 0, "wrong words");
	memcpy(frame + 6, src_and_type, sizeof(src_and_type));
	for (long i = 0; !n || i < n; i++)
		if (sendto(fd, frame, len, 0, (const struct sockaddr *)&to,
			sizeof(to)) < 0 &&
		    errno != ENOBUFS && errno != ENETDOWN)
			error(1, errno, "send");
	return 0;
}

int main(int argc, char **argv)
{
	unsigned ifindex = argc > 2 ? if_nametoindex(argv[2]) : 0;

	if (!ifindex)
		error(1, errno, "no interface %s", argc > 2 ? argv[2] : "");
	if (argc == 4 && !strcmp(argv[1], "hold"))
		return hold(ifindex, argv[3]);
	if (argc == 6 && !strcmp(argv[1], "send"))
		return send_frames(ifindex, argv[3], argv[4], argv[5]);
	error(1, 0, "wrong words");
}
