/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb.c - the forwarding database: lookups, and what control does to it.
 *
 * A batch is hashed and its buckets are fetched first, then read, so that the
 * cache misses of all its keys overlap.  One mapping holds everything; what
 * was never touched costs address space only.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "learning/place.h"

enum {
	HUGE_PAGE = 2 << 20,
	LARGE_TABLE = 2 * HUGE_PAGE, /* bytes; from there on by huge pages */
};

static inline uint16_t port_of(
    const struct hit *hit, uint32_t now, int32_t ageing_s)
{
	return slot_is_expired(&hit->slot, now, ageing_s) ? FDB_NONE
							  : hit->slot.port;
}

static inline uint16_t lookup_one(
    const struct fdb *t, const struct probe *at, uint64_t key, uint32_t now)
{
	struct hit hit = table_find(t, at, key);

	return hit.bucket ? port_of(&hit, now, table_ageing(t)) : FDB_NONE;
}

void fdb_lookup_probed(const struct fdb *t, const struct probe at[],
    const uint64_t key[], uint16_t port[], unsigned n, uint32_t now)
{
	int32_t ageing_s = table_ageing(t);
	uint8_t rest[TABLE_BATCH];
	unsigned n_rest = 0;

	for (unsigned i = 0; i < n; i++) {
		struct hit hit;

		if (table_find_first(&at[i], key[i], &hit)) {
			port[i] = port_of(&hit, now, ageing_s);
		} else {
			rest[n_rest++] = (uint8_t)i;
			table_prefetch(probe_second(t, &at[i]));
		}
	}
	for (unsigned k = 0; k < n_rest; k++) {
		unsigned i = rest[k];

		port[i] = lookup_one(t, &at[i], key[i], now);
	}
}

void fdb_lookup_batch(const struct fdb *fdb, const uint64_t key[],
    uint16_t port[], unsigned n, uint32_t now)
{
	struct probe at[TABLE_BATCH];

	for (unsigned done = 0; done < n; done += TABLE_BATCH) {
		unsigned m = n - done < TABLE_BATCH ? n - done : TABLE_BATCH;

		table_probe_ahead(fdb, key + done, at, m);
		fdb_lookup_probed(fdb, at, key + done, port + done, m, now);
	}
}

uint16_t fdb_lookup(const struct fdb *fdb, uint64_t key, uint32_t now)
{
	struct probe at = table_probe(fdb, key);

	return lookup_one(fdb, &at, key, now);
}

uint32_t fdb_count(const struct fdb *fdb)
{
	return count_read(&fdb->count);
}

uint32_t fdb_size(const struct fdb *fdb)
{
	return fdb->n_entries;
}

uint32_t fdb_port_count(const struct fdb *fdb, uint16_t port)
{
	return count_read(&fdb->port_count[port]);
}

static int err_key(struct err *e, int code, uint64_t key, const char *what)
{
	unsigned o[6];

	for (int i = 0; i < 6; i++)
		o[i] = key >> (40 - 8 * i) & 0xff;
	if (!fdb_key_net(key))
		return err_set(e, code, "%02x:%02x:%02x:%02x:%02x:%02x %s",
		    o[0], o[1], o[2], o[3], o[4], o[5], what);
	return err_set(e, code, "%02x:%02x:%02x:%02x:%02x:%02x vlan %u %s",
	    o[0], o[1], o[2], o[3], o[4], o[5], fdb_key_net(key), what);
}

static int replace_slot(struct fdb *t, struct pair *p, unsigned w, unsigned i,
    struct slot s, struct err *e)
{
	struct slot old = bucket_read(p->bucket[w], i);

	if (slot_is_static(&old))
		return err_key(e, -EEXIST, s.key, "already has a static entry");
	count_sub(&t->port_count[old.port], 1);
	if (!slot_is_static(&s))
		count_add(&t->port_count[s.port], 1);
	bucket_clear(p->bucket[w], &p->ctl[w], i);
	pair_write(p, w, i, s);
	return 0;
}

static int insert_slot(
    struct fdb *t, struct pair *p, struct slot s, uint32_t now, struct err *e)
{
	uint32_t *count = &t->port_count[s.port], rank = 0;

	if (!slot_is_static(&s)) {
		rank = count_read(count);
		count_add(count, 1);
	}
	if (place_slot(t, p, s, rank, now))
		return 0;
	if (!slot_is_static(&s))
		count_sub(count, 1);
	err_key(e, -ENOSPC, s.key, "finds no room in the table");
	err_hint(e, "give the bridge a larger fdb-size");
	return -ENOSPC;
}

int fdb_add(struct fdb *fdb, uint64_t key, uint16_t port, bool is_static,
    uint32_t now, struct err *e)
{
	struct slot s = {is_static ? key | BUCKET_STATIC : key, now, port};
	struct probe at = table_probe(fdb, key);
	struct pair p;
	unsigned w, i;
	int rc;

	assert(port != FDB_NONE);
	pair_lock(&p, fdb, &at);
	if (pair_find(&p, key, &w, &i))
		rc = replace_slot(fdb, &p, w, i, s, e);
	else
		rc = insert_slot(fdb, &p, s, now, e);
	pair_unlock(&p);
	return rc;
}

static bool match_key(const struct slot *s, const void *arg)
{
	const uint64_t *key = arg;

	return !((s->key ^ *key) & BUCKET_KEY);
}

int fdb_del(struct fdb *fdb, uint64_t key, struct err *e)
{
	struct probe at = table_probe(fdb, key);

	if (table_purge(fdb, at.first, match_key, &key) ||
	    table_purge(fdb, probe_second(fdb, &at), match_key, &key))
		return 0;
	return err_key(e, -ENOENT, key, "is not in the table");
}

