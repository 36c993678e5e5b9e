/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doorbell.c - ring a peer's eventfd without being held up by the peer.
 *
 * Completions are thrown away by moving the head of the ring that the kernel
 * maps into our memory to its tail (the layout is fixed since Linux 2.6 and
 * marked by AIO_RING_MAGIC); where that ring looks unfamiliar, io_getevents(2)
 * does the same with a system call.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "switch/base/doorbell.h"

enum { AIO_RING_MAGIC = 0xa10a10a1, QUEUE_DEPTH = 16 };

struct aio_ring {
	uint32_t id, nr, head, tail;
	uint32_t magic, compat_features, incompat_features, header_length;
};

struct doorbell {
	aio_context_t ctx;
	int fd; /* an empty file: what is read of it is nothing */
	char nothing;
};

int doorbell_open(struct doorbell **bell, struct err *e)
{
	struct doorbell *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return err_set(e, -ENOMEM, "no memory for a doorbell");
	b->fd = memfd_create("swd-doorbell", MFD_CLOEXEC);
	if (b->fd < 0) {
		rc = err_set(e, -errno, "memfd_create: %m");
		goto free_bell;
	}
	if (syscall(SYS_io_setup, QUEUE_DEPTH, &b->ctx)) {
		rc = err_set(e, -errno, "io_setup: %m");
		err_hint(e, "raise the fs.aio-max-nr sysctl");
		goto close_fd;
	}
	*bell = b;
	return 0;

close_fd:
	close(b->fd);
free_bell:
	free(b);
	return rc;
}

void doorbell_close(struct doorbell *bell)
{
	if (!bell)
		return;
	syscall(SYS_io_destroy, bell->ctx);
	close(bell->fd);
	free(bell);
}

static void discard_completions(struct doorbell *bell)
{
	struct aio_ring *ring = (struct aio_ring *)bell->ctx;
	struct io_event events[QUEUE_DEPTH];
	struct timespec none = {0};

	if (ring->magic == AIO_RING_MAGIC && !ring->incompat_features)
		__atomic_store_n(&ring->head,
		    __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE),
		    __ATOMIC_RELEASE);
	else
		syscall(
		    SYS_io_getevents, bell->ctx, 0, QUEUE_DEPTH, events, &none);
}

int doorbell_ring(struct doorbell *bell, int fd)
{
	struct iocb read_nothing = {
	    .aio_lio_opcode = IOCB_CMD_PREAD,
	    .aio_fildes = (uint32_t)bell->fd,
	    .aio_buf = (uintptr_t)&bell->nothing,
	    .aio_flags = IOCB_FLAG_RESFD,
	    .aio_resfd = (uint32_t)fd,
	};
	struct iocb *list[] = {&read_nothing};

	if (syscall(SYS_io_submit, bell->ctx, 1, list) != 1)
		return -errno;
	discard_completions(bell);
	return 0;
}

bool doorbell_is_eventfd(int fd)
{
	static const char want[] = "anon_inode:[eventfd]";
	char path[32], target[sizeof(want)] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target)) == sizeof(want) - 1 &&
	       !memcmp(target, want, sizeof(want) - 1);
}
