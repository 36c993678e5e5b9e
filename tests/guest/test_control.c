/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_control.c - the control socket and those who misuse it.
 *
 * Whatever a connection does, another one gets its answer and the switch
 * neither grows nor ends.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/swd.h"

/* A sanitizer keeps what was freed. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
	NOBODY = 65534,
	WAIT_MS = 5000,
	GROWTH_KIB = SANITIZED ? 1 << 20 : 16 << 10,
};

static struct swd s;

static void set_up(void)
{
	cr_assert_eq(swd_start(&s, NULL), 0);
}

static void tear_down(void)
{
	if (s.pid)
		cr_assert_eq(swd_stop(&s), 0);
	swd_fini(&s);
}

TestSuite(control, .init = set_up, .fini = tear_down, .timeout = 60);

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* A connection, or -1. */
static int try_connection(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.60s/swd.sock", s.dir);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int open_connection(void)
{
	int fd = try_connection();

	cr_assert_geq(fd, 0, "%s", strerror(errno));
	return fd;
}

/* Sends text[0..n) or as much as the peer takes before it hangs up or, with
 * MSG_DONTWAIT, before it does not read; how much. */
static size_t send_text(int fd, const char *text, size_t n, int flags)
{
	size_t done = 0;
	ssize_t sent = 1;

	while (done < n && sent > 0) {
		sent = send(fd, text + done, n - done, flags | MSG_NOSIGNAL);
		done += sent > 0 ? (size_t)sent : 0;
	}
	return done;
}

static void send_line(int fd, const char *line)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "%s\n", line);

	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	cr_assert_eq(send_text(fd, text, (size_t)n, 0), (size_t)n);
}

/* The next byte, -1 at the end, -2 if none comes. */
static int next_byte(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned char c;

	if (poll(&p, 1, WAIT_MS) <= 0)
		return -2;
	return recv(fd, &c, 1, 0) == 1 ? c : -1;
}

/* The next line; NULL at the end of the connection. */
static struct json_object *next_line(int fd)
{
	size_t n = 0, size = 4096;
	char *text = malloc(size);
	struct json_object *o = NULL;
	int c;

	while ((c = next_byte(fd)) >= 0 && c != '\n') {
		if (n + 1 == size)
			text = realloc(text, size *= 2);
		text[n++] = (char)c;
	}
	cr_assert_neq(c, -2, "no answer");
	text[n] = '\0';
	if (c == '\n') {
		o = json_tokener_parse(text);
		cr_assert_not_null(o, "%s", text);
	}
	free(text);
	return o;
}

static const char *at(struct json_object *o, const char *path)
{
	struct json_object *v = NULL;

	if (!o || json_pointer_get(o, path, &v))
		return "(none)";
	return v ? json_object_get_string(v) : "null";
}

static void expect(int fd, const char *path, const char *value)
{
	struct json_object *o = next_line(fd);

	cr_assert_str_eq(at(o, path), value, "%s",
	    o ? json_object_to_json_string(o) : "end");
	json_object_put(o);
}

static void expect_end(int fd)
{
	int c;

	while ((c = next_byte(fd)) >= 0)
		;
	cr_assert_eq(c, -1);
	close(fd);
}

#define SHOW "{'jsonrpc':'2.0','id':7,'method':'bridge.show'}"

/* Somebody else is served as ever. */
static void expect_service(void)
{
	int fd = open_connection();

	send_line(fd, SHOW);
	expect(fd, "/result/0/name", "br0");
	close(fd);
}

static char *repeat(const char *unit, size_t times, size_t *n)
{
	size_t len = strlen(unit);
	char *text = malloc(len * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(text + i * len, unit, len);
	*n = len * times;
	text[*n] = '\0';
	return text;
}

Test(control, requests_are_answered_in_order)
{
	int fd = open_connection();
	char line[128];

	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line),
		    "{'jsonrpc':'2.0','id':%d,'method':'worker.show'}", i);
		send_line(fd, line);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "%d", i);
		expect(fd, "/id", line);
	}
	close(fd);
}

Test(control, a_request_may_come_in_pieces)
{
	static const char text[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"bridge.show\"}\r\n";
	int fd = open_connection();

	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		cr_assert_eq(send_text(fd, text + i, 1, 0), 1);
		if (i % 16 == 0)
			expect_service();
	}
	expect(fd, "/id", "7");
	close(fd);
}

