/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h - being told when a network interface changes.
 *
 *	          bind(ifindex)
 *	by name ───────────────► by index
 *	        ◄───────────────
 *	            bind(0)
 *
 * A watch follows whichever interface bears its name, until it is bound to an
 * index: then it follows that one, through renames, until it is gone.  So a
 * driver waits for a card by name, binds while it uses it, and on LINK_GONE
 * binds to 0 to wait for the name's return.
 *
 * Messages of the kernel are only hints that something happened: what is
 * reported is what it answers when asked afterwards, compared with what was
 * reported before.  That is why partial, old and lost messages (ENOBUFS) do
 * no harm, and why several changes in a row may be reported as one.  A report
 * may repeat what the caller knows; none is missing.  An interface that was
 * replaced is reported as gone first, then as changed.
 *
 * Life: open (reports nothing about what is there already), any number of
 * binds, close.  Open the watch, then ask link_get(): in this order no change
 * falls between the two.
 * Threads: control.  All watches share one pair of sockets, opened with the
 * first watch and closed with the last, and the event loop of the first.
 * Ownership: the watch is the caller's until close.  Callbacks come from the
 * event loop, never from the functions below, and may open, bind and close
 * any watch, their own included.
 *
 * The kernel does not announce everything: an XDP program attached by a
 * bpf_link, and queues that a driver changes on its own, are found out with
 * the next change of something else.
 */
#ifndef PORTS_LINK_WATCH_H
#define PORTS_LINK_WATCH_H

#include <systemd/sd-event.h>

#include "ports/link/link.h"

enum link_event {
	LINK_CHANGED,  /* it appeared, or something of struct link differs */
	LINK_GONE,     /* removed, moved to another namespace or, followed by
			* name, renamed; @now is NULL */
	LINK_CHANNELS, /* somebody set its queues, maybe to what they were */
};

struct link_watch;

/* @now lives as long as the call. */
typedef void link_changed_fn(
    void *arg, enum link_event what, const struct link *now);

/* Starts to follow @name, which need not exist.  Returns 0 or -errno. */
int link_watch_open(struct link_watch **watch, sd_event *event,
    const char *name, link_changed_fn *changed, void *arg, struct err *e);

/* Follows interface @ifindex from now on, 0: the name.  If that one is gone
 * already, or differs from what was reported last, this is reported soon. */
void link_watch_bind(struct link_watch *w, unsigned ifindex);

/* No callback comes afterwards.  NULL is fine. */
void link_watch_close(struct link_watch *w);

#endif
