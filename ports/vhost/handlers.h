/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handlers.h - what each request does; the rows of the table in message.c.
 *
 * A handler is called with a message of permitted size and number of
 * descriptors, and checks what it says.  It changes everything or, unless it
 * returns VHOST_CLOSE or VHOST_BROKEN, nothing.
 *
 * Threads: control.
 */
#ifndef PORTS_VHOST_HANDLERS_H
#define PORTS_VHOST_HANDLERS_H

#include "ports/vhost/message.h"

#define VHOST_HANDLER(name)                                                    \
	enum vhost_outcome vhost_handle_##name(                                \
	    struct vhost_port *p, struct vhost_message *m)

/* handlers_features.c: the device as a whole. */
VHOST_HANDLER(nothing);
VHOST_HANDLER(get_features);
VHOST_HANDLER(set_features);
VHOST_HANDLER(get_protocol_features);
VHOST_HANDLER(set_protocol_features);
VHOST_HANDLER(get_queue_num);
VHOST_HANDLER(get_status);
VHOST_HANDLER(set_status);
VHOST_HANDLER(reset_device);
VHOST_HANDLER(net_set_mtu);
VHOST_HANDLER(iotlb_msg);

/* handlers_migrate.c */
VHOST_HANDLER(set_log_base);
VHOST_HANDLER(send_rarp);
VHOST_HANDLER(postcopy);

/* handlers_memory.c */
VHOST_HANDLER(set_mem_table);
VHOST_HANDLER(get_max_mem_slots);
VHOST_HANDLER(add_mem_reg);
VHOST_HANDLER(rem_mem_reg);

/* handlers_inflight.c */
VHOST_HANDLER(get_inflight_fd);
VHOST_HANDLER(set_inflight_fd);

/* handlers_vring.c */
VHOST_HANDLER(set_vring_num);
VHOST_HANDLER(set_vring_addr);
VHOST_HANDLER(set_vring_base);
VHOST_HANDLER(get_vring_base);
VHOST_HANDLER(set_vring_kick);
VHOST_HANDLER(set_vring_call);
VHOST_HANDLER(set_vring_err);
VHOST_HANDLER(set_vring_enable);

#endif
