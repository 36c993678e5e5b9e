/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swd_show.c - the switch under test: what it shows, and what /proc shows.
 *
 * Waiting is asking again until the time is up; nothing here sleeps for a
 * fixed time and hopes.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/swd.h"

enum { PAUSE_NS = 2000000, BRIDGES_MAX = 16 };

/* What the ports of one bridge took in and gave out. */
struct balance {
	const char *bridge;
	uint64_t rx, flooded, tx, drops;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static uint64_t u64_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (o)
		json_object_object_get_ex(o, key, &v);
	return v ? json_object_get_uint64(v) : 0;
}

static const char *string_of(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	if (o)
		json_object_object_get_ex(o, key, &v);
	return v ? json_object_get_string(v) : "";
}

static struct json_object *drops_of(struct json_object *port)
{
	struct json_object *v = NULL;

	if (port)
		json_object_object_get_ex(port, "drops", &v);
	return v;
}

struct json_object *swd_port(struct swd *s, const char *port)
{
	struct json_object *all, *one = NULL;
	char params[96];

	snprintf(
	    params, sizeof(params), "{\"name\":\"%s\",\"stats\":true}", port);
	all = swd_call(s, "port.show", params);
	if (all && json_object_is_type(all, json_type_array) &&
	    json_object_array_length(all) == 1)
		one = json_object_get(json_object_array_get_idx(all, 0));
	json_object_put(all);
	return one;
}

uint64_t swd_counter(struct swd *s, const char *port, const char *key)
{
	struct json_object *p = swd_port(s, port);
	uint64_t value = u64_of(p, key);

	json_object_put(p);
	return value;
}

uint64_t swd_drops(struct swd *s, const char *port, const char *reason)
{
	struct json_object *p = swd_port(s, port);
	uint64_t value = u64_of(drops_of(p), reason);

	json_object_put(p);
	return value;
}

/* True when the time of @deadline is up, else after a short pause false. */
static bool give_up(int64_t deadline)
{
	if (now_ms() > deadline)
		return true;
	nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
	return false;
}

bool swd_await_counter(
    struct swd *s, const char *port, const char *key, uint64_t value)
{
	int64_t deadline = now_ms() + SWD_WAIT_MS;
	uint64_t is;

	while ((is = swd_counter(s, port, key)) < value)
		if (give_up(deadline))
			break;
	if (is != value)
		fprintf(stderr, "%s of %s is %" PRIu64 ", not %" PRIu64 "\n",
		    key, port, is, value);
	return is == value;
}

bool swd_await_drops(
    struct swd *s, const char *port, const char *reason, uint64_t value)
{
	int64_t deadline = now_ms() + SWD_WAIT_MS;
	uint64_t is;

	while ((is = swd_drops(s, port, reason)) < value)
		if (give_up(deadline))
			break;
	if (is != value)
		fprintf(stderr,
		    "drops %s of %s are %" PRIu64 ", not %" PRIu64 "\n", reason,
		    port, is, value);
	return is == value;
}

bool swd_await_state(struct swd *s, const char *port, const char *state)
{
	int64_t deadline = now_ms() + SWD_WAIT_MS;

	for (;;) {
		struct json_object *p = swd_port(s, port);
		bool is = strcmp(string_of(p, "state"), state) == 0;

		if (!is && now_ms() > deadline)
			fprintf(stderr, "state of %s is %s (%s), not %s\n",
			    port, string_of(p, "state"), string_of(p, "reason"),
			    state);
		json_object_put(p);
		if (is)
			return true;
		if (give_up(deadline))
			return false;
	}
}

static struct balance *balance_of(struct balance b[], const char *bridge)
{
	unsigned i = 0;

	while (b[i].bridge && strcmp(b[i].bridge, bridge) != 0 &&
	       i + 1 < BRIDGES_MAX)
		i++;
	b[i].bridge = bridge;
	return &b[i];
}

