/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.c - a guest's network card: how it comes up, stops and comes back.
 *
 * Memory, rings and slots are made once; connections come and go around them.
 * The order of the messages is QEMU's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/netdev.h"

enum {
	RING_SIZE = 256,
	OWN_SIZE =
	    2 << 16, /* bytes of memory, at least, for a test's own use */
	FRAME_MAX = 1522,
	HDR_MAX = sizeof(struct virtio_net_hdr_mrg_rxbuf),
	STATUS_DRIVER = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER,
};

static unsigned n_rings(const struct netdev *d)
{
	return 2 * d->config.pairs;
}

/* What the configuration or the environment says, if it is possible. */
static enum netdev_rings choose_rings(const struct netdev_config *c)
{
	const char *said = getenv("GUEST_RING");

	if (c->rings)
		return c->rings;
	if (c->without & NETDEV_BIT(VIRTIO_F_VERSION_1))
		return NETDEV_RINGS_SPLIT;
	return said && !strcmp(said, "packed") ? NETDEV_RINGS_PACKED
					       : NETDEV_RINGS_SPLIT;
}

static void complete_config(struct netdev_config *c)
{
	c->rings = choose_rings(c);
	if (!c->pairs)
		c->pairs = 1;
	if (!c->ring_size)
		c->ring_size = RING_SIZE;
	if (!c->frame_max)
		c->frame_max = FRAME_MAX;
	if (!c->rx_size)
		c->rx_size = c->frame_max + HDR_MAX;
	if (!c->rx_parts)
		c->rx_parts = 1;
	if (!c->regions)
		c->regions = 1;
}

/* Bytes of guest memory for a slot of ring @i, with the gaps. */
static uint32_t slot_size(const struct netdev_config *c, unsigned i)
{
	if (i & 1)
		return c->frame_max + HDR_MAX +
		       (NETDEV_PARTS_MAX + 1) * NETDEV_GAP;
	return c->rx_size + c->rx_parts * NETDEV_GAP;
}

/* Rings, slots, indirect tables, and some for a test's own use. */
static uint64_t region_size(const struct netdev_config *c)
{
	uint64_t table = GUEST_VRING_BUFS_MAX * sizeof(struct vring_desc);
	uint64_t slots = slot_size(c, 0) + slot_size(c, 1) + 2 * table;
	uint64_t all = (slots + 128) * c->ring_size * c->pairs;
	uint64_t own = all / 4 + OWN_SIZE;
	uint64_t one = (all + own) / c->regions + 16 * c->ring_size;

	return (one + 4 * GUEST_PAGE) & ~(uint64_t)(GUEST_PAGE - 1);
}

static int queue_init(struct netdev *d, unsigned i)
{
	const struct netdev_config *c = &d->config;
	struct netdev_queue *q = &d->q[i];
	int err = guest_vring_init(&q->ring, &d->mem, d->packed,
	    (uint16_t)c->ring_size, c->first_index);

	if (err)
		return err;
	q->slot = calloc(c->ring_size, sizeof(*q->slot));
	q->free = calloc(c->ring_size, sizeof(*q->free));
	if (!q->slot || !q->free)
		return -ENOMEM;
	for (unsigned s = 0; s < c->ring_size; s++) {
		struct netdev_slot *slot = &q->slot[s];

		slot->size = slot_size(c, i);
		slot->gpa = guest_memory_alloc(&d->mem, slot->size, 1);
		slot->at = guest_memory_at(&d->mem, slot->gpa, slot->size);
		if (!slot->at)
			return -ENOMEM;
		q->free[q->n_free++] = (uint16_t)s;
	}
	return 0;
}

int netdev_create(struct netdev *d, const struct netdev_config *config)
{
	int err = 0;

	memset(d, 0, sizeof(*d));
	d->config = *config;
	snprintf(d->socket, sizeof(d->socket), "%s", config->socket);
	d->config.socket = d->socket;
	d->fe.fd = d->fe.listen_fd = d->inflight_fd = -1;
	complete_config(&d->config);
	d->packed = d->config.rings == NETDEV_RINGS_PACKED;
	guest_memory_init(&d->mem);
	for (unsigned i = 0; i < 2 * NETDEV_PAIRS_MAX; i++)
		d->q[i].ring.kick_fd = d->q[i].ring.call_fd =
		    d->q[i].ring.err_fd = -1;
	for (unsigned i = 0; i < d->config.regions; i++)
		if (!guest_memory_add(&d->mem, region_size(&d->config),
			d->config.memory_flags))
			err = -ENOMEM;
	for (unsigned i = 0; i < n_rings(d) && !err; i++)
		err = queue_init(d, i);
	if (!err && config->listen)
		err = frontend_listen(&d->fe, config->socket);
	if (err)
		netdev_close(d);
	return err;
}

