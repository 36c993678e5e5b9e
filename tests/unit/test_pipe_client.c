/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pipe_client.c - a pipe in the client's role, and what a server may say.
 */
#include "tests/unit/pipe_peer.h"

static int listener = -1;

static void listen_at(const char *name)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", dir, name);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(listener, 4), 0);
}

/* The port is there before its server. */
static void start_client(void)
{
	char path[64];

	prepare();
	snprintf(path, sizeof(path), "%s/app", dir);
	set_str("socket", path);
	set_str("role", "client");
	set_str("secret", "sesame");
	set_int("id", 5);
	set_int("ring_size", 64);
	p = open_port("p1");
	pump_ms(20);
	cr_assert_not_null(strstr(p->port.reason, "cannot connect"));
	listen_at("app");
	pump_ms(400);
	peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_geq(peer, 0);
	cr_assert_str_eq(p->port.reason, "");
}

static void stop_client(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/app", dir);
	unlink(path);
	close(listener);
	stop();
}

TestSuite(
    pipe_client, .init = start_client, .fini = stop_client, .timeout = 20);

static struct memif_msg hello(void)
{
	return pipe_message_hello(QUEUES, 4);
}

/* Goes along with the client up to its CONNECT; what it announces goes to
 * *region and ring[0..n). */
static unsigned go_along(
    struct memif_msg hi, struct memif_msg *region, struct memif_msg ring[])
{
	unsigned n = 0;
	struct memif_msg m;
	int fd = -1;

	send_message(hi, -1);
	m = receive(NULL);
	cr_assert_eq(m.type, MEMIF_INIT);
	cr_expect_eq(m.init.id, 5);
	cr_expect_eq(memcmp(m.init.secret, "sesame", 7), 0);
	send_message(pipe_message_ack(), -1);
	*region = receive(&memfd);
	cr_assert_eq(region->type, MEMIF_ADD_REGION);
	for (;;) {
		send_message(pipe_message_ack(), -1);
		m = receive(&fd);
		if (m.type == MEMIF_CONNECT)
			return n;
		cr_assert_eq(m.type, MEMIF_ADD_RING);
		cr_expect(doorbell_is_eventfd(fd));
		close(fd);
		ring[n++] = m;
	}
}

Test(pipe_client, brings_memory_and_rings)
{
	struct memif_msg region, ring[2 * QUEUES];
	struct memif_ring head;

	cr_assert_eq(go_along(hello(), &region, ring), 2 * QUEUES);
	cr_expect_eq(fcntl(memfd, F_GET_SEALS),
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	for (unsigned i = 0; i < 2 * QUEUES; i++) {
		const struct memif_add_ring *m = &ring[i].add_ring;

		cr_expect_eq(m->flags, i < QUEUES ? MEMIF_RING_TO_SERVER : 0);
		cr_expect_eq(m->index, i % QUEUES);
		cr_expect_eq(m->log2_size, 6);
		cr_assert_eq(
		    pread(memfd, &head, sizeof(head), m->offset), sizeof(head));
		cr_expect_eq(head.cookie, MEMIF_COOKIE);
		cr_expect_eq(head.head, 0);
	}
	cr_expect_eq(p->port.state, PORT_WAIT);
	send_message(pipe_message_connect(MEMIF_CONNECTED, "server0"), -1);
	cr_expect_eq(p->port.state, PORT_UP);
	cr_expect_eq(p->port.rx_live, 3);
	cr_expect_eq(p->port.tx_live, 3);
	cr_expect_str_eq(p->peer_interface, "server0");
	/* Every buffer of a ring to us is offered. */
	cr_assert_eq(
	    pread(memfd, &head, sizeof(head), ring[QUEUES].add_ring.offset),
	    sizeof(head));
	cr_expect_eq(head.head, 64);
}

Test(pipe_client, takes_what_the_server_has)
{
	struct memif_msg hi = hello(), region, ring[2 * QUEUES];

	hi.hello.max_ring_to_client = 0;
	hi.hello.max_ring_to_server = 1;
	hi.hello.max_log2_ring_size = 1;
	cr_assert_eq(go_along(hi, &region, ring), 3);
	cr_expect_eq(ring[0].add_ring.log2_size, 1);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(ring[i].add_ring.offset % 64, 0);
	send_message(pipe_message_connect(MEMIF_CONNECTED, ""), -1);
	cr_expect_eq(p->port.tx_live, 3);
	cr_expect_eq(p->port.rx_live, 1);
}

static void expect_farewell(const char *token)
{
	struct memif_msg m;

	while ((m = receive(NULL)).type && m.type != MEMIF_DISCONNECT)
		;
	cr_expect_eq(m.type, MEMIF_DISCONNECT);
	cr_expect(is_hung_up(peer));
	cr_expect_eq(strncmp(p->port.reason, token, strlen(token)), 0, "%s",
	    p->port.reason);
	close(peer);
	pump_ms(1200);
	peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_geq(peer, 0, "does not come back after %s", token);
}

Test(pipe_client, the_server_speaks_in_order)
{
	struct memif_msg hi = hello();

	hi.hello.min_version = 0x201;
	send_message(hi, -1);
	expect_farewell("version");
	hi.hello.min_version = 0x100;
	hi.hello.max_version = 0x1ff;
	send_message(hi, -1);
	expect_farewell("version");
	send_message(pipe_message_ack(), -1);
	expect_farewell("message");
	send_message(hello(), -1);
	send_message(hello(), -1);
	expect_farewell("message");
	send_message(hello(), -1);
	send_message(pipe_message_connect(MEMIF_CONNECTED, ""), -1);
	expect_farewell("message");
	send_message(pipe_message_connect(MEMIF_CONNECT, ""), -1);
	expect_farewell("message");
}

/* A server that closes its interface is left alone for a while. */
Test(pipe_client, comes_back_after_a_second)
{
	struct memif_msg region, ring[2 * QUEUES];
	unsigned n = count_fds();

	go_along(hello(), &region, ring);
	close(memfd);
	send_message(pipe_message_connect(MEMIF_CONNECTED, ""), -1);
	send_message(pipe_message_disconnect("closing"), -1);
	cr_expect_str_eq(p->port.reason, "peer: closing");
	cr_expect_null(p->mem);
	close(peer);
	cr_expect_leq(count_fds(), n);
	pump_ms(500);
	cr_expect_lt(accept4(listener, NULL, NULL, SOCK_NONBLOCK), 0);
	pump_ms(700);
	peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	cr_assert_geq(peer, 0);
}

Test(pipe_client, options_are_checked)
{
	static const struct {
		const char *key;
		int64_t value;
	} bad[] = {{"ring_size", 31}, {"ring_size", 48}, {"ring_size", 0},
	    {"ring_size", 32768}, {"ring_size", INT64_C(1) << 31},
	    {"buffer_size", 2047}, {"buffer_size", 2050},
	    {"buffer_size", 65600}, {"queues", 0}, {"queues", -1},
	    {"queues", 65}};
	struct port *port;
	struct err e;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		set_int("ring_size", 64);
		set_int("buffer_size", 2048);
		set_int("queues", 1);
		set_int(bad[i].key, bad[i].value);
		cr_expect_eq(pipe_port_ops.open(&port, &env, "p2", params, &e),
		    -EINVAL, "%s %ld", bad[i].key, (long)bad[i].value);
	}
	set_int("queues", 64);
	set_int("ring_size", 16384);
	set_int("buffer_size", 65536);
	cr_expect_eq(
	    pipe_port_ops.open(&port, &env, "p2", params, &e), -EINVAL);
}
