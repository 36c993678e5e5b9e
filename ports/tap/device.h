/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h - a tap interface as /dev/net/tun gives it: one descriptor a queue.
 *
 * Every descriptor is non-blocking and carries a virtio-net header of
 * VIRTIO_NET_HDR_LEN bytes, little endian, before each frame.
 *
 * Life: open to the last close of a descriptor, upon which an interface that
 * was made here vanishes and a persistent one stays.
 * Threads: control.  Ownership: descriptors are the caller's.
 */
#ifndef PORTS_TAP_DEVICE_H
#define PORTS_TAP_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/link/link.h"
#include "switch/base/err.h"

struct tap_device {
	bool is_new;	 /* did not exist before */
	uint8_t offload; /* enum offload_bit: what it takes and gives */
	struct link link;
};

/* Attaches fd[0..n) to interface @name, as its only user; with @may_create,
 * makes it if there is none, else that is -ENODEV.  With @offload, frames may
 * be left unfinished in either direction, as far as the kernel knows how.
 * Returns 0, or -errno with a sentence and no descriptor open. */
int tap_device_open(struct tap_device *d, const char *name, bool may_create,
    bool offload, int fd[], unsigned n, struct err *e);

/* Whether the interface of @fd, in whatever namespace, is no more. */
bool tap_device_is_gone(int fd);

bool tap_device_is_persistent(int fd);

/* Plugs the cable in, or pulls it. */
void tap_device_set_carrier(int fd, bool on);

#endif
