/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.c - a state as a list of items, and going from one to another.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/control/config.h"
#include "switch/control/config_plan.h"
#include "switch/control/events.h"
#include "switch/control/record.h"

static char *index_key(enum config_kind kind, const char *key)
{
	char *text;

	return asprintf(&text, "%d %s", kind, key) < 0 ? NULL : text;
}

struct config_item *config_find(
    const struct config *config, enum config_kind kind, const char *key)
{
	struct json_object *at;
	char *text = index_key(kind, key);
	bool found = text && config->index &&
		     json_object_object_get_ex(config->index, text, &at);

	free(text);
	return found ? &config->item[json_object_get_int(at)] : NULL;
}

static int grow(struct config *config)
{
	unsigned size = config->size ? 2 * config->size : 64;
	struct config_item *item;

	if (!config->index)
		config->index = json_object_new_object();
	if (!config->index)
		return -ENOMEM;
	if (config->n < config->size)
		return 0;
	item = realloc(config->item, size * sizeof(*item));
	if (!item)
		return -ENOMEM;
	config->item = item;
	config->size = size;
	return 0;
}

struct config_item *config_add(struct config *config, enum config_kind kind,
    const char *key, struct json_object *params, unsigned line)
{
	char *copy = strdup(key), *text = index_key(kind, key);

	if (!params || !copy || !text || grow(config)) {
		json_object_put(params);
		free(copy);
		free(text);
		return NULL;
	}
	json_object_object_add(
	    config->index, text, json_object_new_int((int)config->n));
	free(text);
	config->item[config->n] = (struct config_item){
	    .kind = kind, .key = copy, .params = params, .line = line};
	return &config->item[config->n++];
}

unsigned config_count_workers(const struct config *config)
{
	unsigned n = 0;

	for (unsigned i = 0; i < config->n; i++)
		n += config->item[i].kind == CONFIG_WORKER;
	return n;
}

static bool is_worker_on(const struct config_item *item, const char *cpu)
{
	return item->kind == CONFIG_WORKER && !strcmp(item->key, cpu);
}

const struct config_item *config_same_worker(const struct config *other,
    const struct config *have, const struct config_item *item)
{
	unsigned before = 0;

	for (const struct config_item *i = have->item; i < item; i++)
		before += is_worker_on(i, item->key);
	for (unsigned i = 0; i < other->n; i++)
		if (is_worker_on(&other->item[i], item->key) && before-- == 0)
			return &other->item[i];
	return NULL;
}

void config_close(struct config *config)
{
	for (unsigned i = 0; i < config->n; i++) {
		free(config->item[i].key);
		json_object_put(config->item[i].params);
	}
	free(config->item);
	json_object_put(config->index);
	*config = (struct config){0};
}

void config_err_place(struct err *e, const char *where, unsigned line)
{
	char message[sizeof(e->message)];

	if (!e || !line)
		return;
	memcpy(message, e->message, sizeof(message));
	if (where)
		snprintf(e->message, sizeof(e->message), "%.100s:%u: %.140s",
		    where, line, message);
	else
		snprintf(e->message, sizeof(e->message), "line %u: %.220s",
		    line, message);
}

static void tell(struct sw *sw, const char *where, unsigned n)
{
	struct json_object *extra = json_object_new_object();

	record_uint(extra, "changes", n);
	events_emit(sw, "config", "apply", where ? where : "", extra);
}

int config_apply(
    struct sw *sw, const char *text, const char *where, struct err *e)
{
	struct config present = {0}, wanted = {0};
	struct config_plan plan = {0};
	int rc = config_parse(&wanted, text, where, e);

	if (!rc)
		rc = config_read_model(&present, sw, e);
	if (!rc)
		rc = config_plan_make(&plan, &present, &wanted, where, e);
	if (!rc)
		rc = config_plan_run(&plan, sw, where, e);
	if (!rc) {
		tell(sw, where, plan.n);
		rc = (int)plan.n;
	}
	config_plan_close(&plan);
	config_close(&wanted);
	config_close(&present);
	return rc;
}

/* All of @fd as a string; the caller's. */
static int read_text(int fd, const char *file, char **text, struct err *e)
{
	char *buf = malloc(CONFIG_FILE_MAX + 1);
	size_t n = 0;
	ssize_t got = 0;
	int rc;

	if (!buf)
		return err_set(e, -ENOMEM, "no memory for %s", file);
	while (n < CONFIG_FILE_MAX &&
	       (got = read(fd, buf + n, CONFIG_FILE_MAX - n)) > 0)
		n += (size_t)got;
	buf[n] = '\0';
	if (got < 0)
		rc = err_set(e, -errno, "%s: %m", file);
	else if (n == CONFIG_FILE_MAX)
		rc = err_set(e, -EFBIG, "%s is longer than %d bytes", file,
		    CONFIG_FILE_MAX - 1);
	else if (strlen(buf) != n)
		rc = err_set(e, -EINVAL, "%s is not a text file", file);
	else
		rc = 0;
	if (rc)
		free(buf);
	else
		*text = buf;
	return rc;
}

int config_load(struct sw *sw, const char *file, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), rc;
	char *text = NULL;

	if (fd < 0) {
		rc = err_set(e, -errno, "%s: %m", file);
		err_arg(e, file);
		return rc;
	}
	rc = read_text(fd, file, &text, e);
	close(fd);
	if (rc)
		return rc;
	rc = config_apply(sw, text, file, e);
	free(text);
	if (rc < 0)
		return rc;
	log_info("%s: %d changes", file, rc);
	return 0;
}
