/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_pipe_message.c - what an application may say to a pipe, and may not.
 */
#include "tests/unit/pipe_peer.h"

TestSuite(pipe_message, .init = start, .fini = stop, .timeout = 20);

Test(pipe_message, hello_says_what_there_is)
{
	struct memif_msg m = receive(NULL);

	cr_assert_eq(m.type, MEMIF_HELLO);
	cr_expect_eq(m.hello.min_version, 0x200);
	cr_expect_eq(m.hello.max_version, 0x200);
	cr_expect_eq(m.hello.max_region, PIPE_REGIONS_MAX - 1);
	cr_expect_eq(m.hello.max_ring_to_client, QUEUES - 1);
	cr_expect_eq(m.hello.max_ring_to_server, QUEUES - 1);
	cr_expect_eq(m.hello.max_log2_ring_size, PIPE_LOG2_RING_MAX);
}

Test(pipe_message, connects)
{
	run(2);
	cr_expect_eq(p->port.rx_live, 3);
	cr_expect_eq(p->port.tx_live, 3);
	cr_expect_str_eq(p->peer_name, "unit test");
	cr_expect_str_eq(p->peer_interface, "app0");
	cr_expect_eq(p->mem->n, 1);
	cr_expect(fcntl(memfd, F_GET_SEALS) & F_SEAL_SHRINK);
}

Test(pipe_message, connects_with_what_rings_there_are)
{
	greet();
	add_region();
	add_ring(true, 0);
	add_ring(false, 1);
	say_connect();
	cr_assert_eq(receive_type(), MEMIF_CONNECTED);
	cr_expect_eq(p->port.rx_live, 1);
	cr_expect_eq(p->port.tx_live, 2);
}

Test(pipe_message, comes_back)
{
	unsigned n = count_fds();

	for (unsigned i = 0; i < 50; i++) {
		run(2);
		close(memfd);
		if (i & 1)
			send_message(pipe_message_disconnect("enough"), -1);
		close(peer);
		pump();
		cr_assert_eq(p->port.state, PORT_WAIT);
		cr_assert_str_eq(p->port.reason, i & 1 ? "peer: enough" : "");
		peer = connect_at(pipe_port_path(p));
	}
	cr_expect_eq(count_fds(), n);
}

Test(pipe_message, descriptors_of_what_is_refused_are_closed)
{
	const uint16_t types[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 77, 0xffff};
	unsigned n = count_fds();

	for (unsigned i = 0; i < 12; i++)
		for (unsigned k = 1; k <= 8; k++) {
			struct memif_msg m = {.type = types[i]};
			int fd[8] = {memfd_create("x", 0)};

			for (unsigned j = 1; j < k; j++)
				fd[j] = dup(fd[0]);
			send_bytes(&m, sizeof(m), fd, k);
			pump();
			for (unsigned j = 0; j < k; j++)
				close(fd[j]);
			cr_assert(is_hung_up(peer));
			close(peer);
			peer = connect_at(pipe_port_path(p));
			cr_assert_eq(count_fds(), n, "type %u", types[i]);
		}
}

Test(pipe_message, messages_have_one_size)
{
	static const uint8_t bytes[256];
	static const size_t size[] = {1, 2, 127, 129, 256};

	for (unsigned i = 0; i < 5; i++) {
		greet();
		send_bytes(bytes, size[i], NULL, 0);
		pump();
		expect_refused("msg_size");
	}
}

Test(pipe_message, messages_come_in_order)
{
	greet();
	say_init(0, "");
	expect_refused("message");
	greet();
	send_message((struct memif_msg){.type = MEMIF_HELLO}, -1);
	expect_refused("message");
	greet();
	send_message((struct memif_msg){.type = MEMIF_ACK}, -1);
	expect_refused("message");
	greet();
	send_message((struct memif_msg){.type = 99}, -1);
	expect_refused("message");
	run(1);
	close(memfd);
	say_connect();
	expect_refused("message");
	run(1);
	send_message(pipe_message_add_region(MEM_SIZE), memfd);
	expect_refused("message");
}

