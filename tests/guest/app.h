/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * app.h - an application at a pipe, in either of memif's roles.
 *
 * As a client it brings one region of memory; bytes in it that it never names
 * to anybody are canaries, and so is the page of the file behind the region:
 *
 *	| rings | canary | buffers of each ring | canary |
 *	0                                     size       file's end
 *
 * As a server it listens, and takes whatever a client brings.
 *
 * Rings are called after what they do for the application: by out[] it sends,
 * from in[] it receives.  Of each, a client moves head and a server tail; what
 * a hostile application does to them it does by hand.
 *
 * Life: open, send and recv, close; or the parts of open.  A server's listener
 * is there from listen to close.
 * Threads: one at a time.  Errors: 0 or -errno; -ECONNRESET if the switch left,
 * app->farewell having its reason if it gave one.
 */
#ifndef TESTS_GUEST_APP_H
#define TESTS_GUEST_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/pipe/message.h"

enum {
	APP_PAIRS_MAX = 2,
	APP_REGIONS_MAX = 16,
	APP_WAIT_MS = 4000,
	APP_PAGE = 4096,
};

/* All zero is a useful client except for the socket, which is copied. */
struct app_config {
	const char *socket;
	bool server;
	unsigned pairs;	      /* 0: 1 */
	unsigned log2_size;   /* of rings; 0: 8 */
	uint32_t buffer_size; /* of a client; 0: 2048 */
	bool unsealable;      /* a client's memory */
	bool in_empty;	      /* a client offers no buffers */
};

struct app_region {
	int fd;
	uint8_t *at;
	uint64_t size;	   /* bytes, as announced */
	uint64_t map_size; /* bytes, of the whole file */
};

struct app_ring {
	struct memif_ring *shared;
	uint16_t mask;	  /* slots - 1 */
	uint16_t next;	  /* index of the next slot for the application */
	uint32_t buffers; /* offset of a client's first */
	int fd;		  /* eventfd */
};

struct app {
	struct app_config config;
	char socket[108]; /* config.socket points here */
	int listener, fd;
	unsigned n_regions, n_out, n_in;
	struct app_region region[APP_REGIONS_MAX];
	struct app_ring out[APP_PAIRS_MAX], in[APP_PAIRS_MAX];
	char farewell[MEMIF_REASON_SIZE + 1];
};

/* Comes up at its socket, with what @config says.  A failed open leaves nothing
 * behind. */
int app_open(struct app *a, const struct app_config *config);
void app_close(struct app *a);

/* The parts of open: a connection, whichever side makes it; and all that is
 * said until rings are live. */
int app_connect(struct app *a, const struct app_config *config);
int app_agree(struct app *a);

/* What a client says between its ACKs: INIT, memory and rings. */
int app_greet(struct app *a, uint32_t id);
int app_bring_memory(struct app *a);
int app_bring_rings(struct app *a);

/* One message, with the descriptor @fd unless that is -1; and the next one, of
 * which a descriptor goes to *fd, or is closed. */
int app_say(const struct app *a, struct memif_msg m, int fd);
int app_hear(struct app *a, struct memif_msg *m, int *fd);

/* Whether the switch hangs up within @timeout_ms; notes its farewell. */
bool app_is_left(struct app *a, int timeout_ms);

/* Whether all canaries have their value, of a client's memory. */
bool app_intact(const struct app *a);

/* The slot @k places after the next one. */
static inline struct memif_desc *app_desc(const struct app_ring *r, unsigned k)
{
	return &r->shared->desc[(r->next + k) & r->mask];
}

/* Where the descriptor's buffer begins. */
uint8_t *app_at(const struct app *a, const struct memif_desc *d);

/* The index that the application moves, and the switch's. */
uint16_t *app_ours(const struct app *a, const struct app_ring *r);
uint16_t *app_theirs(const struct app *a, const struct app_ring *r);

/* Slots of out, or of in, that are the application's to work on. */
unsigned app_n_free(const struct app *a, unsigned pair);
unsigned app_n_waiting(const struct app *a, unsigned pair);

/* Waits until @n slots of out are free: the buffers of a client come a moment
 * after it is connected. */
bool app_await_free(const struct app *a, unsigned pair, unsigned n);

/* The next @n slots are done with; of out, the switch is notified in any case.
 */
void app_publish(const struct app *a, struct app_ring *r, unsigned n);
void app_notify(const struct app_ring *r);

/* Fills the buffer of the slot @k places on with @frame; nothing is published.
 * A frame longer than that is cut off. */
void app_fill(const struct app *a, unsigned pair, unsigned k, const void *frame,
    uint32_t len);

/* Sends, in as many slots as it takes; -ENOSPC: the ring is full. */
int app_send(struct app *a, unsigned pair, const void *frame, uint32_t len);

/* Receives one frame into frame[0..max), sleeping on the ring's descriptor.
 * Returns its length; -ETIMEDOUT; -EMSGSIZE if it is longer. */
int app_recv(
    struct app *a, unsigned pair, void *frame, uint32_t max, int timeout_ms);

#endif
