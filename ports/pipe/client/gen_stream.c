/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gen_stream.c - the table of streams: open addressing, never emptied.
 */
#include <errno.h>
#include <stdlib.h>

#include "ports/pipe/client/gen_stream.h"

enum { STREAMS = 1 << 18 };

int stream_table_open(struct stream_table *t)
{
	/* One more, for all that the table has no room for. */
	t->slot = calloc(STREAMS + 1, sizeof(*t->slot));
	t->mask = STREAMS - 1;
	return t->slot ? 0 : -ENOMEM;
}

void stream_table_close(struct stream_table *t)
{
	free(t->slot);
}

struct stream *stream_find_slow(
    struct stream_table *t, uint64_t key, uint64_t seq)
{
	uint32_t i = stream_hash(key) & t->mask;

	while (t->slot[i].key && t->slot[i].key != key)
		i = (i + 1) & t->mask;
	if (t->slot[i].key)
		return &t->slot[i];
	if (t->n == STREAMS / 2)
		i = STREAMS;
	else
		t->n++;
	t->slot[i] = (struct stream){.key = key, .next = seq};
	return &t->slot[i];
}

void stream_gap_slow(struct stream_table *t, struct stream *s, uint64_t seq)
{
	if (seq > s->next) {
		t->lost += seq - s->next;
		s->next = seq + 1;
		return;
	}
	t->late++;
	if (t->lost)
		t->lost--;
}
