/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.c - being told when a network interface changes.
 *
 *	hint, bind ──► mark the watches that it is about ──► a turn later:
 *	ask the kernel about each marked one, compare, report
 *
 * While watches are visited none is freed: a closed one is dead, and swept
 * when the visit is over.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/link/monitor.h"
#include "ports/link/watch.h"
#include "switch/base/log.h"

enum { ACCURACY_US = 1, RETRY_US = 1000000 };

struct link_watch {
	struct link_watch *next;
	link_changed_fn *changed;
	void *arg;
	char name[IFNAMSIZ];
	unsigned ifindex; /* followed; 0: the name is */

	struct link now; /* as last reported, if it was there */
	bool there;

	bool marked;   /* the kernel has to be asked */
	bool removed;  /* ... and who answers may be a successor */
	bool channels; /* ... and somebody set its queues */
	bool dead;
};

/* Every watch of the process. */
static struct {
	struct link_watch *first;
	sd_event *event;
	sd_event_source *visit;
	bool visiting;
} watches;

static bool is_about(const struct link_watch *w, unsigned ifindex)
{
	return ifindex == (w->ifindex ? w->ifindex : w->now.ifindex);
}

/* Has @w visited after @delay_us, or together with what is due before. */
static void mark(struct link_watch *w, uint64_t delay_us)
{
	w->marked = true;
	if (delay_us && sd_event_source_get_enabled(watches.visit, NULL) > 0)
		return;
	sd_event_source_set_time_relative(watches.visit, delay_us);
	sd_event_source_set_enabled(watches.visit, SD_EVENT_ONESHOT);
}

static void on_hint(enum link_hint hint, unsigned ifindex, const char *name)
{
	for (struct link_watch *w = watches.first; w; w = w->next) {
		bool about = !name || is_about(w, ifindex);

		if (!about && (w->ifindex || strcmp(w->name, name) != 0))
			continue;
		w->removed |= about && hint == LINK_HINT_REMOVED;
		w->channels |= about && hint == LINK_HINT_CHANNELS;
		mark(w, 0);
	}
}

/* Tells the owner; false if that one has closed or bound it, so that what is
 * known about it is no longer what was asked for. */
static bool report(struct link_watch *w, enum link_event what)
{
	w->changed(w->arg, what, what == LINK_GONE ? NULL : &w->now);
	return !w->dead && !w->marked;
}

static bool report_gone(struct link_watch *w)
{
	w->there = w->channels = false;
	memset(&w->now, 0, sizeof(w->now));
	return report(w, LINK_GONE);
}

static bool is_same(const struct link *a, const struct link *b)
{
	return a->ifindex == b->ifindex && !strcmp(a->name, b->name) &&
	       !strcmp(a->kind, b->kind) && a->mac == b->mac &&
	       a->mtu == b->mtu && a->up == b->up && a->carrier == b->carrier &&
	       a->xdp_prog_id == b->xdp_prog_id && a->master == b->master &&
	       a->n_rxq_max == b->n_rxq_max;
}

static bool report_changed(struct link_watch *w, const struct link *now)
{
	if (w->there && is_same(now, &w->now))
		return true;
	w->there = true;
	w->now = *now;
	return report(w, LINK_CHANGED);
}

/* Asks about what @w follows; *there tells whether there is such a thing. */
static int ask(const struct link_watch *w, struct link *now, bool *there)
{
	struct err e = {0};
	int rc = w->ifindex ? link_get_index(w->ifindex, now, &e)
			    : link_get(w->name, now, &e);

	*there = !rc;
	if (!rc || rc == -ENODEV)
		return 0;
	log_warning("%s", e.message);
	return rc;
}

/* Asks, and reports what differs.  What could not be asked is marked still. */
static void visit(struct link_watch *w)
{
	bool removed = w->removed, channels = w->channels, there;
	struct link now;

	w->marked = w->removed = false;
	if (removed && w->there && !report_gone(w))
		return;
	if (ask(w, &now, &there)) {
		mark(w, RETRY_US);
		return;
	}
	if (w->there && (!there || now.ifindex != w->now.ifindex) &&
	    !report_gone(w))
		return;
	w->channels = false;
	if (there && report_changed(w, &now) && channels)
		report(w, LINK_CHANNELS);
}

/* Frees the dead and, with the last of all, what they shared. */
static void sweep(void)
{
	struct link_watch **at = &watches.first;

	while (*at) {
		struct link_watch *w = *at;

		if (w->dead) {
			*at = w->next;
			free(w);
		} else {
			at = &w->next;
		}
	}
	if (watches.first)
		return;
	watches.visit = sd_event_source_disable_unref(watches.visit);
	link_monitor_close();
}

static int on_visit(sd_event_source *source, uint64_t now, void *userdata)
{
	(void)source;
	(void)now;
	(void)userdata;
	watches.visiting = true;
	for (struct link_watch *w = watches.first; w; w = w->next)
		if (w->marked && !w->dead)
			visit(w);
	watches.visiting = false;
	sweep();
	return 0;
}

/* What the first watch brings along for all of them. */
static int watches_open(sd_event *event, struct err *e)
{
	int rc = sd_event_add_time_relative(event, &watches.visit,
	    CLOCK_MONOTONIC, 0, ACCURACY_US, on_visit, NULL);

	if (rc < 0)
		return err_set(e, rc, "sd_event_add_time: %s", strerror(-rc));
	sd_event_source_set_enabled(watches.visit, SD_EVENT_OFF);
	watches.event = event;
	rc = link_monitor_open(event, on_hint, e);
	if (rc)
		watches.visit = sd_event_source_disable_unref(watches.visit);
	return rc;
}

void link_watch_close(struct link_watch *w)
{
	if (!w)
		return;
	w->dead = true;
	if (!watches.visiting)
		sweep();
}

int link_watch_open(struct link_watch **watch, sd_event *event,
    const char *name, link_changed_fn *changed, void *arg, struct err *e)
{
	struct link_watch *w = calloc(1, sizeof(*w));
	int rc = 0;

	if (!w)
		return err_set(e, -ENOMEM, "no memory to watch %s", name);
	w->changed = changed;
	w->arg = arg;
	snprintf(w->name, sizeof(w->name), "%.*s", IFNAMSIZ - 1, name);
	if (!watches.first)
		rc = watches_open(event, e);
	assert(rc || watches.event == event);
	if (rc) {
		free(w);
		return rc;
	}
	w->next = watches.first;
	watches.first = w;
	rc = link_get(name, &w->now, e);
	w->there = !rc;
	if (rc && rc != -ENODEV) {
		link_watch_close(w);
		return rc;
	}
	*watch = w;
	return 0;
}

void link_watch_bind(struct link_watch *w, unsigned ifindex)
{
	w->ifindex = ifindex;
	if (ifindex && w->now.ifindex != ifindex) {
		/* The caller has seen it: its absence would be news. */
		w->now = (struct link){.ifindex = ifindex};
		w->there = true;
		w->removed = w->channels = false;
	}
	mark(w, 0);
}
