/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - the control socket: who may connect, and how many.
 *
 * A descriptor is kept in reserve: when the process has no other left, it is
 * given up for the time that it takes to accept a connection and hang up.
 * Left in the backlog, it would wake the loop for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "switch/base/log.h"
#include "switch/control/control.h"
#include "switch/control/rpc_client.h"

enum {
	SLOTS = CONTROL_CLIENTS_MAX + 1, /* the last is root's */
	ACCEPTS_PER_TURN = 8,
	TICK_US = 10000000,
};

struct control {
	struct rpc_client_owner owner; /* first: what a client knows of us */
	struct sw *sw;
	struct control_socket socket;
	sd_event_source *io, *tick;
	int reserve_fd;
	struct rpc_client *client[SLOTS];
	struct log_limit log;
};

static void on_gone(struct rpc_client_owner *owner, struct rpc_client *client)
{
	struct control *c = (struct control *)owner;

	for (unsigned i = 0; i < SLOTS; i++)
		if (c->client[i] == client)
			c->client[i] = NULL;
}

/* A free slot of the first @n, made by the longest idle client if need be. */
static unsigned make_room(struct control *c, unsigned n)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!c->client[i])
			return i;
		if (rpc_client_rank(c->client[i]) <
		    rpc_client_rank(c->client[oldest]))
			oldest = i;
	}
	log_limited(&c->log, LOG_NOTICE,
	    "control: %u connections, the longest idle one makes room", n);
	rpc_client_close(c->client[oldest]);
	c->client[oldest] = NULL;
	return oldest;
}

/* Whether the peer of @fd may administer the switch. */
static bool is_authorised(int fd, uid_t *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	*uid = (uid_t)-1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	*uid = cred.uid;
	return cred.uid == 0 || cred.uid == geteuid();
}

static void refuse(struct control *c, int fd, uid_t uid)
{
	struct err e;
	size_t n;
	char *text;

	log_limited(&c->log, LOG_WARNING,
	    "control: user %u may not administer the switch", uid);
	err_set(&e, -EPERM, "user %u may not administer the switch", uid);
	err_hint(&e, "run as root, or as user %u that the switch runs as",
	    geteuid());
	text = rpc_refusal(&e, &n);
	if (text && send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("control: refusal: %m");
	free(text);
	close(fd);
}

static void admit(struct control *c, int fd)
{
	struct err e;
	unsigned slot;
	uid_t uid;

	if (!is_authorised(fd, &uid)) {
		refuse(c, fd, uid);
		return;
	}
	slot = make_room(c, uid == 0 ? SLOTS : CONTROL_CLIENTS_MAX);
	if (rpc_client_open(&c->client[slot], c->sw, fd, &c->owner, &e))
		log_limited(&c->log, LOG_WARNING, "control: %s", e.message);
}

static void shed_one(struct control *c)
{
	int fd;

	log_limited(&c->log, LOG_WARNING,
	    "control: no descriptor left for a connection");
	close(c->reserve_fd);
	fd = accept4(c->socket.fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	c->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int on_connect(
    sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct control *c = userdata;

	(void)source;
	(void)revents;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int peer =
		    accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (peer >= 0) {
			admit(c, peer);
		} else if (errno == EMFILE || errno == ENFILE) {
			shed_one(c);
			break;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			break;
		}
	}
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct control *c = userdata;
	uint64_t now = clock_ms();

	(void)usec;
	for (unsigned i = 0; i < SLOTS; i++)
		if (c->client[i] && rpc_client_is_stalled(c->client[i], now))
			rpc_client_drop(c->client[i]);
	sd_event_source_set_time_relative(source, TICK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int add_sources(struct control *c, struct err *e)
{
	int rc = sd_event_add_io(
	    c->sw->event, &c->io, c->socket.fd, EPOLLIN, on_connect, c);

	if (rc >= 0)
		rc = sd_event_add_time_relative(c->sw->event, &c->tick,
		    CLOCK_MONOTONIC, TICK_US, TICK_US, on_tick, c);
	return rc < 0 ? err_set(e, rc, "event loop: %s", strerror(-rc)) : 0;
}

int control_inherit(struct control **control, struct sw *sw,
    const struct control_socket *socket, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_set(e, -ENOMEM, "no memory for the control socket");
	c->sw = sw;
	c->owner.gone = on_gone;
	c->socket = *socket;
	c->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	rc = add_sources(c, e);
	if (rc) {
		sd_event_source_disable_unref(c->io);
		close(c->reserve_fd);
		free(c);
		return rc;
	}
	*control = c;
	return 0;
}

int control_open(
    struct control **control, struct sw *sw, const char *path, struct err *e)
{
	struct control_socket socket;
	int rc = control_socket_open(&socket, path, e);

	if (rc)
		return rc;
	rc = control_inherit(control, sw, &socket, e);
	if (rc)
		control_socket_close(&socket);
	return rc;
}

const struct control_socket *control_listener(const struct control *control)
{
	return &control->socket;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		rpc_client_close(control->client[i]);
	sd_event_source_disable_unref(control->tick);
	sd_event_source_disable_unref(control->io);
	control_socket_close(&control->socket);
	close(control->reserve_fd);
	free(control);
}
