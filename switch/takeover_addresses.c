/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover_addresses.c - learned addresses on their way to another process.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "switch/bridge.h"
#include "switch/takeover_addresses.h"

enum { STEP_ENTRIES = 1024 };

static const char key_of_all[] = "addresses";

/* Those of @entry[0..n) that are wanted, as they travel. */
static unsigned pick(struct takeover_address to[], uint32_t age_max_s,
    const struct fdb_entry entry[], unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++)
		if (!entry[i].is_static && entry[i].age_s <= age_max_s)
			to[kept++] =
			    (struct takeover_address){.key = entry[i].key,
				.age_s = entry[i].age_s,
				.port = entry[i].port};
	return kept;
}

static int write_table(const struct fdb *fdb, uint32_t age_max_s, int fd)
{
	struct fdb_entry entry[STEP_ENTRIES];
	struct takeover_address out[STEP_ENTRIES];
	uint32_t now = (uint32_t)(clock_ms() / 1000);
	uint64_t cursor = 0;

	while (cursor != FDB_DUMP_END) {
		unsigned n = fdb_dump(fdb, &cursor, entry, STEP_ENTRIES, now);
		size_t size;

		n = pick(out, age_max_s, entry, n);
		size = n * sizeof(out[0]);
		if (n && write(fd, out, size) != (ssize_t)size)
			return -ENOMEM;
	}
	return 0;
}

int addresses_export(struct sw *sw, uint32_t age_max_s, struct handover *h,
    struct json_object *to, struct err *e)
{
	struct json_object *all = json_object_new_object();

	json_object_object_add(to, key_of_all, all);
	for (unsigned i = 0; i < SWITCH_BRIDGES_MAX; i++) {
		const struct bridge *bridge = sw->bridge[i];
		int fd, rc;

		if (!bridge || !fdb_count(bridge->fdb))
			continue;
		fd = memfd_create("swd-addresses", MFD_CLOEXEC);
		rc = fd < 0 ? -errno : write_table(bridge->fdb, age_max_s, fd);
		if (rc) {
			if (fd >= 0)
				close(fd);
			return err_set(e, rc,
			    "no memory for the addresses of bridge %s",
			    bridge->name);
		}
		handover_put_fd(h, all, bridge->name, fd);
	}
	return 0;
}

void addresses_close(struct handover *h, struct json_object *to)
{
	struct json_object *all;

	if (!json_object_object_get_ex(to, key_of_all, &all))
		return;
	json_object_object_foreach (all, name, number) {
		(void)number;
		close(handover_take_fd(h, all, name));
	}
}

static int enter(struct fdb *fdb, const port_no port_of[SWITCH_PORTS_MAX],
    const struct takeover_address *a, uint32_t now)
{
	port_no port =
	    a->port < SWITCH_PORTS_MAX ? port_of[a->port] : PORT_NONE;

	if (port == PORT_NONE || fdb_lookup(fdb, a->key, now) == port)
		return 0;
	return !fdb_add(fdb, a->key, port, false, now - a->age_s, NULL);
}

static int read_table(struct fdb *fdb, const port_no port_of[SWITCH_PORTS_MAX],
    int fd, struct err *e)
{
	uint32_t now = (uint32_t)(clock_ms() / 1000);
	const struct takeover_address *a;
	struct stat st;
	size_t n;
	int entered = 0;

	if (fd < 0 || fstat(fd, &st))
		return err_set(e, -EBADF, "a table of addresses is missing");
	n = (size_t)st.st_size / sizeof(*a);
	if (!n)
		return 0;
	a = mmap(NULL, n * sizeof(*a), PROT_READ, MAP_PRIVATE, fd, 0);
	if (a == MAP_FAILED)
		return err_set(e, -errno, "a table of addresses: %m");
	for (size_t i = 0; i < n; i++)
		entered += enter(fdb, port_of, &a[i], now);
	munmap((void *)a, n * sizeof(*a));
	return entered;
}

int addresses_import(struct sw *sw, const port_no port_of[SWITCH_PORTS_MAX],
    struct handover *h, struct json_object *from, struct err *e)
{
	struct json_object *all;
	int entered = 0;

	if (!json_object_object_get_ex(from, key_of_all, &all))
		return 0;
	json_object_object_foreach (all, name, number) {
		struct bridge *bridge = bridge_find(sw, name, e);
		int fd = handover_take_fd(h, all, name);
		int n =
		    bridge ? read_table(bridge->fdb, port_of, fd, e) : -ENOENT;

		(void)number;
		if (fd >= 0)
			close(fd);
		if (n < 0)
			return n;
		entered += n;
	}
	return entered;
}
