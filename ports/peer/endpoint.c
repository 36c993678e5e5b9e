/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.c - the unix socket at which a port and its peer meet.
 *
 * A process that has no descriptor left cannot even turn a peer away, and a
 * listening socket with a peer waiting is ready for ever: one descriptor in
 * reserve for the whole process is given up for the moment in which such a
 * peer is accepted and hung up on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/peer/endpoint.h"

enum {
	BACKLOG = 16,
	DIR_MODE = 0755,
	BACKOFF_MIN_US = 100000,
	BACKOFF_MAX_US = 1000000,
	ACCURACY_US = 10000,
};

static int reserve_fd = -1;

static void hold_reserve(void)
{
	if (reserve_fd < 0)
		reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void pause_then_try(struct endpoint *ep, uint64_t us)
{
	sd_event_source_set_time_relative(ep->timer, us);
	sd_event_source_set_enabled(ep->timer, SD_EVENT_ONESHOT);
}

static void longer_pause(struct endpoint *ep)
{
	pause_then_try(ep, ep->backoff_us);
	ep->backoff_us *= 2;
	if (ep->backoff_us > BACKOFF_MAX_US)
		ep->backoff_us = BACKOFF_MAX_US;
}

/* Hangs up on the peer that waits first.  Without a reserve, or when it was
 * somebody else who got hold of it, nobody is accepted for a while. */
static void turn_away(struct endpoint *ep)
{
	int fd = -1;

	if (reserve_fd >= 0) {
		close(reserve_fd);
		reserve_fd = -1;
		fd = accept4(ep->fd, NULL, NULL, SOCK_CLOEXEC);
	}
	if (fd >= 0)
		close(fd);
	hold_reserve();
	if (fd >= 0)
		return;
	sd_event_source_set_enabled(ep->source, SD_EVENT_OFF);
	longer_pause(ep);
}

static void refuse(struct endpoint *ep, int fd)
{
	char who[64];

	endpoint_identify(fd, who, sizeof(who));
	log_limited(&ep->limit, LOG_WARNING, "%s: %s may not connect",
	    ep->address.sun_path, who);
	close(fd);
}

static int on_connect(
    sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
	struct endpoint *ep = userdata;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)revents;
	if (fd >= 0 && endpoint_admits(ep, fd))
		ep->on_peer(ep->owner, fd);
	else if (fd >= 0)
		refuse(ep, fd);
	else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
		turn_away(ep);
	return 0;
}

/* As the kernel wants it: an abstract name begins with a zero instead of the @
 * and ends with its last character.  Returns its size. */
static socklen_t kernel_address(
    const struct endpoint *ep, struct sockaddr_un *a)
{
	*a = ep->address;
	if (!endpoint_is_abstract(ep))
		return sizeof(*a);
	a->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   strlen(ep->address.sun_path));
}

static int connect_to(const struct endpoint *ep)
{
	struct sockaddr_un a;
	socklen_t size = kernel_address(ep, &a);
	int fd = socket(AF_UNIX, ep->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)&a, size))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static int on_timer(sd_event_source *source, uint64_t now, void *userdata)
{
	struct endpoint *ep = userdata;
	int fd;

	(void)source;
	(void)now;
	if (!ep->client) {
		sd_event_source_set_enabled(ep->source, SD_EVENT_ON);
		return 0;
	}
	fd = connect_to(ep);
	if (fd < 0)
		longer_pause(ep);
	if (fd >= 0 || fd != ep->told)
		ep->on_peer(ep->owner, fd);
	ep->told = fd < 0 ? fd : 0;
	return 0;
}

static int in_use(const struct endpoint *ep, struct err *e)
{
	err_set(e, -EADDRINUSE, "somebody listens at %s", ep->address.sun_path);
	err_arg(e, ep->address.sun_path);
	err_hint(e, "give the port another `socket`");
	return -EADDRINUSE;
}

/* Removes a socket that nobody listens at; anything else stays. */
static int take_over(const struct endpoint *ep, struct err *e)
{
	const struct sockaddr_un *a = &ep->address;
	struct stat st;
	int fd;

	if (endpoint_is_abstract(ep))
		return in_use(ep, e);
	if (lstat(a->sun_path, &st))
		return errno == ENOENT
			   ? 0
			   : err_set(e, -errno, "%s: %m", a->sun_path);
	if (!S_ISSOCK(st.st_mode)) {
		err_set(
		    e, -EEXIST, "%s exists and is not a socket", a->sun_path);
		err_arg(e, a->sun_path);
		return -EEXIST;
	}
	fd = connect_to(ep);
	if (fd == -ECONNREFUSED && !unlink(a->sun_path))
		return 0;
	if (fd >= 0)
		close(fd);
	return in_use(ep, e);
}

/* Nobody can connect before listen(2), and so not before the file has its
 * group and mode. */