Test(control, what_was_asked_before_the_end_is_answered)
{
	int fd = open_connection();

	send_line(fd, SHOW);
	shutdown(fd, SHUT_WR);
	expect(fd, "/id", "7");
	expect_end(fd);
}

Test(control, what_was_asked_before_leaving_is_done)
{
	int fd = open_connection();
	struct json_object *p;

	for (int i = 0; i < 40; i++)
		send_line(fd, SHOW);
	send_line(fd, "{'jsonrpc':'2.0','method':'port.add',"
		      "'params':{'name':'n1','type':'null'}}");
	close(fd);
	for (int i = 0; i < 500 && !(p = swd_port(&s, "n1")); i++)
		pause_briefly();
	cr_assert_not_null(p);
	json_object_put(p);
}

Test(control, deep_nesting_is_refused)
{
	static const size_t depth[] = {33, 10000, 1000000};
	int fd = open_connection();

	for (size_t i = 0; i < sizeof(depth) / sizeof(*depth); i++) {
		size_t n;
		char *text = repeat("[", depth[i], &n);

		text[n] = '\n';
		cr_assert_eq(send_text(fd, text, n + 1, 0), n + 1);
		expect(fd, "/error/code", "-32700");
		free(text);
	}
	send_line(fd, SHOW);
	expect(fd, "/id", "7");
	close(fd);
}

Test(control, many_members_cost_nothing)
{
	uint64_t before = swd_rss_kib(&s);
	int fd = open_connection();
	size_t n;
	char *text = repeat("\"a\":1,", 150000, &n);

	text[0] = '{';
	text[n] = '\n';
	cr_assert_eq(send_text(fd, text, n + 1, 0), n + 1);
	expect(fd, "/error/code", "-32700");
	free(text);
	cr_assert_leq(swd_rss_kib(&s), before + GROWTH_KIB);
	close(fd);
}

Test(control, a_line_without_end_ends_the_connection)
{
	uint64_t before = swd_rss_kib(&s);
	int fd = open_connection();
	size_t n, sent = 0, more;
	char *text = repeat("x", 1 << 20, &n);

	do {
		more = send_text(fd, text, n, 0);
		sent += more;
	} while (more == n && sent < (64u << 20));
	free(text);
	cr_assert_lt(sent, 4u << 20);
	expect(fd, "/error/data/name", "E2BIG");
	expect_end(fd);
	cr_assert_leq(swd_rss_kib(&s), before + GROWTH_KIB);
	expect_service();
}

