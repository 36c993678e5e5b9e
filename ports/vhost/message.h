/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.h - the messages of the vhost-user protocol, front end to back end.
 *
 * A message is a header of three words, a payload, and descriptors beside it.
 * One table says for each request what size of payload and how many
 * descriptors it must come with; a message that breaks these rules never
 * reaches its handler.  The handler answers with an outcome:
 *
 *	DONE	 an acknowledgement, if one was asked for
 *	REPLY	 the payload, size and descriptors that the handler left in
 *		 the message
 *	REFUSED	 nothing changed: a negative acknowledgement; without
 *		 REPLY_ACK the only way to say so is to hang up
 *	CLOSE	 the peer does not speak the protocol: hang up
 *	BROKEN	 the guest's rings are unusable: hang up, the port is broken
 *
 * All but the first two left a reason behind by vhost_refuse(), vhost_close()
 * or vhost_break() (session.h).
 *
 * Threads: control.
 */
#ifndef PORTS_VHOST_MESSAGE_H
#define PORTS_VHOST_MESSAGE_H

#include <stdint.h>

#include "ports/vhost/memory.h"

struct vhost_port;

/* vhost-user, "Front-end message types". */
enum vhost_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_LOG_BASE = 6,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SEND_RARP = 19,
	VHOST_USER_NET_SET_MTU = 20,
	VHOST_USER_IOTLB_MSG = 22,
	VHOST_USER_POSTCOPY_ADVISE = 28,
	VHOST_USER_POSTCOPY_LISTEN = 29,
	VHOST_USER_POSTCOPY_END = 30,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG = 37,
	VHOST_USER_REM_MEM_REG = 38,
	VHOST_USER_SET_STATUS = 39,
	VHOST_USER_GET_STATUS = 40,
	VHOST_USER_N
};

/* vhost-user, "Protocol features". */
enum vhost_protocol_feature {
	VHOST_PROTOCOL_MQ = 0,
	VHOST_PROTOCOL_LOG_SHMFD = 1,
	VHOST_PROTOCOL_RARP = 2,
	VHOST_PROTOCOL_REPLY_ACK = 3,
	VHOST_PROTOCOL_MTU = 4,
	VHOST_PROTOCOL_INFLIGHT_SHMFD = 12,
	VHOST_PROTOCOL_RESET_DEVICE = 13,
	VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS = 15,
	VHOST_PROTOCOL_STATUS = 16,
};

enum {
	VHOST_VERSION = 1,
	VHOST_VERSION_MASK = 3,
	VHOST_FLAG_REPLY = 1 << 2,
	VHOST_FLAG_NEED_REPLY = 1 << 3,
	VHOST_NO_FD = 1 << 8, /* in the u64 of SET_VRING_KICK, CALL, ERR */
	VHOST_INDEX_MAX = 0xff,
	VHOST_VRING_LOG = 1 << 0, /* in the flags of a vring address */
	VHOST_TABLE_MAX = 8,	  /* regions of one SET_MEM_TABLE */
	VHOST_FDS_MAX = 8,	  /* descriptors of one message */
};

struct vhost_header {
	uint32_t request, flags, size; /* size: bytes of payload */
};

/* "A vring state description" */
struct vhost_vring_state {
	uint32_t index, num;
};

/* "A vring address description" */
struct vhost_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log; /* in this order on the wire */
};

/* "Log description" */
struct vhost_log_msg {
	uint64_t mmap_size, mmap_offset;
};

/* "Memory regions description" */
struct vhost_mem_table {
	uint32_t n, padding;
	struct vhost_region_msg region[VHOST_TABLE_MAX];
};

/* "Single memory region description" */
struct vhost_mem_region {
	uint64_t padding;
	struct vhost_region_msg region;
};

/* "Inflight description"; some front ends send the padding behind it. */
struct vhost_inflight_msg {
	uint64_t size, offset;
	uint16_t n_queues, queue_size;
};

struct vhost_message {
	struct vhost_header header;
	union {
		uint64_t u64;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct vhost_log_msg log;
		struct vhost_mem_table table;
		struct vhost_mem_region region;
		struct vhost_inflight_msg inflight;
		uint8_t bytes[sizeof(struct vhost_mem_table)];
	} payload;
	unsigned n_fds;
	int fd[VHOST_FDS_MAX]; /* -1: somebody took it */
};

enum vhost_outcome {
	VHOST_DONE,
	VHOST_REPLY,
	VHOST_REFUSED,
	VHOST_CLOSE,
	VHOST_BROKEN,
};

/* Checks @m against the protocol and has it handled.  Descriptors that the
 * handler did not take stay the message's. */
enum vhost_outcome vhost_message_handle(
    struct vhost_port *p, struct vhost_message *m);

/* Takes descriptor @i out of @m: the caller's from then on. */
int vhost_message_take_fd(struct vhost_message *m, unsigned i);

/* Closes what nobody took. */
void vhost_message_close_fds(struct vhost_message *m);

/* "SET_VRING_NUM", or "request 99". */
const char *vhost_message_name(const struct vhost_message *m);

#endif
