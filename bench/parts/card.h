/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * card.h - a light guest: a virtio-net device on a vhost-user socket.
 *
 * A card is the least that a driver can be: it negotiates, lays out memory and
 * rings once, and from then on only struct ring is used.  Ring 2i of a device
 * receives and ring 2i + 1 transmits for queue pair i (virtio 1.2, 5.1.2).
 * Header and frame lie in one buffer, the header first.
 *
 * Memory is one region of huge pages, or of ordinary ones if there are none.
 *
 * Life: open, use, close.  Threads: one.  Errors: open prints a sentence and
 * ends the program, as nothing could be measured without the card.
 */
#ifndef BENCH_PARTS_CARD_H
#define BENCH_PARTS_CARD_H

#include "bench/parts/ring.h"
#include "tests/guest/frontend.h"

enum {
	CARD_PAIRS_MAX = 16,
	CARD_HDR_LEN = 12, /* virtio 1.2, 5.1.6.1: VERSION_1 is a must */
};

struct card_config {
	unsigned pairs;
	unsigned ring_size;
	uint32_t tx_len; /* bytes of every frame that is sent */
	uint32_t rx_max; /* of the longest that can be received */
	bool packed, in_order, mergeable, event_idx;
	bool small_pages;
};

struct card {
	const char *socket;
	struct card_config config; /* as negotiated */
	bool huge;		   /* memory is of huge pages */
	struct frontend fe;
	struct guest_memory mem;
	struct ring rx[CARD_PAIRS_MAX], tx[CARD_PAIRS_MAX];
};

/* Brings up a card at @socket, its receive rings full.  What the switch does
 * not offer of packed, in_order and so on ends the program: the numbers would
 * be taken for those of something else. */
void card_open(
    struct card *c, const char *socket, const struct card_config *config);
void card_close(struct card *c);

/* What a ring of the card has to complain of, or NULL. */
const char *card_fault(const struct card *c);

/* Prints one sentence, "light: " and the rest, and ends the program. */
void card_die(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

#endif
