/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_config.c - texts into states, states into lines, and the way between.
 *
 * Which ports a change touches is seen by their addresses: one that is made
 * again is another.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "switch/control/config.h"
#include "switch/control/config_plan.h"
#include "tests/unit/fake_switch.h"

static struct sw *sw;
static struct err e;

static void set_up(void)
{
	sw = fake_open();
}

static void tear_down(void)
{
	fake_close(sw);
}

TestSuite(config, .init = set_up, .fini = tear_down);

/* Applies @text and returns how many changes it took. */
static int apply(const char *text)
{
	int n = config_apply(sw, text, NULL, &e);

	cr_assert_geq(n, 0, "%s", e.message);
	return n;
}

/* What `config show` prints. */
static char *show(void)
{
	struct json_object *lines = NULL, *v;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	cr_assert_eq(rpc_call(sw, NULL, "config.show", NULL, &lines, &e), 0);
	for (size_t i = 0; i < json_object_array_length(lines); i++) {
		json_object_object_get_ex(
		    json_object_array_get_idx(lines, i), "line", &v);
		fprintf(f, "%s\n", json_object_get_string(v));
	}
	fclose(f);
	json_object_put(lines);
	return text;
}

static void shows(const char *expected)
{
	char *text = show();

	cr_assert_str_eq(text, expected);
	free(text);
}

static void refused(const char *text, const char *words)
{
	char *before = show(), *after;

	cr_assert_lt(config_apply(sw, text, NULL, &e), 0, "%s", text);
	cr_assert(strstr(e.message, words), "%s", e.message);
	after = show();
	cr_assert_str_eq(after, before);
	free(before);
	free(after);
}

static const void *port(const char *name)
{
	return bridge_port_find(sw, name, NULL);
}

Test(config, the_first_state_is_one_worker)
{
	shows("worker add 0\n");
	cr_assert_eq(apply(""), 0);
	cr_assert_eq(apply("# nothing\n\n   \t# at all"), 0);
	shows("worker add 0\n");
}

static const char everything[] =
    "worker add 0\n"
    "worker add 2\n"
    "bridge set br0 ageing 60\n"
    "bridge add br1 vlan-aware on fdb-size 1024\n"
    "port add vm1 type vhost-user queues 2 mode 0666\n"
    "port add vm2 type vhost-user bridge br1 vlan 7 rate-in 100mbit burst "
    "64k state down\n"
    "port add trunk1 type null bridge br1 trunk 7,10-12 native 3\n"
    "fdb add 52:54:00:00:00:01 port vm1\n"
    "fdb add 52:54:00:00:00:02 port vm2 vlan 7\n";

Test(config, what_is_shown_reproduces_itself)
{
	char *text;

	cr_assert_eq(apply(everything), 8);
	text = show();
	cr_assert_eq(apply(text), 0, "%s", text);
	tear_down();
	set_up();
	cr_assert_eq(apply(text), 8, "%s", text);
	shows(text);
	free(text);
}

Test(config, what_is_shown_is_what_was_said)
{
	apply(everything);
	shows(everything);
}

Test(config, lines_are_those_of_swctl)
{
	apply("port add a type null\nport set a mtu 9000 isolated on\n");
	shows("worker add 0\nport add a type null mtu 9000 isolated on\n");
}

Test(config, a_size_of_br0_can_be_declared)
{
	apply("bridge add br0 fdb-size 128\n");
	cr_assert_eq(bridge_find(sw, "br0", NULL)->fdb_size, 128);
	shows("worker add 0\nbridge add br0 fdb-size 128\n");
	apply("");
	cr_assert_eq(bridge_find(sw, "br0", NULL)->fdb_size, 65536);
}

Test(config, what_can_be_set_is_set)
{
	const void *a, *b;

	apply("port add a type null\nport add b type null\n");
	a = port("a");
	b = port("b");
	cr_assert_eq(apply("port add b type null mtu 9000 learning off\n"
			   "port add a type null\n"),
	    1);
	cr_assert_eq(port("a"), a);
	cr_assert_eq(port("b"), b);
	cr_assert_eq(bridge_port_find(sw, "b", NULL)->set.mtu, 9000);
	cr_assert_eq(apply("port add a type null\nport add b type null\n"), 1);
	cr_assert_eq(port("b"), b);
	cr_assert_eq(bridge_port_find(sw, "b", NULL)->port->mtu, 1500);
	shows("worker add 0\nport add a type null\nport add b type null\n");
}

