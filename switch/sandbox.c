/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.c - what the process, and a worker, may still ask of the kernel.
 *
 * What is called often is allowed whatever its arguments are: for such a call
 * the kernel (5.11) runs no filter but reads one bit.  What remains is the longer
 * way into it, some 40 ns: 840 for a doorbell, and 290 for a write(2), in all.
 */
#include <errno.h>
#include <grp.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "switch/base/log.h"
#include "switch/base/privilege.h"
#include "switch/sandbox.h"

#ifndef __has_feature
#define __has_feature(x) 0 /* gcc has macros instead */
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { FILTERS = false };
#else
enum { FILTERS = true };
#endif

#define CALL(name) SCMP_SYS(name)
#define N_OF(list) (sizeof(list) / sizeof((list)[0]))

/* Of every thread. */
static const int everyday[] = {
    CALL(read),
    CALL(readv),
    CALL(write),
    CALL(writev),
    CALL(recvfrom),
    CALL(sendto),
    CALL(io_submit), /* doorbell.h */
    CALL(io_getevents),
    CALL(epoll_ctl),
    CALL(epoll_wait),
    CALL(epoll_pwait),
    CALL(poll),
    CALL(ppoll),
    CALL(futex),
    CALL(sched_yield),
    CALL(timerfd_settime),
    CALL(clock_gettime), /* where the vdso cannot tell */
    CALL(clock_nanosleep),
    CALL(nanosleep),
    CALL(restart_syscall),
    CALL(brk), /* malloc's, as are those with arguments below */
    CALL(madvise),
    CALL(mremap),
    CALL(munmap),
    CALL(rt_sigaction), /* guard.h, abort(3) */
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(getpid),
    CALL(gettid),
    CALL(tgkill),
    CALL(exit),
    CALL(exit_group),
};

/* Of the control thread: descriptors, files, memory, threads. */
static const int control[] = {
    CALL(accept4),
    CALL(bind),
    CALL(connect),
    CALL(getpeername),
    CALL(getsockname),
    CALL(getsockopt),
    CALL(listen),
    CALL(recvmsg),
    CALL(sendmsg),
    CALL(setsockopt),
    CALL(shutdown),

    CALL(close),
    CALL(dup),
    CALL(epoll_create1),
    CALL(eventfd2),
    CALL(fcntl),
    CALL(flock),
    CALL(io_destroy),
    CALL(io_setup),
    CALL(memfd_create),
    CALL(pidfd_open), /* takeover.h */
    CALL(pidfd_send_signal),
    CALL(signalfd4),
    CALL(timerfd_create),
    CALL(timerfd_gettime),

    CALL(access),
    CALL(chmod),
    CALL(faccessat),
    CALL(faccessat2),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(fchownat),
    CALL(fstat),
    CALL(fstatfs),
    CALL(ftruncate),
    CALL(getdents64),
    CALL(lchown),
    CALL(lseek),
    CALL(lstat),
    CALL(mkdir),
    CALL(mkdirat),
    CALL(newfstatat),
    CALL(open),
    CALL(openat),
    CALL(pread64),
    CALL(readlink),
    CALL(readlinkat),
    CALL(stat),
    CALL(statfs),
    CALL(unlink),
    CALL(unlinkat),

    CALL(bpf),
    CALL(get_mempolicy),
    CALL(getegid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getrandom),
    CALL(getrlimit),
    CALL(getuid),
    CALL(mbind),
    CALL(prlimit64),
    CALL(sched_getaffinity),
    CALL(sched_setaffinity),
    CALL(set_mempolicy),
    CALL(setrlimit),
    CALL(sysinfo),
    CALL(uname),

    CALL(clone), /* threads, and less and less: */
    CALL(clone3),
    CALL(capget),
    CALL(capset),
    CALL(rseq),
    CALL(seccomp),
    CALL(set_robust_list),
};

static const int intruders[] = {
    CALL(execve),
    CALL(execveat),
    CALL(finit_module),
    CALL(init_module),
    CALL(kexec_load),
    CALL(mount),
    CALL(process_vm_readv),
    CALL(process_vm_writev),
    CALL(ptrace),
    CALL(userfaultfd),
};

static const uint64_t families[] = {AF_UNIX, AF_NETLINK, AF_PACKET, AF_XDP};

/* ioctl(2): taps, and what only it tells of cards. */
static const uint64_t requests[] = {TUNSETIFF, TUNGETIFF, TUNSETOFFLOAD,
    TUNSETVNETHDRSZ, TUNSETVNETLE, TUNSETCARRIER, SIOCETHTOOL};

static const uint64_t options[] = {
    PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_READ};

static int add_list(
    scmp_filter_ctx f, uint32_t action, const int list[], size_t n)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = seccomp_rule_add(f, action, list[i], 0);
	return rc;
}

/* @call, with argument number @arg one of list[0..n). */
static int add_choice(
    scmp_filter_ctx f, int call, unsigned arg, const uint64_t list[], size_t n)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1,
		    SCMP_CMP(arg, SCMP_CMP_EQ, list[i], 0));
	return rc;
}

/* Memory that is not executable. */
static int add_memory(scmp_filter_ctx f)
{
	const struct scmp_arg_cmp data =
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, data);

	return rc ? rc
		  : seccomp_rule_add(
			f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, data);
}

static int add_control(scmp_filter_ctx f)
{
	int rc = add_list(f, SCMP_ACT_ALLOW, control, N_OF(control));

	if (!rc)
		rc = add_choice(
		    f, SCMP_SYS(socket), 0, families, N_OF(families));
	if (!rc)
		rc =
		    add_choice(f, SCMP_SYS(ioctl), 1, requests, N_OF(requests));
	if (!rc)
		rc = add_choice(f, SCMP_SYS(prctl), 0, options, N_OF(options));
	return rc;
}

static int fill(scmp_filter_ctx f, bool is_worker)
{
	int rc = add_list(f, SCMP_ACT_ALLOW, everyday, N_OF(everyday));

	if (!rc)
		rc = add_memory(f);
	if (!rc && !is_worker)
		rc = add_control(f);
	if (!rc && !getenv("SWD_STRICT"))
		rc = add_list(
		    f, SCMP_ACT_KILL_PROCESS, intruders, N_OF(intruders));
	/* Kernels before 5.16 make every load of a filtered thread slower,
	 * against code in it that is not trusted: there is none. */
	if (!rc)
		rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1);
	if (!rc)
		rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1);
	return rc;
}

static int load(bool is_worker)
{
	scmp_filter_ctx f =
	    seccomp_init(getenv("SWD_STRICT") ? SCMP_ACT_KILL_PROCESS
					      : SCMP_ACT_ERRNO(ENOSYS));
	int rc = f ? fill(f, is_worker) : -ENOMEM;

	if (!rc)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc;
}

static const char nobodys[] = "?";
static bool entered;

int sandbox_enter(struct err *e)
{
	int rc = privilege_drop(e);

	if (rc || !FILTERS)
		return rc;
	getgrnam(nobodys); /* loads what names of groups are looked up with */
	rc = load(false);
	entered = !rc;
	if (rc)
		log_warning("no filter of system calls: %s", strerror(-rc));
	return 0;
}

int sandbox_enter_worker(void)
{
	privilege_give_up();
	return entered ? load(true) : 0;
}

bool sandbox_is_there(void)
{
	return FILTERS;
}
