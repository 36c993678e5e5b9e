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
 *
 * Frames are caught in a ring, into which the kernel copies them as they pass: a
 * frame that waited in a socket's queue would be read where the card of its
 * sender has it, which may be about to send the next one from there.
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
#include <sys/mman.h>
#include <sys/socket.h>

enum { FRAME_MAX = 65535 + 22, PATIENCE_MS = 5000, QUIET_MS = 200 };
enum { TAG_LEN = 4, ADDRS_LEN = 12 };
enum { SLOT = 128 << 10, BLOCK = 1 << 20, N_SLOTS = 1024 };

struct caught {
	struct virtio_net_hdr hdr;
	uint8_t
	    frame[TAG_LEN + FRAME_MAX]; /* room for a tag, then as it came */
};

static void set(int fd, int option, const void *value, socklen_t size)
{
	if (setsockopt(fd, SOL_PACKET, option, value, size))
		error(1, errno, "option %d of a socket", option);
}

/* Sets *slots to the ring's N_SLOTS slots of SLOT bytes. */
static int listen_to(const char *dev, uint8_t **slots)
{
	const int yes = 1, version = TPACKET_V2;
	const struct tpacket_req ring = {.tp_block_size = BLOCK,
	    .tp_block_nr = N_SLOTS / (BLOCK / SLOT),
	    .tp_frame_size = SLOT,
	    .tp_frame_nr = N_SLOTS};
	struct sockaddr_ll from = {.sll_family = AF_PACKET,
	    .sll_ifindex = (int)if_nametoindex(dev),
	    .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (!from.sll_ifindex)
		error(1, errno, "no interface %s", dev);
	set(fd, PACKET_VERSION, &version, sizeof(version));
	set(fd, PACKET_VNET_HDR, &yes, sizeof(yes));
	set(fd, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	set(fd, PACKET_RX_RING, &ring, sizeof(ring));
	*slots = mmap(NULL, (size_t)N_SLOTS * SLOT, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (*slots == MAP_FAILED)
		error(1, errno, "mmap");
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)))
		error(1, errno, "bind");
	return fd;
}

/* Copies the frame in slot @h to *c, with the tag that the kernel took out of
 * it.  Returns where it begins there. */
static uint8_t *take_out(
    struct caught *c, const struct tpacket2_hdr *h, size_t *len)
{
	const uint8_t *from = (const uint8_t *)h + h->tp_mac;
	const uint16_t tag[] = {htons(h->tp_vlan_tpid), htons(h->tp_vlan_tci)};
	uint8_t *frame = c->frame + TAG_LEN;

	*len = h->tp_snaplen;
	memcpy(&c->hdr, from - sizeof(c->hdr), sizeof(c->hdr));
	memcpy(frame, from, *len);
	if (!(h->tp_status & TP_STATUS_VLAN_VALID))
		return frame;
	memmove(c->frame, frame, ADDRS_LEN);
	memcpy(c->frame + ADDRS_LEN, tag, sizeof(tag));
	*len += TAG_LEN;
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

/* Whether the frame in slot @h is from @mac, and printed. */
static int print_one(const struct tpacket2_hdr *h, const uint8_t *mac)
{
	static struct caught c;
	uint8_t *frame;
	size_t len;

	if (memcmp((const uint8_t *)h + h->tp_mac + 6, mac, 6) != 0)
		return 0;
	frame = take_out(&c, h, &len);
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
	uint8_t mac[6], *slots;

	if (argc < 3 ||
	    sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1],
		&mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		error(1, 0, "wrong words");
	p.fd = listen_to(argv[1], &slots);
	fputs("ready\n", stderr);
	for (unsigned i = 0;; i = (i + 1) % N_SLOTS) {
		struct tpacket2_hdr *h = (void *)(slots + i * SLOT);

		while (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) &
			 TP_STATUS_USER))
			if (poll(&p, 1, wait_ms) <= 0)
				goto quiet;
		if (print_one(h, mac))
			wait_ms = quiet_ms;
		__atomic_store_n(
		    &h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	}
quiet:
	if (getsockopt(p.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) ||
	    stats.tp_drops)
		error(1, 0, "%u frames escaped", stats.tp_drops);
	return 0;
}
