/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swctl.c - administration of the switch.
 *
 * Words become a command by the table, the command one request, its result
 * what is printed.  A few commands have a part of their own on this side:
 * files of the configuration, events, and what a virtual machine must be told.
 * The exit status says who is to blame.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/config_file.h"
#include "cli/grammar.h"
#include "cli/guest.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/synopsis.h"
#include "switch/base/err.h"
#include "switch/version.h"

enum status {
	DONE = 0,
	REFUSED = 1,	 /* by the switch */
	WRONG_WORDS = 2, /* known without asking it */
	UNREACHABLE = 3,
};

struct session {
	const struct options *opts;
	const struct output *out;
	struct client *client; /* opened by the first request */
	struct err e;
};

static enum status call(struct session *s, const char *method,
    struct json_object *params, struct json_object **result)
{
	int r;

	if (!s->client) {
		r = client_open(&s->client, s->opts->socket, &s->e);
		if (r < 0)
			return r == -ENAMETOOLONG ? WRONG_WORDS : UNREACHABLE;
	}
	if (client_call(s->client, method, params, result, &s->e) == 0)
		return DONE;
	return client_is_alive(s->client) ? REFUSED : UNREACHABLE;
}

/* The value of swctl's own argument @key, given or by default; it leaves
 * @params. */
static char *take_local(const struct grammar_command *cmd,
    struct json_object *params, const char *key)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};
	struct json_object *v = NULL;
	char buf[GRAMMAR_KEY_SIZE];
	char *text = NULL;

	if (json_object_object_get_ex(params, key, &v))
		text = strdup(json_object_get_string(v));
	json_object_object_del(params, key);
	while (!text && (arg = grammar_next(cmd, &it)))
		if (arg->def && strcmp(grammar_key(arg, buf), key) == 0)
			text = strdup(arg->def);
	return text;
}

static bool take_flag(struct json_object *params, const char *key)
{
	bool given = json_object_object_get_ex(params, key, NULL);

	json_object_object_del(params, key);
	return given;
}

/* Adds -s and -d to the parameters of a command that has them. */
static void add_wishes(const struct session *s,
    const struct grammar_command *cmd, struct json_object *params)
{
	const struct grammar_arg *arg;
	struct grammar_iter it = {0};

	while ((arg = grammar_next(cmd, &it)))
		if (arg->wire &&
		    ((strcmp(arg->word, "stats") == 0 && s->out->stats) ||
			(strcmp(arg->word, "details") == 0 && s->out->details)))
			json_object_object_add(
			    params, arg->word, json_object_new_boolean(true));
}

static enum status config_save(struct session *s,
    const struct grammar_command *cmd, struct json_object *params)
{
	struct json_object *result = NULL;
	char *path, *text;
	enum status status = call(s, "config.show", NULL, &result);

	if (status != DONE)
		return status;
	path = take_local(cmd, params, "file");
	text = config_text(result);
	if (!path || !text || config_write(path, text, &s->e) < 0)
		status = WRONG_WORDS;
	json_object_put(result);
	free(path);
	free(text);
	return status;
}

/* Replaces the file's name in @params by its text. */
static enum status load_text(struct session *s,
    const struct grammar_command *cmd, struct json_object *params)
{
	char *path = take_local(cmd, params, "file"), *text = NULL;
	enum status status = DONE;

	if (!path || config_read(path, &text, &s->e) < 0)
		status = WRONG_WORDS;
	else
		json_object_object_add(
		    params, "text", json_object_new_string(text));
	free(path);
	free(text);
	return status;
}

static enum status monitor(struct session *s)
{
	struct json_object *event = NULL;

	while (client_next_event(s->client, &event, &s->e) == 0) {
		output_event(s->out, event);
		json_object_put(event);
	}
	return UNREACHABLE;
}

/* Prints what the first port of @result asks of a virtual machine. */
static enum status print_guest(
    struct session *s, struct json_object *result, bool qemu)
{
	struct json_object *port = NULL;

	if (json_object_is_type(result, json_type_array))
		port = json_object_array_get_idx(result, 0);
	if (!port) {
		err_set(&s->e, -ENOENT, "there is no such port");
		return REFUSED;
	}
	if ((qemu ? guest_print_qemu(s->out->f, port, &s->e)
		  : guest_print_libvirt(s->out->f, port, &s->e)) < 0)
		return WRONG_WORDS;
	return DONE;
}

static enum status check_guest_words(
    struct session *s, struct json_object *params, bool qemu, bool libvirt)
{
	if (!(qemu || libvirt) ||
	    (qemu != libvirt &&
		json_object_object_get_ex(params, "name", NULL)))
		return DONE;
	err_set(&s->e, -EINVAL, "%s needs the name of one port",
	    qemu && libvirt ? "--qemu or --libvirt"
	    : qemu	    ? "--qemu"
			    : "--libvirt");
	err_hint(&s->e, "swctl port show NAME --qemu");
	return WRONG_WORDS;
}

static bool has_rates(struct json_object *picture)
{
	struct json_object *ports;
	size_t i;

	if (!json_object_object_get_ex(picture, "ports", &ports) ||
	    !json_object_is_type(ports, json_type_array))
		return true;
	for (i = 0; i < json_object_array_length(ports); i++)
		if (json_object_object_get_ex(
			json_object_array_get_idx(ports, i), "rx_bits_per_s",
			NULL))
			return true;
	return i == 0;
}

