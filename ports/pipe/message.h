/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.h - what memif's messages must be like, and how ours are made.
 *
 * One table says of each message who sends it and whether a descriptor comes
 * with it; one that breaks these rules never reaches its handler.  Names come
 * from a peer that may have put anything in: they are taken over as printable
 * text, or not at all.
 *
 * Threads: control.
 */
#ifndef PORTS_PIPE_MESSAGE_H
#define PORTS_PIPE_MESSAGE_H

#include <stdbool.h>

#include "ports/pipe/memif.h"

enum {
	PIPE_LOG2_RING_MAX = 14, /* slots; as much as other ends take */
	PIPE_NAME_MAX = MEMIF_NAME_SIZE,
};

/* What is wrong with @m as it arrived, from a client or a server, with a
 * descriptor or without; NULL: nothing that can be told from it alone. */
const char *pipe_message_fault(
    const struct memif_msg *m, bool from_client, bool has_fd);

/* "ADD_RING"; "?" for what is none. */
const char *pipe_message_name(unsigned type);

/* text[0..n] := field[0..n) up to its first 0, every character that is not
 * printable replaced. */
void pipe_message_text(char *text, const uint8_t *field, size_t n);

struct memif_msg pipe_message_ack(void);
struct memif_msg pipe_message_hello(unsigned n_queues, unsigned n_regions);
struct memif_msg pipe_message_init(
    uint32_t id, const char *secret, const char *name);
struct memif_msg pipe_message_add_region(uint64_t size);
struct memif_msg pipe_message_add_ring(
    bool to_server, unsigned index, uint32_t offset, unsigned log2_size);
/* @type: MEMIF_CONNECT, MEMIF_CONNECTED. */
struct memif_msg pipe_message_connect(
    enum memif_msg_type type, const char *name);
struct memif_msg pipe_message_disconnect(const char *reason);

#endif
