/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.h - what a virtual machine must be told to use a port.
 *
 * Life: none.  Threads: the caller's.  Ownership: @port, a record of
 * port.show, is borrowed.
 */
#ifndef CLI_GUEST_H
#define CLI_GUEST_H

#include <stdio.h>

struct err;
struct json_object;

/* Prints QEMU's arguments for @port, ready for a shell.  Returns 0, or
 * -EOPNOTSUPP where the port is not for virtual machines. */
int guest_print_qemu(FILE *f, struct json_object *port, struct err *e);

/* Prints libvirt's XML for @port.  Returns as guest_print_qemu(). */
int guest_print_libvirt(FILE *f, struct json_object *port, struct err *e);

#endif
