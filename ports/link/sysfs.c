/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysfs.c - the few facts about an interface that only /sys tells.
 *
 * A name that link_name_ok() lets pass is one component of a path, so
 * nothing here leaves /sys/class/net/NAME.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/link/link.h"
#include "switch/base/privilege.h"

enum { PATH_SIZE = 128, NUMBER_SIZE = 32 };

/* Makes the path of @what about interface @name; -EINVAL, -ENAMETOOLONG. */
static int path_of(char path[PATH_SIZE], const char *name, const char *what)
{
	int n;

	if (!link_name_ok(name))
		return -EINVAL;
	n = snprintf(path, PATH_SIZE, "/sys/class/net/%s/%s", name, what);
	return n < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

/* -ENOENT is said as -ENODEV, like everywhere else about interfaces. */
static int open_file(const char *name, const char *what, int flags)
{
	char path[PATH_SIZE];
	int fd, rc = path_of(path, name, what);

	if (rc)
		return rc;
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	return fd;
}

/* Reads what a file of one line says. */
static int read_text(const char *name, const char *what, char text[NUMBER_SIZE])
{
	int fd = open_file(name, what, O_RDONLY);
	ssize_t n;
	int rc;

	if (fd < 0)
		return fd;
	n = read(fd, text, NUMBER_SIZE - 1);
	rc = n < 0 ? -errno : 0;
	close(fd);
	if (!rc)
		text[n] = '\0';
	return rc;
}

int link_numa_node(const char *name)
{
	char text[NUMBER_SIZE];
	long node = -1;

	if (!read_text(name, "device/numa_node", text))
		node = strtol(text, NULL, 10);
	return node >= 0 && node <= INT_MAX ? (int)node : -1;
}

int link_knob_get(const char *name, const char *knob, uint64_t *value)
{
	char text[NUMBER_SIZE], *end;
	int rc = read_text(name, knob, text);
	uint64_t v;

	if (rc)
		return rc;
	v = strtoull(text, &end, 10);
	if (end == text)
		return -EINVAL;
	*value = v;
	return 0;
}

int link_knob_set(
    const char *name, const char *knob, uint64_t value, struct err *e)
{
	char text[NUMBER_SIZE];
	int n = snprintf(text, sizeof(text), "%" PRIu64, value);
	int fd = open_file(name, knob, O_WRONLY), rc = fd;

	if (fd >= 0) {
		privilege_raise();
		rc = write(fd, text, (size_t)n) == n ? 0 : -errno;
		privilege_lower();
		close(fd);
	}
	if (rc)
		return err_set(e, rc, "cannot set %s of interface %s to %s: %s",
		    knob, name, text, strerror(-rc));
	return 0;
}

int link_count_queues(const char *name, const char *what)
{
	char path[PATH_SIZE];
	int rc = path_of(path, name, "queues"), n = 0;
	const struct dirent *d;
	DIR *dir;

	if (rc)
		return rc;
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ENODEV : -errno;
	while ((d = readdir(dir)))
		n += !strncmp(d->d_name, what, strlen(what));
	closedir(dir);
	return n;
}
