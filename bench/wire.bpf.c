/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.bpf.c - the kernel's half of wire: sends frames, counts and drops them.
 *
 * send runs once for each frame of BPF_PROG_RUN with live frames: it addresses
 * the frame and hands it to an interface, without a socket buffer.  The
 * addresses are those of N_HOSTS hosts on either side; wire.c has put them into
 * the frame but for the side and the host.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

enum { N_HOSTS = 8, BURST = 64, ETHERTYPE_TEST = 0x88b5 /* local use */ };

/* Set by wire.c. */
__u32 ifindex[2];
__u32 both; /* send from both sides in turn, a burst each; else from 0 */

/* One writer each: the generator's core; the core that a side's receive queue
 * runs on.  Apart, or the generator would slow the other core down. */
__u64 sent[2] __attribute__((aligned(128)));
__u64 arrived[2] __attribute__((aligned(128)));
__u64 turn __attribute__((aligned(128)));

SEC("xdp")
int send(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u32 side = both && turn & BURST, host = turn % N_HOSTS;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	turn++;
	sent[side & 1]++;
	eth->h_source[4] = side;
	eth->h_source[5] = host;
	eth->h_dest[4] = !side;
	eth->h_dest[5] = host;
	return bpf_redirect(ifindex[side & 1], 0);
}

static __always_inline int count(struct xdp_md *ctx, __u32 side)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) <= (void *)(long)ctx->data_end &&
	    eth->h_proto == bpf_htons(ETHERTYPE_TEST) && eth->h_dest[4] == side)
		arrived[side]++;
	return XDP_DROP;
}

SEC("xdp")
int count_0(struct xdp_md *ctx)
{
	return count(ctx, 0);
}

SEC("xdp")
int count_1(struct xdp_md *ctx)
{
	return count(ctx, 1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
