/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_config.c - any file as a configuration, and another one after it.
 *
 * The second one begins behind a form feed.  What is applied shows itself in
 * the same way when it is applied again, without a change; what is refused
 * changes nothing, and says in which line it is wrong.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/config_file.h"
#include "switch/base/log.h"
#include "switch/control/config.h"
#include "tests/fuzz/shown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static int fd;
static char file[32];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_ERR);
	fd = memfd_create("swd.conf", MFD_CLOEXEC);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	return fd < 0;
}

static void write_file(const void *data, size_t size)
{
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
}

/* swctl reads the file as swd does. */
static void check_reading(const void *data, size_t size)
{
	struct err e = {0};
	char *text;
	int rc = config_read(file, &text, &e);

	assert(!rc == !memchr(data, 0, size));
	if (rc) {
		assert(e.message[0]);
		return;
	}
	assert(strlen(text) == size && !memcmp(text, data, size));
	free(text);
}

static void check_shown(struct sw *sw, const char *text)
{
	char *again;
	int rc = config_apply(sw, text, NULL, NULL);

	if (rc && !has_static(sw)) {
		fprintf(stderr, "%d changes by\n%s", rc, text);
		abort();
	}
	again = shown(sw);
	assert(has_static(sw) || !strcmp(text, again));
	free(again);
}

static void load(struct sw *sw, const void *data, size_t size)
{
	char *before = shown(sw), *after;
	struct err e = {0};
	int rc;

	write_file(data, size);
	check_reading(data, size);
	rc = config_load(sw, file, &e);
	after = shown(sw);
	if (rc) {
		assert(e.message[0] && e.code < 0);
		assert(!strcmp(before, after));
	} else {
		check_shown(sw, after);
	}
	free(before);
	free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\f', size) : NULL;
	struct sw *sw = fake_open();

	load(sw, data, end ? (size_t)(end - data) : size);
	if (end)
		load(sw, end + 1, size - (size_t)(end + 1 - data));
	fake_close(sw);
	return 0;
}
