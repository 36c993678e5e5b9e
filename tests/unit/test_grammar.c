/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_grammar.c - words, lines and JSON parameters against the table.
 *
 * Most tests are rows: a line and the parameters that it means, or a piece of
 * the sentence that refuses it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grammar.h"
#include "cli/grammar_value.h"
#include "switch/base/err.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct line {
	const char *line, *method, *params;
} lines[] = {
    {"bridge add br1", "bridge.add", "{'name':'br1'}"},
    {"bridge add br1 vlan-aware on ageing 0 fdb-size 1024", "bridge.add",
	"{'name':'br1','vlan_aware':true,'ageing':0,'fdb_size':1024}"},
    {"port add vm1 type vhost-user", "port.add",
	"{'name':'vm1','type':'vhost-user'}"},
    {"p a vm1 type vhost-user queues 2 socket /run/x role client", "port.add",
	"{'name':'vm1','type':'vhost-user','queues':2,'socket':'/run/x',"
	"'role':'client'}"},
    {"port add vm1 type vhost-user mode 660 group kvm", "port.add",
	"{'name':'vm1','type':'vhost-user','mode':'0660','group':'kvm'}"},
    {"port add n type null generate 5 size 64 dst FF:ff:ff:ff:ff:ff",
	"port.add",
	"{'name':'n','type':'null','generate':5,'size':64,"
	"'dst':'ff:ff:ff:ff:ff:ff'}"},
    {"port add n type null trunk 1,3-5 native 7", "port.add",
	"{'name':'n','type':'null','trunk':'1,3-5','native':7}"},
    {"port set n rate-in 1.5gbit burst 64k rate-out 10mbps burst 1m",
	"port.set",
	"{'name':'n','rate_in':1500000000,'rate_in_burst':65536,"
	"'rate_out':80000000,'rate_out_burst':1048576}"},
    {"port set n mcast on learn off state down", "port.set",
	"{'name':'n','mcast_flood':true,'learning':false,'state':'down'}"},
    {"port", "port.show", "{}"},
    {"port sh vm1", "port.show", "{'name':'vm1'}"},
    {"port ls bridge br0", "port.show", "{'bridge':'br0'}"},
    {"port show name bridge", "port.show", "{'name':'bridge'}"},
    {"port delete vm1 --if-exists", "port.del",
	"{'name':'vm1','if_exists':true}"},
    {"port add --may-exist vm1 type null", "port.add",
	"{'may_exist':true,'name':'vm1','type':'null'}"},
    {"port add type type null", "port.add", "{'name':'type','type':'null'}"},
    {"port add -x type null", "port.add", "{'name':'-x','type':'null'}"},
    {"fdb add 52:54:00:AB:cd:ef port vm1 vlan 7 static", "fdb.add",
	"{'mac':'52:54:00:ab:cd:ef','port':'vm1','vlan':7,"
	"'state':'static'}"},
    {"f s dynamic port vm1", "fdb.show", "{'state':'dynamic','port':'vm1'}"},
    {"fdb show 52:54:00:ab:cd:ef", "fdb.show", "{'mac':'52:54:00:ab:cd:ef'}"},
    {"fdb flush", "fdb.flush", "{}"},
    {"worker add 3", "worker.add", "{'cpu':3}"},
    {"worker move vm1 queue 0 worker 1", "worker.move",
	"{'port':'vm1','queue':0,'worker':1}"},
    {"stats vm1", "stats.show", "{'name':'vm1'}"},
    {"s", "stats.show", "{}"},
    {"monitor p fdb", "monitor.subscribe", "{'objects':['port','fdb']}"},
    {"show", "show.picture", "{}"},
    {"config apply /tmp/x", "config.apply", "{'file':'/tmp/x'}"},
    {"  port\tshow  vm1 # the first\r\n", "port.show", "{'name':'vm1'}"},
    {"port show 'vm'\"1\"", "port.show", "{'name':'vm1'}"},
    {"port add a type vhost-user socket '/a \"b'\\ #c", "port.add",
	"{'name':'a','type':'vhost-user','socket':'/a \\\"b #c'}"},
};

/* JSON in this file has ' for ". */
static struct json_object *json(const char *text)
{
	char *copy = strdup(text), *p;
	struct json_object *o;

