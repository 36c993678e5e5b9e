/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * app.c - an application at a pipe, in either of memif's roles.
 *
 * Both roles share everything but who speaks when and which index is whose.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/app.h"

enum { CANARY = 0xc7, LOG2_SIZE = 8, BUFFER_SIZE = 2048 };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* --- messages */

int app_say(const struct app *a, struct memif_msg m, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.align = {.cmsg_len = CMSG_LEN(sizeof(int)),
			 .cmsg_level = SOL_SOCKET,
			 .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {&m, sizeof(m)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
	}
	return sendmsg(a->fd, &h, MSG_NOSIGNAL) < 0 ? -ECONNRESET : 0;
}

static int hear(struct app *a, struct memif_msg *m, int *fd, int timeout_ms)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {m, sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct pollfd p = {.fd = a->fd, .events = POLLIN};
	int got = -1;

	if (poll(&p, 1, timeout_ms) <= 0)
		return -ETIMEDOUT;
	if (recvmsg(a->fd, &h, MSG_CMSG_CLOEXEC) != sizeof(*m))
		return -ECONNRESET;
	if (CMSG_FIRSTHDR(&h))
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(got));
	if (fd)
		*fd = got;
	else if (got >= 0)
		close(got);
	if (m->type != MEMIF_DISCONNECT)
		return 0;
	pipe_message_text(a->farewell, m->disconnect.reason, MEMIF_REASON_SIZE);
	return -ECONNRESET;
}

int app_hear(struct app *a, struct memif_msg *m, int *fd)
{
	return hear(a, m, fd, APP_WAIT_MS);
}

bool app_is_left(struct app *a, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	struct memif_msg m;
	int rc;

	do
		rc = hear(a, &m, NULL, timeout_ms);
	while (!rc && now_ms() < end);
	return rc == -ECONNRESET;
}

static int await(struct app *a, enum memif_msg_type type)
{
	struct memif_msg m;
	int rc = app_hear(a, &m, NULL);

	return rc ? rc : m.type == type ? 0 : -EPROTO;
}

/* Says @m and waits for the ACK. */
static int say_and_await(struct app *a, struct memif_msg m, int fd)
{
	int rc = app_say(a, m, fd);

	return rc ? rc : await(a, MEMIF_ACK);
}

/* --- the client's part */

/* Where things lie in a client's region: rings, a canary, buffers, a canary. */
static uint32_t ring_at(const struct app *a, unsigned i)
{
	return (uint32_t)(i * memif_ring_size(a->config.log2_size));
}

static uint32_t buffers_at(const struct app *a, unsigned i)
{
	uint32_t rings = ring_at(a, 2 * a->config.pairs);
	uint32_t start = (rings / APP_PAGE + 2) * APP_PAGE;

	return start + i * (a->config.buffer_size << a->config.log2_size);
}

