/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.c - what a virtual machine must be told to use a port.
 *
 * The other side takes the other role: where the switch listens, QEMU
 * connects and keeps trying.  Shared memory is part of the answer, for a
 * machine without it runs with a dead network.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "cli/guest.h"
#include "cli/text.h"
#include "switch/base/err.h"

struct guest {
	const char *name, *socket;
	int64_t queues;
	bool listens; /* the machine does */
};

static int read_port(struct json_object *port, struct guest *g, struct err *e)
{
	struct json_object *queues;

	g->name = text_at(port, "name");
	g->socket = text_at(port, "socket");
	g->listens = strcmp(text_at(port, "role"), "client") == 0;
	g->queues = 1;
	if (json_object_object_get_ex(port, "queues", &queues) &&
	    json_object_get_int64(queues) > 1)
		g->queues = json_object_get_int64(queues);
	if (strcmp(text_at(port, "type"), "vhost-user") == 0 && *g->socket)
		return 0;
	err_set(e, -EOPNOTSUPP, "port %s is a %s port, not for a machine",
	    g->name, text_at(port, "type"));
	err_arg(e, g->name);
	err_hint(e, "a machine needs a port of type vhost-user");
	return -EOPNOTSUPP;
}

/* A value among QEMU's, where a comma is doubled, inside '...' of a shell. */
static void print_qemu_value(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", f);
		else if (*s == ',')
			fputs(",,", f);
		else
			fputc(*s, f);
	}
}

int guest_print_qemu(FILE *f, struct json_object *port, struct err *e)
{
	const char *quote;
	struct guest g;
	int r = read_port(port, &g, e);

	if (r < 0)
		return r;
	quote = strpbrk(g.socket, " '\"$`\\;&|<>()*?[]#~!{}") ? "'" : "";
	fputs("-object memory-backend-memfd,id=mem,size=1G,share=on "
	      "-machine memory-backend=mem \\\n",
	    f);
	fprintf(f, "-chardev %ssocket,id=chr-%s,path=", quote, g.name);
	print_qemu_value(f, g.socket);
	fprintf(f, "%s%s \\\n",
	    g.listens ? ",server=on,wait=off" : ",reconnect=1", quote);
	fprintf(
	    f, "-netdev vhost-user,id=net-%s,chardev=chr-%s", g.name, g.name);
	if (g.queues > 1)
		fprintf(f, ",queues=%" PRId64, g.queues);
	fprintf(f, " \\\n-device virtio-net-pci,netdev=net-%s", g.name);
	if (g.queues > 1)
		fprintf(f, ",mq=on,vectors=%" PRId64, 2 * g.queues + 2);
	fputc('\n', f);
	return 0;
}

static void print_xml(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '&')
			fputs("&amp;", f);
		else if (*s == '<')
			fputs("&lt;", f);
		else if (*s == '\'')
			fputs("&apos;", f);
		else
			fputc(*s, f);
	}
}

int guest_print_libvirt(FILE *f, struct json_object *port, struct err *e)
{
	struct guest g;
	int r = read_port(port, &g, e);

	if (r < 0)
		return r;
	fputs("<!-- in <domain>: memory that the switch can share -->\n"
	      "<memoryBacking>\n"
	      "  <source type='memfd'/>\n"
	      "  <access mode='shared'/>\n"
	      "</memoryBacking>\n"
	      "<!-- in <devices> -->\n"
	      "<interface type='vhostuser'>\n"
	      "  <source type='unix' path='",
	    f);
	print_xml(f, g.socket);
	if (g.listens)
		fputs("' mode='server'/>\n", f);
	else
		fputs("' mode='client'>\n"
		      "    <reconnect enabled='yes' timeout='1'/>\n"
		      "  </source>\n",
		    f);
	fputs("  <model type='virtio'/>\n", f);
	if (g.queues > 1)
		fprintf(f, "  <driver queues='%" PRId64 "'/>\n", g.queues);
	fputs("</interface>\n", f);
	return 0;
}