Test(control, a_reader_that_sleeps_stalls_itself_alone)
{
	static const char show[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"port.show\"}\n";
	uint64_t before;
	int fd = open_connection(), drained = 0;
	size_t n, sent;
	char *text = repeat(show, 10000, &n), bytes[65536];
	ssize_t got;

	for (int i = 0; i < 50; i++)
		cr_assert_eq(
		    swd_do(&s, "port.add", "{'name':'p%d','type':'null'}", i),
		    0);
	before = swd_rss_kib(&s);
	sent = send_text(fd, text, n, MSG_DONTWAIT);
	for (int i = 0; i < 20; i++) {
		expect_service();
		sent += send_text(fd, text + sent, n - sent, MSG_DONTWAIT);
	}
	cr_assert_lt(sent, n);
	cr_assert_leq(swd_rss_kib(&s), before + GROWTH_KIB);
	while (drained < 20 && (got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		for (ssize_t i = 0; i < got; i++)
			drained += bytes[i] == '\n';
	cr_assert_eq(drained >= 20, 1);
	free(text);
	close(fd);
}

Test(control, the_longest_idle_of_too_many_makes_room)
{
	unsigned fds = swd_n_fds(&s);
	int fd[300];

	for (int i = 0; i < 300; i++) {
		fd[i] = open_connection();
		send_text(fd[i], "{", 1, 0);
	}
	expect_service();
	cr_assert_leq(swd_n_fds(&s), fds + 66);
	expect_end(fd[0]);
	send_line(fd[299], " }");
	expect(fd[299], "/error/code", "-32600");
	for (int i = 1; i < 300; i++)
		close(fd[i]);
	expect_service();
}

Test(control, connections_leave_nothing_behind)
{
	unsigned fds;

	expect_service();
	fds = swd_n_fds(&s);
	for (int i = 0; i < 500; i++) {
		int fd = open_connection();

		send_text(fd, "{\"json", (size_t)(i % 7), 0);
		close(fd);
	}
	for (int i = 0; i < 500 && swd_n_fds(&s) > fds; i++)
		pause_briefly();
	cr_assert_leq(swd_n_fds(&s), fds);
}

/* What a user without rights gets; runs in a child of ours. */
static int ask_as_nobody(void)
{
	struct json_object *o;
	int fd;

	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		return 2;
	fd = open_connection();
	send_text(fd, SHOW "\n", sizeof(SHOW), 0);
	o = next_line(fd);
	return strcmp(at(o, "/error/data/name"), "EPERM") != 0;
}

Test(control, other_users_are_refused)
{
	char path[96];
	struct stat st;
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/swd.sock", s.dir);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	if (geteuid())
		cr_skip("only root can become another user");
	chmod(s.dir, 0755);
	chmod(path, 0666);
	pid = fork();
	if (pid == 0)
		_exit(ask_as_nobody());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	expect_service();
}

static void send_with_fd(int fd, const char *text, size_t n, int passed)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.h = {.cmsg_len = CMSG_LEN(sizeof(int)),
			 .cmsg_level = SOL_SOCKET,
			 .cmsg_type = SCM_RIGHTS}};
	struct iovec iov = {.iov_base = (char *)text, .iov_len = n};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.space,
	    .msg_controllen = sizeof(control.space)};

	memcpy(CMSG_DATA(&control.h), &passed, sizeof(passed));
	cr_assert_eq(sendmsg(fd, &m, 0), (ssize_t)n);
}

Test(control, descriptors_sent_are_closed)
{
	unsigned fds;
	int fd = open_connection(), ends[2];

	expect_service();
	fds = swd_n_fds(&s);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	send_with_fd(fd, "{}\n", 3, ends[1]);
	close(ends[1]);
	expect(fd, "/error/code", "-32600");
	cr_assert_eq(next_byte(ends[0]) == -2, 0);
	cr_assert_leq(swd_n_fds(&s), fds);
	close(ends[0]);
	close(fd);
}

static pid_t start_another(void)
{
	const char *binary = getenv("SWD");
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open("/dev/null", O_WRONLY);

		dup2(fd, STDERR_FILENO);
		execl(binary ? binary : "build/swd", "swd", "-r", s.dir, NULL);
		_exit(127);
	}
	return pid;
}

Test(control, a_second_switch_does_not_take_over)
{
	pid_t pid = start_another();
	int status;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	expect_service();
}

