/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * card.c - a light guest: how it comes up.
 *
 * Rings and buffers are cut from one piece of memory in the order of use.
 * Buffers are an odd number of cache lines apart, since at a distance of a
 * power of two all headers would share a few sets of the cache.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "bench/parts/card.h"

#define BIT(n) (UINT64_C(1) << (n))

enum {
	LINE = 64,
	PAGE = 4096,
	HUGE_PAGE = 2 << 20,
	BASE_PACKED = 0x8000, /* index 0, wrap counter 1 */
};

static const uint64_t gpa_first = UINT64_C(0x40000000);
static const uint64_t uva_first = UINT64_C(0x600000000000);

void card_die(const char *format, ...)
{
	va_list ap;

	fputs("light: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static uint32_t stride_of(const struct card_config *c)
{
	return (uint32_t)(round_up(CARD_HDR_LEN + c->rx_max, LINE) / LINE | 1) *
	       LINE;
}

/* What one ring takes of memory, at most. */
static uint64_t ring_bytes(const struct card_config *c)
{
	uint64_t n = c->ring_size;

	return round_up(16 * n, PAGE) + round_up(6 + 2 * n, PAGE) +
	       round_up(6 + 8 * n, PAGE) + round_up(n * stride_of(c), PAGE);
}

/* Maps @size bytes that a switch can map as well; @flags of memfd_create. */
static int region_map(struct guest_region *r, unsigned flags)
{
	r->fd = memfd_create("light", MFD_CLOEXEC | flags);
	if (r->fd < 0)
		return -errno;
	r->map = MAP_FAILED;
	if (!ftruncate(r->fd, (off_t)r->size))
		r->map = mmap(NULL, r->size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, r->fd, 0);
	if (r->map != MAP_FAILED)
		return 0;
	close(r->fd);
	return -ENOMEM;
}

static void create_memory(struct card *c)
{
	struct guest_region *r = &c->mem.region[0];

	guest_memory_init(&c->mem);
	*r = (struct guest_region){
	    .gpa = gpa_first,
	    .uva = uva_first,
	    .size = round_up(
		2 * c->config.pairs * ring_bytes(&c->config), HUGE_PAGE),
	};
	r->map_size = r->size;
	c->huge = !c->config.small_pages && !region_map(r, MFD_HUGETLB);
	if (!c->huge && region_map(r, 0))
		card_die("there is no memory for a guest of %lu MiB",
		    (unsigned long)(r->size >> 20));
	r->base = r->map;
	c->mem.n = 1;
}

/* Cuts off @size bytes in whole pages. */
static void *cut(struct card *c, uint64_t size, uint64_t *gpa)
{
	uint64_t at = guest_memory_alloc(&c->mem, size, PAGE);

	if (!at)
		card_die("a guest's memory is too small for its rings");
	if (gpa)
		*gpa = at;
	return guest_memory_at(&c->mem, at, size);
}

static void create_parts(struct card *c, struct ring *r)
{
	uint64_t n = r->size;

	if (!r->is_packed) {
		r->split.desc = cut(c, 16 * n, NULL);
		r->split.avail = cut(c, 6 + 2 * n, NULL);
		r->split.used = cut(c, 6 + 8 * n, NULL);
		return;
	}
	r->packed.desc = cut(c, 16 * n, NULL);
	r->packed.driver = cut(c, sizeof(*r->packed.driver), NULL);
	r->packed.device = cut(c, sizeof(*r->packed.device), NULL);
	r->order = calloc(n, sizeof(*r->order));
	if (!r->order)
		card_die("out of memory");
}

static void create_ring(struct card *c, struct ring *r, bool receives)
{
	const struct card_config *config = &c->config;

	*r = (struct ring){
	    .is_packed = config->packed,
	    .in_order = config->in_order,
	    .event_idx = config->event_idx,
	    .receives = receives,
	    .size = config->ring_size,
	    .mask = config->ring_size - 1,
	    .shift = (uint32_t)__builtin_ctz(config->ring_size),
	    .offered =
		CARD_HDR_LEN + (receives ? config->rx_max : config->tx_len),
	    .stride = stride_of(config),
	    .kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	    .call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	if (r->kick_fd < 0 || r->call_fd < 0)
		card_die("no eventfd: %s", strerror(errno));
	create_parts(c, r);
	r->data = cut(c, (uint64_t)r->size * r->stride, &r->data_gpa);
	if (r->is_packed)
		packed_init(r);
	else
		split_init(r);
}

static uint64_t features_of(const struct card_config *c)
{
	return BIT(VIRTIO_F_VERSION_1) |
	       (c->packed ? BIT(VIRTIO_F_RING_PACKED) : 0) |
	       (c->in_order ? BIT(VIRTIO_F_IN_ORDER) : 0) |
	       (c->mergeable ? BIT(VIRTIO_NET_F_MRG_RXBUF) : 0) |
	       (c->event_idx ? BIT(VIRTIO_RING_F_EVENT_IDX) : 0) |
	       (c->pairs > 1 ? BIT(VIRTIO_NET_F_MQ) : 0);
}

/* Ends the program, saying which, if @feature was asked for in vain. */
static void expect_feature(
    const struct card *c, unsigned feature, const char *name)
{
	if ((features_of(&c->config) & BIT(feature)) &&
	    !frontend_has(&c->fe, feature))
		card_die("%s does not offer %s", c->socket, name);
}

static void negotiate(struct card *c)
{
	uint64_t protocol = BIT(VU_PROTOCOL_MQ) | BIT(VU_PROTOCOL_REPLY_ACK);
	int rc = frontend_connect(&c->fe, c->socket);

	if (rc)
		card_die(
		    "%s cannot be connected to: %s", c->socket, strerror(-rc));
	rc = frontend_negotiate(&c->fe, features_of(&c->config), protocol);
	if (rc)
		card_die("%s does not negotiate: %s", c->socket, strerror(-rc));
	expect_feature(c, VIRTIO_F_VERSION_1, "virtio 1");
	expect_feature(c, VIRTIO_F_RING_PACKED, "packed rings");
	expect_feature(c, VIRTIO_F_IN_ORDER, "in-order use");
	expect_feature(c, VIRTIO_NET_F_MRG_RXBUF, "mergeable buffers");
	expect_feature(c, VIRTIO_RING_F_EVENT_IDX, "event indices");
	if (c->fe.queue_pairs_max < c->config.pairs)
		card_die("%s has %lu queue pairs, not %u", c->socket,
		    (unsigned long)c->fe.queue_pairs_max, c->config.pairs);
}

static uint64_t uva_of(const struct card *c, const void *local)
{
	const struct guest_region *r = &c->mem.region[0];

	return r->uva + (uint64_t)((const uint8_t *)local - r->base);
}

static struct vu_addr addresses_of(const struct card *c, const struct ring *r)
{
	if (r->is_packed)
		return (struct vu_addr){
		    .desc = uva_of(c, r->packed.desc),
		    .avail = uva_of(c, r->packed.driver),
		    .used = uva_of(c, r->packed.device),
		};
	return (struct vu_addr){
	    .desc = uva_of(c, r->split.desc),
	    .avail = uva_of(c, r->split.avail),
	    .used = uva_of(c, r->split.used),
	};
}

static int announce_ring(struct card *c, unsigned index, const struct ring *r)
{
	struct vu_addr addr = addresses_of(c, r);
	uint32_t base = r->is_packed ? BASE_PACKED << 16 | BASE_PACKED : 0;
	struct frontend *fe = &c->fe;
	int rc;

	addr.index = index;
	rc = frontend_tell_state(fe, VU_SET_VRING_NUM, index, r->size);
	if (!rc)
		rc = frontend_tell_state(fe, VU_SET_VRING_BASE, index, base);
	if (!rc)
		rc = frontend_tell(
		    fe, VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
	if (!rc)
		rc = frontend_set_vring_fd(
		    fe, VU_SET_VRING_KICK, index, r->kick_fd);
	if (!rc)
		rc = frontend_set_vring_fd(
		    fe, VU_SET_VRING_CALL, index, r->call_fd);
	return rc;
}

static void start(struct card *c)
{
	int rc = frontend_set_mem_table(&c->fe, &c->mem);
	unsigned n = 2 * c->config.pairs;

	for (unsigned i = 0; i < n && !rc; i++)
		rc = announce_ring(c, i, i & 1 ? &c->tx[i / 2] : &c->rx[i / 2]);
	for (unsigned i = 0; i < n && !rc; i++)
		rc = frontend_tell_state(&c->fe, VU_SET_VRING_ENABLE, i, 1);
	if (!rc)
		rc = frontend_sync(&c->fe);
	if (rc)
		card_die(
		    "%s did not take the rings: %s", c->socket, strerror(-rc));
}

void card_open(
    struct card *c, const char *socket, const struct card_config *config)
{
	memset(c, 0, sizeof(*c));
	c->socket = socket;
	c->config = *config;
	create_memory(c);
	for (unsigned i = 0; i < config->pairs; i++) {
		create_ring(c, &c->rx[i], true);
		create_ring(c, &c->tx[i], false);
	}
	negotiate(c);
	start(c);
	for (unsigned i = 0; i < config->pairs; i++) {
		ring_give(&c->rx[i], config->ring_size);
		ring_kick(&c->rx[i]);
	}
}

static void destroy_ring(struct ring *r)
{
	if (r->is_packed)
		free(r->order);
	close(r->kick_fd);
	close(r->call_fd);
}

void card_close(struct card *c)
{
	frontend_fini(&c->fe);
	for (unsigned i = 0; i < c->config.pairs; i++) {
		destroy_ring(&c->rx[i]);
		destroy_ring(&c->tx[i]);
	}
	guest_memory_fini(&c->mem);
}

const char *card_fault(const struct card *c)
{
	for (unsigned i = 0; i < c->config.pairs; i++) {
		if (c->rx[i].fault)
			return c->rx[i].fault;
		if (c->tx[i].fault)
			return c->tx[i].fault;
	}
	return NULL;
}
