/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng.c - the blocks of a capture file.
 *
 * A block is type, length, body, and length again; bodies, and the values of
 * options, are filled up to 4 bytes.
 */
#include <string.h>

#include "ports/pipe/client/pcapng.h"

enum {
	SECTION_HEADER = 0x0a0d0d0a,
	INTERFACE_DESCRIPTION = 1,
	INTERFACE_STATISTICS = 5,
	ENHANCED_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINK_ETHERNET = 1,
	TIME_IN_NS = 9, /* if_tsresol: 10 to the power of minus that */
};

enum option {
	OPT_END = 0,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	ISB_IFRECV = 4,
};

/* A block that is being put together; all but packets are small. */
struct block {
	uint32_t len;
	uint8_t bytes[512];
};

static uint32_t pad(uint32_t len)
{
	return -len & 3;
}

static void put(struct block *b, const void *p, uint32_t len)
{
	memcpy(b->bytes + b->len, p, len);
	memset(b->bytes + b->len + len, 0, pad(len));
	b->len += len + pad(len);
}

static void put_option(
    struct block *b, enum option code, const void *p, uint32_t len)
{
	const uint16_t head[2] = {(uint16_t)code, (uint16_t)len};

	put(b, head, sizeof(head));
	put(b, p, len);
}

static void put_text(struct block *b, enum option code, const char *s)
{
	put_option(b, code, s, (uint32_t)strnlen(s, 128));
}

static void write_block(FILE *f, uint32_t type, const struct block *b)
{
	uint32_t head[2] = {type, b->len + 12};

	fwrite(head, sizeof(head), 1, f);
	fwrite(b->bytes, b->len, 1, f);
	fwrite(&head[1], sizeof(head[1]), 1, f);
}

static void write_section(FILE *f, const char *program)
{
	const struct {
		uint32_t byte_order;
		uint16_t major, minor;
		int64_t length; /* not known */
	} __attribute__((packed)) head = {BYTE_ORDER_MAGIC, 1, 0, -1};
	struct block b = {0};

	put(&b, &head, sizeof(head));
	put_text(&b, SHB_USERAPPL, program);
	put_option(&b, OPT_END, "", 0);
	write_block(f, SECTION_HEADER, &b);
}

void pcapng_begin(
    FILE *f, const char *program, const char *interface, uint32_t snap)
{
	const struct {
		uint16_t link_type, reserved;
		uint32_t snap;
	} head = {LINK_ETHERNET, 0, snap};
	const uint8_t resolution = TIME_IN_NS;
	struct block b = {0};

	write_section(f, program);
	put(&b, &head, sizeof(head));
	put_text(&b, IF_NAME, interface);
	put_option(&b, IF_TSRESOL, &resolution, sizeof(resolution));
	put_option(&b, OPT_END, "", 0);
	write_block(f, INTERFACE_DESCRIPTION, &b);
}

void pcapng_packet(
    FILE *f, uint64_t ns, const struct iovec *part, uint32_t len, uint32_t kept)
{
	const uint32_t size = 32 + kept + pad(kept);
	const uint32_t head[7] = {ENHANCED_PACKET, size, 0,
	    (uint32_t)(ns >> 32), (uint32_t)ns, kept, len};

	fwrite(head, sizeof(head), 1, f);
	for (uint32_t left = kept; left; part++) {
		uint32_t n =
		    part->iov_len < left ? (uint32_t)part->iov_len : left;

		fwrite(part->iov_base, n, 1, f);
		left -= n;
	}
	fwrite("\0\0\0", pad(kept), 1, f);
	fwrite(&size, sizeof(size), 1, f);
}

void pcapng_end(FILE *f, uint64_t ns, uint64_t n_received)
{
	const uint32_t head[3] = {0, (uint32_t)(ns >> 32), (uint32_t)ns};
	struct block b = {0};

	put(&b, head, sizeof(head));
	put_option(&b, ISB_IFRECV, &n_received, sizeof(n_received));
	put_option(&b, OPT_END, "", 0);
	write_block(f, INTERFACE_STATISTICS, &b);
}
