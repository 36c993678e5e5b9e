/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privilege.c - capabilities, within reach for as long as a call needs them.
 *
 * The three sets that a thread can have are made once, so that changing from
 * one to another is a system call that cannot fail.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "switch/base/privilege.h"

enum { N_KEPT = 5 };

static const cap_value_t kept[N_KEPT] = {
    CAP_NET_ADMIN, /* tap, XDP programs, settings of cards */
    CAP_NET_RAW,   /* AF_XDP and AF_PACKET sockets */
    CAP_BPF,	   /* loading a program */
    CAP_IPC_LOCK,  /* packet memory is locked as soon as there is a card */
    CAP_CHOWN,	   /* a socket's group */
};

static cap_t lowered, raised, none; /* NULL: never dropped */

static bool is_kept(cap_value_t cap)
{
	for (unsigned i = 0; i < N_KEPT; i++)
		if (kept[i] == cap)
			return true;
	return false;
}

/* Whoever may not do this could not get any of them back either. */
static void drop_bounds(void)
{
	for (cap_value_t cap = 0; CAP_IS_SUPPORTED(cap); cap++)
		if (!is_kept(cap))
			cap_drop_bound(cap);
}

/* Of the five, those that the process has. */
static int keep(cap_t has)
{
	for (unsigned i = 0; i < N_KEPT; i++) {
		cap_flag_value_t is = CAP_CLEAR;

		if (cap_get_flag(has, kept[i], CAP_PERMITTED, &is))
			return -errno;
		if (is == CAP_CLEAR)
			continue;
		if (cap_set_flag(lowered, CAP_PERMITTED, 1, &kept[i], is) ||
		    cap_set_flag(raised, CAP_PERMITTED, 1, &kept[i], is) ||
		    cap_set_flag(raised, CAP_EFFECTIVE, 1, &kept[i], is))
			return -errno;
	}
	return 0;
}

static int make_sets(void)
{
	cap_t has = cap_get_proc();
	int rc;

	lowered = cap_init();
	raised = cap_init();
	none = cap_init();
	rc = has && lowered && raised && none ? keep(has) : -ENOMEM;
	cap_free(has);
	return rc;
}

int privilege_drop(struct err *e)
{
	int rc = make_sets();

	if (rc)
		return err_set(e, rc, "capabilities cannot be asked for");
	drop_bounds();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || cap_set_proc(lowered))
		return err_set(
		    e, -errno, "capabilities cannot be given up: %m");
	return 0;
}

static void become(cap_t set)
{
	int saved = errno;

	if (set)
		cap_set_proc(set);
	errno = saved;
}

void privilege_raise(void)
{
	become(raised);
}

void privilege_lower(void)
{
	become(lowered);
}

void privilege_give_up(void)
{
	become(none);
}
