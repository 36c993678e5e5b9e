/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.h - a card in the next process: sockets and program stay.
 *
 * The card must not notice, so nothing of what the kernel knows of is made
 * anew: the sockets are bound to their queues, the program is attached by its
 * link, the memory that both sides name by offsets is the same.  The next
 * process maps the rings of the sockets, where producer and consumer lie, and
 * packet memory (pool.h), of which each socket keeps the slots that it has.
 *
 * What was changed about the card, and is to be put back in the end, becomes
 * the next process's to put back when it has taken over.
 *
 * Threads: control.
 */
#ifndef PORTS_XDP_HANDOVER_H
#define PORTS_XDP_HANDOVER_H

#include "ports/handover.h"
#include "ports/xdp/attach.h"

/* Tells of @a, attached, what each stage has to tell. */
void attach_export(const struct attachment *a, enum handover_stage stage,
    struct handover *h, struct json_object *to);

/* Makes @a, for @port, of what another process told; attach_close() is due in
 * any case, and harmless to the card until attach_recall(). */
int attach_import(struct attachment *a, struct port *port,
    const struct attach_wish *wish, struct handover *h,
    struct json_object *from, struct err *e);

/* Goes on where the other process has stopped. */
void attach_recall(struct attachment *a, struct json_object *from);

#endif
