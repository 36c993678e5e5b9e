/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.h - what light guests say: UDP over IPv4, with a mark to know it by.
 *
 *	 0  destination  02:guest:queue:address (3 bytes)
 *	 6  source       the same
 *	12  IPv4, with a checksum that is right; 34  UDP, without one
 *	42  mark: sequence number, guest and queue it is from, seed of ...
 *	50  ... the pattern, up to the end
 *
 * Threads: any.
 */
#ifndef BENCH_PARTS_FRAMES_H
#define BENCH_PARTS_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	FRAME_MIN = 60, /* without the checksum of the link */
	FRAME_MAX = 9216,
	FRAME_MARK_AT = 42,
	FRAME_PATTERN_AT = 50,
};

/* One of the addresses of one queue of one guest. */
struct frame_end {
	uint8_t guest, queue;
	uint32_t address;
};

struct frame_mark {
	uint32_t seq;
	uint8_t guest, queue; /* of the sender */
	uint16_t seed;
};

/* Writes a whole frame of @len bytes. */
void frame_lay(uint8_t *frame, uint32_t len, struct frame_end to,
    struct frame_end from, uint16_t seed);

/* Makes @frame one that every port gets. */
void frame_to_all(uint8_t *frame);

/* Whether @frame has the pattern of its mark's seed. */
bool frame_intact(const uint8_t *frame, uint32_t len);

static inline void frame_address(
    uint8_t *frame, struct frame_end to, struct frame_end from)
{
	uint32_t a = __builtin_bswap32(to.address) >> 8;
	uint32_t b = __builtin_bswap32(from.address) >> 8;
	const uint8_t head[12] = {2, to.guest, to.queue, (uint8_t)a,
	    (uint8_t)(a >> 8), (uint8_t)(a >> 16), 2, from.guest, from.queue,
	    (uint8_t)b, (uint8_t)(b >> 8), (uint8_t)(b >> 16)};

	memcpy(frame, head, sizeof(head));
}

static inline struct frame_mark frame_mark(const uint8_t *frame)
{
	struct frame_mark m;

	memcpy(&m, frame + FRAME_MARK_AT, sizeof(m));
	return m;
}

static inline void frame_set_seq(uint8_t *frame, uint32_t seq)
{
	memcpy(frame + FRAME_MARK_AT, &seq, sizeof(seq));
}

#endif
