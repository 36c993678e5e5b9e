/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * learn.h - what the sources of a batch teach, and which frames may pass.
 *
 * The semantics are those of the Linux bridge:
 *
 *	the source is ...        on this port   on another   unknown
 *	learning                 refreshed      moved        learned
 *	  and it is static       refreshed      stays        -
 *	  and port at its limit  refreshed      DROP         DROP
 *	learning off             -              -            -
 *	locked                   passes         DROP         DROP
 *
 * An address that expired is unknown to a locked port.  A known source
 * writes at most once a second, its time stamp; all else here is rare.
 */
#ifndef LEARNING_LEARN_H
#define LEARNING_LEARN_H

#include "learning/fdb.h"

enum fdb_verdict { FDB_PASS, FDB_DROP_MAC_LIMIT, FDB_DROP_LOCKED };

struct fdb_port_rules {
	bool learning;
	bool locked;	    /* only entries of this port may send */
	uint32_t mac_limit; /* dynamic entries of this port; 0: no limit */
};

/* Learns src[0..n), which are unicast, from @port at @now, and stores in
 * verdict[0..n) an enum fdb_verdict for each.  Any thread.  Cannot fail: what
 * finds no room, or a bucket in use, is not learned and passes.  Returns
 * whether any frame is refused. */
bool fdb_learn_batch(struct fdb *fdb, const uint64_t src[], unsigned n,
    uint16_t port, struct fdb_port_rules rules, uint32_t now,
    uint8_t verdict[]);

/* fdb_learn_batch() of src[0..n), then fdb_lookup_batch() of dst[0..n) into
 * to[0..n), of those that are refused as well.  The buckets of both are fetched
 * at once.  Any thread. */
bool fdb_learn_and_lookup(struct fdb *fdb, const uint64_t src[],
    const uint64_t dst[], unsigned n, uint16_t port,
    struct fdb_port_rules rules, uint32_t now, uint8_t verdict[],
    uint16_t to[]);

#endif
