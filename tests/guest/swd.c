/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swd.c - the switch under test: a child process and its control socket.
 *
 * One request is on its way at a time, so that a reply is the next line.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/swd.h"

enum { START_MS = 10000, STOP_MS = 10000, PAUSE_NS = 2000000 };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void pause_briefly(void)
{
	nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

static void print_log(const struct swd *s)
{
	char path[96], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/swd.log", s->dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		fprintf(stderr, "swd: %s", line);
	if (f)
		fclose(f);
}

static void run_child(
    const struct swd *s, const char *const option[], pid_t parent)
{
	const char *binary = getenv("SWD");
	const char *argv[SWD_OPTIONS_MAX + 4] = {"swd", "-r", s->dir};
	char path[96];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	for (unsigned i = 0; option[i]; i++)
		argv[3 + i] = option[i];
	snprintf(path, sizeof(path), "%s/swd.log", s->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close_range(3, ~0U, 0);
	execv(binary ? binary : "build/swd", (char *const *)argv);
	perror("execv");
	_exit(127);
}

/* A connection to the control socket, or -1. */
static int control_connect(const struct swd *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/swd.sock", s->dir);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void control_close(struct swd *s)
{
	if (s->control >= 0)
		close(s->control);
	s->control = -1;
}

/* Reaps the child if it ended. */
static bool ended(struct swd *s, int *status)
{
	if (waitpid(s->pid, status, WNOHANG) != s->pid)
		return false;
	s->pid = 0;
	control_close(s);
	return true;
}

int swd_respawn(struct swd *s)
{
	int64_t deadline = now_ms() + START_MS;
	pid_t parent = getpid();
	int status;

	s->pid = fork();
	if (s->pid < 0)
		return -errno;
	if (s->pid == 0)
		run_child(s, s->option, parent);
	do {
		s->control = control_connect(s);
		if (s->control >= 0)
			return 0;
		if (ended(s, &status)) {
			print_log(s);
			return -ECHILD;
		}
		pause_briefly();
	} while (now_ms() < deadline);
	swd_kill(s);
	print_log(s);
	return -ETIMEDOUT;
}

pid_t swd_start_successor(const struct swd *s)
{
	static const char *const option[] = {"--takeover", NULL};
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		run_child(s, option, parent);
	return pid;
}

bool swd_is_succeeded(struct swd *s, pid_t by)
{
	int status;

	if (!ended(s, &status))
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "swd ended with wait status 0x%x\n", status);
		print_log(s);
	}
	s->pid = by;
	return true;
}

int swd_start(struct swd *s, const char *const options[])
{
	const char *tmp = getenv("TMPDIR");
	int err;

	*s = (struct swd){.control = -1};
	for (unsigned i = 0; options && options[i] && i < SWD_OPTIONS_MAX; i++)
		s->option[i] = options[i];
	if ((size_t)snprintf(s->dir, sizeof(s->dir), "%s/swd-test-XXXXXX",
		tmp ? tmp : "/tmp") >= sizeof(s->dir))
		return -ENAMETOOLONG;
	if (!mkdtemp(s->dir))
		return -errno;
	err = swd_respawn(s);
	if (err)
		swd_fini(s);
	return err;
}

int swd_stop(struct swd *s)
{
	int64_t deadline = now_ms() + STOP_MS;
	int status;

	if (s->pid <= 0)
		return -ECHILD;
	control_close(s);
	kill(s->pid, SIGTERM);
	while (!ended(s, &status)) {
		if (now_ms() > deadline) {
			swd_kill(s);
			print_log(s);
			return -ETIMEDOUT;
		}
		pause_briefly();
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	fprintf(stderr, "swd ended with wait status 0x%x\n", status);
	print_log(s);
	return -EPROTO;
}

void swd_kill(struct swd *s)
{
	control_close(s);
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

static int remove_one(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void swd_fini(struct swd *s)
{
	int status;

	if (s->pid > 0 && ended(s, &status)) {
		fprintf(stderr, "swd died with wait status 0x%x\n", status);
		print_log(s);
	}
	swd_kill(s);
	json_object_put(s->error);
	s->error = NULL;
	if (s->dir[0])
		nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	s->dir[0] = '\0';
}

bool swd_alive(const struct swd *s)
{
	siginfo_t info = {0};

	return s->pid > 0 &&
	       waitid(P_PID, (id_t)s->pid, &info,
		   WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == 0;
}

void swd_socket(const struct swd *s, const char *port, char *path, size_t size)
{
	snprintf(path, size, "%s/vhost/%s", s->dir, port);
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -EIO;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The object of one line from @fd; NULL if none comes in time. */
static struct json_object *recv_object(int fd)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o = NULL;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char bytes[16384];
	ssize_t n;

	do {
		if (poll(&p, 1, SWD_WAIT_MS) <= 0)
			break;
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			break;
		o = json_tokener_parse_ex(tok, bytes, (int)n);
	} while (json_tokener_get_error(tok) == json_tokener_continue);
	json_tokener_free(tok);
	return o;
}

struct json_object *swd_call(
    struct swd *s, const char *method, const char *params)
{
	struct json_object *reply, *member, *result = NULL;
	char *text;
	int len;

	json_object_put(s->error);
	s->error = NULL;
	if (s->control < 0)
		s->control = control_connect(s);
	len = asprintf(&text,
	    "{\"jsonrpc\":\"2.0\",\"id\":%ju,\"method\":\"%s\","
	    "\"params\":%s}\n",
	    (uintmax_t)++s->id, method, params ? params : "{}");
	if (len < 0)
		return NULL;
	reply = send_all(s->control, text, (size_t)len) == 0
		    ? recv_object(s->control)
		    : NULL;
	free(text);
	if (json_object_object_get_ex(reply, "id", &member) &&
	    (uint64_t)json_object_get_int64(member) == s->id) {
		if (json_object_object_get_ex(reply, "error", &member))
			s->error = json_object_get(member);
		else if (json_object_object_get_ex(reply, "result", &member))
			result = member ? json_object_get(member)
					: json_object_new_object();
	} else {
		control_close(s);
	}
	json_object_put(reply);
	return result;
}

int swd_do(struct swd *s, const char *method, const char *params, ...)
{
	struct json_object *result;
	bool done;
	char *text;
	va_list ap;
	int n;

	va_start(ap, params);
	n = vasprintf(&text, params, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	for (char *p = text; *p; p++)
		if (*p == '\'')
			*p = '"';
	result = swd_call(s, method, text);
	if (!result)
		fprintf(stderr, "%s %s: %s\n", method, text,
		    s->error ? json_object_to_json_string(s->error)
			     : "no answer");
	done = result != NULL;
	free(text);
	json_object_put(result);
	if (done)
		return 0;
	return s->error ? -EREMOTEIO : -EIO;
}

const char *swd_error(const struct swd *s, const char *key)
{
	struct json_object *v = NULL;

	if (s->error)
		json_object_object_get_ex(s->error, key, &v);
	return v ? json_object_get_string(v) : "";
}