Test(config, what_cannot_be_set_is_made_again)
{
	unsigned opened;

	apply("port add a type vhost-user\nport add b type vhost-user\n"
	      "fdb add 52:54:00:00:00:01 port a\n");
	opened = fake_n_opened;
	cr_assert_eq(apply("port add a type vhost-user queues 2\n"
			   "port add b type vhost-user\n"
			   "fdb add 52:54:00:00:00:01 port a\n"),
	    4);
	cr_assert_eq(fake_n_opened, opened + 1);
	shows("worker add 0\n"
	      "port add a type vhost-user queues 2\n"
	      "port add b type vhost-user\n"
	      "fdb add 52:54:00:00:00:01 port a\n");
}

Test(config, a_bridge_made_again_takes_its_ports_along)
{
	unsigned opened;

	apply("bridge add br1\nport add a type null bridge br1\n"
	      "port add b type null\n");
	opened = fake_n_opened;
	cr_assert_eq(apply("bridge add br1 fdb-size 512\n"
			   "port add a type null bridge br1\n"
			   "port add b type null\n"),
	    4);
	cr_assert_eq(fake_n_opened, opened + 1);
}

Test(config, what_is_not_in_the_text_goes)
{
	apply(everything);
	apply("worker add 2\n");
	shows("worker add 2\n");
	cr_assert_null(bridge_find(sw, "br1", NULL));
	cr_assert_null(port("vm1"));
}

Test(config, workers_stay_where_the_text_is_silent)
{
	apply("worker add 1\nworker add 1\nworker add 3\n");
	shows("worker add 1\nworker add 1\nworker add 3\n");
	cr_assert_eq(apply("port add a type null\n"), 1);
	cr_assert_eq(
	    apply("worker add 3\nworker add 1\nport add a type null"), 1);
}

Test(config, what_is_set_of_workers_is_part_of_it)
{
	static const char text[] = "worker add 0 spin always\n"
				   "worker add 1\n"
				   "worker add 1 spin never\n"
				   "worker set spin never threshold 40\n";
	struct worker *first;

	cr_assert_eq(apply(text), 4);
	shows(text);
	cr_assert_eq(apply(text), 0);
	first = sw->worker[0];
	cr_assert_eq(first->spin, SPIN_ALWAYS);
	cr_assert_eq(sw->worker[2]->spin, SPIN_NEVER);
	cr_assert_eq(sw->balancing.threshold, 40);
	cr_assert_eq(apply("worker add 0\nworker add 1\nworker add 1\n"
			   "worker set 1 spin never\n"),
	    4);
	shows("worker add 0\nworker add 1 spin never\nworker add 1\n");
	cr_assert_eq(sw->worker[0], first);
}

Test(config, what_is_set_of_workers_stays_where_the_text_is_silent)
{
	apply("worker add 0 spin always\nworker set spin never\n");
	cr_assert_eq(apply("port add a type null\n"), 1);
	shows("worker add 0 spin always\nworker set spin never\n"
	      "port add a type null\n");
	refused("worker set 1 spin never\n", "no line before this one adds");
	refused("worker add 0\nworker set 0 balance on\n",
	    "line 2: balance is no option of one worker");
	refused("worker add 0 spin never\nworker set spin always\n"
		"port add b type vhost-user socket /fail\n",
	    "in use");
}

Test(config, a_changed_trunk_takes_its_native_vlan_along)
{
	const void *t;

	apply("port add t type null trunk 1-5 native 3\n");
	t = port("t");
	cr_assert_eq(apply("port add t type null trunk 1-6 native 3\n"), 1);
	cr_assert_eq(port("t"), t);
	shows("worker add 0\nport add t type null trunk 1-6 native 3\n");
	cr_assert_eq(apply("port add t type null\n"), 1);
	cr_assert_eq(port("t"), t);
	shows("worker add 0\nport add t type null\n");
}

