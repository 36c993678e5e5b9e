/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place.h - a slot for a new address, and who gives way when there is none.
 *
 * Private to learning/.  Fair eviction: among the addresses within reach the
 * one goes whose port holds most, and only if that port holds more than the
 * newcomer's or is the newcomer's own.  So a flood of addresses from one port
 * pushes out the flooder's, never those of a port that holds fewer.  Static
 * entries are out of anyone's reach.
 *
 * Within reach are the eight slots of the two buckets; when these have room
 * but the table as a whole is at its size, also the next PLACE_REACH buckets,
 * so that what a newcomer costs is bounded.  The search ends with who holds
 * nearly as many as the port that seems to hold most: in a table that is full
 * of a flood, mostly in the first bucket.
 */
#ifndef LEARNING_PLACE_H
#define LEARNING_PLACE_H

#include "learning/table.h"

enum {
	PLACE_REACH = 16,
	PLACE_NEARLY = 8, /* nearly most: lacks no more than such a part */
	PLACE_FIRST = 2,  /* that go to the first bucket whatever the second */
};

/* Puts @s, which is not in the table, into @p, which is held.  @rank is how
 * many addresses the port had before this one, which the caller has already
 * counted at its port.  Any thread.  false: nobody gives way. */
bool place_slot(
    struct fdb *t, struct pair *p, struct slot s, uint32_t rank, uint32_t now);

#endif
