/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_forward.c - any frames into any of six ports of a bridge.
 *
 * The input is how the ports are set and then frames, each as what is different
 * in a sound one, in batches.  The ports note what they are given: every frame
 * is sent or dropped by name, none comes back to where it came from or to an
 * isolated port from another, and on a bridge with VLANs it is in its VLAN
 * as its last bytes say it, with all else as it was.
 */
#include <assert.h>
#include <stdlib.h>

#include "ports/peer/plain.h"
#include "switch/base/clock.h"
#include "switch/forward.h"
#include "switch/vlan.h"
#include "tests/fuzz/sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { N_PORTS = 6, FRAME_MAX = 400, ADDRS = 2 * ETH_ADDR_LEN };

/* How a port is set. */
struct port_record {
	uint8_t how; /* enum port_how */
	uint8_t accepts, trunk;
	uint8_t vid; /* untagged, 0: none */
	uint8_t max_len;
};

enum port_how {
	PORT_SILENT = 1 << 0, /* no flood of what is unknown */
	PORT_NO_GROUPS = 1 << 1,
	PORT_ISOLATED = 1 << 2,
	PORT_LOCKED = 1 << 3,
	PORT_IS_DOWN = 1 << 4,
	PORT_LIMITED = 1 << 5, /* addresses, and rates both ways */
	PORT_WIRE = 1 << 6,
	PORT_LATER = 1 << 7, /* what it sends ends later, under a lock */
};

struct frame_record {
	uint8_t port;
	uint8_t how; /* enum frame_how */
	uint8_t dst, src;
	uint8_t tci[2], len, n_spoilt;
};

enum frame_how {
	FRAME_SOUND = 3, /* of sound.h */
	FRAME_TAG = 1 << 2,
	FRAME_TAG_INNER = 1 << 3,
	FRAME_CSUM = 1 << 4, /* left undone, and ... */
	FRAME_GSO = 1 << 5,
	FRAME_INJECTED = 1 << 6,
	FRAME_LAST = 1 << 7, /* of its batch */
};

/* A frame that waits in a port, and as it was. */
struct given {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
	uint8_t *rest;
	bool undone;
	struct offload offload;
};

static struct given given[BATCH_MAX];
static unsigned n_given;
static port_no from; /* the port that they are in */

static struct port ports[N_PORTS];
static struct snapshot_port pictures[N_PORTS];
static struct vlan_set vlans[N_PORTS];
static pthread_spinlock_t locks[N_PORTS];
static struct counters counters[N_PORTS], *counted[N_PORTS];
static struct rate *rates[2 * N_PORTS];
static struct snapshot snap = {.n_ports = N_PORTS, .port = pictures};
static struct snapshot_bridge *bridge;
static struct forwarder *fw;
static uint64_t n_put_out;
static bool is_plain; /* nobody merges, cuts or completes */

static unsigned give(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	(void)q;
	(void)w;
	assert(port == &ports[from]);
	for (unsigned i = 0; i < n_given; i++) {
		struct given *g = &given[i];
		struct frame *f = &b->f[b->n];
		uint32_t head = g->len < FRAME_HEAD_MAX ? g->len : 64;

		if (g->undone)
			head =
			    g->len < FRAME_HEAD_MAX ? g->len : FRAME_HEAD_MAX;
		plain_describe(b, f, g->len, head);
		memcpy(f->head, g->bytes, head);
		f->offload = g->offload;
		if (g->len > head) {
			g->rest = malloc(g->len - head);
			memcpy(g->rest, g->bytes + head, g->len - head);
			f->segs[f->n_segs++] =
			    (struct frame_seg){g->rest, g->len - head};
			b->n_segs++;
		}
		b->n++;
	}
	return n_given;
}

static void take_back(
    struct port *port, unsigned q, struct batch *b, struct port_worker *w)
{
	(void)port;
	(void)q;
	(void)b;
	(void)w;
	for (unsigned i = 0; i < n_given; i++)
		free(given[i].rest);
}

