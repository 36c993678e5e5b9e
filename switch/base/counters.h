/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters.h - what happened to every frame, with one reason for every drop.
 *
 * A struct counters belongs to one port as seen by one worker.  Conservation:
 * a frame that is taken in is counted by the worker that took it in, to its
 * end, so that within any one worker, and therefore over all of them,
 *
 *     rx_packets + flooded + tx_segments  ==  tx_packets + drops + tx_merged
 *
 * summed over a bridge, where flooded (at the ingress port) is the number of
 * copies made beyond the first, tx_segments that of frames which came of the
 * cutting of large ones beyond the first, and tx_merged that of frames which
 * became part of another.  A drop while taking in is charged to the ingress port, a drop while
 * putting out to the egress port.
 *
 * Threads: one writer, the worker; others read through worker_read_counters(),
 * which sees the counters between two batches.
 */
#ifndef SWITCH_BASE_COUNTERS_H
#define SWITCH_BASE_COUNTERS_H

#include <stdint.h>

/* The kernel's devlink trap names where one exists, else plain words.
 * X(identifier, name, direction in which it is charged) */
#define DROP_REASONS(X)                                                        \
	X(SOURCE_MAC_IS_MULTICAST, "source_mac_is_multicast", rx)              \
	X(RESERVED_ADDRESS, "reserved_address", rx)                            \
	X(VLAN_TAG_MISMATCH, "vlan_tag_mismatch", rx)                          \
	X(INGRESS_VLAN_FILTER, "ingress_vlan_filter", rx)                      \
	X(PORT_LIST_IS_EMPTY, "port_list_is_empty", rx)                        \
	X(PORT_LOOPBACK_FILTER, "port_loopback_filter", rx)                    \
	X(RX_MALFORMED, "rx_malformed", rx)                                    \
	X(RX_RUNT, "rx_runt", rx)                                              \
	X(RX_OVERSIZE, "rx_oversize", rx)                                      \
	X(BAD_DESCRIPTOR, "bad_descriptor", rx)                                \
	X(BAD_CSUM, "bad_csum", rx)                                            \
	X(BAD_GSO, "bad_gso", rx)                                              \
	X(MAC_LIMIT, "mac_limit", rx)                                          \
	X(LOCKED, "locked", rx)                                                \
	X(POLICED, "policed", rx)                                              \
	X(ISOLATED, "isolated", rx)                                            \
	X(PORT_DOWN, "port_down", tx)                                          \
	X(MTU_EXCEEDED, "mtu_exceeded", tx)                                    \
	X(TAIL_DROP, "tail_drop", tx)                                          \
	X(GUEST_RING_FULL, "guest_ring_full", tx)                              \
	X(GUEST_BUFFER_SMALL, "guest_buffer_small", tx)                        \
	X(GUEST_RING_BROKEN, "guest_ring_broken", tx)                          \
	X(EGRESS_TAG_STACKED, "egress_tag_stacked", tx)                        \
	X(NO_OFFLOAD, "no_offload", tx)                                        \
	X(NO_MEMORY, "no_memory", tx)                                          \
	X(KERNEL_REFUSED, "kernel_refused", tx)

enum drop_reason {
#define X(id, name, dir) DROP_##id,
	DROP_REASONS(X)
#undef X
	    DROP_N,
	DROP_NONE = DROP_N
};

struct counters {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes;
	uint64_t tx_copied; /* of tx_packets: those whose bytes were copied */
	uint64_t tx_segments, tx_merged;
	uint64_t passed_through; /* tx was given it with something undone */
	uint64_t flooded; /* copies beyond the first of frames taken in here */
	uint64_t drops[DROP_N];
};

/* "guest_ring_full" for DROP_GUEST_RING_FULL. */
const char *drop_name(enum drop_reason why);

/* Whether @why counts as rx_dropped (true) or tx_dropped of its port. */
int drop_is_rx(enum drop_reason why);

/* Adds every counter of @from to @to. */
void counters_add(struct counters *to, const struct counters *from);

#endif