static const char moved[] = "worker add 0\n"
			    "worker add 2\n"
			    "port add a type vhost-user queues 4\n"
			    "port add b type null\n"
			    "worker move a worker 1\n"
			    "worker move a queue 2 worker 0\n"
			    "worker move b queue 0 worker 1\n";

static int worker_of(const char *name, unsigned queue)
{
	return bridge_port_find(sw, name, NULL)->worker_of[queue];
}

Test(config, moves_are_shown_and_done_again)
{
	cr_assert_eq(apply(moved), 5);
	cr_assert_eq(worker_of("a", 0), 1);
	cr_assert_eq(worker_of("a", 2), 0);
	cr_assert_eq(worker_of("b", 0), 1);
	cr_assert_eq(worker_of("b", 1), -1);
	shows(moved);
	cr_assert_eq(apply(moved), 0);
}

Test(config, a_move_that_is_not_in_the_text_is_taken_back)
{
	apply(moved);
	cr_assert_eq(apply("worker add 0\nworker add 2\n"
			   "port add a type vhost-user queues 4\n"
			   "port add b type null\n"
			   "worker move b worker 0\n"),
	    2);
	cr_assert_eq(worker_of("a", 2), -1);
	cr_assert_eq(worker_of("b", 7), 0);
	apply(moved);
	apply("worker add 2\nport add a type vhost-user queues 4\n"
	      "worker move a queue 3 worker 0\n");
	cr_assert_eq(worker_of("a", 0), -1);
	cr_assert_eq(worker_of("a", 3), 1);
}

Test(config, moves_survive_a_failure_of_the_text)
{
	apply(moved);
	refused("worker add 0\nworker add 2\nport add b type null\n"
		"port add a type vhost-user socket /fail\n"
		"worker move a queue 2 worker 1\n",
	    "line 4: socket /fail");
	cr_assert_eq(worker_of("a", 2), 0);
	refused("worker add 0\nworker add 2\nport add b type null\n"
		"port add c type vhost-user socket /fail\n",
	    "line 4: socket /fail");
	cr_assert_eq(worker_of("a", 3), 1);
}

Test(config, moves_follow_a_port_that_is_made_again)
{
	apply(moved);
	apply("worker add 0\nworker add 2\nport add b type null\n"
	      "port add a type vhost-user queues 8\n"
	      "worker move a worker 1\n"
	      "worker move a queue 2 worker 0\n");
	cr_assert_eq(worker_of("a", 2), 0);
	cr_assert_eq(worker_of("a", 7), 1);
}

Test(config, a_number_of_a_worker_is_its_place_among_those_of_the_text)
{
	apply("worker add 7\n");
	/* Worker 0 goes when 1 and 2 are there. */
	apply("worker add 3\nworker add 4\nport add a type null\n"
	      "worker move a worker 1\n");
	cr_assert_eq(worker_cpu(sw->worker[worker_of("a", 0)]), 4);
	shows("worker add 3\nworker add 4\nport add a type null\n"
	      "worker move a worker 1\n");
	refused("worker add 3\nworker add 4\nport add a type null\n"
		"worker move a worker 2\n",
	    "line 4: there is no worker 2");
	refused("port add a type null\nworker move b worker 1\n", "line 2: ");
	cr_assert_eq(
	    apply("port add a type null\nworker move a worker 2\n"), 0);
}

Test(config, static_entries_do_not_outlive_their_kind_of_network)
{
	struct json_object *params =
	    json_tokener_parse("{\"name\":\"br0\",\"vlan_aware\":true}");

	apply("port add a type null\nfdb add 52:54:00:00:00:01 port a\n");
	cr_assert_eq(bridge_set(sw, params, &e), 0);
	shows("worker add 0\nbridge set br0 vlan-aware on\n"
	      "port add a type null\n");
	json_object_put(params);
	cr_assert_eq(
	    apply("bridge set br0 vlan-aware on\nport add a type null\n"
		  "fdb add 52:54:00:00:00:01 port a\n"),
	    1);
	cr_assert_eq(apply("port add a type null\n"
			   "fdb add 52:54:00:00:00:01 port a\n"),
	    3);
	shows("worker add 0\nport add a type null\n"
	      "fdb add 52:54:00:00:00:01 port a\n");
}

