/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.h - a guest's network card: front end, memory and rings together.
 *
 * A struct netdev is a virtual machine with one virtio-net device (virtio 1.2,
 * 5.1) of up to NETDEV_PAIRS_MAX queue pairs.  Ring 2i receives and ring 2i+1
 * transmits for pair i.  All have the one format that the configuration says;
 * where it leaves that open, $GUEST_RING does ("packed"; otherwise split), so
 * that the tests of everything else are run once for each.  The virtio-net header has 12 bytes with VERSION_1 or
 * MRG_RXBUF, else 10 (5.1.6.1).
 *
 * Every buffer is a slot; receive slots are filled with a pattern before the
 * device gets them, so that a byte written past the length that the device
 * reports is noticed, and pieces of a frame never touch each other.
 *
 * What goes wrong beyond a returned error is counted in struct netdev_faults,
 * which a well-behaved test expects to be all zero: netdev_faultless().
 *
 * Life: open (or listen, then open), send and recv, stop/start, disconnect/
 * reconnect, close.  Threads: one at a time.
 * Errors: 0 or -errno; see frontend.h for those of the connection.
 */
#ifndef TESTS_GUEST_NETDEV_H
#define TESTS_GUEST_NETDEV_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "tests/guest/frontend.h"
#include "tests/guest/vring.h"

#define NETDEV_BIT(n) (UINT64_C(1) << (n))

/* What a card asks for unless its configuration leaves some of it out. */
#define NETDEV_FEATURES                                                        \
	(NETDEV_BIT(VIRTIO_F_VERSION_1) | NETDEV_BIT(VIRTIO_NET_F_MRG_RXBUF) | \
	    NETDEV_BIT(VIRTIO_NET_F_MQ) | NETDEV_BIT(VIRTIO_NET_F_MTU) |       \
	    NETDEV_BIT(VIRTIO_RING_F_INDIRECT_DESC) |                          \
	    NETDEV_BIT(VIRTIO_RING_F_EVENT_IDX) |                              \
	    NETDEV_BIT(VIRTIO_F_ANY_LAYOUT))

/* What a kernel's header may be too old for (virtio 1.2, 5.1.3 and 5.1.6). */
enum {
	NETDEV_F_GUEST_USO4 = 54,
	NETDEV_F_GUEST_USO6 = 55,
	NETDEV_F_HOST_USO = 56,
	NETDEV_GSO_UDP_L4 = 5,
};

/* What a card asks for in addition to send, or to take, frames undone. */
#define NETDEV_SENDS                                                           \
	(NETDEV_BIT(VIRTIO_NET_F_CSUM) | NETDEV_BIT(VIRTIO_NET_F_HOST_TSO4) |  \
	    NETDEV_BIT(VIRTIO_NET_F_HOST_TSO6) |                               \
	    NETDEV_BIT(VIRTIO_NET_F_HOST_ECN) | NETDEV_BIT(NETDEV_F_HOST_USO))
#define NETDEV_TAKES                                                           \
	(NETDEV_BIT(VIRTIO_NET_F_GUEST_CSUM) |                                 \
	    NETDEV_BIT(VIRTIO_NET_F_GUEST_TSO4) |                              \
	    NETDEV_BIT(VIRTIO_NET_F_GUEST_TSO6) |                              \
	    NETDEV_BIT(VIRTIO_NET_F_GUEST_ECN) |                               \
	    NETDEV_BIT(NETDEV_F_GUEST_USO4) | NETDEV_BIT(NETDEV_F_GUEST_USO6))

#define NETDEV_PROTOCOL                                                        \
	(NETDEV_BIT(VU_PROTOCOL_MQ) | NETDEV_BIT(VU_PROTOCOL_LOG_SHMFD) |      \
	    NETDEV_BIT(VU_PROTOCOL_RARP) | NETDEV_BIT(VU_PROTOCOL_REPLY_ACK) | \
	    NETDEV_BIT(VU_PROTOCOL_NET_MTU) |                                  \
	    NETDEV_BIT(VU_PROTOCOL_RESET_DEVICE) |                             \
	    NETDEV_BIT(VU_PROTOCOL_CONFIGURE_MEM_SLOTS) |                      \
	    NETDEV_BIT(VU_PROTOCOL_STATUS))

enum {
	NETDEV_PAIRS_MAX = 8,
	NETDEV_PARTS_MAX = 32, /* pieces that a frame can be cut into */
	NETDEV_GAP = 16,       /* bytes between two pieces, at least */
	NETDEV_PATTERN = 0xe7, /* in receive slots */
};

/* How the rings lie in memory.  A device from before VERSION_1 has split ones
 * only, and a card that wants packed ones does not come up without them. */
enum netdev_rings {
	NETDEV_RINGS_ANY, /* as $GUEST_RING says */
	NETDEV_RINGS_SPLIT,
	NETDEV_RINGS_PACKED,
};

