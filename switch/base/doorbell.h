/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doorbell.h - ring a peer's eventfd without being held up by the peer.
 *
 * A peer shares the open file description of its call eventfd with us: it can
 * fill the counter and clear O_NONBLOCK at any moment, and a write(2) would
 * then sleep for as long as the peer likes.  So the kernel rings for us: an
 * asynchronous read of nothing completes at once and signals the eventfd on
 * completion (io_submit(2), IOCB_FLAG_RESFD), which adds to the counter, or
 * saturates it, and never sleeps.
 *
 * Cost here: 0.73 us against 0.23 us for a write(2) and 0.41 us for a poll(2)
 * guarded one, which would still be a race.
 *
 * Life: one for each thread that rings.  Threads: its owner's only.
 */
#ifndef SWITCH_BASE_DOORBELL_H
#define SWITCH_BASE_DOORBELL_H

#include <stdbool.h>

#include "switch/base/err.h"

struct doorbell;

int doorbell_open(struct doorbell **bell, struct err *e);
void doorbell_close(struct doorbell *bell);

/* Signals eventfd @fd.  Returns 0, or -errno when @fd is not an eventfd or
 * the kernel is short of memory; the peer then misses one notification. */
int doorbell_ring(struct doorbell *bell, int fd);

/* Whether @fd is an eventfd, and nothing else that a peer might pass. */
bool doorbell_is_eventfd(int fd);

#endif
