/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manual.c - the manual pages, in mdoc(7).
 *
 * A page is prose, a list out of the table, prose.  What a page says of words,
 * ranges and defaults can therefore not be out of date.
 */
#include <errno.h>
#include <string.h>

#include "cli/manual.h"

#define PAGE(title, section, name, what)                                       \
	".Dd November 21, 2026\n.Dt " title " " section                        \
	"\n.Os\n.Sh NAME\n.Nm " name "\n.Nd " what "\n"

/* clang-format off */

static const char swctl_head[] = PAGE("SWCTL", "8", "swctl",
    "administer the Ethernet switch swd")
    ".Sh SYNOPSIS\n.Nm\n.Op Fl jpsdot\n.Op Fl S Ar SOCKET\n"
    ".Ar OBJECT\n.Op Ar COMMAND\n.Op Ar NAME\n"
    ".Op Ar KEY VALUE ...\n"
    ".Nm\n.Op Fl S Ar SOCKET\n.Fl b Ar FILE\n"
    ".Nm\n.Op Ar OBJECT Op Ar COMMAND\n.Cm help\n"
    ".Sh DESCRIPTION\n.Nm\nasks the switch\n.Xr swd 8\n"
    "over its control socket and prints what it answers.\n"
    "Without words it draws the picture: bridges, ports, state, rates.\n"
    ".Pp\n"
    "Objects, commands and keywords may be shortened:\n"
    ".Cm p sh\nis\n.Cm port show .\n"
    "An object alone shows itself.\n"
    "Names are up to 31 of letters, digits, dot, underscore and hyphen;\n"
    "one that reads like a keyword is written after\n.Cm name .\n"
    ".Pp\nThe options are:\n"
    ".Bl -tag -width \"-S SOCKET\"\n"
    ".It Fl j\nJSON: an array of flat objects, an error as an object\n"
    ".Cm error .\n"
    ".It Fl p\nWith\n.Fl j :\none key a line.\n"
    ".It Fl s\nWith counters; of drop reasons, those that are not zero.\n"
    ".It Fl d\nWith everything that is known.\n"
    ".It Fl o\nOne record a line, its lines joined by a backslash.\n"
    ".It Fl t\nEvents with the time.\n"
    ".It Fl b Ar FILE\nRead commands from\n.Ar FILE ,\none a line, - for\n"
    "standard input; stop at the first error and name its line.\n"
    ".It Fl S Ar SOCKET\nThe control socket.\n"
    ".It Fl \\-may\\-exist\nAdding what exists already is no error.\n"
    ".It Fl \\-if\\-exists\nDeleting what does not exist is no error.\n"
    ".It Fl V\nPrint the version.\n"
    ".It Fl h\nPrint the help.\n"
    ".El\n";