Test(pipe_message, a_ring_has_a_number_that_there_is)
{
	static const uint16_t number[] = {QUEUES, 255, 256, 65535};
	int fd = eventfd(0, 0);

	for (unsigned i = 0; i < 4; i++) {
		greet();
		add_region();
		send_message(
		    pipe_message_add_ring(true, number[i], 0, LOG2), fd);
		expect_refused("ring_number");
	}
	greet();
	add_region();
	add_ring(true, 1);
	send_message(ring_message(true, 1), fd);
	expect_refused("ring_number");
	greet();
	say_connect();
	expect_refused("ring_number: there is no ring");
}

Test(pipe_message, a_ring_has_a_size_that_there_is)
{
	int fd = eventfd(0, 0);

	for (unsigned log2 = 15; log2 < 256; log2 += 16) {
		greet();
		add_region();
		send_message(pipe_message_add_ring(true, 0, 0, log2), fd);
		expect_refused("ring_size");
	}
}

Test(pipe_message, a_ring_has_no_private_data)
{
	struct memif_msg m = ring_message(true, 0);

	m.add_ring.private_size = 64;
	greet();
	add_region();
	send_message(m, eventfd(0, 0));
	expect_refused("ring_private");
}

Test(pipe_message, a_descriptor_comes_only_where_it_is_due)
{
	greet();
	add_region();
	add_ring(true, 0);
	send_message(
	    pipe_message_connect(MEMIF_CONNECT, "app0"), eventfd(0, 0));
	expect_refused("message");
}

/* What the listener says to a peer that no port knows of yet. */
Test(pipe_message, the_first_word_is_init)
{
	char text[MEMIF_REASON_SIZE + 1];
	struct memif_msg m;

	cr_assert_eq(receive_type(), MEMIF_HELLO);
	send_message(pipe_message_connect(MEMIF_CONNECT, "app0"), -1);
	m = receive(NULL);
	cr_assert_eq(m.type, MEMIF_DISCONNECT);
	pipe_message_text(text, m.disconnect.reason, MEMIF_REASON_SIZE);
	cr_expect_str_eq(text, "INIT is due");
	cr_expect(is_hung_up(peer));
	close(peer);
	peer = connect_at(pipe_port_path(p));
	cr_assert_eq(receive_type(), MEMIF_HELLO);
	send_message(pipe_message_disconnect("enough"), -1);
	cr_expect_eq(receive_type(), 0, "nothing to say to that");
	cr_expect(is_hung_up(peer));
}

Test(pipe_message, a_ring_comes_with_an_eventfd)
{
	static const char *const why = "msg_fds";
	int fd[2];

	greet();
	send_message(ring_message(true, 0), -1);
	expect_refused("message");
	greet();
	send_message(ring_message(true, 0), memfd_create("x", 0));
	expect_refused(why);
	cr_assert_eq(pipe(fd), 0);
	greet();
	send_message(ring_message(true, 0), fd[0]);
	expect_refused(why);
}

/* A ring that is not all in its region, not aligned, or none at all. */
Test(pipe_message, case_142_rings_outside_of_memory)
{
	const uint32_t size = (uint32_t)memif_ring_size(LOG2);
	const struct memif_add_ring place[] = {
	    {.region = 1, .offset = 0},
	    {.region = 255, .offset = 0},
	    {.region = 65535, .offset = 0},
	    {.offset = MEM_SIZE},
	    {.offset = MEM_SIZE - size + 64},
	    {.offset = 0xfffffff0},
	    {.offset = 4},
	    {.offset = 32},
	};
	int fd = eventfd(0, 0);

	for (unsigned i = 0; i < sizeof(place) / sizeof(*place); i++) {
		struct memif_msg m = ring_message(true, 0);

		m.add_ring.region = place[i].region;
		m.add_ring.offset = place[i].offset;
		greet();
		add_region();
		send_message(m, fd);
		expect_ack();
		say_connect();
		expect_refused("ring_place");
	}
	greet();
	add_region();
	send_message(ring_message(true, 0), fd);
	expect_ack();
	say_connect();
	expect_refused("cookie");
}