Test(config, errors_name_the_line)
{
	refused("port add a type null\nport frobnicate\n", "line 2: ");
	refused("\n\nport add a type vhost-user queues 65\n", "line 3: queues");
	refused("port add a type null bridge br7\n", "line 1: ");
	refused("port add a type null\nport add a type null\n",
	    "line 2: port a is there already, from line 1");
	refused("port set a mtu 900\n", "line 1: ");
	refused(
	    "port add a type vhost-user\nport set a generate 5\n", "line 2: ");
	refused("bridge show\n", "has no place in a configuration");
	refused("port del a\n", "has no place in a configuration");
	refused("fdb add 52:54:00:00:00:01 port a\nport add a type null\n",
	    "line 1: ");
	refused("port add a type null\n"
		"fdb add 52:54:00:00:00:01 port a dynamic\n",
	    "line 2: ");
	refused("port add a type null\n"
		"fdb add 52:54:00:00:00:01 port a\n"
		"fdb add 52:54:00:00:00:01 port a\n",
	    "line 3: ");
}

Test(config, a_failure_leaves_everything_as_it_was)
{
	const void *vm1, *keep;

	apply("bridge add br1\nbridge add br2 ageing 7\n"
	      "port add vm1 type vhost-user bridge br1 mtu 1400\n"
	      "port add keep type null\n"
	      "port add gone type null bridge br2\n"
	      "fdb add 52:54:00:00:00:01 port gone\n"
	      "worker add 0\nworker add 5\n");
	vm1 = port("vm1");
	keep = port("keep");
	refused("bridge add br1 ageing 60\nbridge add br3\n"
		"port add vm1 type vhost-user bridge br1 mtu 9000\n"
		"port add keep type null\n"
		"port add extra type null bridge br3\n"
		"port add bad type vhost-user socket /fail\n"
		"worker add 1\nworker add 0\n",
	    "line 6: socket /fail");
	cr_assert_eq(port("vm1"), vm1);
	cr_assert_eq(port("keep"), keep);
	cr_assert_null(port("extra"));
	cr_assert_null(bridge_find(sw, "br3", NULL));
	cr_assert_eq(bridge_find(sw, "br1", NULL)->ageing_s, 300);
	cr_assert_eq(bridge_find(sw, "br2", NULL)->ageing_s, 7);
	cr_assert_not_null(port("gone"));
}

Test(config, additions_are_published_together)
{
	char text[16384];
	size_t n = 0;
	unsigned before = fake_n_published;

	for (int i = 0; i < 300; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "port add p%d type null\n", i);
	cr_assert_eq(apply(text), 300);
	cr_assert_leq(fake_n_published, before + 1);
	cr_assert_eq(sw->publish_held, 0);
}

static void write_file(char path[], const char *text, size_t n)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
}

Test(config, a_file_is_loaded)
{
	char path[] = "/tmp/swd-config.XXXXXX";

	write_file(path, everything, sizeof(everything) - 1);
	cr_assert_eq(config_load(sw, path, &e), 0, "%s", e.message);
	unlink(path);
	shows(everything);
}

Test(config, errors_of_a_file_name_it)
{
	char path[] = "/tmp/swd-config.XXXXXX", expected[64];
	static const char zero[] = "port add a type null\0\n";

	write_file(path, "\nport add\n", 10);
	cr_assert_lt(config_load(sw, path, &e), 0);
	snprintf(expected, sizeof(expected), "%s:2: ", path);
	cr_assert_eq(
	    strncmp(e.message, expected, strlen(expected)), 0, "%s", e.message);
	unlink(path);
	cr_assert_eq(config_load(sw, path, &e), -ENOENT);
	cr_assert(strstr(e.message, path));
	strcpy(path, "/tmp/swd-config.XXXXXX");
	write_file(path, zero, sizeof(zero) - 1);
	cr_assert_eq(config_load(sw, path, &e), -EINVAL);
	unlink(path);
}
