/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * labwire.c - the wires that the cards of a lab guest are plugged into.
 *
 * A card NAME is a pair of unix datagram sockets in a directory: QEMU reads
 * NAME.card, this program reads NAME.wire, and one datagram is one frame.
 *
 *	labwire -d DIR [-n FRAMES] [-s BYTES] [-v VID] [-k STATIONS] [-w MS] [-i]
 *		WORD...
 *
 * sends FRAMES frames along each WORD of the form FROM:TO, all at the same
 * time, listens on every card named (a WORD may be a card alone), and prints a
 * JSON array with one object for each FROM:TO: what was sent, what arrived,
 * and what should not have happened.  Only so many frames are under way at a
 * time that a correct switch loses none, so every loss is somebody's fault; the
 * rest is given up MS after the last arrival.  The station behind card NAME has
 * the address 02:STATIONS and the first four bytes of its name.  -v puts a tag
 * on every frame; -i makes them IPv4 from 16 addresses in turn, which cards
 * spread over their queues: order is then kept for each address only.
 *
 *	labwire -d DIR -c CARD CARD
 *
 * is a cable between two cards until it is killed.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	CARDS_MAX = 16,
	FLOWS_MAX = 16,
	FRAME_MAX = 9022,   /* 9,000 bytes, an Ethernet header and two tags */
	UNDER_WAY = 16,	    /* frames of one flow */
	LINGER_MS = 200,    /* after the last arrival, for what is too much */
	ETHERTYPE = 0x88b5, /* local experimental (IEEE 802) */
	SOURCES = 16,	    /* of IPv4 frames */
};

struct card {
	const char *name;
	int fd;
	struct sockaddr_un peer;
};

struct flow {
	unsigned from, to; /* cards */
	uint32_t sent, arrived;
	uint32_t repeated, damaged, disordered, astray;
	uint32_t next[SOURCES]; /* the number that is in order */
	uint8_t *seen;		/* by number */
};

/* What a frame carries after its headers. */
struct label {
	uint32_t flow, run, number;
};

