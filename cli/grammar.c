/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar.c - the one table: objects, commands, arguments.
 *
 * Read a row as: keyword, kind of value, placeholder or alternatives, then
 * range, default, whether it can be changed later, and what it is for.  A new
 * port type is one block of rows and one line in PORT_TYPES.
 */
#include <string.h>

#include "cli/grammar.h"

#define STATION	 .min = 1
#define VID	 "VID", .min = 1, .max = 4094
#define RATE_MAX UINT64_C(1000000000000000) /* 1 Pbit/s */

enum {
	MTU_MAX = 9216,
	FRAME_MIN = 60,
	FRAME_MAX = MTU_MAX + 14,
	SOCKET_PATH_MAX = 107,
	FILE_PATH_MAX = 1024,
	CONFIG_MAX = 16 << 20,
	WORKERS_MAX = 1024,
	FDB_MAX = 1 << 24,
};

/* clang-format off */

const struct grammar_object grammar_objects[] = {
	{"bridge",  "learning Ethernet switches"},
	{"port",    "what is connected to a bridge"},
	{"fdb",     "addresses learned or given, and the ports they are behind"},
	{"worker",  "threads that carry frames, one per processor core"},
	{"stats",   "counters of every port, one reason for every drop"},
	{"config",  "the lines that reproduce the present state"},
	{"monitor", "events as they happen"},
	{"show",    "the picture: bridges, ports, state, rates"},
	{0},
};

/* Heads: what a command is about. */

#define MUST_NAME(what, text)                                                 \
	{"name", GRAMMAR_NAME, what, .positional = true, .required = true,    \
	    .help = text}
#define MAY_NAME(what, text)                                                  \
	{"name", GRAMMAR_NAME, what, .positional = true, .help = text}
#define MAY_EXIST                                                             \
	{"--may-exist", GRAMMAR_FLAG, .key = "may_exist",                     \
	    .help = "no error where it exists already"}
#define IF_EXISTS                                                             \
	{"--if-exists", GRAMMAR_FLAG, .key = "if_exists",                     \
	    .help = "no error where it does not exist"}
#define STATS                                                                 \
	{"stats", GRAMMAR_BOOL, "on|off", .wire = true,                       \
	    .help = "with counters"}
#define DETAILS                                                               \
	{"details", GRAMMAR_BOOL, "on|off", .wire = true,                     \
	    .help = "with everything that is known"}

#define BLOCK(name, ...)                                                      \
	static const struct grammar_block name = {                            \
	    .args = (const struct grammar_arg[]){__VA_ARGS__, {0}}}
#define PORT_TYPE(name, word, text, ...)                                      \
	static const struct grammar_block name = {.type = word, .help = text, \
	    .args = (const struct grammar_arg[]){__VA_ARGS__, {0}}}

BLOCK(bridge_add,
	MUST_NAME("NAME", "name of the bridge"), MAY_EXIST);
BLOCK(bridge_del,
	MUST_NAME("BRIDGE", "name of the bridge"), IF_EXISTS);
BLOCK(bridge_set,
	MUST_NAME("BRIDGE", "name of the bridge"), IF_EXISTS);
BLOCK(bridge_show,
	MAY_NAME("BRIDGE", "this bridge alone"), STATS, DETAILS);
BLOCK(port_add,
	MUST_NAME("NAME", "name of the port"),
	{"type", GRAMMAR_TYPE, "TYPE", .required = true,
	 .help = "what kind of peer the port has"},
	{"bridge", GRAMMAR_NAME, "BRIDGE", .def = "br0",
	 .help = "the bridge that it is a port of"},
	MAY_EXIST);
BLOCK(port_del,
	MUST_NAME("PORT", "name of the port"), IF_EXISTS);
BLOCK(port_set,
	MUST_NAME("PORT", "name of the port"), IF_EXISTS);
BLOCK(port_show,
	MAY_NAME("PORT", "this port alone"),
	{"type", GRAMMAR_TYPE, "TYPE", .help = "ports of this type"},
	{"bridge", GRAMMAR_NAME, "BRIDGE", .help = "ports of this bridge"},
	{"--qemu", GRAMMAR_FLAG, .key = "qemu", .local = true,
	 .help = "QEMU's arguments for a vhost-user port"},
	{"--libvirt", GRAMMAR_FLAG, .key = "libvirt", .local = true,
	 .help = "libvirt's XML for a vhost-user port"},
	STATS, DETAILS);