static int make_memory(struct app *a)
{
	struct app_region *r = &a->region[0];

	r->size = buffers_at(a, 2 * a->config.pairs);
	r->size = (r->size + APP_PAGE - 1) / APP_PAGE * APP_PAGE;
	r->map_size = r->size + APP_PAGE;
	r->fd = memfd_create("app",
	    MFD_CLOEXEC | (a->config.unsealable ? 0 : MFD_ALLOW_SEALING));
	if (r->fd < 0 || ftruncate(r->fd, (off_t)r->map_size))
		return -errno;
	r->at = mmap(
	    NULL, r->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (r->at == MAP_FAILED)
		return -errno;
	memset(r->at, CANARY, r->map_size);
	a->n_regions = 1;
	return 0;
}

static void make_ring(struct app *a, struct app_ring *r, unsigned i)
{
	r->shared = (void *)(a->region[0].at + ring_at(a, i));
	memset(r->shared, 0, memif_ring_size(a->config.log2_size));
	r->shared->cookie = MEMIF_COOKIE;
	r->mask = (uint16_t)((1u << a->config.log2_size) - 1);
	r->next = 0;
	r->buffers = buffers_at(a, i);
	r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (unsigned k = 0; k <= r->mask; k++)
		r->shared->desc[k] =
		    (struct memif_desc){.len = a->config.buffer_size,
			.offset = r->buffers + k * a->config.buffer_size};
}

int app_greet(struct app *a, uint32_t id)
{
	int rc = await(a, MEMIF_HELLO);

	return rc ? rc : say_and_await(a, pipe_message_init(id, "", "app"), -1);
}

int app_bring_memory(struct app *a)
{
	int rc = make_memory(a);

	if (rc)
		return rc;
	for (unsigned i = 0; i < a->config.pairs; i++) {
		make_ring(a, &a->out[i], 2 * i);
		make_ring(a, &a->in[i], 2 * i + 1);
	}
	a->n_out = a->n_in = a->config.pairs;
	return say_and_await(
	    a, pipe_message_add_region(a->region[0].size), a->region[0].fd);
}

int app_bring_rings(struct app *a)
{
	int rc = 0;

	for (unsigned i = 0; i < 2 * a->config.pairs && !rc; i++)
		rc = say_and_await(a,
		    pipe_message_add_ring(
			!(i & 1), i / 2, ring_at(a, i), a->config.log2_size),
		    i & 1 ? a->in[i / 2].fd : a->out[i / 2].fd);
	return rc;
}

static int agree_as_client(struct app *a)
{
	int rc = app_greet(a, 0);

	rc = rc ? rc : app_bring_memory(a);
	rc = rc ? rc : app_bring_rings(a);
	rc = rc ? rc
		: app_say(a, pipe_message_connect(MEMIF_CONNECT, "app"), -1);
	rc = rc ? rc : await(a, MEMIF_CONNECTED);
	if (rc || a->config.in_empty)
		return rc;
	for (unsigned i = 0; i < a->n_in; i++)
		__atomic_store_n(&a->in[i].shared->head,
		    (uint16_t)(a->in[i].mask + 1), __ATOMIC_RELEASE);
	return 0;
}

/* --- the server's part */

static int take_region(struct app *a, uint64_t size, int fd)
{
	struct app_region *r = &a->region[a->n_regions];
	struct stat st;

	r->fd = fd;
	if (a->n_regions == APP_REGIONS_MAX || fstat(fd, &st))
		return -EPROTO;
	r->size = size;
	r->map_size = (uint64_t)st.st_size;
	r->at =
	    mmap(NULL, r->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r->at == MAP_FAILED)
		return -errno;
	a->n_regions++;
	return 0;
}

static int take_ring(struct app *a, const struct memif_add_ring *m, int fd)
{
	bool out = !(m->flags & MEMIF_RING_TO_SERVER);
	struct app_ring *r;

	if (m->index >= APP_PAIRS_MAX || m->region >= a->n_regions)
		return -EPROTO;
	r = out ? &a->out[m->index] : &a->in[m->index];
	r->shared = (void *)(a->region[m->region].at + m->offset);
	r->mask = (uint16_t)((1u << m->log2_size) - 1);
	r->next = 0;
	r->fd = fd;
	*(out ? &a->n_out : &a->n_in) += 1;
	return r->shared->cookie == MEMIF_COOKIE ? 0 : -EPROTO;
}

/* What one message of a client's is worth; 1: it was the last. */
static int take_message(struct app *a, const struct memif_msg *m, int fd)
{
	int rc = 0;

	if (m->type == MEMIF_ADD_REGION)
		rc = take_region(a, m->add_region.size, fd);
	else if (m->type == MEMIF_ADD_RING)
		rc = take_ring(a, &m->add_ring, fd);
	else if (m->type == MEMIF_CONNECT)
		return app_say(
			   a, pipe_message_connect(MEMIF_CONNECTED, "app"), -1)
			   ?: 1;
	else if (m->type != MEMIF_INIT)
		rc = -EPROTO;
	return rc ? rc : app_say(a, pipe_message_ack(), -1);
}

static int agree_as_server(struct app *a)
{
	struct memif_msg m = pipe_message_hello(a->config.pairs, 16);
	int rc, fd;

	m.hello.max_log2_ring_size = (uint8_t)a->config.log2_size;
	rc = app_say(a, m, -1);
	while (!rc) {
		rc = app_hear(a, &m, &fd);
		if (!rc)
			rc = take_message(a, &m, fd);
	}
	return rc < 0 ? rc : 0;
}

int app_agree(struct app *a)
{
	return a->config.server ? agree_as_server(a) : agree_as_client(a);
}

/* --- from connecting to the end */

static int meet(struct app *a)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", a->socket);
	if (!a->config.server) {
		a->fd = fd;
		return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ? -errno
								       : 0;
	}
	a->listener = fd;
	unlink(a->socket);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 4))
		return -errno;
	if (poll(&p, 1, APP_WAIT_MS) <= 0)
		return -ETIMEDOUT;
	a->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	return a->fd < 0 ? -errno : 0;
}

int app_connect(struct app *a, const struct app_config *config)
{
	struct app_config c = *config;

	memset(a, 0, sizeof(*a));
	snprintf(a->socket, sizeof(a->socket), "%s", c.socket);
	c.socket = a->socket;
	c.pairs = c.pairs ?: 1;
	c.log2_size = c.log2_size ?: LOG2_SIZE;
	c.buffer_size = c.buffer_size ?: BUFFER_SIZE;
	a->config = c;
	a->listener = a->fd = -1;
	for (unsigned i = 0; i < APP_PAIRS_MAX; i++)
		a->out[i].fd = a->in[i].fd = -1;
	return meet(a);
}

