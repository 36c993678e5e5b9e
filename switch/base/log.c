/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c - one line on stderr with an sd-daemon level prefix.
 *
 * stderr may be a pipe that nobody reads: the line is offered once and lost
 * if it does not fit, because a switch does not wait for its journal.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "switch/base/log.h"

enum { LINE_MAX_BYTES = 512, LINES_PER_SECOND = 10 };

static enum log_level max_level = LOG_INFO;

void log_set_level(enum log_level level)
{
	max_level = level;
}

int log_level_parse(const char *word)
{
	static const char *const names[] = {[LOG_ERR] = "error",
	    [LOG_WARNING] = "warning",
	    [LOG_NOTICE] = "notice",
	    [LOG_INFO] = "info",
	    [LOG_DEBUG] = "debug"};

	for (int i = LOG_ERR; i <= LOG_DEBUG; i++)
		if (!strcmp(word, names[i]) || (word[0] == '0' + i && !word[1]))
			return i;
	return -EINVAL;
}

static void write_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	int n = snprintf(line, sizeof(line), "<%d>", level);
	int m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);

	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody is left to be told */
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

void log_limited(
    struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	uint64_t second = clock_ms() / 1000;
	va_list ap;

	if (level > max_level)
		return;
	if (second != limit->second) {
		if (limit->suppressed)
			log_line(level, "%u lines like the next left out",
			    limit->suppressed);
		*limit = (struct log_limit){.second = second};
	}
	if (limit->lines == LINES_PER_SECOND - 1) {
		limit->suppressed++;
		return;
	}
	limit->lines++;
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}
