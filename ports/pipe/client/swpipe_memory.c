/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swpipe_memory.c - the region that is shared with the server.
 *
 * It cannot shrink (the server would fault) nor grow, and is populated at
 * once, so that no frame waits for a page.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ports/pipe/client/swpipe_impl.h"

enum {
	LINE = 64,
	PAGE = 4096,
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static size_t stride_of(unsigned buf_size)
{
	return round_up(buf_size, LINE);
}

static int create_memory(struct swpipe *p, char *err)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	void *memory;

	p->memory_fd = memfd_create("swpipe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (p->memory_fd < 0)
		return swpipe_fail(
		    err, -errno, "no memory to share: %s", strerror(errno));
	if (ftruncate(p->memory_fd, (off_t)p->memory_size) ||
	    fcntl(p->memory_fd, F_ADD_SEALS, seals))
		return swpipe_fail(err, -errno,
		    "%zu bytes cannot be shared: %s", p->memory_size,
		    strerror(errno));
	memory = mmap(NULL, p->memory_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_POPULATE, p->memory_fd, 0);
	if (memory == MAP_FAILED)
		return swpipe_fail(err, -errno,
		    "%zu bytes cannot be mapped: %s", p->memory_size,
		    strerror(errno));
	p->memory = memory;
	return 0;
}

void swpipe_side_init(struct swpipe_side *s, const struct swpipe *p,
    size_t ring_offset, size_t buf_offset)
{
	s->ring = (struct memif_ring *)(p->memory + ring_offset);
	s->bufs = p->memory + buf_offset;
	s->buf_offset = (uint32_t)buf_offset;
	s->stride = (uint32_t)stride_of(p->buf_size);
	s->buf_size = p->buf_size;
	s->mask = (uint16_t)((1u << p->log2_slots) - 1);
	s->ring->cookie = MEMIF_COOKIE;
	s->ring->flags = MEMIF_RING_MASK_INT;
	for (uint32_t i = 0; i <= s->mask; i++)
		s->ring->desc[i] = (struct memif_desc){.len = s->buf_size,
		    .offset = s->buf_offset + i * s->stride};
}

void swpipe_rx_start(struct swpipe_side *rx)
{
	rx->head = (uint16_t)(rx->mask + 1);
	__atomic_store_n(&rx->ring->head, rx->head, __ATOMIC_RELEASE);
}

static int open_queue(struct swpipe_queue *q, char *err)
{
	struct epoll_event ev = {.events = EPOLLIN};

	q->rx.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->tx.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	q->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (q->rx.event_fd < 0 || q->tx.event_fd < 0 || q->poll_fd < 0 ||
	    epoll_ctl(q->poll_fd, EPOLL_CTL_ADD, q->rx.event_fd, &ev) ||
	    epoll_ctl(q->poll_fd, EPOLL_CTL_ADD, q->pipe->fd, &ev))
		return swpipe_fail(err, -errno, "no descriptor to wait on: %s",
		    strerror(errno));
	return 0;
}

static int create_queues(struct swpipe *p, size_t bufs_at, char *err)
{
	size_t ring_size = memif_ring_size(p->log2_slots);
	size_t bufs_size = stride_of(p->buf_size) << p->log2_slots;
	int r = 0;

	p->queue = aligned_alloc(
	    _Alignof(struct swpipe_queue), p->n_queues * sizeof(*p->queue));
	if (!p->queue)
		return swpipe_fail(
		    err, -ENOMEM, "no memory for %u queues", p->n_queues);
	memset(p->queue, 0, p->n_queues * sizeof(*p->queue));
	for (unsigned i = 0; i < p->n_queues; i++) {
		struct swpipe_queue *q = &p->queue[i];

		q->pipe = p;
		q->rx.event_fd = q->tx.event_fd = q->poll_fd = -1;
		swpipe_side_init(
		    &q->tx, p, 2 * i * ring_size, bufs_at + 2 * i * bufs_size);
		swpipe_side_init(&q->rx, p, (2 * i + 1) * ring_size,
		    bufs_at + (2 * i + 1) * bufs_size);
	}
	for (unsigned i = 0; i < p->n_queues && !r; i++)
		r = open_queue(&p->queue[i], err);
	return r;
}

int swpipe_map(struct swpipe *p, char *err)
{
	size_t n_rings = 2 * p->n_queues;
	size_t bufs_at =
	    round_up(n_rings * memif_ring_size(p->log2_slots), PAGE);
	size_t bufs_size = stride_of(p->buf_size) << p->log2_slots;
	int r;

	p->memory_size = round_up(bufs_at + n_rings * bufs_size, PAGE);
	if (p->memory_size > UINT32_MAX)
		return swpipe_fail(err, -E2BIG,
		    "%u queues of %u slots of %u bytes are more than 4 GiB",
		    p->n_queues, 1u << p->log2_slots, p->buf_size);
	r = create_memory(p, err);
	return r ? r : create_queues(p, bufs_at, err);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void swpipe_unmap(struct swpipe *p)
{
	for (unsigned i = 0; p->queue && i < p->n_queues; i++) {
		close_fd(p->queue[i].rx.event_fd);
		close_fd(p->queue[i].tx.event_fd);
		close_fd(p->queue[i].poll_fd);
	}
	free(p->queue);
	if (p->memory)
		munmap(p->memory, p->memory_size);
	close_fd(p->memory_fd);
}
