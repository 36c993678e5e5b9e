/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swpipe_peer.h - a memif server for one client in the same process.
 *
 * A thread of its own answers the client's messages until both are connected;
 * from then on the test moves the rings itself, lawfully or not.  It checks
 * what a server relies on, and trusts the client otherwise.
 *
 *	peer_open(&peer); swpipe_open(&p, ...); peer_connected(&peer)
 *	... peer_put(), peer_take(), peer.queue[i].to_client->tail = ... ...
 *	swpipe_close(p); peer_close(&peer)
 */
#ifndef TESTS_UNIT_SWPIPE_PEER_H
#define TESTS_UNIT_SWPIPE_PEER_H

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/pipe/memif.h"

enum { PEER_QUEUES = 4 };

struct peer_queue {
	struct memif_ring *to_server, *to_client;
	int to_server_fd, to_client_fd; /* events */
	uint16_t mask;
};

struct peer {
	/* What it says; set before the client connects. */
	struct memif_hello hello;
	const char *refuses_init; /* with this reason */

	char path[64];
	int listen_fd, fd;
	pthread_t thread;
	struct memif_init init; /* as received */
	uint8_t *memory;
	size_t size;
	int seals;
	unsigned n_to_server, n_to_client;
	struct peer_queue queue[PEER_QUEUES];
};

static inline void peer_say(struct peer *p, const struct memif_msg *m)
{
	ssize_t n = send(p->fd, m, sizeof(*m), MSG_NOSIGNAL);

	(void)n; /* the client may be gone */
}

static inline void peer_answer(struct peer *p, enum memif_msg_type type)
{
	struct memif_msg m = {.type = (uint16_t)type};

	peer_say(p, &m);
}

static inline void peer_hang_up(struct peer *p, const char *reason)
{
	struct memif_msg m = {.type = MEMIF_DISCONNECT};

	memcpy(m.disconnect.reason, reason, strlen(reason));
	peer_say(p, &m);
}

/* Receives a message and the descriptor that came with it, or -1. */
static inline bool peer_hear(struct peer *p, struct memif_msg *m, int *fd)
{
	char control[CMSG_SPACE(sizeof(*fd))] = {0};
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(p->fd, &h, 0);

	*fd = -1;
	if (n > 0 && CMSG_FIRSTHDR(&h))
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(*fd));
	return n == sizeof(*m);
}

static inline void peer_add_region(
    struct peer *p, const struct memif_add_region *r, int fd)
{
	assert(r->index == 0 && fd >= 0);
	p->size = r->size;
	p->seals = fcntl(fd, F_GET_SEALS);
	p->memory =
	    mmap(NULL, p->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(p->memory != MAP_FAILED);
	close(fd);
}

static inline void peer_add_ring(
    struct peer *p, const struct memif_add_ring *r, int fd)
{
	struct peer_queue *q = &p->queue[r->index];
	struct memif_ring *ring = (struct memif_ring *)(p->memory + r->offset);

	assert(r->index < PEER_QUEUES && r->region == 0 && fd >= 0);
	assert(r->offset + memif_ring_size(r->log2_size) <= p->size);
	assert(ring->cookie == MEMIF_COOKIE && r->private_size == 0);
	q->mask = (uint16_t)((1u << r->log2_size) - 1);
	if (r->flags & MEMIF_RING_TO_SERVER) {
		p->n_to_server++;
		q->to_server = ring;
		q->to_server_fd = fd;
	} else {
		p->n_to_client++;
		q->to_client = ring;
		q->to_client_fd = fd;
	}
}

/* A server may start all indices at zero when it connects. */
static inline void peer_connect(struct peer *p)
{
	for (unsigned i = 0; i < p->n_to_server; i++) {
		struct peer_queue *q = &p->queue[i];

		q->to_server->head = q->to_server->tail = 0;
		q->to_client->head = q->to_client->tail = 0;
		q->to_server->flags = MEMIF_RING_MASK_INT;
	}
}

static inline void *peer_main(void *peer)
{
	struct peer *p = peer;
	struct memif_msg m = {.type = MEMIF_HELLO, .hello = p->hello};
	int fd;

	p->fd = accept(p->listen_fd, NULL, NULL);
	peer_say(p, &m);
	while (peer_hear(p, &m, &fd)) {
		if (m.type == MEMIF_INIT) {
			p->init = m.init;
			if (p->refuses_init) {
				peer_hang_up(p, p->refuses_init);
				return NULL;
			}
		} else if (m.type == MEMIF_ADD_REGION) {
			peer_add_region(p, &m.add_region, fd);
		} else if (m.type == MEMIF_ADD_RING) {
			peer_add_ring(p, &m.add_ring, fd);
		} else if (m.type == MEMIF_CONNECT) {
			peer_connect(p);
			peer_answer(p, MEMIF_CONNECTED);
			return NULL;
		}
		peer_answer(p, MEMIF_ACK);
	}
	return NULL;
}

/* What a server without wishes of its own says. */
static inline void peer_init(struct peer *p)
{
	*p = (struct peer){
	    .fd = -1,
	    .hello = {.min_version = MEMIF_VERSION,
		.max_version = MEMIF_VERSION,
		.max_ring_to_server = PEER_QUEUES - 1,
		.max_ring_to_client = PEER_QUEUES - 1,
		.max_log2_ring_size = 14},
	};
}

static inline void peer_open(struct peer *p)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int r;

