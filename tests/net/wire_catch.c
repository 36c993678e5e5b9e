/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_catch.c - prints what comes out of a wire, byte by byte.
 *
 *	wire_catch DEV MAC [QUIET]
 *
 * Says "ready" on stderr, then prints each frame that arrives at interface DEV
 * from address MAC, in a line of its own: the virtio-net header in decimal
 * (flags, type, hdr_len, gso_size, csum_start, csum_offset: all 0 unless the
 * frame is unfinished), then the frame in hexadecimal.  Ends when none has come
 * for QUIET (200) milliseconds after the last one, or for five seconds after
 * the beginning; fails if the kernel could not keep all of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FRAME_MAX = 65535 + 22, PATIENCE_MS = 5000, QUIET_MS = 200 };
enum { TAG_LEN = 4, ADDRS_LEN = 12, BUFFER = 256 << 20 };

struct caught {
	struct virtio_net_hdr hdr;
	uint8_t
	    frame[TAG_LEN + FRAME_MAX]; /* room for a tag, then as it came */
};

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		error(1, errno, "option %d of a socket", option);
}

static int listen_to(const char *dev)
{
	struct sockaddr_ll from = {.sll_family = AF_PACKET,
	    .sll_ifindex = (int)if_nametoindex(dev),
	    .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (!from.sll_ifindex)
		error(1, errno, "no interface %s", dev);
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER);
	set(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	set(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		error(1, errno, "bind");
	return fd;
}

/* The kernel took the tag out of the frame: puts it back in.  Returns where the
 * frame begins then. */
static uint8_t *restore_tag(
    struct caught *c, struct msghdr *msg, size_t *len_bytes)
{
	uint8_t *frame = c->frame + TAG_LEN;
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	if (!cmsg || cmsg->cmsg_type != PACKET_AUXDATA)
		return frame;
	memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return frame;
	tag[0] = htons(aux.tp_vlan_tpid);
	tag[1] = htons(aux.tp_vlan_tci);
	memmove(c->frame, frame, ADDRS_LEN);
	memcpy(c->frame + ADDRS_LEN, tag, sizeof(tag));
	*len_bytes += TAG_LEN;
	if (c->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		c->hdr.csum_start = (uint16_t)(c->hdr.csum_start + TAG_LEN);
	if (c->hdr.gso_type)
		c->hdr.hdr_len = (uint16_t)(c->hdr.hdr_len + TAG_LEN);
	return c->frame;
}

/* That a checksum was verified is no work left to do. */
static void print(struct virtio_net_hdr *hdr, const uint8_t *frame, size_t n)
{
	static char line[2 * (TAG_LEN + FRAME_MAX) + 1];

	hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (!hdr->flags)
		hdr->csum_start = hdr->csum_offset = 0;
	if (!hdr->gso_type)
		hdr->hdr_len = 0;
	for (size_t i = 0; i < n; i++) {
		line[2 * i] = "0123456789abcdef"[frame[i] >> 4];
		line[2 * i + 1] = "0123456789abcdef"[frame[i] & 15];
	}
	line[2 * n] = 0;
	printf("%u %u %u %u %u %u %s\n", hdr->flags, hdr->gso_type,
	    hdr->hdr_len, hdr->gso_size, hdr->csum_start, hdr->csum_offset,
	    line);
}

/* Whether the next frame is from @mac, and printed. */
static int catch_one(int fd, const uint8_t *mac)
{
	static struct caught c;
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov[] = {
	    {&c.hdr, sizeof(c.hdr)}, {c.frame + TAG_LEN, FRAME_MAX}};
	struct msghdr msg = {.msg_iov = iov,
	    .msg_iovlen = 2,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &msg, 0);
	size_t len;
	uint8_t *frame;

	if (n < 0)
		error(1, errno, "receive");
	len = (size_t)n - sizeof(c.hdr);
	if (memcmp(c.frame + TAG_LEN + 6, mac, 6) != 0)
		return 0;
	frame = restore_tag(&c, &msg, &len);
	print(&c.hdr, frame, len);
	return 1;
}

int main(int argc, char **argv)
{
	struct tpacket_stats stats;
	socklen_t size = sizeof(stats);
	int quiet_ms = argc > 3 ? atoi(argv[3]) : QUIET_MS;
	struct pollfd p = {.events = POLLIN};
	int wait_ms = PATIENCE_MS;
	uint8_t mac[6];

	if (argc < 3 ||
	    sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		&mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		error(1, 0, "wrong words");
	p.fd = listen_to(argv[1]);
	fputs("ready\n", stderr);
	while (poll(&p, 1, wait_ms) > 0)
		if (catch_one(p.fd, mac))
			wait_ms = quiet_ms;
	if (getsockopt(p.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) ||
	    stats.tp_drops)
		error(1, 0, "%u frames escaped", stats.tp_drops);
	return 0;
}
