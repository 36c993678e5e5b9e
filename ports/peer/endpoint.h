/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint.h - the unix socket at which a port and its peer meet.
 *
 *	server	 binds the path, listens, hands over whoever connects
 *	client	 connects to the path, and tries again, from every 100 ms to
 *		 every second, until somebody listens
 *
 * A socket file that nobody listens at any more, left behind by a process
 * that was killed, is taken over; one that somebody listens at is not.
 *
 * A path "@NAME" is an abstract name, without a file: it is gone with its
 * socket, and who may connect is judged by the peer's credentials, as the kernel
 * would have by those of a file.
 *
 * Life: open ──► on_peer(fd) ──► again() when that peer is gone ──► close.
 * Threads: control.
 */
#ifndef PORTS_PEER_ENDPOINT_H
#define PORTS_PEER_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

#include "switch/base/err.h"
#include "switch/base/log.h"

enum { ENDPOINT_GROUP_MAX = 63 };

/* Who may connect; only of sockets that we bind. */
struct endpoint_access {
	char group[ENDPOINT_GROUP_MAX + 1]; /* "": the process's own */
	bool group_wanted; /* by name, so that it not working is an error */
	mode_t mode;
};

struct endpoint {
	sd_event *event;
	bool client;
	int type;		    /* SOCK_STREAM, SOCK_SEQPACKET */
	struct sockaddr_un address; /* as written, with @ of an abstract name */
	struct endpoint_access access;
	int fd; /* listening, -1: none */
	dev_t dev;
	ino_t ino; /* of the socket file that is ours to remove */
	sd_event_source *source, *timer;
	uint64_t backoff_us;
	struct log_limit limit;
	int told; /* the last error that on_peer was told of */

	/* A connected socket, the owner's from then on; or -errno, once, when
	 * there is none to connect to. */
	void (*on_peer)(void *owner, int fd);
	void *owner;
};

/* Starts to meet at @path; client, type, on_peer and owner are set.  Calls
 * nothing back before the event loop runs.  -EADDRINUSE, -EEXIST, -EPERM ...
 * with a sentence and nothing left behind. */
int endpoint_open(struct endpoint *ep, sd_event *event, const char *path,
    const struct endpoint_access *access, struct err *e);

/* Where a port meets its peer by default, path[0..size): RUNDIR/KIND/NAME, in
 * a directory that is made for it. */
int endpoint_default_path(char *path, size_t size, const char *rundir,
    const char *kind, const char *name, struct err *e);

/* The same at the socket @fd, which listens at @path already, for another
 * process as yet (-1 in the client role); it is the endpoint's even on failure.
 * The socket file is not ours to remove until endpoint_own(). */
int endpoint_inherit(struct endpoint *ep, sd_event *event, const char *path,
    const struct endpoint_access *access, int fd, struct err *e);
void endpoint_own(struct endpoint *ep);

/* Removes the socket file if it is still ours. */
void endpoint_close(struct endpoint *ep);

/* The peer is gone: meet another one, in the client role after a pause. */
void endpoint_again(struct endpoint *ep);

/* The peer is worth its name: the next pause is short again. */
void endpoint_settled(struct endpoint *ep);

/* The peer is leaving, and may not be gone for a while: the next pause is the
 * longest. */
void endpoint_rest(struct endpoint *ep);

/* Who is at the other end of @fd, as text[0..size): "pid 12 uid 0", or "". */
void endpoint_identify(int fd, char *text, size_t size);

/* Whether the address is an abstract name. */
static inline bool endpoint_is_abstract(const struct endpoint *ep)
{
	return ep->address.sun_path[0] == '@';
}

/* Whether the peer that was accepted as @fd may connect; of a file the kernel
 * has said so. */
bool endpoint_admits(const struct endpoint *ep, int fd);

/* Changes who may connect; nothing changes on failure. */
int endpoint_set_access(
    struct endpoint *ep, const struct endpoint_access *access, struct err *e);

/* `group` and `mode` as in the configuration (NULL: as *access is), checked:
 * -EINVAL for a group that does not exist or a mode that is not octal. */
int endpoint_access_parse(struct endpoint_access *access, const char *group,
    const char *mode, struct err *e);

/* 0660, and @group (NULL: the process's own) where it exists. */
void endpoint_access_default(struct endpoint_access *access, const char *group);

#endif
