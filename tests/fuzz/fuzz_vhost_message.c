/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_vhost_message.c - any stream of messages and descriptors to a port.
 *
 * The input is a list of records: what to send, with how many descriptors of
 * which kinds, or to hang up.  Requests, sizes and ring addresses are drawn
 * towards what is nearly right, because what is wholly wrong ends at the
 * first check.  After each stream no descriptor may be left.
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"

enum { FILE_SIZE = 1 << 18, N_FDS = 4, FDS_MAX = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
	uint8_t request;
	uint8_t how; /* enum how */
	uint8_t n_fds, kinds;
	uint8_t n_payload; /* bytes of payload that follow */
};

enum how {
	HOW_NEED_REPLY = 1 << 0,
	HOW_WRONG_VERSION = 1 << 1,
	HOW_WRONG_SIZE = 1 << 2,
	HOW_HANG_UP = 1 << 3,
	HOW_IN_PIECES = 1 << 4,
	HOW_WILD_REQUEST = 1 << 5,
	HOW_FAULT = 1 << 6, /* a worker finds the first running ring broken */
	HOW_READY = 1 << 7, /* everything right for ring 1 goes before it */
};

static sd_event *event;
static struct port *port;
static int fds[N_FDS], peer = -1;

static void on_changed(struct port *changed)
{
	(void)changed;
}

static void on_announce(
    struct port *announced, const uint8_t *frame, uint32_t len)
{
	(void)announced;
	assert(len >= 60 && frame[0] == 0xff);
}

static void on_raise(struct port *raised)
{
	raised->raised = 1;
}

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void set_up(void)
{
	static struct port_env env = {.changed = on_changed,
	    .raise = on_raise,
	    .announce = on_announce,
	    .rundir = "/nowhere"};
	struct json_object *params = json_object_new_object();
	struct err e;

	log_set_level(LOG_ERR);
	guard_install(&e);
	sd_event_new(&event);
	env.event = event;
	json_object_object_add(params, "queues", json_object_new_int(2));
	/* In the client role there is no socket file. */
	json_object_object_add(
	    params, "role", json_object_new_string("client"));
	json_object_object_add(
	    params, "socket", json_object_new_string("/nowhere/socket"));
	if (vhost_port_ops.open(&port, &env, "fuzz", params, &e))
		abort();
	json_object_put(params);
	port->mtu = 9000;
	fds[0] = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fds[1] = memfd_create("open", MFD_CLOEXEC);
	fds[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds[3] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (ftruncate(fds[0], FILE_SIZE) || ftruncate(fds[1], FILE_SIZE))
		abort();
	for (int i = 0; i < 10; i++)
		sd_event_run(event, 0);
}

static void pump(void)
{
	char replies[1024];

	for (int i = 0; i < 64 && sd_event_run(event, 0) > 0; i++)
		;
	if (port->raised) {
		port->raised = 0;
		vhost_port_ops.attend(port);
	}
	while (
	    peer >= 0 && recv(peer, replies, sizeof(replies), MSG_DONTWAIT) > 0)
		;
}

static void hang_up(void)
{
	if (peer >= 0)
		close(peer);
	peer = -1;
	pump();
}

static void dial(void)
{
	struct vhost_port *p = (struct vhost_port *)port;
	int pair[2];

	if (peer >= 0 && p->conn.fd >= 0)
		return;
	hang_up();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		abort();
	vhost_session_attach(p, pair[0]);
	peer = pair[1];
}

static void send_part(
    const uint8_t *bytes, size_t n, const int fd[], unsigned k)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
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
	(void)!sendmsg(peer, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_record(const struct record *r, const uint8_t *payload)
{
	uint8_t bytes[sizeof(struct vhost_header) + UINT8_MAX];
	struct vhost_header h = {
	    .request = r->how & HOW_WILD_REQUEST ? r->request * 0x01010101u
						 : r->request % VHOST_USER_N,
	    .flags = (r->how & HOW_WRONG_VERSION ? 2 : VHOST_VERSION) |
		     (r->how & HOW_NEED_REPLY ? VHOST_FLAG_NEED_REPLY : 0),
	    .size = r->how & HOW_WRONG_SIZE ? r->n_payload * 0x01000193u
					    : r->n_payload,
	};
	size_t n = sizeof(h) + r->n_payload;
	size_t first = r->how & HOW_IN_PIECES ? n / 2 : n;
	unsigned k = r->n_fds % (FDS_MAX + 1);
	int fd[FDS_MAX];

	for (unsigned i = 0; i < k; i++)
		fd[i] = fds[(r->kinds >> 2 * (i % 4)) % N_FDS];
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), payload, r->n_payload);
	send_part(bytes, first, fd, k);
	if (first == n)
		return;
	pump();
	send_part(bytes + first, n - first, NULL, 0);
}

