/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - the control socket: who may connect, and how many.
 *
 * The socket belongs to the user that the switch runs as, mode 0600.  Should
 * somebody widen the mode, root and that user are still the only ones served.
 * Up to CONTROL_CLIENTS_MAX connections, and one more for root; when all are
 * taken the one that was idle longest makes room, monitors last.
 *
 * Life: opened when the switch is ready to be administered, closed before it.
 * Threads: control.
 */
#ifndef SWITCH_CONTROL_H
#define SWITCH_CONTROL_H

#include "switch/control/control_socket.h"
#include "switch/switch.h"

enum { CONTROL_CLIENTS_MAX = 64 };

struct control;

/* Serves @sw on a socket at @path, by the loop of sw->event.  -EADDRINUSE if
 * another switch answers there; see control_socket.h. */
int control_open(
    struct control **control, struct sw *sw, const char *path, struct err *e);

/* The same on a socket that listens already: another process's, whose place
 * this one is to take. */
int control_inherit(struct control **control, struct sw *sw,
    const struct control_socket *socket, struct err *e);

/* What is listened on. */
const struct control_socket *control_listener(const struct control *control);

/* Ends every connection and removes the socket.  Accepts NULL. */
void control_close(struct control *control);

#endif