/* All zero is a useful card except for the socket, which is copied. */
struct netdev_config {
	const char *socket;
	bool listen;	/* the port is in the client role */
	unsigned pairs; /* 0: 1 */
	enum netdev_rings rings;
	bool in_order;		   /* the device returns buffers in order */
	unsigned ring_size;	   /* 0: 256 */
	uint64_t without;	   /* of NETDEV_FEATURES */
	uint64_t offloads;	   /* of NETDEV_SENDS and NETDEV_TAKES */
	uint64_t protocol_without; /* of NETDEV_PROTOCOL */
	uint32_t frame_max;	   /* longest frame sent, bytes; 0: 1522 */
	uint32_t rx_size;	   /* of a receive buffer; 0: fits frame_max */
	unsigned rx_parts;	   /* descriptors of one; 0: 1 */
	bool rx_indirect;
	bool rx_empty;	      /* leave the receive rings without buffers */
	unsigned regions;     /* of memory; 0: 1 */
	bool slots;	      /* announce them by ADD_MEM_REG */
	int memory_flags;     /* enum guest_memory_flag */
	uint16_t mtu;	      /* to announce by NET_SET_MTU; 0: do not */
	uint16_t first_index; /* of the rings, see guest_vring_init() */
	bool stale_base;      /* say where rings began whenever they start, as
			       * QEMU does of packed ones that it lost */
	bool inflight;	      /* have the device keep notes of its place */
	bool fast;	      /* benchmarks: no pattern in receive slots */
};

/* How a frame lies in its buffers. */
struct netdev_layout {
	unsigned parts; /* pieces of the frame; 0: 1 */
	bool joined;	/* the header shares a buffer with the first piece */
	bool indirect;
};

struct netdev_faults {
	uint64_t tx_written;  /* used length of a transmitted chain not 0 */
	uint64_t rx_short;    /* less than a header was written */
	uint64_t rx_long;     /* more than the buffer holds */
	uint64_t rx_past_end; /* bytes changed beyond the used length */
	uint64_t rx_header;   /* a header that promises what was not offered */
	uint64_t rx_missing;  /* fewer buffers than num_buffers says */
};

/* A buffer of a ring: @size bytes of guest memory. */
struct netdev_slot {
	uint64_t gpa;
	uint8_t *at;
	uint32_t size;
};

struct netdev_queue {
	struct guest_vring ring;
	struct netdev_slot *slot; /* one for each descriptor of the ring */
	uint16_t *free;		  /* stack of slots not in use */
	unsigned n_free;
};

struct netdev {
	struct netdev_config config;
	char socket[108]; /* config.socket points here */
	struct frontend fe;
	struct guest_memory mem;
	uint32_t hdr_len;
	bool mergeable;
	bool packed;
	struct vu_inflight inflight; /* the device's notes ... */
	int inflight_fd;	     /* ... and where they are; -1: none */
	bool hold_rx;		     /* do not give receive buffers back */
	struct netdev_queue q[2 * NETDEV_PAIRS_MAX];
	struct virtio_net_hdr_mrg_rxbuf rx_hdr; /* of the last frame */
	uint64_t n_sent, n_received;
	struct netdev_faults faults;
};

/* Creates memory and rings and brings the card up at its socket.  A failed
 * open leaves nothing behind. */
int netdev_open(struct netdev *d, const struct netdev_config *config);
void netdev_close(struct netdev *d);

/* The parts of open: memory and rings (and the listening socket), the
 * connection with the negotiation, and the rings' start. */
int netdev_create(struct netdev *d, const struct netdev_config *config);
int netdev_connect(struct netdev *d);
int netdev_start(struct netdev *d);

/* Stops every ring by GET_VRING_BASE; base[0..2 * pairs) receives the answers
 * if it is not NULL.  netdev_start() goes on where it stopped. */
int netdev_stop(struct netdev *d, uint32_t base[]);

/* Closes the connection, the guest's rings staying as they are, and comes back
 * with the same rings (as QEMU does with reconnect=). */
void netdev_disconnect(struct netdev *d);
int netdev_reconnect(struct netdev *d);

/* Queues a frame of @len bytes on pair @pair; @hdr NULL: no offloads.  The
 * device sees it after flush.  -ENOSPC: the ring is full. */
int netdev_queue_frame(struct netdev *d, unsigned pair, const void *frame,
    uint32_t len, const struct netdev_layout *layout,
    const struct virtio_net_hdr *hdr);
void netdev_flush(struct netdev *d, unsigned pair);

/* Queues and flushes; @layout NULL: header and frame in a buffer each. */
int netdev_send(struct netdev *d, unsigned pair, const void *frame,
    uint32_t len, const struct netdev_layout *layout);

/* Takes transmitted buffers back.  drain() waits until there are none out. */
void netdev_reap_tx(struct netdev *d, unsigned pair);
int netdev_drain_tx(struct netdev *d, unsigned pair, int timeout_ms);

/* Receives one frame into frame[0..max) from @pair, sleeping on the call
 * descriptor.  Returns its length; -ETIMEDOUT; -EPROTO if the device broke a
 * rule (see faults); -EMSGSIZE if it is longer than @max. */
int netdev_recv(
    struct netdev *d, unsigned pair, void *frame, uint32_t max, int timeout_ms);

/* The same from whichever pair has one first. */
int netdev_recv_any(
    struct netdev *d, void *frame, uint32_t max, int timeout_ms);

/* Gives the device up to @n receive buffers of @size bytes (at most the
 * configured size; 0: that) on @pair.  Returns how many. */
unsigned netdev_fill_rx(
    struct netdev *d, unsigned pair, uint32_t size, unsigned n);

/* Whether the device did nothing wrong so far: no faults, no nonsense in a
 * ring, canaries intact. */
bool netdev_faultless(const struct netdev *d);

static inline struct guest_vring *netdev_rx_ring(
    struct netdev *d, unsigned pair)
{
	return &d->q[2 * pair].ring;
}

static inline struct guest_vring *netdev_tx_ring(
    struct netdev *d, unsigned pair)
{
	return &d->q[2 * pair + 1].ring;
}

#endif
