/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xsk.c - one AF_XDP socket, set up and taken down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/xdp/uapi.h"
#include "ports/xdp/xsk.h"
#include "switch/base/privilege.h"

enum {
	/* A queue is free some time after its last socket was closed. */
	BIND_TRIES = 20,
	BIND_PAUSE_US = 5000,
	BUSY_POLL_BUDGET = 64, /* frames at once */
	/* Buffers of one frame.  Above, the kernel drops it and may keep the
	 * slots: fragments of an skb in copy mode; what the driver chains, of
	 * which all that cannot tell chain so many, otherwise. */
	BUFS_COPY = 17,
	BUFS_ZEROCOPY = 8,
};

static unsigned max_bufs(const struct xsk_config *c)
{
	if (!c->kind.multi)
		return 1;
	if (!c->kind.zerocopy)
		return BUFS_COPY;
	return c->driver.zc_max_segs ? c->driver.zc_max_segs : BUFS_ZEROCOPY;
}

/* In copy mode the kernel sees to it, in zero-copy mode the driver, or nobody
 * and without a word. */
static bool completes_checksums(const struct xsk *x, const struct xsk_config *c)
{
	return x->member.tx_metadata_len &&
	       (!c->kind.zerocopy || c->driver.tx_checksum);
}

static int create(int *fd, struct err *e)
{
	privilege_raise();
	*fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	privilege_lower();
	if (*fd >= 0)
		return 0;
	if (errno == EPERM) {
		err_set(e, -EPERM, "swd may not open AF_XDP sockets");
		err_hint(e, "it needs CAP_NET_RAW");
		return -EPERM;
	}
	if (errno == EAFNOSUPPORT)
		return err_set(
		    e, -EAFNOSUPPORT, "this kernel was built without AF_XDP");
	return err_set(e, -errno, "AF_XDP socket: %m");
}

static int set_sizes(const struct xsk *x, struct err *e)
{
	const struct {
		int fd, ring;
	} want[XSK_RINGS] = {{x->member.fd, XDP_UMEM_FILL_RING},
	    {x->member.fd, XDP_UMEM_COMPLETION_RING},
	    {x->member.fd, XDP_RX_RING}, {x->tx_fd, XDP_TX_RING}};
	const int size = XSK_RING_SIZE;

	for (unsigned i = 0; i < XSK_RINGS; i++)
		if (setsockopt(
			want[i].fd, SOL_XDP, want[i].ring, &size, sizeof(size)))
			return err_set(
			    e, -errno, "ring of an AF_XDP socket: %m");
	return 0;
}

/* Maps ring @i of socket @fd, of entries of @entry bytes. */
static char *map_ring(struct xsk *x, unsigned i, int fd,
    const struct xdp_ring_offset *at, size_t entry, uint64_t where)
{
	size_t size = at->desc + XSK_RING_SIZE * entry;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_POPULATE, fd, (off_t)where);

	if (p == MAP_FAILED)
		return NULL;
	x->map[i].addr = p;
	x->map[i].size = size;
	return p;
}

/* Fills in one of libxdp's rings.  What we put in counts free entries from a
 * full ring's size on, as its inline functions want it. */
#define SET_RING(r, map, at, free_entries)                                     \
	do {                                                                   \
		(r)->mask = XSK_RING_SIZE - 1;                                 \
		(r)->size = XSK_RING_SIZE;                                     \
		(r)->producer = (uint32_t *)(void *)((map) + (at)->producer);  \
		(r)->consumer = (uint32_t *)(void *)((map) + (at)->consumer);  \
		(r)->flags = (uint32_t *)(void *)((map) + (at)->flags);        \
		(r)->ring = (map) + (at)->desc;                                \
		(r)->cached_cons = (free_entries);                             \
	} while (0)

