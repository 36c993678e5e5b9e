/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vhost_peer.h - a vhost-user port, and a front end that talks to it.
 *
 * Both live in the test's thread: what is sent is handled when the event loop
 * is pumped, and what the port tells the switch is written down in `told`.
 *
 * Life: start and stop as the fixture of a suite.  Threads: one.
 */
#ifndef TESTS_UNIT_VHOST_PEER_H
#define TESTS_UNIT_VHOST_PEER_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/vhost/features.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"
#include "switch/base/clock.h"

enum { RING = 256, MEM_SIZE = 1 << 20, QUEUES = 2 };

#define USER   (UINT64_C(1) << 46)
#define GUEST  (UINT64_C(1) << 32)
#define BIT(n) (UINT64_C(1) << (n))
#define MODERN                                                                 \
	(BIT(VHOST_F_VERSION_1) | BIT(VHOST_NET_F_MRG_RXBUF) |                 \
	    BIT(VHOST_F_EVENT_IDX) | BIT(VHOST_F_PROTOCOL_FEATURES))

/* What the switch would see. */
static struct {
	unsigned changed, raised;
	uint8_t announced[128];
	uint32_t announced_len;
} told;

static sd_event *event;
static struct port_env env;
static struct vhost_port *p;
static struct json_object *params;
static char dir[] = "/tmp/swd-unit-XXXXXX";
static int peer = -1; /* the front end's end of the connection */
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

static inline void on_announce(
    struct port *port, const uint8_t *frame, uint32_t len)
{
	(void)port;
	memcpy(told.announced, frame, len);
	told.announced_len = len;
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

static inline void attach(void)
{
	int pair[2];

	cr_assert_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	vhost_session_attach(p, pair[0]);
	peer = pair[1];
}

static inline void open_port(void)
{
	struct port *port;
	struct err e;

	cr_assert_eq(vhost_port_ops.open(&port, &env, "vm1", params, &e), 0,
	    "%s", e.message);
	p = (struct vhost_port *)port;
}

static inline void start(void)
{
	log_set_level(LOG_ERR);
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_geq(sd_event_new(&event), 0);
	env = (struct port_env){.event = event,
	    .rundir = dir,
	    .changed = on_changed,
	    .raise = on_raise,
	    .announce = on_announce};
	params = json_object_new_object();
	json_object_object_add(params, "queues", json_object_new_int(QUEUES));
	open_port();
	attach();
}

static inline void stop(void)
{
	char path[64];

	vhost_port_ops.close(&p->port);
	close(peer);
	json_object_put(params);
	sd_event_unref(event);
	snprintf(path, sizeof(path), "%s/vhost", dir);
	rmdir(path);
	cr_expect_eq(rmdir(dir), 0, "something is left in %s", dir);
}

static inline void send_bytes(
    const void *bytes, size_t n, const int fd[], unsigned k)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(32 * sizeof(int))];
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

static inline void send_message(uint32_t request, uint32_t flags,
    const void *payload, uint32_t size, const int fd[], unsigned n_fds)
{
	struct {
		struct vhost_header h;
		uint8_t payload[512];
	} m = {.h = {request, flags, size}};

	if (size)
		memcpy(m.payload, payload, size);
	send_bytes(&m, sizeof(m.h) + size, fd, n_fds);
	pump();
}

/* The payload of the reply that is there, or all ones. */
static inline uint64_t reply(uint32_t request)
{
	struct {
		struct vhost_header h;
		uint64_t u64;
	} __attribute__((packed)) m;

	if (recv(peer, &m, sizeof(m), MSG_DONTWAIT) != sizeof(m))
		return UINT64_MAX;
	cr_expect_eq(m.h.request, request);
	cr_expect_eq(m.h.flags, VHOST_VERSION | VHOST_FLAG_REPLY);
	cr_expect_eq(m.h.size, 8);
	return m.u64;
}

static inline uint64_t ask(uint32_t request)
{
	send_message(request, VHOST_VERSION, NULL, 0, NULL, 0);
	return reply(request);
}