#define FDB_STATE(text_static, text_dynamic)                                  \
	{"static", GRAMMAR_FLAG, "static", .key = "state",                    \
	    .help = text_static},                                             \
	{"dynamic", GRAMMAR_FLAG, "dynamic", .key = "state",                  \
	    .help = text_dynamic}
#define FDB_WHERE                                                             \
	{"bridge", GRAMMAR_NAME, "BRIDGE", .help = "in this bridge"},         \
	{"vlan", GRAMMAR_UINT, VID, .help = "in this VLAN"}

BLOCK(fdb_add,
	{"mac", GRAMMAR_MAC, "MAC", STATION, .positional = true,
	 .required = true, .help = "address of the station"},
	{"port", GRAMMAR_NAME, "PORT", .required = true,
	 .help = "the port that it is behind"},
	FDB_WHERE,
	{"static", GRAMMAR_FLAG, "static", .key = "state", .def = "static",
	 .help = "stays until it is deleted (default)"},
	{"dynamic", GRAMMAR_FLAG, "dynamic", .key = "state",
	 .help = "ages and moves as if it had been learned"},
	MAY_EXIST);
BLOCK(fdb_del,
	{"mac", GRAMMAR_MAC, "MAC", STATION, .positional = true,
	 .required = true, .help = "address of the station"},
	{"port", GRAMMAR_NAME, "PORT", .help = "only behind this port"},
	FDB_WHERE, IF_EXISTS);
BLOCK(fdb_show,
	{"mac", GRAMMAR_MAC, "MAC", .positional = true,
	 .help = "this address alone"},
	{"port", GRAMMAR_NAME, "PORT", .help = "behind this port"},
	FDB_WHERE, FDB_STATE("given by hand", "learned"), DETAILS);
BLOCK(fdb_flush,
	{"mac", GRAMMAR_MAC, "MAC", .positional = true,
	 .help = "this address alone"},
	{"port", GRAMMAR_NAME, "PORT", .help = "behind this port"},
	FDB_WHERE, FDB_STATE("those given by hand", "those learned (default)"));

BLOCK(worker_show,
	{"id", GRAMMAR_UINT, "ID", .max = WORKERS_MAX - 1, .positional = true,
	 .help = "this worker alone"},
	STATS, DETAILS);
BLOCK(worker_add,
	{"cpu", GRAMMAR_UINT, "CPU", .max = WORKERS_MAX - 1,
	 .positional = true, .required = true,
	 .help = "the processor core that it runs on"},
	MAY_EXIST);
BLOCK(worker_set,
	{"id", GRAMMAR_UINT, "ID", .max = WORKERS_MAX - 1, .positional = true,
	 .help = "this worker alone, which has nothing but spin"},
	IF_EXISTS);
BLOCK(worker_balance,
	{"--move", GRAMMAR_FLAG, .key = "move",
	 .help = "move them, not only say so"});
BLOCK(worker_del,
	{"id", GRAMMAR_UINT, "ID", .max = WORKERS_MAX - 1, .positional = true,
	 .required = true, .help = "the worker, as shown"},
	IF_EXISTS);
BLOCK(worker_move,
	{"port", GRAMMAR_NAME, "PORT", .positional = true, .required = true,
	 .help = "the port whose receive queues move"},
	{"queue", GRAMMAR_UINT, "N", .max = WORKERS_MAX - 1,
	 .help = "this receive queue alone"},
	{"worker", GRAMMAR_UINT, "ID", .max = WORKERS_MAX - 1,
	 .required = true, .help = "the worker that serves them from then on"});

BLOCK(stats_show,
	MAY_NAME("PORT", "this port alone"), DETAILS);
BLOCK(config_file,
	{"file", GRAMMAR_TEXT, "FILE", .max = FILE_PATH_MAX,
	 .def = "/etc/swd/swd.conf", .positional = true, .local = true,
	 .help = "the file, or - for standard output or input"});
BLOCK(config_text,
	{"text", GRAMMAR_LINES, "TEXT", .max = CONFIG_MAX, .required = true,
	 .wire = true, .help = "the lines of a configuration"});
BLOCK(monitor_objects,
	{"objects", GRAMMAR_WORDS, "bridge|port|fdb|worker|config",
	 .positional = true, .help = "events of these alone"});

/* Options. */

