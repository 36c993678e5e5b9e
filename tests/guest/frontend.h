/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frontend.h - the front end of a vhost-user connection: what QEMU would say.
 *
 * Three levels, so that well-behaved and hostile tests share one connection:
 *
 *	frontend_send_raw()	any bytes, any descriptors
 *	frontend_send()		one message with any header, and frontend_recv()
 *	the typed ones		what the specification says, waiting for the
 *				acknowledgement where REPLY_ACK gives one
 *
 * Numbers and layouts are from the specification ("Front-end message types",
 * "Message Specification"), not from any back end.
 *
 * Life: connect or listen + accept, negotiate, ..., close; then connect anew.
 * Threads: one at a time.
 * Ownership: descriptors that are sent stay the caller's; received ones become
 * the caller's.  Every wait ends after timeout_ms.
 * Errors: 0 or -errno; -ETIMEDOUT no answer, -ECONNRESET the back end closed,
 * -EREMOTEIO it answered with a refusal, -EPROTO it answered nonsense.
 */
#ifndef TESTS_GUEST_FRONTEND_H
#define TESTS_GUEST_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/guest/memory.h"

enum vhost_user_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_RESET_OWNER = 4,
	VU_SET_MEM_TABLE = 5,
	VU_SET_LOG_BASE = 6,
	VU_SET_LOG_FD = 7,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_SET_VRING_ERR = 14,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_SEND_RARP = 19,
	VU_NET_SET_MTU = 20,
	VU_SET_BACKEND_REQ_FD = 21,
	VU_IOTLB_MSG = 22,
	VU_SET_VRING_ENDIAN = 23,
	VU_GET_CONFIG = 24,
	VU_SET_CONFIG = 25,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
	VU_RESET_DEVICE = 34,
	VU_VRING_KICK = 35,
	VU_GET_MAX_MEM_SLOTS = 36,
	VU_ADD_MEM_REG = 37,
	VU_REM_MEM_REG = 38,
	VU_SET_STATUS = 39,
	VU_GET_STATUS = 40,
};

enum vhost_user_protocol_feature {
	VU_PROTOCOL_MQ = 0,
	VU_PROTOCOL_LOG_SHMFD = 1,
	VU_PROTOCOL_RARP = 2,
	VU_PROTOCOL_REPLY_ACK = 3,
	VU_PROTOCOL_NET_MTU = 4,
	VU_PROTOCOL_BACKEND_REQ = 5,
	VU_PROTOCOL_INFLIGHT_SHMFD = 12,
	VU_PROTOCOL_RESET_DEVICE = 13,
	VU_PROTOCOL_CONFIGURE_MEM_SLOTS = 15,
	VU_PROTOCOL_STATUS = 16,
};

enum {
	VU_FEATURE_PROTOCOL = 30, /* bit of the virtio features */
	VU_VERSION = 0x1,
	VU_FLAG_REPLY = 0x4,
	VU_FLAG_NEED_REPLY = 0x8,
	VU_NO_FD = 0x100, /* in the u64 of KICK, CALL, ERR */
	VU_TABLE_MAX = 8, /* regions of one SET_MEM_TABLE */
	VU_FDS_MAX = 64,  /* that a test may attach */
};

struct vu_state {
	uint32_t index, num;
};

struct vu_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log; /* in this order on the wire */
};

struct vu_region {
	uint64_t gpa, size, uva, mmap_offset;
};

struct vu_mem_table {
	uint32_t n, padding;
	struct vu_region region[VU_TABLE_MAX];
};

struct vu_mem_reg {
	uint64_t padding;
	struct vu_region region;
};

struct vu_inflight {
	uint64_t size, offset;
	uint16_t n_queues, queue_size;
};

struct vu_header {
	uint32_t request, flags, size;
};

struct vu_reply {
	struct vu_header header;
	union {
		uint64_t u64;
		struct vu_state state;
		struct vu_inflight inflight;
		uint8_t bytes[512];
	};
	int fd; /* the first that came along, or -1 */
};

struct frontend {
	int fd;		/* the connection, or -1 */
	int listen_fd;	/* or -1 */
	int timeout_ms; /* of every wait */
	bool acks;	/* REPLY_ACK is on: ask for and await every reply */
	uint64_t offered, features;	     /* virtio: offered, chosen */
	uint64_t protocol_offered, protocol; /* vhost-user: the same */
	uint64_t queue_pairs_max;	     /* GET_QUEUE_NUM's answer, or 1 */
	uint64_t slots_max; /* GET_MAX_MEM_SLOTS' answer, or 8 */
	uint64_t refusal;   /* the value of the last -EREMOTEIO */
};

/* Connects @f to the back end that listens at @path, trying until the time is
 * up.  Leaves all members of @f new. */
int frontend_connect(struct frontend *f, const char *path);

/* Listens at @path, for a back end in the client role; and takes it in. */
int frontend_listen(struct frontend *f, const char *path);
int frontend_accept(struct frontend *f);

/* Closes the connection; fini also the listening socket. */
void frontend_close(struct frontend *f);
void frontend_fini(struct frontend *f);

/* Sends bytes[0..len) and fd[0..n_fd) as they are. */
int frontend_send_raw(struct frontend *f, const void *bytes, size_t len,
    const int fd[], unsigned n_fd);

/* Sends one message; @flags as they are (VU_VERSION is not added). */
int frontend_send(struct frontend *f, uint32_t request, uint32_t flags,
    const void *payload, uint32_t size, const int fd[], unsigned n_fd);

/* Awaits one message. */
int frontend_recv(struct frontend *f, struct vu_reply *reply);

/* Sends @request and awaits its u64. */
int frontend_ask(struct frontend *f, uint32_t request, uint64_t *answer);

/* Sends @request well-formed; with REPLY_ACK awaits that it was accepted. */
int frontend_tell(struct frontend *f, uint32_t request, const void *payload,
    uint32_t size, const int fd[], unsigned n_fd);
int frontend_tell_u64(struct frontend *f, uint32_t request, uint64_t value);
int frontend_tell_state(
    struct frontend *f, uint32_t request, uint32_t index, uint32_t num);

/* Returns once the back end has handled everything that was sent. */
int frontend_sync(struct frontend *f);

/* Whether the back end closes the connection within @timeout_ms. */
bool frontend_closed(struct frontend *f, int timeout_ms);

/* From GET_FEATURES to SET_FEATURES, choosing of what is offered @features and
 * @protocol; protocol features are used whenever the back end has them. */
int frontend_negotiate(
    struct frontend *f, uint64_t features, uint64_t protocol);
bool frontend_has(const struct frontend *f, unsigned feature);
bool frontend_has_protocol(const struct frontend *f, unsigned feature);

/* Announces memory: all regions in one table (up to VU_TABLE_MAX), or one. */
int frontend_set_mem_table(struct frontend *f, const struct guest_memory *m);
int frontend_add_mem_reg(struct frontend *f, const struct guest_region *r);
int frontend_rem_mem_reg(struct frontend *f, const struct guest_region *r);

/* SET_VRING_KICK, _CALL or _ERR; @fd -1 means none. */
int frontend_set_vring_fd(
    struct frontend *f, uint32_t request, unsigned index, int fd);

/* Has in-flight memory made for what @i says, whose place in *fd it is given;
 * and hands it over. */
int frontend_get_inflight(struct frontend *f, struct vu_inflight *i, int *fd);
int frontend_set_inflight(
    struct frontend *f, const struct vu_inflight *i, int fd);

/* Stops ring @index; *base is the next entry that the back end would take. */
int frontend_get_vring_base(struct frontend *f, unsigned index, uint32_t *base);

#endif
