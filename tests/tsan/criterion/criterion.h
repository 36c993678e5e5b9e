/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * criterion.h - the few words of Criterion that tests with threads use.
 *
 * Criterion's sandbox wants memory at addresses that ThreadSanitizer keeps for
 * itself, so it does not start under it.  Found first under -Itests/tsan, this
 * runs the same tests one after the other in one process; the first failure
 * ends it.
 */
#ifndef TESTS_TSAN_CRITERION_H
#define TESTS_TSAN_CRITERION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct tsan_test {
	const char *name;
	void (*run)(void);
	struct tsan_test *next;
};

static struct tsan_test *tsan_tests;

#define Test(suite, test, ...)                                                 \
	static void suite##_##test(void);                                      \
	__attribute__((constructor)) static void suite##_##test##_add(void)    \
	{                                                                      \
		static struct tsan_test t = {                                  \
		    .name = #suite "::" #test, .run = suite##_##test};         \
		t.next = tsan_tests;                                           \
		tsan_tests = &t;                                               \
	}                                                                      \
	static void suite##_##test(void)

#define TSAN_FAIL(what)                                                        \
	(fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, what), exit(1))
#define cr_assert(c, ...)	   ((c) ? (void)0 : TSAN_FAIL(#c))
#define cr_assert_not(c, ...)	   cr_assert(!(c))
#define cr_assert_eq(a, b, ...)	   cr_assert((a) == (b))
#define cr_assert_neq(a, b, ...)   cr_assert((a) != (b))
#define cr_assert_lt(a, b, ...)	   cr_assert((a) < (b))
#define cr_assert_leq(a, b, ...)   cr_assert((a) <= (b))
#define cr_assert_gt(a, b, ...)	   cr_assert((a) > (b))
#define cr_assert_geq(a, b, ...)   cr_assert((a) >= (b))
#define cr_assert_null(a, ...)	   cr_assert(!(a))
#define cr_assert_not_null(a, ...) cr_assert((a) != NULL)

int main(void)
{
	for (struct tsan_test *t = tsan_tests; t; t = t->next) {
		printf("%s\n", t->name);
		t->run();
	}
	return 0;
}

#endif
