/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gso_send.c - sends one large frame that is still to be cut and summed.
 *
 *	gso_send DEV tcp4|tcp6|udp4|udp6 [KEY NUMBER]...
 *
 * The frame and its virtio-net header go out by interface DEV as they are; who
 * cuts it depends on what is behind DEV: the switch, if it is a tap of its, or
 * the kernel, if it is an interface without such offloads.  With - for DEV they
 * are printed, as wire_catch prints what it catches.  Keys:
 *
 *	payload, mss	bytes, 60000 in segments of 1448, or 1428 over IPv6
 *	flags		of TCP, 0x18: ACK and PSH
 *	seq, id		TCP's sequence number, IPv4's identification
 *	df		0: may be fragmented
 *	options		bytes of TCP options, 12
 *	ip-options	bytes of IPv4 options, or of an IPv6 extension header
 *	vlan		a tag with this
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { GSO_UDP_L4 = 5, FRAME_MAX = 65535 + 18, TYPE_IP4 = 0x0800 };
enum { TYPE_IP6 = 0x86dd, TYPE_VLAN = 0x8100, PROTO_TCP = 6, PROTO_UDP = 17 };

struct wish {
	int is_tcp, is_ip4;
	unsigned payload, mss, flags, seq, id, df, options, ip_options, vlan;
};

struct build {
	uint8_t frame[FRAME_MAX];
	size_t len; /* bytes so far */
	struct virtio_net_hdr hdr;
};

static void put(struct build *b, const void *bytes, size_t n)
{
	memcpy(b->frame + b->len, bytes, n);
	b->len += n;
}

static void put8(struct build *b, unsigned v)
{
	b->frame[b->len++] = (uint8_t)v;
}

static void put16(struct build *b, unsigned v)
{
	put8(b, v >> 8);
	put8(b, v);
}

static void put32(struct build *b, unsigned v)
{
	put16(b, v >> 16);
	put16(b, v);
}

/* Of big-endian words; an odd byte is the upper half of one. */
static uint32_t sum(const uint8_t *p, size_t n)
{
	uint32_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return total;
}

static uint16_t fold(uint32_t total)
{
	total = (total & 0xffff) + (total >> 16);
	return (uint16_t)(total + (total >> 16));
}

static void put_eth(struct build *b, const struct wish *w)
{
	static const uint8_t addrs[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};

	put(b, addrs, sizeof(addrs));
	if (w->vlan) {
		put16(b, TYPE_VLAN);
		put16(b, w->vlan);
	}
	put16(b, w->is_ip4 ? TYPE_IP4 : TYPE_IP6);
}

static void put_ip4(struct build *b, const struct wish *w, unsigned l4_len)
{
	size_t at = b->len;
	uint16_t check;

	put8(b, 0x45 + w->ip_options / 4);
	put8(b, 0);
	put16(b, 20 + w->ip_options + l4_len);
	put16(b, w->id);
	put16(b, w->df ? 0x4000 : 0);
	put8(b, 64);
	put8(b, w->is_tcp ? PROTO_TCP : PROTO_UDP);
	put16(b, 0);
	put32(b, 0x0a090001);
	put32(b, 0x0a090002);
	for (unsigned i = 0; i < w->ip_options; i++)
		put8(b, 1); /* no operation */
	check = (uint16_t)~fold(sum(b->frame + at, b->len - at));
	b->frame[at + 10] = (uint8_t)(check >> 8);
	b->frame[at + 11] = (uint8_t)check;
}

/* The extension header is one of destination options, padded. */
static void put_ip6(struct build *b, const struct wish *w, unsigned l4_len)
{
	static const uint8_t from[16] = {0xfd, [15] = 1};
	static const uint8_t to[16] = {0xfd, [15] = 2};
	unsigned next = w->is_tcp ? PROTO_TCP : PROTO_UDP;

	put32(b, 0x60012345);
	put16(b, w->ip_options + l4_len);
	put8(b, w->ip_options ? 60 : next);
	put8(b, 64);
	put(b, from, sizeof(from));
	put(b, to, sizeof(to));
	if (!w->ip_options)
		return;
	put8(b, next);
	put8(b, w->ip_options / 8 - 1);
	put8(b, 1); /* PadN */
	put8(b, w->ip_options - 4);
	for (unsigned i = 4; i < w->ip_options; i++)
		put8(b, 0);
}

