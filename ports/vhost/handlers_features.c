/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handlers_features.c - requests about the device as a whole.
 *
 * Few features are offered, and each of them is one that the rings keep.
 * QEMU gives its guest no feature of the network device that the back end
 * does not offer, so that those which QEMU provides by itself (the control
 * queue, the link status, announcements) are offered as well.
 */
#include <inttypes.h>
#include <string.h>

#include "ports/vhost/features.h"
#include "ports/vhost/handlers.h"
#include "ports/vhost/ring_log.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"
#include "switch/base/eth.h"

#define BIT(n) (UINT64_C(1) << (n))

/* The default says nothing that a guest would not assume by itself. */
static bool mtu_is_given(const struct vhost_port *p)
{
	return p->port.mtu && p->port.mtu != ETH_MTU_DEFAULT;
}

static uint64_t offered(const struct vhost_port *p)
{
	return BIT(VHOST_F_VERSION_1) | BIT(VHOST_F_ANY_LAYOUT) |
	       BIT(VHOST_F_INDIRECT_DESC) | BIT(VHOST_F_EVENT_IDX) |
	       BIT(VHOST_F_RING_PACKED) | BIT(VHOST_F_IN_ORDER) |
	       BIT(VHOST_NET_F_MRG_RXBUF) | BIT(VHOST_NET_F_STATUS) |
	       BIT(VHOST_NET_F_CTRL_VQ) | BIT(VHOST_NET_F_CTRL_RX) |
	       BIT(VHOST_NET_F_GUEST_ANNOUNCE) | BIT(VHOST_F_LOG_ALL) |
	       BIT(VHOST_F_PROTOCOL_FEATURES) |
	       (p->offload ? vhost_offload_features() : 0) |
	       (p->n_queues > 1 ? BIT(VHOST_NET_F_MQ) : 0) |
	       (mtu_is_given(p) ? BIT(VHOST_NET_F_MTU) : 0);
}

static uint64_t protocol_offered(void)
{
	return BIT(VHOST_PROTOCOL_MQ) | BIT(VHOST_PROTOCOL_LOG_SHMFD) |
	       BIT(VHOST_PROTOCOL_RARP) | BIT(VHOST_PROTOCOL_REPLY_ACK) |
	       BIT(VHOST_PROTOCOL_MTU) | BIT(VHOST_PROTOCOL_INFLIGHT_SHMFD) |
	       BIT(VHOST_PROTOCOL_RESET_DEVICE) |
	       BIT(VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS) |
	       BIT(VHOST_PROTOCOL_STATUS);
}

static enum vhost_outcome answer(struct vhost_message *m, uint64_t value)
{
	m->payload.u64 = value;
	m->header.size = sizeof(m->payload.u64);
	return VHOST_REPLY;
}

/* SET_OWNER opens what the connection has opened already; RESET_OWNER is
 * best ignored, says the specification. */
enum vhost_outcome vhost_handle_nothing(
    struct vhost_port *p, struct vhost_message *m)
{
	(void)p;
	(void)m;
	return VHOST_DONE;
}

enum vhost_outcome vhost_handle_get_features(
    struct vhost_port *p, struct vhost_message *m)
{
	return answer(m, offered(p));
}

static bool any_ring_runs(const struct vhost_port *p)
{
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++)
		if (p->ring[i].running)
			return true;
	return false;
}

/* Where a ring stopped says nothing about a ring of the other format. */
static void change_format(struct vhost_port *p)
{
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		if (p->ring[i].base_is_ours)
			p->ring[i].base = 0;
		p->ring[i].base_is_ours = false;
	}
}

/* QEMU repeats the features for each pair of queues, when the first pair runs
 * already; what a running ring looks like, and what may lie in it, cannot
 * change, but whether its writes are logged can. */
enum vhost_outcome vhost_handle_set_features(
    struct vhost_port *p, struct vhost_message *m)
{
	uint64_t wanted = m->payload.u64;