Test(control, a_socket_left_behind_is_replaced)
{
	char path[96];

	swd_kill(&s);
	snprintf(path, sizeof(path), "%s/swd.sock", s.dir);
	cr_assert_eq(access(path, F_OK), 0);
	cr_assert_eq(swd_respawn(&s), 0);
	expect_service();
	cr_assert_eq(swd_stop(&s), 0);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(control, of_two_started_at_once_one_wins)
{
	for (int round = 0; round < 10; round++) {
		int status, fd;
		pid_t a, b, loser;

		swd_kill(&s);
		a = start_another();
		b = start_another();
		loser = waitpid(-1, &status, 0);
		cr_assert(loser == a || loser == b);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
		s.pid = loser == a ? b : a;
		fd = -1;
		for (int i = 0; i < 500 && fd < 0; i++, pause_briefly())
			fd = try_connection();
		cr_assert_geq(fd, 0);
		close(fd);
		expect_service();
	}
}

static void call(const char *method, const char *params)
{
	cr_assert_eq(swd_do(&s, method, "%s", params), 0);
}

Test(control, a_monitor_hears_what_happens)
{
	int fd = open_connection();

	send_line(fd, "{'jsonrpc':'2.0','id':1,'method':'monitor.subscribe',"
		      "'params':{'objects':['bridge','fdb','config']}}");
	expect(fd, "/id", "1");
	call("port.add", "{'name':'n1','type':'null'}");
	call("bridge.add", "{'name':'br1'}");
	expect(fd, "/params/name", "br1");
	call("fdb.add", "{'mac':'52:54:00:00:00:01','port':'n1'}");
	expect(fd, "/params/port", "n1");
	call("config.apply", "{'text':'port add n1 type null'}");
	expect(fd, "/params/name", "52:54:00:00:00:01");
	expect(fd, "/params/name", "br1");
	expect(fd, "/params/object", "config");
	close(fd);
}

Test(control, a_monitor_that_does_not_read_is_let_go)
{
	static const char set[] =
	    "{\"jsonrpc\":\"2.0\",\"method\":\"bridge.set\","
	    "\"params\":{\"name\":\"br0\",\"ageing\":60}}\n";
	uint64_t before = swd_rss_kib(&s);
	int fd = open_connection(), other = open_connection();
	size_t n;
	char *text = repeat(set, 60000, &n);

	send_line(fd, "{'jsonrpc':'2.0','id':1,'method':'monitor.subscribe'}");
	expect(fd, "/id", "1");
	cr_assert_eq(send_text(other, text, n, 0), n);
	send_line(other, SHOW);
	expect(other, "/id", "7");
	cr_assert_leq(swd_rss_kib(&s), before + GROWTH_KIB);
	expect_end(fd);
	close(other);
	free(text);
}

Test(control, a_long_answer_comes_in_steps)
{
	int fd = open_connection();
	struct json_object *o;
	char line[256];

	call("port.add", "{'name':'n1','type':'null'}");
	for (int i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line),
		    "{'jsonrpc':'2.0','method':'fdb.add','params':{"
		    "'mac':'02:00:00:00:%02x:%02x','port':'n1'}}",
		    i >> 8, i & 0xff);
		send_line(fd, line);
	}
	send_line(fd, "{'jsonrpc':'2.0','id':'f','method':'fdb.show'}");
	send_line(fd, "{'jsonrpc':'2.0','id':'c','method':'config.show'}");
	send_line(fd, SHOW);
	o = next_line(fd);
	cr_assert_str_eq(at(o, "/id"), "f");
	cr_assert_str_eq(at(o, "/result/4999/port"), "n1");
	cr_assert_str_eq(at(o, "/result/5000"), "(none)");
	json_object_put(o);
	o = next_line(fd);
	cr_assert_str_eq(at(o, "/id"), "c");
	cr_assert_str_neq(at(o, "/result/5000/line"), "(none)");
	json_object_put(o);
	expect(fd, "/id", "7");
	send_line(fd, "{'jsonrpc':'2.0','id':'f','method':'fdb.show'}");
	close(fd); /* in the middle of it */
	expect_service();
}

Test(control, ports_come_and_go_without_a_trace)
{
	unsigned fds = 0, maps = 0;
	uint64_t rss = 0;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++) {
			call("port.add", "{'name':'x','type':'null'}");
			call("port.del", "{'name':'x'}");
		}
		if (round) {
			cr_assert_leq(swd_n_fds(&s), fds);
			cr_assert_leq(swd_n_maps(&s), maps + 2);
			cr_assert_leq(swd_rss_kib(&s), rss + GROWTH_KIB / 16);
		}
		fds = swd_n_fds(&s);
		maps = swd_n_maps(&s);
		rss = swd_rss_kib(&s);
	}
}

static void call_refused(const char *method, const char *params)
{
	char text[512];

	snprintf(text, sizeof(text), "%s", params);
	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	cr_assert_null(swd_call(&s, method, text), "%s", params);
	cr_assert_str_eq(swd_error(&s, "code"), "-32602", "%s", params);
}

Test(control, numbers_and_names_out_of_bounds_are_refused)
{
	call_refused("port.add", "{'name':'a','type':'vhost-user',"
				 "'queues':-1}");
	call_refused("port.add", "{'name':'a','type':'vhost-user',"
				 "'queues':4294967297}");
	call_refused("bridge.add", "{'name':'a','fdb_size':2147483648}");
	call_refused("port.add", "{'name':'a\\n','type':'null'}");
	call_refused("port.add", "{'name':'\\u001b[2J','type':'null'}");
	call_refused("port.add", "{'name':'a\\u0000','type':'null'}");
	call_refused("port.add", "{'name':'../x','type':'null'}");
	call_refused("port.add", "{'name':'..','type':'null'}");
	expect_service();
}
