/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * takeover_leaver.c - the switch that runs, and is being succeeded.
 *
 * Everything up to its end can be taken back, and the way back is the same at
 * each step: start the workers, if they were stopped, and forget about it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "switch/base/log.h"
#include "switch/bridge.h"
#include "switch/control/rpc.h"
#include "switch/takeover.h"
#include "switch/takeover_addresses.h"
#include "switch/takeover_counters.h"
#include "switch/takeover_record.h"
#include "switch/version.h"

enum {
	SOCKET_MODE = 0600,
	PREPARE_MS = 10000, /* while frames flow */
	STOPPED_MS = 1000,  /* while none does */
	AGE_ALL_S = INT32_MAX,
	AGE_SLACK_S = 2, /* stamps are whole seconds */
};

struct leaver {
	struct sw *sw;
	struct control *control;
	struct sockaddr_un address;
	int fd; /* listening */
	sd_event_source *source;

	/* Who wants to succeed us; -1 and NULL: nobody. */
	int peer, pidfd;
	pid_t pid;
	sd_event_source *peer_source;
	struct json_object *types; /* that it can take */
};

static void part(struct leaver *l)
{
	l->peer_source = sd_event_source_disable_unref(l->peer_source);
	if (l->peer >= 0)
		close(l->peer);
	if (l->pidfd >= 0)
		close(l->pidfd);
	l->peer = l->pidfd = -1;
	json_object_put(l->types);
	l->types = NULL;
}

/* Whether port @bp goes along: we can describe it, and it can be taken. */
static bool goes_along(const struct leaver *l, const struct bridge_port *bp)
{
	const struct port_ops *ops = bp->port->ops;
	size_t n = l->types ? json_object_array_length(l->types) : 0;

	for (size_t i = 0; ops->export_state && i < n; i++) {
		struct json_object *type =
		    json_object_array_get_idx(l->types, i);

		if (!strcmp(json_object_get_string(type), ops->type))
			return true;
	}
	return false;
}

static struct json_object *add_object(struct json_object *to, const char *key)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(to, key, o);
	return o;
}

/* What each port that goes along has to tell at @stage. */
static int describe_ports(struct leaver *l, enum handover_stage stage,
    struct handover *h, struct json_object *to, struct err *e)
{
	struct json_object *ports = add_object(to, "ports");
	int rc = 0;

	for (unsigned no = 0; !rc && no < SWITCH_PORTS_MAX; no++) {
		struct bridge_port *bp = l->sw->port[no];

		if (bp && goes_along(l, bp))
			rc = bp->port->ops->export_state(bp->port, stage, h,
			    add_object(ports, bp->port->name), e);
	}
	return rc;
}

/* The lines of `config show`, as one text. */
static int describe_config(struct sw *sw, struct json_object *to, struct err *e)
{
	struct json_object *lines = NULL;
	char *text = NULL;
	size_t size;
	FILE *f;
	int rc = rpc_call(sw, NULL, "config.show", NULL, &lines, e);

	if (rc)
		return rc;
	f = open_memstream(&text, &size);
	for (size_t i = 0; f && i < json_object_array_length(lines); i++)
		fprintf(f, "%s\n",
		    port_param_str(
			json_object_array_get_idx(lines, i), "line", ""));
	if (!f || fclose(f))
		rc = err_set(e, -ENOMEM, "no memory for the configuration");
	else
		port_show_str(to, "config", text);
	free(text);
	json_object_put(lines);
	return rc;
}

/* What the service manager told us, which it will not tell our successor. */
static void describe_service(struct json_object *to)
{
	const char *notify = getenv("NOTIFY_SOCKET");
	uint64_t us = 0;

	if (notify)
		port_show_str(to, "notify", notify);
	if (sd_watchdog_enabled(0, &us) > 0)
		port_show_u64(to, "watchdog_us", us);
}

static int describe_all(
    struct leaver *l, struct handover *h, struct json_object *to, struct err *e)
{
	const struct control_socket *socket = control_listener(l->control);
	struct json_object *numbers = add_object(to, "numbers");
	int rc;

