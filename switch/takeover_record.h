/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover_record.h - the steps of a takeover, as they are on the socket.
 *
 * The socket keeps messages apart (SOCK_SEQPACKET).  A step is one packet, its
 * document (JSON) a memfd that comes with it, so that neither has to fit into
 * a socket buffer; descriptors follow, as many to a packet as the kernel
 * allows:
 *
 *	packet   magic, version, step, bytes of document, number of descriptors
 *	         + the document's descriptor, if it has any bytes
 *	packet   the same with step MORE + up to RECORD_FDS_MAX descriptors
 *	...
 *
 * Another version is another layout of this or of the tables of addresses;
 * documents grow by keys (ports/handover.h).
 *
 * Threads: control.
 */
#ifndef SWITCH_TAKEOVER_RECORD_H
#define SWITCH_TAKEOVER_RECORD_H

#include <sys/un.h>

#include "ports/handover.h"
#include "switch/base/err.h"

enum takeover_step {
	TAKEOVER_HELLO = 1,
	TAKEOVER_PORTS,
	TAKEOVER_PREPARED,
	TAKEOVER_PLACES,
	TAKEOVER_ACCEPTED,
	TAKEOVER_YOURS,
	TAKEOVER_RUNNING,
	TAKEOVER_REFUSED, /* instead of any other, with a sentence */
	TAKEOVER_MORE,
};

enum {
	TAKEOVER_VERSION = 1,
	RECORD_FDS_MAX = 250, /* the kernel's limit is 253 */
	RECORD_LENGTH_MAX = 256 << 20,
};

struct takeover_packet {
	uint32_t magic;
	uint16_t version, step;
	uint32_t length; /* of the document */
	uint32_t n_fds;
};

/* Where a switch whose control socket is at @control is asked. */
int takeover_address(struct sockaddr_un *a, const char *control, struct err *e);

/* Sends @step with @doc and the descriptors of @h (NULL: none).  -errno. */
int takeover_send(int fd, enum takeover_step step, struct json_object *doc,
    const struct handover *h, struct err *e);

/* Sends REFUSED with what is in @e; whether that arrives is no matter. */
void takeover_refuse(int fd, const struct err *e);

/* Awaits @step for @timeout_ms.  *doc is the caller's, and is NULL if it came
 * with none; descriptors are added to @h.  @doc, @h NULL: there is to be none.
 * -ETIMEDOUT, -ECONNRESET if the other one is gone, -EPROTO, or what it
 * refused with. */
int takeover_receive(int fd, enum takeover_step step, struct json_object **doc,
    struct handover *h, int timeout_ms, struct err *e);

#endif