	snprintf(p->path, sizeof(p->path), "/tmp/swpipe-peer.%d.%p",
	    (int)getpid(), (void *)p);
	unlink(p->path);
	strcpy(sa.sun_path, p->path);
	p->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	r = bind(p->listen_fd, (struct sockaddr *)&sa, sizeof(sa));
	r = r ? r : listen(p->listen_fd, 1);
	r = r ? r : pthread_create(&p->thread, NULL, peer_main, p);
	if (r) {
		perror(p->path);
		abort();
	}
}

/* Waits for the thread, once swpipe_open() has returned. */
static inline void peer_connected(struct peer *p)
{
	pthread_join(p->thread, NULL);
}

static inline void peer_close(struct peer *p)
{
	for (unsigned i = 0; i < p->n_to_server; i++)
		close(p->queue[i].to_server_fd);
	for (unsigned i = 0; i < p->n_to_client; i++)
		close(p->queue[i].to_client_fd);
	if (p->memory)
		munmap(p->memory, p->size);
	if (p->fd >= 0)
		close(p->fd);
	close(p->listen_fd);
	unlink(p->path);
}

static inline struct memif_desc *peer_desc(
    const struct peer_queue *q, struct memif_ring *r, unsigned index)
{
	return &r->desc[index & q->mask];
}

static inline uint8_t *peer_data(
    const struct peer *p, const struct memif_desc *d)
{
	assert(!d->region && d->offset + (uint64_t)d->len <= p->size);
	return p->memory + d->offset;
}

/* How many buffers the client offers, how many it has sent. */
static inline unsigned peer_offered(const struct peer_queue *q)
{
	return (
	    uint16_t)(__atomic_load_n(&q->to_client->head, __ATOMIC_ACQUIRE) -
		      q->to_client->tail);
}

static inline unsigned peer_sent(const struct peer_queue *q)
{
	return (
	    uint16_t)(__atomic_load_n(&q->to_server->head, __ATOMIC_ACQUIRE) -
		      q->to_server->tail);
}

/* Writes a part of @len bytes of @fill to the @at-th buffer offered; nothing
 * is published. */
static inline void peer_write(struct peer *p, unsigned queue, unsigned at,
    uint8_t fill, uint32_t len, uint16_t flags)
{
	struct peer_queue *q = &p->queue[queue];
	struct memif_desc *d =
	    peer_desc(q, q->to_client, q->to_client->tail + at);

	memset(peer_data(p, d), fill, len < d->len ? len : d->len);
	d->len = len;
	d->flags = flags;
}

/* Moves the index of the frames to the client on by @n. */
static inline void peer_publish(struct peer_queue *q, unsigned n)
{
	__atomic_store_n(&q->to_client->tail,
	    (uint16_t)(q->to_client->tail + n), __ATOMIC_RELEASE);
}

/* Gives @n buffers back to the client that sent them. */
static inline void peer_took(struct peer_queue *q, unsigned n)
{
	__atomic_store_n(&q->to_server->tail,
	    (uint16_t)(q->to_server->tail + n), __ATOMIC_RELEASE);
}

#endif
