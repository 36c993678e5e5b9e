/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile.h - a peer that breaks rules, and what must be true afterwards.
 *
 * A test starts the fixture: a switch, the bystander pair under traffic, and
 * port `evil`.  It does its worst on that port and finishes, which asserts:
 *
 *	- the same process lives, and frames are conserved;
 *	- the bystanders lost nothing and waited for nothing;
 *	- canaries round the hostile peer's memory are intact;
 *	- a well-behaved peer on the same port works at once;
 *	- descriptors and mappings are back to where they were;
 *	- the log did not fill.
 *
 * The peer is a machine unless the test brings another kind, which says what of
 * this is special to it (hostile_pipe.h: an application).
 *
 * Life: start, hostile things, finish; abandon as the suite's fini.
 * Threads: the test's.
 */
#ifndef TESTS_GUEST_HOSTILE_H
#define TESTS_GUEST_HOSTILE_H

#include "tests/guest/bystander.h"
#include "tests/guest/netdev.h"
#include "tests/guest/swd.h"

enum {
	HOSTILE_BUF_SIZE = 65536,
	HOSTILE_HDR = 12,   /* bytes of the virtio-net header there ... */
	HOSTILE_FRAME = 60, /* ... and of a frame behind it */
};

struct hostile;

struct hostile_kind {
	const char *params; /* of port evil, as for swd_do() */
	const char *socket; /* in the run directory */

	/* A whole life of a good peer on port evil, one broadcast long. */
	void (*behave)(struct hostile *h);
	/* Of the hostile peer, while it is there. */
	bool (*intact)(const struct hostile *h);
	void (*leave)(struct hostile *h);
};

struct hostile {
	const struct hostile_kind *kind;
	struct swd swd;
	struct bystander *by;
	char path[108]; /* socket of port evil */
	bool open;	/* the hostile peer is there: */
	struct netdev vm;
	uint64_t buf; /* see hostile_begin() */
	unsigned fds, maps;
	uint64_t sunk; /* frames at the sink when it began */
	/* How many lines the log may have in the end, and how many stalls of
	 * the bystanders are put down to the machine. */
	unsigned log_lines, stalls;
	struct bystander_report report; /* after the end */
};

void hostile_start(struct hostile *h);
void hostile_start_as(struct hostile *h, const struct hostile_kind *kind);

/* Port evil, once more after it was deleted. */
int hostile_add_port(struct hostile *h);

/* The hostile machine, fully negotiated and running; or its memory and its
 * connection alone, nothing said yet. */
void hostile_open(struct hostile *h, const struct netdev_config *config);
void hostile_connect(struct hostile *h);

/* Start and open, and h->buf is the gpa of HOSTILE_BUF_SIZE bytes that a frame
 * may be sent from: zeroes but for a broadcast address behind the header. */
void hostile_begin(struct hostile *h, const struct netdev_config *config);

/* The peer goes away, and may come back by another open or connect. */
void hostile_leave(struct hostile *h);

/* The port shows @state, with @reason somewhere in its reason. */
void hostile_expect_state(
    struct hostile *h, const char *state, const char *reason);

/* The switch closes the machine's connection. */
void hostile_expect_closed(struct hostile *h);

/* The switch refuses the message: a reply that is not 0, or a close. */
void hostile_expect_refused(struct hostile *h, uint32_t request,
    const void *payload, uint32_t size, const int fd[], unsigned n_fd);

/* At least @n frames reached the sink; or were dropped at evil for @reason. */
void hostile_await_sink(struct hostile *h, uint64_t n);
void hostile_await_drops(struct hostile *h, const char *reason, uint64_t n);

/* How many frames reached the sink since the beginning. */
uint64_t hostile_sink(struct hostile *h);

/* Whether no frame is missing on any bridge, ports that left it included. */
bool hostile_conserved(struct hostile *h);

/* Broadcasts of @pps frames a second of 1500 bytes towards evil, and no more. */
void hostile_provoke(struct hostile *h, unsigned pps);
void hostile_stop_provoking(struct hostile *h);

/* The usual ends.  Of all that was sent one frame is refused, for @reason, and
 * the port goes on; or the port breaks. */
void hostile_finish_dropped(struct hostile *h, const char *reason);
void hostile_finish_broken(struct hostile *h, const char *reason);
void hostile_finish(struct hostile *h);
void hostile_abandon(struct hostile *h);

#endif
