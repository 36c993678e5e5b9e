/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * features.h - virtio features that this back end knows, and what they allow.
 *
 * By number, because the kernel's header of the network device brings a
 * struct virtio_net_hdr of its own (virtio 1.2, 5.1.3 and 6).
 *
 * The offload features say who may leave what to whom: CSUM and HOST_* what
 * the guest may send undone, GUEST_* what it takes undone.  They are offered
 * all or, with `offload off`, not at all, and hold for as long as the driver
 * keeps the device:
 *
 *  - A set that breaks the dependencies of virtio 1.2, 5.1.3.1 is taken for
 *    what is left of it without the features that lack their ground.
 *  - UFO is not offered: it would have the receiver make fragments.
 *  - CTRL_GUEST_OFFLOADS is not ours to offer.  The control queue is the front
 *    end's, and vhost-user has no message that says what went over it: QEMU
 *    (7.2 and later) offers the feature to its guest by itself, acknowledges
 *    the command and tells nobody.  The guest goes on getting what it took
 *    when it negotiated.  Linux takes it whatever it has switched off, as it
 *    has to for what is in its ring at that moment; only while it runs an XDP
 *    program does it drop large and unsummed frames, and such a machine wants
 *    guest_csum=off among its device's properties, or `offload off`.
 *  - QEMU does not come back to a back end that offers less than its guest
 *    took.  So what is offered depends on the port's options alone, and a
 *    machine whose port loses `offload` has to be started anew.
 *
 * Threads: any.
 */
#ifndef PORTS_VHOST_FEATURES_H
#define PORTS_VHOST_FEATURES_H

#include <stdint.h>

enum vhost_feature {
	VHOST_NET_F_CSUM = 0,
	VHOST_NET_F_GUEST_CSUM = 1,
	VHOST_NET_F_MTU = 3,
	VHOST_NET_F_GUEST_TSO4 = 7,
	VHOST_NET_F_GUEST_TSO6 = 8,
	VHOST_NET_F_GUEST_ECN = 9,
	VHOST_NET_F_HOST_TSO4 = 11,
	VHOST_NET_F_HOST_TSO6 = 12,
	VHOST_NET_F_HOST_ECN = 13,
	VHOST_NET_F_MRG_RXBUF = 15,
	VHOST_NET_F_STATUS = 16,
	VHOST_NET_F_CTRL_VQ = 17,
	VHOST_NET_F_CTRL_RX = 18,
	VHOST_NET_F_GUEST_ANNOUNCE = 21,
	VHOST_NET_F_MQ = 22,
	VHOST_F_LOG_ALL = 26, /* the protocol's, not the guest's */
	VHOST_F_ANY_LAYOUT = 27,
	VHOST_F_INDIRECT_DESC = 28,
	VHOST_F_EVENT_IDX = 29,
	VHOST_F_PROTOCOL_FEATURES = 30, /* the protocol's, not the guest's */
	VHOST_F_VERSION_1 = 32,
	VHOST_F_RING_PACKED = 34,
	VHOST_F_IN_ORDER = 35, /* which we always keep to */
	VHOST_NET_F_GUEST_USO4 = 54,
	VHOST_NET_F_GUEST_USO6 = 55,
	VHOST_NET_F_HOST_USO = 56,
};

/* All features that are about offloads. */
uint64_t vhost_offload_features(void);

/* What a guest that negotiated @features may send undone, and what it takes
 * undone (enum offload_bit). */
uint8_t vhost_offloads_sent(uint64_t features);
uint8_t vhost_offloads_taken(uint64_t features);

#endif