Test(pipe_message, regions_come_in_order)
{
	struct memif_msg m = pipe_message_add_region(MEM_SIZE);

	for (unsigned no = 1; no < 0x10000; no = no * 4 + 3) {
		greet();
		m.add_region.index = (uint16_t)no;
		send_message(m, make_memory(true));
		expect_refused("region_number");
	}
}

Test(pipe_message, as_many_regions_as_hello_says)
{
	struct memif_msg m = pipe_message_add_region(4096);

	greet();
	memfd = make_memory(true);
	for (unsigned i = 0; i < PIPE_REGIONS_MAX; i++) {
		m.add_region.index = (uint16_t)i;
		send_message(m, memfd);
		expect_ack();
	}
	m.add_region.index = PIPE_REGIONS_MAX;
	send_message(m, memfd);
	expect_refused("region");
}

static void refused_region(int fd, uint64_t size)
{
	greet();
	send_message(pipe_message_add_region(size), fd);
	expect_refused("region");
	close(fd);
}

Test(pipe_message, regions_are_memory)
{
	char file[64];
	int fd[2];

	snprintf(file, sizeof(file), "%s/file", dir);
	cr_assert_eq(pipe(fd), 0);
	refused_region(fd[0], 4096);
	refused_region(socket(AF_UNIX, SOCK_STREAM, 0), 4096);
	refused_region(open("/dev/zero", O_RDWR), 4096);
	refused_region(open("/proc/self/exe", O_RDONLY), 4096);
	refused_region(make_memory(true), MEM_SIZE + 1);
	refused_region(make_memory(true), 0);
	refused_region(make_memory(true), UINT64_MAX);
	refused_region(make_memory(true), UINT64_MAX - 4095);
	refused_region(make_memory(true), INT64_MAX);
}

Test(pipe_message, case_150_regions_that_can_shrink_are_refused)
{
	refused_region(make_memory(false), MEM_SIZE);
	cr_expect_not_null(strstr(p->port.reason, "trusted"));
	p->trusted = true;
	greet();
	send_message(pipe_message_add_region(MEM_SIZE), make_memory(false));
	expect_ack();
}

Test(pipe_message, case_150_memory_shrunk_under_the_port_breaks_it)
{
	struct frame f = {.head = (uint8_t[64]){0}, .head_len = 64, .len = 64};
	struct frame *const one[] = {&f};
	struct counters counters = {0};
	struct port_worker w = {.counters = &counters};
	struct memif_ring *ring;

	cr_assert_eq(guard_install(NULL), 0);
	p->trusted = true;
	greet();
	memfd = make_memory(false);
	send_message(pipe_message_add_region(MEM_SIZE), memfd);
	expect_ack();
	add_rings(1);
	say_connect();
	cr_assert_eq(receive_type(), MEMIF_CONNECTED);
	ring = pipe_port_ring(p, 0, true)->shared;
	ring->desc[0] = (struct memif_desc){.len = 2048, .offset = 0x80000};
	ring->flags = MEMIF_RING_MASK_INT;
	ring->head = 1;
	cr_assert_eq(ftruncate(memfd, 4096 * 20), 0);
	p->port.ops->tx(&p->port, 0, one, 1, &w);
	cr_expect_eq(told.raised, 1);
	p->port.ops->tx(&p->port, 0, one, 1, &w);
	cr_expect_eq(counters.drops[DROP_GUEST_RING_BROKEN], 1);
	p->port.ops->attend(&p->port);
	cr_expect_eq(p->port.state, PORT_BROKEN);
	cr_expect_str_eq(p->port.reason, "mem_shrunk");
	cr_expect_eq(receive_type(), MEMIF_DISCONNECT);
	cr_expect(is_hung_up(peer));
	close(peer);
	close(memfd);
	peer = connect_at(pipe_port_path(p));
	run(1);
}