static int bind_path(struct endpoint *ep, struct err *e)
{
	struct sockaddr_un address;
	socklen_t size = kernel_address(ep, &address);
	const struct sockaddr *a = (const struct sockaddr *)&address;
	struct stat st;
	int rc;

	if (bind(ep->fd, a, size)) {
		if (errno != EADDRINUSE)
			return err_set(
			    e, -errno, "binding %s: %m", ep->address.sun_path);
		rc = take_over(ep, e);
		if (rc)
			return rc;
		if (bind(ep->fd, a, size))
			return err_set(
			    e, -errno, "binding %s: %m", ep->address.sun_path);
	}
	if (endpoint_is_abstract(ep))
		return 0;
	if (lstat(ep->address.sun_path, &st))
		return err_set(e, -errno, "%s: %m", ep->address.sun_path);
	ep->dev = st.st_dev;
	ep->ino = st.st_ino;
	return 0;
}

void endpoint_own(struct endpoint *ep)
{
	struct stat st;

	if (ep->client || lstat(ep->address.sun_path, &st))
		return;
	ep->dev = st.st_dev;
	ep->ino = st.st_ino;
}

static void remove_path(const struct endpoint *ep)
{
	struct stat st;

	if (ep->ino && !lstat(ep->address.sun_path, &st) &&
	    st.st_dev == ep->dev && st.st_ino == ep->ino)
		unlink(ep->address.sun_path);
}

static int watch_server(struct endpoint *ep, struct err *e)
{
	int rc;

	hold_reserve();
	rc = sd_event_add_io(
	    ep->event, &ep->source, ep->fd, EPOLLIN, on_connect, ep);
	return rc < 0 ? err_set(e, rc, "cannot watch a socket") : 0;
}

static int start_server(struct endpoint *ep, struct err *e)
{
	int rc;

	ep->fd = socket(AF_UNIX, ep->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ep->fd < 0)
		return err_set(e, -errno, "socket: %m");
	rc = bind_path(ep, e);
	if (!rc)
		rc = endpoint_set_access(ep, &ep->access, e);
	if (rc)
		return rc;
	if (listen(ep->fd, BACKLOG))
		return err_set(
		    e, -errno, "listening at %s: %m", ep->address.sun_path);
	return watch_server(ep, e);
}

static int set_path(struct endpoint *ep, const char *path, struct err *e)
{
	ep->address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(ep->address.sun_path)) {
		err_set(e, -ENAMETOOLONG,
		    "socket path %.80s... is longer than %zu characters", path,
		    sizeof(ep->address.sun_path) - 1);
		err_arg(e, path);
		return -ENAMETOOLONG;
	}
	snprintf(
	    ep->address.sun_path, sizeof(ep->address.sun_path), "%s", path);
	return 0;
}

int endpoint_default_path(char *path, size_t size, const char *rundir,
    const char *kind, const char *name, struct err *e)
{
	snprintf(path, size, "%s/%s", rundir, kind);
	if (mkdir(path, DIR_MODE) && errno != EEXIST)
		return err_set(e, -errno, "creating %s: %m", path);
	snprintf(path, size, "%s/%s/%s", rundir, kind, name);
	return 0;
}

/* All but the socket; the timer will go off at once. */
static int prepare(struct endpoint *ep, sd_event *event, const char *path,
    const struct endpoint_access *access, struct err *e)
{
	int rc = set_path(ep, path, e);

	if (rc)
		return rc;
	ep->event = event;
	ep->access = *access;
	ep->fd = -1;
	ep->backoff_us = BACKOFF_MIN_US;
	rc = sd_event_add_time_relative(
	    event, &ep->timer, CLOCK_MONOTONIC, 0, ACCURACY_US, on_timer, ep);
	return rc < 0 ? err_set(e, rc, "no timer for a socket") : 0;
}

int endpoint_inherit(struct endpoint *ep, sd_event *event, const char *path,
    const struct endpoint_access *access, int fd, struct err *e)
{
	int rc = prepare(ep, event, path, access, e);

	ep->fd = fd;
	if (!rc)
		sd_event_source_set_enabled(ep->timer, SD_EVENT_OFF);
	if (!rc && !ep->client)
		rc = watch_server(ep, e);
	if (rc)
		endpoint_close(ep);
	return rc;
}

int endpoint_open(struct endpoint *ep, sd_event *event, const char *path,
    const struct endpoint_access *access, struct err *e)
{
	int rc = prepare(ep, event, path, access, e);

	if (rc || ep->client)
		return rc;
	sd_event_source_set_enabled(ep->timer, SD_EVENT_OFF);
	rc = start_server(ep, e);
	if (rc)
		endpoint_close(ep);
	return rc;
}

void endpoint_close(struct endpoint *ep)
{
	ep->source = sd_event_source_disable_unref(ep->source);
	ep->timer = sd_event_source_disable_unref(ep->timer);
	remove_path(ep);
	if (ep->fd >= 0)
		close(ep->fd);
	ep->fd = -1;
}

void endpoint_again(struct endpoint *ep)
{
	if (ep->client)
		longer_pause(ep);
}

void endpoint_rest(struct endpoint *ep)
{
	ep->backoff_us = BACKOFF_MAX_US;
}

void endpoint_settled(struct endpoint *ep)
{
	ep->backoff_us = BACKOFF_MIN_US;
}
