/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile.c - a peer that breaks rules, and what must be true afterwards.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/guest/hostile.h"

enum {
	LOG_LINES_MAX = 40,
	TRIES = 300,
	TRY_MS = 10,
	BYSTANDER_P999_US = 20000
};

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* A whole life of a good machine on port evil, one broadcast long. */
static void behave(struct hostile *h)
{
	static const uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0x02, 0xe1, 0, 0, 0, 1, 0x88, 0xb5};
	struct netdev good;
	uint64_t before = swd_counter(&h->swd, "evil", "rx_packets");
	int err =
	    netdev_open(&good, &(struct netdev_config){.socket = h->path});

	cr_assert_eq(err, 0, "a good machine: %s", strerror(-err));
	cr_assert_eq(netdev_send(&good, 0, frame, sizeof(frame), NULL), 0);
	cr_assert(swd_await_counter(&h->swd, "evil", "rx_packets", before + 1));
	cr_assert(netdev_faultless(&good));
	netdev_close(&good);
	cr_assert(swd_await_state(&h->swd, "evil", "wait"));
}

static bool intact(const struct hostile *h)
{
	return guest_memory_canaries_intact(&h->vm.mem);
}

static void leave(struct hostile *h)
{
	netdev_close(&h->vm);
}

static const struct hostile_kind machine = {
    .params = "'type':'vhost-user','queues':2",
    .socket = "vhost/evil",
    .behave = behave,
    .intact = intact,
    .leave = leave,
};

int hostile_add_port(struct hostile *h)
{
	return swd_do(&h->swd, "port.add",
	    "{'name':'evil','bridge':'other','socket':'%s',%s}", h->path,
	    h->kind->params);
}

void hostile_start_as(struct hostile *h, const struct hostile_kind *kind)
{
	memset(h, 0, sizeof(*h));
	h->log_lines = LOG_LINES_MAX;
	h->kind = kind;
	cr_assert_eq(swd_start(&h->swd, NULL), 0);
	h->by = bystander_start(&h->swd, NULL, 0);
	cr_assert_not_null(h->by);
	snprintf(h->path, sizeof(h->path), "%s/%s", h->swd.dir, kind->socket);
	/* Its frames must not reach the bystanders: their count is exact. */
	cr_assert_eq(swd_do(&h->swd, "bridge.add", "{'name':'other'}"), 0);
	cr_assert_eq(hostile_add_port(h), 0);
	cr_assert_eq(swd_do(&h->swd, "port.add",
			 "{'name':'sink','type':'null','bridge':'other'}"),
	    0);
	kind->behave(h);
	h->fds = swd_n_fds(&h->swd);
	h->maps = swd_n_maps(&h->swd);
	h->sunk = swd_counter(&h->swd, "sink", "tx_packets");
}

void hostile_start(struct hostile *h)
{
	hostile_start_as(h, &machine);
}

void hostile_open(struct hostile *h, const struct netdev_config *config)
{
	struct netdev_config c = config ? *config : (struct netdev_config){0};
	int err;

	c.socket = h->path;
	err = netdev_open(&h->vm, &c);
	cr_assert_eq(err, 0, "the hostile machine: %s", strerror(-err));
	h->open = true;
	cr_assert(swd_await_state(&h->swd, "evil", "up"));
}

void hostile_begin(struct hostile *h, const struct netdev_config *config)
{
	uint8_t *p;

	hostile_start(h);
	hostile_open(h, config);
	h->buf = guest_memory_alloc(&h->vm.mem, HOSTILE_BUF_SIZE, 64);
	p = guest_memory_at(&h->vm.mem, h->buf, HOSTILE_BUF_SIZE);
	cr_assert_not_null(p);
	memset(p, 0, HOSTILE_BUF_SIZE);
	memset(p + HOSTILE_HDR, 0xff, 6);
	p[HOSTILE_HDR + 6] = 2;
	p[HOSTILE_HDR + 7] = 1;
}

void hostile_connect(struct hostile *h)
{
	struct netdev_config c = {.socket = h->path};

	cr_assert_eq(netdev_create(&h->vm, &c), 0);
	h->open = true;
	cr_assert_eq(frontend_connect(&h->vm.fe, h->path), 0);
	h->vm.fe.timeout_ms = 2000;
}

void hostile_leave(struct hostile *h)
{
	if (h->open)
		h->kind->leave(h);
	h->open = false;
}

void hostile_expect_state(
    struct hostile *h, const char *state, const char *reason)
{
	struct json_object *port, *v = NULL;

	cr_assert(swd_await_state(&h->swd, "evil", state));
	port = swd_port(&h->swd, "evil");
	json_object_object_get_ex(port, "reason", &v);
	cr_expect(!reason || (v && strstr(json_object_get_string(v), reason)),
	    "reason is '%s', not '%s'", v ? json_object_get_string(v) : "",
	    reason ? reason : "");
	json_object_put(port);
}

