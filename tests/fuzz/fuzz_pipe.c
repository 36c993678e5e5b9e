/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_pipe.c - any messages from a pipe's peer, any memory as its rings.
 *
 * The first byte of the input says which: messages, to a port in either role,
 * whose rings are served as soon as it has some; or the memory of two peers,
 * with frames from one to the other.  The sanitizers watch our side, canaries
 * the bytes round each peer's memory, and assertions what a batch promises.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/pipe/listener.h"
#include "ports/pipe/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
	REGION = 0x4000, /* two of them to a peer, or one in a memfd */
	CANARIES = 64,
	CANARY = 0xa5,
	OWN_AT = 0x1000, /* buffers of ours */
	OWN_SIZE = 64,
	ROUNDS = 4,
};

static struct batch batch;
static struct doorbell *bell;
static sd_event *event;
static struct port_env env;
static char dir[] = "/tmp/swd-fuzz-XXXXXX";

static void ignore(struct port *port)
{
	(void)port;
}

static void clean_up(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/pipe", dir);
	rmdir(path);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_ERR);
	if (!mkdtemp(dir) || sd_event_new(&event) < 0 ||
	    doorbell_open(&bell, NULL) || guard_install(NULL))
		abort();
	atexit(clean_up);
	env = (struct port_env){
	    .event = event, .rundir = dir, .changed = ignore, .raise = ignore};
	return 0;
}

/* Takes a value from the front of the input; zero when that is used up. */
struct input {
	const uint8_t *data;
	size_t size;
};

static void take(struct input *in, void *to, size_t n)
{
	size_t some = in->size < n ? in->size : n;

	memset(to, 0, n);
	memcpy(to, in->data, some);
	in->data += some;
	in->size -= some;
}

static uint8_t take_byte(struct input *in)
{
	uint8_t b;

	take(in, &b, 1);
	return b;
}

static void check_batch(const struct counters *c)
{
	unsigned n_segs = 0;

	assert(batch.n <= BATCH_MAX && batch.n_segs <= BATCH_SEGS_MAX);
	for (unsigned i = 0; i < batch.n; i++) {
		const struct frame *f = &batch.f[i];
		uint32_t len = f->head_len;

		assert(f->len >= FRAME_LEN_MIN && f->len <= FRAME_LEN_MAX);
		assert(f->head_len <= FRAME_HEAD_MAX);
		assert(f->n_segs <= FRAME_SEGS_MAX && !f->offload.bits);
		for (unsigned k = 0; k < f->n_segs; k++)
			len += f->segs[k].len;
		assert(len == f->len);
		n_segs += f->n_segs;
	}
	assert(n_segs == batch.n_segs);
	assert(c->rx_packets >= c->drops[DROP_BAD_DESCRIPTOR]);
}

/* What came of queue @from, or of nowhere if that is empty, to @to. */
static void pass_on(struct pipe_ring *from, struct pipe_ring *to,
    struct counters *in, struct counters *out)
{
	struct port_worker w = {.counters = in, .bell = bell};
	struct frame *f[BATCH_MAX];
	uint64_t before = out->tx_packets, drops = 0, after = 0;
	unsigned work;

	for (unsigned i = 0; i < DROP_N; i++)
		drops += out->drops[i];
	batch.n = batch.n_segs = 0;
	work = pipe_ring_rx(from, &batch, &w);
	check_batch(in);
	for (unsigned i = 0; i < batch.n; i++)
		f[i] = &batch.f[i];
	w.counters = out;
	if (batch.n)
		pipe_ring_tx(to, f, batch.n, &w);
	for (unsigned i = 0; i < DROP_N; i++)
		after += out->drops[i];
	assert(out->tx_packets - before + after - drops == batch.n);
	if (work)
		pipe_ring_rx_done(from);
	else
		pipe_ring_arm(from);
}

/* A peer with one ring. */
struct side {
	struct pipe_ring r;
	struct port port;
	struct counters counters;
	struct pipe_memory *mem;
};

