/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_client.c - the client against switches that answer badly.
 *
 * Each test starts a switch of a few lines: it reads one request, sends bytes
 * that the test chose, and hangs up.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"
#include "switch/base/err.h"

static char dir[] = "/tmp/swd-client.XXXXXX";
static char path[64];
static pid_t child;

static int listen_at_path(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

/* Starts a switch whose only answer is @answer. */
static struct client *connect_to(const char *answer)
{
	struct client *client = NULL;
	struct err e;
	int fd = listen_at_path(), c;
	char request[4096];

	child = fork();
	if (child == 0) {
		c = accept(fd, NULL, NULL);
		if (read(c, request, sizeof(request)) > 0)
			(void)!write(c, answer, strlen(answer));
		_exit(0);
	}
	close(fd);
	cr_assert_eq(client_open(&client, path, &e), 0, "%s", e.message);
	return client;
}

static void set_up(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
}

static void tear_down(void)
{
	if (child > 0)
		waitpid(child, NULL, 0);
	unlink(path);
	rmdir(dir);
}

TestSuite(client, .init = set_up, .fini = tear_down, .timeout = 20);

Test(client, result_is_returned)
{
	struct client *c = connect_to("{\"jsonrpc\":\"2.0\",\"id\":1,"
				      "\"result\":[18446744073709551615]}\n");
	struct json_object *result = NULL;

	cr_assert_eq(client_call(c, "port.show", NULL, &result, NULL), 0);
	cr_expect_str_eq(
	    json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN),
	    "[18446744073709551615]");
	json_object_put(result);
	client_close(c);
}

Test(client, refusal_carries_name_hint_and_word)
{
	struct client *c = connect_to(
	    "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}\n"
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,"
	    "\"message\":\"port vm1 exists\",\"data\":{\"name\":\"EEXIST\","
	    "\"hint\":\"h\",\"arg\":\"vm1\"}}}\n");
	struct json_object *result = NULL;
	struct err e;

	cr_expect_eq(client_call(c, "port.add", NULL, &result, &e), -EEXIST);
	cr_expect(client_is_alive(c));
	cr_expect_str_eq(e.message, "port vm1 exists");
	cr_expect_str_eq(e.hint, "h");
	cr_expect_str_eq(e.arg, "vm1");
	cr_expect_null(result);
	client_close(c);
}

Test(client, refusal_without_words_is_a_sentence_too)
{
	struct client *c = connect_to("{\"id\":null,\"error\":5}\n");
	struct err e;

	cr_expect_lt(client_call(c, "port.add", NULL, NULL, &e), 0);
	cr_expect(client_is_alive(c));
	cr_expect(e.message[0]);
	client_close(c);
}

Test(client, events_follow_the_reply)
{
	struct client *c = connect_to(
	    "{\"id\":1,\"result\":null}\n{\"method\":\"event\"}\n"
	    "{\"method\":\"event\",\"params\":{\"object\":\"port\"}}\n");
	struct json_object *result = NULL, *event = NULL;
	struct err e;

	cr_assert_eq(client_call(c, "monitor.subscribe", NULL, &result, &e), 0);
	cr_assert_eq(client_next_event(c, &event, &e), 0);
	cr_expect(json_object_object_get_ex(event, "object", NULL));
	json_object_put(event);
	cr_expect_lt(client_next_event(c, &event, &e), 0);
	cr_expect_not(client_is_alive(c));
	client_close(c);
}

static void expect_loss(const char *answer)
{
	struct client *c = connect_to(answer);
	struct json_object *result = NULL;
	struct err e = {0};

	cr_expect_lt(client_call(c, "port.show", NULL, &result, &e), 0);
	cr_expect_not(client_is_alive(c));
	cr_expect(e.message[0]);
	cr_expect_null(result);
	client_close(c);
}

Test(client, hanging_up_is_a_loss)
{
	expect_loss("");
}

Test(client, half_a_line_is_a_loss)
{
	expect_loss("{\"id\":1,\"result\":[");
}

Test(client, what_is_not_json_is_a_loss)
{
	expect_loss("hello\n");
}

Test(client, what_is_not_an_object_is_a_loss)
{
	expect_loss("[{\"id\":1,\"result\":[]}]\n");
}

Test(client, bottomless_nesting_is_a_loss)
{
	char deep[2048];

	memset(deep, '[', sizeof(deep));
	memcpy(deep, "{\"result\":", 10);
	strcpy(deep + sizeof(deep) - 2, "\n");
	expect_loss(deep);
}

Test(client, nobody_there_has_a_hint)
{
	struct client *c = NULL;
	struct err e;
	char longer[200];
	int fd;

	cr_expect_eq(client_open(&c, path, &e), -ENOENT);
	cr_expect(strstr(e.message, path));
	cr_expect(strstr(e.hint, "swd"));
	fd = listen_at_path();
	close(fd);
	cr_expect_eq(client_open(&c, path, &e), -ECONNREFUSED);
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	cr_expect_eq(client_open(&c, longer, &e), -ENAMETOOLONG);
	cr_expect_null(c);
	client_close(c);
}
