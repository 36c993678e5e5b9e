/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forward.c - one batch through the bridge, from receive queue to egress.
 *
 * What follows each other with the same addresses and network is a run: it is
 * admitted, learned, looked up and routed once.  The stages hand each other
 * arrays that run in parallel over the runs; frames that are refused are
 * counted where that is decided and left out from there on.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "switch/base/clock.h"
#include "switch/forwarder.h"
#include "switch/vlan.h"

static enum drop_reason judge_addresses(uint64_t src, uint64_t dst)
{
	if (eth_mac_is_group(src))
		return DROP_SOURCE_MAC_IS_MULTICAST;
	if (!src)
		return DROP_RX_MALFORMED;
	if (eth_mac_is_reserved(dst))
		return DROP_RESERVED_ADDRESS;
	return DROP_NONE;
}

static inline bool starts_run(
    const struct forwarder *fw, uint64_t src, uint64_t dst)
{
	unsigned r = fw->n_runs;

	return !r || fw->src[r - 1] != src || fw->dst[r - 1] != dst;
}

/* fw->f[fw->n] is the first frame of a run. */
static inline void start_run(struct forwarder *fw, uint64_t src, uint64_t dst)
{
	unsigned r = fw->n_runs++;

	fw->src[r] = src;
	fw->dst[r] = dst;
	fw->first[r] = (uint8_t)fw->n;
}

/* What follows a frame with the same addresses is admitted as that was; on a
 * bridge with VLANs each frame has to be classified. */
static inline void admit(
    struct forwarder *fw, const struct passage *p, bool vlan_aware)
{
	struct batch *b = &fw->batch;
	uint64_t bytes = 0;

	fw->n = fw->n_runs = 0;
	for (unsigned i = 0; i < b->n; i++) {
		struct frame *f = &b->f[i];
		uint64_t src = eth_mac(f->head + ETH_ADDR_LEN);
		uint64_t dst = eth_mac(f->head);

		bytes += f->len;
		if (vlan_aware || starts_run(fw, src, dst)) {
			enum drop_reason why = judge_addresses(src, dst);

			if (vlan_aware && why == DROP_NONE)
				why = vlan_classify(p->from, f);
			if (why != DROP_NONE) {
				p->rx->drops[why]++;
				continue;
			}
			if (vlan_aware) {
				src = fdb_key(f->tci, src);
				dst = fdb_key(f->tci, dst);
			}
			if (!vlan_aware || starts_run(fw, src, dst))
				start_run(fw, src, dst);
		}
		f->n_left = 1;
		fw->f[fw->n++] = f;
	}
	fw->first[fw->n_runs] = (uint8_t)fw->n;
	p->rx->rx_packets += b->n;
	p->rx->rx_bytes += bytes;
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
	while (fw->n_runs && fw->first[fw->n_runs - 1] >= pass)
		fw->n_runs--;
	fw->first[fw->n_runs] = (uint8_t)pass;
}

static void learn_and_look_up(struct forwarder *fw, const struct passage *p)
{
	fdb_learn_and_lookup(p->from->bridge->fdb, fw->src, fw->dst, fw->n_runs,
	    p->no, p->from->rules, p->now_s, fw->verdict, fw->to);
}

/* Adds frames [first, end) to those that leave by port @to. */
static inline void append(
    struct forwarder *fw, port_no to, unsigned first, unsigned end)
{
	struct egress *eg = &fw->egress[to];

	if (!eg->n_spans)
		fw->touched[fw->n_touched++] = to;
	else if (eg->span[eg->n_spans - 1].end == first) {
		eg->span[eg->n_spans - 1].end = (uint8_t)end;
		return;
	}
	eg->span[eg->n_spans++] = (struct span){(uint8_t)first, (uint8_t)end};
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

/* How many ports run @r is for. */
static uint16_t flood_run(
    struct forwarder *fw, const struct passage *p, unsigned r)
{
	const struct snapshot_bridge *bridge = p->from->bridge;
	const struct frame *f = fw->f[fw->first[r]];
	uint64_t mac = fdb_key_mac(fw->dst[r]);
	uint16_t n = 0;

	for (unsigned k = 0; k < bridge->n_ports; k++) {
		port_no to = bridge->port[k];
		const struct snapshot_port *sp = &p->snap->port[to];

		if (to == p->no || !sp->up || !wants_flood(sp, mac) ||
		    (sp->isolated && p->from->isolated) || !is_member(sp, f))
			continue;
		append(fw, to, fw->first[r], fw->first[r + 1]);
		n++;
	}
	return n;
}

static void route_flood(
    struct forwarder *fw, const struct passage *p, unsigned r)
{
	unsigned n = fw->first[r + 1] - (unsigned)fw->first[r];
	uint16_t n_ports = flood_run(fw, p, r);

	fw->floods = true;
	for (unsigned i = fw->first[r]; i < fw->first[r + 1]; i++)
		fw->f[i]->n_left = n_ports;
	if (n_ports)
		p->rx->flooded += n * (n_ports - 1u);
	else
		p->rx->drops[DROP_PORT_LIST_IS_EMPTY] += n;
}

static inline enum drop_reason judge_route(const struct snapshot_port *from,
    const struct snapshot_port *to, const struct frame *f)
{
	if (to == from)
		return DROP_PORT_LOOPBACK_FILTER;
	if (to->isolated && from->isolated)
		return DROP_ISOLATED;
	return is_member(to, f) ? DROP_NONE : DROP_PORT_LIST_IS_EMPTY;
}

/* Frames [first, end), which go to port @to. */
static inline void route_unicast(struct forwarder *fw, const struct passage *p,
    unsigned first, unsigned end, port_no to)
{
	enum drop_reason why =
	    judge_route(p->from, &p->snap->port[to], fw->f[first]);

	if (why == DROP_NONE)
		append(fw, to, first, end);
	else
		p->rx->drops[why] += end - first;
}

static void refuse_run(
    struct forwarder *fw, const struct passage *p, unsigned r)
{
	enum drop_reason why =
	    fw->verdict[r] == FDB_DROP_MAC_LIMIT ? DROP_MAC_LIMIT : DROP_LOCKED;

	p->rx->drops[why] += fw->first[r + 1] - (unsigned)fw->first[r];
}

/* The first run after @r that goes elsewhere, or of a VLAN that may. */
static inline unsigned skip_alike(
    const struct forwarder *fw, const struct passage *p, unsigned r)
{
	port_no to = fw->to[r++];

	while (r < fw->n_runs && fw->to[r] == to && !p->from->vlan_aware &&
	       fw->verdict[r] == FDB_PASS)
		r++;
	return r;
}

static void sort_by_egress(struct forwarder *fw, const struct passage *p)
{
	unsigned next;

	for (unsigned r = 0; r < fw->n_runs; r = next) {
		port_no to = fw->to[r];

		next = r + 1;
		if (fw->verdict[r] != FDB_PASS) {
			refuse_run(fw, p, r);
			/* An entry may outlive its port by a moment. */
		} else if (to < p->snap->n_ports && p->snap->port[to].port) {
			next = skip_alike(fw, p, r);
			route_unicast(fw, p, fw->first[r], fw->first[next], to);
		} else {
			route_flood(fw, p, r);
		}
	}
}

static void forward_batch(struct forwarder *fw, const struct passage *p)
{
	if (p->from->vlan_aware)
		admit(fw, p, true);
	else
		admit(fw, p, false);
	if (p->from->rate_in)
		police_slow(fw, p);
	learn_and_look_up(fw, p);
	fw->n_touched = 0;
	fw->floods = false;
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
