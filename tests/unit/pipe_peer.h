/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipe_peer.h - a pipe port, and an application that talks to it.
 *
 * Both live in the test's thread: what is sent is handled when the event loop
 * is pumped, and what the port tells the switch is written down in `told`.
 *
 * Life: start (or start_client) and stop as the fixture of a suite.
 * Threads: one.
 */
#ifndef TESTS_UNIT_PIPE_PEER_H
#define TESTS_UNIT_PIPE_PEER_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/pipe/listener.h"
#include "ports/pipe/session.h"
#include "switch/base/clock.h"

enum { QUEUES = 2, LOG2 = 8, MEM_SIZE = 1 << 20 };

/* What the switch would see. */
static struct {
	unsigned changed, raised;
} told;

static sd_event *event;
static struct port_env env;
static struct pipe_port *p;
static struct json_object *params;
static char dir[] = "/tmp/swd-unit-XXXXXX";
static int peer = -1; /* the application's end of the connection */
static int memfd = -1;

static inline void on_changed(struct port *port)
{
	(void)port;
	told.changed++;
}

static inline void on_raise(struct port *port)
{
	__atomic_store_n(&port->raised, 1, __ATOMIC_RELEASE);
	told.raised++;
}

static inline void pump(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static inline void pump_ms(unsigned ms)
{
	for (uint64_t end = clock_ms() + ms; clock_ms() < end;)
		sd_event_run(event, 10000);
}

static inline struct pipe_port *open_port(const char *name)
{
	struct port *port;
	struct err e;

	cr_assert_eq(pipe_port_ops.open(&port, &env, name, params, &e), 0, "%s",
	    e.message);
	return (struct pipe_port *)port;
}

static inline void set_int(const char *key, int64_t value)
{
	json_object_object_add(params, key, json_object_new_int64(value));
}

static inline void set_str(const char *key, const char *value)
{
	json_object_object_add(params, key, json_object_new_string(value));
}

static inline void prepare(void)
{
	log_set_level(LOG_ERR);
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_geq(sd_event_new(&event), 0);
	env = (struct port_env){.event = event,
	    .rundir = dir,
	    .changed = on_changed,
	    .raise = on_raise};
	params = json_object_new_object();
	set_int("queues", QUEUES);
}

static inline int connect_at(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	pump();
	return fd;
}

static inline void start(void)
{
	prepare();
	p = open_port("p1");
	peer = connect_at(pipe_port_path(p));
	cr_assert_geq(peer, 0);
}

static inline void stop(void)
{
	char path[64];

	if (p)
		pipe_port_ops.close(&p->port);
	close(peer);
	json_object_put(params);
	sd_event_unref(event);
	snprintf(path, sizeof(path), "%s/pipe", dir);
	rmdir(path);
	cr_expect_eq(rmdir(dir), 0, "something is left in %s", dir);
}

static inline void send_bytes(
    const void *bytes, size_t n, const int fd[], unsigned k)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)bytes, n};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (k) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(k * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(k * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fd, k * sizeof(int));
	}
	(void)!sendmsg(peer, &h, MSG_NOSIGNAL);
}

static inline void send_message(struct memif_msg m, int fd)
{
	send_bytes(&m, sizeof(m), &fd, fd >= 0);
	pump();
}

/* The next message that is there, of type 0 if there is none; its descriptor
 * goes to *fd, or is closed. */
static inline struct memif_msg receive(int *fd)
{
	struct memif_msg m = {0};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {&m, sizeof(m)};
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(peer, &h, MSG_DONTWAIT);
	int got = -1;

	if (n != sizeof(m))
		return (struct memif_msg){0};
	if (CMSG_FIRSTHDR(&h))
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(got));
	if (fd)
		*fd = got;
	else if (got >= 0)
		close(got);
	return m;
}

static inline unsigned receive_type(void)
{
	return receive(NULL).type;
}

static inline void expect_ack(void)
{
	cr_assert_eq(receive_type(), MEMIF_ACK);
}

static inline void say_init(uint32_t id, const char *secret)
{
	send_message(pipe_message_init(id, secret, "unit test"), -1);
}

static inline void greet(void)
{
	cr_assert_eq(receive_type(), MEMIF_HELLO);
	say_init(0, "");
	expect_ack();
}

static inline int make_memory(bool sealable)
{
	int fd = memfd_create(
	    "app", MFD_CLOEXEC | (sealable ? MFD_ALLOW_SEALING : 0));

	cr_assert_eq(ftruncate(fd, MEM_SIZE), 0);
	return fd;
}

static inline void add_region(void)
{
	memfd = make_memory(true);
	send_message(pipe_message_add_region(MEM_SIZE), memfd);
	expect_ack();
}

/* Where ring @i in that direction lies. */
static inline uint32_t ring_offset(bool to_server, unsigned i)
{
	return (uint32_t)((2 * i + to_server) * 0x8000);
}

static inline struct memif_msg ring_message(bool to_server, unsigned i)
{
	return pipe_message_add_ring(
	    to_server, i, ring_offset(to_server, i), LOG2);
}

static inline void write_ring(bool to_server, unsigned i)
{
	struct memif_ring ring = {.cookie = MEMIF_COOKIE};

	cr_assert_eq(
	    pwrite(memfd, &ring, sizeof(ring), ring_offset(to_server, i)),
	    sizeof(ring));
}

static inline void add_ring(bool to_server, unsigned i)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	write_ring(to_server, i);
	send_message(ring_message(to_server, i), fd);
	close(fd);
	expect_ack();
}

static inline void add_rings(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		add_ring(true, i);
		add_ring(false, i);
	}
}

static inline void say_connect(void)
{
	send_message(pipe_message_connect(MEMIF_CONNECT, "app0"), -1);
}

/* From the first word to the last. */
static inline void run(unsigned n_rings)
{
	greet();
	add_region();
	add_rings(n_rings);
	say_connect();
	cr_assert_eq(receive_type(), MEMIF_CONNECTED);
	cr_assert_eq(p->port.state, PORT_UP);
}

static inline bool is_hung_up(int fd)
{
	char c[256];
	ssize_t n;

	pump();
	while ((n = recv(fd, c, sizeof(c), MSG_DONTWAIT)) > 0)
		;
	return !n || (n < 0 && errno == ECONNRESET);
}

/* The port has thrown the peer out, saying so to it and in its reason. */
static inline void expect_refused(const char *token)
{
	struct memif_msg m = receive(NULL);
	char text[MEMIF_REASON_SIZE + 1];

	cr_assert_eq(m.type, MEMIF_DISCONNECT, "%s: got message %u", token,
	    (unsigned)m.type);
	pipe_message_text(text, m.disconnect.reason, MEMIF_REASON_SIZE);
	cr_expect(is_hung_up(peer));
	cr_expect_lt(p->channel.fd, 0);
	cr_expect_eq(p->port.state, PORT_WAIT);
	cr_expect_eq(strncmp(p->port.reason, token, strlen(token)), 0, "%s",
	    p->port.reason);
	cr_expect_not_null(strstr(p->port.reason, text), "%s", text);
	cr_expect_eq(p->port.rx_live | p->port.tx_live, 0);
	cr_expect_null(p->mem);
	close(peer);
	peer = connect_at(pipe_port_path(p));
}

static inline unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

#endif
