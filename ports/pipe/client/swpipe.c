/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swpipe.c - a pipe from open to close.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ports/pipe/client/swpipe_impl.h"

enum {
	ANSWER_S = 5, /* that a server may take for one answer */
	RETRY_MS = 20,
};

int swpipe_fail(char *err, int code, const char *fmt, ...)
{
	va_list args;

	if (err) {
		va_start(args, fmt);
		vsnprintf(err, SWPIPE_ERR_SIZE, fmt, args);
		va_end(args);
	}
	return code;
}

static int check_options(const struct swpipe_options *o, char *err)
{
	const size_t path_max = sizeof(((struct sockaddr_un *)0)->sun_path);
	unsigned n = o->n_slots, size = o->buf_size;

	if (!o->socket || !o->socket[0])
		return swpipe_fail(err, -EINVAL, "say which socket");
	if (strlen(o->socket) >= path_max)
		return swpipe_fail(err, -ENAMETOOLONG,
		    "socket %.40s... is longer than %zu bytes", o->socket,
		    path_max - 1);
	if (o->secret && strlen(o->secret) > MEMIF_SECRET_SIZE)
		return swpipe_fail(err, -EINVAL,
		    "the secret is longer than %d bytes", MEMIF_SECRET_SIZE);
	if (o->n_queues > SWPIPE_QUEUES_MAX)
		return swpipe_fail(err, -EINVAL, "%u queues are more than %d",
		    o->n_queues, SWPIPE_QUEUES_MAX);
	if (n && (n & (n - 1) || n < 1 << SWPIPE_LOG2_SLOTS_MIN ||
		     n > 1 << MEMIF_LOG2_RING_MAX))
		return swpipe_fail(err, -EINVAL,
		    "%u slots are not a power of two from %d to %d", n,
		    1 << SWPIPE_LOG2_SLOTS_MIN, 1 << MEMIF_LOG2_RING_MAX);
	if (size && (size < SWPIPE_BUF_SIZE_MIN || size > SWPIPE_BUF_SIZE_MAX))
		return swpipe_fail(err, -EINVAL,
		    "buffers of %u bytes are not within %d to %d", size,
		    SWPIPE_BUF_SIZE_MIN, SWPIPE_BUF_SIZE_MAX);
	return 0;
}

static int connect_socket(struct swpipe *p, const char *path, char *err)
{
	const struct timeval limit = {.tv_sec = ANSWER_S};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     len + (path[0] != '@'));

	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = '\0';
	p->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return swpipe_fail(
		    err, -errno, "no socket: %s", strerror(errno));
	setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(p->fd, (struct sockaddr *)&sa, size))
		return swpipe_fail(err, -errno, "nobody answers at %s: %s",
		    path, strerror(errno));
	return 0;
}

static unsigned log2_of(unsigned n)
{
	return 31u - (unsigned)__builtin_clz(n);
}

static void free_pipe(struct swpipe *p)
{
	swpipe_unmap(p);
	if (p->fd >= 0)
		close(p->fd);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static int open_once(
    struct swpipe **pipe, const struct swpipe_options *o, char *err)
{
	struct swpipe *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return swpipe_fail(err, -ENOMEM, "no memory for a pipe");
	pthread_mutex_init(&p->lock, NULL);
	p->fd = p->memory_fd = -1;
	p->n_queues = o->n_queues ? o->n_queues : 1;
	p->log2_slots = log2_of(o->n_slots ? o->n_slots : 1024);
	p->buf_size = o->buf_size ? o->buf_size : 2048;
	r = connect_socket(p, o->socket, err);
	r = r ? r : swpipe_handshake(p, o, err);
	if (r)
		free_pipe(p);
	else
		*pipe = p;
	return r;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Whether another server, or the same a little later, may answer @r not. */
static bool may_pass(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -ECONNRESET ||
	       r == -EAGAIN;
}

int swpipe_open(struct swpipe **p, const struct swpipe_options *o, char *err)
{
	const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
	uint64_t end = now_ms() + o->wait_ms;
	int r = check_options(o, err);

	if (r)
		return r;
	while ((r = open_once(p, o, err)) && may_pass(r) && now_ms() < end)
		nanosleep(&pause, NULL);
	return r;
}

void swpipe_close(struct swpipe *p)
{
	if (!p)
		return;
	if (!p->ended)
		swpipe_goodbye(p);
	free_pipe(p);
}

unsigned swpipe_n_queues(const struct swpipe *p)
{
	return p->n_queues;
}

struct swpipe_queue *swpipe_queue(struct swpipe *p, unsigned i)
{
	return i < p->n_queues ? &p->queue[i] : NULL;
}

unsigned swpipe_n_slots(const struct swpipe_queue *q)
{
	return q->rx.mask + 1u;
}

unsigned swpipe_buf_size(const struct swpipe_queue *q)
{
	return q->rx.buf_size;
}

int swpipe_fd(const struct swpipe_queue *q)
{
	return q->poll_fd;
}

static int broken_queue(struct swpipe *p)
{
	for (unsigned i = 0; i < p->n_queues; i++)
		if (__atomic_load_n(&p->queue[i].rx.broken, __ATOMIC_RELAXED) ||
		    __atomic_load_n(&p->queue[i].tx.broken, __ATOMIC_RELAXED))
			return swpipe_fail(p->why, -EPROTO,
			    "the server broke a ring of queue %u", i);
	return 0;
}

int swpipe_check(struct swpipe *p, char *err)
{
	int r;

	pthread_mutex_lock(&p->lock);
	if (!p->ended)
		p->ended = swpipe_listen(p);
	if (!p->ended)
		p->ended = broken_queue(p);
	r = p->ended;
	if (r)
		swpipe_fail(err, r, "%s", p->why);
	pthread_mutex_unlock(&p->lock);
	return r;
}
