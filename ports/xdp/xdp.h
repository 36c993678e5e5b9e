/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp.h - network cards, through AF_XDP sockets on their queues.
 *
 *	xdp.c       the port: waits for its card, follows it, serves the switch
 *	attach.c    a card taken from the host, and given back
 *	program.c   our XDP program on it          (program.bpf.c)
 *	card.c      its settings, and how they were
 *	xsk.c       a socket on one queue          (xsk_rx.c, xsk_tx.c)
 *	umem.c      packet memory, as sockets share it
 */
#ifndef PORTS_XDP_XDP_H
#define PORTS_XDP_XDP_H

#include "ports/port.h"

extern const struct port_ops xdp_port_ops;

#endif
