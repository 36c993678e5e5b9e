/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frontend.c - the front end of a vhost-user connection: what QEMU would say.
 *
 * Every typed request is one message built on frontend_tell() or
 * frontend_ask(); everything that waits does so against one deadline.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/frontend.h"

enum { TIMEOUT_MS = 3000, RETRY_NS = 2000000 };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void frontend_reset(struct frontend *f)
{
	*f = (struct frontend){
	    .fd = -1,
	    .listen_fd = -1,
	    .timeout_ms = TIMEOUT_MS,
	    .queue_pairs_max = 1,
	    .slots_max = VU_TABLE_MAX,
	};
}

static int address_of(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if ((size_t)snprintf(a->sun_path, sizeof(a->sun_path), "%s", path) >=
	    sizeof(a->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

/* 0 when @fd is readable, -ETIMEDOUT when @deadline has passed. */
static int await(int fd, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left;

	do {
		left = deadline - now_ms();
		if (poll(&p, 1, left > 0 ? (int)left : 0) > 0)
			return 0;
	} while (left > 0);
	return -ETIMEDOUT;
}

int frontend_connect(struct frontend *f, const char *path)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	struct sockaddr_un a;
	int64_t deadline;
	int err;

	frontend_reset(f);
	err = address_of(&a, path);
	if (err)
		return err;
	deadline = now_ms() + f->timeout_ms;
	for (;;) {
		f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (f->fd < 0)
			return -errno;
		if (connect(f->fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return 0;
		err = -errno;
		frontend_close(f);
		if (now_ms() > deadline)
			return err;
		nanosleep(&pause, NULL);
	}
}

int frontend_listen(struct frontend *f, const char *path)
{
	struct sockaddr_un a;
	int err;

	frontend_reset(f);
	err = address_of(&a, path);
	if (err)
		return err;
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->listen_fd < 0)
		return -errno;
	if (bind(f->listen_fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    listen(f->listen_fd, 4) == 0)
		return 0;
	err = -errno;
	frontend_fini(f);
	return err;
}

int frontend_accept(struct frontend *f)
{
	int err = await(f->listen_fd, now_ms() + f->timeout_ms);

	if (err)
		return err;
	f->acks = false;
	f->fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	return f->fd < 0 ? -errno : 0;
}

void frontend_close(struct frontend *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->acks = false;
}

void frontend_fini(struct frontend *f)
{
	frontend_close(f);
	if (f->listen_fd >= 0)
		close(f->listen_fd);
	f->listen_fd = -1;
}

int frontend_send_raw(struct frontend *f, const void *bytes, size_t len,
    const int fd[], unsigned n_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fd > VU_FDS_MAX)
		return -EINVAL;
	if (n_fd) {
		struct cmsghdr *c = &control.align;

		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n_fd * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fd * sizeof(int));
		memcpy(CMSG_DATA(c), fd, n_fd * sizeof(int));
	}
	n = sendmsg(f->fd, &m, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int frontend_send(struct frontend *f, uint32_t request, uint32_t flags,
    const void *payload, uint32_t size, const int fd[], unsigned n_fd)
{
	struct {
		struct vu_header header;
		uint8_t payload[4096];
	} m = {.header = {request, flags, size}};

	if (size > sizeof(m.payload))
		return -EINVAL;
	if (size)
		memcpy(m.payload, payload, size);
	return frontend_send_raw(f, &m, sizeof(m.header) + size, fd, n_fd);
}

/* Reads exactly @len bytes; the first descriptor goes to *fd, others close. */
static int recv_exactly(
    struct frontend *f, void *to, size_t len, int *fd, int64_t deadline)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = to, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	while (iov.iov_len) {
		struct cmsghdr *c;
		int err = await(f->fd, deadline);
		ssize_t n;

		if (err)
			return err;
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		n = recvmsg(f->fd, &m, MSG_CMSG_CLOEXEC);
		if (n <= 0)
			return -ECONNRESET;
		c = CMSG_FIRSTHDR(&m);
		if (c && c->cmsg_type == SCM_RIGHTS && *fd < 0)
			memcpy(fd, CMSG_DATA(c), sizeof(int));
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= (size_t)n;
	}
	return 0;
}

int frontend_recv(struct frontend *f, struct vu_reply *reply)
{
	int64_t deadline = now_ms() + f->timeout_ms;
	int err;

	memset(reply, 0, sizeof(*reply));
	reply->fd = -1;
	err = recv_exactly(
	    f, &reply->header, sizeof(reply->header), &reply->fd, deadline);
	if (err)
		return err;
	if (reply->header.size > sizeof(reply->bytes))
		return -EPROTO;
	return recv_exactly(
	    f, reply->bytes, reply->header.size, &reply->fd, deadline);
}

/* Awaits the reply to @request: version 1, the reply flag, @size bytes. */
static int recv_reply(
    struct frontend *f, uint32_t request, uint32_t size, struct vu_reply *reply)
{
	int err = frontend_recv(f, reply);

	if (err)
		return err;
	if (reply->header.request != request ||
	    (reply->header.flags & ~(uint32_t)VU_FLAG_NEED_REPLY) !=
		(VU_VERSION | VU_FLAG_REPLY) ||
	    reply->header.size != size)
		return -EPROTO;
	return 0;
}

int frontend_ask(struct frontend *f, uint32_t request, uint64_t *answer)
{
	struct vu_reply reply;
	int err = frontend_send(f, request, VU_VERSION, NULL, 0, NULL, 0);

	if (!err)
		err = recv_reply(f, request, sizeof(reply.u64), &reply);
	if (!err)
		*answer = reply.u64;
	return err;
}

int frontend_tell(struct frontend *f, uint32_t request, const void *payload,
    uint32_t size, const int fd[], unsigned n_fd)
{
	uint32_t flags = f->acks ? VU_VERSION | VU_FLAG_NEED_REPLY : VU_VERSION;
	struct vu_reply reply;
	int err = frontend_send(f, request, flags, payload, size, fd, n_fd);

	if (err || !(flags & VU_FLAG_NEED_REPLY))
		return err;
	err = recv_reply(f, request, sizeof(reply.u64), &reply);
	if (!err && reply.u64) {
		f->refusal = reply.u64;
		err = -EREMOTEIO;
	}
	return err;
}

int frontend_tell_u64(struct frontend *f, uint32_t request, uint64_t value)
{
	return frontend_tell(f, request, &value, sizeof(value), NULL, 0);
}

int frontend_tell_state(
    struct frontend *f, uint32_t request, uint32_t index, uint32_t num)
{
	const struct vu_state state = {index, num};

	return frontend_tell(f, request, &state, sizeof(state), NULL, 0);
}

int frontend_sync(struct frontend *f)
{
	uint64_t features;

	return frontend_ask(f, VU_GET_FEATURES, &features);
}

bool frontend_closed(struct frontend *f, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	char bytes[256];

	while (await(f->fd, deadline) == 0)
		if (recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0)
			return true;
	return false;
}

bool frontend_has(const struct frontend *f, unsigned feature)
{
	return f->features >> feature & 1;
}

bool frontend_has_protocol(const struct frontend *f, unsigned feature)
{
	return f->protocol >> feature & 1;
}

/* GET_ and SET_PROTOCOL_FEATURES and the two questions that they allow. */
static int negotiate_protocol(struct frontend *f, uint64_t want)
{
	int err =
	    frontend_ask(f, VU_GET_PROTOCOL_FEATURES, &f->protocol_offered);

	if (err)
		return err;
	f->protocol = f->protocol_offered & want;
	err = frontend_tell_u64(f, VU_SET_PROTOCOL_FEATURES, f->protocol);
	f->acks = frontend_has_protocol(f, VU_PROTOCOL_REPLY_ACK);
	if (!err && frontend_has_protocol(f, VU_PROTOCOL_MQ))
		err = frontend_ask(f, VU_GET_QUEUE_NUM, &f->queue_pairs_max);
	if (!err && frontend_has_protocol(f, VU_PROTOCOL_CONFIGURE_MEM_SLOTS))
		err = frontend_ask(f, VU_GET_MAX_MEM_SLOTS, &f->slots_max);
	return err;
}

int frontend_negotiate(struct frontend *f, uint64_t features, uint64_t protocol)
{
	int err = frontend_ask(f, VU_GET_FEATURES, &f->offered);

	if (err)
		return err;
	f->features =
	    f->offered & (features | UINT64_C(1) << VU_FEATURE_PROTOCOL);
	if (frontend_has(f, VU_FEATURE_PROTOCOL))
		err = negotiate_protocol(f, protocol);
	if (!err)
		err = frontend_tell(f, VU_SET_OWNER, NULL, 0, NULL, 0);
	if (!err)
		err = frontend_tell_u64(f, VU_SET_FEATURES, f->features);
	return err;
}

static struct vu_region describe(const struct guest_region *r)
{
	return (struct vu_region){r->gpa, r->size, r->uva, r->offset};
}

int frontend_set_mem_table(struct frontend *f, const struct guest_memory *m)
{
	struct vu_mem_table table = {.n = m->n};
	int fd[VU_TABLE_MAX];

	if (m->n > VU_TABLE_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < m->n; i++) {
		table.region[i] = describe(&m->region[i]);
		fd[i] = m->region[i].fd;
	}
	return frontend_tell(f, VU_SET_MEM_TABLE, &table,
	    (uint32_t)(offsetof(struct vu_mem_table, region) +
		       m->n * sizeof(struct vu_region)),
	    fd, m->n);
}

int frontend_add_mem_reg(struct frontend *f, const struct guest_region *r)
{
	const struct vu_mem_reg reg = {.region = describe(r)};

	return frontend_tell(f, VU_ADD_MEM_REG, &reg, sizeof(reg), &r->fd, 1);
}

int frontend_rem_mem_reg(struct frontend *f, const struct guest_region *r)
{
	const struct vu_mem_reg reg = {.region = describe(r)};

	return frontend_tell(f, VU_REM_MEM_REG, &reg, sizeof(reg), NULL, 0);
}

int frontend_set_vring_fd(
    struct frontend *f, uint32_t request, unsigned index, int fd)
{
	uint64_t value = index | (fd < 0 ? VU_NO_FD : 0);

	return frontend_tell(
	    f, request, &value, sizeof(value), &fd, fd < 0 ? 0 : 1);
}

int frontend_get_vring_base(struct frontend *f, unsigned index, uint32_t *base)
{
	const struct vu_state state = {index, 0};
	struct vu_reply reply;
	int err = frontend_send(
	    f, VU_GET_VRING_BASE, VU_VERSION, &state, sizeof(state), NULL, 0);

	if (!err)
		err = recv_reply(f, VU_GET_VRING_BASE, sizeof(state), &reply);
	if (!err && reply.state.index != index)
		err = -EPROTO;
	if (!err)
		*base = reply.state.num;
	return err;
}

int frontend_get_inflight(struct frontend *f, struct vu_inflight *i, int *fd)
{
	struct vu_reply reply;
	int err = frontend_send(
	    f, VU_GET_INFLIGHT_FD, VU_VERSION, i, sizeof(*i), NULL, 0);

	if (!err)
		err = recv_reply(f, VU_GET_INFLIGHT_FD, sizeof(*i), &reply);
	if (err)
		return err;
	if (reply.fd < 0)
		return -EPROTO;
	*i = reply.inflight;
	*fd = reply.fd;
	return 0;
}

int frontend_set_inflight(
    struct frontend *f, const struct vu_inflight *i, int fd)
{
	return frontend_tell(f, VU_SET_INFLIGHT_FD, i, sizeof(*i), &fd, 1);
}
