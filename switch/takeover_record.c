/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover_record.c - the steps of a takeover, as they are on the socket.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/port.h"
#include "switch/takeover_record.h"

#define MAGIC 0x6f746477u /* "wdto" */

static const char *const step_names[] = {[TAKEOVER_HELLO] = "HELLO",
    [TAKEOVER_PORTS] = "PORTS",
    [TAKEOVER_PREPARED] = "PREPARED",
    [TAKEOVER_PLACES] = "PLACES",
    [TAKEOVER_ACCEPTED] = "ACCEPTED",
    [TAKEOVER_YOURS] = "YOURS",
    [TAKEOVER_RUNNING] = "RUNNING",
    [TAKEOVER_REFUSED] = "REFUSED",
    [TAKEOVER_MORE] = "MORE"};

int takeover_address(struct sockaddr_un *a, const char *control, struct err *e)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if ((size_t)snprintf(a->sun_path, sizeof(a->sun_path), "%s.takeover",
		control) < sizeof(a->sun_path))
		return 0;
	return err_set(e, -ENAMETOOLONG,
	    "the path of socket %.60s... has no room for .takeover", control);
}

static int send_packet(int fd, const struct takeover_packet *p, const int fds[],
    unsigned n, struct err *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(RECORD_FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)p, sizeof(*p)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (n) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	if (sendmsg(fd, &m, MSG_NOSIGNAL) == sizeof(*p))
		return 0;
	return err_set(
	    e, -errno, "step %s cannot be sent: %m", step_names[p->step]);
}

/* @doc in a memfd of its own, *length bytes; -1 and no bytes for none. */
static int write_document(
    struct json_object *doc, uint32_t *length, struct err *e)
{
	const char *text =
	    doc ? json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN)
		: NULL;
	size_t n = text ? strlen(text) : 0;
	int fd;

	*length = (uint32_t)n;
	if (!n)
		return -1;
	fd = memfd_create("swd-takeover", MFD_CLOEXEC);
	if (fd >= 0 && n <= RECORD_LENGTH_MAX &&
	    write(fd, text, n) == (ssize_t)n)
		return fd;
	if (fd >= 0)
		close(fd);
	return err_set(e, -ENOMEM, "no memory for a document of %zu bytes", n);
}

static int send_fds(int fd, const struct handover *h, struct err *e)
{
	struct takeover_packet p = {
	    .magic = MAGIC, .version = TAKEOVER_VERSION, .step = TAKEOVER_MORE};
	int rc = 0;

	for (unsigned i = 0; !rc && i < h->n; i += p.n_fds) {
		p.n_fds = h->n - i < RECORD_FDS_MAX ? h->n - i : RECORD_FDS_MAX;
		rc = send_packet(fd, &p, h->fd + i, p.n_fds, e);
	}
	return rc;
}

int takeover_send(int fd, enum takeover_step step, struct json_object *doc,
    const struct handover *h, struct err *e)
{
	struct takeover_packet p = {.magic = MAGIC,
	    .version = TAKEOVER_VERSION,
	    .step = (uint16_t)step,
	    .n_fds = h ? h->n : 0};
	int memfd, rc;

	if (h && h->failed)
		return err_set(e, -ENOMEM, "no memory for descriptors");
	memfd = write_document(doc, &p.length, e);
	if (memfd < -1)
		return memfd;
	rc = send_packet(fd, &p, &memfd, memfd >= 0, e);
	if (memfd >= 0)
		close(memfd);
	return rc || !h ? rc : send_fds(fd, h, e);
}

void takeover_refuse(int fd, const struct err *e)
{
	struct json_object *doc = json_object_new_object();

	port_show_str(doc, "message", e->message);
	port_show_str(doc, "hint", e->hint);
	takeover_send(fd, TAKEOVER_REFUSED, doc, NULL, NULL);
	json_object_put(doc);
}

