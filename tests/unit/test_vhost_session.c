/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vhost_session.c - a front end arrives, is slow, is gone, comes back.
 */
#include "tests/unit/vhost_peer.h"

TestSuite(vhost_session, .init = start, .fini = stop, .timeout = 20);

Test(vhost_session, messages_may_arrive_byte_by_byte)
{
	struct {
		struct vhost_header h;
		uint32_t state[2];
	} m = {
	    {VHOST_USER_SET_VRING_NUM, 1 | VHOST_FLAG_NEED_REPLY, 8}, {1, 512}};

	for (unsigned i = 0; i < sizeof(m); i++) {
		cr_expect_eq(reply(8), UINT64_MAX);
		send_bytes((char *)&m + i, 1, NULL, 0);
		pump();
	}
	cr_expect_eq(reply(VHOST_USER_SET_VRING_NUM), 0);
	cr_expect_eq(p->ring[1].num, 512);
}

Test(vhost_session, many_messages_do_not_hold_up_the_loop)
{
	struct vhost_header m[200];
	unsigned turns = 0;

	for (int i = 0; i < 200; i++)
		m[i] = (struct vhost_header){VHOST_USER_SET_OWNER, 1, 0};
	send_bytes(m, sizeof(m), NULL, 0);
	while (sd_event_run(event, 0) > 0)
		turns++;
	cr_expect_geq(turns, 200 / CONNECTION_BUDGET);
	cr_expect_geq(p->conn.fd, 0);
}

Test(vhost_session, case_48_replies_that_nobody_reads)
{
	for (int i = 0; i < 100000 && p->conn.fd >= 0; i++)
		send_message(VHOST_USER_GET_FEATURES, 1, NULL, 0, NULL, 0);
	expect_closed("reply");
}

Test(vhost_session, unshared_memory_is_recognised_when_the_peer_leaves)
{
	negotiate(MODERN);
	close(peer);
	pump();
	cr_expect_not_null(
	    strstr(p->port.reason, "-object memory-backend-memfd"));
	cr_expect_not_null(strstr(p->port.reason, "share=on"));
	attach();
	run_rings(2);
	cr_expect_str_eq(p->port.reason, "");
}

Test(vhost_session, unshared_memory_is_recognised_when_the_peer_stays)
{
	negotiate(MODERN);
	cr_expect_str_eq(p->port.reason, "");
	pump_ms(1300);
	cr_expect_geq(p->conn.fd, 0);
	cr_expect_not_null(strstr(p->port.reason, "share=on"));
}

static int connect_to_port(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (connect(fd, (struct sockaddr *)&p->endpoint.address,
		sizeof(p->endpoint.address))) {
		close(fd);
		return -1;
	}
	pump();
	return fd;
}

