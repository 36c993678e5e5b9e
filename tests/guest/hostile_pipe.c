/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile_pipe.c - an application that breaks rules: hostile.h, for a pipe.
 *
 * A port in the client role is not met at once by an application that comes
 * back: it waits from 100 ms to a second before it connects again.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/guest/hostile_pipe.h"

static const uint8_t frame[HOSTILE_FRAME] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0xe1, 0, 0, 0, 1, 0x88, 0xb5};

static struct hostile_pipe *pipe_of(const struct hostile *h)
{
	return (struct hostile_pipe *)((char *)h -
				       offsetof(struct hostile_pipe, h));
}

static struct app_config config_of(
    const struct hostile *h, const struct app_config *config)
{
	struct app_config c = config ? *config : (struct app_config){0};

	c.socket = h->path;
	c.server = h->kind == &hostile_pipe_client;
	if (c.server)
		c.log2_size = 9;
	return c;
}

static void behave(struct hostile *h)
{
	uint64_t before = swd_counter(&h->swd, "evil", "rx_packets");
	struct app_config c = config_of(h, NULL);
	struct app good;
	int err = app_open(&good, &c);

	cr_assert_eq(
	    err, 0, "a good application: %s %s", strerror(-err), good.farewell);
	cr_assert(app_await_free(&good, 0, 1));
	cr_assert_eq(app_send(&good, 0, frame, sizeof(frame)), 0);
	cr_assert(swd_await_counter(&h->swd, "evil", "rx_packets", before + 1));
	cr_assert(app_intact(&good));
	app_close(&good);
	cr_assert(swd_await_state(&h->swd, "evil", "wait"));
}

static bool intact(const struct hostile *h)
{
	return app_intact(&pipe_of(h)->app);
}

static void leave(struct hostile *h)
{
	app_close(&pipe_of(h)->app);
}

const struct hostile_kind hostile_pipe_server = {
    .params = "'type':'pipe','queues':2",
    .socket = "evil",
    .behave = behave,
    .intact = intact,
    .leave = leave,
};

const struct hostile_kind hostile_pipe_trusting = {
    .params = "'type':'pipe','queues':2,'trusted':true",
    .socket = "evil",
    .behave = behave,
    .intact = intact,
    .leave = leave,
};

const struct hostile_kind hostile_pipe_client = {
    .params = "'type':'pipe','queues':2,'role':'client','ring_size':512",
    .socket = "evil",
    .behave = behave,
    .intact = intact,
    .leave = leave,
};

void hostile_pipe_start(struct hostile_pipe *p, const struct hostile_kind *kind)
{
	hostile_start_as(&p->h, kind);
	if (kind != &hostile_pipe_client)
		return;
	/* A new port connects at once. */
	cr_assert_eq(swd_do(&p->h.swd, "port.del", "{'name':'evil'}"), 0);
	cr_assert_eq(hostile_add_port(&p->h), 0);
}

void hostile_pipe_open(struct hostile_pipe *p, const struct app_config *config)
{
	struct app_config c = config_of(&p->h, config);
	int err = app_open(&p->app, &c);

	cr_assert_eq(err, 0, "the hostile application: %s %s", strerror(-err),
	    p->app.farewell);
	p->h.open = true;
	p->out = &p->app.out[0];
	p->in = &p->app.in[0];
	cr_assert(swd_await_state(&p->h.swd, "evil", "up"));
}

void hostile_pipe_begin(struct hostile_pipe *p, const struct hostile_kind *kind,
    const struct app_config *config)
{
	hostile_pipe_start(p, kind);
	hostile_pipe_open(p, config);
}

void hostile_pipe_fill(struct hostile_pipe *p, unsigned n)
{
	cr_assert(app_await_free(&p->app, 0, n));
	for (unsigned k = 0; k < n; k++)
		app_fill(&p->app, 0, k, frame, sizeof(frame));
}

void hostile_pipe_send(struct hostile_pipe *p, unsigned n)
{
	hostile_pipe_fill(p, n);
	app_publish(&p->app, p->out, n);
}

void hostile_pipe_provoke_until_broken(
    struct hostile_pipe *p, const char *reason)
{
	hostile_provoke(&p->h, 1000);
	hostile_expect_state(&p->h, "broken", reason);
	hostile_stop_provoking(&p->h);
}