void hostile_expect_closed(struct hostile *h)
{
	cr_assert(frontend_closed(&h->vm.fe, 2000), "still connected");
}

void hostile_expect_refused(struct hostile *h, uint32_t request,
    const void *payload, uint32_t size, const int fd[], unsigned n_fd)
{
	struct vu_reply reply;
	int err = frontend_send(&h->vm.fe, request,
	    VU_VERSION | VU_FLAG_NEED_REPLY, payload, size, fd, n_fd);

	if (!err)
		err = frontend_recv(&h->vm.fe, &reply);
	cr_expect(
	    err == -ECONNRESET || err == -EPIPE || (!err && reply.u64 != 0),
	    "request %u: %s", request, err ? strerror(-err) : "accepted");
}

uint64_t hostile_sink(struct hostile *h)
{
	return swd_counter(&h->swd, "sink", "tx_packets") - h->sunk;
}

void hostile_await_sink(struct hostile *h, uint64_t n)
{
	for (int i = 0; i < TRIES && hostile_sink(h) < n; i++)
		pause_ms(TRY_MS);
	cr_assert_geq(hostile_sink(h), n);
}

void hostile_await_drops(struct hostile *h, const char *reason, uint64_t n)
{
	for (int i = 0; i < TRIES && swd_drops(&h->swd, "evil", reason) < n;
	     i++)
		pause_ms(TRY_MS);
	cr_assert_geq(swd_drops(&h->swd, "evil", reason), n, "%s", reason);
}

void hostile_provoke(struct hostile *h, unsigned pps)
{
	cr_assert_eq(swd_do(&h->swd, "port.add",
			 "{'name':'gen','type':'null','bridge':'other',"
			 "'generate':%u,'size':1500}",
			 pps),
	    0);
}

void hostile_stop_provoking(struct hostile *h)
{
	cr_assert_eq(
	    swd_do(&h->swd, "port.set", "{'name':'gen','generate':0}"), 0);
	h->fds++; /* a port that can generate has a timer */
}

static unsigned count_log_lines(const struct hostile *h)
{
	char path[128];
	unsigned n = 0;
	FILE *f;
	int c;

	snprintf(path, sizeof(path), "%s/swd.log", h->swd.dir);
	f = fopen(path, "r");
	cr_assert_not_null(f);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void expect_resources_back(struct hostile *h)
{
	for (int i = 0; i < TRIES; i++, pause_ms(TRY_MS))
		if (swd_n_fds(&h->swd) <= h->fds &&
		    swd_n_maps(&h->swd) <= h->maps)
			return;
	cr_expect_fail("descriptors %u, were %u; mappings %u, were %u",
	    swd_n_fds(&h->swd), h->fds, swd_n_maps(&h->swd), h->maps);
}

static uint64_t number(struct json_object *record, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(record, key, &v);
	return json_object_get_uint64(v);
}

bool hostile_conserved(struct hostile *h)
{
	struct json_object *all =
	    swd_call(&h->swd, "bridge.show", "{\"stats\":true}");
	bool ok = all;

	for (size_t i = 0; ok && i < json_object_array_length(all); i++) {
		struct json_object *b = json_object_array_get_idx(all, i);

		ok = number(b, "rx_packets") + number(b, "flooded") +
			 number(b, "tx_segments") ==
		     number(b, "tx_packets") + number(b, "tx_merged") +
			 number(b, "rx_dropped") + number(b, "tx_dropped");
	}
	json_object_put(all);
	return ok;
}

void hostile_finish(struct hostile *h)
{
	struct bystander_report report;

	cr_assert(swd_alive(&h->swd));
	cr_expect(!h->open || h->kind->intact(h));
	hostile_leave(h);
	h->kind->behave(h);
	bystander_stop(h->by, &report);
	h->report = report;
	report.stalls -= report.stalls < h->stalls ? report.stalls : h->stalls;
	cr_expect(bystander_undisturbed(h->by, &report, BYSTANDER_P999_US));
	expect_resources_back(h);
	cr_expect(hostile_conserved(h), "frames are not conserved");
	cr_expect_leq(count_log_lines(h), h->log_lines);
	bystander_end(h->by);
	h->by = NULL;
	cr_expect_eq(swd_stop(&h->swd), 0);
	swd_fini(&h->swd);
}

void hostile_finish_dropped(struct hostile *h, const char *reason)
{
	hostile_await_drops(h, reason, 1);
	cr_expect_eq(swd_drops(&h->swd, "evil", reason), 1);
	hostile_expect_state(h, "up", NULL);
	hostile_finish(h);
}

void hostile_finish_broken(struct hostile *h, const char *reason)
{
	hostile_expect_state(h, "broken", reason);
	hostile_finish(h);
}

void hostile_abandon(struct hostile *h)
{
	hostile_leave(h);
	bystander_end(h->by);
	h->by = NULL;
	swd_fini(&h->swd);
}