static void put_l4(
    struct build *b, const struct wish *w, unsigned l4_len, unsigned pseudo_sum)
{
	put16(b, 4242);
	put16(b, 4243);
	if (!w->is_tcp) {
		put16(b, l4_len);
		put16(b, pseudo_sum);
		return;
	}
	put32(b, w->seq);
	put32(b, 0x01020304);
	put8(b, (5 + w->options / 4) << 4);
	put8(b, w->flags);
	put16(b, 0x7fff);
	put16(b, pseudo_sum);
	put16(b, 0);
	for (unsigned i = 0; i < w->options; i++)
		put8(b, 1);
}

static void build(struct build *b, const struct wish *w)
{
	unsigned l4_hdr = w->is_tcp ? 20 + w->options : 8;
	unsigned l4_len = l4_hdr + w->payload, addrs;
	size_t l4;

	put_eth(b, w);
	addrs = (unsigned)b->len + (w->is_ip4 ? 12 : 8);
	if (w->is_ip4)
		put_ip4(b, w, l4_len);
	else
		put_ip6(b, w, l4_len);
	l4 = b->len;
	put_l4(b, w, l4_len,
	    fold(sum(b->frame + addrs, w->is_ip4 ? 8 : 32) +
		 (w->is_tcp ? PROTO_TCP : PROTO_UDP) + l4_len));
	b->hdr = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .gso_type = !w->is_tcp  ? GSO_UDP_L4
			: w->is_ip4 ? VIRTIO_NET_HDR_GSO_TCPV4
				    : VIRTIO_NET_HDR_GSO_TCPV6,
	    .hdr_len = (uint16_t)b->len,
	    .gso_size = (uint16_t)w->mss,
	    .csum_start = (uint16_t)l4,
	    .csum_offset = w->is_tcp ? 16 : 6};
	if (w->is_tcp && w->flags & 0x80) /* CWR */
		b->hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	for (unsigned i = 0; i < w->payload; i++)
		put8(b, i * 7 + i / 251);
}

static void send_frame(struct build *b, const char *dev, unsigned type)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	    .sll_ifindex = (int)if_nametoindex(dev),
	    .sll_protocol = htons((uint16_t)type)};
	struct iovec iov[] = {{&b->hdr, sizeof(b->hdr)}, {b->frame, b->len}};
	struct msghdr msg = {.msg_name = &to,
	    .msg_namelen = sizeof(to),
	    .msg_iov = iov,
	    .msg_iovlen = 2};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	if (!to.sll_ifindex)
		error(1, errno, "no interface %s", dev);
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    sendmsg(fd, &msg, 0) < 0)
		error(1, errno, "send");
}

static void print(const struct build *b)
{
	printf("%u %u %u %u %u %u ", b->hdr.flags, b->hdr.gso_type,
	    b->hdr.hdr_len, b->hdr.gso_size, b->hdr.csum_start,
	    b->hdr.csum_offset);
	for (size_t i = 0; i < b->len; i++)
		printf("%02x", b->frame[i]);
	putchar('\n');
}

static void parse(struct wish *w, const char *key, const char *value)
{
	const struct {
		const char *key;
		unsigned *value;
	} keys[] = {{"payload", &w->payload}, {"mss", &w->mss},
	    {"flags", &w->flags}, {"seq", &w->seq}, {"id", &w->id},
	    {"df", &w->df}, {"options", &w->options},
	    {"ip-options", &w->ip_options}, {"vlan", &w->vlan}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].key, key)) {
			*keys[i].value = (unsigned)strtoul(value, NULL, 0);
			return;
		}
	error(1, 0, "no key %s", key);
}

int main(int argc, char **argv)
{
	static struct build b;
	struct wish w = {.payload = 60000,
	    .flags = 0x18,
	    .seq = 0x12345678,
	    .id = 1000,
	    .df = 1,
	    .options = 12};

	if (argc < 3 || argc % 2 == 0)
		error(1, 0, "wrong words");
	w.is_tcp = argv[2][0] == 't';
	w.is_ip4 = argv[2][strlen(argv[2]) - 1] == '4';
	w.mss = w.is_ip4 ? 1448 : 1428;
	for (int i = 3; i < argc; i += 2)
		parse(&w, argv[i], argv[i + 1]);
	if (w.payload > 65535 - 160 || w.options > 40 || w.ip_options > 40)
		error(1, 0, "too much");
	build(&b, &w);
	if (!strcmp(argv[1], "-"))
		print(&b);
	else
		send_frame(&b, argv[1],
		    w.vlan     ? TYPE_VLAN
		    : w.is_ip4 ? TYPE_IP4
			       : TYPE_IP6);
	return 0;
}
