/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.bpf.c - what runs in the kernel for each frame that a card receives.
 *
 * A frame goes to the AF_XDP socket of the queue that it came in by; one from
 * a queue without a socket goes on to the host, as if we were not there.  It
 * says that it copes with frames of several buffers (xdp.frags), because it
 * looks into none.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum { QUEUES_MAX = 64 };

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

SEC("xdp.frags")
int swd_to_socket(struct xdp_md *frame)
{
	return (int)bpf_redirect_map(&sockets, frame->rx_queue_index, XDP_PASS);
}

char program_license[] SEC("license") = "Dual BSD/GPL";
