/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpulist.c - "1,3-5" to the cores that it names.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "switch/cpulist.h"

static int refuse(const char *list, struct err *e)
{
	err_set(e, -EINVAL, "'%s' is not a list of cores", list);
	err_arg(e, list);
	err_hint(e, "for example 1,3-5");
	return -EINVAL;
}

/* "3" or "3-5" at *@p, which moves past it. */
static int parse_range(const char **p, unsigned long *from, unsigned long *to)
{
	char *end;

	if (**p < '0' || **p > '9')
		return -EINVAL;
	*from = *to = strtoul(*p, &end, 10);
	if (*end == '-') {
		if (end[1] < '0' || end[1] > '9')
			return -EINVAL;
		*to = strtoul(end + 1, &end, 10);
	}
	*p = end;
	return *from <= *to && *to < CPU_SETSIZE ? 0 : -EINVAL;
}

int cpulist_parse(const char *list, unsigned cpu[], unsigned max, struct err *e)
{
	unsigned long from, to;
	const char *p = list;
	cpu_set_t allowed;
	unsigned n = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return err_set(e, -errno, "sched_getaffinity: %m");
	for (;; p++) {
		if (parse_range(&p, &from, &to))
			return refuse(list, e);
		for (; from <= to; from++) {
			if (!CPU_ISSET(from, &allowed))
				return err_set(e, -EINVAL,
				    "core %lu is not there for this process",
				    from);
			if (n == max)
				return err_set(e, -EINVAL,
				    "more than %u cores in '%s'", max, list);
			cpu[n++] = (unsigned)from;
		}
		if (!*p)
			return (int)n;
		if (*p != ',')
			return refuse(list, e);
	}
}

int cpulist_last(unsigned cpu[], struct err *e)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return err_set(e, -errno, "sched_getaffinity: %m");
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed))
			cpu[0] = i;
	return 1;
}
