/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * buffer.h - what descriptors point at, whatever ring they lie in.
 *
 * Nearly every buffer is one piece of our address space and is found by
 * buffer_whole().  All others are gathered: cut where regions of memory meet,
 * cut off at as many bytes as are wanted, and noted as pieces (gather.h).
 *
 * Threads: the worker that serves the queue.
 */
#ifndef PORTS_VHOST_BUFFER_H
#define PORTS_VHOST_BUFFER_H

#include "ports/peer/gather.h"
#include "ports/vhost/access.h"
#include "ports/vhost/virtq.h"

enum { BUFFER_LINE = 64 };

/* The region that the last buffer was found in, by value, so that it stays in
 * registers while a ring's descriptors are translated. */
struct buffer_window {
	uint64_t guest, size;
	uint8_t __peer *host;
};

uint8_t __peer *buffer_find_slow(struct buffer_window *win,
    const struct vhost_memory *m, uint64_t addr, uint32_t len);

/* All of [addr, addr + len) in one piece, or NULL if that is not so simple;
 * @win is empty at first. */
static inline uint8_t __peer *buffer_find(struct buffer_window *win,
    const struct vhost_memory *m, uint64_t addr, uint32_t len)
{
	uint64_t offset = addr - win->guest;

	if (__builtin_expect(
		offset < win->size && win->size - offset >= len, 1))
		return win->host + offset;
	return buffer_find_slow(win, m, addr, len);
}

static inline uint8_t __peer *buffer_whole(
    const struct virtq *vq, uint64_t addr, uint32_t len)
{
	struct buffer_window win = {0};

	return buffer_find_slow(&win, vq->mem, addr, len);
}

/* Fetches the first bytes of a buffer ahead: a batch's worth of cache lines
 * that the guest's core holds arrives together instead of one after the
 * other.  A header and 64 bytes of frame are two lines. */
static inline __attribute__((always_inline)) void buffer_prefetch(
    const uint8_t __peer *at, bool to_write)
{
	/* Of no buffer too, which costs less than to ask. */
	const void __peer *next =
	    (const void __peer *)((uintptr_t)at + BUFFER_LINE);

	if (to_write) {
		shared_prefetch_to_write(at);
		shared_prefetch_to_write(next);
	} else {
		shared_prefetch_to_read(at);
		shared_prefetch_to_read(next);
	}
}

/* Adds [addr, addr + len) to @g, cut off where @g holds @want bytes.  Sets
 * g->full if it takes more pieces than there are.  VIRTQ_NONE, or
 * VIRTQ_DESC_ADDR if any of it is outside the guest's memory. */
static inline enum virtq_fault gather_add(struct gather *g,
    const struct vhost_memory *m, uint64_t addr, uint32_t len, uint32_t want)
{
	uint64_t last = addr + len - 1;
	uint32_t got;

	if (!len)
		return VIRTQ_NONE;
	if (last < addr || !vhost_memory_at(m, last, 1, &got))
		return VIRTQ_DESC_ADDR;
	if (len > want - g->len)
		len = want - g->len;
	for (; len; addr += got, len -= got) {
		uint8_t __peer *p = vhost_memory_at(m, addr, len, &got);

		if (!p)
			return VIRTQ_DESC_ADDR;
		if (g->n == GATHER_MAX) {
			g->full = true;
			return VIRTQ_NONE;
		}
		g->piece[g->n++] = (struct gather_piece){p, got};
		g->len += got;
	}
	return VIRTQ_NONE;
}

/* buf[0..n) from guest memory at @addr, across regions; false: not there. */
bool buffer_read(
    const struct vhost_memory *m, uint64_t addr, void *buf, uint32_t n);

#endif