static int announce_memory(struct netdev *d)
{
	int err = 0;

	if (!d->config.slots)
		return frontend_set_mem_table(&d->fe, &d->mem);
	if (!frontend_has_protocol(&d->fe, VU_PROTOCOL_CONFIGURE_MEM_SLOTS))
		return -EOPNOTSUPP;
	for (unsigned i = 0; i < d->mem.n && !err; i++)
		err = frontend_add_mem_reg(&d->fe, &d->mem.region[i]);
	return err;
}

static int tell_status(struct netdev *d, uint64_t status)
{
	if (!frontend_has_protocol(&d->fe, VU_PROTOCOL_STATUS))
		return 0;
	return frontend_tell_u64(&d->fe, VU_SET_STATUS, status);
}

/* The driver's part of the negotiation (virtio 1.2, 3.1.1, step 6). */
static int confirm_features(struct netdev *d)
{
	uint64_t status = STATUS_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;
	int err = tell_status(d, status);

	if (!err && frontend_has_protocol(&d->fe, VU_PROTOCOL_STATUS))
		err = frontend_ask(&d->fe, VU_GET_STATUS, &status);
	if (!err && !(status & VIRTIO_CONFIG_S_FEATURES_OK))
		err = -EPROTO;
	return err;
}

static uint64_t wanted_features(const struct netdev *d)
{
	uint64_t all = NETDEV_FEATURES & ~d->config.without;

	if (d->packed)
		all |= NETDEV_BIT(VIRTIO_F_RING_PACKED);
	if (d->config.in_order)
		all |= NETDEV_BIT(VIRTIO_F_IN_ORDER);
	return all | d->config.offloads;
}

static uint64_t wanted_protocol(const struct netdev *d)
{
	uint64_t all = NETDEV_PROTOCOL & ~d->config.protocol_without;

	return d->config.inflight ? all | NETDEV_BIT(VU_PROTOCOL_INFLIGHT_SHMFD)
				  : all;
}

/* What the first device made is handed to every later one. */
static int hand_over_notes(struct netdev *d)
{
	int err = 0;

	if (!frontend_has_protocol(&d->fe, VU_PROTOCOL_INFLIGHT_SHMFD))
		return -EOPNOTSUPP;
	if (d->inflight_fd < 0) {
		d->inflight.n_queues = (uint16_t)n_rings(d);
		d->inflight.queue_size = (uint16_t)d->config.ring_size;
		err = frontend_get_inflight(
		    &d->fe, &d->inflight, &d->inflight_fd);
	}
	return err ? err
		   : frontend_set_inflight(
			 &d->fe, &d->inflight, d->inflight_fd);
}

int netdev_connect(struct netdev *d)
{
	bool version_1;
	int err = d->config.listen ? frontend_accept(&d->fe)
				   : frontend_connect(&d->fe, d->config.socket);

	if (!err)
		err = frontend_negotiate(
		    &d->fe, wanted_features(d), wanted_protocol(d));
	if (!err && d->packed && !frontend_has(&d->fe, VIRTIO_F_RING_PACKED))
		err = -EOPNOTSUPP;
	if (!err)
		err = confirm_features(d);
	if (!err && d->fe.queue_pairs_max < d->config.pairs)
		err = -ERANGE;
	if (!err && d->config.mtu &&
	    frontend_has_protocol(&d->fe, VU_PROTOCOL_NET_MTU))
		err = frontend_tell_u64(&d->fe, VU_NET_SET_MTU, d->config.mtu);
	if (!err && d->config.inflight)
		err = hand_over_notes(d);
	version_1 = frontend_has(&d->fe, VIRTIO_F_VERSION_1);
	d->mergeable = frontend_has(&d->fe, VIRTIO_NET_F_MRG_RXBUF);
	d->hdr_len = version_1 || d->mergeable
			 ? sizeof(struct virtio_net_hdr_mrg_rxbuf)
			 : sizeof(struct virtio_net_hdr);
	for (unsigned i = 0; i < n_rings(d); i++) {
		struct guest_vring *r = &d->q[i].ring;

		r->event_idx = frontend_has(&d->fe, VIRTIO_RING_F_EVENT_IDX);
		r->in_order = frontend_has(&d->fe, VIRTIO_F_IN_ORDER);
	}
	return err;
}

