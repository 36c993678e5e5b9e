/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.h - a vhost-user port in the next process: the front end's view.
 *
 * A front end sees a socket, and the guest sees rings in its own memory.  So
 * what goes along is the socket with what was negotiated over it, a message
 * that has arrived in part included; the guest's memory as files, to be mapped
 * anew; and of each ring what the front end said of it, with its descriptors.
 * Workers change nothing of that but the place at which each ring goes on, one
 * number, because between two batches whatever was taken has been returned.
 *
 * A ring in the next process starts as after any other stop: it is looked up
 * in the memory, and its guest is notified once too often rather than once
 * too few.
 *
 * Threads: control.  As ports/port.h has the operations.
 */
#ifndef PORTS_VHOST_HANDOVER_H
#define PORTS_VHOST_HANDOVER_H

#include "ports/vhost/vhost.h"

/* -EAGAIN while a fault that a worker found waits to be dealt with. */
int vhost_handover_export(struct port *port, enum handover_stage stage,
    struct handover *h, struct json_object *to, struct err *e);

/* Fills in @p, which is new but for its endpoint. */
int vhost_handover_import(struct vhost_port *p, struct handover *h,
    struct json_object *from, struct err *e);

void vhost_handover_resume(struct port *port, struct json_object *from);
void vhost_handover_reclaim(struct port *port);

#endif
