/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * err.h - one sentence for the operator, beside the errno for the program.
 *
 * A control-path function that can fail takes `struct err *e` last, returns
 * -errno, and leaves in *e the sentence that says what is wrong with which
 * word, made where the fact is known.
 *
 * Life: the caller's stack; no memory of its own.  Threads: none but the
 * caller's.  @e may be NULL where nobody will read the sentence.
 */
#ifndef SWITCH_BASE_ERR_H
#define SWITCH_BASE_ERR_H

struct err {
	int code;	   /* -errno, 0: none */
	char arg[64];	   /* the offending word, or empty */
	char message[256]; /* one sentence, no full stop, no newline */
	char hint[256];	   /* the way out, or empty */
};

/* Records @code (-errno) and the sentence, clears arg and hint, and returns
 * @code, so that `return err_set(e, -EEXIST, ...)` reads as one thing. */
int err_set(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds the way out to the sentence already recorded in @e. */
void err_hint(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Names the offending word of the sentence already recorded in @e. */
void err_arg(struct err *e, const char *word);

/* "EEXIST" for -EEXIST; "EUNKNOWN" for what errno(3) does not know. */
const char *err_name(int code);

#endif
