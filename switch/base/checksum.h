/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checksum.h - the Internet checksum (RFC 1071) of memory and of frames.
 *
 * A *sum* is a ones' complement sum of 16-bit words as they lie in memory, so
 * byte order never matters (RFC 1071, 2B); it is kept in 64 bits, unfolded,
 * and sums are added with +.  Pieces may have any length and alignment: each
 * is told where in the whole it begins, and an odd place swaps its bytes.
 *
 * Whatever is long is summed in vectors, with AVX2 where the processor has it:
 * bench/offload.c shows that it costs less than to copy the same bytes.
 *
 * Threads: any.  Memory that a peer may write meanwhile can be summed: the
 * result is then that of some mixture, and nothing else is decided by it.
 */
#ifndef SWITCH_BASE_CHECKSUM_H
#define SWITCH_BASE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/frame.h"

/* @sum plus that of p[0..n), which begins at byte @at of what is summed. */
uint64_t checksum_add(uint64_t sum, uint32_t at, const void *p, size_t n);

/* The sum of one 16-bit number in network byte order. */
static inline uint16_t checksum_be16(uint16_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap16(v);
#endif
	return v;
}

/* 16 bits to store as they are; a message that includes its own right
 * checksum has 0xffff. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)((sum >> 16) + (sum & 0xffff));
}

/* The sum of @f from byte @start, which lies in the head, to its end. */
uint64_t checksum_frame(const struct frame *f, uint32_t start);

/* Completes the checksum that the sender of @f left (OFFLOAD_CSUM) and that
 * is not one of a frame to be segmented: writes it to the head and leaves
 * OFFLOAD_VALID.  Worker.  False, and nothing is changed, if the field lies
 * past the head, behind headers that nobody has looked at. */
bool checksum_finish(struct frame *f);

/* Finds out whether the sender of @f, a finished frame to all appearance, left
 * its TCP or UDP checksum undone without a word, as a virtual cable (veth)
 * between a network stack and an XDP program hands it over: the field then
 * has the sum of the pseudo-header, and the packet is not right as it is.
 * Sets OFFLOAD_CSUM if so.  Worker. */
void checksum_detect(struct frame *f);

#endif