static bool match_filter(const struct slot *s, const void *arg)
{
	const struct fdb_filter *f = arg;
	uint8_t kind = slot_is_static(s) ? FDB_STATIC : FDB_DYNAMIC;

	return f->kinds & kind && (f->port == FDB_NONE || f->port == s->port) &&
	       (f->net == FDB_NET_ANY || f->net == fdb_key_net(s->key));
}

uint32_t fdb_flush_some(
    struct fdb *fdb, const struct fdb_filter *filter, uint64_t *cursor)
{
	uint64_t at = *cursor, stop = at + FDB_FLUSH_BUCKETS;
	uint32_t n = 0;

	for (; at < stop && at < fdb->n_buckets && fdb_count(fdb); at++)
		n += table_purge(fdb, &fdb->buckets[at], match_filter, filter);
	*cursor = at == stop ? at : FDB_DUMP_END;
	return n;
}

uint32_t fdb_flush(struct fdb *fdb, const struct fdb_filter *filter)
{
	uint64_t cursor = 0;
	uint32_t n = 0;

	while (cursor != FDB_DUMP_END)
		n += fdb_flush_some(fdb, filter, &cursor);
	return n;
}

/* The slot as it was at one moment; false if it was free. */
static bool read_slot(const struct bucket *b, unsigned i, struct slot *s)
{
	uint64_t ctl;

	do {
		ctl = bucket_ctl(b);
		if (!bucket_tag(ctl, i))
			return false;
		*s = bucket_read(b, i);
	} while (!bucket_is_same(b, ctl));
	return true;
}

unsigned fdb_dump(const struct fdb *fdb, uint64_t *cursor,
    struct fdb_entry out[], unsigned max, uint32_t now)
{
	uint64_t at = *cursor, end = (uint64_t)fdb->n_buckets * BUCKET_SLOTS;
	uint64_t stop = at + FDB_DUMP_BUCKETS * BUCKET_SLOTS;
	unsigned n = 0;
	struct slot s;

	/* The end, or the cursor is of a larger table than this. */
	if (at >= end || !fdb_count(fdb)) {
		*cursor = FDB_DUMP_END;
		return 0;
	}
	for (; n < max && at < end && at < stop; at++) {
		if (!read_slot(&fdb->buckets[at / BUCKET_SLOTS],
			at % BUCKET_SLOTS, &s) ||
		    slot_is_expired(&s, now, table_ageing(fdb)))
			continue;
		out[n++] = (struct fdb_entry){
		    .key = s.key & BUCKET_KEY,
		    .age_s = (int32_t)(now - s.stamp) > 0 ? now - s.stamp : 0,
		    .port = s.port,
		    .is_static = slot_is_static(&s),
		};
	}
	*cursor = at < end ? at : FDB_DUMP_END;
	return n;
}

/* Ten slots for four entries, and some for tables so small that chance would
 * fill a bucket. */
static uint32_t buckets_for(uint32_t n_entries)
{
	return (uint32_t)((uint64_t)n_entries * 10 / 4 / BUCKET_SLOTS + 16);
}

/* Asks for huge pages, without which most lookups in a large table miss the
 * TLB as well, and touches each of them: the time to clear 2 MB, and maybe to
 * find them, is not the packet path's. */
static void back_by_huge_pages(struct fdb *fdb, size_t size)
{
	char *at = (char *)fdb->buckets;

	if (madvise(at, size, MADV_HUGEPAGE))
		return;
	for (size_t done = 0; done < size; done += HUGE_PAGE)
		__atomic_store_n(at + done, 0, __ATOMIC_RELAXED);
}

static struct fdb *map_table(uint32_t n_entries, struct err *e)
{
	uint32_t n_buckets = buckets_for(n_entries);
	size_t size = n_buckets * sizeof(struct bucket);
	bool is_large = size >= LARGE_TABLE;
	size_t start = sizeof(struct fdb), map_size;
	struct fdb *fdb;

	map_size = start + size + (is_large ? HUGE_PAGE : 0);
	fdb = mmap(NULL, map_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fdb == MAP_FAILED) {
		err_set(e, -errno, "no memory for %u addresses: %m", n_entries);
		return NULL;
	}
	if (is_large)
		start += -((uintptr_t)fdb + start) % HUGE_PAGE;
	fdb->buckets = (struct bucket *)((char *)fdb + start);
	fdb->n_buckets = n_buckets;
	fdb->n_entries = n_entries;
	fdb->map_size = map_size;
	if (is_large)
		back_by_huge_pages(fdb, size);
	return fdb;
}

struct fdb *fdb_open(uint32_t n_entries, struct err *e)
{
	struct fdb *fdb;
	uint64_t secret[4];

	if (!n_entries || n_entries > FDB_ENTRIES_MAX) {
		err_set(e, -EINVAL, "a table for %u addresses cannot be made",
		    n_entries);
		err_hint(e, "1 to %u", FDB_ENTRIES_MAX);
		return NULL;
	}
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret)) {
		err_set(e, errno ? -errno : -EIO, "getrandom: %m");
		return NULL;
	}
	fdb = map_table(n_entries, e);
	if (!fdb)
		return NULL;
	for (int i = 0; i < 4; i++)
		fdb->secret[i] = secret[i];
	fdb->secret[1] |= 1; /* keeps the low half a permutation of the key */
	fdb->ageing_s = TABLE_AGEING_S;
	return fdb;
}

void fdb_close(struct fdb *fdb)
{
	if (fdb)
		munmap(fdb, fdb->map_size);
}
