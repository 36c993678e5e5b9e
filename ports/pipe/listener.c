/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener.c - a socket path at which several ports wait for applications.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/pipe/listener.h"
#include "ports/pipe/session.h"

struct candidate {
	struct candidate *next;
	struct pipe_channel channel;
	struct pipe_listener *listener;
};

struct pipe_listener {
	struct pipe_listener *next;
	struct endpoint endpoint;
	struct pipe_port *ports;
	struct candidate *candidates; /* the latest first */
	unsigned n_candidates;
	struct log_limit limit;
};

static struct pipe_listener *listeners;

struct endpoint *pipe_listener_endpoint(struct pipe_listener *l)
{
	return &l->endpoint;
}

static void drop_candidate(struct candidate *c, const char *farewell)
{
	struct pipe_listener *l = c->listener;
	struct candidate **at = &l->candidates;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	l->n_candidates--;
	if (farewell && c->channel.fd >= 0) {
		struct memif_msg m = pipe_message_disconnect(farewell);

		pipe_channel_send(&c->channel, &m, -1);
		log_limited(&l->limit, LOG_WARNING, "%s: peer refused: %s",
		    l->endpoint.address.sun_path, farewell);
	}
	pipe_channel_close(&c->channel);
	free(c);
}

static struct pipe_port *find_port(const struct pipe_listener *l, uint32_t id)
{
	struct pipe_port *p = l->ports;

	while (p && p->id != id)
		p = p->next;
	return p;
}

/* Takes as long for any two secrets. */
static bool is_secret(const struct pipe_port *p, const uint8_t *secret)
{
	char wanted[MEMIF_SECRET_SIZE] = {0};
	unsigned differs = 0;

	memcpy(wanted, p->secret, strnlen(p->secret, sizeof(wanted)));
	for (unsigned i = 0; i < sizeof(wanted); i++)
		differs |= (uint8_t)wanted[i] ^ secret[i];
	return !p->secret[0] || !differs;
}

/* Why the sender of @m is not served by @p (NULL: there is none); NULL. */
static const char *judge(struct pipe_port *p, const struct memif_init *m)
{
	if (m->version != MEMIF_VERSION)
		return "version is not 2.0";
	if (!p)
		return "no interface has this id";
	if (m->mode != MEMIF_MODE_ETHERNET)
		return "mode is not Ethernet";
	if (!is_secret(p, m->secret))
		return "wrong secret";
	/* The successor of a peer that died may be here before its death. */
	if (p->channel.fd >= 0 && !pipe_channel_is_dead(&p->channel))
		return "another application is connected";
	return NULL;
}

/* Makes the candidate @p's peer, to which it owes an ACK. */
static void hand_over(
    struct candidate *c, struct pipe_port *p, const struct memif_init *m)
{
	const struct memif_msg ack = pipe_message_ack();
	int fd = pipe_channel_release(&c->channel);

	drop_candidate(c, NULL);
	if (p->channel.fd >= 0)
		pipe_session_part(p);
	if (!pipe_session_attach(p, fd))
		return;
	pipe_message_text(p->peer_name, m->name, sizeof(m->name));
	p->stage = PIPE_DESCRIBING;
	if (pipe_channel_send(&p->channel, &ack, -1))
		pipe_session_part(p);
	else
		p->port.env->changed(&p->port);
}

static bool on_message(void *owner, const struct memif_msg *m, int *fd)
{
	struct candidate *c = owner;
	const char *fault = pipe_message_fault(m, true, *fd >= 0);
	struct pipe_port *p = NULL;

	if (!fault && m->type == MEMIF_DISCONNECT) {
		drop_candidate(c, NULL);
		return false;
	}
	if (!fault && m->type != MEMIF_INIT)
		fault = "INIT is due";
	if (!fault) {
		p = find_port(c->listener, m->init.id);
		fault = judge(p, &m->init);
	}
	if (fault)
		drop_candidate(c, fault);
	else
		hand_over(c, p, &m->init);
	return false;
}

static void on_end(void *owner, const char *token, const char *sentence)
{
	(void)token;
	drop_candidate(owner, sentence);
}

