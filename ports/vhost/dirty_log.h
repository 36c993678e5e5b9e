/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dirty_log.h - which pages of guest memory were written to, for a migration.
 *
 * While a machine moves to another host its memory is copied as it runs, and
 * what is written meanwhile is copied again.  The front end sees its own
 * writes; ours it learns of from a bitmap that it shares with us, one bit for
 * each page, at the guest's addresses counted from 0 (vhost-user,
 * "Migration").
 *
 *	us                                front end
 *	write to guest memory, then
 *	set its bits (A)         ───►     fetch and clear bits,
 *	                                  copy their pages
 *
 * The bit comes after the bytes: before them, it could be fetched and the old
 * page copied in between.  It is set even where it seems to be set already,
 * because to look would be to read before the bytes have left this processor.
 *
 * Like guest memory the bitmap is a file that its owner may cut off, and it is
 * mapped and guarded in the same way (ports/peer/).
 *
 * Life: open ──► virtq_log.h ──► free, when no ring notes anything in it.
 * Ownership: of the mapping; the descriptor stays the caller's.
 * Threads: dirty_log_mark() any; everything else control.
 */
#ifndef PORTS_VHOST_DIRTY_LOG_H
#define PORTS_VHOST_DIRTY_LOG_H

#include "ports/vhost/memory.h"

enum { DIRTY_LOG_PAGE = 4096 }; /* bytes of guest memory, for one bit */

struct dirty_log {
	uint8_t __peer *bits;
	uint64_t size; /* bytes of them */
	struct mapping map;
	struct guard guard;
};

/* Maps a bitmap of @size bytes at @offset of @fd; @owner is what @on_broken is
 * called with when some of it is gone.  0, or a sentence and -EINVAL for what
 * is empty, wraps or is not in the file, -EMEDIUMTYPE for a file that is not
 * memory, -ENOMEM. */
int dirty_log_open(struct dirty_log **log, int fd, uint64_t offset,
    uint64_t size, void (*on_broken)(void *owner), void *owner, struct err *e);

/* Accepts NULL. */
void dirty_log_free(struct dirty_log *log);

/* Whether there is a bit for each byte of [guest, guest + len), len > 0. */
bool dirty_log_covers(
    const struct dirty_log *log, uint64_t guest, uint64_t len);

/* Sets the bits of what was just written to, [guest, guest + len), which may
 * be nothing.  False: there is no bit for some of it, and none was set. */
bool dirty_log_mark(struct dirty_log *log, uint64_t guest, uint64_t len);

#endif
