/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.c - what memif's messages must be like, and how ours are made.
 */
#include <string.h>

#include "ports/pipe/message.h"

enum sender { CLIENT = 1, SERVER = 2, EITHER = CLIENT | SERVER };

static const struct {
	const char *name;
	enum sender sender;
	bool has_fd;
} messages[] = {
    [MEMIF_ACK] = {"ACK", SERVER, false},
    [MEMIF_HELLO] = {"HELLO", SERVER, false},
    [MEMIF_INIT] = {"INIT", CLIENT, false},
    [MEMIF_ADD_REGION] = {"ADD_REGION", CLIENT, true},
    [MEMIF_ADD_RING] = {"ADD_RING", CLIENT, true},
    [MEMIF_CONNECT] = {"CONNECT", CLIENT, false},
    [MEMIF_CONNECTED] = {"CONNECTED", SERVER, false},
    [MEMIF_DISCONNECT] = {"DISCONNECT", EITHER, false},
};

static_assert(sizeof(messages) / sizeof(*messages) == MEMIF_MSG_TYPES,
    "a row for every message");

static const char product[] = "swd";

const char *pipe_message_name(unsigned type)
{
	if (type >= MEMIF_MSG_TYPES || !messages[type].name)
		return "?";
	return messages[type].name;
}

const char *pipe_message_fault(
    const struct memif_msg *m, bool from_client, bool has_fd)
{
	unsigned type = m->type;

	if (type >= MEMIF_MSG_TYPES || !messages[type].name)
		return "a message of unknown type";
	if (!(messages[type].sender & (from_client ? CLIENT : SERVER)))
		return "a message of the other role";
	if (messages[type].has_fd && !has_fd)
		return "a message without its descriptor";
	if (!messages[type].has_fd && has_fd)
		return "a message with a descriptor";
	return NULL;
}

void pipe_message_text(char *text, const uint8_t *field, size_t n)
{
	size_t i;

	for (i = 0; i < n && field[i]; i++)
		text[i] =
		    field[i] >= ' ' && field[i] <= '~' ? (char)field[i] : '?';
	text[i] = '\0';
}

/* field[0..n) := @text, cut off or filled up with zeroes; always with one at
 * the end, which some readers rely on. */
static void put_text(uint8_t *field, size_t n, const char *text)
{
	size_t len = strnlen(text, n - 1);

	memset(field, 0, n);
	memcpy(field, text, len);
}

struct memif_msg pipe_message_ack(void)
{
	return (struct memif_msg){.type = MEMIF_ACK};
}

struct memif_msg pipe_message_hello(unsigned n_queues, unsigned n_regions)
{
	struct memif_msg m = {.type = MEMIF_HELLO};

	put_text(m.hello.name, sizeof(m.hello.name), product);
	m.hello.min_version = m.hello.max_version = MEMIF_VERSION;
	m.hello.max_region = (uint16_t)(n_regions - 1);
	m.hello.max_ring_to_client = (uint16_t)(n_queues - 1);
	m.hello.max_ring_to_server = (uint16_t)(n_queues - 1);
	m.hello.max_log2_ring_size = PIPE_LOG2_RING_MAX;
	return m;
}

struct memif_msg pipe_message_init(
    uint32_t id, const char *secret, const char *name)
{
	struct memif_msg m = {.type = MEMIF_INIT};

	m.init.version = MEMIF_VERSION;
	m.init.id = id;
	m.init.mode = MEMIF_MODE_ETHERNET;
	memcpy(m.init.secret, secret, strnlen(secret, sizeof(m.init.secret)));
	put_text(m.init.name, sizeof(m.init.name), name);
	return m;
}

struct memif_msg pipe_message_add_region(uint64_t size)
{
	struct memif_msg m = {.type = MEMIF_ADD_REGION};

	m.add_region.size = size;
	return m;
}

struct memif_msg pipe_message_add_ring(
    bool to_server, unsigned index, uint32_t offset, unsigned log2_size)
{
	struct memif_msg m = {.type = MEMIF_ADD_RING};

	m.add_ring.flags = to_server ? MEMIF_RING_TO_SERVER : 0;
	m.add_ring.index = (uint16_t)index;
	m.add_ring.offset = offset;
	m.add_ring.log2_size = (uint8_t)log2_size;
	return m;
}

struct memif_msg pipe_message_connect(
    enum memif_msg_type type, const char *name)
{
	struct memif_msg m = {.type = (uint16_t)type};

	put_text(m.connect.name, sizeof(m.connect.name), name);
	return m;
}

struct memif_msg pipe_message_disconnect(const char *reason)
{
	struct memif_msg m = {.type = MEMIF_DISCONNECT};

	m.disconnect.code = 1;
	put_text(m.disconnect.reason, sizeof(m.disconnect.reason), reason);
	return m;
}
