/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_rpc.c - request lines and the replies to them.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "cli/grammar.h"
#include "tests/unit/fake_switch.h"

static struct sw *sw;

static void set_up(void)
{
	sw = fake_open();
}

static void tear_down(void)
{
	fake_close(sw);
}

TestSuite(rpc, .init = set_up, .fini = tear_down);

static struct json_object *ask_text(const char *line, size_t len)
{
	size_t n = 0;
	char *text = rpc_answer(sw, NULL, line, len, &n);
	struct json_object *o;

	if (!text)
		return NULL;
	cr_assert_eq(text[n - 1], '\n');
	cr_assert_null(memchr(text, '\n', n - 1));
	text[n - 1] = '\0';
	o = json_tokener_parse(text);
	cr_assert_not_null(o, "%s", text);
	free(text);
	return o;
}

/* ' stands for ". */
static struct json_object *ask(const char *request)
{
	char line[4096];
	size_t n = strlen(request);

	cr_assert_lt(n, sizeof(line));
	for (size_t i = 0; i <= n; i++)
		line[i] = request[i] == '\'' ? '"' : request[i];
	return ask_text(line, n);
}

static struct json_object *at(struct json_object *o, const char *path)
{
	struct json_object *v = NULL;

	if (json_pointer_get(o, path, &v))
		return NULL;
	return v;
}

static const char *text_at(struct json_object *o, const char *path)
{
	struct json_object *v = at(o, path);

	return v ? json_object_get_string(v) : "(none)";
}

static int code_of(struct json_object *reply)
{
	struct json_object *v = at(reply, "/error/code");

	return v ? json_object_get_int(v) : 0;
}

static struct json_object *call(const char *method, const char *params)
{
	char line[2048];

	snprintf(line, sizeof(line),
	    "{'jsonrpc':'2.0','id':1,'method':'%s','params':%s}", method,
	    params);
	return ask(line);
}

static void call_ok(const char *method, const char *params)
{
	struct json_object *o = call(method, params);

	cr_assert_not_null(at(o, "/result"), "%s %s: %s", method, params,
	    json_object_to_json_string(o));
	json_object_put(o);
}

/* Refused with @code by a sentence that contains @words. */
static void call_refused(
    const char *method, const char *params, int code, const char *words)
{
	struct json_object *o = call(method, params);

	cr_assert_eq(code_of(o), code, "%s %s: %s", method, params,
	    json_object_to_json_string(o));
	cr_assert(strstr(text_at(o, "/error/message"), words), "%s",
	    text_at(o, "/error/message"));
	cr_assert_not_null(at(o, "/error/data/name"));
	json_object_put(o);
}

Test(rpc, every_method_of_the_grammar_exists)
{
	for (const struct grammar_command *c = grammar_commands; c->object; c++)
		if (c->method)
			cr_assert(rpc_has_method(c->method), "%s", c->method);
}

Test(rpc, ids_come_back_as_they_were)
{
	static const char *const ids[] = {"1", "-7", "'a b'", "null", "1.5",
	    "true", "'\\u0001'", "9007199254740993"};

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		char line[256], wrapped[64], *p;
		struct json_object *o, *id;

		snprintf(line, sizeof(line),
		    "{'jsonrpc':'2.0','id':%s,'method':'bridge.show'}", ids[i]);
		o = ask(line);
		snprintf(wrapped, sizeof(wrapped), "[%s]", ids[i]);
		while ((p = strchr(wrapped, '\'')))
			*p = '"';
		id = json_tokener_parse(wrapped);
		cr_assert(json_object_equal(
			      at(o, "/id"), json_object_array_get_idx(id, 0)),
		    "%s", ids[i]);
		json_object_put(id);
		json_object_put(o);
	}
}

Test(rpc, notifications_get_no_reply)
{
	cr_assert_null(ask("{'jsonrpc':'2.0','method':'bridge.add',"
			   "'params':{'name':'br7'}}"));
	cr_assert_not_null(bridge_find(sw, "br7", NULL));
	cr_assert_null(ask("{'jsonrpc':'2.0','method':'no.such'}"));
	cr_assert_null(ask("{'jsonrpc':'2.0','method':'fdb.show'}"));
}