static bool is_hung_up(int fd)
{
	char c;

	pump();
	return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

Test(vhost_session, case_43_second_front_end_is_refused)
{
	int second = connect_to_port();

	cr_assert_geq(second, 0);
	cr_expect(is_hung_up(second));
	cr_expect_eq(ask(VHOST_USER_GET_QUEUE_NUM), QUEUES);
	close(second);
}

/* Both events wait in one turn of the loop, the new peer's possibly first. */
Test(vhost_session, successor_is_taken_when_the_first_is_dead)
{
	close(peer);
	peer = connect_to_port();
	cr_expect_eq(ask(VHOST_USER_GET_QUEUE_NUM), QUEUES);
	cr_expect_eq(p->n_connects, 2);
}

Test(vhost_session, socket_has_mode_and_is_not_stolen)
{
	struct port *second;
	struct stat st;
	struct err e;

	cr_assert_eq(stat(p->endpoint.address.sun_path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
	cr_expect_eq(
	    vhost_port_ops.open(&second, &env, "vm1", params, &e), -EADDRINUSE);
	json_object_object_add(params, "mode", json_object_new_string("0600"));
	cr_expect_eq(vhost_port_ops.set(&p->port, params, &e), 0);
	cr_assert_eq(stat(p->endpoint.address.sun_path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	json_object_object_add(
	    params, "group", json_object_new_string("no-such-group"));
	cr_expect_eq(vhost_port_ops.set(&p->port, params, &e), -EINVAL);
}

/* Leaves the file of a process that is gone in the way of port vm1. */
static void leave_stale(int type)
{
	struct sockaddr_un a = p->endpoint.address;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	vhost_port_ops.close(&p->port);
	close(peer);
	if (type == S_IFSOCK)
		cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	else
		cr_assert_geq(creat(a.sun_path, 0600), 0);
	close(fd);
}

Test(vhost_session, stale_socket_is_taken_over)
{
	leave_stale(S_IFSOCK);
	open_port();
	peer = connect_to_port();
	cr_expect_eq(ask(VHOST_USER_GET_QUEUE_NUM), QUEUES);
}

Test(vhost_session, other_files_are_not_taken_over)
{
	struct port *port;
	char path[64];

	leave_stale(S_IFREG);
	cr_expect_eq(
	    vhost_port_ops.open(&port, &env, "vm1", params, NULL), -EEXIST);
	snprintf(path, sizeof(path), "%s/vhost/vm1", dir);
	cr_expect_eq(unlink(path), 0);
	open_port();
	attach();
}

Test(vhost_session, no_descriptor_left_is_no_endless_loop)
{
	struct rlimit old, tight;
	unsigned turns = 0;
	int fd[64], n = 0, waiting;

	waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	tight.rlim_cur = count_fds() + 8;
	setrlimit(RLIMIT_NOFILE, &tight);
	while (n < 64 && (fd[n] = dup(0)) >= 0)
		n++;
	cr_assert_eq(connect(waiting, (struct sockaddr *)&p->endpoint.address,
			 sizeof(p->endpoint.address)),
	    0);
	while (sd_event_run(event, 0) > 0)
		turns++;
	cr_expect_lt(turns, 5);
	while (n)
		close(fd[--n]);
	setrlimit(RLIMIT_NOFILE, &old);
	cr_expect(is_hung_up(waiting));
	close(waiting);
}

Test(vhost_session, client_role_connects_again_and_again)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	vhost_port_ops.close(&p->port);
	close(peer);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/qemu", dir);
	json_object_object_add(
	    params, "socket", json_object_new_string(a.sun_path));
	json_object_object_add(
	    params, "role", json_object_new_string("client"));
	open_port();
	pump_ms(50);
	cr_expect_not_null(strstr(p->port.reason, "cannot connect"));
	cr_assert_eq(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(listen(listener, 4), 0);
	for (int i = 0; i < 2; i++) {
		pump_ms(400);
		peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		cr_assert_geq(peer, 0);
		run_rings(2);
		close(peer);
		pump();
		cr_expect_eq(p->port.state, PORT_WAIT);
	}
	unlink(a.sun_path);
	close(listener);
}

Test(vhost_session, case_42_reconnecting_leaves_nothing_behind)
{
	unsigned before;

	run_rings(4);
	close(peer);
	pump();
	before = count_fds();
	for (int i = 0; i < 100; i++) {
		attach();
		run_rings(4);
		close(peer);
		pump();
		cr_expect_eq(p->conn.fd, -1);
	}
	cr_expect_eq(count_fds(), before);
	peer = -1;
}

Test(vhost_session, shows_its_own_keys)
{
	static const char *const keys[] = {"socket", "role", "peer", "features",
	    "ring", "mem_regions", "group", "mode", "queues", "vring0_state",
	    "vring0_size", "vring0_kicks", "vring0_calls"};
	struct json_object *out = json_object_new_object(), *v;

	run_rings(2);
	vhost_port_ops.show(&p->port, out);
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		cr_expect(
		    json_object_object_get_ex(out, keys[i], &v), "%s", keys[i]);
	json_object_put(out);
}
