/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fdb_match.h - which entries a request about the fdb means.
 *
 * A request speaks of names where the table knows numbers: struct fdb_match is
 * what it asks for in the table's terms, with "any" where it is silent.
 *
 * Life: of the values of a request; not beyond a step of the control thread,
 * because bridge and port may be gone after it.
 * Threads: control.
 */
#ifndef SWITCH_FDB_MATCH_H
#define SWITCH_FDB_MATCH_H

#include "switch/bridge.h"

struct fdb_match {
	struct bridge *bridge;	/* NULL: any */
	struct bridge_port *bp; /* NULL: any */
	uint64_t mac;		/* if has_mac */
	bool has_mac;
	int32_t net; /* or FDB_NET_ANY */
	uint8_t kinds;
};

/* Reads @params; of which kinds, if they do not say, is @kinds.  -ENOENT or
 * -EINVAL with a sentence. */
int fdb_match_read(struct fdb_match *m, struct sw *sw,
    struct json_object *params, uint8_t kinds, struct err *e);

bool fdb_match_entry(const struct fdb_match *m, const struct fdb_entry *entry);

/* The second of which the table's time stamps are. */
uint32_t fdb_match_now(void);

#endif