/* Adds what came along with @m to @h. */
static int collect_fds(struct msghdr *m, struct handover *h)
{
	int rc = m->msg_flags & (MSG_CTRUNC | MSG_TRUNC) ? -EMFILE : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at < c->cmsg_len;
		     at += sizeof(int)) {
			int fd;

			memcpy(&fd, (char *)c + at, sizeof(fd));
			if (handover_receive_fd(h, fd))
				rc = -ENOMEM;
		}
	}
	return rc;
}

static int receive_packet(int fd, struct takeover_packet *p, struct handover *h,
    int timeout_ms, struct err *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(RECORD_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {p, sizeof(*p)};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ssize_t n;
	int rc;

	if (poll(&wait, 1, timeout_ms) <= 0)
		return err_set(e, -ETIMEDOUT,
		    "the other switch says nothing for %d ms", timeout_ms);
	n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return err_set(e, -ECONNRESET, "the other switch is gone");
	rc = collect_fds(&m, h);
	if (rc)
		return err_set(
		    e, rc, "descriptors of a takeover: %s", strerror(-rc));
	if (n != sizeof(*p) || p->magic != MAGIC)
		return err_set(
		    e, -EPROTO, "the other side speaks of no takeover");
	if (p->version == TAKEOVER_VERSION)
		return 0;
	err_set(e, -EPROTO, "the other switch has takeovers of version %u",
	    p->version);
	err_hint(e, "stop it and start this one: guests come back by "
		    "themselves");
	return -EPROTO;
}

static int read_document(
    int fd, uint32_t length, struct json_object **doc, struct err *e)
{
	char *text = length <= RECORD_LENGTH_MAX ? malloc(length + 1) : NULL;

	if (!text)
		return err_set(
		    e, -ENOMEM, "no memory for a document of %u bytes", length);
	*doc = NULL;
	if (pread(fd, text, length, 0) == (ssize_t)length) {
		text[length] = '\0';
		*doc = json_tokener_parse(text);
	}
	free(text);
	return *doc ? 0 : err_set(e, -EPROTO, "a document cannot be read");
}

/* The document that came with @p, into *doc. */
static int take_document(const struct takeover_packet *p, struct handover *h,
    struct json_object **doc, struct err *e)
{
	*doc = NULL;
	if (!p->length)
		return 0;
	if (h->n != 1)
		return err_set(e, -EPROTO, "a document without a descriptor");
	return read_document(h->fd[0], p->length, doc, e);
}

static int receive_fds(
    int fd, struct handover *h, unsigned n, int timeout_ms, struct err *e)
{
	struct takeover_packet p;
	unsigned end = h->n + n;
	int rc = 0;

	while (!rc && h->n < end) {
		unsigned before = h->n;

		rc = receive_packet(fd, &p, h, timeout_ms, e);
		if (!rc &&
		    (p.step != TAKEOVER_MORE || h->n == before || h->n > end))
			rc = err_set(e, -EPROTO, "descriptors are missing");
	}
	return rc;
}

static int refused(struct json_object *doc, struct err *e)
{
	const char *hint = port_param_str(doc, "hint", "");

	err_set(e, -ECANCELED, "%s",
	    port_param_str(doc, "message", "the other switch refuses"));
	if (hint[0])
		err_hint(e, "%s", hint);
	return -ECANCELED;
}

int takeover_receive(int fd, enum takeover_step step, struct json_object **doc,
    struct handover *h, int timeout_ms, struct err *e)
{
	struct handover with = {0};
	struct json_object *got = NULL;
	struct takeover_packet p;
	int rc = receive_packet(fd, &p, &with, timeout_ms, e);

	if (!rc)
		rc = take_document(&p, &with, &got, e);
	handover_close(&with);
	if (!rc && p.step == TAKEOVER_REFUSED)
		rc = refused(got, e);
	else if (!rc && (p.step != step || (p.n_fds && !h)))
		rc = err_set(e, -EPROTO, "step %u comes instead of %s", p.step,
		    step_names[step]);
	if (!rc && p.n_fds)
		rc = receive_fds(fd, h, p.n_fds, timeout_ms, e);
	if (!rc && doc)
		*doc = got;
	else
		json_object_put(got);
	return rc;
}