	if (wanted & ~offered(p))
		return vhost_close(p, "features",
		    "features %#" PRIx64 " are not offered",
		    wanted & ~offered(p));
	if (p->has_features && wanted == p->features)
		return VHOST_DONE;
	if (any_ring_runs(p) && (p->features ^ wanted) == BIT(VHOST_F_LOG_ALL))
		return vhost_log_switch(p, wanted);
	if (any_ring_runs(p))
		return vhost_close(
		    p, "features", "features change while a ring runs");
	if ((p->features ^ wanted) & BIT(VHOST_F_RING_PACKED))
		change_format(p);
	p->features = wanted;
	p->port.accepts = vhost_offloads_taken(wanted);
	p->has_features = true;
	vhost_session_expect_memory(p);
	return vhost_rings_resume(p);
}

enum vhost_outcome vhost_handle_get_protocol_features(
    struct vhost_port *p, struct vhost_message *m)
{
	(void)p;
	return answer(m, protocol_offered());
}

enum vhost_outcome vhost_handle_set_protocol_features(
    struct vhost_port *p, struct vhost_message *m)
{
	uint64_t wanted = m->payload.u64;

	if (wanted & ~protocol_offered())
		return vhost_close(p, "features",
		    "protocol features %#" PRIx64 " are not offered",
		    wanted & ~protocol_offered());
	p->protocol_features = wanted;
	return VHOST_DONE;
}

/* Pairs, as every network front end counts them. */
enum vhost_outcome vhost_handle_get_queue_num(
    struct vhost_port *p, struct vhost_message *m)
{
	return answer(m, p->n_queues);
}

enum vhost_outcome vhost_handle_get_status(
    struct vhost_port *p, struct vhost_message *m)
{
	return answer(m, p->status);
}

/* Memory, features and who rings stay: a front end that tracks memory slots
 * does not describe them again. */
enum vhost_outcome vhost_handle_reset_device(
    struct vhost_port *p, struct vhost_message *m)
{
	(void)m;
	vhost_rings_pause(p, 0, vhost_port_n_rings(p));
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		vhost_ring_forget(&p->ring[i], true);
		p->ring[i].enabled = false;
	}
	p->status = 0;
	return vhost_rings_resume(p);
}

/* A status of 0 is the driver's reset (virtio 1.2, 2.1); the rings stop, but
 * whether they are enabled is the front end's and stays.  QEMU 7.2 also says
 * it of a machine that is merely stopped, and then asks where the rings were:
 * if the machine is on its way to another host, a wrong answer ends it. */
enum vhost_outcome vhost_handle_set_status(
    struct vhost_port *p, struct vhost_message *m)
{
	if (m->payload.u64 > UINT8_MAX)
		return vhost_refuse(
		    p, "status %#" PRIx64 " is not a byte", m->payload.u64);
	p->status = (uint8_t)m->payload.u64;
	if (p->status)
		return VHOST_DONE;
	vhost_rings_pause(p, 0, vhost_port_n_rings(p));
	for (unsigned i = 0; i < vhost_port_n_rings(p); i++) {
		uint16_t base = p->ring[i].base;

		vhost_ring_forget(&p->ring[i], true);
		p->ring[i].base = base;
	}
	return vhost_rings_resume(p);
}

enum vhost_outcome vhost_handle_net_set_mtu(
    struct vhost_port *p, struct vhost_message *m)
{
	uint64_t mtu = m->payload.u64;

	if (mtu < ETH_MTU_MIN || mtu > UINT16_MAX ||
	    (mtu_is_given(p) && mtu > p->port.mtu))
		return vhost_refuse(p,
		    "MTU %" PRIu64 " is not between %d and %u", mtu,
		    ETH_MTU_MIN, p->port.mtu);
	p->guest_mtu = (uint16_t)mtu;
	return VHOST_DONE;
}

/* Asks for an answer by itself, with or without REPLY_ACK. */
enum vhost_outcome vhost_handle_iotlb_msg(
    struct vhost_port *p, struct vhost_message *m)
{
	(void)p;
	return answer(m, 1);
}
