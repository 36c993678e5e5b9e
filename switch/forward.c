/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forward.c - one batch through the bridge, from receive queue to egress.
 *
 * The stages hand each other arrays that run in parallel over the frames that
 * are still on their way; a frame that is refused is counted where that is
 * decided and left out from there on.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "switch/base/clock.h"
#include "switch/forwarder.h"
#include "switch/vlan.h"

static enum drop_reason admit_frame(
    const struct snapshot_port *from, struct frame *f)
{
	uint64_t src = eth_mac(f->head + ETH_ADDR_LEN);

	if (eth_mac_is_group(src))
		return DROP_SOURCE_MAC_IS_MULTICAST;
	if (!src)
		return DROP_RX_MALFORMED;
	if (eth_mac_is_reserved(eth_mac(f->head)))
		return DROP_RESERVED_ADDRESS;
	f->tci = 0;
	return from->vlan_aware ? vlan_classify(from, f) : DROP_NONE;
}

static void admit(struct forwarder *fw, const struct passage *p)
{
	struct batch *b = &fw->batch;

	fw->n = 0;
	for (unsigned i = 0; i < b->n; i++) {
		struct frame *f = &b->f[i];
		enum drop_reason why;

		p->rx->rx_packets++;
		p->rx->rx_bytes += f->len;
		why = admit_frame(p->from, f);
		if (why == DROP_NONE)
			fw->f[fw->n++] = f;
		else
			p->rx->drops[why]++;
	}
}

static void police_slow(struct forwarder *fw, const struct passage *p)
{
	uint32_t len[BATCH_MAX];
	unsigned pass;

	for (unsigned i = 0; i < fw->n; i++)
		len[i] = fw->f[i]->len;
	pass = rate_take(p->from->rate_in, len, fw->n, p->now);
	p->rx->drops[DROP_POLICED] += fw->n - pass;
	fw->n = pass;
}

/* Keeps the frames whose verdict lets them pass, in order. */
static void sift_slow(struct forwarder *fw, const struct passage *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fw->n; i++) {
		if (fw->verdict[i] == FDB_PASS) {
			fw->f[n] = fw->f[i];
			fw->dst[n++] = fw->dst[i];
		} else if (fw->verdict[i] == FDB_DROP_MAC_LIMIT) {
			p->rx->drops[DROP_MAC_LIMIT]++;
		} else {
			p->rx->drops[DROP_LOCKED]++;
		}
	}
	fw->n = n;
}

static void learn_and_look_up(struct forwarder *fw, const struct passage *p)
{
	struct fdb *fdb = p->from->bridge->fdb;
	unsigned refused = 0;

	for (unsigned i = 0; i < fw->n; i++) {
		const struct frame *f = fw->f[i];
		uint16_t net = f->tci & ETH_VID_MASK;

		fw->src[i] = fdb_key(net, eth_mac(f->head + ETH_ADDR_LEN));
		fw->dst[i] = fdb_key(net, eth_mac(f->head));
	}
	fdb_learn_batch(
	    fdb, fw->src, fw->n, p->no, p->from->rules, p->now_s, fw->verdict);
	for (unsigned i = 0; i < fw->n; i++)
		refused |= fw->verdict[i];
	if (refused != FDB_PASS)
		sift_slow(fw, p);
	fdb_lookup_batch(fdb, fw->dst, fw->to, fw->n, p->now_s);
}

static void append(struct forwarder *fw, port_no to, unsigned i)
{
	struct egress *eg = &fw->egress[to];

	if (!eg->n)
		fw->touched[fw->n_touched++] = to;
	eg->index[eg->n++] = (uint8_t)i;
}

static bool is_member(const struct snapshot_port *sp, const struct frame *f)
{
	return !sp->vlan_aware ||
	       vlan_set_has(sp->vlans, f->tci & ETH_VID_MASK);
}

/* The kernel bridge's rule: each kind of flood has its own switch. */
static bool wants_flood(const struct snapshot_port *sp, uint64_t mac)
{
	if (!eth_mac_is_group(mac))
		return sp->flood;
	return mac == ETH_MAC_BROADCAST ? sp->bcast_flood : sp->mcast_flood;
}

static void route_flood(
    struct forwarder *fw, const struct passage *p, unsigned i)
{
	const struct snapshot_bridge *bridge = p->from->bridge;
	struct frame *f = fw->f[i];
	uint64_t mac = eth_mac(f->head);

