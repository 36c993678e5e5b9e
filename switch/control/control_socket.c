/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_socket.c - the one listening socket at a path.
 *
 * The mode is given to the socket before it has a name, so that at no instant
 * anybody else can connect.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/control/control_socket.h"

enum { BACKLOG = 64, SOCKET_MODE = 0600 };

static void lock_path(const struct control_socket *s, char path[116])
{
	snprintf(path, 116, "%s.lock", s->path);
}

static int in_use(const struct control_socket *s, struct err *e)
{
	err_set(e, -EADDRINUSE, "another switch answers on %s", s->path);
	err_arg(e, s->path);
	err_hint(e, "stop it, or start this one with another -S or -r");
	return -EADDRINUSE;
}

/* Whether @fd is still what @path names: the holder before us may have
 * removed the file between our open and our lock. */
static bool is_named(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static int take_lock(struct control_socket *s, struct err *e)
{
	char path[116];
	int fd;

	lock_path(s, path);
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    SOCKET_MODE);
		if (fd < 0)
			return err_set(e, -errno, "%s: %m", path);
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			close(fd);
			return in_use(s, e);
		}
		if (is_named(fd, path))
			break;
		close(fd);
	}
	s->lock_fd = fd;
	return 0;
}

/* Removes a socket that nobody answers on. */
static int clear_stale(const struct control_socket *s,
    const struct sockaddr_un *addr, struct err *e)
{
	struct stat st;
	int fd, rc;

	if (lstat(s->path, &st))
		return errno == ENOENT ? 0
				       : err_set(e, -errno, "%s: %m", s->path);
	if (!S_ISSOCK(st.st_mode)) {
		err_set(e, -EEXIST, "%s exists and is not a socket", s->path);
		err_arg(e, s->path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "no socket: %m");
	rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? -errno
								       : 0;
	close(fd);
	if (rc != -ECONNREFUSED)
		return in_use(s, e);
	if (unlink(s->path) && errno != ENOENT)
		return err_set(e, -errno, "%s: %m", s->path);
	return 0;
}

static int listen_at(
    struct control_socket *s, const struct sockaddr_un *addr, struct err *e)
{
	int rc;

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return err_set(e, -errno, "no socket: %m");
	if (fchmod(s->fd, SOCKET_MODE) ||
	    bind(s->fd, (const struct sockaddr *)addr, sizeof(*addr)) ||
	    listen(s->fd, BACKLOG)) {
		rc = err_set(e, -errno, "cannot listen on %s: %m", s->path);
		err_arg(e, s->path);
		close(s->fd);
		return rc;
	}
	return 0;
}

static void drop_lock(struct control_socket *s)
{
	char path[116];

	lock_path(s, path);
	unlink(path);
	close(s->lock_fd);
}

int control_socket_open(
    struct control_socket *s, const char *path, struct err *e)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int rc;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		err_set(e, -ENAMETOOLONG,
		    "socket path \"%.60s...\" is longer than %zu characters",
		    path, sizeof(addr.sun_path) - 1);
		err_arg(e, path);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	strcpy(s->path, path);
	rc = take_lock(s, e);
	if (rc)
		return rc;
	rc = clear_stale(s, &addr, e);
	if (!rc)
		rc = listen_at(s, &addr, e);
	if (rc)
		drop_lock(s);
	return rc;
}

void control_socket_close(struct control_socket *s)
{
	unlink(s->path);
	close(s->fd);
	drop_lock(s);
}