Test(pipe_message, a_ring_broken_by_its_peer_breaks_the_port)
{
	static struct batch b;
	struct counters counters = {0};
	struct port_worker w = {.counters = &counters};

	run(1);
	pipe_port_ring(p, 0, false)->shared->head = 30000;
	cr_expect_eq(p->port.ops->rx(&p->port, 0, &b, &w), 0);
	cr_expect_eq(told.raised, 1);
	p->port.ops->attend(&p->port);
	cr_expect_eq(p->port.state, PORT_BROKEN);
	cr_expect_str_eq(p->port.reason, "ring_index");
	cr_expect_eq(p->n_broken, 1);
	close(peer);
	peer = connect_at(pipe_port_path(p));
	cr_expect_eq(p->port.state, PORT_BROKEN);
	run(1);
}

static void refused_init(struct memif_msg m, const char *why)
{
	char text[MEMIF_REASON_SIZE + 1];

	cr_assert_eq(receive_type(), MEMIF_HELLO);
	send_message(m, -1);
	m = receive(NULL);
	cr_assert_eq(m.type, MEMIF_DISCONNECT);
	pipe_message_text(text, m.disconnect.reason, MEMIF_REASON_SIZE);
	cr_expect_str_eq(text, why);
	cr_expect(is_hung_up(peer));
	close(peer);
	peer = connect_at(pipe_port_path(p));
}

Test(pipe_message, init_has_version_id_mode_and_secret)
{
	struct memif_msg m = pipe_message_init(0, "", "");

	m.init.version = 0x300;
	refused_init(m, "version is not 2.0");
	refused_init(pipe_message_init(1, "", ""), "no interface has this id");
	m = pipe_message_init(0, "", "");
	m.init.mode = MEMIF_MODE_IP;
	refused_init(m, "mode is not Ethernet");
	snprintf(p->secret, sizeof(p->secret), "sesame");
	refused_init(pipe_message_init(0, "", ""), "wrong secret");
	refused_init(pipe_message_init(0, "sesam", ""), "wrong secret");
	refused_init(pipe_message_init(0, "sesames", ""), "wrong secret");
	cr_assert_eq(receive_type(), MEMIF_HELLO);
	say_init(0, "sesame");
	expect_ack();
}

Test(pipe_message, names_are_text)
{
	struct memif_msg m = pipe_message_init(0, "", "");

	memset(m.init.name, '\n', sizeof(m.init.name));
	cr_assert_eq(receive_type(), MEMIF_HELLO);
	send_message(m, -1);
	expect_ack();
	cr_expect_eq(strlen(p->peer_name), MEMIF_NAME_SIZE);
	cr_expect_eq(strspn(p->peer_name, "?"), MEMIF_NAME_SIZE);
}

Test(pipe_message, case_151_a_second_application_is_refused)
{
	int first;

	run(1);
	first = peer;
	peer = connect_at(pipe_port_path(p));
	refused_init(
	    pipe_message_init(0, "", ""), "another application is connected");
	cr_expect_eq(p->port.state, PORT_UP);
	cr_expect(!is_hung_up(first));
	/* ... but is the successor of one that is dead. */
	close(first);
	cr_assert_eq(receive_type(), MEMIF_HELLO);
	say_init(0, "");
	expect_ack();
	cr_expect_eq(p->n_connects, 2);
}

Test(pipe_message, who_says_nothing_makes_room_for_others)
{
	int fd[PIPE_CANDIDATES_MAX + 4];

	for (unsigned i = 0; i < PIPE_CANDIDATES_MAX + 4; i++)
		fd[i] = connect_at(pipe_port_path(p));
	cr_expect(is_hung_up(peer));
	cr_expect(is_hung_up(fd[3]));
	cr_expect(!is_hung_up(fd[4]));
	for (unsigned i = 0; i < PIPE_CANDIDATES_MAX + 4; i++)
		close(fd[i]);
	pump();
}

