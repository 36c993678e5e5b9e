/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handlers_migrate.c - requests that a machine's move brings with it.
 *
 * See ring_log.h for all of them in their order.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ports/vhost/handlers.h"
#include "ports/vhost/ring_log.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"
#include "switch/base/eth.h"

enum {
	RARP_TYPE = 0x8035,
	RARP_LEN = 60,
	RARP_HTYPE_ETHERNET = 1,
	RARP_PTYPE_IP = 0x0800,
	RARP_REVERSE_REQUEST = 3,
	IP_ADDR_LEN = 4,
};

/* Has an answer of its own, for which the specification gives no payload and
 * some front ends wait for one: a zero suits all. */
enum vhost_outcome vhost_handle_set_log_base(
    struct vhost_port *p, struct vhost_message *m)
{
	const struct vhost_log_msg msg = m->payload.log;
	enum vhost_outcome o;
	struct dirty_log *log;
	struct err e;
	int rc;

	if (!(p->protocol_features >> VHOST_PROTOCOL_LOG_SHMFD & 1))
		return vhost_refuse(p, "a log without LOG_SHMFD");
	rc = dirty_log_open(&log, m->fd[0], msg.mmap_offset, msg.mmap_size,
	    vhost_session_raise, p, &e);
	if (rc)
		return vhost_refuse(p, "dirty log: %s", e.message);
	o = vhost_log_exchange(p, log);
	if (o != VHOST_DONE) {
		dirty_log_free(log);
		return o;
	}
	o = vhost_rings_resume(p);
	m->payload.u64 = 0;
	m->header.size = sizeof(m->payload.u64);
	return o == VHOST_DONE ? VHOST_REPLY : o;
}

/* RFC 903: who am I?  Asked only so that bridges on the way learn @mac. */
static void build_rarp(uint8_t frame[RARP_LEN], uint64_t mac)
{
	uint8_t *p = frame + ETH_HDR_LEN;

	memset(frame, 0, RARP_LEN);
	eth_mac_put(frame, ETH_MAC_BROADCAST);
	eth_mac_put(frame + ETH_ADDR_LEN, mac);
	eth_put_be16(frame + 2 * ETH_ADDR_LEN, RARP_TYPE);
	eth_put_be16(p, RARP_HTYPE_ETHERNET);
	eth_put_be16(p + 2, RARP_PTYPE_IP);
	p[4] = ETH_ADDR_LEN;
	p[5] = IP_ADDR_LEN;
	eth_put_be16(p + 6, RARP_REVERSE_REQUEST);
	eth_mac_put(p + 8, mac);
	eth_mac_put(p + 8 + ETH_ADDR_LEN + IP_ADDR_LEN, mac);
}

/* Only what comes in by a queue is learned and forwarded. */
void vhost_announce(struct vhost_port *p)
{
	uint8_t frame[RARP_LEN];

	if (!p->rarp || !(p->port.rx_live & 1))
		return;
	build_rarp(frame, p->rarp);
	p->rarp = 0;
	p->port.env->announce(&p->port, frame, sizeof(frame));
}

enum vhost_outcome vhost_handle_send_rarp(
    struct vhost_port *p, struct vhost_message *m)
{
	uint64_t mac = eth_mac(m->payload.bytes);

	if (!mac || eth_mac_is_group(mac))
		return vhost_refuse(p,
		    "RARP for %012" PRIx64 ", which is nobody's address", mac);
	p->rarp = mac;
	vhost_announce(p);
	return VHOST_DONE;
}

enum vhost_outcome vhost_handle_postcopy(
    struct vhost_port *p, struct vhost_message *m)
{
	return vhost_refuse(p,
	    "%s: post-copy is not supported, a worker would wait for memory "
	    "that is not there yet",
	    vhost_message_name(m));
}
