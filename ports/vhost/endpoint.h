/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.h - the unix socket at which port and machine meet.
 *
 *	server	 binds the path, listens, hands over whoever connects
 *	client	 connects to the path, and tries again, from every 100 ms to
 *		 every second, until somebody listens
 *
 * A socket file that nobody listens at any more, left behind by a process
 * that was killed, is taken over; one that somebody listens at is not.
 *
 * Life: open ──► on_peer(fd) ──► again() when that peer is gone ──► close.
 * Threads: control.
 */
#ifndef PORTS_VHOST_ENDPOINT_H
#define PORTS_VHOST_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

#include "switch/base/err.h"

enum { ENDPOINT_GROUP_MAX = 63 };

/* Who may connect; only of sockets that we bind. */
struct vhost_access {
	char group[ENDPOINT_GROUP_MAX + 1]; /* "": the process's own */
	bool group_wanted; /* by name, so that it not working is an error */
	mode_t mode;
};

struct vhost_endpoint {
	sd_event *event;
	bool client;
	struct sockaddr_un address;
	struct vhost_access access;
	int fd; /* listening, -1: none */
	dev_t dev;
	ino_t ino; /* of the socket file that is ours to remove */
	sd_event_source *source, *timer;
	uint64_t backoff_us;
	int told; /* the last error that on_peer was told of */

	/* A connected socket, the owner's from then on; or -errno, once, when
	 * there is none to connect to. */
	void (*on_peer)(void *owner, int fd);
	void *owner;
};

/* Starts to meet at @path; on_peer and owner are set.  Calls nothing back
 * before the event loop runs.  -EADDRINUSE, -EEXIST, -EPERM ... with a
 * sentence and nothing left behind. */
int vhost_endpoint_open(struct vhost_endpoint *ep, sd_event *event,
    const char *path, bool client, const struct vhost_access *access,
    struct err *e);

/* Removes the socket file if it is still ours. */
void vhost_endpoint_close(struct vhost_endpoint *ep);

/* The peer is gone: meet another one, in the client role after a pause. */
void vhost_endpoint_again(struct vhost_endpoint *ep);

/* The peer is worth its name: the next pause is short again. */
void vhost_endpoint_settled(struct vhost_endpoint *ep);

/* Changes who may connect; nothing changes on failure. */
int vhost_endpoint_set_access(struct vhost_endpoint *ep,
    const struct vhost_access *access, struct err *e);

/* `group` and `mode` as in the configuration (NULL: as *access is), checked:
 * -EINVAL for a group that does not exist or a mode that is not octal. */
int vhost_access_parse(struct vhost_access *access, const char *group,
    const char *mode, struct err *e);

/* 0660, and group libvirt-qemu where it exists. */
void vhost_access_default(struct vhost_access *access);

#endif