int app_open(struct app *a, const struct app_config *config)
{
	int rc = app_connect(a, config);

	rc = rc ? rc : app_agree(a);
	if (rc)
		app_close(a);
	return rc;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void app_close(struct app *a)
{
	if (a->listener >= 0)
		unlink(a->socket);
	close_one(&a->listener);
	close_one(&a->fd);
	for (unsigned i = 0; i < APP_PAIRS_MAX; i++) {
		close_one(&a->out[i].fd);
		close_one(&a->in[i].fd);
	}
	for (unsigned i = 0; i < a->n_regions; i++) {
		munmap(a->region[i].at, a->region[i].map_size);
		close(a->region[i].fd);
	}
	a->n_regions = 0;
}

static bool all_canaries(const uint8_t *from, const uint8_t *to)
{
	while (from < to && *from == CANARY)
		from++;
	return from == to;
}

bool app_intact(const struct app *a)
{
	const struct app_region *r = &a->region[0];

	return a->config.server || !a->n_regions ||
	       (all_canaries(r->at + ring_at(a, 2 * a->config.pairs),
		    r->at + buffers_at(a, 0)) &&
		   all_canaries(r->at + r->size, r->at + r->map_size));
}

/* --- rings */

uint8_t *app_at(const struct app *a, const struct memif_desc *d)
{
	return a->region[d->region].at + d->offset;
}

uint16_t *app_ours(const struct app *a, const struct app_ring *r)
{
	return a->config.server ? &r->shared->tail : &r->shared->head;
}

uint16_t *app_theirs(const struct app *a, const struct app_ring *r)
{
	return a->config.server ? &r->shared->head : &r->shared->tail;
}

static uint16_t load_theirs(const struct app *a, const struct app_ring *r)
{
	return __atomic_load_n(app_theirs(a, r), __ATOMIC_ACQUIRE);
}

unsigned app_n_free(const struct app *a, unsigned pair)
{
	const struct app_ring *r = &a->out[pair];
	uint16_t n = (uint16_t)(load_theirs(a, r) - r->next);

	return a->config.server ? n : (uint16_t)(n + r->mask + 1);
}

unsigned app_n_waiting(const struct app *a, unsigned pair)
{
	const struct app_ring *r = &a->in[pair];

	return (uint16_t)(load_theirs(a, r) - r->next);
}

bool app_await_free(const struct app *a, unsigned pair, unsigned n)
{
	int64_t end = now_ms() + APP_WAIT_MS;

	while (app_n_free(a, pair) < n) {
		if (now_ms() > end)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return true;
}

void app_notify(const struct app_ring *r)
{
	(void)!write(r->fd, &(uint64_t){1}, sizeof(uint64_t));
}

void app_publish(const struct app *a, struct app_ring *r, unsigned n)
{
	r->next = (uint16_t)(r->next + n);
	__atomic_store_n(
	    app_ours(a, r), (uint16_t)(*app_ours(a, r) + n), __ATOMIC_RELEASE);
	if (r >= a->out && r < a->out + APP_PAIRS_MAX)
		app_notify(r);
}

void app_fill(const struct app *a, unsigned pair, unsigned k, const void *frame,
    uint32_t len)
{
	const struct app_ring *r = &a->out[pair];
	struct memif_desc *d = app_desc(r, k);
	uint32_t size = a->config.server ? d->len : a->config.buffer_size;

	if (!a->config.server)
		d->offset = r->buffers + ((r->next + k) & r->mask) * size;
	d->len = len < size ? len : size;
	d->flags = 0;
	memcpy(app_at(a, d), frame, d->len);
}

int app_send(struct app *a, unsigned pair, const void *frame, uint32_t len)
{
	struct app_ring *r = &a->out[pair];
	unsigned n = 0, n_free = app_n_free(a, pair);
	uint32_t at = 0;

	do {
		if (n == n_free)
			return -ENOSPC;
		app_fill(a, pair, n, (const uint8_t *)frame + at, len - at);
		at += app_desc(r, n)->len;
		if (at < len)
			app_desc(r, n)->flags = MEMIF_DESC_NEXT;
		n++;
	} while (at < len);
	app_publish(a, r, n);
	return 0;
}

/* Sleeps until there are frames or @end. */
static bool await_frames(const struct app *a, unsigned pair, int64_t end)
{
	const struct app_ring *r = &a->in[pair];
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	uint64_t bells;

	for (;;) {
		int64_t left = end - now_ms();

		if (app_n_waiting(a, pair))
			return true;
		if (left <= 0)
			return false;
		if (poll(&p, 1, (int)left) > 0)
			(void)!read(r->fd, &bells, sizeof(bells));
	}
}

/* Gives back the @n slots that a frame was in. */
static void release(struct app *a, struct app_ring *r, unsigned n)
{
	if (!a->config.server)
		for (unsigned k = 0; k < n; k++)
			app_desc(r, k)->len = a->config.buffer_size;
	app_publish(a, r, n);
}

int app_recv(
    struct app *a, unsigned pair, void *frame, uint32_t max, int timeout_ms)
{
	struct app_ring *r = &a->in[pair];
	unsigned n = 0, n_waiting;
	uint32_t len = 0;
	bool more = true;

	if (!await_frames(a, pair, now_ms() + timeout_ms))
		return -ETIMEDOUT;
	n_waiting = app_n_waiting(a, pair);
	for (; more && n < n_waiting; n++) {
		const struct memif_desc *d = app_desc(r, n);

		if (len + d->len <= max)
			memcpy((uint8_t *)frame + len, app_at(a, d), d->len);
		len += d->len;
		more = d->flags & MEMIF_DESC_NEXT;
	}
	release(a, r, n);
	return more ? -EPROTO : len > max ? -EMSGSIZE : (int)len;
}