bool swd_conserved(struct swd *s)
{
	struct json_object *all = swd_call(s, "port.show", "{\"stats\":true}");
	struct balance sums[BRIDGES_MAX] = {0};
	bool ok = all != NULL;

	for (size_t i = 0; all && i < json_object_array_length(all); i++) {
		struct json_object *p = json_object_array_get_idx(all, i);
		struct balance *b = balance_of(sums, string_of(p, "bridge"));

		b->rx += u64_of(p, "rx_packets") + u64_of(p, "tx_segments");
		b->tx += u64_of(p, "tx_packets") + u64_of(p, "tx_merged");
		b->flooded += u64_of(p, "flooded");
		if (drops_of(p)) {
			json_object_object_foreach (drops_of(p), why, n) {
				(void)why;
				b->drops += json_object_get_uint64(n);
			}
		}
	}
	for (unsigned i = 0; i < BRIDGES_MAX && sums[i].bridge; i++) {
		const struct balance *b = &sums[i];

		if (b->rx + b->flooded == b->tx + b->drops)
			continue;
		ok = false;
		fprintf(stderr,
		    "%s: %" PRIu64 " received + %" PRIu64
		    " flooded is not %" PRIu64 " sent + %" PRIu64
		    " dropped: %s\n",
		    b->bridge, b->rx, b->flooded, b->tx, b->drops,
		    json_object_to_json_string(all));
	}
	json_object_put(all);
	return ok;
}

bool swd_fdb_lookup(
    struct swd *s, const char *mac, unsigned vlan, char port[32])
{
	struct json_object *all;
	char params[96], where[32] = "";

	if (vlan)
		snprintf(where, sizeof(where), ",\"vlan\":%u", vlan);
	snprintf(params, sizeof(params), "{\"mac\":\"%s\"%s}", mac, where);
	all = swd_call(s, "fdb.show", params);
	for (size_t i = 0; all && i < json_object_array_length(all); i++) {
		struct json_object *e = json_object_array_get_idx(all, i);

		if (strcmp(string_of(e, "mac"), mac) != 0)
			continue;
		snprintf(port, 32, "%s", string_of(e, "port"));
		json_object_put(all);
		return true;
	}
	json_object_put(all);
	return false;
}

/* Entries of directory or, if @dir is false, lines of file @name of @s. */
static unsigned proc_count(const struct swd *s, const char *name, bool dir)
{
	char path[64];
	unsigned n = 0;
	int c;

	snprintf(path, sizeof(path), "/proc/%d/%s", s->pid, name);
	if (dir) {
		DIR *d = opendir(path);
		struct dirent *e;

		while (d && (e = readdir(d)))
			n += e->d_name[0] != '.';
		if (d)
			closedir(d);
	} else {
		FILE *f = fopen(path, "re");

		while (f && (c = getc(f)) != EOF)
			n += c == '\n';
		if (f)
			fclose(f);
	}
	return n;
}

unsigned swd_n_fds(const struct swd *s)
{
	return proc_count(s, "fd", true);
}

/* A sanitizer in the switch maps memory of its own, as it likes. */
static bool is_sanitized(void)
{
	return getenv("SWD_SANITIZED");
}

unsigned swd_n_maps(const struct swd *s)
{
	return is_sanitized() ? 0 : proc_count(s, "maps", false);
}

/* The number that follows @label in file @name; 0 if it is not there. */
static uint64_t proc_number(
    const struct swd *s, const char *name, const char *label)
{
	char path[64], line[256];
	uint64_t value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", s->pid, name);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, label, strlen(label)) == 0)
			value = strtoull(line + strlen(label), NULL, 10);
	if (f)
		fclose(f);
	return value;
}

uint64_t swd_rss_kib(const struct swd *s)
{
	return is_sanitized() ? 0 : proc_number(s, "status", "RssAnon:");
}

uint64_t swd_cpu_ms(const struct swd *s)
{
	clockid_t clock;
	struct timespec t = {0};

	if (clock_getcpuclockid(s->pid, &clock) != 0)
		return 0;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t swd_run_delay_ns(const struct swd *s)
{
	char path[320];
	uint64_t run, delay, sum = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", s->pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat",
		    s->pid, e->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%" SCNu64 " %" SCNu64, &run, &delay) == 2)
			sum += delay;
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return sum;
}