static const char swctl_tail[] =
    ".Sh ENVIRONMENT\n.Bl -tag -width SWD_SOCKET\n"
    ".It Ev SWD_SOCKET\nThe control socket where\n.Fl S\ndoes not name it.\n"
    ".It Ev NO_COLOR\nWhere set, a terminal gets no colours.\n.El\n"
    ".Sh FILES\n.Bl -tag -width /etc/swd/swd.conf -compact\n"
    ".It Pa /run/swd/swd.sock\nthe control socket\n"
    ".It Pa /etc/swd/swd.conf\nthe configuration\n.El\n"
    ".Sh WORKERS\nA receive queue belongs to one worker.\n"
    "Queues that have work share its time equally, whatever their frames\n"
    "cost; one found empty is polled for a while and then left until its\n"
    "peer tells of work, and a worker whose queues are all left sleeps.\n"
    ".Pp\nFor how long is the setting\n.Cm spin :\n"
    ".Cm always\npolls for ever, which takes a whole core and answers\n"
    "soonest;\n.Cm never\ntakes the least power;\n.Cm adaptive\n"
    "gives each queue a time of its own, 50 us at first, which doubles up\n"
    "to 200 us when the queue is woken within 100 us, and halves down to\n"
    "6 us when it was left for a millisecond.\n"
    "By default a worker does as all are told, and all adapt.\n"
    ".Pp\nA new queue goes where there are fewest, or, of a port with as\n"
    "many queues as there are workers, one to each.\n"
    ".Ic swctl worker balance\n"
    "shows what each queue has cost since it was asked before, and which\n"
    "should move; with\n.Ic swctl worker set balance on\n"
    "they do so by themselves.\n"
    "No more than eight move at a time, only if the most loaded worker is\n"
    "busy for a fifth of its time and gains as much as the\n"
    ".Cm threshold\nsays, and never one that\n.Ic swctl worker move\n"
    "has put where it is, or off the NUMA node of its card.\n"
    "Each move is told to\n.Ic swctl monitor .\n"
    ".Sh EXIT STATUS\n.Bl -tag -width 3 -compact\n"
    ".It 0\ndone\n.It 1\nthe switch refused\n"
    ".It 2\nthe words were wrong, which was known without asking it\n"
    ".It 3\nthe switch cannot be reached\n.El\n"
    ".Sh EXAMPLES\nConnect a virtual machine and see what to tell QEMU:\n"
    ".Bd -literal -offset indent\n"
    "swctl port add vm1 type vhost-user queues 2\n"
    "swctl port show vm1 --qemu\n.Ed\n.Pp\n"
    "Why frames were dropped:\n"
    ".Dl swctl stats vm1\n.Pp\n"
    "Keep the present state over a restart:\n"
    ".Dl swctl config save\n"
    ".Sh SEE ALSO\n.Xr swd.conf 5 ,\n.Xr swd-api 7 ,\n.Xr bridge 8 ,\n"
    ".Xr swd 8\n";