static void send_right(
    uint8_t request, const void *payload, uint8_t n, uint8_t kind)
{
	const struct record r = {.request = request,
	    .n_fds = kind < N_FDS,
	    .kinds = kind,
	    .n_payload = n};

	send_record(&r, payload);
	pump();
}

/* A front end that does everything as it should, up to a running ring. */
static void run_a_ring(void)
{
	const uint64_t features = 0, kick = 1;
	const uint64_t protocol = UINT64_C(1) << VHOST_PROTOCOL_LOG_SHMFD |
				  UINT64_C(1) << VHOST_PROTOCOL_INFLIGHT_SHMFD;
	const struct vhost_log_msg log = {FILE_SIZE / DIRTY_LOG_PAGE / 8, 0};
	const struct vhost_inflight_msg notes = {
	    FILE_SIZE / 4, FILE_SIZE / 2, 2, 256};
	const struct vhost_mem_table table = {
	    .n = 1, .region = {{0, FILE_SIZE, FILE_SIZE, 0}}};
	const struct vhost_vring_state num = {1, 256};
	const struct vhost_vring_addr addr = {.index = 1,
	    .desc = FILE_SIZE,
	    .avail = FILE_SIZE + 0x2000,
	    .used = FILE_SIZE + 0x4000};

	send_right(VHOST_USER_SET_PROTOCOL_FEATURES, &protocol, 8, N_FDS);
	send_right(VHOST_USER_SET_FEATURES, &features, 8, N_FDS);
	send_right(VHOST_USER_SET_LOG_BASE, &log, sizeof(log), 1);
	send_right(VHOST_USER_SET_INFLIGHT_FD, &notes, sizeof(notes), 1);
	send_right(VHOST_USER_SET_MEM_TABLE, &table, 40, 0);
	send_right(VHOST_USER_SET_VRING_NUM, &num, sizeof(num), N_FDS);
	send_right(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), N_FDS);
	send_right(VHOST_USER_SET_VRING_KICK, &kick, sizeof(kick), 2);
}

static void break_a_ring(void)
{
	struct vhost_port *p = (struct vhost_port *)port;

	for (unsigned i = 0; i < vhost_port_n_rings(p); i++)
		if (p->ring[i].running) {
			virtq_break(&p->ring[i].vq, VIRTQ_DESC_LOOP);
			return;
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record r;
	unsigned before;

	if (!port)
		set_up();
	before = count_fds();
	while (size >= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		data += sizeof(r);
		size -= sizeof(r);
		if (r.n_payload > size)
			r.n_payload = (uint8_t)size;
		dial();
		if (r.how & HOW_READY)
			run_a_ring();
		dial();
		send_record(&r, data);
		data += r.n_payload;
		size -= r.n_payload;
		if (r.how & HOW_FAULT)
			break_a_ring();
		pump();
		if (r.how & HOW_HANG_UP)
			hang_up();
	}
	hang_up();
	assert(!port->rx_live && !port->tx_live);
	assert(count_fds() == before);
	return 0;
}