	f->n_left = 0;
	for (unsigned k = 0; k < bridge->n_ports; k++) {
		port_no to = bridge->port[k];
		const struct snapshot_port *sp = &p->snap->port[to];

		if (to == p->no || !sp->up || !wants_flood(sp, mac) ||
		    (sp->isolated && p->from->isolated) || !is_member(sp, f))
			continue;
		append(fw, to, i);
		f->n_left++;
	}
	if (f->n_left)
		p->rx->flooded += f->n_left - 1u;
	else
		p->rx->drops[DROP_PORT_LIST_IS_EMPTY]++;
}

static void route_unicast(
    struct forwarder *fw, const struct passage *p, unsigned i, port_no to)
{
	const struct snapshot_port *sp = &p->snap->port[to];

	if (to == p->no) {
		p->rx->drops[DROP_PORT_LOOPBACK_FILTER]++;
	} else if (sp->isolated && p->from->isolated) {
		p->rx->drops[DROP_ISOLATED]++;
	} else if (!is_member(sp, fw->f[i])) {
		p->rx->drops[DROP_PORT_LIST_IS_EMPTY]++;
	} else {
		fw->f[i]->n_left = 1;
		append(fw, to, i);
	}
}

static void sort_by_egress(struct forwarder *fw, const struct passage *p)
{
	for (unsigned i = 0; i < fw->n; i++) {
		port_no to = fw->to[i];

		/* An entry may outlive its port by a moment. */
		if (to < p->snap->n_ports && p->snap->port[to].port)
			route_unicast(fw, p, i, to);
		else
			route_flood(fw, p, i);
	}
}

static void forward_batch(struct forwarder *fw, const struct passage *p)
{
	admit(fw, p);
	if (p->from->rate_in)
		police_slow(fw, p);
	learn_and_look_up(fw, p);
	fw->n_touched = 0;
	if (fw->n_cuts) {
		memset(fw->cut_of, 0, sizeof(fw->cut_of));
		fw->n_cuts = 0;
	}
	sort_by_egress(fw, p);
	for (unsigned i = 0; i < fw->n_touched; i++)
		egress_send(fw, p, fw->touched[i]);
}

static unsigned rank_of(
    const struct snapshot *snap, const struct snapshot_port *from, unsigned q)
{
	return snap->worker[from->owner[q]].rank;
}

unsigned forward_poll(struct forwarder *fw, const struct snapshot *snap,
    port_no no, unsigned q, uint64_t now, uint32_t now_s)
{
	const struct snapshot_port *from = &snap->port[no];
	struct passage p = {.snap = snap,
	    .from = from,
	    .rx = fw->counters[no],
	    .no = no,
	    .queue = q,
	    .rank = rank_of(snap, from, q),
	    .now = now,
	    .now_s = now_s};
	struct port_worker w = {
	    .counters = p.rx, .bell = fw->bell, .pool = fw->pool, .now = now};
	unsigned work;

	fw->batch.n = fw->batch.n_segs = 0;
	work = from->port->ops->rx(from->port, q, &fw->batch, &w);
	if (!work)
		return 0;
	if (fw->batch.n)
		forward_batch(fw, &p);
	from->port->ops->rx_done(from->port, q, &fw->batch, &w);
	return work;
}

void forward_inject(struct forwarder *fw, const struct snapshot *snap,
    port_no no, uint8_t *head, uint16_t len, uint32_t now_s)
{
	const struct passage p = {.snap = snap,
	    .from = &snap->port[no],
	    .rx = fw->counters[no],
	    .no = no,
	    .rank = rank_of(snap, &snap->port[no], 0),
	    .now = clock_cycles(),
	    .now_s = now_s};

	fw->batch.n_segs = 0;
	fw->batch.f[0] =
	    (struct frame){.head = head, .head_len = len, .len = len};
	fw->batch.n = 1;
	forward_batch(fw, &p);
}

int forwarder_open(struct forwarder **fw, struct counters *const counters[],
    struct doorbell *bell, struct pool_cache *pool, struct err *e)
{
	/* Fresh pages are zero and cost nothing until a port uses its part. */
	struct forwarder *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (w == MAP_FAILED)
		return err_set(e, -ENOMEM, "no memory for a worker");
	w->counters = counters;
	w->bell = bell;
	w->pool = pool;
	*fw = w;
	return 0;
}

void forwarder_close(struct forwarder *fw)
{
	if (fw)
		munmap(fw, sizeof(*fw));
}
