/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * err.c - one sentence for the operator, beside the errno for the program.
 *
 * Sentences longer than their field are cut: an error must not itself fail.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "switch/base/err.h"

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	e->code = code;
	e->arg[0] = e->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
	va_end(ap);
	return code;
}

void err_hint(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
}

void err_arg(struct err *e, const char *word)
{
	if (e)
		snprintf(e->arg, sizeof(e->arg), "%s", word);
}

const char *err_name(int code)
{
	const char *name = strerrorname_np(code < 0 ? -code : code);

	return name ? name : "EUNKNOWN";
}
