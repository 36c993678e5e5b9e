/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover_succession.c - the switch that comes, and takes the other's place.
 *
 * It becomes what the other one is by the lines of its configuration; only
 * that ports, where they are opened, are imported (bridge_port.c).  Lines about
 * ports that cannot be are kept for when the other one has let them go.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/grammar.h"
#include "switch/base/clock.h"
#include "switch/base/log.h"
#include "switch/bridge.h"
#include "switch/control/config.h"
#include "switch/takeover.h"
#include "switch/takeover_addresses.h"
#include "switch/takeover_counters.h"
#include "switch/takeover_record.h"
#include "switch/version.h"

enum { ASK_MS = 10000, END_MS = 5000 };

struct succession {
	int fd;
	char path[108];		 /* of the control socket */
	struct json_object *doc; /* of PORTS */
	struct handover handover;
	struct inheritance inheritance;
	port_no port_of[SWITCH_PORTS_MAX]; /* by number there, number here */
	int listener;			   /* for those who succeed us */
	bool left_out; /* there are ports to be opened at the end */
};

static int connect_to(struct succession *s, const char *control, struct err *e)
{
	struct sockaddr_un a;
	int rc = takeover_address(&a, control, e);

	if (rc)
		return rc;
	s->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (s->fd >= 0 && !connect(s->fd, (struct sockaddr *)&a, sizeof(a)))
		return 0;
	rc = err_set(
	    e, -errno, "no switch to take over from at %s: %m", a.sun_path);
	err_hint(e, "start this one without --takeover");
	return rc;
}

static int say_hello(struct succession *s, struct err *e)
{
	struct json_object *doc = json_object_new_object();
	int rc;

	port_show_str(doc, "swd", SWITCH_VERSION);
	json_object_object_add(doc, "types", port_types_inheritable());
	rc = takeover_send(s->fd, TAKEOVER_HELLO, doc, NULL, e);
	json_object_put(doc);
	return rc;
}

/* Default places of sockets are in the run directory: it must be the same. */
static int check_rundir(
    const struct succession *s, const char *rundir, struct err *e)
{
	const char *theirs = port_param_str(s->doc, "rundir", "");

	if (!strcmp(theirs, rundir))
		return 0;
	err_set(e, -EINVAL,
	    "the switch that runs has run directory %s and "
	    "not %s",
	    theirs, rundir);
	err_hint(e, "-r %s", theirs);
	return -EINVAL;
}

/* What its service manager tells only to a process that it started itself. */
static void become_the_service(struct json_object *doc)
{
	const char *notify = port_param_str(doc, "notify", NULL);
	uint64_t us = handover_u64(doc, "watchdog_us");
	char text[24];

	if (notify)
		setenv("NOTIFY_SOCKET", notify, 1);
	if (!us)
		return;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)us);
	setenv("WATCHDOG_USEC", text, 1);
	snprintf(text, sizeof(text), "%d", getpid());
	setenv("WATCHDOG_PID", text, 1);
}

int succession_ask(struct succession **succession, const char *path,
    const char *rundir, struct err *e)
{
	struct succession *s = calloc(1, sizeof(*s));
	struct json_object *ports;
	int rc;

	if (!s)
		return err_set(e, -ENOMEM, "no memory for a takeover");
	s->fd = s->listener = -1;
	memset(s->port_of, 0xff, sizeof(s->port_of));
	snprintf(s->path, sizeof(s->path), "%s", path);
	rc = connect_to(s, path, e);
	if (!rc)
		rc = say_hello(s, e);
	if (!rc)
		rc = takeover_receive(
		    s->fd, TAKEOVER_PORTS, &s->doc, &s->handover, ASK_MS, e);
	if (!rc && !json_object_object_get_ex(s->doc, "ports", &ports))
		rc = err_set(e, -EPROTO, "the other switch tells of no ports");
	if (!rc)
		rc = check_rundir(s, rundir, e);
	if (rc) {
		succession_close(s);
		return rc;
	}
	s->inheritance = (struct inheritance){ports, &s->handover};
	become_the_service(s->doc);
	*succession = s;
	return 0;
}