BLOCK(bridge_options,
	{"vlan-aware", GRAMMAR_BOOL, "on|off", .def = "off", .set = true,
	 .help = "separate the VLANs of its ports"},
	{"ageing", GRAMMAR_UINT, "SECONDS", .max = 1000000, .def = "300",
	 .set = true, .help = "forget a silent address after, 0 never"},
	{"fdb-size", GRAMMAR_UINT, "N", .min = 64, .max = FDB_MAX,
	 .def = "65536", .help = "addresses it remembers, 40 bytes each"});

BLOCK(worker_options,
	{"spin", GRAMMAR_WORD, "default|always|never|adaptive",
	 .def = "default", .set = true,
	 .help = "how long an empty queue is polled before its peer has to "
		 "wake the worker: for ever, not at all, by how soon it was "
		 "woken before"});
BLOCK(balance_options,
	{"balance", GRAMMAR_BOOL, "on|off", .def = "off", .set = true,
	 .help = "move receive queues by what they cost, except those that "
		 "worker move has moved"},
	{"threshold", GRAMMAR_UINT, "PERCENT", .min = 1, .max = 100,
	 .def = "25", .set = true,
	 .help = "if the most loaded worker has so much less to do then"},
	{"interval", GRAMMAR_UINT, "SECONDS", .min = 1, .max = 86400,
	 .def = "10", .set = true, .help = "how often, and from how long"});

BLOCK(port_options,
	{"vlan", GRAMMAR_UINT, VID, .def = "1", .set = true,
	 .help = "access port of this VLAN"},
	{"trunk", GRAMMAR_LIST, "LIST", .min = 1, .max = 4094, .def = "none",
	 .set = true, .help = "tagged port of these VLANs"},
	{"native", GRAMMAR_UINT, "VID", .max = 4094, .def = "0", .set = true,
	 .follows = "trunk", .help = "VLAN of its untagged frames, 0 none"},
	{"mtu", GRAMMAR_UINT, "BYTES", .max = MTU_MAX, .def = "0", .set = true,
	 .help = "longest payload, 0 what its device carries, or 1500"},
	{"learning", GRAMMAR_BOOL, "on|off", .def = "on", .set = true,
	 .help = "learn the source addresses of its frames"},
	{"flood", GRAMMAR_BOOL, "on|off", .def = "on", .set = true,
	 .help = "send it frames for unknown addresses"},
	{"mcast-flood", GRAMMAR_BOOL, "on|off", .def = "on", .set = true,
	 .help = "send it multicast nobody registered for"},
	{"bcast-flood", GRAMMAR_BOOL, "on|off", .def = "on", .set = true,
	 .help = "send it broadcasts"},
	{"isolated", GRAMMAR_BOOL, "on|off", .def = "off", .set = true,
	 .help = "no frames to or from other isolated ports"},
	{"locked", GRAMMAR_BOOL, "on|off", .def = "off", .set = true,
	 .help = "take frames from addresses in the fdb alone"},
	{"mac-limit", GRAMMAR_UINT, "N", .max = FDB_MAX, .def = "0",
	 .set = true, .help = "addresses learned at most, 0 no limit"},
	{"rate-in", GRAMMAR_RATE, "RATE", .max = RATE_MAX, .def = "0",
	 .set = true, .help = "what it may send to the switch, 0 no limit"},
	{"burst", GRAMMAR_SIZE, "SIZE", .max = 1 << 30, .def = "0",
	 .set = true, .key = "rate_in_burst", .follows = "rate-in",
	 .help = "what may come at once, 0 computed"},
	{"rate-out", GRAMMAR_RATE, "RATE", .max = RATE_MAX, .def = "0",
	 .set = true, .help = "what the switch may send it, 0 no limit"},
	{"burst", GRAMMAR_SIZE, "SIZE", .max = 1 << 30, .def = "0",
	 .set = true, .key = "rate_out_burst", .follows = "rate-out",
	 .help = "what may come at once, 0 computed"},
	{"state", GRAMMAR_WORD, "up|down", .def = "up", .set = true,
	 .help = "whether it carries frames"});

/* Port types. */

PORT_TYPE(vhost_user, "vhost-user", "a virtual machine on a unix socket",
	{"socket", GRAMMAR_PATH, "PATH", .max = SOCKET_PATH_MAX,
	 .help = "the socket (default RUNDIR/vhost/NAME)"},
	{"role", GRAMMAR_WORD, "server|client", .def = "server",
	 .help = "who listens: the switch, or the machine"},
	{"queues", GRAMMAR_UINT, "N", .min = 1, .max = 64, .def = "1",
	 .help = "pairs of queues the machine may use"},
	{"offload", GRAMMAR_BOOL, "on|off", .def = "on",
	 .help = "let the machine leave checksums and cutting to others"},
	{"group", GRAMMAR_NAME, "GROUP", .set = true,
	 .help = "group of the socket (default libvirt-qemu if it exists)"},
	{"mode", GRAMMAR_OCTAL, "OCTAL", .def = "0660", .set = true,
	 .help = "permissions of the socket"});

