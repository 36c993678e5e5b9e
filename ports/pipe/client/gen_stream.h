/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gen_stream.h - numbered frames, and what is missing among them.
 *
 * A sender numbers the frames of each of its flows; together these are a
 * stream.  A receiver remembers of each stream which number comes next.
 *
 *	next    as it should be
 *	higher  those between are lost, until they come
 *	lower   late: was counted as lost, and is no longer
 *
 * Life: stream_table_open() ─► stream_see() ... ─► stream_table_close().
 * Threads: the one that owns the table.
 */
#ifndef PORTS_PIPE_CLIENT_GEN_STREAM_H
#define PORTS_PIPE_CLIENT_GEN_STREAM_H

#include <assert.h>
#include <stdint.h>

enum {
	PROBE_TYPE = 0xb588,	  /* EtherType 0x88b5, local experiments */
	PROBE_MAGIC = 0x53575047, /* "SWPG" */
	PROBE_HELLO = 0x53575048, /* no number, only addresses to be learned */
};

/* The first bytes of a frame; all but the addresses in the host's order. */
struct probe {
	uint8_t dst[6], src[6];
	uint16_t type;
	uint16_t pad;
	uint32_t magic;
	uint32_t sender; /* random */
	uint64_t seq;
	uint32_t flow;
	uint32_t pad2;
};
static_assert(sizeof(struct probe) == 40, "probe");

struct stream {
	uint64_t key;  /* sender and flow + 1; 0: free */
	uint64_t next; /* number */
};

struct stream_table {
	struct stream *slot;
	uint32_t mask, n;
	uint64_t lost, late;
};

/* Returns 0 or -ENOMEM. */
int stream_table_open(struct stream_table *t);
void stream_table_close(struct stream_table *t);

/* The entry of @key, a new one that expects @seq, or, if there are too many,
 * one that is shared and says nothing. */
struct stream *stream_find_slow(
    struct stream_table *t, uint64_t key, uint64_t seq);

void stream_gap_slow(struct stream_table *t, struct stream *s, uint64_t seq);

static inline uint32_t stream_hash(uint64_t key)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15 >> 32);
}

/* Counts number @seq of flow @flow of @sender in @t. */
static inline void stream_see(
    struct stream_table *t, uint32_t sender, uint32_t flow, uint64_t seq)
{
	uint64_t key = ((uint64_t)sender << 32 | flow) + 1;
	struct stream *s = &t->slot[stream_hash(key) & t->mask];

	if (s->key != key)
		s = stream_find_slow(t, key, seq);
	if (s->next == seq)
		s->next++;
	else
		stream_gap_slow(t, s, seq);
}

#endif
