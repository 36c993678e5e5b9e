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

/* 6.17: how many frames one sendto() sends in copy mode. */
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

/* What the kernel leaves free before each received frame. */
#ifndef XDP_PACKET_HEADROOM
#define XDP_PACKET_HEADROOM 256
#endif

#endif
