/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic.h - guests that send to each other, all of them on one thread.
 *
 * Who sends to whom is a pattern.  How fast:
 *
 *	windowed  as fast as the receivers get it: never more frames are under
 *	          way to a guest than one of its rings has buffers, so a switch
 *	          that loses a frame does so by its own fault
 *	paced     at a rate given in frames a second, come what may
 *
 * Both ends being here, a sender knows exactly what is under way to a guest:
 *
 *	host[d].sent_to - host[d].received
 *
 * Frames are laid out once, one in each transmit buffer, and are sent again as
 * they are, unless there are more addresses than buffers, or somebody looks.
 *
 * Life: open (connects, makes all addresses known), run, stop, close.
 * Threads: one.
 */
#ifndef BENCH_PARTS_TRAFFIC_H
#define BENCH_PARTS_TRAFFIC_H

#include "bench/parts/card.h"

enum { GUESTS_MAX = 32 };

enum traffic_pattern {
	TRAFFIC_PAIR,	     /* 1 and 2, 3 and 4, ... to each other */
	TRAFFIC_ONE_TO_MANY, /* 1 to each other one, in turn */
	TRAFFIC_MANY_TO_ONE, /* each other one to 1 */
	TRAFFIC_MESH,	     /* everyone to each other one, in turn */
};

enum traffic_look {
	TRAFFIC_NO_LOOK, /* only at the rings */
	TRAFFIC_HEADER,	 /* writes headers and addresses, reads them */
	TRAFFIC_PAYLOAD, /* and reads all that is received */
	TRAFFIC_VERIFY,	 /* and checks it, with the order of frames */
};

struct traffic_config {
	unsigned first; /* guest of the pattern; those before only receive */
	enum traffic_pattern pattern;
	enum traffic_look look;
	unsigned batch;	    /* frames that are sent or returned at least */
	unsigned most;	    /* that a turn takes or sends */
	unsigned under_way; /* to a guest at most */
	uint32_t addresses; /* of each queue of each guest */
	double rate;	    /* of all frames, a second; 0: windowed */
};

/* A queue pair. */
struct lane {
	uint64_t refused; /* due, but the ring was full */
	uint32_t address; /* that the next frame is from */
	uint32_t random;
	uint32_t seq[GUESTS_MAX];      /* of the next frame to each */
	uint32_t expected[GUESTS_MAX]; /* at this guest, from the queue of
					  this number of each */
};

struct host {
	struct card card;
	struct lane lane[CARD_PAIRS_MAX];
	unsigned n_to;
	uint8_t to[GUESTS_MAX];
	uint8_t *goes_to; /* the guest that transmit buffer i goes to */
	uint64_t sent_to, received;
	uint64_t sent;
};

struct traffic {
	struct traffic_config config;
	struct card_config card;
	unsigned n;
	struct host host[GUESTS_MAX];
	bool readdress;	   /* each frame anew */
	bool stopped;	   /* receives only */
	double lane_rate;  /* frames a cycle that a lane sends */
	uint64_t paced_at; /* when the pace began */
	uint64_t paced[GUESTS_MAX][CARD_PAIRS_MAX]; /* sent or refused since */
	uint64_t busy_cycles; /* of turns in which a frame moved */
	uint64_t misplaced;   /* verify: of nobody, or for somebody else */
	uint64_t late;	      /* verify: behind one sent after it */
	uint64_t damaged;     /* verify: not as it was sent */
	uint64_t payload;     /* what was read, so that it is */
};

/* Connects socket[0..n), makes every address known, lays out all frames. */
void traffic_open(struct traffic *t, char *const socket[], unsigned n,
    const struct card_config *card, const struct traffic_config *config);
void traffic_close(struct traffic *t);

/* Plays all guests until clock_cycles() passes @until. */
void traffic_run(struct traffic *t, uint64_t until);

/* Gives all guests a turn, or queue pair @q of guest @g alone. */
void traffic_step(struct traffic *t);
void traffic_turn(struct traffic *t, unsigned g, unsigned q);

/* Takes what is under way for lost, or for arrived. */
void traffic_forgive(struct traffic *t);

/* Begins to count the paced frames from now on. */
void traffic_pace(struct traffic *t);

/* Sends nothing more, and receives until all is there or @ms have passed. */
void traffic_stop(struct traffic *t, unsigned ms);

/* Forgets what was sent and received. */
void traffic_reset_counts(struct traffic *t);

uint64_t traffic_sent(const struct traffic *t);
uint64_t traffic_received(const struct traffic *t);
uint64_t traffic_refused(const struct traffic *t);

/* Ends the program with a sentence if a device broke a rule. */
void traffic_check(const struct traffic *t);

#endif