static void flatten(const struct frame *f, uint8_t *all)
{
	uint32_t n = f->head_len;

	memcpy(all, f->head, n);
	for (unsigned i = 0; i < f->n_segs; i++) {
		memcpy(all + n, f->segs[i].data, f->segs[i].len);
		n += f->segs[i].len;
	}
	assert(n == f->len);
}

/* Whether @g leaves by @to as all[0..len): the tag is the only
 * difference, and the right one. */
static bool is_in_vlan(const struct given *g, const struct snapshot_port *to,
    const uint8_t *all, uint32_t len)
{
	bool was = eth_be16(g->bytes + ADDRS) == ETH_TYPE_VLAN;
	uint16_t tci = was ? eth_be16(g->bytes + ADDRS + 2) : 0;
	uint32_t before = ADDRS + (was ? ETH_VLAN_LEN : 0), after = ADDRS;
	unsigned vid = tci & ETH_VID_MASK;

	if (!vid)
		vid = pictures[from].untagged_vid;
	if (!vid || !vlan_set_has(to->vlans, vid))
		return false;
	if (vid != to->untagged_vid) {
		if (eth_be16(all + ADDRS) != ETH_TYPE_VLAN ||
		    eth_be16(all + ADDRS + 2) != ((tci & 0xf000) | vid))
			return false;
		after += ETH_VLAN_LEN;
	} else if (eth_type_is_vlan(eth_be16(all + ADDRS))) {
		return false;
	}
	return len - after == g->len - before &&
	       !memcmp(all + after, g->bytes + before, len - after);
}

static bool is_from(const struct given *g, const struct frame *f,
    const struct snapshot_port *to)
{
	uint8_t all[FRAME_MAX + ETH_VLAN_LEN];

	if (memcmp(f->head, g->bytes, ADDRS))
		return false;
	if (!is_plain)
		return true;
	assert(f->len <= sizeof(all) && !f->offload.bits);
	flatten(f, all);
	return to->vlan_aware
		   ? is_in_vlan(g, to, all, f->len)
		   : f->len == g->len && !memcmp(all, g->bytes, f->len);
}

static void check_frame(const struct frame *f, const struct snapshot_port *to)
{
	unsigned i = 0;

	while (i < n_given && !is_from(&given[i], f, to))
		i++;
	assert(i < n_given);
}

static void put_out(struct port *port, unsigned q, struct frame *const f[],
    unsigned n, struct port_worker *w)
{
	const struct snapshot_port *to = &pictures[port - ports];

	(void)q;
	assert(n <= BATCH_MAX && port != &ports[from] && to->up);
	assert(!(to->isolated && pictures[from].isolated));
	for (unsigned i = 0; i < n; i++) {
		assert(!(f[i]->offload.bits & ~(to->accepts | OFFLOAD_VALID)));
		check_frame(f[i], to);
	}
	w->counters->tx_packets += n;
	n_put_out += n;
}

static bool flush(struct port *port, unsigned q, struct port_worker *w)
{
	(void)port;
	(void)q;
	return w->now & 1;
}

static const struct port_ops ops = {
    .type = "fuzz", .rx = give, .rx_done = take_back, .tx = put_out};
static const struct port_ops later_ops = {.type = "later",
    .rx = give,
    .rx_done = take_back,
    .tx = put_out,
    .tx_flush = flush};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	bridge = calloc(1, sizeof(*bridge) + N_PORTS * sizeof(port_no));
	for (port_no no = 0; no < N_PORTS; no++) {
		bridge->port[bridge->n_ports++] = no;
		counted[no] = &counters[no];
		pthread_spin_init(&locks[no], PTHREAD_PROCESS_PRIVATE);
	}
	return forwarder_open(&fw, counted, NULL, NULL, NULL);
}

