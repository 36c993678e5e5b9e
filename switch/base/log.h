/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - one line on stderr with an sd-daemon level prefix.
 *
 * Threads: any; a line is written by one write(2).  Workers never log: they
 * raise a flag that the control thread turns into a line.  What a peer can
 * provoke goes through a struct log_limit, so that a storm of its making
 * costs a bounded number of lines a second.
 */
#ifndef SWITCH_BASE_LOG_H
#define SWITCH_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERR = 3, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Ten lines a second for each holder; zero-initialised by its owner. */
struct log_limit {
	uint64_t second;
	uint32_t lines;
	uint32_t suppressed;
};

/* Lines above @level (numerically) are not written. */
void log_set_level(enum log_level level);

/* "error" .. "debug" or 3 .. 7 to a level; -EINVAL for anything else. */
int log_level_parse(const char *word);

void log_line(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* As log_line(), but silent past ten lines a second of the same @limit; the
 * first line of a later second tells how many were left out. */
void log_limited(struct log_limit *limit, enum log_level level, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

#define log_err(...)	 log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_line(LOG_DEBUG, __VA_ARGS__)

#endif