int succession_open_pool(
    struct succession *s, struct pool **pool, struct err *e)
{
	return pool_inherit(pool,
	    handover_take_fd(&s->handover, s->doc, "pool"),
	    handover_u64(s->doc, "pool_size"),
	    port_param_bool(s->doc, "pool_huge", false), e);
}

int succession_take_listener(struct succession *s)
{
	int fd = s->listener;

	s->listener = -1;
	return fd;
}

/* The port that a line is about, or NULL. */
static const char *port_of_line(
    const struct grammar_command *cmd, struct json_object *params)
{
	static const struct {
		const char *method, *key;
	} about[] = {{"port.add", "name"}, {"port.set", "name"},
	    {"fdb.add", "port"}, {"worker.move", "port"}};

	for (size_t i = 0; cmd && i < sizeof(about) / sizeof(about[0]); i++)
		if (!strcmp(cmd->method, about[i].method))
			return port_param_str(params, about[i].key, NULL);
	return NULL;
}

static bool is_left_out(
    const struct succession *s, const char *line, struct err *e)
{
	const struct grammar_command *cmd = NULL;
	struct json_object *params = NULL;
	const char *port;
	bool yes = false;

	if (!grammar_parse_line(line, &cmd, &params, e)) {
		port = port_of_line(cmd, params);
		yes = port && !json_object_object_get_ex(
				  s->inheritance.ports, port, NULL);
		if (yes && !strcmp(cmd->method, "port.add"))
			log_notice("port %s cannot be handed over: it is "
				   "closed and opened anew",
			    port);
	}
	json_object_put(params);
	return yes;
}

/* The configuration without what is left out, the caller's; NULL: no memory. */
static char *first_lines(struct succession *s)
{
	const char *text = port_param_str(s->doc, "config", "");
	char *kept = NULL, *line;
	size_t size;
	FILE *f = open_memstream(&kept, &size);

	for (size_t n; f && *text; text += n + (text[n] == '\n')) {
		n = strcspn(text, "\n");
		line = strndup(text, n);
		if (line && is_left_out(s, line, NULL))
			s->left_out = true;
		else
			fprintf(f, "%s\n", line ? line : "");
		free(line);
	}
	if (!f || fclose(f)) {
		free(kept);
		return NULL;
	}
	return kept;
}

static int configure(struct succession *s, struct sw *sw, struct err *e)
{
	char *text = first_lines(s);
	int rc = text ? config_apply(sw, text, NULL, e)
		      : err_set(e, -ENOMEM, "no memory for a configuration");

	free(text);
	return rc < 0 ? rc : 0;
}

static void number_ports(struct succession *s, struct sw *sw)
{
	struct json_object *numbers;

	if (!json_object_object_get_ex(s->doc, "numbers", &numbers))
		return;
	json_object_object_foreach (numbers, name, number) {
		struct bridge_port *bp = bridge_port_find(sw, name, NULL);
		int no = json_object_get_int(number);

		if (bp && no >= 0 && no < SWITCH_PORTS_MAX)
			s->port_of[no] = bp->port->no;
	}
}

static int take_control(struct succession *s, struct sw *sw,
    struct control **control, struct err *e)
{
	struct control_socket socket;

	socket.fd = handover_take_fd(&s->handover, s->doc, "control");
	socket.lock_fd = handover_take_fd(&s->handover, s->doc, "lock");
	s->listener = handover_take_fd(&s->handover, s->doc, "takeover");
	memcpy(socket.path, s->path, sizeof(socket.path));
	if (socket.fd < 0 || socket.lock_fd < 0 || s->listener < 0)
		return err_set(e, -EPROTO, "the control socket is missing");
	return control_inherit(control, sw, &socket, e);
}

int succession_prepare(struct succession *s, struct sw *sw,
    struct control **control, struct err *e)
{
	int rc;

	sw->inherited = &s->inheritance;
	rc = configure(s, sw, e);
	if (rc)
		return rc;
	number_ports(s, sw);
	rc = addresses_import(sw, s->port_of, &s->handover, s->doc, e);
	return rc < 0 ? rc : take_control(s, sw, control, e);
}

