/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_pass.c - has an interface run an XDP program that lets everything pass.
 *
 *	xdp_pass DEV
 *
 * Says "attached" and waits; the program goes with the process.  It needs
 * nothing but libc, because guests have nothing else.
 */
#include <errno.h>
#include <error.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(void)
{
	static const struct bpf_insn program[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP,
	    .insns = (uintptr_t)program,
	    .insn_cnt = sizeof(program) / sizeof(program[0]),
	    .license = (uintptr_t) "Dual BSD/GPL"};

	return bpf(BPF_PROG_LOAD, &attr);
}

int main(int argc, char **argv)
{
	union bpf_attr attr = {.link_create = {.attach_type = BPF_XDP}};
	int fd = load();

	if (fd < 0)
		error(1, errno, "no program");
	attr.link_create.prog_fd = (uint32_t)fd;
	attr.link_create.target_ifindex =
	    argc == 2 ? if_nametoindex(argv[1]) : 0;
	if (bpf(BPF_LINK_CREATE, &attr) < 0)
		error(1, errno, "not attached");
	puts("attached");
	fflush(stdout);
	return pause();
}
