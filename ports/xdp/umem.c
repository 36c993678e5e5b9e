/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * umem.c - packet memory as the UMEM of AF_XDP sockets.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/xdp/uapi.h"
#include "ports/xdp/umem.h"
#include "switch/base/privilege.h"

enum {
	HOLDERS_MAX = 4096, /* pairs of numbers: sockets, open and resting */
	POOL_SHARE = 4,	    /* a quarter of the pool waits to be received in */
	FILL_MIN = 64,
	/* What a closed socket had locked is unlocked some time later. */
	LOCK_TRIES = 20,
	LOCK_PAUSE_US = 5000,
};

static struct umem_member *members;
static uint32_t n_members; /* atomic */
static bool taken[HOLDERS_MAX];
static unsigned n_resting;

/* Slots of a socket that is no more. */
struct rest {
	struct pool *pool;
	uint16_t rx_holder, tx_holder;
};

/* Tries @reg for as long as memory is still locked by a closed socket. */
static int try_to_register(int fd, const struct umem_reg *reg)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int rc;

		privilege_raise();
		rc = setsockopt(fd, SOL_XDP, XDP_UMEM_REG, reg, sizeof(*reg));
		privilege_lower();
		if (!rc)
			return 0;
		if (errno != ENOBUFS)
			break;
		usleep(LOCK_PAUSE_US);
	}
	return -errno;
}

static int register_memory(
    struct umem_member *m, struct pool *pool, struct err *e)
{
	struct umem_reg reg = {.addr = (uintptr_t)pool->base,
	    .len = pool->size,
	    .chunk_size = POOL_FRAME_SIZE,
	    .flags = XDP_UMEM_TX_METADATA_LEN,
	    .tx_metadata_len = sizeof(struct xsk_tx_metadata)};
	struct rlimit limit = {0};
	int rc = try_to_register(m->fd, &reg);

	m->tx_metadata_len = reg.tx_metadata_len;
	if (rc == -EINVAL) { /* a kernel that does not know of it */
		reg.flags = reg.tx_metadata_len = m->tx_metadata_len = 0;
		rc = try_to_register(m->fd, &reg);
	}
	if (!rc)
		return 0;
	if (rc != -ENOBUFS)
		return err_set(e, rc,
		    "packet memory cannot be given to a card: %s",
		    strerror(-rc));
	getrlimit(RLIMIT_MEMLOCK, &limit);
	err_set(e, -ENOBUFS,
	    "%zu KiB of packet memory may not be locked: %llu KiB is the "
	    "limit of all that is",
	    pool->size >> 10, (unsigned long long)limit.rlim_cur >> 10);
	err_hint(e, "raise LimitMEMLOCK= (`ulimit -l`), or give swd less (-m)");
	return -ENOBUFS;
}

static bool same_kind(struct umem_kind a, struct umem_kind b)
{
	return a.zerocopy == b.zerocopy && a.multi == b.multi;
}

int umem_prepare(struct umem_member *member, struct pool *pool, int *shared_fd,
    struct err *e)
{
	for (const struct umem_member *m = members; m; m = m->next)
		if (same_kind(m->kind, member->kind)) {
			*shared_fd = m->fd;
			member->tx_metadata_len = m->tx_metadata_len;
			return 0;
		}
	*shared_fd = -1;
	return register_memory(member, pool, e);
}

/* The place in taken[] that @holder stands for. */
static unsigned place_of(uint16_t holder)
{
	return (holder - 1u) / 2;
}

static void add(struct umem_member *member, unsigned place)
{
	taken[place] = true;
	member->rx_holder = (uint16_t)(2 * place + 1);
	member->tx_holder = (uint16_t)(2 * place + 2);
	member->next = members;
	members = member;
	__atomic_fetch_add(&n_members, 1, __ATOMIC_RELAXED);
}

int umem_join(struct umem_member *member, struct err *e)
{
	unsigned i = 0;

	while (i < HOLDERS_MAX && taken[i])
		i++;
	if (i == HOLDERS_MAX)
		return err_set(e, -ENOSPC,
		    "there are %d AF_XDP sockets already", HOLDERS_MAX);
	add(member, i);
	return 0;
}

int umem_rejoin(struct umem_member *member, struct err *e)
{
	unsigned i = place_of(member->rx_holder);

	if (i >= HOLDERS_MAX || taken[i])
		return err_set(e, -EEXIST,
		    "two AF_XDP sockets are lent packet memory as one");
	add(member, i);
	return 0;
}

bool umem_is_resting(void)
{
	return n_resting;
}

static int end_rest(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct rest *rest = userdata;

	(void)usec;
	pool_recover(rest->pool, rest->rx_holder);
	pool_recover(rest->pool, rest->tx_holder);
	taken[place_of(rest->rx_holder)] = false;
	n_resting--;
	sd_event_source_set_floating(source, false); /* nobody has it: freed */
	return 0;
}

/* The loop has the source, and the source @rest. */
static int rest_for_a_while(struct rest *rest, sd_event *event)
{
	sd_event_source *source;
	int rc = sd_event_add_time_relative(event, &source, CLOCK_MONOTONIC,
	    UMEM_REST_MS * 1000u, 0, end_rest, rest);

	if (rc < 0)
		return rc;
	sd_event_source_set_destroy_callback(source, free);
	sd_event_source_set_floating(source, true);
	n_resting++;
	sd_event_source_unref(source);
	return 0;
}

void umem_leave(struct umem_member *member, struct pool *pool, sd_event *event)
{
	struct umem_member **m = &members;
	struct rest *rest;

	while (*m && *m != member)
		m = &(*m)->next;
	if (!*m)
		return; /* never joined */
	*m = member->next;
	__atomic_fetch_sub(&n_members, 1, __ATOMIC_RELAXED);
	rest = malloc(sizeof(*rest));
	if (rest)
		*rest =
		    (struct rest){pool, member->rx_holder, member->tx_holder};
	/* Better lost than used while a card may write to it; at the end of
	 * the event loop nobody misses it. */
	if (!rest || rest_for_a_while(rest, event) < 0)
		free(rest);
}

uint32_t umem_fill_goal(const struct pool *pool, uint32_t ring_size)
{
	uint32_t n = __atomic_load_n(&n_members, __ATOMIC_RELAXED);
	uint32_t fair = pool->n_slots / POOL_SHARE / (n ? n : 1);

	if (fair < FILL_MIN)
		fair = FILL_MIN;
	return fair < ring_size ? fair : ring_size;
}