	port_show_str(to, "swd", SWITCH_VERSION);
	port_show_str(to, "rundir", l->sw->rundir);
	port_show_u64(to, "pool_size", l->sw->pool->size);
	port_show_bool(to, "pool_huge", l->sw->pool->huge);
	handover_put_fd(h, to, "pool", l->sw->pool->fd);
	handover_put_fd(h, to, "control", socket->fd);
	handover_put_fd(h, to, "lock", socket->lock_fd);
	handover_put_fd(h, to, "takeover", l->fd);
	describe_service(to);
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		if (l->sw->port[no])
			port_show_u64(numbers, l->sw->port[no]->port->name, no);
	rc = describe_config(l->sw, to, e);
	if (!rc)
		rc = describe_ports(l, HANDOVER_RUNNING, h, to, e);
	if (!rc)
		rc = addresses_export(l->sw, AGE_ALL_S, h, to, e);
	return rc;
}

/* The first half, during which frames flow. */
static int prepare(struct leaver *l, struct err *e)
{
	struct json_object *doc = json_object_new_object();
	struct handover h = {0};
	int rc = describe_all(l, &h, doc, e);

	if (!rc)
		rc = takeover_send(l->peer, TAKEOVER_PORTS, doc, &h, e);
	addresses_close(&h, doc);
	handover_close(&h);
	json_object_put(doc);
	return rc ? rc
		  : takeover_receive(
			l->peer, TAKEOVER_PREPARED, NULL, NULL, PREPARE_MS, e);
}

/* Which slots of packet memory are with a card; -1 with a sentence, or a
 * descriptor, the caller's. */
static int write_holders(const struct pool *pool, struct err *e)
{
	size_t size = pool->n_slots * sizeof(pool->holder[0]);
	int fd = memfd_create("swd-holders", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, pool->holder, size) == (ssize_t)size)
		return fd;
	err_set(e, -ENOMEM, "no memory to tell who holds packet memory");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The second half, during which none does: what workers have changed, the
 * addresses seen in the last @age_s seconds included. */
static int give_places(struct leaver *l, uint32_t age_s, struct err *e)
{
	struct json_object *doc = json_object_new_object();
	struct handover h = {0};
	int rc, holders;

	port_show_u64(doc, "stopped_ns", clock_ns());
	switch_stop(l->sw);
	rc = describe_ports(l, HANDOVER_STOPPED, &h, doc, e);
	holders = rc ? -1 : write_holders(l->sw->pool, e);
	handover_put_fd(&h, doc, "holders", holders);
	if (!rc && holders < 0)
		rc = -ENOMEM;
	if (!rc)
		rc = addresses_export(l->sw, age_s, &h, doc, e);
	if (!rc)
		rc = counters_export(l->sw, doc, e);
	if (!rc)
		rc = takeover_send(l->peer, TAKEOVER_PLACES, doc, &h, e);
	if (holders >= 0)
		close(holders);
	addresses_close(&h, doc);
	handover_close(&h);
	json_object_put(doc);
	return rc ? rc
		  : takeover_receive(
			l->peer, TAKEOVER_ACCEPTED, NULL, NULL, STOPPED_MS, e);
}

/* Returns when the process that would succeed us has ended; if it cannot be
 * made to, we are the one too many. */
static void see_it_end(struct leaver *l)
{
	struct pollfd p = {.fd = l->pidfd, .events = POLLIN};

	if (pidfd_send_signal(l->pidfd, SIGKILL, NULL, 0) && errno != ESRCH) {
		log_err("takeover: process %d cannot be ended: %m", l->pid);
		_exit(1);
	}
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

/* Ports that our successor opens anew are let go in good order. */
static void close_the_others(struct leaver *l)
{
	struct json_object *params = json_object_new_object();

	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		struct bridge_port *bp = l->sw->port[no];

		if (!bp || goes_along(l, bp))
			continue;
		port_show_str(params, "name", bp->port->name);
		bridge_port_del(l->sw, params, NULL);
	}
	json_object_put(params);
}

/* Nothing that has gone along is taken down: it is in use. */
static void leave(struct leaver *l)
{
	sd_notifyf(0, "MAINPID=%d", l->pid);
	close_the_others(l);
	log_info("process %d has taken over", l->pid);
	_exit(0);
}

static void reclaim(struct leaver *l)
{
	see_it_end(l);
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++) {
		struct bridge_port *bp = l->sw->port[no];

		if (bp && goes_along(l, bp))
			bp->port->ops->reclaim_state(bp->port);
	}
}

/* Returns if, and as soon as, workers are to go on here. */
static int let_go(struct leaver *l, struct err *e)
{
	int rc = takeover_send(l->peer, TAKEOVER_YOURS, NULL, NULL, e);

	if (!rc)
		rc = takeover_receive(
		    l->peer, TAKEOVER_RUNNING, NULL, NULL, STOPPED_MS, e);
	if (!rc)
		leave(l);
	reclaim(l);
	return rc;
}