static void side_open(struct side *s, struct input *in, bool sends)
{
	uint8_t opt = take_byte(in);
	bool client = opt & 8;

	memset(s, 0, sizeof(*s));
	s->mem = pipe_memory_open();
	s->mem->n = 2;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *p = aligned_alloc(64, REGION + 2 * CANARIES);

		memset(p, CANARY, REGION + 2 * CANARIES);
		memset(p + CANARIES, 0, REGION);
		s->mem->region[i] = (struct pipe_region){p + CANARIES, REGION};
	}
	s->port.env = &env;
	s->r.port = &s->port;
	s->r.mem = s->mem;
	s->r.fd = -1;
	if (client) {
		s->r.buffers = s->mem->region[0].at + OWN_AT;
		s->r.buffers_at = OWN_AT;
		s->r.buffer_size = OWN_SIZE;
	}
	pipe_ring_init(&s->r, (void *)s->mem->region[0].at, 1u << (opt & 7),
	    (struct pipe_ring_role){.client = client, .sends = sends});
	pipe_ring_start(&s->r);
}

static void side_close(struct side *s)
{
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *at = s->mem->region[i].at;

		for (unsigned k = 0; k < CANARIES; k++)
			assert(at[REGION + k] == CANARY &&
			       at[(int)k - CANARIES] == CANARY);
		free(at - CANARIES);
	}
	s->mem->n = 0;
	pipe_memory_close(s->mem);
}

/* An instruction of the input: small inputs are to make large rings. */
struct record {
	uint8_t kind; /* % 4: end, bytes, descriptors, index */
	uint8_t n;
	struct memif_desc desc;
	uint16_t at, step;
};

static void put(struct side *s, uint32_t at, const void *from, uint32_t n)
{
	const uint8_t *p = from;

	for (uint32_t i = 0; i < n; i++)
		s->mem->region[(at + i) / REGION % 2].at[(at + i) % REGION] =
		    p[i];
}

static void side_fill(struct side *s, struct input *in)
{
	struct record r;
	uint8_t bytes[256];

	do {
		take(in, &r, sizeof(r));
		if (r.kind % 4 == 1) {
			take(in, bytes, r.n);
			put(s, r.at, bytes, r.n);
		} else if (r.kind % 4 == 2) {
			for (unsigned i = 0; i < r.n; i++) {
				unsigned slot = (r.at + i) & s->r.mask;

				put(s, 128 + 16 * slot, &r.desc, 16);
				r.desc.offset += r.step;
			}
		} else if (r.kind % 4 == 3) {
			*(uint16_t *)(uintptr_t)s->r.theirs =
			    (uint16_t)(*s->r.theirs +
				       (r.n & 1 ? r.at : r.n / 2));
		}
	} while (r.kind % 4);
}

static void fuzz_rings(struct input *in)
{
	struct side a, b;

	side_open(&a, in, false);
	side_open(&b, in, true);
	for (unsigned i = 0; i < ROUNDS; i++) {
		side_fill(&a, in);
		side_fill(&b, in);
		pass_on(&a.r, &b.r, &a.counters, &b.counters);
		pass_on(&a.r, &b.r, &a.counters, &b.counters);
	}
	side_close(&a);
	side_close(&b);
}

/* A descriptor of the @kind that a peer might pass, -1: none. */
static int make_fd(uint8_t kind)
{
	int fd = -1, both[2];

	switch (kind % 8) {
	case 1:
	case 2:
		fd = memfd_create("fuzz",
		    MFD_CLOEXEC | (kind % 8 == 1 ? MFD_ALLOW_SEALING : 0));
		(void)!ftruncate(fd, REGION);
		break;
	case 3:
	case 4:
		fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		break;
	case 5:
		(void)!pipe(both);
		close(both[1]);
		fd = both[0];
		break;
	}
	return fd;
}

static void write_memory(struct input *in, int fd)
{
	struct memif_ring ring = {.cookie = MEMIF_COOKIE};
	uint8_t bytes[64];

	(void)!pwrite(fd, &ring, sizeof(ring), 0);
	ring.head = take_byte(in);
	(void)!pwrite(fd, &ring, sizeof(ring), 0x1000);
	take(in, bytes, sizeof(bytes));
	(void)!pwrite(fd, bytes, sizeof(bytes), 128);
	(void)!pwrite(fd, bytes, sizeof(bytes), 0x1080);
}