/* Where the front end says that ring @r goes on. */
static uint32_t base_of(const struct netdev *d, const struct guest_vring *r)
{
	return d->config.stale_base ? r->first_base : guest_vring_base(r);
}

/* Describes ring @i to the back end and hands it the eventfds. */
static int start_ring(struct netdev *d, unsigned i)
{
	struct guest_vring *r = &d->q[i].ring;
	const struct vu_addr addr = {
	    .index = i,
	    .desc = guest_memory_uva(&d->mem, r->desc_gpa),
	    .used = guest_memory_uva(&d->mem, r->used_gpa),
	    .avail = guest_memory_uva(&d->mem, r->avail_gpa),
	    .log = r->used_gpa,
	};
	int err = frontend_tell_state(&d->fe, VU_SET_VRING_NUM, i, r->size);

	if (!err)
		err = frontend_tell_state(
		    &d->fe, VU_SET_VRING_BASE, i, base_of(d, r));
	if (!err)
		err = frontend_tell(
		    &d->fe, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (!err)
		err = frontend_set_vring_fd(
		    &d->fe, VU_SET_VRING_ERR, i, r->err_fd);
	if (!err)
		err = frontend_set_vring_fd(
		    &d->fe, VU_SET_VRING_KICK, i, r->kick_fd);
	if (!err)
		err = frontend_set_vring_fd(
		    &d->fe, VU_SET_VRING_CALL, i, r->call_fd);
	return err;
}

int netdev_start(struct netdev *d)
{
	int err = announce_memory(d);

	for (unsigned i = 0; i < n_rings(d) && !err; i++)
		err = start_ring(d, i);
	for (unsigned i = 0; i < n_rings(d) && !err; i++)
		if (frontend_has(&d->fe, VU_FEATURE_PROTOCOL))
			err = frontend_tell_state(
			    &d->fe, VU_SET_VRING_ENABLE, i, 1);
	if (!err)
		err =
		    tell_status(d, STATUS_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |
				       VIRTIO_CONFIG_S_DRIVER_OK);
	for (unsigned i = 0; i < d->config.pairs && !err; i++) {
		if (!d->config.rx_empty)
			netdev_fill_rx(d, i, 0, d->config.ring_size);
		guest_vring_kick_always(netdev_rx_ring(d, i));
		guest_vring_kick_always(netdev_tx_ring(d, i));
	}
	if (!err)
		err = frontend_sync(&d->fe);
	return err;
}

int netdev_open(struct netdev *d, const struct netdev_config *config)
{
	int err = netdev_create(d, config);

	if (err)
		return err;
	err = netdev_connect(d);
	if (!err)
		err = netdev_start(d);
	if (err)
		netdev_close(d);
	return err;
}

int netdev_stop(struct netdev *d, uint32_t base[])
{
	int err = 0;

	for (unsigned i = 0; i < n_rings(d) && !err; i++) {
		uint32_t at = 0;

		err = frontend_get_vring_base(&d->fe, i, &at);
		if (base)
			base[i] = at;
	}
	return err;
}

void netdev_disconnect(struct netdev *d)
{
	frontend_close(&d->fe);
}

int netdev_reconnect(struct netdev *d)
{
	int err = netdev_connect(d);

	return err ? err : netdev_start(d);
}

void netdev_close(struct netdev *d)
{
	frontend_fini(&d->fe);
	for (unsigned i = 0; i < 2 * NETDEV_PAIRS_MAX; i++) {
		guest_vring_fini(&d->q[i].ring);
		free(d->q[i].slot);
		free(d->q[i].free);
		d->q[i].slot = NULL;
		d->q[i].free = NULL;
	}
	guest_memory_fini(&d->mem);
	if (d->inflight_fd >= 0)
		close(d->inflight_fd);
	d->inflight_fd = -1;
}
