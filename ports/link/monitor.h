/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * monitor.h - the two sockets at which the kernel announces changes.
 *
 * One pair for the process, whatever the number of interfaces looked at:
 * rtnetlink's group of links and the "monitor" group of ethtool's generic
 * netlink.  Messages are reduced to hints; what became of the interface is
 * for the receiver to ask.
 *
 * Threads: control.
 */
#ifndef PORTS_LINK_MONITOR_H
#define PORTS_LINK_MONITOR_H

#include <systemd/sd-event.h>

#include "switch/base/err.h"

enum link_hint {
	LINK_HINT_CHANGED,  /* something about it, or it was created */
	LINK_HINT_REMOVED,  /* from this namespace */
	LINK_HINT_CHANNELS, /* its queues were set */
};

/* @name is "" where the message does not tell; NULL where messages were lost,
 * so that this may have happened to every interface. */
typedef void link_hint_fn(
    enum link_hint hint, unsigned ifindex, const char *name);

/* Opens the sockets in the namespace of the caller; once, until close.  @hint
 * is called from the loop and must not close the monitor.  0 or -errno. */
int link_monitor_open(sd_event *event, link_hint_fn *hint, struct err *e);
void link_monitor_close(void);

#endif