PORT_TYPE(xdp, "xdp", "a network card, through AF_XDP sockets on its queues",
	{"dev", GRAMMAR_NAME, "IFNAME",
	 .help = "the card (default: the port's name)"},
	{"queues", GRAMMAR_LIST, "all|LIST", .max = 63, .def = "all",
	 .help = "its queues that are used"},
	{"mode", GRAMMAR_WORD, "auto|zerocopy|native|generic", .def = "auto",
	 .help = "how frames come from its driver, auto the best there is"},
	{"busy-poll", GRAMMAR_UINT, "USEC", .max = 1000, .def = "0",
	 .help = "let the worker run its driver, for so long at once, 0 not"},
	{"force", GRAMMAR_FLAG,
	 .help = "take it although it carries the default route"});

PORT_TYPE(tap, "tap", "the host itself, or a container of it",
	{"dev", GRAMMAR_NAME, "IFNAME",
	 .help = "the interface, made if there is none (default NAME)"},
	{"queues", GRAMMAR_UINT, "N", .min = 1, .max = 64, .def = "1",
	 .help = "queues of the interface"},
	{"offload", GRAMMAR_BOOL, "on|off", .def = "on",
	 .help = "let the host leave checksums and cutting to others"});

PORT_TYPE(null, "null", "swallows and counts; generates for benchmarks",
	{"generate", GRAMMAR_UINT, "PPS", .max = 1000000000, .def = "0",
	 .set = true, .help = "frames per second that it sends"},
	{"size", GRAMMAR_UINT, "BYTES", .min = FRAME_MIN, .max = FRAME_MAX,
	 .def = "60", .set = true, .help = "length of each, without FCS"},
	{"dst", GRAMMAR_MAC, "MAC", .set = true,
	 .help = "destination of each (default broadcast)"},
	{"src", GRAMMAR_MAC, "MAC", STATION, .set = true,
	 .help = "source of each (default one made from the name)"});

PORT_TYPE(pipe, "pipe", "an application that speaks memif, by shared memory",
	{"socket", GRAMMAR_SOCKET, "PATH", .max = SOCKET_PATH_MAX,
	 .help = "the socket, or @NAME (default RUNDIR/pipe/NAME)"},
	{"role", GRAMMAR_WORD, "server|client", .def = "server",
	 .help = "memif's: a client connects, and brings the memory"},
	{"id", GRAMMAR_UINT, "N", .max = UINT32_MAX, .def = "0",
	 .help = "of the interfaces at the socket, the one that is meant"},
	{"secret", GRAMMAR_TEXT, "TEXT", .max = 24,
	 .help = "what the client has to know (default nothing)"},
	{"queues", GRAMMAR_UINT, "N", .min = 1, .max = 64, .def = "1",
	 .help = "rings each way at most"},
	{"trusted", GRAMMAR_BOOL, "on|off", .def = "off",
	 .help = "take memory that the application can cut off"},
	{"ring-size", GRAMMAR_UINT, "N", .min = 32, .max = 16384,
	 .def = "1024", .help = "buffers of each ring, as a client"},
	{"buffer-size", GRAMMAR_UINT, "BYTES", .min = 2048, .max = 65536,
	 .def = "2048", .help = "length of each buffer, as a client"},
	{"group", GRAMMAR_NAME, "GROUP", .set = true,
	 .help = "group of the socket (default the switch's own)"},
	{"mode", GRAMMAR_OCTAL, "OCTAL", .def = "0660", .set = true,
	 .help = "permissions of the socket"});

#define PORT_TYPES &vhost_user, &xdp, &tap, &pipe, &null

static const struct grammar_block *const port_types[] = {PORT_TYPES, NULL};

/* Commands. */

#define BLOCKS(...)                                                           \
	.blocks = (const struct grammar_block *const[]){__VA_ARGS__, NULL}