/* Whether @places has something about every port that is inherited. */
static int check_places(
    struct succession *s, struct json_object *places, struct err *e)
{
	if (!places)
		return err_set(e, -EPROTO, "the other switch tells no places");
	json_object_object_foreach (s->inheritance.ports, name, state) {
		(void)state;
		if (!json_object_object_get_ex(places, name, NULL))
			return err_set(
			    e, -EPROTO, "where port %s is is not told", name);
	}
	return 0;
}

/* Lets all queues go live, and the workers at them at once. */
static void resume(struct sw *sw, struct json_object *places)
{
	switch_publish_hold(sw);
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		struct port *port = sw->port[no] ? sw->port[no]->port : NULL;
		struct json_object *from;

		if (port &&
		    json_object_object_get_ex(places, port->name, &from))
			port->ops->resume_state(port, from);
	}
	switch_publish_release(sw);
	sw->inherited = NULL;
}

/* The other one closes ports that it could not hand over, and ends. */
static void open_the_others(struct succession *s, struct sw *sw)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	struct err e = {0};
	int rc;

	if (poll(&p, 1, END_MS) <= 0)
		log_warning("takeover: the other switch does not end");
	if (!s->left_out)
		return;
	rc = config_apply(sw, port_param_str(s->doc, "config", ""), NULL, &e);
	if (rc < 0)
		log_err("takeover: what could not be handed over is not there "
			"again: %s",
		    e.message);
}

/* Which slots of packet memory are with a card, and which are free. */
static int adopt_pool(struct pool *pool, struct handover *h,
    struct json_object *from, struct err *e)
{
	size_t size = pool->n_slots * sizeof(pool->holder[0]);
	int fd = handover_take_fd(h, from, "holders");
	uint16_t *holder = malloc(size);
	int rc = 0;

	if (!holder || fd < 0 || pread(fd, holder, size, 0) != (ssize_t)size)
		rc = err_set(e, -EPROTO, "who holds packet memory is missing");
	else
		pool_adopt(pool, holder);
	free(holder);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Reads PLACES into *doc; nothing is visible yet. */
static int take_places(struct succession *s, struct sw *sw,
    struct json_object **doc, struct err *e)
{
	struct json_object *places = NULL;
	struct handover h = {0};
	int rc = takeover_receive(s->fd, TAKEOVER_PLACES, doc, &h, ASK_MS, e);

	if (!rc) {
		json_object_object_get_ex(*doc, "ports", &places);
		rc = check_places(s, places, e);
	}
	if (!rc)
		rc = adopt_pool(sw->pool, &h, *doc, e);
	if (!rc)
		rc = addresses_import(sw, s->port_of, &h, *doc, e);
	if (rc >= 0)
		rc = counters_import(sw, *doc, e);
	handover_close(&h);
	return rc;
}

int succession_complete(struct succession *s, struct sw *sw, struct err *e)
{
	struct json_object *doc = NULL, *places;
	int rc = takeover_send(s->fd, TAKEOVER_PREPARED, NULL, NULL, e);

	if (!rc)
		rc = take_places(s, sw, &doc, e);
	if (!rc)
		rc = takeover_send(s->fd, TAKEOVER_ACCEPTED, NULL, NULL, e);
	if (!rc)
		rc = takeover_receive(
		    s->fd, TAKEOVER_YOURS, NULL, NULL, ASK_MS, e);
	if (!rc) {
		json_object_object_get_ex(doc, "ports", &places);
		resume(sw, places);
		takeover_send(s->fd, TAKEOVER_RUNNING, NULL, NULL, NULL);
		log_info("taken over, after a pause of %u us",
		    (unsigned)((clock_ns() - handover_u64(doc, "stopped_ns")) /
			       1000));
		open_the_others(s, sw);
	}
	json_object_put(doc);
	return rc;
}

void succession_close(struct succession *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->listener >= 0)
		close(s->listener);
	handover_close(&s->handover);
	json_object_put(s->doc);
	free(s);
}
