/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * merge.h - packets of one flow made into the large frame that they came from.
 *
 * The reverse of segment.h, for receivers that take large frames (what Linux
 * calls GRO): runs of TCP segments, or of UDP datagrams of one size, that are
 * in one batch and follow each other in their flow become one frame with a
 * gso_size.  It has new headers, in the memory of a batch, and segments that
 * point to the payloads of the originals: no payload is copied, but each is
 * read once to verify its checksum, because the receiver will not.
 *
 * What may be merged is what the kernel would merge (tcp_gro_receive,
 * inet_gro_receive, udp_gro_receive_segment) and segmentation restores but
 * for the IPv4 identification of packets that may not be fragmented (RFC
 * 6864, 4): equal headers, consecutive numbers, nothing but ACK in the flags
 * (ECE if all have it, PSH on the last), equal sizes but for a shorter last.
 * Not merged: IPv4 options and fragments, IPv6 extension headers, frames that
 * are large already.
 *
 * A merged frame stands where its first part stood.  Nothing overtakes a
 * packet of its own flow, and nothing is kept back for the next batch.
 *
 * Threads: only the worker that has the frames.
 * Ownership: a merged frame is borrowed, nobody takes it; it is valid as long
 * as the batch that it is in is not emptied and its parts are.
 */
#ifndef SWITCH_BASE_MERGE_H
#define SWITCH_BASE_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/frame.h"

/* Whether a port that accepts @accepts (enum offload_bit) takes anything that
 * merge_frames() makes. */
static inline bool merge_is_wanted(uint8_t accepts)
{
	return accepts & OFFLOAD_CSUM && accepts & OFFLOAD_GSO;
}

/* Replaces runs in f[0..n), frames of one batch (n <= BATCH_MAX) that leave by
 * one port, by merged frames of the kinds that @accepts names, which are made
 * in the empty batch @room; the others stay, and the order of them all.
 * Returns how many f[] has afterwards. */
unsigned merge_frames(
    struct frame *f[], unsigned n, uint8_t accepts, struct batch *room);

#endif