/* Rates are those since somebody last looked; if nobody has, we do twice. */
static enum status look_again(struct session *s, const char *method,
    struct json_object *params, struct json_object **result)
{
	if (has_rates(*result))
		return DONE;
	usleep(200000);
	json_object_put(*result);
	*result = NULL;
	return call(s, method, params, result);
}

static enum status run(struct session *s, const struct grammar_command *cmd,
    struct json_object *params)
{
	struct json_object *result = NULL;
	bool qemu = take_flag(params, "qemu");
	bool libvirt = take_flag(params, "libvirt");
	enum status status = check_guest_words(s, params, qemu, libvirt);

	if (status != DONE)
		return status;
	if (!cmd->method)
		return config_save(s, cmd, params);
	if (strcmp(cmd->method, "config.apply") == 0)
		status = load_text(s, cmd, params);
	add_wishes(s, cmd, params);
	if (status == DONE)
		status = call(s, cmd->method, params, &result);
	if (status == DONE && strcmp(cmd->object, "show") == 0)
		status = look_again(s, cmd->method, params, &result);
	if (status != DONE)
		return status;
	if (strcmp(cmd->object, "monitor") == 0)
		status = monitor(s);
	else if (qemu || libvirt)
		status = print_guest(s, result, qemu);
	else
		output_result(s->out, cmd, result);
	json_object_put(result);
	return status;
}

/* Prints the help that the words ask for. */
static enum status help(struct session *s, int argc, char *const argv[])
{
	const struct grammar_object *object;
	const struct grammar_command *cmd;
	int used;

	if (argc == 0) {
		help_print(stdout);
		return DONE;
	}
	object = grammar_find_object(argv[0], &s->e);
	if (!object)
		return WRONG_WORDS;
	cmd = grammar_find_command(argc, argv, &used, &s->e);
	if (!cmd)
		return WRONG_WORDS;
	if (argc == 1 && cmd->verb[0])
		help_print_object(stdout, object);
	else
		help_print_command(stdout, cmd);
	return DONE;
}

/* `port add help`, but not a port whose name is help. */
static bool asks_for_help(int argc, char *const argv[])
{
	return argc > 0 && strcmp(argv[argc - 1], "help") == 0 &&
	       (argc < 2 || strcmp(argv[argc - 2], "name") != 0);
}

static enum status run_words(
    struct session *s, int argc, char *const argv[], const char *line)
{
	const struct grammar_command *cmd;
	struct json_object *params;
	enum status status;
	int r = line ? grammar_parse_line(line, &cmd, &params, &s->e)
		     : grammar_parse(argc, argv, &cmd, &params, &s->e);

	if (r < 0)
		return WRONG_WORDS;
	if (!cmd)
		return DONE;
	status = run(s, cmd, params);
	json_object_put(params);
	return status;
}

static enum status batch(struct session *s, const char *path, char **where)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	enum status status = DONE;
	unsigned long n = 0;
	char *line = NULL;
	size_t size = 0;
	ssize_t got;

	if (!f) {
		err_set(&s->e, -errno, "cannot read %.100s: %s", path,
		    strerror(errno));
		err_arg(&s->e, path);
		return WRONG_WORDS;
	}
	while (status == DONE && (got = getline(&line, &size, f)) > 0) {
		n++;
		if (strlen(line) == (size_t)got) {
			status = run_words(s, 0, NULL, line);
		} else {
			err_set(&s->e, -EILSEQ, "a line holds a zero byte");
			status = WRONG_WORDS;
		}
		fflush(s->out->f);
	}
	if (status != DONE)
		*where = text_format(
		    "%s:%lu", f == stdin ? "standard input" : path, n);
	free(line);
	if (f != stdin)
		fclose(f);
	return status;
}

static enum status dispatch(
    struct session *s, struct options *opts, char **where)
{
	char *show[] = {"show"};
	int argc = opts->n_words;

	if (opts->version) {
		puts("swctl " SWITCH_VERSION);
		return DONE;
	}
	if (asks_for_help(argc, opts->words))
		return help(s, argc - 1, opts->words);
	if (opts->help)
		return help(s, argc, opts->words);
	if (opts->batch && argc == 0)
		return batch(s, opts->batch, where);
	if (opts->batch) {
		err_set(&s->e, -EINVAL, "words and a batch exclude each other");
		err_arg(&s->e, opts->words[0]);
		return WRONG_WORDS;
	}
	return run_words(s, argc ? argc : 1, argc ? opts->words : show, NULL);
}

int main(int argc, char *argv[])
{
	struct options opts;
	struct session s = {.opts = &opts, .out = &opts.output};
	enum status status = WRONG_WORDS;
	char *where = NULL;

	if (options_read(&opts, argc, argv, &s.e) == 0)
		status = dispatch(&s, &opts, &where);
	if (status != DONE)
		output_error(&opts.output, stderr, where, &s.e);
	client_close(s.client);
	free(opts.words);
	free(where);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("swctl: standard output");
		return status == DONE ? REFUSED : status;
	}
	return status;
}