Test(rpc, malformed_requests_get_the_standard_errors)
{
	static const struct {
		const char *line;
		int code;
	} cases[] = {
	    {"{", -32700},
	    {"nonsense", -32700},
	    {"{'jsonrpc':'2.0','id':1,'method':'bridge.show'} x", -32700},
	    {"{'jsonrpc':'2.0','id':1,'method':'bridge.show',}", -32700},
	    {"{'jsonrpc':'2.0' /* */,'id':1}", -32700},
	    {"null", -32700},
	    {"[]", -32600},
	    {"[{'jsonrpc':'2.0','id':1,'method':'bridge.show'}]", -32600},
	    {"{}", -32600},
	    {"'text'", -32600},
	    {"{'jsonrpc':'1.0','id':1,'method':'bridge.show'}", -32600},
	    {"{'jsonrpc':'2.0','id':1}", -32600},
	    {"{'jsonrpc':'2.0','id':1,'method':7}", -32600},
	    {"{'jsonrpc':'2.0','id':{},'method':'bridge.show'}", -32600},
	    {"{'jsonrpc':'2.0','id':[1],'method':'bridge.show'}", -32600},
	    {"{'jsonrpc':'2.0','id':1,'method':'no.such'}", -32601},
	    {"{'jsonrpc':'2.0','id':1,'method':'bridge.show\\u0000'}", -32600},
	    {"{'jsonrpc':'2.0','id':1,'method':'bridge.show','params':[]}",
		-32602},
	    {"{'jsonrpc':'2.0','id':1,'method':'bridge.show','params':7}",
		-32602},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct json_object *o = ask(cases[i].line);

		cr_assert_eq(code_of(o), cases[i].code, "%s: %s", cases[i].line,
		    json_object_to_json_string(o));
		json_object_put(o);
	}
}

Test(rpc, a_zero_byte_is_not_json)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\"\0,\"id\":1}";
	struct json_object *o = ask_text(line, sizeof(line) - 1);

	cr_assert_eq(code_of(o), -32700);
	json_object_put(o);
}

/* A line of @n times @unit. */
static void refused_repeated(const char *unit, size_t n)
{
	size_t len = strlen(unit);
	char *line = malloc(len * n);
	struct json_object *o;

	for (size_t i = 0; i < n; i++)
		memcpy(line + i * len, unit, len);
	o = ask_text(line, len * n);
	cr_assert_eq(code_of(o), -32700);
	json_object_put(o);
	free(line);
}

Test(rpc, nesting_and_number_of_values_are_limited)
{
	refused_repeated("[", 10000);
	refused_repeated("{\"a\":", 100000);
	refused_repeated("[],", 300000);
	refused_repeated("\"a\":1,", 100000);
}

Test(rpc, long_ids_and_methods_are_not_repeated)
{
	char *line = malloc(300000);
	struct json_object *o;
	int n;

	n = sprintf(line,
	    "{\"jsonrpc\":\"2.0\",\"id\":\"%0200000d\","
	    "\"method\":\"bridge.show\"}",
	    1);
	o = ask_text(line, (size_t)n);
	cr_assert_eq(code_of(o), -32600);
	json_object_put(o);
	n = sprintf(
	    line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%0200000d\"}", 1);
	o = ask_text(line, (size_t)n);
	cr_assert_eq(code_of(o), -32601);
	cr_assert_lt(strlen(text_at(o, "/error/message")), 256);
	json_object_put(o);
	free(line);
}