/* Sends and returns what was acknowledged: 0 for accepted. */
static inline uint64_t tell(uint32_t request, const void *payload,
    uint32_t size, const int fd[], unsigned n_fds)
{
	send_message(request, VHOST_VERSION | VHOST_FLAG_NEED_REPLY, payload,
	    size, fd, n_fds);
	return reply(request);
}

static inline uint64_t tell_u64(uint32_t request, uint64_t value)
{
	return tell(request, &value, sizeof(value), NULL, 0);
}

static inline uint64_t tell_state(
    uint32_t request, uint32_t index, uint32_t num)
{
	const struct vhost_vring_state s = {index, num};

	return tell(request, &s, sizeof(s), NULL, 0);
}

static inline uint64_t tell_fd(uint32_t request, uint64_t value, int fd)
{
	return tell(request, &value, sizeof(value), &fd, fd >= 0);
}

static inline bool closed(void)
{
	char c[256];
	ssize_t n;

	pump();
	while ((n = recv(peer, c, sizeof(c), MSG_DONTWAIT)) > 0)
		;
	return p->conn.fd < 0 && (!n || (n < 0 && errno == ECONNRESET));
}

static inline void expect_closed(const char *token)
{
	cr_expect(closed(), "still connected, not %s", token);
	cr_expect_eq(p->port.state, PORT_WAIT);
	cr_expect_not_null(strstr(p->port.reason, token), "%s", p->port.reason);
	close(peer);
	attach();
}

static inline struct vhost_region_msg region_at(unsigned i)
{
	return (struct vhost_region_msg){GUEST + i * (uint64_t)MEM_SIZE,
	    MEM_SIZE, USER + i * (uint64_t)MEM_SIZE, 0};
}

static inline uint64_t share_memory(void)
{
	struct vhost_mem_table table = {.n = 1, .region = {region_at(0)}};

	if (memfd < 0) {
		memfd = memfd_create("guest", MFD_CLOEXEC);
		cr_assert_eq(ftruncate(memfd, MEM_SIZE), 0);
	}
	return tell(VHOST_USER_SET_MEM_TABLE, &table, 8 + 32, &memfd, 1);
}

/* Ring @i has a page-aligned place of its own at @base. */
static inline struct vhost_vring_addr ring_addr(unsigned i, uint64_t base)
{
	uint64_t at = base + i * 0x8000ull;

	return (struct vhost_vring_addr){
	    .index = i, .desc = at, .avail = at + 0x2000, .used = at + 0x4000};
}

/* All that ring @i needs but to be enabled. */
static inline void describe_ring(unsigned i)
{
	struct vhost_vring_addr a = ring_addr(i, USER);
	int fd = eventfd(0, EFD_NONBLOCK);

	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_NUM, i, RING), 0);
	cr_assert_eq(tell_state(VHOST_USER_SET_VRING_BASE, i, 0), 0);
	cr_assert_eq(
	    tell(VHOST_USER_SET_VRING_ADDR, &a, sizeof(a), NULL, 0), 0);
	cr_assert_eq(tell_fd(VHOST_USER_SET_VRING_CALL, i, fd), 0);
	cr_assert_eq(tell_fd(VHOST_USER_SET_VRING_KICK, i, fd), 0);
	close(fd);
}

static inline void negotiate(uint64_t features)
{
	cr_assert_eq(tell_u64(VHOST_USER_SET_PROTOCOL_FEATURES,
			 BIT(VHOST_PROTOCOL_REPLY_ACK)),
	    0);
	cr_assert_eq(tell_u64(VHOST_USER_SET_FEATURES, features), 0);
}

static inline void run_rings(unsigned n)
{
	negotiate(MODERN);
	cr_assert_eq(share_memory(), 0);
	for (unsigned i = 0; i < n; i++) {
		describe_ring(i);
		cr_assert_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, i, 1), 0);
	}
	cr_assert_eq(p->port.state, PORT_UP);
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
