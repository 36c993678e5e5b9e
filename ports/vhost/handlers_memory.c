/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handlers_memory.c - requests about guest memory.
 *
 * The next map is built while the rings run on the present one; only for the
 * exchange are they off the workers.  Their addresses are looked up anew in
 * the new map: a ring whose memory went away waits until it is back.
 */
#include <errno.h>
#include <stddef.h>

#include "ports/vhost/handlers.h"
#include "ports/vhost/session.h"
#include "ports/vhost/vhost.h"

static enum vhost_outcome exchange(
    struct vhost_port *p, struct vhost_memory *heir)
{
	struct vhost_memory *old = p->mem;

	heir->guard.owner = p;
	__atomic_store_n(
	    &heir->guard.on_broken, vhost_session_raise, __ATOMIC_RELEASE);
	vhost_rings_pause(p, 0, vhost_port_n_rings(p));
	p->mem = heir;
	vhost_memory_free(old, heir);
	return vhost_rings_resume(p);
}

/* What cannot be memory is a violation, what is not acceptable as memory is
 * refused. */
static enum vhost_outcome refuse(
    struct vhost_port *p, int rc, const struct err *e)
{
	return rc == -EINVAL ? vhost_close(p, "mem_table", "%s", e->message)
			     : vhost_refuse(p, "%s", e->message);
}

enum vhost_outcome vhost_handle_set_mem_table(
    struct vhost_port *p, struct vhost_message *m)
{
	const struct vhost_mem_table *table = &m->payload.table;
	uint32_t n = table->n;
	struct vhost_memory *heir;
	struct err e;
	int rc;

	if (!n || n > VHOST_TABLE_MAX)
		return vhost_close(
		    p, "mem_table", "a table of %u memory regions", n);
	if (m->header.size < offsetof(struct vhost_mem_table, region) +
				 n * sizeof(table->region[0]))
		return vhost_close(p, "msg_size",
		    "%u memory regions in %u bytes", n, m->header.size);
	if (m->n_fds != n)
		return vhost_close(p, "msg_fds",
		    "%u memory regions in %u descriptors", n, m->n_fds);
	rc = vhost_memory_add(&heir, NULL, table->region, m->fd, n, &e);
	return rc ? refuse(p, rc, &e) : exchange(p, heir);
}

enum vhost_outcome vhost_handle_get_max_mem_slots(
    struct vhost_port *p, struct vhost_message *m)
{
	(void)p;
	m->payload.u64 = VHOST_REGIONS_MAX;
	m->header.size = sizeof(m->payload.u64);
	return VHOST_REPLY;
}

enum vhost_outcome vhost_handle_add_mem_reg(
    struct vhost_port *p, struct vhost_message *m)
{
	struct vhost_memory *heir;
	struct err e;
	int rc = vhost_memory_add(
	    &heir, p->mem, &m->payload.region.region, m->fd, 1, &e);

	return rc ? refuse(p, rc, &e) : exchange(p, heir);
}

enum vhost_outcome vhost_handle_rem_mem_reg(
    struct vhost_port *p, struct vhost_message *m)
{
	struct vhost_memory *heir;
	struct err e;
	int rc;

	if (!p->mem)
		return vhost_refuse(p, "there is no memory region to remove");
	rc = vhost_memory_remove(&heir, p->mem, &m->payload.region.region, &e);
	return rc ? refuse(p, rc, &e) : exchange(p, heir);
}