static int map_rings(struct xsk *x, struct err *e)
{
	struct xdp_mmap_offsets at;
	socklen_t size = sizeof(at);
	char *fill, *completion, *rx, *tx;
	int fd = x->member.fd;

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size) ||
	    size != sizeof(at))
		return err_set(e, -EINVAL, "rings of an AF_XDP socket: %m");
	fill = map_ring(
	    x, 0, fd, &at.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	completion = map_ring(
	    x, 1, fd, &at.cr, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING);
	rx = map_ring(
	    x, 2, fd, &at.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	tx = map_ring(
	    x, 3, x->tx_fd, &at.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	if (!fill || !completion || !rx || !tx)
		return err_set(
		    e, -ENOMEM, "rings of an AF_XDP socket cannot be mapped");
	SET_RING(&x->fill, fill, &at.fr, XSK_RING_SIZE);
	SET_RING(&x->tx, tx, &at.tx, XSK_RING_SIZE);
	SET_RING(&x->completion, completion, &at.cr, 0);
	SET_RING(&x->rx, rx, &at.rx, 0);
	return 0;
}

static const char *kind_name(struct umem_kind kind)
{
	return kind.zerocopy ? "without a copy" : "by AF_XDP";
}

static int explain_bind(const struct xsk_config *c, int rc, struct err *e)
{
	const char *dev = c->link->name;

	switch (-rc) {
	case EBUSY:
		err_set(e, rc, "queue %u of %s is in use by another program",
		    c->queue, dev);
		err_hint(e, "`ss --xdp -p` tells which");
		return rc;
	case ENETDOWN:
		err_set(e, rc, "%s is down", dev);
		err_hint(e, "ip link set dev %s up", dev);
		return rc;
	case EINVAL:
	case EOPNOTSUPP:
		err_set(e, rc, "%s does not hand over frames %s%s (%s)", dev,
		    kind_name(c->kind),
		    c->kind.multi ? " in several buffers, as its MTU needs"
				  : "",
		    strerror(-rc));
		if (c->kind.multi)
			err_hint(
			    e, "ip link set dev %s mtu %d", dev, UMEM_MTU_MAX);
		else
			err_hint(e, "`mode auto` takes the best way there is");
		return rc;
	default:
		return err_set(e, rc, "queue %u of %s cannot be used: %s",
		    c->queue, dev, strerror(-rc));
	}
}

static int bind_to_queue(
    int fd, const struct xsk_config *c, int shared_fd, struct err *e)
{
	struct sockaddr_xdp to = {.sxdp_family = AF_XDP,
	    .sxdp_ifindex = c->link->ifindex,
	    .sxdp_queue_id = c->queue};
	int rc = -EBUSY;

	if (shared_fd >= 0) {
		to.sxdp_flags = XDP_SHARED_UMEM;
		to.sxdp_shared_umem_fd = (uint32_t)shared_fd;
	} else {
		to.sxdp_flags =
		    (uint16_t)(XDP_USE_NEED_WAKEUP |
			       (c->kind.zerocopy ? XDP_ZEROCOPY : XDP_COPY) |
			       (c->kind.multi ? XDP_USE_SG : 0));
	}
	for (int i = 0; i < BIND_TRIES && rc == -EBUSY; i++) {
		if (i)
			usleep(BIND_PAUSE_US);
		rc = bind(fd, (struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
	}
	return rc ? explain_bind(c, rc, e) : 0;
}

/* The kernel falls back to copying in some cases without a word. */
static int check_mode(struct xsk *x, const struct xsk_config *c, struct err *e)
{
	struct xdp_options got = {0};
	socklen_t size = sizeof(got);

	if (!c->kind.zerocopy)
		return 0;
	if (!getsockopt(x->member.fd, SOL_XDP, XDP_OPTIONS, &got, &size) &&
	    got.flags & XDP_OPTIONS_ZEROCOPY)
		return 0;
	return explain_bind(c, -EOPNOTSUPP, e);
}

static int set_busy_poll(
    struct xsk *x, const struct xsk_config *c, struct err *e)
{
	const int on = 1, budget = BUSY_POLL_BUDGET, us = (int)c->busy_poll_us;
	const int fds[] = {x->member.fd, x->tx_fd};

	int rc = 0;

	x->busy_poll = us > 0;
	if (!us)
		return 0;
	privilege_raise();
	for (unsigned i = 0; !rc && i < 2; i++)
		if (setsockopt(fds[i], SOL_SOCKET, SO_PREFER_BUSY_POLL, &on,
			sizeof(on)) ||
		    setsockopt(
			fds[i], SOL_SOCKET, SO_BUSY_POLL, &us, sizeof(us)) ||
		    setsockopt(fds[i], SOL_SOCKET, SO_BUSY_POLL_BUDGET, &budget,
			sizeof(budget)))
			rc = err_set(
			    e, -errno, "busy polling of %s: %m", c->link->name);
	privilege_lower();
	return rc;
}

/* One system call for a whole batch; older kernels take several. */
static void allow_whole_batches(int fd)
{
	const int n = BATCH_MAX;

	(void)setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &n, sizeof(n));
}

static struct xsk *new_xsk(const struct xsk_config *c, struct err *e)
{
	struct xsk *x = aligned_alloc(64, sizeof(*x));

	if (!x) {
		err_set(e, -ENOMEM, "no memory for an AF_XDP socket");
		return NULL;
	}
	*x = (struct xsk){.pool = c->pool,
	    .port = c->port,
	    .queue = c->queue,
	    .max_bufs = max_bufs(c),
	    .is_virtual = !strcmp(c->link->kind, "veth"),
	    .member = {.kind = c->kind, .fd = -1},
	    .tx_fd = -1};
	return x;
}

int xsk_inherit(struct xsk **out, const struct xsk_config *c,
    const struct umem_member *member, int tx_fd, struct err *e)
{
	struct xsk *x = new_xsk(c, e);
	int rc;

	if (!x) {
		close(member->fd);
		close(tx_fd);
		return -ENOMEM;
	}
	x->member = *member;
	x->tx_fd = tx_fd;
	x->busy_poll = c->busy_poll_us > 0;
	rc = map_rings(x, e);
	if (!rc)
		rc = umem_rejoin(&x->member, e);
	if (rc) {
		xsk_close(x, NULL);
		return rc;
	}
	x->tx_checksum = completes_checksums(x, c);
	*out = x;
	return 0;
}

/* What libxdp's inline functions keep beside a ring that holds still. */
static void recall_prod(struct xsk_ring_prod *r)
{
	r->cached_prod = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
	r->cached_cons =
	    __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE) + r->size;
}

static void recall_cons(struct xsk_ring_cons *r)
{
	r->cached_cons = __atomic_load_n(r->consumer, __ATOMIC_ACQUIRE);
	r->cached_prod = r->cached_cons;
}

void xsk_recall(struct xsk *x, uint32_t n_filled, uint32_t n_sending)
{
	recall_prod(&x->fill);
	recall_prod(&x->tx);
	recall_cons(&x->rx);
	recall_cons(&x->completion);
	x->n_filled = n_filled;
	x->n_sending = n_sending;
}

int xsk_open(struct xsk **out, const struct xsk_config *c, struct err *e)
{
	struct xsk *x = new_xsk(c, e);
	int shared_fd = -1, rc;

	if (!x)
		return -ENOMEM;
	rc = create(&x->member.fd, e);
	if (!rc)
		rc = create(&x->tx_fd, e);
	if (!rc)
		rc = umem_prepare(&x->member, c->pool, &shared_fd, e);
	if (!rc)
		rc = set_sizes(x, e);
	if (!rc)
		rc = map_rings(x, e);
	if (!rc)
		rc = bind_to_queue(x->member.fd, c, shared_fd, e);
	if (!rc)
		rc = bind_to_queue(x->tx_fd, c, x->member.fd, e);
	if (!rc)
		rc = check_mode(x, c, e);
	if (!rc)
		rc = set_busy_poll(x, c, e);
	if (!rc)
		rc = umem_join(&x->member, e);
	if (rc)
		goto close_socket;
	allow_whole_batches(x->tx_fd);
	x->tx_checksum = completes_checksums(x, c);
	*out = x;
	return 0;

close_socket:
	xsk_close(x, NULL);
	return rc;
}

void xsk_close(struct xsk *x, sd_event *event)
{
	if (!x)
		return;
	/* A mapping that is left keeps the queue bound. */
	for (unsigned i = 0; i < XSK_RINGS; i++)
		if (x->map[i].addr)
			munmap(x->map[i].addr, x->map[i].size);
	if (x->tx_fd >= 0)
		close(x->tx_fd);
	if (x->member.fd >= 0)
		close(x->member.fd);
	umem_leave(&x->member, x->pool, event);
	free(x);
}

void xsk_revive(struct xsk *x)
{
	x->gone = false;
}

void xsk_break(struct xsk *x, enum xsk_fault why)
{
	__atomic_store_n(&x->fault, why, __ATOMIC_RELAXED);
	x->port->env->raise(x->port);
}