Test(rpc, hostile_names_and_numbers_are_refused)
{
	call_refused(
	    "port.add", "{'name':'a\\nb','type':'null'}", -32602, "name");
	call_refused(
	    "port.add", "{'name':'\\u001b[31m','type':'null'}", -32602, "name");
	call_refused("port.add", "{'name':'','type':'null'}", -32602, "name");
	call_refused(
	    "port.add", "{'name':'a\\u0000b','type':'null'}", -32602, "name");
	call_refused("port.add",
	    "{'name':'0123456789012345678901234567890123','type':'null'}",
	    -32602, "name");
	call_refused("port.add",
	    "{'name':'a','type':'vhost-user',"
	    "'queues':-1}",
	    -32602, "queues");
	call_refused("port.add",
	    "{'name':'a','type':'vhost-user',"
	    "'queues':4294967296}",
	    -32602, "queues");
	call_refused(
	    "port.add", "{'name':'a','type':'null','mtu':1e9}", -32602, "mtu");
	call_refused("bridge.add", "{'name':'a','fdb_size':2147483648}", -32602,
	    "fdb-size");
	call_refused("worker.del", "{'id':18446744073709551615}", -32602, "id");
	call_refused("port.add", "{'name':'a','type':'null','colour':'red'}",
	    -32602, "colour");
	call_refused(
	    "port.add", "{'name':'a','type':'quantum'}", -32602, "type");
	for (unsigned no = 0; no < SWITCH_PORTS_MAX; no++)
		cr_assert_null(sw->port[no]);
}

Test(rpc, errors_are_printable)
{
	struct json_object *o =
	    call("port.add", "{'name':'a','type':'null','x\\u001b\\u00ff':1}");

	cr_assert_eq(code_of(o), -32602);
	for (const char *p = text_at(o, "/error/message"); *p; p++)
		cr_assert(*p >= ' ' && *p <= '~');
	json_object_put(o);
}

Test(rpc, bridges_come_and_go)
{
	struct json_object *o;

	call_ok("bridge.add", "{'name':'br1','vlan_aware':true}");
	call_refused("bridge.add", "{'name':'br1'}", -32000, "br1 exists");
	call_ok("bridge.add", "{'name':'br1','may_exist':true}");
	call_ok("bridge.set", "{'name':'br1','ageing':60}");
	o = call("bridge.show", "{'name':'br1','stats':true}");
	cr_assert_eq(json_object_array_length(at(o, "/result")), 1);
	cr_assert_str_eq(text_at(o, "/result/0/name"), "br1");
	cr_assert_str_eq(text_at(o, "/result/0/vlan_aware"), "true");
	cr_assert_str_eq(text_at(o, "/result/0/ageing"), "60");
	cr_assert_str_eq(text_at(o, "/result/0/fdb_size"), "65536");
	cr_assert_str_eq(text_at(o, "/result/0/rx_packets"), "0");
	json_object_put(o);
	call_ok("bridge.del", "{'name':'br1'}");
	call_refused("bridge.del", "{'name':'br1'}", -32000, "no bridge br1");
	call_ok("bridge.del", "{'name':'br1','if_exists':true}");
}

Test(rpc, port_show_has_the_keys_of_the_interface)
{
	static const char *const keys[] = {"name", "type", "bridge", "state",
	    "mtu", "vlan", "queues", "ring", "rx_packets", "rx_bytes",
	    "tx_packets", "tx_bytes", "rx_dropped", "tx_dropped", "tx_copied",
	    "tx_segments", "tx_merged", "passed_through", "flooded", "drops",
	    NULL};
	struct json_object *o;
	port_no no;

	call_ok("port.add", "{'name':'vm1','type':'vhost-user'}");
	no = bridge_port_find(sw, "vm1", NULL)->port->no;
	fake_counters[no] =
	    (struct counters){.rx_packets = UINT64_MAX, .flooded = 3};
	fake_counters[no].drops[DROP_LOCKED] = 2;
	fake_counters[no].drops[DROP_GUEST_RING_FULL] = 5;
	fake_counters[no].drops[DROP_NO_MEMORY] = 1;
	o = call("port.show", "{'stats':true}");
	for (size_t i = 0; keys[i]; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/result/0/%s", keys[i]);
		cr_assert_not_null(at(o, path), "%s", keys[i]);
	}
	cr_assert_str_eq(text_at(o, "/result/0/state"), "wait");
	cr_assert_str_eq(
	    text_at(o, "/result/0/rx_packets"), "18446744073709551615");
	cr_assert_str_eq(text_at(o, "/result/0/rx_dropped"), "2");
	cr_assert_str_eq(text_at(o, "/result/0/tx_dropped"), "6");
	cr_assert_eq(json_object_object_length(at(o, "/result/0/drops")), 3);
	cr_assert_str_eq(text_at(o, "/result/0/drops/guest_ring_full"), "5");
	json_object_put(o);
	o = call("port.show", "{}");
	cr_assert_null(at(o, "/result/0/rx_packets"));
	json_object_put(o);
}

