/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.h - our XDP program on a card.
 *
 * Loaded once for each card, with a map from queue to socket of its own, and
 * attached by a bpf_link that this process holds: however the process ends,
 * the kernel takes the program off and the card is the host's again.
 *
 * Life: open attaches, close detaches; sockets enter the map when they are
 * ready and leave it when they are closed.  Threads: control.
 */
#ifndef PORTS_XDP_PROGRAM_H
#define PORTS_XDP_PROGRAM_H

#include <stdbool.h>

#include "ports/handover.h"
#include "ports/link/link.h"

struct program;

/* Attaches to @link, run by its driver or, if @generic, by the kernel in its
 * place.  -EBUSY if somebody's program is there already, which is named and
 * left alone; -EOPNOTSUPP if the driver runs none; -EPERM. */
int program_open(struct program **program, const struct link *link,
    bool generic, struct err *e);

/* Has what queue @q receives sent to the socket @fd. */
int program_serve(struct program *program, unsigned q, int fd, struct err *e);

/* The program as another process goes on with it, and that process's. */
void program_export(
    const struct program *program, struct handover *h, struct json_object *to);
int program_import(struct program **program, struct handover *h,
    struct json_object *from, struct err *e);

/* Detaches, unless another process has the program too.  NULL is fine. */
void program_close(struct program *program);

#endif
