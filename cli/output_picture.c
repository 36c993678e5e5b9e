/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output_picture.c - bridges, their ports, and the workers at one glance.
 *
 * A bridge is a heading, its ports are rows below it; all rows of the picture
 * are measured bridge by bridge, so each is narrow.  Rates come as
 * rx_bits_per_s and tx_bits_per_s, seen from the switch: "in" is what it
 * receives.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/columns.h"
#include "cli/output.h"
#include "cli/text.h"

static struct json_object *array_at(struct json_object *o, const char *key)
{
	struct json_object *a;

	if (!json_object_object_get_ex(o, key, &a) ||
	    !json_object_is_type(a, json_type_array))
		return NULL;
	return a;
}

static size_t length(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

static bool is_on(struct json_object *port, const char *bridge)
{
	return strcmp(text_at(port, "bridge"), bridge) == 0;
}

static void print_heading(
    const struct output *o, const char *name, struct json_object *bridge)
{
	char *safe = text_safe(name), *text;
	const char *sep = "  ";

	fprintf(o->f, "%s%s%s", text_on(o, TEXT_STRONG), safe,
	    text_off(o, TEXT_STRONG));
	free(safe);
	fputs(text_on(o, TEXT_FAINT), o->f);
	if (json_object_is_type(bridge, json_type_object)) {
		json_object_object_foreach (bridge, key, value) {
			if (strcmp(key, "name") == 0 ||
			    strcmp(key, "ports") == 0 ||
			    json_object_is_type(value, json_type_array) ||
			    json_object_is_type(value, json_type_object))
				continue;
			safe = text_key(key);
			text = text_value(key, value);
			fprintf(o->f, "%s%s %s", sep, safe, text);
			free(safe);
			free(text);
			sep = ", ";
		}
	}
	fprintf(o->f, "%s\n", text_off(o, TEXT_FAINT));
}

static void add_rate(struct columns *c, struct json_object *port,
    const char *key, const char *way)
{
	struct json_object *v;
	double rate;

	if (!json_object_object_get_ex(port, key, &v)) {
		columns_add(c, TEXT_PLAIN, NULL);
		columns_add(c, TEXT_PLAIN, NULL);
		return;
	}
	rate = json_object_get_double(v);
	columns_add(c, TEXT_FAINT, text_format("%s", way));
	columns_add_right(
	    c, rate > 0 ? TEXT_PLAIN : TEXT_FAINT, text_rate(rate));
}

static const char *branch(const struct output *o, bool last)
{
	if (!o->lines)
		return "";
	return last ? "└─ " : "├─ ";
}

static void add_port(struct columns *c, const struct output *o,
    struct json_object *port, bool last)
{
	char *name = text_member(port, "name");
	char *state = text_member(port, "state");
	const char *peer = *text_at(port, "peer") ? "peer" : "socket";

	columns_add(c, TEXT_STRONG,
	    text_format("%s%s", branch(o, last), name ? name : "?"));
	columns_add(c, TEXT_PLAIN, text_member(port, "type"));
	columns_add(c, text_state_style(state ? state : ""), state);
	add_rate(c, port, "rx_bits_per_s", "in");
	add_rate(c, port, "tx_bits_per_s", "out");
	columns_add(c, TEXT_PLAIN, text_member(port, peer));
	columns_add(c, TEXT_WAIT,
	    *text_at(port, "reason") ? text_member(port, "reason") : NULL);
	columns_end_row(c);
	free(name);
}

static void print_ports(
    const struct output *o, struct json_object *ports, const char *bridge)
{
	struct columns *c = columns_new();
	struct json_object *port;
	size_t i, n = 0;

	for (i = 0; i < length(ports); i++)
		n += is_on(json_object_array_get_idx(ports, i), bridge);
	for (i = 0; i < length(ports); i++) {
		port = json_object_array_get_idx(ports, i);
		if (is_on(port, bridge))
			add_port(c, o, port, --n == 0);
	}
	columns_print(c, o, "  ");
	columns_free(c);
}

static void print_workers(const struct output *o, struct json_object *workers)
{
	struct columns *c = columns_new();
	struct json_object *w, *queues;
	size_t i, n = length(workers);

	fprintf(o->f, "%sworkers%s\n", text_on(o, TEXT_STRONG),
	    text_off(o, TEXT_STRONG));
	for (i = 0; i < n; i++) {
		char *id, *cpu, *busy;

		w = json_object_array_get_idx(workers, i);
		id = text_member(w, "id");
		cpu = text_member(w, "cpu");
		busy = text_member(w, "busy");
		queues = array_at(w, "queues");
		columns_add(c, TEXT_STRONG,
		    text_format("%s%s", branch(o, i + 1 == n), id ? id : "?"));
		columns_add(
		    c, TEXT_PLAIN, text_format("cpu %s", cpu ? cpu : "-"));
		columns_add(c, TEXT_PLAIN, text_member(w, "state"));
		columns_add_right(
		    c, TEXT_PLAIN, text_format("busy %s", busy ? busy : "-"));
		if (queues)
			columns_add(c, TEXT_PLAIN,
			    text_format("queues %zu", length(queues)));
		columns_end_row(c);
		free(id);
		free(cpu);
		free(busy);
	}
	columns_print(c, o, "  ");
	columns_free(c);
}

void picture_print(const struct output *o, struct json_object *picture)
{
	struct json_object *bridges = array_at(picture, "bridges");
	struct json_object *ports = array_at(picture, "ports");
	struct json_object *workers = array_at(picture, "workers");
	struct json_object *b;
	size_t i;

	for (i = 0; i < length(bridges); i++) {
		b = json_object_array_get_idx(bridges, i);
		print_heading(o, text_at(b, "name"), b);
		print_ports(o, ports, text_at(b, "name"));
	}
	if (length(ports) == 0)
		fputs("  no ports; the first: swctl port add vm1 type "
		      "vhost-user\n",
		    o->f);
	if (length(workers))
		print_workers(o, workers);
}
