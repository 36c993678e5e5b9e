/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng.h - writes captures: one section, one Ethernet interface.
 *
 * Blocks are those of the pcapng specification (draft-ietf-opsawg-pcapng), in
 * the byte order of the host, which the section header tells:
 *
 *	Section Header, Interface Description, Enhanced Packet ...,
 *	Interface Statistics
 *
 * Life: pcapng_begin() ─► pcapng_packet() ... ─► pcapng_end().
 * Threads: the caller's.  Ownership: the file stays the caller's, as does
 * the question whether all was written (ferror()).
 */
#ifndef PORTS_PIPE_CLIENT_PCAPNG_H
#define PORTS_PIPE_CLIENT_PCAPNG_H

#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>

/* @snap: bytes of a packet that are kept at most, 0: all of them. */
void pcapng_begin(
    FILE *f, const char *program, const char *interface, uint32_t snap);

/* A packet of @len bytes, in parts, that came @ns nanoseconds after 1970;
 * @kept of its bytes are written. */
void pcapng_packet(FILE *f, uint64_t ns, const struct iovec *part, uint32_t len,
    uint32_t kept);

/* How many packets there were. */
void pcapng_end(FILE *f, uint64_t ns, uint64_t n_received);

#endif