static void set_port(port_no no, const struct port_record *r, bool vlan_aware)
{
	const struct rate_config rate = {
	    .bits_per_second = 1000000, .burst_bytes = 1000};
	struct snapshot_port *sp = &pictures[no];
	bool limited = r->how & PORT_LIMITED;

	for (unsigned i = 0; limited && i < 2; i++)
		rates[2 * no + i] = rate_open(&rate);
	ports[no] =
	    (struct port){.ops = r->how & PORT_LATER ? &later_ops : &ops};
	memset(&vlans[no], 0, sizeof(vlans[no]));
	vlans[no].word[0] = r->trunk & ~1u;
	if (r->vid)
		vlans[no].word[r->vid / 64] |= 1ull << r->vid % 64;
	*sp = (struct snapshot_port){.port = &ports[no],
	    .bridge = bridge,
	    .up = !(r->how & PORT_IS_DOWN),
	    .flood = !(r->how & PORT_SILENT),
	    .mcast_flood = !(r->how & PORT_NO_GROUPS),
	    .bcast_flood = !(r->how & PORT_NO_GROUPS),
	    .isolated = r->how & PORT_ISOLATED,
	    .vlan_aware = vlan_aware,
	    .is_trunk = r->trunk,
	    .from_wire = r->how & PORT_WIRE,
	    .accepts = r->accepts,
	    .untagged_vid = r->vid,
	    .max_len = r->max_len ? 60u + r->max_len : 1514,
	    .rules = {.learning = true,
		.locked = r->how & PORT_LOCKED,
		.mac_limit = limited},
	    .vlans = &vlans[no],
	    .rate_in = limited ? rates[2 * no] : NULL,
	    .rate_out = limited ? rates[2 * no + 1] : NULL,
	    .n_tx = 1,
	    .tx_shared = r->how & PORT_LATER ? 1 : 0,
	    .tx_lock = &locks[no]};
	memset(sp->owner, -1, sizeof(sp->owner));
	sp->owner[0] = 0;
}

/* Few, so that they meet, and each kind. */
static uint64_t address(uint8_t of)
{
	static const uint64_t special[] = {0, ETH_MAC_BROADCAST, 0x0180c2000003,
	    0x01005e000001, 0x333300000001};

	if (of >= 0xf8 && of - 0xf8 < 5)
		return special[of - 0xf8];
	return 0x020000000000 | of;
}

static void write_addresses(uint8_t *p, const struct frame_record *r)
{
	eth_mac_put(p, address(r->dst));
	eth_mac_put(p + ETH_ADDR_LEN, address(r->src));
}

/* Tags in front of what follows the addresses. */
static void add_tags(struct given *g, const struct frame_record *r)
{
	for (int i = 1; i >= 0; i--) {
		if (!(r->how & (i ? FRAME_TAG_INNER : FRAME_TAG)))
			continue;
		memmove(g->bytes + ADDRS + ETH_VLAN_LEN, g->bytes + ADDRS,
		    g->len - ADDRS);
		g->len += ETH_VLAN_LEN;
		eth_put_be16(g->bytes + ADDRS,
		    i && r->tci[0] & 1 ? ETH_TYPE_QINQ : ETH_TYPE_VLAN);
		eth_put_be16(g->bytes + ADDRS + 2,
		    (uint16_t)((r->tci[i] & 0xe0) << 8 | (r->tci[i] & 31)));
	}
}

/* As a guest with every offload leaves it. */
static void leave_undone(struct given *g, const struct frame_record *r)
{
	unsigned kind = r->how & FRAME_SOUND;
	uint32_t tags = g->len - (SOUND_MIN + r->len);
	struct offload o = {.bits = OFFLOAD_CSUM,
	    .csum_start = (uint16_t)(sound_l4(kind) + tags),
	    .csum_offset = kind & SOUND_TCP ? TCP_CSUM : UDP_CSUM};
	struct virtio_net_hdr hdr;

	if (r->how & FRAME_GSO) {
		o.gso_size = 16;
		o.bits |= !(kind & SOUND_TCP) ? OFFLOAD_USO
			  : kind & SOUND_IP4  ? OFFLOAD_TSO4
					      : OFFLOAD_TSO6;
	}
	offload_to_hdr(&o, &hdr);
	g->undone = offload_parse(&g->offload, &hdr, g->bytes,
			g->len < FRAME_HEAD_MAX ? g->len : FRAME_HEAD_MAX,
			g->len, 0xff) == DROP_NONE;
}