Test(rpc, ports_are_added_changed_and_shown_by_filter)
{
	struct json_object *o;

	call_ok("bridge.add", "{'name':'br1'}");
	call_ok("port.add", "{'name':'a','type':'null'}");
	call_ok("port.add", "{'name':'b','type':'vhost-user','bridge':'br1'}");
	call_ok("port.add", "{'name':'a','type':'null','may_exist':true}");
	call_refused("port.add",
	    "{'name':'a','type':'vhost-user','may_exist':true}", -32000,
	    "of type null");
	call_refused("port.add", "{'name':'c','type':'null','bridge':'br9'}",
	    -32000, "no bridge br9");
	call_refused(
	    "port.set", "{'name':'b','generate':5}", -32000, "generate");
	call_ok("port.set", "{'name':'a','state':'down','mtu':9000}");
	o = call("port.show", "{'bridge':'br0'}");
	cr_assert_eq(json_object_array_length(at(o, "/result")), 1);
	cr_assert_str_eq(text_at(o, "/result/0/state"), "down");
	cr_assert_str_eq(text_at(o, "/result/0/mtu"), "9000");
	json_object_put(o);
	o = call("port.show", "{'type':'vhost-user','details':true}");
	cr_assert_str_eq(text_at(o, "/result/0/name"), "b");
	cr_assert_str_eq(text_at(o, "/result/0/learning"), "true");
	json_object_put(o);
	call_refused("port.show", "{'name':'z'}", -32000, "no port z");
	call_refused("bridge.del", "{'name':'br1'}", -32000, "ports");
	call_ok("port.del", "{'name':'b'}");
	call_ok("port.del", "{'name':'b','if_exists':true}");
}

#define MAC1 "'mac':'52:54:00:00:00:01'"

Test(rpc, addresses_are_added_shown_and_deleted)
{
	struct json_object *o;

	call_ok("port.add", "{'name':'a','type':'null'}");
	call_ok("port.add", "{'name':'b','type':'null'}");
	call_ok("fdb.add", "{" MAC1 ",'port':'a'}");
	call_refused("fdb.add", "{" MAC1 ",'port':'b'}", -32000, "");
	call_ok("fdb.add", "{" MAC1 ",'port':'a','may_exist':true}");
	call_refused(
	    "fdb.add", "{" MAC1 ",'port':'b','may_exist':true}", -32000, "");
	call_refused(
	    "fdb.add", "{'mac':'01:00:5e:00:00:01','port':'a'}", -32602, "mac");
	call_refused(
	    "fdb.add", "{" MAC1 ",'port':'a','vlan':5}", -32000, "VLAN");
	call_ok("fdb.add", "{'mac':'52:54:00:00:00:02','port':'b',"
			   "'state':'dynamic'}");
	o = call("fdb.show", "{'port':'a'}");
	cr_assert_eq(json_object_array_length(at(o, "/result")), 1);
	cr_assert_str_eq(text_at(o, "/result/0/mac"), "52:54:00:00:00:01");
	cr_assert_str_eq(text_at(o, "/result/0/bridge"), "br0");
	cr_assert_str_eq(text_at(o, "/result/0/vlan"), "0");
	cr_assert_str_eq(text_at(o, "/result/0/port"), "a");
	cr_assert_str_eq(text_at(o, "/result/0/state"), "static");
	cr_assert_not_null(at(o, "/result/0/age"));
	json_object_put(o);
	o = call("fdb.show", "{'state':'dynamic'}");
	cr_assert_str_eq(text_at(o, "/result/0/port"), "b");
	json_object_put(o);
	call_refused("fdb.del", "{" MAC1 ",'port':'b'}", -32000, "no entry");
	call_ok("fdb.del", "{" MAC1 "}");
	call_refused("fdb.del", "{" MAC1 "}", -32000, "no entry");
	call_ok("fdb.del", "{" MAC1 ",'if_exists':true}");
}