static const char swd_page[] = PAGE("SWD", "8", "swd",
    "learning Ethernet switch for virtual machines and network cards")
    ".Sh SYNOPSIS\n.Nm\n.Op Fl c Ar FILE\n.Op Fl r Ar RUNDIR\n"
    ".Op Fl S Ar SOCKET\n.Op Fl w Ar CPULIST\n.Op Fl m Ar SIZE\n"
    ".Op Fl l Ar LEVEL\n.Op Fl Vh\n"
    ".Nm\n.Fl \\-takeover\n.Op Fl r Ar RUNDIR\n.Op Fl S Ar SOCKET\n"
    ".Op Fl l Ar LEVEL\n"
    ".Sh DESCRIPTION\n.Nm\njoins virtual machines, network cards, applications and\n"
    "the host into learning Ethernet switches.\n"
    "It stays in the foreground, says to\n.Xr systemd 1\n"
    "when it is ready, and logs to standard error.\n"
    "A bridge called\n.Cm br0\nexists from the start; everything else is\n"
    "done with\n.Xr swctl 8\nor in a configuration file.\n"
    ".Pp\nThe options are:\n.Bl -tag -width \"-S SOCKET\"\n"
    ".It Fl c Ar FILE\nRun the lines of\n.Ar FILE ,\nsee\n.Xr swd.conf 5 .\n"
    ".It Fl r Ar RUNDIR\nWhere sockets are, by default\n.Pa /run/swd .\n"
    ".It Fl S Ar SOCKET\nThe control socket, by default\n"
    ".Pa swd.sock\nin the run directory.\n"
    ".It Fl w Ar CPULIST\nOne worker on each of these cores, such as 1,3-5;\n"
    "by default one, on the last core that the process may use.\n"
    ".It Fl m Ar SIZE\nPacket memory, by default 64M, on huge pages where\n"
    "there are any.\n"
    ".It Fl l Ar LEVEL\nHow much is logged.\n"
    ".It Fl V\nPrint the version.\n"
    ".It Fl h\nPrint the help.\n"
    ".It Fl \\-takeover\nTake the place of the switch that runs, see below.\n"
    ".El\n"
    ".Pp\nFor virtual machines no privilege is needed: any user may run it,\n"
    "in a run directory of his own.\n"
    "Ports of type\n.Cm tap\nneed CAP_NET_ADMIN, those of type\n.Cm xdp\n"
    "CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, and to lock as much memory as\n"
    ".Fl m\nsays.\n"
    "Of more capabilities than these, CAP_IPC_LOCK and CAP_CHOWN,\n.Nm\n"
    "makes no use: it gives them up at its start, root's rights over files\n"
    "of others among them, and keeps these for when a port comes that takes\n"
    "them.  Workers have none.\n"
    "System calls are restricted to those that are used; what makes one that\n"
    "is not fails and is in the kernel's log.\n"
    "A card that is a port is the host's again when\n.Nm\nends, however\n"
    "it ends; the host itself stays connected through a tap.\n"
    ".Sh TAKEOVER\n.Nm\n.Fl \\-takeover\n"
    "is a restart that nobody notices, into a new version for instance.\n"
    "It asks the switch that answers on\n.Ar SOCKET ,\n"
    "of the same user, for everything that it is: configuration, listening\n"
    "sockets, connections and memory of virtual machines, the places in their\n"
    "rings, taps, sockets and program of cards, packet memory, learned\n"
    "addresses, counters.\n"
    "Only when it has all of that ready does the other one stop to forward\n"
    "and, as soon as this one does, end with status 0.\n"
    ".Pp\nIf anything fails on the way the other one goes on, and\n"
    ".Nm\n.Fl \\-takeover\nsays why and ends with status 1.\n"
    ".Pp\nPorts of the types\n.Cm vhost-user , tap\nand\n.Cm xdp\n"
    "are handed over.\n"
    "Other ports are closed by the one and opened anew by the other, which\n"
    "loses frames for some milliseconds, or until their peer is back; it is\n"
    "said which.\n"
    "Connections to the control socket end, the socket itself stays.\n"
    ".Pp\nA service manager that was told of the first by\n.Nm\n"
    "is told of the second too\n.Pq Cm MAINPID= ,\n"
    "which has to be started within the service for that.\n"
    ".Sh FILES\n.Bl -tag -width /run/swd/vhost/NAME -compact\n"
    ".It Pa /run/swd/swd.sock\nthe control socket\n"
    ".It Pa /run/swd/swd.sock.takeover\nwhere the next one asks\n"
    ".It Pa /run/swd/vhost/NAME\nwhere the machine of port NAME connects\n"
    ".It Pa /run/swd/pipe/NAME\nwhere the application of port NAME connects\n"
    ".It Pa /etc/swd/swd.conf\nthe configuration\n.El\n"
    ".Sh ENVIRONMENT\n.Bl -tag -width SWD_STRICT -compact\n"
    ".It Ev SWD_STRICT\nEnd at the first system call that is not listed,\n"
    "for tests.\n.El\n"
    ".Sh EXIT STATUS\n"
    "0 after SIGTERM or SIGINT, when every guest has been released.\n"
    ".Sh SEE ALSO\n.Xr swd.conf 5 ,\n.Xr swd-api 7 ,\n.Xr swctl 8\n";

static const char conf_head[] = PAGE("SWD.CONF", "5", "swd.conf",
    "configuration of the switch swd")
    ".Sh DESCRIPTION\nThe configuration is the list of\n.Xr swctl 8\n"
    "lines that reproduces it, without the name of the program.\n"
    "Words are separated by blanks; quotes of either kind keep blanks in a\n"
    "word, a backslash takes the next character as it is, and a # where a\n"
    "word could begin starts a comment.\n"
    "Keywords may be shortened as on the command line.\n"
    ".Pp\n.Ic swctl config show\nprints the present state,\n"
    ".Ic swctl config save\nwrites it, and\n.Ic swctl config apply\n"
    "goes from the present state to that of a file by the smallest set of\n"
    "changes, all or nothing.\n"
    ".Pp\nThese lines may stand in the file:\n";

