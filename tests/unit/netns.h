/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netns.h - a test in a network namespace of its own.
 *
 * netns_enter() is for a suite's .init: the test's process gets an empty
 * network namespace and a /sys that shows it.  Both end with the process.
 */
#ifndef TESTS_UNIT_NETNS_H
#define TESTS_UNIT_NETNS_H

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a command, whose failure is the test's. */
__attribute__((format(printf, 1, 2))) static inline void sh(
    const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	cr_assert_eq(system(line), 0, "failed: %s", line);
}

static inline void netns_enter(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS)) {
		fprintf(stderr, "skipped: no network namespace: %m\n");
		cr_skip_test("no privilege for a network namespace");
	}
	/* In a chroot "/" need not be a mount; /sys is one. */
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		cr_assert_eq(
		    mount("none", "/sys", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("sysfs", "/sys", "sysfs", 0, NULL), 0);
	sh("ip link set lo up");
}

/* A process that holds another namespace, for `ip link set X netns PID`. */
static inline pid_t netns_elsewhere(void)
{
	int ready[2];
	char c;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNET) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static inline void netns_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