	for (p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	o = json_tokener_parse(copy);
	cr_assert(o, "test's own JSON: %s", text);
	free(copy);
	return o;
}

Test(grammar, lines_mean_parameters)
{
	const struct grammar_command *cmd;
	struct json_object *params, *want;
	struct err e = {0};
	size_t i;

	for (i = 0; i < N_OF(lines); i++) {
		cr_assert_eq(
		    grammar_parse_line(lines[i].line, &cmd, &params, &e), 0,
		    "%s: %s", lines[i].line, e.message);
		cr_assert_str_eq(cmd->method, lines[i].method);
		want = json(lines[i].params);
		cr_expect(json_object_equal(params, want), "%s: %s",
		    lines[i].line, json_object_to_json_string(params));
		json_object_put(want);
		json_object_put(params);
	}
}

Test(grammar, what_is_printed_means_the_same)
{
	const struct grammar_command *cmd, *cmd2;
	struct json_object *params, *params2;
	struct err e = {0};
	char *line;
	size_t i;

	for (i = 0; i < N_OF(lines); i++) {
		grammar_parse_line(lines[i].line, &cmd, &params, &e);
		line = grammar_print(cmd, params);
		cr_assert_eq(grammar_parse_line(line, &cmd2, &params2, &e), 0,
		    "%s: %s", line, e.message);
		cr_assert_eq(cmd, cmd2);
		if (cmd->creates) {
			grammar_fill(cmd, params);
			grammar_fill(cmd, params2);
		}
		cr_expect(json_object_equal(params, params2), "%s -> %s",
		    lines[i].line, line);
		free(line);
		json_object_put(params);
		json_object_put(params2);
	}
}

Test(grammar, printing_leaves_defaults_out)
{
	static const char *const rows[][3] = {
	    {"port.add",
		"{'name':'vm1','type':'vhost-user','queues':2,'vlan':1,"
		"'learning':true,'mode':'0660','bridge':'br0'}",
		"port add vm1 type vhost-user queues 2"},
	    {"port.add", "{'name':'a','type':'null','trunk':'none','native':5}",
		"port add a type null trunk none native 5"},
	    {"port.add", "{'name':'a','type':'null','rate_in':2000000000}",
		"port add a type null rate-in 2gbit"},
	    {"port.set", "{'name':'a','learning':true,'vlan':1}",
		"port set a vlan 1 learning on"},
	    {"fdb.add",
		"{'mac':'52:54:00:00:00:01','port':'p','state':'static'}",
		"fdb add 52:54:00:00:00:01 port p"},
	    {"fdb.add",
		"{'mac':'52:54:00:00:00:01','port':'p','state':'dynamic'}",
		"fdb add 52:54:00:00:00:01 port p dynamic"},
	    {"port.add", "{'name':'name','type':'null'}",
		"port add name name type null"},
	};
	struct json_object *params;
	char *line;
	size_t i;

	for (i = 0; i < N_OF(rows); i++) {
		params = json(rows[i][1]);
		line = grammar_print(grammar_by_method(rows[i][0]), params);
		cr_expect_str_eq(line, rows[i][2]);
		free(line);
		json_object_put(params);
	}
}

Test(grammar, wrong_lines_are_refused_with_a_sentence)
{
	static const char *const rows[][3] = {
	    /* line, piece of the sentence, piece of the hint */
	    {"prot show", "unknown object \"prot\"", "\"port\""},
	    {"port shwo", "unknown port command \"shwo\"", "\"show\""},
	    {"port add", "port add needs a NAME", "port add help"},
	    {"port add vm1", "port add needs type TYPE", ""},
	    {"port add vm1 type veth",
		"type \"veth\" is not a known type: vhost-user, xdp, tap, pipe, null",
		""},
	    {"port add vm1 type null queues 2",
		"queues is not an option of a null port", ""},
	    {"port add vm1 queues 2", "queues is an option of a type",
		"type vhost-user"},
	    {"port add vm1 type vhost-user queuse 2", "unknown word \"queuse\"",
		"\"queues\""},
	    {"port add vm1 type vhost-user queues 0",
		"queues \"0\" is not a number from 1 to 64", ""},
	    {"port add vm1 type vhost-user queues", "queues needs a value", ""},
	    {"port add vm1 type null vlan 5 vlan 6", "vlan is given twice", ""},
	    {"port add vm1 type null learning yes",
		"learning \"yes\" is not on or off", ""},
	    {"port add vm1 type null burst 5", "burst comes right after", ""},
	    {"port add vm1 type null native 5",
		"native comes right after trunk", ""},
	    {"port add vm1 type null trunk 5-3", "trunk \"5-3\" is not", ""},
	    {"port add vm1 type null trunk 1,", "trunk \"1,\" is not", ""},
	    {"port add vm1 type null trunk 4095", "4094", ""},
	    {"port add vm1 type null rate-in 5x", "is not a rate", ""},
	    {"port add vm1 type null m 5", "\"m\" may be", ""},
	    {"port add vm1 type null src 01:00:5e:00:00:01", "one station", ""},
	    {"port add vm1 type vhost-user socket x", "is not a path from /",
		""},
	    {"port add a/b type null", "is not 1 to 31 of", ""},
	    {"port add .. type null", "is not 1 to 31 of", ""},
	    {"port add '' type null", "is not 1 to 31 of", ""},
	    {"port add abcdefghijklmnopqrstuvwxyz012345 type null",
		"is not 1 to 31 of", ""},
	    {"port set vm1 queues 3", "queues of a port cannot be changed",
		"delete the port and add it again"},
	    {"stats --may-exist", "unknown word \"--may-exist\"", ""},
	    {"fdb add 52:54:00:00:00 port x", "is not the address", ""},
	    {"worker add -1", "is not a number", ""},
	    {"worker add 18446744073709551617", "is not a number", ""},
	    {"monitor nothing", "is not one of bridge, port", ""},
	    {"port show 'vm1", "a quote is not closed", ""},
	    {"port show vm1\033[31m", "vm1?[31m", ""},
	};
	const struct grammar_command *cmd;
	struct json_object *params;
	struct err e;
	size_t i;

	for (i = 0; i < N_OF(rows); i++) {
		e = (struct err){0};
		cr_expect_eq(grammar_parse_line(rows[i][0], &cmd, &params, &e),
		    -EINVAL, "%s", rows[i][0]);
		cr_expect_eq(e.code, -EINVAL);
		cr_expect(strstr(e.message, rows[i][1]), "%s: %s", rows[i][0],
		    e.message);
		cr_expect(strstr(e.hint, rows[i][2]), "%s: hint %s", rows[i][0],
		    e.hint);
	}
}

Test(grammar, lines_without_words_are_no_command)
{
	static const char *const empty[] = {"", "  \t", "# port show", "\n"};
	const struct grammar_command *cmd;
	struct json_object *params;
	size_t i;

	for (i = 0; i < N_OF(empty); i++) {
		cmd = grammar_commands;
		cr_expect_eq(
		    grammar_parse_line(empty[i], &cmd, &params, NULL), 0);
		cr_expect_null(cmd);
	}
}

Test(grammar, long_lines_are_refused)
{
	const struct grammar_command *cmd;
	struct json_object *params;
	char line[GRAMMAR_LINE_MAX + 2];
	struct err e = {0};

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	cr_expect_lt(grammar_parse_line(line, &cmd, &params, &e), 0);
	line[GRAMMAR_LINE_MAX] = '\0';
	cr_expect_lt(grammar_parse_line(line, &cmd, &params, &e), 0);
	memset(line, ' ', GRAMMAR_LINE_MAX);
	for (size_t i = 0; i <= GRAMMAR_WORDS_MAX; i++)
		line[2 * i] = 'a';
	cr_expect_lt(grammar_parse_line(line, &cmd, &params, &e), 0);
	cr_expect(strstr(e.message, "at most 128 words"), "%s", e.message);
}

Test(grammar, parameters_are_checked)
{
	static const char *const rows[][3] = {
	    /* method, parameters, piece of the sentence or NULL */
	    {"port.add", "{'name':'a','type':'null'}", NULL},
	    {"port.add", "{'name':'a','type':'null','may_exist':false}", NULL},
	    {"port.show", "{'stats':true,'details':false}", NULL},
	    {"config.apply", "{'text':'port add a type null\\n'}", NULL},
	    {"fdb.flush", "{'state':'dynamic'}", NULL},
	    {"fdb.flush", "{'state':'other'}", "state \"other\" is not"},
	    {"port.add", "[]", "params is not an object"},
	    {"port.add", "{'name':'a'}", "port add needs type TYPE"},
	    {"port.add", "{'name':'a','type':'veth'}",
		"type \"veth\" is not a known type"},
	    {"port.add", "{'name':5,'type':'null'}", "name \"5\" is not"},
	    {"port.add", "{'name':null,'type':'null'}", "name \"null\""},
	    {"port.add", "{'name':'a','type':'null','vlan':'5'}",
		"vlan \"5\" is not a number"},
	    {"port.add", "{'name':'a','type':'null','vlan':5.0}", "vlan"},
	    {"port.add", "{'name':'a','type':'null','vlan':-1}", "vlan"},
	    {"port.add", "{'name':'a','type':'null','learning':1}",
		"learning \"1\" is not on or off"},
	    {"port.add", "{'name':'a','type':'null','queues':2}",
		"queues is not an option of a null port"},
	    {"port.add", "{'name':'a','type':'null','qemu':true}",
		"port add has no parameter \"qemu\""},
	    {"port.show", "{'qemu':true}", "has no parameter \"qemu\""},
	    {"port.add", "{'name':'a\\u0000b','type':'null'}", "name"},
	    {"port.add", "{'name':'a','type':'null','rate_in_burst':5}",
		"rate_in_burst needs rate_in"},
	    {"port.set", "{'name':'a','queues':5}",
		"queues of a port cannot be changed"},
	    {"monitor.subscribe", "{'objects':['port',5]}", "objects"},
	    {"config.apply", "{}", "config apply needs text"},
	};
	struct json_object *params;
	struct err e;
	size_t i;
	int r;

	for (i = 0; i < N_OF(rows); i++) {
		e = (struct err){0};
		params = json(rows[i][1]);
		r = grammar_check(grammar_by_method(rows[i][0]), params, &e);
		cr_expect_eq(r, rows[i][2] ? -EINVAL : 0, "%s: %s", rows[i][1],
		    e.message);
		cr_expect(!rows[i][2] || strstr(e.message, rows[i][2]),
		    "%s: %s", rows[i][1], e.message);
		json_object_put(params);
	}
	cr_expect_eq(
	    grammar_check(grammar_by_method("port.show"), NULL, NULL), 0);
	cr_expect_lt(
	    grammar_check(grammar_by_method("port.add"), NULL, NULL), 0);
}

Test(grammar, options_of_another_type_are_refused)
{
	const struct grammar_command *set = grammar_by_method("port.set");
	struct json_object *params = json("{'name':'a','generate':5}");
	struct err e = {0};

	cr_expect_eq(grammar_check(set, params, &e), 0);
	cr_expect_eq(grammar_check_type(set, "null", params, &e), 0);
	cr_expect_eq(
	    grammar_check_type(set, "vhost-user", params, &e), -EINVAL);
	cr_expect_str_eq(
	    e.message, "generate is not an option of a vhost-user port");
	json_object_put(params);
}

Test(grammar, settable_is_what_set_takes)
{
	const struct grammar_command *add = grammar_by_method("port.add");

	cr_expect(grammar_settable(add, "mcast_flood"));
	cr_expect(grammar_settable(add, "rate_in_burst"));
	cr_expect(grammar_settable(add, "generate"));
	cr_expect_not(grammar_settable(add, "queues"));
	cr_expect_not(grammar_settable(add, "name"));
	cr_expect_not(grammar_settable(add, "bridge"));
	cr_expect_not(grammar_settable(add, "nonsense"));
}

Test(grammar, fill_adds_the_defaults_of_the_type)
{
	struct json_object *params =
	    json("{'name':'a','type':'null','mtu':68}");
	struct json_object *v;

	grammar_fill(grammar_by_method("port.add"), params);
	cr_expect(json_object_object_get_ex(params, "learning", &v));
	cr_expect(json_object_get_boolean(v));
	cr_expect(json_object_object_get_ex(params, "mtu", &v));
	cr_expect_eq(json_object_get_int(v), 68);
	cr_expect(json_object_object_get_ex(params, "generate", NULL));
	cr_expect_not(json_object_object_get_ex(params, "queues", NULL));
	json_object_put(params);
}

/* The table itself: what the code takes for granted about its rows. */
Test(grammar, table_is_well_formed)
{
	const struct grammar_command *c;
	const struct grammar_arg *arg;
	struct json_object *def;
	struct err e = {0};
	char key[GRAMMAR_KEY_SIZE];

	for (c = grammar_commands; c->object; c++) {
		struct grammar_iter it = {0};

		cr_expect(grammar_find_object(c->object, NULL));
		cr_expect(!c->method || grammar_by_method(c->method) == c);
		while ((arg = grammar_next(c, &it))) {
			cr_expect(arg->help && *arg->help);
			cr_expect(arg->value || arg->kind == GRAMMAR_FLAG, "%s",
			    arg->word);
			cr_expect_lt(strlen(grammar_key(arg, key)),
			    GRAMMAR_KEY_SIZE - 1);
			if (arg->follows)
				cr_expect_str_eq(arg[-1].word, arg->follows);
			def = NULL;
			if (arg->def && arg->kind != GRAMMAR_FLAG)
				cr_expect_eq(grammar_value_parse(
						 arg, arg->def, &def, &e),
				    0, "%s", arg->word);
			json_object_put(def);
		}
	}
}