static int hand_over(struct leaver *l, struct err *e)
{
	uint64_t begin = clock_ms();
	int rc = prepare(l, e);

	if (rc)
		return rc;
	rc = give_places(
	    l, (uint32_t)((clock_ms() - begin) / 1000) + AGE_SLACK_S, e);
	if (!rc)
		rc = let_go(l, e);
	switch_go_on(l->sw);
	return rc;
}

/* The peer has said something, which can be nothing but HELLO, or is gone. */
static int on_hello(
    sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct json_object *hello = NULL, *types;
	struct leaver *l = userdata;
	struct err e = {0};
	int rc = takeover_receive(fd, TAKEOVER_HELLO, &hello, NULL, 0, &e);

	(void)source;
	(void)revents;
	if (!rc && json_object_object_get_ex(hello, "types", &types) &&
	    json_object_is_type(types, json_type_array))
		l->types = json_object_get(types);
	if (!rc) {
		log_info("process %d, swd %s, wants to take over", l->pid,
		    port_param_str(hello, "swd", "?"));
		rc = hand_over(l, &e);
	}
	if (rc) {
		log_warning("not taken over: %s", e.message);
		takeover_refuse(fd, &e);
	}
	json_object_put(hello);
	part(l);
	return 0;
}

/* Whether the peer of @fd is of our user; *pid is who. */
static bool is_one_of_us(int fd, pid_t *pid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	*pid = cred.pid;
	return cred.uid == geteuid();
}

static int admit(struct leaver *l, int fd)
{
	const struct timeval limit = {.tv_usec = STOPPED_MS * 1000 - 1};

	l->peer = fd;
	l->pidfd = pidfd_open(l->pid, 0);
	if (l->pidfd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		return -errno;
	return sd_event_add_io(
	    l->sw->event, &l->peer_source, fd, EPOLLIN, on_hello, l);
}

static int on_connect(
    sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct leaver *l = userdata;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC), rc;
	pid_t pid;

	(void)source;
	(void)revents;
	if (peer < 0)
		return 0;
	if (!is_one_of_us(peer, &pid)) {
		log_warning("takeover: somebody is turned away");
		close(peer);
		return 0;
	}
	part(l); /* whoever came before and has said nothing yet */
	l->pid = pid;
	rc = admit(l, peer);
	if (rc < 0) {
		log_warning("takeover: process %d: %s", pid, strerror(-rc));
		part(l);
	}
	return 0;
}

/* The control socket's lock is ours, so whatever lies there is left over. */
static int listen_there(struct leaver *l, struct err *e)
{
	const struct sockaddr *a = (const struct sockaddr *)&l->address;

	l->fd =
	    socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(l->address.sun_path);
	if (l->fd < 0 || fchmod(l->fd, SOCKET_MODE) ||
	    bind(l->fd, a, sizeof(l->address)) || listen(l->fd, 1))
		return err_set(
		    e, -errno, "listening at %s: %m", l->address.sun_path);
	return 0;
}

int leaver_open(struct leaver **leaver, struct sw *sw, struct control *control,
    struct succession *succession, struct err *e)
{
	struct leaver *l = calloc(1, sizeof(*l));
	int rc;

	if (!l)
		return err_set(e, -ENOMEM, "no memory for a takeover");
	l->sw = sw;
	l->control = control;
	l->peer = l->pidfd = -1;
	l->fd = succession ? succession_take_listener(succession) : -1;
	rc = takeover_address(&l->address, control_listener(control)->path, e);
	if (!rc && l->fd < 0)
		rc = listen_there(l, e);
	if (!rc) {
		rc = sd_event_add_io(
		    sw->event, &l->source, l->fd, EPOLLIN, on_connect, l);
		if (rc < 0)
			err_set(e, rc, "event loop: %s", strerror(-rc));
	}
	if (rc < 0) {
		if (l->fd >= 0)
			close(l->fd);
		free(l);
		return rc;
	}
	*leaver = l;
	return 0;
}

void leaver_close(struct leaver *l)
{
	if (!l)
		return;
	part(l);
	sd_event_source_disable_unref(l->source);
	unlink(l->address.sun_path);
	close(l->fd);
	free(l);
}
