/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null.c - the port that swallows, counts, and can generate.
 *
 * The smallest driver, and the template of the others.  With `generate PPS`
 * it has one receive queue that yields owned frames from packet memory at
 * that rate, its own address as their source.  Between frames that are far
 * apart the worker may sleep: a timer wakes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ports/null.h"
#include "switch/base/clock.h"
#include "switch/base/eth.h"

enum { SIZE_DEFAULT = 60, ETHERTYPE_TEST = 0x88b5 /* IEEE 802, local use */ };

struct null_port {
	struct port port;
	uint64_t dst, src;
	uint32_t size;	   /* bytes of a generated frame */
	uint64_t interval; /* cycles between two of them; 0: none wanted */
	uint64_t due;	   /* when the next one is, worker only */
	int timer_fd;
};

static unsigned null_rx(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	struct null_port *p = (struct null_port *)port;

	(void)q;
	/* A worker that was late does not catch up beyond one batch. */
	if (w->now - p->due > p->interval * BATCH_MAX && w->now > p->due)
		p->due = w->now - p->interval * BATCH_MAX;
	while (b->n < BATCH_MAX && (int64_t)(w->now - p->due) >= 0) {
		int64_t slot = pool_get(w->pool);
		uint8_t *head;

		if (slot < 0)
			break;
		head =
		    pool_data(w->pool->pool, (uint32_t)slot) + FRAME_HEADROOM;
		memset(head, 0, p->size);
		eth_mac_put(head, p->dst);
		eth_mac_put(head + ETH_ADDR_LEN, p->src);
		eth_put_be16(head + 2 * ETH_ADDR_LEN, ETHERTYPE_TEST);
		b->f[b->n++] = (struct frame){
		    .head = head,
		    .head_len = (uint16_t)p->size,
		    .len = p->size,
		    .flags = FRAME_OWNED,
		};
		p->due += p->interval;
	}
	return b->n;
}

static void null_tx(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	(void)port;
	(void)q;
	for (unsigned i = 0; i < n; i++) {
		w->counters->tx_packets++;
		w->counters->tx_bytes += f[i]->len;
		if (f[i]->flags & FRAME_OWNED && f[i]->n_left == 1) {
			pool_put_frame(w->pool, f[i]);
			f[i]->flags |= FRAME_TAKEN;
		}
	}
}

static bool null_arm(struct port *port, unsigned q)
{
	struct null_port *p = (struct null_port *)port;
	int64_t cycles = (int64_t)(p->due - clock_cycles());
	uint64_t us;

	(void)q;
	if (cycles <= 0)
		return false;
	us = (uint64_t)cycles / clock_cycles_per_us();
	struct itimerspec at = {
	    .it_value = {.tv_sec = (time_t)(us / 1000000),
		.tv_nsec = (long)(us % 1000000) * 1000 + 1}};
	return !timerfd_settime(p->timer_fd, 0, &at, NULL);
}

static int null_wake_fd(struct port *port, unsigned q)
{
	(void)q;
	return ((struct null_port *)port)->timer_fd;
}

static uint64_t parse_mac(const char *text, uint64_t otherwise)
{
	unsigned b[ETH_ADDR_LEN];
	uint64_t mac = 0;

	if (!text || sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2],
			 &b[3], &b[4], &b[5]) != ETH_ADDR_LEN)
		return otherwise;
	for (int i = 0; i < ETH_ADDR_LEN; i++)
		mac = mac << 8 | (b[i] & 0xff);
	return mac;
}

/* Takes over what @params says; no queue is live. */
static int configure(
    struct null_port *p, struct json_object *params, struct err *e)
{
	int64_t pps = port_param_int(params, "generate", -1);
	int64_t size = port_param_int(params, "size", p->size);

	if (size < ETH_HDR_LEN || size > POOL_FRAME_SIZE - FRAME_HEADROOM)
		return err_set(e, -EINVAL,
		    "size %" PRId64 " is not between %d and %d", size,
		    ETH_HDR_LEN, POOL_FRAME_SIZE - FRAME_HEADROOM);
	p->size = (uint32_t)size;
	p->dst = parse_mac(port_param_str(params, "dst", NULL), p->dst);
	p->src = parse_mac(port_param_str(params, "src", NULL), p->src);
	if (pps >= 0)
		p->interval =
		    pps ? clock_cycles_per_us() * 1000000u / (uint64_t)pps : 0;
	p->due = clock_cycles();
	return 0;
}

static int null_set(
    struct port *port, struct json_object *params, struct err *e)
{
	struct null_port *p = (struct null_port *)port;
	int rc;

	port->rx_live = 0;
	port->env->changed(port);
	rc = configure(p, params, e);
	port->rx_live = p->interval > 0;
	port->env->changed(port);
	return rc;
}

static void null_close(struct port *port)
{
	struct null_port *p = (struct null_port *)port;

	close(p->timer_fd);
	free(p);
}

/* A locally administered address that stays the same for a name. */
static uint64_t mac_of_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3ull;
	return 0x020000000000ull | (hash & 0xffffffffffull);
}

static int null_open(struct port **port, const struct port_env *env,
    const char *name, struct json_object *params, struct err *e)
{
	struct null_port *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return err_set(e, -ENOMEM, "no memory for port %s", name);
	p->dst = ETH_MAC_BROADCAST;
	p->src = mac_of_name(name);
	p->size = SIZE_DEFAULT;
	rc = configure(p, params, e);
	if (rc)
		goto free_port;
	p->timer_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (p->timer_fd < 0) {
		rc = err_set(e, -errno, "timerfd_create: %m");
		goto free_port;
	}
	p->port.ops = &null_port_ops;
	p->port.env = env;
	p->port.state = PORT_UP;
	p->port.mac = p->src;
	p->port.tx_live = 1;
	p->port.rx_live = p->interval > 0;
	*port = &p->port;
	return 0;

free_port:
	free(p);
	return rc;
}

const struct port_ops null_port_ops = {
    .type = "null",
    .open = null_open,
    .close = null_close,
    .set = null_set,
    .rx = null_rx,
    .rx_done = port_rx_done_owned,
    .tx = null_tx,
    .arm = null_arm,
    .disarm = port_disarm_none,
    .wake_fd = null_wake_fd,
};
