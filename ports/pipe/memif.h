/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memif.h - memif 2.0 as it lies on the wire and in shared memory.
 *
 * Two processes share memory and exchange descriptors of buffers in it by
 * rings.  The *client* allocates everything, regions with rings and buffers;
 * the *server* listens, maps what it is given, and does the copying.
 *
 * Messages have MEMIF_MSG_SIZE bytes on a SOCK_SEQPACKET unix socket, in the
 * byte order of the host; descriptors travel with them by SCM_RIGHTS:
 *
 *	client                          server
 *	              ◄── HELLO         what it can do, as soon as it accepts
 *	INIT          ──►               version, id, secret
 *	              ◄── ACK
 *	ADD_REGION    ──► (memfd)       once for each region
 *	              ◄── ACK
 *	ADD_RING      ──► (eventfd)     once for each ring, to server first
 *	              ◄── ACK
 *	CONNECT       ──►
 *	              ◄── CONNECTED     the rings are live
 *	DISCONNECT   ◄─►                with a reason, at any time; no ACK
 *
 * Indices run freely from 0 to 0xffff; the slot is the index modulo the size
 * of the ring.  The client moves head and the server moves tail, whichever
 * way the frames go:
 *
 *	                 [tail, head)               [head, tail + size)
 *	to server        frames to be taken         free: the client fills it
 *	to client        buffers to be filled       see below
 *
 * In a ring to the client, slots behind tail hold frames until the client,
 * which remembers how far it has got, offers them again by moving head on.
 *
 *	client                                  server
 *	descriptors, then head (release) ─(A)─► head (acquire), descriptors
 *	tail (acquire), descriptors     ◄─(B)─  descriptors, then tail (release)
 *
 *	receiver                                sender
 *	flags (interrupts on), full     ◄─(C)─► index, full barrier,
 *	barrier, index                          flags
 *
 * The receiver of a ring writes its flags.  (C): store, barrier, load on both
 * sides, so that one of the two at least sees the other's store and no
 * notification is lost.
 *
 * Threads and ownership: those of the code that includes this.
 */
#ifndef PORTS_PIPE_MEMIF_H
#define PORTS_PIPE_MEMIF_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MEMIF_COOKIE = 0x3E31F20, /* first word of each ring */
	MEMIF_VERSION = 2 << 8,	  /* major, minor */
	MEMIF_MSG_SIZE = 128,
	MEMIF_NAME_SIZE = 32, /* these strings are filled up with zeros, ... */
	MEMIF_SECRET_SIZE = 24, /* ... and need not end with one */
	MEMIF_REASON_SIZE = 96,
	MEMIF_LOG2_RING_MAX = 15, /* more slots than that: full looks empty */
};

enum memif_msg_type {
	MEMIF_ACK = 1,
	MEMIF_HELLO,
	MEMIF_INIT,
	MEMIF_ADD_REGION,
	MEMIF_ADD_RING,
	MEMIF_CONNECT,
	MEMIF_CONNECTED,
	MEMIF_DISCONNECT,
	MEMIF_MSG_TYPES, /* one more than the last */
};

enum memif_mode {
	MEMIF_MODE_ETHERNET,
	MEMIF_MODE_IP,
	MEMIF_MODE_PUNT,
};

/* What the server takes at most; indices, so 0 is one of them. */
struct memif_hello {
	uint8_t name[MEMIF_NAME_SIZE];
	uint16_t min_version;
	uint16_t max_version;
	uint16_t max_region;
	uint16_t max_ring_to_client;
	uint16_t max_ring_to_server;
	uint8_t max_log2_ring_size;
} __attribute__((packed));

/* The interface that the client wants of those behind the socket. */
struct memif_init {
	uint16_t version;
	uint32_t id;
	uint8_t mode; /* enum memif_mode */
	uint8_t secret[MEMIF_SECRET_SIZE];
	uint8_t name[MEMIF_NAME_SIZE];
} __attribute__((packed));

/* With the descriptor of the memory.  Regions are added in order. */
struct memif_add_region {
	uint16_t index;
	uint64_t size; /* bytes */
} __attribute__((packed));

enum memif_ring_msg_flag {
	MEMIF_RING_TO_SERVER = 1 << 0,
};

/* With the eventfd by which the ring's sender wakes its receiver. */
struct memif_add_ring {
	uint16_t flags; /* enum memif_ring_msg_flag */
	uint16_t index; /* of those in its direction */
	uint16_t region;
	uint32_t offset; /* of struct memif_ring in the region, bytes */
	uint8_t log2_size;
	uint16_t private_size; /* of metadata after the descriptors, bytes */
} __attribute__((packed));

/* CONNECT and CONNECTED: what the sender calls its interface. */
struct memif_connect {
	uint8_t name[MEMIF_NAME_SIZE];
} __attribute__((packed));

struct memif_disconnect {
	uint32_t code;
	uint8_t reason[MEMIF_REASON_SIZE];
} __attribute__((packed));

struct memif_msg {
	uint16_t type; /* enum memif_msg_type */
	union {
		struct memif_hello hello;
		struct memif_init init;
		struct memif_add_region add_region;
		struct memif_add_ring add_ring;
		struct memif_connect connect;
		struct memif_disconnect disconnect;
		uint8_t bytes[MEMIF_MSG_SIZE - sizeof(uint16_t)];
	} __attribute__((packed));
} __attribute__((packed, aligned(MEMIF_MSG_SIZE)));

enum memif_desc_flag {
	MEMIF_DESC_NEXT = 1 << 0, /* the frame goes on in the next slot */
};

/* One buffer; naturally aligned. */
struct memif_desc {
	uint16_t flags; /* enum memif_desc_flag */
	uint16_t region;
	uint32_t len;	 /* bytes of frame, or of room in a buffer offered */
	uint32_t offset; /* of the first of them in the region */
	uint32_t metadata;
};

enum memif_ring_flag {
	MEMIF_RING_MASK_INT = 1 << 0, /* the receiver polls: do not notify */
};

/* In the region, a cache line for each side. */
struct memif_ring {
	uint32_t cookie;
	uint16_t flags; /* enum memif_ring_flag; written by the receiver */
	uint16_t head;	/* written by the client */
	uint16_t tail __attribute__((aligned(64))); /* written by the server */
	struct memif_desc desc[] __attribute__((aligned(64)));
};

static_assert(sizeof(struct memif_hello) == 43, "HELLO");
static_assert(sizeof(struct memif_init) == 63, "INIT");
static_assert(sizeof(struct memif_add_region) == 10, "ADD_REGION");
static_assert(sizeof(struct memif_add_ring) == 13, "ADD_RING");
static_assert(sizeof(struct memif_connect) == 32, "CONNECT");
static_assert(sizeof(struct memif_disconnect) == 100, "DISCONNECT");
static_assert(sizeof(struct memif_msg) == MEMIF_MSG_SIZE, "message");
static_assert(offsetof(struct memif_msg, bytes) == 2, "message");
static_assert(sizeof(struct memif_desc) == 16, "descriptor");
static_assert(offsetof(struct memif_ring, head) == 6, "head");
static_assert(offsetof(struct memif_ring, tail) == 64, "tail");
static_assert(offsetof(struct memif_ring, desc) == 128, "descriptors");

/* What a ring of 1 << @log2_size slots takes in its region. */
static inline size_t memif_ring_size(unsigned log2_size)
{
	return sizeof(struct memif_ring) +
	       (sizeof(struct memif_desc) << log2_size);
}

#endif