static struct card card[CARDS_MAX];
static struct flow flow[FLOWS_MAX];
static unsigned n_cards, n_flows;
static uint32_t n_frames = 100, size = 60, run;
static uint8_t stations = 1;
static uint16_t vid;
static int64_t patience_ms = 3000;
static bool as_ip;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "labwire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void usage(void)
{
	fputs("usage: labwire -d DIR [-n FRAMES] [-s BYTES] [-v VID] "
	      "[-k STATIONS] [-w MS] [-i]\n"
	      "               {FROM:TO|CARD}...\n"
	      "       labwire -d DIR -c CARD CARD\n",
	    stderr);
	exit(2);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void address(uint8_t mac[6], unsigned i)
{
	mac[0] = 2;
	mac[1] = stations;
	strncpy((char *)mac + 2, card[i].name, 4);
}

/* Writes an IPv4 header for frame @number with @len bytes after it. */
static void build_ip(uint8_t ip[20], uint32_t number, uint32_t len)
{
	uint32_t sum = 0;

	memcpy(ip,
	    (uint8_t[20]){0x45, 0, (uint8_t)(len >> 8), (uint8_t)len, 0, 0, 0,
		0, 64, 253 /* experiments (RFC 3692) */, 0, 0, 10, 0, 0,
		(uint8_t)(1 + number % SOURCES), 10, 0, 1, 1},
	    20);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = ~((sum >> 16) + (sum & 0xffff));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

/* Writes the headers of frame @number of flow @f; returns their length. */
static uint32_t build_headers(uint8_t *frame, unsigned f, uint32_t number)
{
	uint16_t type = htobe16(as_ip ? 0x0800 : ETHERTYPE);
	uint32_t at = 12;

	address(frame, flow[f].to);
	address(frame + 6, flow[f].from);
	if (vid) {
		memcpy(frame + at,
		    (uint8_t[4]){0x81, 0, (uint8_t)(vid >> 8), (uint8_t)vid},
		    4);
		at += 4;
	}
	memcpy(frame + at, &type, 2);
	at += 2;
	if (as_ip) {
		build_ip(frame + at, number, size - at);
		at += 20;
	}
	return at;
}

/* Writes frame @number of flow @f to @frame. */
static void build(uint8_t frame[FRAME_MAX], unsigned f, uint32_t number)
{
	struct label label = {f, run, number};
	uint32_t noise = number * 2654435761u ^ (f + 1);
	uint32_t at = build_headers(frame, f, number);

	memcpy(frame + at, &label, sizeof(label));
	for (at += sizeof(label); at < size; at++) {
		noise = noise * 1664525u + 1013904223u;
		frame[at] = (uint8_t)(noise >> 24);
	}
}

/* Sends the next frame of flow @f; false when the card takes none now. */
static bool send_next(unsigned f)
{
	static uint8_t frame[FRAME_MAX];
	struct card *c = &card[flow[f].from];

	build(frame, f, flow[f].sent);
	if (sendto(c->fd, frame, size, MSG_DONTWAIT, (void *)&c->peer,
		sizeof(c->peer)) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS)
			fail(c->name);
		return false;
	}
	flow[f].sent++;
	return true;
}

/* Counts frame[0..len) of flow @w, number @number, which card @at sent. */
static void judge(struct flow *w, uint32_t number, unsigned at,
    const uint8_t *frame, size_t len)
{
	static uint8_t right[FRAME_MAX];
	uint32_t *next = &w->next[as_ip ? number % SOURCES : 0];

	build(right, (unsigned)(w - flow), number);
	if (at != w->to) {
		w->astray++;
	} else if (len != size || memcmp(frame, right, len)) {
		w->damaged++;
	} else if (w->seen[number]) {
		w->repeated++;
	} else {
		w->seen[number] = 1;
		w->arrived++;
		w->disordered += number < *next;
		*next = number + 1;
	}
}

/* Takes frame[0..len), which card @at sent; true when it is one of this run,
 * and not something that a kernel says of its own accord. */
static bool arrive(unsigned at, const uint8_t *frame, size_t len)
{
	size_t label_at = (vid ? 18 : 14) + (as_ip ? 20 : 0);
	struct label label;

	if (len < label_at + sizeof(label))
		return false;
	memcpy(&label, frame + label_at, sizeof(label));
	if (label.run != run)
		return false;
	if (label.flow < n_flows && label.number < n_frames)
		judge(&flow[label.flow], label.number, at, frame, len);
	else
		flow[0].damaged++; /* whose it was cannot be known */
	return true;
}

/* Sends what may be sent; true when nothing is left to send or to arrive. */
static bool all_done(void)
{
	bool done = true;

	for (unsigned f = 0; f < n_flows; f++) {
		struct flow *w = &flow[f];

		while (w->sent < n_frames && w->sent < w->arrived + UNDER_WAY &&
		       send_next(f))
			;
		done &= w->arrived == n_frames;
	}
	return done;
}

/* Takes every frame that waits on card @at; true if one was of this run. */
static bool drain(unsigned at)
{
	static uint8_t frame[FRAME_MAX + 1];
	bool ours = false;
	ssize_t len;

	while (
	    (len = recv(card[at].fd, frame, sizeof(frame), MSG_DONTWAIT)) >= 0)
		ours |= arrive(at, frame, (size_t)len);
	return ours;
}

static void exchange(void)
{
	struct pollfd p[CARDS_MAX];
	int64_t last = now_ms();

	for (unsigned i = 0; i < n_cards; i++)
		p[i] = (struct pollfd){.fd = card[i].fd, .events = POLLIN};
	while (now_ms() < last + (all_done() ? LINGER_MS : patience_ms)) {
		if (poll(p, n_cards, 5) < 0)
			fail("poll");
		for (unsigned i = 0; i < n_cards; i++)
			if (drain(i))
				last = now_ms();
	}
}

static void report(void)
{
	for (unsigned f = 0; f < n_flows; f++) {
		const struct flow *w = &flow[f];

		printf("%s{\"from\":\"%s\",\"to\":\"%s\",\"sent\":%u,"
		       "\"arrived\":%u,\"repeated\":%u,\"damaged\":%u,"
		       "\"disordered\":%u,\"astray\":%u}",
		    f ? ",\n" : "[", card[w->from].name, card[w->to].name,
		    w->sent, w->arrived, w->repeated, w->damaged, w->disordered,
		    w->astray);
	}
	puts("]");
}

static _Noreturn void cable(void)
{
	static uint8_t frame[FRAME_MAX + 1];
	struct pollfd p[2] = {{.fd = card[0].fd, .events = POLLIN},
	    {.fd = card[1].fd, .events = POLLIN}};

	for (;;) {
		if (poll(p, 2, -1) < 0)
			fail("poll");
		for (unsigned i = 0; i < 2; i++) {
			ssize_t len = recv(
			    card[i].fd, frame, sizeof(frame), MSG_DONTWAIT);

			if (len >= 0 && sendto(card[!i].fd, frame, (size_t)len,
					    0, (void *)&card[!i].peer,
					    sizeof(card[!i].peer)) < 0)
				fail(card[!i].name);
		}
	}
}

static void name_socket(
    struct sockaddr_un *a, const char *dir, const char *name, const char *end)
{
	int len = snprintf(
	    a->sun_path, sizeof(a->sun_path), "%s/%s.%s", dir, name, end);

	a->sun_family = AF_UNIX;
	if (len < 0 || (size_t)len >= sizeof(a->sun_path)) {
		errno = ENAMETOOLONG;
		fail(dir);
	}
}

/* Returns the number of the card @name, whose socket it binds if need be. */
static unsigned plug(const char *dir, const char *name)
{
	struct sockaddr_un wire;
	struct card *c;

	for (unsigned i = 0; i < n_cards; i++)
		if (!strcmp(card[i].name, name))
			return i;
	if (n_cards == CARDS_MAX)
		usage();
	c = &card[n_cards];
	c->name = name;
	name_socket(&c->peer, dir, name, "card");
	name_socket(&wire, dir, name, "wire");
	unlink(wire.sun_path);
	c->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || bind(c->fd, (void *)&wire, sizeof(wire)))
		fail(wire.sun_path);
	return n_cards++;
}

