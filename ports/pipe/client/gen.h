/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gen.h - what the files of swpipe-gen share.
 *
 * One thread for each queue number serves that queue of every pipe, in turn:
 * what is there is taken, what may be sent is sent.
 *
 * Life: everything from the command line to the summary.
 * Threads: counts have one writer, the worker; the main thread reads them.
 * Ownership: main owns the pipes, a worker what it reaches through them.
 */
#ifndef PORTS_PIPE_CLIENT_GEN_H
#define PORTS_PIPE_CLIENT_GEN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/pipe/client/gen_stream.h"
#include "ports/pipe/client/swpipe.h"

enum {
	GEN_PIPES_MAX = 64,
	GEN_BURST_MAX = 1024,
	GEN_PARTS_MAX = 2048, /* buffers handled at once */
};

enum gen_mode {
	GEN_BOTH,
	GEN_SEND,
	GEN_RECEIVE,
	GEN_ECHO,
};

struct gen_options {
	enum gen_mode mode;
	unsigned size;	  /* of a frame without checksum, bytes */
	unsigned n_flows; /* pairs of addresses */
	unsigned burst;	  /* frames */
	uint64_t rate;	  /* frames a second of each queue; 0: all it can */
	uint64_t kick;	  /* frames with which an echo begins */
	unsigned seconds, warmup;
	unsigned from, to; /* numbers of addresses: of the first pipe, and of
			    * whom a single one sends to */
	int cpu;	   /* of the first thread; -1: anywhere */
	bool polls, quiet;
};

struct gen_counts {
	uint64_t sent, sent_bytes;
	uint64_t received, received_bytes;
	uint64_t lost, late; /* by their numbers: never came, came too late */
	uint64_t foreign;    /* not ours */
	uint64_t unsent;     /* could not be echoed: the ring was full */
};

/* One queue of one pipe, in the hands of a worker. */
struct gen_end {
	struct swpipe_queue *queue;
	unsigned parts;	    /* of a frame that is sent */
	struct probe probe; /* the next, but for its flow and number */
	uint32_t flow;
	uint64_t seq;
	uint64_t due; /* ns: the time up to which frames were sent */
};

struct gen_worker {
	const struct gen_options *o;
	pthread_t thread;
	unsigned n_ends;
	struct gen_end end[GEN_PIPES_MAX];
	struct stream_table streams;
	struct swpipe_buf in[GEN_PARTS_MAX], out[GEN_PARTS_MAX];
	uint64_t now; /* ns */
	unsigned n_idle;
	uint32_t failed; /* atomic: a ring is broken, or a pipe has ended */
	struct gen_counts counts __attribute__((aligned(64)));
};

/* Atomic: workers send no more; workers end. */
extern uint32_t gen_quiet, gen_stop;

/* Reads the command line, or ends the program with what is wrong in it; *p is
 * zero.  What is left from optind on is one socket at least. */
void gen_options_parse(
    int argc, char **argv, struct gen_options *o, struct swpipe_options *p);

/* Readies queue @i of @p for sending to address number @to. */
void gen_end_init(struct gen_end *e, const struct gen_options *o,
    struct swpipe *p, unsigned i, unsigned from, unsigned to);

/* The thread; @worker is a struct gen_worker. */
void *gen_worker_main(void *worker);

#endif
