/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_sandbox.c - what is refused, to the process and to a worker.
 *
 * A filter is for life: each attempt is made in a child, whose way to end says
 * how it went.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch/base/privilege.h"
#include "switch/sandbox.h"

enum { FINE = 40, REFUSED = 41, OTHER = 42 };

static void no_filters(void)
{
	if (!sandbox_is_there())
		cr_skip("a sanitizer has system calls of its own");
	unsetenv("SWD_STRICT");
}

TestSuite(sandbox, .init = no_filters, .timeout = 30);

static int enter(void)
{
	struct err e;

	return sandbox_enter(&e);
}

/* How @attempt in a child ends: what it returns, or minus a signal. */
static int outcome(int (*attempt)(void), bool as_worker)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (enter() || (as_worker && sandbox_enter_worker()))
			_exit(OTHER);
		_exit(attempt());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int verdict(bool done)
{
	if (done)
		return FINE;
	return errno == ENOSYS ? REFUSED : OTHER;
}

static int open_file(void)
{
	return verdict(open("/dev/null", O_RDONLY) >= 0);
}

static int open_unix(void)
{
	return verdict(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
}

static int open_inet(void)
{
	return verdict(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
}

static int map(int protection)
{
	return verdict(mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0) != MAP_FAILED);
}

static int map_data(void)
{
	return map(PROT_READ | PROT_WRITE);
}

static int map_code(void)
{
	return map(PROT_READ | PROT_EXEC);
}

static int make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return verdict(!mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return verdict(pid > 0);
}

static int run_program(void)
{
	execl("/bin/true", "true", NULL);
	return OTHER;
}

static int trace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return OTHER;
}

static int become_undumpable(void)
{
	return verdict(!prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

static int write_and_wait(void)
{
	int end[2] = {1, 1};

	return verdict(!write(end[0], "", 0) && !usleep(1));
}

static void *in_thread(void *result)
{
	*(int *)result = sandbox_enter_worker() ? OTHER : open_file();
	return NULL;
}

/* The thread is refused what its maker goes on to have. */
static int start_worker(void)
{
	pthread_t thread;
	int result = OTHER;

	if (pthread_create(&thread, NULL, in_thread, &result))
		return OTHER;
	pthread_join(thread, NULL);
	return result == REFUSED ? open_file() : OTHER;
}

Test(sandbox, process_does_its_work)
{
	cr_expect_eq(outcome(open_file, false), FINE);
	cr_expect_eq(outcome(open_unix, false), FINE);
	cr_expect_eq(outcome(map_data, false), FINE);
	cr_expect_eq(outcome(start_worker, false), FINE);
}

Test(sandbox, process_is_refused_other_things)
{
	cr_expect_eq(outcome(open_inet, false), REFUSED);
	cr_expect_eq(outcome(map_code, false), REFUSED);
	cr_expect_eq(outcome(make_code, false), REFUSED);
	cr_expect_eq(outcome(become_undumpable, false), REFUSED);
}

Test(sandbox, worker_does_its_work)
{
	cr_expect_eq(outcome(map_data, true), FINE);
	cr_expect_eq(outcome(write_and_wait, true), FINE);
}

Test(sandbox, worker_opens_nothing)
{
	cr_expect_eq(outcome(open_file, true), REFUSED);
	cr_expect_eq(outcome(open_unix, true), REFUSED);
	cr_expect_eq(outcome(make_process, true), REFUSED);
	cr_expect_eq(outcome(map_code, true), REFUSED);
}

Test(sandbox, intruder_is_the_end_of_it)
{
	cr_expect_eq(outcome(run_program, false), -SIGSYS);
	cr_expect_eq(outcome(trace, false), -SIGSYS);
	cr_expect_eq(outcome(run_program, true), -SIGSYS);
}

Test(sandbox, strict_is_the_end_of_any)
{
	setenv("SWD_STRICT", "1", 1);
	cr_expect_eq(outcome(open_file, false), FINE);
	cr_expect_eq(outcome(start_worker, false), -SIGSYS);
	cr_expect_eq(outcome(open_file, true), -SIGSYS);
	cr_expect_eq(outcome(map_code, false), -SIGSYS);
	cr_expect_eq(outcome(run_program, true), -SIGSYS);
}

static bool has(cap_flag_t set, cap_value_t cap)
{
	cap_t now = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	cap_get_flag(now, cap, set, &value);
	cap_free(now);
	return value == CAP_SET;
}

static int raise_and_lower(void)
{
	bool ours = has(CAP_PERMITTED, CAP_NET_ADMIN), fine;

	fine = !has(CAP_EFFECTIVE, CAP_NET_ADMIN);
	errno = ENOENT;
	privilege_raise();
	fine &= has(CAP_EFFECTIVE, CAP_NET_ADMIN) == ours;
	fine &= !has(CAP_EFFECTIVE, CAP_SYS_ADMIN);
	privilege_lower();
	fine &= errno == ENOENT && !has(CAP_EFFECTIVE, CAP_NET_ADMIN);
	fine &= has(CAP_PERMITTED, CAP_NET_ADMIN) == ours;
	fine &= !has(CAP_PERMITTED, CAP_SYS_ADMIN) &&
		!has(CAP_PERMITTED, CAP_DAC_OVERRIDE) &&
		!has(CAP_INHERITABLE, CAP_NET_ADMIN);
	return fine ? FINE : OTHER;
}

static int have_none(void)
{
	privilege_raise();
	return has(CAP_PERMITTED, CAP_NET_ADMIN) ||
		       has(CAP_EFFECTIVE, CAP_NET_ADMIN)
		   ? OTHER
		   : FINE;
}

static int entered_before(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? FINE : OTHER;
}

/* privilege.h alone: a worker's filter has no room for questions. */
static int privileges(int (*attempt)(void), bool give_up)
{
	struct err e;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (privilege_drop(&e))
			_exit(OTHER);
		if (give_up)
			privilege_give_up();
		_exit(attempt());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

Test(privilege, is_raised_and_lowered)
{
	cr_expect_eq(privileges(raise_and_lower, false), FINE);
	cr_expect_eq(privileges(entered_before, false), FINE);
}

Test(privilege, of_a_worker_is_none)
{
	cr_expect_eq(privileges(have_none, true), FINE);
}
