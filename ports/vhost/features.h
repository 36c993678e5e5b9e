/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * features.h - bits of the virtio features that this back end knows.
 *
 * By number, because the kernel's header of the network device brings a
 * struct virtio_net_hdr of its own (virtio 1.2, 5.1.3 and 6).
 */
#ifndef PORTS_VHOST_FEATURES_H
#define PORTS_VHOST_FEATURES_H

enum vhost_feature {
	VHOST_NET_F_MTU = 3,
	VHOST_NET_F_MRG_RXBUF = 15,
	VHOST_NET_F_STATUS = 16,
	VHOST_NET_F_CTRL_VQ = 17,
	VHOST_NET_F_CTRL_RX = 18,
	VHOST_NET_F_GUEST_ANNOUNCE = 21,
	VHOST_NET_F_MQ = 22,
	VHOST_F_ANY_LAYOUT = 27,
	VHOST_F_INDIRECT_DESC = 28,
	VHOST_F_EVENT_IDX = 29,
	VHOST_F_PROTOCOL_FEATURES = 30, /* the protocol's, not the guest's */
	VHOST_F_VERSION_1 = 32,
};

#endif