static void add_word(const char *dir, char *word)
{
	char *to = strchr(word, ':');
	struct flow *w = &flow[n_flows];

	if (!to) {
		plug(dir, word);
		return;
	}
	if (n_flows++ == FLOWS_MAX)
		usage();
	*to++ = '\0';
	w->from = plug(dir, word);
	w->to = plug(dir, to);
	w->seen = calloc(n_frames, 1);
	if (!w->seen)
		fail("calloc");
}

int main(int argc, char **argv)
{
	const char *dir = NULL;
	bool as_cable = false;
	int opt;

	while ((opt = getopt(argc, argv, "cd:in:s:v:k:w:")) > 0) {
		switch (opt) {
		case 'c':
			as_cable = true;
			break;
		case 'd':
			dir = optarg;
			break;
		case 'i':
			as_ip = true;
			break;
		case 'n':
			n_frames = (uint32_t)atoi(optarg);
			break;
		case 's':
			size = (uint32_t)atoi(optarg);
			break;
		case 'v':
			vid = (uint16_t)atoi(optarg);
			break;
		case 'k':
			stations = (uint8_t)atoi(optarg);
			break;
		case 'w':
			patience_ms = atoi(optarg);
			break;
		default:
			usage();
		}
	}
	if (!dir || size < 60 || size > FRAME_MAX || !n_frames)
		usage();
	run = (uint32_t)getpid();
	for (int i = optind; i < argc; i++)
		add_word(dir, argv[i]);
	if (as_cable && n_cards == 2)
		cable();
	if (as_cable || !n_flows)
		usage();
	exchange();
	report();
	return 0;
}