static void send_one(int socket, const struct memif_msg *m, size_t n, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.align = {.cmsg_len = CMSG_LEN(sizeof(int)),
			 .cmsg_level = SOL_SOCKET,
			 .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {(void *)m, n};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
	}
	(void)!sendmsg(socket, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sd_event_run(event, 0) > 0)
		;
}

/* Serves whatever rings the port has. */
static void serve(struct pipe_port *p)
{
	struct counters in = {0}, out = {0};

	for (unsigned q = 0; q < p->n_queues; q++) {
		struct pipe_ring *to = pipe_port_ring(p, q, true);

		if (p->port.rx_live >> q & 1 && p->port.tx_live >> q & 1)
			pass_on(pipe_port_ring(p, q, false), to, &in, &out);
	}
	p->port.ops->attend(&p->port);
}

/* What most inputs would never get right is right unless they say so. */
static struct memif_msg make_message(struct input *in, uint8_t how)
{
	struct memif_msg m;
	uint8_t type = take_byte(in);

	if (how & 1) {
		take(in, &m, sizeof(m));
		m.type = type % 10;
		return m;
	}
	switch (type % 6) {
	case 0:
		return pipe_message_add_region(REGION);
	case 1:
		return pipe_message_add_ring(
		    type & 64, type >> 7, type & 64 ? 0 : 0x1000, 3);
	case 2:
		return pipe_message_connect(
		    type & 64 ? MEMIF_CONNECT : MEMIF_CONNECTED, "fuzz");
	case 3:
		return pipe_message_hello(2, 4);
	case 4:
		return pipe_message_init(0, "", "");
	default:
		return pipe_message_ack();
	}
}

static void talk(struct pipe_port *p, int socket, struct input *in)
{
	while (in->size) {
		uint8_t how = take_byte(in), kind = take_byte(in);
		struct memif_msg m = make_message(in, how);
		int fd = make_fd(kind);

		if (fd >= 0 && kind % 8 < 3)
			write_memory(in, fd);
		send_one(socket, &m,
		    how & 2 && how & 4 ? how % sizeof(m) : sizeof(m), fd);
		if (fd >= 0)
			close(fd);
		if (how & 8)
			serve(p);
	}
}

/* A connection to @p in its role, past its listener or by way of it. */
static int meet(struct pipe_port *p, bool by_listener)
{
	int pair[2], fd;

	if (by_listener) {
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		(void)!connect(fd,
		    (void *)&pipe_listener_endpoint(p->listener)->address,
		    sizeof(struct sockaddr_un));
		return fd;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		abort();
	pipe_session_attach(p, pair[0]);
	p->stage = p->client ? PIPE_GREETING : PIPE_DESCRIBING;
	return pair[1];
}

static void fuzz_messages(struct input *in, uint8_t opt)
{
	struct json_object *params = json_object_new_object();
	bool client = opt & 2;
	struct pipe_port *p;
	struct port *port;
	int fd;

	json_object_object_add(params, "queues", json_object_new_int(2));
	json_object_object_add(params, "ring_size", json_object_new_int(32));
	json_object_object_add(
	    params, "trusted", json_object_new_boolean(opt & 8));
	if (client)
		json_object_object_add(
		    params, "role", json_object_new_string("client"));
	if (pipe_port_ops.open(&port, &env, "p", params, NULL))
		abort();
	p = (struct pipe_port *)port;
	/* The client's own attempts to connect are not wanted. */
	if (client)
		sd_event_source_set_enabled(p->endpoint.timer, SD_EVENT_OFF);
	fd = meet(p, !client && opt & 4);
	talk(p, fd, in);
	close(fd);
	while (sd_event_run(event, 0) > 0)
		;
	pipe_port_ops.close(port);
	json_object_put(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t opt = take_byte(&in);

	if (opt & 1)
		fuzz_messages(&in, opt);
	else
		fuzz_rings(&in);
	return 0;
}
