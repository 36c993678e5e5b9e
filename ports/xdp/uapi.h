/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uapi.h - what the kernel has and Debian 12's headers lack.
 *
 * From include/uapi/linux/if_xdp.h, with the release that brought each.  A
 * kernel without it answers with an error, which is how we find out.
 */
#ifndef PORTS_XDP_UAPI_H
#define PORTS_XDP_UAPI_H

#include <linux/if_xdp.h>
#include <stdint.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif

/* 6.6: frames of several buffers; the mark of all buffers but the last. */
#ifndef XDP_USE_SG
#define XDP_USE_SG    (1 << 4)
#define XDP_PKT_CONTD (1 << 0)
#endif

/* 6.8: what is to be done with a frame stands before it; the flag of the
 * registration that says so, 6.11 and stable releases before. */
#ifndef XDP_UMEM_TX_METADATA_LEN
#define XDP_UMEM_TX_METADATA_LEN (1 << 2)
#endif
#ifndef XDP_TX_METADATA
#define XDP_TX_METADATA		(1 << 1)
#define XDP_TXMD_FLAGS_CHECKSUM (1 << 1)
struct xsk_tx_metadata {
	uint64_t flags;
	struct {
		uint16_t csum_start, csum_offset;
		uint32_t unused;
	} request;
};
#endif

/* struct xdp_umem_reg with its last member, padding to older kernels. */
struct umem_reg {
	uint64_t addr, len;
	uint32_t chunk_size, headroom, flags, tx_metadata_len;
};
_Static_assert(sizeof(struct umem_reg) == 32, "as the kernel has it");
_Static_assert(sizeof(struct xsk_tx_metadata) == 16, "as the kernel has it");

/* 6.17: how many frames one sendto() sends in copy mode. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

/* What the kernel leaves free before each received frame. */
#ifndef XDP_PACKET_HEADROOM
#define XDP_PACKET_HEADROOM 256
#endif

#endif