Test(pipe_message, several_ports_share_a_socket)
{
	struct pipe_port *second;
	struct port *third;
	struct err e;
	char path[108];

	snprintf(path, sizeof(path), "%s", pipe_port_path(p));
	set_str("socket", path);
	set_int("id", 7);
	set_int("queues", 1);
	second = open_port("p2");
	cr_expect_eq(
	    pipe_port_ops.open(&third, &env, "p3", params, &e), -EEXIST);
	close(peer);
	peer = connect_at(path);
	cr_expect_eq(receive(NULL).hello.max_ring_to_client, 0);
	say_init(7, "");
	expect_ack();
	cr_expect_geq(second->channel.fd, 0);
	cr_expect_lt(p->channel.fd, 0);
	pipe_port_ops.close(&p->port);
	cr_expect_eq(access(path, F_OK), 0);
	pipe_port_ops.close(&second->port);
	cr_expect_neq(access(path, F_OK), 0);
	p = NULL;
}

Test(pipe_message, case_154_socket_paths_of_every_length)
{
	struct port *port;
	struct err e;
	char path[128];

	for (int n = 100; n < 112; n++) {
		int rc;

		memset(path, 'x', sizeof(path));
		memcpy(path, dir, strlen(dir));
		path[strlen(dir)] = '/';
		path[n] = '\0';
		set_str("socket", path);
		rc = pipe_port_ops.open(&port, &env, "p2", params, &e);
		cr_expect_eq(rc, n <= 107 ? 0 : -ENAMETOOLONG, "%d: %d", n, rc);
		if (rc)
			continue;
		cr_expect_eq(access(path, F_OK), 0);
		pipe_port_ops.close(port);
		cr_expect_neq(access(path, F_OK), 0);
	}
}

/* Where an abstract name of @n bytes is bound, nothing longer or shorter is. */
static int connect_abstract(const char *name, size_t n)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int rc;

	memcpy(a.sun_path + 1, name, n);
	rc = connect(fd, (struct sockaddr *)&a,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n));
	close(fd);
	return rc;
}

Test(pipe_message, case_154_abstract_names_of_every_length)
{
	struct port *port;
	struct err e;
	char name[128];

	for (int n = 20; n < 112; n += n < 100 ? 40 : 1) {
		int rc;

		memset(name, 'x', sizeof(name));
		snprintf(name, sizeof(name), "@unit%d.", getpid());
		name[strlen(name)] = 'x';
		name[n] = '\0';
		set_str("socket", name);
		rc = pipe_port_ops.open(&port, &env, "p2", params, &e);
		cr_expect_eq(rc, n <= 107 ? 0 : -ENAMETOOLONG, "%d: %d", n, rc);
		if (rc)
			continue;
		cr_expect_eq(connect_abstract(name + 1, (size_t)n - 1), 0);
		cr_expect_neq(connect_abstract(name + 1, (size_t)n - 2), 0);
		if (n < 107)
			cr_expect_neq(connect_abstract(name + 1, (size_t)n), 0);
		pipe_port_ops.close(port);
		cr_expect_neq(connect_abstract(name + 1, (size_t)n - 1), 0);
	}
}

/* Two listeners of one abstract name, in one process or in two. */
Test(pipe_message, abstract_names_are_taken_once)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct port *port;
	struct err e;
	char name[64];
	int n = snprintf(name, sizeof(name), "@unit%d", getpid());

	memcpy(a.sun_path + 1, name + 1, (size_t)n - 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     (size_t)n)),
	    0);
	set_str("socket", name);
	cr_expect_eq(
	    pipe_port_ops.open(&port, &env, "p2", params, &e), -EADDRINUSE);
	close(fd);
	cr_assert_eq(pipe_port_ops.open(&port, &env, "p2", params, &e), 0);
	pipe_port_ops.close(port);
}

Test(pipe_message, the_socket_has_the_latest_mode)
{
	struct json_object *change = json_object_new_object();
	struct stat st;

	cr_assert_eq(stat(pipe_port_path(p), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
	json_object_object_add(change, "mode", json_object_new_string("0600"));
	cr_assert_eq(pipe_port_ops.set(&p->port, change, NULL), 0);
	cr_assert_eq(stat(pipe_port_path(p), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	json_object_put(change);
}
