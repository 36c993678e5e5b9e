/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_output.c - what swctl prints, byte by byte.
 *
 * Records are written as a switch would send them, newer ones included.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config_file.h"
#include "cli/guest.h"
#include "cli/output.h"
#include "switch/base/err.h"

static const char port[] =
    "[{\"name\":\"vm1\",\"type\":\"vhost-user\",\"bridge\":\"br0\","
    "\"state\":\"up\",\"mtu\":1500,\"mcast_flood\":true,"
    "\"queues\":2,\"socket\":\"/run/swd/vhost/vm1\","
    "\"rx_packets\":18446744073709551615,\"rx_bytes\":64,"
    "\"tx_packets\":7,\"tx_bytes\":9223372036854775807,"
    "\"drops\":{\"guest_ring_full\":3,\"tail_drop\":0},"
    "\"from_the_future\":{\"a\":1}}]";

/* What output_result() prints for @text, with @o's options. */
static char *printed(struct output o, const char *method, const char *text)
{
	struct json_object *result = text ? json_tokener_parse(text) : NULL;
	char *out = NULL;
	size_t size;

	o.f = open_memstream(&out, &size);
	output_result(&o, grammar_by_method(method), result);
	fclose(o.f);
	json_object_put(result);
	return out;
}

static void expect(
    struct output o, const char *method, const char *text, const char *want)
{
	char *out = printed(o, method, text);

	cr_expect_str_eq(out, want);
	free(out);
}

Test(output, port_shows_every_key)
{
	expect((struct output){0}, "port.show", port,
	    "vm1: type vhost-user bridge br0 state up\n"
	    "    mtu 1500 mcast-flood on queues 2 socket "
	    "/run/swd/vhost/vm1\n"
	    "    from-the-future a 1\n");
}

Test(output, counters_are_exact_and_zero_drops_silent)
{
	expect((struct output){.stats = true}, "port.show", port,
	    "vm1: type vhost-user bridge br0 state up\n"
	    "    mtu 1500 mcast-flood on queues 2 socket "
	    "/run/swd/vhost/vm1\n"
	    "    from-the-future a 1\n"
	    "    rx  packets  18446744073709551615  bytes"
	    "                   64\n"
	    "    tx  packets                     7  bytes"
	    "  9223372036854775807\n"
	    "    drop  guest_ring_full  3\n");
}

Test(output, oneline_joins_with_a_backslash)
{
	expect((struct output){.oneline = true}, "bridge.show",
	    "[{\"name\":\"br0\",\"ageing\":300}]", "br0:\\    ageing 300\n");
}

Test(output, addresses_are_aligned)
{
	expect((struct output){0}, "fdb.show",
	    "[{\"mac\":\"52:54:00:00:00:01\",\"bridge\":\"br0\",\"vlan\":1,"
	    "\"port\":\"vm1\",\"state\":\"dynamic\",\"age\":12},"
	    "{\"mac\":\"52:54:00:00:00:02\",\"bridge\":\"br0\","
	    "\"vlan\":4001,\"port\":\"x\",\"state\":\"static\"}]",
	    "52:54:00:00:00:01  bridge br0  vlan 1     port vm1  dynamic  "
	    "age 12\n"
	    "52:54:00:00:00:02  bridge br0  vlan 4001  port x    static\n");
}

Test(output, worker_shows_its_queues)
{
	expect((struct output){0}, "worker.show",
	    "[{\"id\":0,\"cpu\":3,\"busy\":0.425,\"queues\":[{\"port\":\"a\","
	    "\"queue\":0,\"share\":1}],\"state\":\"polling\"}]",
	    "0: cpu 3 busy 42.5% state polling\n"
	    "    port a  queue 0  share 100.0%\n");
}

Test(output, picture_is_plain_when_piped)
{
	expect((struct output){0}, "show.picture",
	    "{\"bridges\":[{\"name\":\"br0\",\"ageing\":300}],"
	    "\"ports\":[{\"name\":\"vm1\",\"type\":\"vhost-user\","
	    "\"bridge\":\"br0\",\"state\":\"up\",\"peer\":\"qemu\","
	    "\"rx_bits_per_s\":1234567890,\"tx_bits_per_s\":0},"
	    "{\"name\":\"n\",\"type\":\"null\",\"bridge\":\"br0\","
	    "\"state\":\"down\"}],\"workers\":[{\"id\":0,\"cpu\":1,"
	    "\"busy\":0,\"state\":\"sleeping\",\"queues\":[]}]}",
	    "br0  ageing 300\n"
	    "  vm1  vhost-user  up    in  1.23 Gbit/s  out  0 bit/s  qemu\n"
	    "  n    null        down\n"
	    "workers\n"
	    "  0  cpu 1  sleeping  busy 0.0%  queues 0\n");
}

Test(output, terminal_controls_are_made_visible)
{
	char *safe = text_safe("a\033[31m\n\x7f\xc2\x9b\xc3\xa4\xff\xe2\x80"
			       "\xae");

	cr_expect_str_eq(safe, "a\\x1b[31m\\x0a\\x7f\\xc2\\x9b\xc3\xa4\\xff"
			       "\\xe2\\x80\\xae");
	free(safe);
}

Test(output, hostile_names_do_not_reach_the_terminal)
{
	char *out = printed((struct output){.stats = true}, "port.show",
	    "[{\"name\":\"a\\u001b]0;x\\u0007\",\"k\\u001bey\":1,"
	    "\"reason\":\"\\u009b1m\",\"drops\":{\"\\u001bc\":5}}]");
	size_t i;

	for (i = 0; out[i]; i++)
		cr_expect((unsigned char)out[i] >= ' ' || out[i] == '\n');
	cr_expect_null(strstr(out, "\xc2\x9b"));
	free(out);
}

