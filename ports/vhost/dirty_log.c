/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dirty_log.c - which pages of guest memory were written to, for a migration.
 *
 * Bits are set byte by byte: their order in a byte is given, that of bytes in
 * a word would depend on the machine.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ports/peer/access.h"
#include "ports/vhost/dirty_log.h"

enum { BITS = 8 };

static int map_bits(struct dirty_log *log, int fd, uint64_t offset,
    uint64_t size, struct err *e)
{
	int rc;

	if (!size || offset > UINT64_MAX - size)
		return err_set(e, -EINVAL,
		    "a log of %" PRIu64 " bytes at offset %" PRIu64
		    " of its file cannot be",
		    size, offset);
	rc = mapping_open(&log->map, fd, offset, size, e);
	if (rc)
		return rc;
	log->bits = log->map.at;
	log->size = size;
	if (!guard_add(&log->guard, &log->map))
		return 0;
	mapping_close(&log->map);
	return err_set(e, -ENOMEM, "no memory to guard a log");
}

int dirty_log_open(struct dirty_log **out, int fd, uint64_t offset,
    uint64_t size, void (*on_broken)(void *owner), void *owner, struct err *e)
{
	struct dirty_log *log = calloc(1, sizeof(*log));
	int rc;

	if (!log)
		return err_set(e, -ENOMEM, "no memory for a log");
	log->guard.on_broken = on_broken;
	log->guard.owner = owner;
	rc = map_bits(log, fd, offset, size, e);
	if (rc) {
		free(log);
		return rc;
	}
	*out = log;
	return 0;
}

void dirty_log_free(struct dirty_log *log)
{
	if (!log)
		return;
	guard_remove(&log->guard);
	mapping_close(&log->map);
	free(log);
}

bool dirty_log_covers(const struct dirty_log *log, uint64_t guest, uint64_t len)
{
	uint64_t last = guest + len - 1;

	return last >= guest && last / DIRTY_LOG_PAGE / BITS < log->size;
}

bool dirty_log_mark(struct dirty_log *log, uint64_t guest, uint64_t len)
{
	uint64_t page = guest / DIRTY_LOG_PAGE;

	if (!len)
		return true;
	if (!dirty_log_covers(log, guest, len))
		return false;
	for (; page <= (guest + len - 1) / DIRTY_LOG_PAGE; page++)
		shared_set_bits(&log->bits[page / BITS],
		    (uint8_t)(1 << page % BITS)); /* (A) */
	return true;
}
