/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swpipe_message.c - what is said on the socket, before and at the end.
 *
 * One message, one answer; never two under way.  Of the server's strings only
 * printable characters are passed on.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ports/pipe/client/swpipe_impl.h"

static int send_message(struct swpipe *p, const struct memif_msg *m, int fd)
{
	struct iovec iov = {.iov_base = (void *)m, .iov_len = sizeof(*m)};
	union {
		char bytes[CMSG_SPACE(sizeof(fd))];
		struct cmsghdr align;
	} control = {.bytes = {0}};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		h.msg_control = control.bytes;
		h.msg_controllen = sizeof(control.bytes);
		*CMSG_FIRSTHDR(&h) = (struct cmsghdr){
		    .cmsg_level = SOL_SOCKET,
		    .cmsg_type = SCM_RIGHTS,
		    .cmsg_len = CMSG_LEN(sizeof(fd)),
		};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd, sizeof(fd));
	}
	return sendmsg(p->fd, &h, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A DISCONNECT and a stranger's message end the pipe, with a sentence. */
static int refused(const struct memif_msg *m, char *err)
{
	char reason[MEMIF_REASON_SIZE + 1] = "";

	if (m->type != MEMIF_DISCONNECT)
		return swpipe_fail(err, -EPROTO,
		    "the server sent message %u out of turn", m->type);
	for (unsigned i = 0; i < MEMIF_REASON_SIZE && m->disconnect.reason[i];
	     i++)
		reason[i] = isprint(m->disconnect.reason[i])
				? (char)m->disconnect.reason[i]
				: '?';
	return swpipe_fail(err, -ECONNREFUSED, "the server hung up: %s",
	    reason[0] ? reason : "it gave no reason");
}

static int take_message(
    struct swpipe *p, struct memif_msg *m, int flags, char *err)
{
	ssize_t n;

	do
		n = recv(p->fd, m, sizeof(*m), MSG_TRUNC | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return swpipe_fail(err, -EAGAIN, "the server does not answer");
	if (n <= 0)
		return swpipe_fail(err, -ECONNRESET, "the server is gone");
	if (n != sizeof(*m))
		return swpipe_fail(err, -EPROTO,
		    "the server sent a message of %zd bytes instead of %zu", n,
		    sizeof(*m));
	return 0;
}

/* Waits for a message of @type. */
static int expect(
    struct swpipe *p, struct memif_msg *m, unsigned type, char *err)
{
	int r = take_message(p, m, 0, err);

	if (r)
		return r == -EAGAIN ? -ETIMEDOUT : r;
	return m->type == type ? 0 : refused(m, err);
}

/* Sends @m, with @fd if there is one, and waits for an @answer. */
static int ask(
    struct swpipe *p, struct memif_msg *m, int fd, unsigned answer, char *err)
{
	int r = send_message(p, m, fd);

	/* A server that hung up has said why. */
	if (r && r != -EPIPE && r != -ECONNRESET)
		return swpipe_fail(
		    err, r, "the server cannot be asked: %s", strerror(-r));
	return expect(p, m, answer, err);
}

static void put_string(uint8_t *to, size_t size, const char *s)
{
	memcpy(to, s, strnlen(s, size));
}

static unsigned at_most(unsigned n, unsigned limit)
{
	return n < limit ? n : limit;
}

static int take_hello(struct swpipe *p, char *err)
{
	struct memif_msg m;
	int r = expect(p, &m, MEMIF_HELLO, err);

	if (r)
		return r;
	if (m.hello.min_version > MEMIF_VERSION ||
	    m.hello.max_version < MEMIF_VERSION)
		return swpipe_fail(err, -EPROTONOSUPPORT,
		    "the server does not speak memif 2.0");
	p->n_queues = at_most(p->n_queues, m.hello.max_ring_to_server + 1u);
	p->n_queues = at_most(p->n_queues, m.hello.max_ring_to_client + 1u);
	p->log2_slots = at_most(p->log2_slots, m.hello.max_log2_ring_size);
	if (p->log2_slots < SWPIPE_LOG2_SLOTS_MIN)
		return swpipe_fail(err, -EPROTO,
		    "the server takes rings of %u slots at most",
		    1u << p->log2_slots);
	return 0;
}

static int introduce(
    struct swpipe *p, const struct swpipe_options *o, char *err)
{
	struct memif_msg m = {.type = MEMIF_INIT};

	m.init.version = MEMIF_VERSION;
	m.init.id = o->id;
	m.init.mode = MEMIF_MODE_ETHERNET;
	put_string(
	    m.init.name, sizeof(m.init.name) - 1, o->name ? o->name : "swpipe");
	if (o->secret)
		put_string(m.init.secret, sizeof(m.init.secret), o->secret);
	return ask(p, &m, -1, MEMIF_ACK, err);
}

static int add_region(struct swpipe *p, char *err)
{
	struct memif_msg m = {.type = MEMIF_ADD_REGION};

	m.add_region.size = p->memory_size;
	return ask(p, &m, p->memory_fd, MEMIF_ACK, err);
}

static int add_ring(struct swpipe *p, unsigned i, uint16_t direction, char *err)
{
	const struct swpipe_side *s =
	    direction ? &p->queue[i].tx : &p->queue[i].rx;
	struct memif_msg m = {.type = MEMIF_ADD_RING};

	m.add_ring.flags = direction;
	m.add_ring.index = (uint16_t)i;
	m.add_ring.offset = (uint32_t)((uint8_t *)s->ring - p->memory);
	m.add_ring.log2_size = (uint8_t)p->log2_slots;
	return ask(p, &m, s->event_fd, MEMIF_ACK, err);
}

static int add_rings(struct swpipe *p, char *err)
{
	int r = 0;

	for (unsigned i = 0; i < p->n_queues && !r; i++)
		r = add_ring(p, i, MEMIF_RING_TO_SERVER, err);
	for (unsigned i = 0; i < p->n_queues && !r; i++)
		r = add_ring(p, i, 0, err);
	return r;
}

static int connect_rings(
    struct swpipe *p, const struct swpipe_options *o, char *err)
{
	struct memif_msg m = {.type = MEMIF_CONNECT};
	int r;

	put_string(m.connect.name, sizeof(m.connect.name) - 1,
	    o->name ? o->name : "swpipe");
	r = ask(p, &m, -1, MEMIF_CONNECTED, err);
	for (unsigned i = 0; i < p->n_queues && !r; i++)
		swpipe_rx_start(&p->queue[i].rx);
	return r;
}

int swpipe_handshake(
    struct swpipe *p, const struct swpipe_options *o, char *err)
{
	int r = take_hello(p, err);

	r = r ? r : swpipe_map(p, err);
	r = r ? r : introduce(p, o, err);
	r = r ? r : add_region(p, err);
	r = r ? r : add_rings(p, err);
	return r ? r : connect_rings(p, o, err);
}

void swpipe_goodbye(struct swpipe *p)
{
	struct memif_msg m = {.type = MEMIF_DISCONNECT};

	put_string(m.disconnect.reason, sizeof(m.disconnect.reason) - 1,
	    "the application closed the pipe");
	send_message(p, &m, -1);
}

int swpipe_listen(struct swpipe *p)
{
	struct memif_msg m;
	int r = take_message(p, &m, MSG_DONTWAIT, p->why);

	if (r == -EAGAIN)
		return 0;
	return r ? r : refused(&m, p->why);
}
