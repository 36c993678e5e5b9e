/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forget.c - the addresses of a port that left, or is not to have any more.
 */
#include <stdlib.h>

#include "switch/base/clock.h"
#include "switch/bridge.h"
#include "switch/forget.h"

enum { FORGET_AT_ONCE = 4 /* of fdb_flush_some(): a millisecond or less */ };

/* A walk over a table that has not come to its end. */
struct forgetting {
	struct forgetting *next;
	struct sw *sw;
	const struct bridge *bridge;
	struct fdb_filter filter;
	uint64_t cursor;
	sd_event_source *turn;
};

/* Up to @steps steps; whether they came to the end. */
static bool walk(struct forgetting *f, unsigned steps)
{
	for (; steps && f->cursor != FDB_DUMP_END; steps--)
		fdb_flush_some(f->bridge->fdb, &f->filter, &f->cursor);
	return f->cursor == FDB_DUMP_END;
}

/* Takes *at out of the list. */
static void end(struct forgetting **at)
{
	struct forgetting *f = *at;

	*at = f->next;
	sd_event_source_disable_unref(f->turn);
	free(f);
}

static int on_turn(sd_event_source *source, void *userdata)
{
	struct forgetting *f = userdata, **at = &f->sw->forgetting;

	(void)source;
	if (!walk(f, 1))
		return 0;
	while (*at != f)
		at = &(*at)->next;
	end(at);
	return 0;
}

/* Has @f walked on whenever there is nothing else to do. */
static bool walk_later(const struct forgetting *f)
{
	struct forgetting *later = malloc(sizeof(*later));

	if (!later)
		return false;
	*later = *f;
	if (sd_event_add_defer(f->sw->event, &later->turn, on_turn, later) <
	    0) {
		free(later);
		return false;
	}
	sd_event_source_set_priority(later->turn, SD_EVENT_PRIORITY_IDLE);
	sd_event_source_set_enabled(later->turn, SD_EVENT_ON);
	f->sw->forgetting = later;
	return true;
}

void forget_port(
    struct sw *sw, const struct bridge *bridge, port_no no, uint8_t kinds)
{
	struct forgetting f = {.next = sw->forgetting,
	    .sw = sw,
	    .bridge = bridge,
	    .filter = {.port = no, .net = FDB_NET_ANY, .kinds = kinds}};

	if (!walk(&f, FORGET_AT_ONCE) && !walk_later(&f))
		walk(&f, UINT32_MAX);
}

bool forget_is_busy(const struct sw *sw, port_no no)
{
	const struct forgetting *f = sw->forgetting;

	while (f && f->filter.port != no)
		f = f->next;
	return f;
}

void forget_key(struct sw *sw, const struct bridge *bridge, uint64_t key)
{
	uint16_t no = FDB_NONE;

	if (sw->forgetting)
		no =
		    fdb_lookup(bridge->fdb, key, (uint32_t)(clock_ms() / 1000));
	if (no < SWITCH_PORTS_MAX && !sw->port[no])
		fdb_del(bridge->fdb, key, NULL);
}

void forget_bridge(struct sw *sw, const struct bridge *bridge)
{
	struct forgetting **at = &sw->forgetting;

	while (*at)
		if (!bridge || (*at)->bridge == bridge)
			end(at);
		else
			at = &(*at)->next;
}
