/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlan.h - 802.1Q: which VLAN a frame belongs to, and its tag on the way out.
 *
 * Inside the switch a frame of a VLAN-aware bridge carries no tag of its
 * VLAN: vlan_classify() takes it off and remembers it in frame.tci, and
 * vlan_dress() puts it on again, in the head, for the ports that want it.
 *
 * A frame that would leave untagged although another tag follows is refused:
 * the next bridge would take the inner tag for the frame's VLAN.
 */
#ifndef SWITCH_VLAN_H
#define SWITCH_VLAN_H

#include "switch/snapshot.h"

/* Finds the VLAN of @f, which came in by @from, and takes its tag off (IEEE
 * 802.1Q, 6.9, 8.6.2).  Returns DROP_NONE, or why the frame is refused. */
enum drop_reason vlan_classify(
    const struct snapshot_port *from, struct frame *f);

/* Gives @f the form in which it leaves by @to: tagged or not (802.1Q, 6.9.2). */
enum drop_reason vlan_dress(const struct snapshot_port *to, struct frame *f);

#endif
