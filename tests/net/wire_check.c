/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire_check.c - whether frames that were caught are right, each by itself and
 * one after the other.
 *
 *	wire_check <FRAMES
 *
 * Reads what wire_catch prints.  Each frame has to be finished and as long as
 * its headers say, and all of its checksums have to be right.  In each flow of
 * TCP, every sequence number follows from the frame before, or repeats what was
 * sent; every IPv4 identification follows.  Prints what is wrong, and how many
 * frames and bytes there were.  It has its own opinion of the protocols and
 * shares no code with the switch.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_MAX = 65535 + 22, FLOWS_MAX = 64 };
enum { PROTO_TCP = 6, PROTO_UDP = 17, PROTO_DSTOPTS = 60 };
enum { F_FIN = 1, F_SYN = 2, F_RST = 4 };

struct flow {
	uint16_t from, to;
	uint32_t seq;
	uint16_t id;
};

struct checker {
	struct flow flow[FLOWS_MAX];
	unsigned n_flows;
	unsigned long n, n_wrong, payload, repeated; /* bytes */
};

/* A frame with its layers. */
struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
	const uint8_t *ip, *l4;
	size_t l4_len;
	unsigned proto;
	bool is_ip4;
};

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static uint32_t sum(const uint8_t *p, size_t n)
{
	uint32_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return total;
}

static bool sums_up(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total == 0xffff;
}

/* Each of these returns what is wrong, or NULL. */

static const char *parse_ip4(struct frame *f)
{
	unsigned ihl = (f->ip[0] & 15) * 4u, len = be16(f->ip + 2);

	if (f->ip[0] >> 4 != 4 || ihl < 20)
		return "no IPv4 header";
	if (f->ip + len != f->bytes + f->len)
		return "IPv4 length";
	if (!sums_up(sum(f->ip, ihl)))
		return "IPv4 checksum";
	f->proto = f->ip[9];
	f->l4 = f->ip + ihl;
	f->l4_len = len - ihl;
	return NULL;
}

static const char *parse_ip6(struct frame *f)
{
	unsigned len = be16(f->ip + 4), ext = 0;

	if (f->ip[0] >> 4 != 6)
		return "no IPv6 header";
	if (f->ip + 40 + len != f->bytes + f->len)
		return "IPv6 length";
	f->proto = f->ip[6];
	f->l4 = f->ip + 40;
	if (f->proto == PROTO_DSTOPTS) {
		f->proto = f->l4[0];
		ext = (f->l4[1] + 1u) * 8;
	}
	f->l4 += ext;
	f->l4_len = len - ext;
	return NULL;
}

static const char *check_l4(const struct frame *f)
{
	uint32_t total = sum(f->l4, f->l4_len) + f->proto + (uint32_t)f->l4_len;

	total += f->is_ip4 ? sum(f->ip + 12, 8) : sum(f->ip + 8, 32);
	if (f->proto == PROTO_UDP && be16(f->l4 + 4) != f->l4_len)
		return "UDP length";
	if (f->proto == PROTO_UDP && !be16(f->l4 + 6))
		return "UDP without a checksum";
	return sums_up(total) ? NULL : "L4 checksum";
}

static struct flow *flow_of(struct checker *c, const struct frame *f)
{
	unsigned from = be16(f->l4), to = be16(f->l4 + 2);
	struct flow *flow = c->flow;

	while (flow < c->flow + c->n_flows &&
	       (flow->from != from || flow->to != to))
		flow++;
	if (flow < c->flow + c->n_flows)
		return flow;
	if (c->n_flows == FLOWS_MAX)
		exit(2);
	c->n_flows++;
	*flow = (struct flow){.from = (uint16_t)from,
	    .to = (uint16_t)to,
	    .seq = be32(f->l4 + 4),
	    .id = (uint16_t)be16(f->ip + 4)};
	return flow;
}

/* A sender that hears nothing for a while says its last words again. */
static const char *follow_tcp(struct checker *c, const struct frame *f)
{
	struct flow *flow = flow_of(c, f);
	size_t hdr_len = (f->l4[12] >> 4) * 4u;
	uint32_t size = (uint32_t)(f->l4_len - hdr_len);
	uint32_t seq = be32(f->l4 + 4), next;
	const char *wrong = NULL;

	if (hdr_len < 20 || hdr_len > f->l4_len)
		return "TCP header";
	if (f->l4[13] & F_RST) /* perhaps of a stack that knows no flow */
		return NULL;
	next = seq + size + !!(f->l4[13] & F_SYN) + !!(f->l4[13] & F_FIN);
	if (f->is_ip4 && be16(f->ip + 4) != flow->id)
		wrong = "identification";
	flow->id = (uint16_t)(be16(f->ip + 4) + 1);
	if (seq != flow->seq && (int32_t)(next - flow->seq) <= 0) {
		c->repeated += size;
		return wrong;
	}
	if (seq != flow->seq)
		wrong = "sequence";
	c->payload += size;
	flow->seq = next;
	return wrong;
}

static const char *check(struct checker *c, struct frame *f, bool is_finished)
{
	const char *wrong;
	unsigned type = be16(f->bytes + 12);

	f->ip = f->bytes + 14;
	if (type == 0x8100) {
		type = be16(f->bytes + 16);
		f->ip += 4;
	}
	f->is_ip4 = type == 0x0800;
	if (!f->is_ip4 && type != 0x86dd)
		return NULL;
	if (!is_finished)
		return "not finished";
	wrong = f->is_ip4 ? parse_ip4(f) : parse_ip6(f);
	if (wrong || (f->proto != PROTO_TCP && f->proto != PROTO_UDP))
		return wrong;
	wrong = check_l4(f);
	if (wrong)
		return wrong;
	if (f->proto == PROTO_TCP)
		return follow_tcp(c, f);
	c->payload += f->l4_len - 8;
	return NULL;
}

/* The next line; false if there is none. */
static bool read_frame(struct frame *f, bool *is_finished)
{
	static char hex[2 * FRAME_MAX + 1];
	unsigned flags, type;

	if (scanf("%u %u %*u %*u %*u %*u %131114s", &flags, &type, hex) != 3)
		return false;
	f->len = strlen(hex) / 2;
	for (size_t i = 0; i < f->len; i++)
		sscanf(hex + 2 * i, "%2hhx", &f->bytes[i]);
	*is_finished = !flags && !type;
	return true;
}

int main(void)
{
	static struct checker c;
	static struct frame f;
	bool is_finished;

	while (read_frame(&f, &is_finished)) {
		const char *wrong = check(&c, &f, is_finished);

		if (wrong && c.n_wrong++ < 10)
			printf(
			    "frame %lu of %zu bytes: %s\n", c.n, f.len, wrong);
		c.n++;
	}
	printf("%lu frames, %lu wrong, %lu bytes of payload, %lu repeated\n",
	    c.n, c.n_wrong, c.payload, c.repeated);
	return c.n_wrong || !c.n;
}