const struct grammar_command grammar_commands[] = {
	{"bridge", "add", "", "bridge.add", "create a bridge",
	 BLOCKS(&bridge_add, &bridge_options), .config = true, .creates = true},
	{"bridge", "del", "delete", "bridge.del", "delete a bridge",
	 BLOCKS(&bridge_del)},
	{"bridge", "set", "", "bridge.set", "change options of a bridge",
	 BLOCKS(&bridge_set, &bridge_options), .config = true, .changes = true},
	{"bridge", "show", "list|ls", "bridge.show", "show bridges",
	 BLOCKS(&bridge_show)},

	{"port", "add", "", "port.add", "connect something to a bridge",
	 BLOCKS(&port_add, &port_options, PORT_TYPES), .config = true,
	 .creates = true},
	{"port", "del", "delete", "port.del", "disconnect it",
	 BLOCKS(&port_del)},
	{"port", "set", "", "port.set", "change options of a port",
	 BLOCKS(&port_set, &port_options, PORT_TYPES), .config = true,
	 .changes = true},
	{"port", "show", "list|ls", "port.show", "show ports",
	 BLOCKS(&port_show)},

	{"fdb", "add", "", "fdb.add", "say which port an address is behind",
	 BLOCKS(&fdb_add), .config = true, .creates = true},
	{"fdb", "del", "delete", "fdb.del", "forget an address",
	 BLOCKS(&fdb_del)},
	{"fdb", "show", "list|ls", "fdb.show", "show addresses",
	 BLOCKS(&fdb_show)},
	{"fdb", "flush", "", "fdb.flush", "forget many addresses",
	 BLOCKS(&fdb_flush)},

	{"worker", "show", "list|ls", "worker.show", "show workers",
	 BLOCKS(&worker_show)},
	{"worker", "add", "", "worker.add", "start a worker on a core",
	 BLOCKS(&worker_add, &worker_options), .config = true,
	 .creates = true},
	{"worker", "del", "delete", "worker.del", "stop a worker",
	 BLOCKS(&worker_del)},
	{"worker", "set", "", "worker.set", "change options of workers",
	 BLOCKS(&worker_set, &worker_options, &balance_options),
	 .config = true},
	{"worker", "balance", "", "worker.balance",
	 "show which receive queues should move, and why",
	 BLOCKS(&worker_balance)},
	{"worker", "move", "", "worker.move", "give receive queues to a worker",
	 BLOCKS(&worker_move), .config = true},

	{"stats", "", "", "stats.show", "show counters",
	 BLOCKS(&stats_show)},

	{"config", "show", "list|ls", "config.show", "print the configuration",
	 BLOCKS(NULL)},
	{"config", "save", "", NULL, "write it to a file",
	 BLOCKS(&config_file)},
	{"config", "apply", "", "config.apply",
	 "go from the present state to the file's, all or nothing",
	 BLOCKS(&config_file, &config_text)},

	{"monitor", "", "", "monitor.subscribe", "print events as they happen",
	 BLOCKS(&monitor_objects)},

	{"show", "", "", "show.picture", "draw the picture", BLOCKS(NULL)},
	{0},
};

/* clang-format on */

const struct grammar_arg *grammar_next(
    const struct grammar_command *cmd, struct grammar_iter *it)
{
	const struct grammar_block *block;
	const struct grammar_arg *arg;

	while ((block = cmd->blocks[it->block])) {
		arg = &block->args[it->arg++];
		it->type = block->type;
		if (!arg->word) {
			it->block++;
			it->arg = 0;
		} else if (!cmd->changes || arg->set || it->block == 0) {
			return arg;
		}
	}
	return NULL;
}

const char *grammar_key(
    const struct grammar_arg *arg, char buf[GRAMMAR_KEY_SIZE])
{
	size_t i;

	if (arg->key)
		return arg->key;
	for (i = 0; arg->word[i] && i < GRAMMAR_KEY_SIZE - 1; i++)
		buf[i] = arg->word[i] == '-' ? '_' : arg->word[i];
	buf[i] = '\0';
	return buf;
}

const struct grammar_block *grammar_type_next(const struct grammar_block *type)
{
	size_t i = 0;

	if (!type)
		return port_types[0];
	while (port_types[i] && port_types[i] != type)
		i++;
	return port_types[i] ? port_types[i + 1] : NULL;
}

const struct grammar_command *grammar_by_method(const char *method)
{
	const struct grammar_command *c;

	for (c = grammar_commands; c->object; c++)
		if (c->method && strcmp(c->method, method) == 0)
			return c;
	return NULL;
}