static void make_room(struct pipe_listener *l)
{
	struct candidate *oldest = l->candidates;

	if (l->n_candidates < PIPE_CANDIDATES_MAX)
		return;
	while (oldest->next)
		oldest = oldest->next;
	drop_candidate(oldest, "too many connections without INIT");
}

static unsigned least_queues(const struct pipe_listener *l)
{
	unsigned n = PORT_QUEUES_MAX;

	for (const struct pipe_port *p = l->ports; p; p = p->next)
		if (p->n_queues < n)
			n = p->n_queues;
	return n;
}

static void on_peer(void *owner, int fd)
{
	struct pipe_listener *l = owner;
	const struct memif_msg hello =
	    pipe_message_hello(least_queues(l), PIPE_REGIONS_MAX);
	struct candidate *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return;
	}
	make_room(l);
	*c = (struct candidate){.next = l->candidates,
	    .listener = l,
	    .channel = {.fd = -1,
		.on_message = on_message,
		.on_end = on_end,
		.owner = c}};
	l->candidates = c;
	l->n_candidates++;
	if (pipe_channel_open(&c->channel, l->endpoint.event, fd, NULL) ||
	    pipe_channel_send(&c->channel, &hello, -1))
		drop_candidate(c, NULL);
}

static struct pipe_listener *find_listener(const char *path)
{
	struct pipe_listener *l = listeners;

	while (l && strcmp(l->endpoint.address.sun_path, path))
		l = l->next;
	return l;
}

static int open_listener(struct pipe_listener **new, sd_event *event,
    const char *path, const char *group, const char *mode, struct err *e)
{
	struct pipe_listener *l = calloc(1, sizeof(*l));
	struct endpoint_access access;
	int rc;

	if (!l) {
		err_set(e, -ENOMEM, "no memory for a socket");
		return -ENOMEM;
	}
	l->endpoint.type = SOCK_SEQPACKET;
	l->endpoint.on_peer = on_peer;
	l->endpoint.owner = l;
	endpoint_access_default(&access, NULL);
	rc = endpoint_access_parse(&access, group, mode, e);
	if (!rc)
		rc = endpoint_open(&l->endpoint, event, path, &access, e);
	if (rc) {
		free(l);
		return rc;
	}
	l->next = listeners;
	listeners = l;
	*new = l;
	return 0;
}

static int set_access(
    struct pipe_listener *l, const char *group, const char *mode, struct err *e)
{
	struct endpoint_access access = l->endpoint.access;
	int rc = endpoint_access_parse(&access, group, mode, e);

	return rc ? rc : endpoint_set_access(&l->endpoint, &access, e);
}

static int check_id(
    const struct pipe_listener *l, const struct pipe_port *p, struct err *e)
{
	const struct pipe_port *other = find_port(l, p->id);

	if (!other)
		return 0;
	err_set(e, -EEXIST, "id %u at socket %s is that of port %s", p->id,
	    l->endpoint.address.sun_path, other->port.name);
	err_arg(e, "id");
	err_hint(e, "give the port another `id`, or another `socket`");
	return -EEXIST;
}

int pipe_listener_join(struct pipe_port *p, const char *path, const char *group,
    const char *mode, struct err *e)
{
	struct pipe_listener *l = find_listener(path);
	int rc;

	if (!l) {
		rc =
		    open_listener(&l, p->port.env->event, path, group, mode, e);
	} else {
		rc = check_id(l, p, e);
		if (!rc && (group || mode))
			rc = set_access(l, group, mode, e);
	}
	if (rc)
		return rc;
	p->next = l->ports;
	l->ports = p;
	p->listener = l;
	return 0;
}

static void close_listener(struct pipe_listener *l)
{
	struct pipe_listener **at = &listeners;
	struct candidate *c, *next;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	for (c = l->candidates; c; c = next) {
		next = c->next;
		drop_candidate(c, NULL);
	}
	endpoint_close(&l->endpoint);
	free(l);
}

void pipe_listener_leave(struct pipe_port *p)
{
	struct pipe_listener *l = p->listener;
	struct pipe_port **at;

	if (!l)
		return;
	for (at = &l->ports; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	p->listener = NULL;
	if (!l->ports)
		close_listener(l);
}
