/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.c - one table: who handles a request, and what it must look like.
 *
 * A request that has no row is not spoken here; it is refused, not an error
 * of the protocol, because a front end may be younger than this back end.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "ports/vhost/handlers.h"
#include "ports/vhost/message.h"
#include "ports/vhost/session.h"

static_assert(sizeof(struct vhost_header) == 12, "wire format");
static_assert(sizeof(struct vhost_vring_state) == 8, "wire format");
static_assert(sizeof(struct vhost_vring_addr) == 40, "wire format");
static_assert(sizeof(struct vhost_log_msg) == 16, "wire format");
static_assert(sizeof(struct vhost_region_msg) == 32, "wire format");
static_assert(offsetof(struct vhost_mem_table, region) == 8, "wire format");
static_assert(sizeof(struct vhost_mem_region) == 40, "wire format");
static_assert(
    offsetof(struct vhost_inflight_msg, queue_size) == 18, "wire format");

struct rule {
	const char *name;
	enum vhost_outcome (*handle)(
	    struct vhost_port *p, struct vhost_message *m);
	uint16_t size_min, size_max; /* bytes of payload */
	uint8_t fds_min, fds_max;
};

#define EXACT(type) sizeof(type), sizeof(type)
#define NONE	    0, 0
#define U64	    EXACT(uint64_t)
#define STATE	    EXACT(struct vhost_vring_state)
#define ADDR	    EXACT(struct vhost_vring_addr)
#define LOG	    EXACT(struct vhost_log_msg)
#define REGION	    EXACT(struct vhost_mem_region)
#define TABLE                                                                  \
	offsetof(struct vhost_mem_table, region), sizeof(struct vhost_mem_table)
#define INFLIGHT                                                               \
	offsetof(struct vhost_inflight_msg, queue_size) + sizeof(uint16_t),    \
	    sizeof(struct vhost_inflight_msg)
#define ANY 0, sizeof(struct vhost_mem_table)

#define RULE(request, handler, ...)                                            \
	[VHOST_USER_##request] = {#request, vhost_handle_##handler, __VA_ARGS__}

static const struct rule rules[] = {
    RULE(GET_FEATURES, get_features, NONE, 0, 0),
    RULE(SET_FEATURES, set_features, U64, 0, 0),
    RULE(SET_OWNER, nothing, NONE, 0, 0),
    RULE(RESET_OWNER, nothing, NONE, 0, 0),
    RULE(SET_MEM_TABLE, set_mem_table, TABLE, 1, VHOST_TABLE_MAX),
    RULE(SET_LOG_BASE, set_log_base, LOG, 1, 1),
    RULE(SET_VRING_NUM, set_vring_num, STATE, 0, 0),
    RULE(SET_VRING_ADDR, set_vring_addr, ADDR, 0, 0),
    RULE(SET_VRING_BASE, set_vring_base, STATE, 0, 0),
    RULE(GET_VRING_BASE, get_vring_base, STATE, 0, 0),
    RULE(SET_VRING_KICK, set_vring_kick, U64, 0, 1),
    RULE(SET_VRING_CALL, set_vring_call, U64, 0, 1),
    RULE(SET_VRING_ERR, set_vring_err, U64, 0, 1),
    RULE(GET_PROTOCOL_FEATURES, get_protocol_features, NONE, 0, 0),
    RULE(SET_PROTOCOL_FEATURES, set_protocol_features, U64, 0, 0),
    RULE(GET_QUEUE_NUM, get_queue_num, NONE, 0, 0),
    RULE(SET_VRING_ENABLE, set_vring_enable, STATE, 0, 0),
    RULE(SEND_RARP, send_rarp, U64, 0, 0),
    RULE(NET_SET_MTU, net_set_mtu, U64, 0, 0),
    RULE(IOTLB_MSG, iotlb_msg, ANY, 0, 0),
    RULE(POSTCOPY_ADVISE, postcopy, ANY, 0, 0),
    RULE(POSTCOPY_LISTEN, postcopy, ANY, 0, 0),
    RULE(POSTCOPY_END, postcopy, ANY, 0, 0),
    RULE(GET_INFLIGHT_FD, get_inflight_fd, INFLIGHT, 0, 0),
    RULE(SET_INFLIGHT_FD, set_inflight_fd, INFLIGHT, 1, 1),
    RULE(RESET_DEVICE, reset_device, NONE, 0, 0),
    RULE(GET_MAX_MEM_SLOTS, get_max_mem_slots, NONE, 0, 0),
    RULE(ADD_MEM_REG, add_mem_reg, REGION, 1, 1),
    /* Some front ends pass the region's descriptor; it is not used. */
    RULE(REM_MEM_REG, rem_mem_reg, REGION, 0, 1),
    RULE(SET_STATUS, set_status, U64, 0, 0),
    RULE(GET_STATUS, get_status, NONE, 0, 0),
};

static_assert(sizeof(rules) / sizeof(rules[0]) == VHOST_USER_N,
    "a row for the last request");

static const struct rule *find_rule(uint32_t request)
{
	if (request >= VHOST_USER_N || !rules[request].handle)
		return NULL;
	return &rules[request];
}

const char *vhost_message_name(const struct vhost_message *m)
{
	const struct rule *rule = find_rule(m->header.request);
	static char unknown[24];

	if (rule)
		return rule->name;
	snprintf(unknown, sizeof(unknown), "request %u", m->header.request);
	return unknown;
}

enum vhost_outcome vhost_message_handle(
    struct vhost_port *p, struct vhost_message *m)
{
	const struct vhost_header *h = &m->header;
	const struct rule *rule = find_rule(h->request);

	if ((h->flags & VHOST_VERSION_MASK) != VHOST_VERSION ||
	    h->flags & VHOST_FLAG_REPLY)
		return vhost_close(p, "msg_flags", "%s has flags %#x",
		    vhost_message_name(m), h->flags);
	if (!rule)
		return vhost_refuse(
		    p, "%s is not supported", vhost_message_name(m));
	if (h->size < rule->size_min || h->size > rule->size_max)
		return vhost_close(p, "msg_size",
		    "%s has a payload of %u bytes", rule->name, h->size);
	if (m->n_fds < rule->fds_min || m->n_fds > rule->fds_max)
		return vhost_close(p, "msg_fds", "%s comes with %u descriptors",
		    rule->name, m->n_fds);
	return rule->handle(p, m);
}

int vhost_message_take_fd(struct vhost_message *m, unsigned i)
{
	int fd = m->fd[i];

	m->fd[i] = -1;
	return fd;
}

void vhost_message_close_fds(struct vhost_message *m)
{
	for (unsigned i = 0; i < m->n_fds; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	m->n_fds = 0;
}
