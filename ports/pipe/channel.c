/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel.c - a socket that keeps messages apart, as memif's messages.
 *
 * Every message has the same size, and at most one descriptor with it; the
 * kernel closes those for which there is no room.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/pipe/channel.h"

/* The alignment of control messages leaves room for a second descriptor. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* Moves the descriptor of @h to *fd; -EMFILE: there are more. */
static int collect_fd(struct msghdr *h, int *fd)
{
	int rc = h->msg_flags & MSG_CTRUNC ? -EMFILE : 0;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at < m->cmsg_len;
		     at += sizeof(int)) {
			int one;

			memcpy(&one, (char *)m + at, sizeof(one));
			if (*fd < 0) {
				*fd = one;
			} else {
				close(one);
				rc = -EMFILE;
			}
		}
	}
	return rc;
}

/* 1: a message; 0: nothing there; -EPIPE: the peer left; -EMSGSIZE, -EMFILE. */
static int read_message(
    const struct pipe_channel *c, struct memif_msg *m, int *fd)
{
	struct iovec iov = {m, sizeof(*m)};
	union control control;
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int rc;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	rc = collect_fd(&h, fd);
	if (!n)
		return -EPIPE;
	if (n != sizeof(*m) || h.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	return rc ?: 1;
}

static void end(struct pipe_channel *c, int why)
{
	switch (why) {
	case -EMSGSIZE:
		c->on_end(
		    c->owner, "msg_size", "a message is not 128 bytes long");
		return;
	case -EMFILE:
		c->on_end(c->owner, "msg_fds",
		    "a message comes with more descriptors than can be taken");
		return;
	default:
		c->on_end(c->owner, NULL, NULL);
	}
}

static int on_readable(
    sd_event_source *source, int socket, uint32_t revents, void *userdata)
{
	struct pipe_channel *c = userdata;

	(void)source;
	(void)socket;
	(void)revents;
	for (unsigned i = 0; i < CHANNEL_BUDGET; i++) {
		struct memif_msg m;
		int fd = -1;
		int rc = read_message(c, &m, &fd);
		bool goes_on = rc > 0 && c->on_message(c->owner, &m, &fd);

		if (fd >= 0)
			close(fd);
		if (rc < 0)
			end(c, rc);
		if (!goes_on)
			break;
	}
	return 0;
}

int pipe_channel_open(
    struct pipe_channel *c, sd_event *event, int fd, struct err *e)
{
	int rc =
	    sd_event_add_io(event, &c->source, fd, EPOLLIN, on_readable, c);

	if (rc < 0) {
		close(fd);
		return err_set(e, rc, "cannot watch a connection");
	}
	c->fd = fd;
	return 0;
}

int pipe_channel_release(struct pipe_channel *c)
{
	int fd = c->fd;

	c->source = sd_event_source_disable_unref(c->source);
	c->fd = -1;
	return fd;
}

void pipe_channel_close(struct pipe_channel *c)
{
	if (c->fd >= 0)
		close(pipe_channel_release(c));
}

int pipe_channel_send(
    const struct pipe_channel *c, const struct memif_msg *m, int fd)
{
	struct iovec iov = {(void *)m, sizeof(*m)};
	union control control = {.align = {.cmsg_len = CMSG_LEN(sizeof(int)),
				     .cmsg_level = SOL_SOCKET,
				     .cmsg_type = SCM_RIGHTS}};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
	}
	if (sendmsg(c->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

bool pipe_channel_is_dead(const struct pipe_channel *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}
