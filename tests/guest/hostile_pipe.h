/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile_pipe.h - an application that breaks rules: hostile.h, for a pipe.
 *
 * The application brings memory and rings to a switch that is memif's server,
 * or takes them from one that is the client.
 *
 * Life and threads: those of hostile.h.
 */
#ifndef TESTS_GUEST_HOSTILE_PIPE_H
#define TESTS_GUEST_HOSTILE_PIPE_H

#include "tests/guest/app.h"
#include "tests/guest/hostile.h"

/* Port evil: server, server that is trusting, client. */
extern const struct hostile_kind hostile_pipe_server;
extern const struct hostile_kind hostile_pipe_trusting;
extern const struct hostile_kind hostile_pipe_client;

struct hostile_pipe {
	struct hostile h;
	struct app app;
	struct app_ring *out, *in; /* of pair 0 */
};

/* The fixture, and the application up with the options of @config; it is in
 * the other role than the port. */
void hostile_pipe_start(
    struct hostile_pipe *p, const struct hostile_kind *kind);
void hostile_pipe_open(struct hostile_pipe *p, const struct app_config *config);
void hostile_pipe_begin(struct hostile_pipe *p, const struct hostile_kind *kind,
    const struct app_config *config);

/* @n broadcasts of HOSTILE_FRAME bytes in the next slots, not published. */
void hostile_pipe_fill(struct hostile_pipe *p, unsigned n);

/* The same, published. */
void hostile_pipe_send(struct hostile_pipe *p, unsigned n);

/* Broadcasts for the application until the port breaks for @reason. */
void hostile_pipe_provoke_until_broken(
    struct hostile_pipe *p, const char *reason);

#endif
