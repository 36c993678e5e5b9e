/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb.h - the forwarding database: (network, MAC address) -> port number.
 *
 * One table belongs to one bridge.  A key has two candidate buckets, each one
 * cache line of four slots, chosen by a hash with a secret of its own; there
 * is no chain and no third place, so a lookup reads at most two lines
 * whatever anybody sends.  Most addresses are in the first of the two, and
 * the second is read only for one that is not.
 *
 *	        63     33 32   24   16    8    0
 *	  ctl  | sequence |L|tag3|tag2|tag1|tag0|   L: a writer is inside
 *	  key[4]            |static|...|vid|MAC |   tag: 8 bits of the hash of
 *	  stamp[4]          seconds, 32 bits        the slot's key, 0: slot free
 *	  port[4]           16 bits
 *
 * Readers take no lock, write nothing and never wait for a writer that is
 * inside.  Tags and sequence are read by one load, so a key without a matching
 * tag is absent; a slot with a matching tag is whole if ctl, but for L, is
 * still the same after the slot was read:
 *
 *	writer                               reader
 *	ctl: set L             (A) acquire <- (C) of the writer before
 *	ctl: no tag for the slot
 *	key, port              (B) release -> (B) acquire  key, port
 *	ctl: sequence + 1,     (C) release -> (C) acquire  ctl, before (B)
 *	     new tag, clear L                 relaxed      ctl again, after (B)
 *
 * By (C) who sees a tag sees what it stands for.  By (B) who sees a word of a
 * later writer sees the tag gone, or a later sequence, in the second ctl.  A
 * move stores nothing but the port, which is one word and needs none of this.
 * A reader tries again only after a writer came and went; after TABLE_TRIES of
 * these it answers "unknown", and the frame is flooded.  The stamp is outside
 * of all this: it is stored without the lock, and a late store prolongs the
 * life of a slot's next address by a second at most.
 *
 * An address never leaves its slot, so a walk that meets concurrent changes
 * still meets every entry that was there all the time exactly once.
 *
 * Room: 2.5 slots for each entry asked for, 40 bytes an address.  Of 100 tables
 * filled with the 65,536 addresses that they are for, four have an address that
 * finds both its buckets full (bench/fdb.c).  From 4 MB on (100,000 addresses)
 * the memory is taken at open, in huge pages where the kernel gives them.
 *
 * Life: opened and closed by control; closed after a grace period in which
 * no worker can still hold it.
 * Threads: any number of workers look up and learn; control adds, deletes,
 * flushes, dumps and sweeps, one thread at a time.  Nobody waits for a lock
 * except control.
 * Ownership: the table owns its memory, which is fixed and, in a small table,
 * touched only as addresses arrive; it knows ports as numbers and nothing else.
 */
#ifndef LEARNING_FDB_H
#define LEARNING_FDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/err.h"

enum {
	FDB_NONE = 0xffff, /* no port: unknown, or any in a filter */
	FDB_ENTRIES_MAX = 1 << 24,
	FDB_NET_ANY = -1,
	FDB_VID_MASK = 0xfff,
	FDB_DUMP_BUCKETS = 4096,   /* that one fdb_dump() walks at most */
	FDB_FLUSH_BUCKETS = 16384, /* and one fdb_flush_some() */
};

/* Where a walk stands at its end. */
#define FDB_DUMP_END UINT64_MAX

enum fdb_kind {
	FDB_DYNAMIC = 1 << 0,
	FDB_STATIC = 1 << 1,
};

struct fdb;

struct fdb_filter {
	uint16_t port; /* or FDB_NONE: any */
	int32_t net;   /* or FDB_NET_ANY */
	uint8_t kinds; /* enum fdb_kind, or-ed */
};

struct fdb_entry {
	uint64_t key;
	uint32_t age_s; /* since the address was last seen as a source */
	uint16_t port;
	bool is_static;
};

/* @net is a VLAN id, 0 on a bridge without VLANs; @mac as of eth_mac(). */
static inline uint64_t fdb_key(uint16_t net, uint64_t mac)
{
	return (uint64_t)(net & FDB_VID_MASK) << 48 | mac;
}

static inline uint16_t fdb_key_net(uint64_t key)
{
	return key >> 48 & FDB_VID_MASK;
}

static inline uint64_t fdb_key_mac(uint64_t key)
{
	return key & 0xffffffffffffull;
}

/* Makes an empty table for @n_entries (1..FDB_ENTRIES_MAX) addresses with a
 * fresh secret and an ageing time of 300 s.  Control.  The caller closes it.
 * NULL with a sentence: -EINVAL, -ENOMEM, or what getrandom(2) says. */
struct fdb *fdb_open(uint32_t n_entries, struct err *e);

void fdb_close(struct fdb *fdb);

/* Port of @key at @now (coarse seconds, monotonic), FDB_NONE if it is unknown
 * or expired.  Any thread. */
uint16_t fdb_lookup(const struct fdb *fdb, uint64_t key, uint32_t now);

/* fdb_lookup() of key[0..n) into port[0..n), fetching ahead.  Any thread. */
void fdb_lookup_batch(const struct fdb *fdb, const uint64_t key[],
    uint16_t port[], unsigned n, uint32_t now);

/* Enters @key at @port.  A dynamic entry of the same key is replaced; no
 * limit of a port applies.  A static entry may exceed the size of the table
 * and takes the slot of a dynamic one if it must.  Control.  -EEXIST: there
 * is a static entry; -ENOSPC: both buckets hold static entries only, or no
 * port may be made to give way to a dynamic one. */
int fdb_add(struct fdb *fdb, uint64_t key, uint16_t port, bool is_static,
    uint32_t now, struct err *e);

/* Removes @key, of either kind.  Control.  -ENOENT. */
int fdb_del(struct fdb *fdb, uint64_t key, struct err *e);

/* Removes what @filter describes from the next FDB_FLUSH_BUCKETS buckets after
 * *cursor (0 at first) and moves it, to FDB_DUMP_END after the last; returns
 * how many.  Control. */
uint32_t fdb_flush_some(
    struct fdb *fdb, const struct fdb_filter *filter, uint64_t *cursor);

/* The same for the whole table, at once.  Control. */
uint32_t fdb_flush(struct fdb *fdb, const struct fdb_filter *filter);

/* Stores up to @max entries from *cursor (0 at first) on in out[0..max) and
 * moves *cursor, to FDB_DUMP_END after the last bucket.  Control.  Returns how
 * many, which may be 0 before the end: a sparse table is walked in pieces. */
unsigned fdb_dump(const struct fdb *fdb, uint64_t *cursor,
    struct fdb_entry out[], unsigned max, uint32_t now);

/* Entries of both kinds, expired ones that no sweep removed yet included;
 * and how many it was opened for.  Any thread. */
uint32_t fdb_count(const struct fdb *fdb);
uint32_t fdb_size(const struct fdb *fdb);

/* Dynamic entries of @port: what a mac-limit limits.  Any thread. */
uint32_t fdb_port_count(const struct fdb *fdb, uint16_t port);

#endif