static void add_frame(
    const struct frame_record *r, const uint8_t *spoilt, size_t n)
{
	struct given *g = &given[n_given];

	memset(g, 0, sizeof(*g));
	g->len = SOUND_MIN + r->len;
	sound_frame(g->bytes, g->len, r->how & FRAME_SOUND);
	for (size_t i = 0; i < n && ADDRS + i < g->len; i++)
		g->bytes[ADDRS + i] ^= spoilt[i];
	g->bytes[g->len - 1] = (uint8_t)n_given; /* unlike the others */
	write_addresses(g->bytes, r);
	add_tags(g, r);
	if (!is_plain && r->how & (FRAME_CSUM | FRAME_GSO))
		leave_undone(g, r);
	if (!g->undone && !r->n_spoilt && r->len & 1)
		g->len = FRAME_LEN_MIN + (r->len >> 1) % 5;
	n_given++;
}

static uint64_t sum(size_t offset)
{
	uint64_t n = 0;

	for (port_no no = 0; no < N_PORTS; no++)
		n += *(uint64_t *)((char *)&counters[no] + offset);
	return n;
}

#define SUM(member) sum(offsetof(struct counters, member))

/* Every copy of every frame went out or was dropped, once. */
static void check_counters(void)
{
	uint64_t dropped = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		dropped += SUM(drops[i]);
	assert(SUM(tx_packets) == n_put_out);
	assert(n_put_out + dropped == SUM(rx_packets) + SUM(flooded) +
					  SUM(tx_segments) - SUM(tx_merged));
}

static void forward(const struct frame_record *last, uint32_t now)
{
	uint8_t room[FRAME_HEADROOM + FRAME_MAX];

	if (last->how & FRAME_INJECTED) {
		given[0] = given[n_given - 1];
		n_given = 1;
		memset(&given[0].offload, 0, sizeof(given[0].offload));
		memcpy(room + FRAME_HEADROOM, given[0].bytes, given[0].len);
		forward_inject(fw, &snap, from, room + FRAME_HEADROOM,
		    (uint16_t)given[0].len, now);
	} else {
		forward_poll(fw, &snap, from, 0, now, now);
	}
	n_given = 0;
	check_counters();
	forward_flush(fw, &snap, now);
}

static void run(const uint8_t *data, size_t size)
{
	struct frame_record r = {0};
	uint32_t now = 0;

	while (size >= sizeof(r)) {
		memcpy(&r, data, sizeof(r));
		data += sizeof(r);
		size -= sizeof(r);
		if (r.n_spoilt > size)
			r.n_spoilt = (uint8_t)size;
		if (!n_given)
			from = r.port % N_PORTS;
		add_frame(&r, data, r.n_spoilt);
		data += r.n_spoilt;
		size -= r.n_spoilt;
		if (r.how & FRAME_LAST || n_given == BATCH_MAX)
			forward(&r, now++);
	}
	if (n_given)
		forward(&r, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct port_record r[N_PORTS];

	if (size < 1 + sizeof(r))
		return 0;
	memcpy(r, data + 1, sizeof(r));
	bridge->fdb = fdb_open(64, NULL);
	memset(counters, 0, sizeof(counters));
	n_put_out = 0;
	is_plain = data[0] & 2;
	for (port_no no = 0; no < N_PORTS; no++) {
		if (is_plain)
			r[no].accepts = 0;
		set_port(no, &r[no], data[0] & 1);
	}
	forward_adopt(fw, &snap, 0);
	run(data + 1 + sizeof(r), size - 1 - sizeof(r));
	fdb_close(bridge->fdb);
	for (unsigned i = 0; i < 2 * N_PORTS; i++) {
		rate_close(rates[i]);
		rates[i] = NULL;
	}
	return 0;
}