Test(output, strange_results_are_survived)
{
	static const char *const results[] = {"5", "null", "[]", "{}", "[null]",
	    "[5]", "[[]]", "[{}]", "[{\"name\":{}}]", "[{\"drops\":[]}]",
	    "[{\"drops\":{\"a\":{}}}]", "[{\"queues\":[{},5]}]",
	    "{\"bridges\":[5],\"ports\":[null]}",
	    "{\"bridges\":{},\"ports\":5,\"workers\":[[]]}"};
	const struct grammar_command *c;
	size_t i;

	for (c = grammar_commands; c->object; c++)
		for (i = 0; c->method && i < 14; i++)
			free(printed(
			    (struct output){.stats = true, .details = true},
			    c->method, results[i]));
}

Test(output, json_is_always_an_array)
{
	struct output o = {.json = true};

	expect(o, "port.show", "[{\"rx_packets\":18446744073709551615}]",
	    "[{\"rx_packets\":18446744073709551615}]\n");
	expect(o, "port.add", NULL, "[]\n");
	expect(o, "port.add", "{}", "[]\n");
	expect(o, "show.picture", "{\"a\":1}", "[{\"a\":1}]\n");
}

static void expect_error(
    struct output o, const char *want_out, const char *want_errors)
{
	struct err e = {.code = -EEXIST,
	    .message = "port vm1 exists",
	    .hint = "see\nport show",
	    .arg = "vm1"};
	char *out = NULL, *errors = NULL;
	size_t size, size2;
	FILE *f = open_memstream(&errors, &size2);

	o.f = open_memstream(&out, &size);
	output_error(&o, f, "file:3", &e);
	fclose(o.f);
	fclose(f);
	cr_expect_str_eq(out, want_out);
	cr_expect_str_eq(errors, want_errors);
	free(out);
	free(errors);
}

Test(output, errors_are_a_sentence_and_a_hint)
{
	expect_error((struct output){0}, "",
	    "Error: file:3: port vm1 exists\nHint: see\\x0aport show\n");
	expect_error((struct output){.json = true},
	    "{\"error\":{\"name\":\"EEXIST\",\"message\":\"port vm1 exists\","
	    "\"hint\":\"see\\nport show\",\"arg\":\"vm1\","
	    "\"where\":\"file:3\"}}\n",
	    "");
}

Test(output, rates_have_three_digits)
{
	static const struct {
		double rate;
		const char *text;
	} rows[] = {{0, "0 bit/s"}, {999, "999 bit/s"}, {999.6, "1.00 kbit/s"},
	    {12345, "12.3 kbit/s"}, {99960, "100 kbit/s"},
	    {1.5e9, "1.50 Gbit/s"}, {3e15, "3000 Tbit/s"}};
	size_t i;
	char *text;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text = text_rate(rows[i].rate);
		cr_expect_str_eq(text, rows[i].text);
		free(text);
	}
}

static char *guest(
    int (*print)(FILE *, struct json_object *, struct err *), const char *text)
{
	struct json_object *record = json_tokener_parse(text);
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);
	int r = print(f, record, NULL);

	fclose(f);
	json_object_put(record);
	if (r == 0)
		return out;
	free(out);
	return NULL;
}

Test(guest, arguments_for_qemu)
{
	char *out = guest(guest_print_qemu,
	    "{\"name\":\"vm1\",\"type\":\"vhost-user\",\"queues\":2,"
	    "\"socket\":\"/run/a b,c\"}");

	cr_expect_str_eq(out,
	    "-object memory-backend-memfd,id=mem,size=1G,share=on "
	    "-machine memory-backend=mem \\\n"
	    "-chardev 'socket,id=chr-vm1,path=/run/a b,,c,reconnect=1' \\\n"
	    "-netdev vhost-user,id=net-vm1,chardev=chr-vm1,queues=2 \\\n"
	    "-device virtio-net-pci,netdev=net-vm1,mq=on,vectors=6\n");
	free(out);
}

Test(guest, the_other_side_takes_the_other_role)
{
	static const char record[] =
	    "{\"name\":\"a\",\"type\":\"vhost-user\",\"role\":\"client\","
	    "\"socket\":\"/x&'<\"}";
	char *out = guest(guest_print_qemu, record);

	cr_expect(strstr(out, ",server=on,wait=off"));
	free(out);
	out = guest(guest_print_libvirt, record);
	cr_expect(strstr(out, "path='/x&amp;&apos;&lt;' mode='server'/>"));
	free(out);
	cr_expect_null(
	    guest(guest_print_libvirt, "{\"name\":\"n\",\"type\":\"null\"}"));
}

Test(config_file, text_from_any_form_of_lines)
{
	static const char *const forms[] = {
	    "[{\"line\":\"a\"},{\"line\":\"b\"}]",
	    "[\"a\",\"b\\n\"]",
	    "\"a\\nb\\n\"",
	    "\"a\\nb\"",
	};
	struct json_object *result;
	char *text;
	size_t i;

	for (i = 0; i < 4; i++) {
		result = json_tokener_parse(forms[i]);
		text = config_text(result);
		cr_expect_str_eq(text, "a\nb\n");
		free(text);
		json_object_put(result);
	}
}
