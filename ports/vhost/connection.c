/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connection.c - a stream socket as a sequence of messages with descriptors.
 *
 * No read goes past the end of the message it is for: descriptors belong to
 * the bytes that they were sent with, and so to the message at hand.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/vhost/connection.h"

static void forget_message(struct vhost_connection *c)
{
	vhost_message_close_fds(&c->msg);
	memset(&c->msg, 0, sizeof(c->msg));
	c->have = 0;
}

/* Moves the descriptors of @h into the message; -EMFILE: more than fit, or
 * more than this process may have open. */
static int collect_fds(struct vhost_connection *c, struct msghdr *h)
{
	int rc = h->msg_flags & MSG_CTRUNC ? -EMFILE : 0;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at < m->cmsg_len;
		     at += sizeof(int)) {
			int fd;

			memcpy(&fd, (char *)m + at, sizeof(fd));
			if (c->msg.n_fds < VHOST_FDS_MAX) {
				c->msg.fd[c->msg.n_fds++] = fd;
			} else {
				close(fd);
				rc = -EMFILE;
			}
		}
	}
	return rc;
}

/* What is still missing of the message, and where it goes. */
static struct iovec missing(struct vhost_connection *c)
{
	const uint32_t header = sizeof(c->msg.header);

	if (c->have < header)
		return (struct iovec){
		    (char *)&c->msg.header + c->have, header - c->have};
	return (struct iovec){c->msg.payload.bytes + (c->have - header),
	    c->msg.header.size - (c->have - header)};
}

/* 1: read some; 0: nothing there; -EPIPE: the peer left; -EMFILE. */
static int read_some(struct vhost_connection *c, struct iovec iov)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VHOST_FDS_MAX * sizeof(int))];
	} control;
	struct msghdr h = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	if (!n)
		return -EPIPE;
	c->have += (uint32_t)n;
	return collect_fds(c, &h) ?: 1;
}

/* 1: the message is whole; 0: not yet; -errno as read_some(), -EMSGSIZE. */
static int read_message(struct vhost_connection *c)
{
	for (;;) {
		struct iovec iov = missing(c);
		int rc;

		if (!iov.iov_len)
			return 1;
		rc = read_some(c, iov);
		if (rc <= 0)
			return rc;
		if (c->have >= sizeof(c->msg.header) &&
		    c->msg.header.size > sizeof(c->msg.payload))
			return -EMSGSIZE;
	}
}

static void end(struct vhost_connection *c, int why)
{
	switch (why) {
	case -EMSGSIZE:
		c->on_end(c->owner, "msg_size", "a message is too long");
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
    sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct vhost_connection *c = userdata;

	(void)source;
	(void)fd;
	(void)revents;
	for (unsigned i = 0; i < CONNECTION_BUDGET; i++) {
		int rc = read_message(c);

		if (rc < 0)
			end(c, rc);
		if (rc <= 0)
			return 0;
		c->on_message(c->owner, &c->msg);
		if (c->fd < 0)
			return 0;
		forget_message(c);
	}
	return 0;
}

int vhost_connection_open(
    struct vhost_connection *c, sd_event *event, int fd, struct err *e)
{
	int rc =
	    sd_event_add_io(event, &c->source, fd, EPOLLIN, on_readable, c);

	if (rc < 0) {
		close(fd);
		return err_set(e, rc, "cannot watch a connection");
	}
	c->fd = fd;
	c->have = 0;
	memset(&c->msg, 0, sizeof(c->msg));
	return 0;
}

void vhost_connection_close(struct vhost_connection *c)
{
	if (c->fd < 0)
		return;
	c->source = sd_event_source_disable_unref(c->source);
	forget_message(c);
	close(c->fd);
	c->fd = -1;
}

int vhost_connection_reply(
    struct vhost_connection *c, const struct vhost_message *m, bool with_fd)
{
	struct vhost_header header = {
	    .request = m->header.request,
	    .flags = VHOST_VERSION | VHOST_FLAG_REPLY,
	    .size = m->header.size,
	};
	struct iovec iov[] = {{&header, sizeof(header)},
	    {(void *)m->payload.bytes, m->header.size}};
	struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	ssize_t n;

	if (with_fd) {
		memcpy(CMSG_DATA(&control.header), &m->fd[0], sizeof(int));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
	}
	n = sendmsg(c->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return (size_t)n == sizeof(header) + header.size ? 0 : -EAGAIN;
}

bool vhost_connection_is_dead(const struct vhost_connection *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}