Test(rpc, addresses_are_of_vlans)
{
	struct json_object *o;

	call_ok("bridge.set", "{'name':'br0','vlan_aware':true}");
	call_ok("port.add", "{'name':'a','type':'null','vlan':7}");
	call_ok("port.add", "{'name':'t','type':'null','trunk':'10-12'}");
	call_ok("fdb.add", "{" MAC1 ",'port':'a'}");
	call_refused(
	    "fdb.add", "{" MAC1 ",'port':'a','vlan':8}", -32000, "VLAN 8");
	call_refused("fdb.add", "{" MAC1 ",'port':'t'}", -32000, "VLAN");
	call_ok("fdb.add", "{" MAC1 ",'port':'t','vlan':11}");
	o = call("fdb.show", "{'vlan':7,'bridge':'br0'}");
	cr_assert_eq(json_object_array_length(at(o, "/result")), 1);
	cr_assert_str_eq(text_at(o, "/result/0/port"), "a");
	json_object_put(o);
	call_refused("fdb.del", "{" MAC1 "}", -32000, "2 networks");
	call_ok("fdb.del", "{" MAC1 ",'bridge':'br0','vlan':7}");
	o = call("fdb.flush", "{" MAC1 ",'state':'static'}");
	cr_assert_str_eq(text_at(o, "/result/removed"), "1");
	json_object_put(o);
}

Test(rpc, flushing_spares_what_was_given_by_hand)
{
	struct json_object *o;

	call_ok("port.add", "{'name':'a','type':'null'}");
	call_ok("fdb.add", "{" MAC1 ",'port':'a'}");
	call_ok("fdb.add", "{'mac':'52:54:00:00:00:02','port':'a',"
			   "'state':'dynamic'}");
	o = call("fdb.flush", "{}");
	cr_assert_str_eq(text_at(o, "/result/removed"), "1");
	json_object_put(o);
	o = call("fdb.show", "{}");
	cr_assert_eq(json_object_array_length(at(o, "/result")), 1);
	json_object_put(o);
}

Test(rpc, workers_come_and_go)
{
	struct json_object *o;

	o = call("worker.add", "{'cpu':3}");
	cr_assert_str_eq(text_at(o, "/result/id"), "1");
	json_object_put(o);
	call_ok("worker.add", "{'cpu':3,'may_exist':true}");
	call_ok("port.add", "{'name':'a','type':'null'}");
	call_ok("worker.move", "{'port':'a','worker':1}");
	call_refused(
	    "worker.move", "{'port':'a','worker':9}", -32000, "no worker 9");
	call_ok("worker.del", "{'id':0}");
	call_refused("worker.del", "{'id':1}", -32000, "last");
	call_refused("worker.del", "{'id':0}", -32000, "no worker 0");
	o = call("worker.show", "{}");
	cr_assert_eq(json_object_array_length(at(o, "/result")), 1);
	json_object_put(o);
}

Test(rpc, totals_count_ports_that_left)
{
	struct json_object *o;

	call_ok("port.add", "{'name':'a','type':'null'}");
	fake_counters[0].rx_packets = 10;
	call_ok("port.del", "{'name':'a'}");
	call_ok("port.add", "{'name':'b','type':'null'}");
	fake_counters[0].rx_packets = 1;
	o = call("stats.show", "{}");
	cr_assert_str_eq(text_at(o, "/result/0/name"), "b");
	cr_assert_str_eq(text_at(o, "/result/1/name"), "all ports");
	cr_assert_str_eq(text_at(o, "/result/1/rx_packets"), "11");
	json_object_put(o);
}

Test(rpc, the_picture_shows_all)
{
	struct json_object *o;

	call_ok("port.add", "{'name':'a','type':'null'}");
	o = call("show.picture", "{}");
	cr_assert_str_eq(text_at(o, "/result/bridges/0/name"), "br0");
	cr_assert_str_eq(text_at(o, "/result/ports/0/name"), "a");
	cr_assert_str_eq(text_at(o, "/result/workers/0/cpu"), "0");
	json_object_put(o);
}

Test(rpc, events_need_a_connection)
{
	call_refused("monitor.subscribe", "{}", -32000, "connection");
}