static const char conf_tail[] =
    ".Sh EXAMPLES\n.Bd -literal -offset indent\n"
    "# two machines that may not talk to each other, and a router\n"
    "port add router type vhost-user queues 4\n"
    "port add vm1 type vhost-user isolated on rate-in 1gbit\n"
    "port add vm2 type vhost-user isolated on\n"
    "fdb add 52:54:00:00:00:01 port router static\n.Ed\n"
    ".Sh SEE ALSO\n.Xr swctl 8 ,\n.Xr swd 8\n";

static const char api_head[] = PAGE("SWD-API", "7", "swd-api",
    "JSON-RPC interface of the switch swd")
    ".Sh DESCRIPTION\nPrograms talk to\n.Xr swd 8\n"
    "over its control socket, a unix stream socket: one JSON-RPC 2.0 request\n"
    "a line, one reply a line.\n"
    ".Bd -literal -offset indent\n"
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"port.add\",\n"
    " \"params\":{\"name\":\"vm1\",\"type\":\"vhost-user\",\"queues\":2}}\n"
    ".Ed\n.Pp\n"
    "Parameters are an object.\n"
    "Keys are the keywords of\n.Xr swctl 8\nin snake_case; what is left out\n"
    "has its default.\n"
    "Counters are exact integers of 64 bits.\n"
    "Results may gain keys; none is ever renamed.\n"
    ".Ss Errors\nAn error has a sentence in\n.Cm message\nand in\n.Cm data\n"
    "the\n.Cm name\nof an\n.Xr errno 3 ,\na\n.Cm hint\n"
    "where there is a way out, and the offending word as\n.Cm arg .\n"
    ".Ss Events\nAfter\n.Cm monitor.subscribe\n"
    "the switch sends notifications of the method\n.Cm event ,\n"
    "whose parameters are at least\n.Cm time ,\n.Cm object\nand\n"
    ".Cm event .\n"
    ".Sh METHODS\n";

static const char api_tail[] = ".Sh SEE ALSO\n.Xr swctl 8 ,\n.Xr swd 8\n"
			       ".Sh STANDARDS\nJSON-RPC 2.0 Specification.\n";

/* clang-format on */

/* One subsection for each command: its words, its arguments. */
static void print_commands(FILE *f, bool config_only)
{
	const struct grammar_command *c;

	for (c = grammar_commands; c->object; c++) {
		if (config_only && !c->config)
			continue;
		fprintf(f, ".Ss %s%s%s: %s\n", c->object, c->verb[0] ? " " : "",
		    c->verb, c->help);
		manual_synopsis(f, c);
		if (config_only)
			continue;
		/* Rows of the creating command are those of the changing
		 * one, so they are explained once. */
		if (c->changes)
			fputs(".Pp\nThe options are those of\n.Cm add\n"
			      "that can be changed.\n",
			    f);
		else
			manual_arguments(f, c, false);
	}
}

static void print_swctl(FILE *f)
{
	fputs(swctl_head, f);
	fputs(".Sh COMMANDS\n", f);
	print_commands(f, false);
	manual_types(f, false);
	fputs(swctl_tail, f);
}

static void print_swd(FILE *f)
{
	fputs(swd_page, f);
}

static void print_conf(FILE *f)
{
	fputs(conf_head, f);
	print_commands(f, true);
	manual_types(f, false);
	fputs(conf_tail, f);
}

static void print_api(FILE *f)
{
	const struct grammar_command *c;

	fputs(api_head, f);
	for (c = grammar_commands; c->object; c++) {
		if (!c->method)
			continue;
		fprintf(f, ".Ss %s: %s\n", c->method, c->help);
		manual_arguments(f, c, true);
	}
	manual_types(f, true);
	fputs(api_tail, f);
}

int manual_print(FILE *f, const char *name)
{
	static const struct {
		const char *name;
		void (*print)(FILE *f);
	} pages[] = {{"swctl.8", print_swctl}, {"swd.8", print_swd},
	    {"swd.conf.5", print_conf}, {"swd-api.7", print_api}};
	size_t i;

	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(pages[i].name, name) == 0) {
			pages[i].print(f);
			return 0;
		}
	}
	return -ENOENT;
}
