/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_file.c - the configuration as text, in a file or from one.
 *
 * A file is replaced by rename(2), after its successor in the same directory
 * has reached the disk; then the directory follows.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config_file.h"
#include "switch/base/err.h"

enum { CONFIG_MAX = 16 << 20 };

static int refuse(struct err *e, const char *what, const char *path, int code)
{
	err_set(e, -code, "cannot %s %.100s: %s", what, path, strerror(code));
	err_arg(e, path);
	return -code;
}

static void print_line(FILE *f, struct json_object *line)
{
	struct json_object *v = line;
	const char *s;

	if (json_object_is_type(line, json_type_object))
		json_object_object_get_ex(line, "line", &v);
	s = v ? json_object_get_string(v) : "";
	fprintf(f, "%s%s", s, *s && s[strlen(s) - 1] == '\n' ? "" : "\n");
}

char *config_text(struct json_object *result)
{
	char *text = NULL;
	size_t size, i;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (json_object_is_type(result, json_type_array))
		for (i = 0; i < json_object_array_length(result); i++)
			print_line(f, json_object_array_get_idx(result, i));
	else if (result)
		print_line(f, result);
	fclose(f);
	return text;
}

int config_read(const char *path, char **text, struct err *e)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	size_t size, n = 0, got;
	char *content = NULL, buf[4096];
	bool is_text = true;
	FILE *to;
	int r = 0;

	if (!f)
		return refuse(e, "read", path, errno);
	to = open_memstream(&content, &size);
	while (to && is_text && (got = fread(buf, 1, sizeof(buf), f)) > 0 &&
	       (n += got) <= CONFIG_MAX) {
		is_text = !memchr(buf, 0, got);
		fwrite(buf, 1, got, to);
	}
	if (!to || fclose(to) != 0)
		r = refuse(e, "read", path, ENOMEM);
	else if (ferror(f))
		r = refuse(e, "read", path, errno ? errno : EIO);
	else if (!is_text || n > CONFIG_MAX)
		r = refuse(e, "read", path, is_text ? EFBIG : EILSEQ);
	if (f != stdin)
		fclose(f);
	if (r < 0)
		free(content);
	else
		*text = content;
	return r;
}

static int write_all(int fd, const char *text)
{
	size_t n = strlen(text);
	ssize_t put;

	while (n > 0) {
		put = write(fd, text, n);
		if (put < 0 && errno != EINTR)
			return -errno;
		if (put > 0) {
			text += put;
			n -= (size_t)put;
		}
	}
	return 0;
}

/* Mode and owner of the file that is replaced, else those of any new one. */
static int adopt_mode(int fd, const char *path)
{
	struct stat st;
	mode_t mask;

	if (stat(path, &st) < 0) {
		mask = umask(0);
		umask(mask);
		return fchmod(fd, 0666 & ~mask);
	}
	if (fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		return -1;
	return fchmod(fd, st.st_mode & 07777);
}

static int sync_directory(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd, r;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[1] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static int replace(const char *path, const char *text)
{
	char temp[PATH_MAX];
	int fd, r;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >=
	    (int)sizeof(temp))
		return -ENAMETOOLONG;
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text);
	if (r == 0 && (adopt_mode(fd, path) < 0 || fsync(fd) < 0))
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temp);
		return r;
	}
	return sync_directory(path);
}

int config_write(const char *path, const char *text, struct err *e)
{
	char real[PATH_MAX];
	struct stat st;
	int r;

	if (strcmp(path, "-") == 0) {
		fputs(text, stdout);
		return 0;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return refuse(e, "write", path, EINVAL);
	r = replace(realpath(path, real) ? real : path, text);
	return r < 0 ? refuse(e, "write", path, -r) : 0;
}
