/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swd.c - the daemon: options, start, loop, end.
 *
 * Stays in the foreground, tells the service manager when it is ready, and
 * ends on SIGTERM or SIGINT after every guest was released.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "cli/grammar.h"
#include "ports/peer/guard.h"
#include "switch/base/log.h"
#include "switch/control/config.h"
#include "switch/control/control.h"
#include "switch/sandbox.h"
#include "switch/switch.h"
#include "switch/takeover.h"
#include "switch/version.h"

enum { TAKEOVER = 256 }; /* an option without a letter */

static const size_t POOL_DEFAULT = 64u << 20, POOL_MIN = 1u << 20;

struct options {
	const char *config, *rundir, *socket, *cpus;
	size_t pool_size; /* 0: the default */
	bool takeover;
};

static const char usage[] =
    "usage: swd [-c FILE] [-r RUNDIR] [-S SOCKET] [-w CPULIST] [-m SIZE]\n"
    "           [-l LEVEL] [-V] [-h]\n"
    "       swd --takeover [-r RUNDIR] [-S SOCKET] [-l LEVEL]\n"
    "\n"
    "  -c FILE     run the lines of FILE at start\n"
    "  -r RUNDIR   run directory (default /run/swd)\n"
    "  -S SOCKET   control socket (default RUNDIR/swd.sock)\n"
    "  -w CPULIST  one worker for each core, as in 1,3-5 (default: the last)\n"
    "  -m SIZE     packet memory (default 64M)\n"
    "  -l LEVEL    error, warning, notice, info, debug (default info)\n"
    "  -V          version\n"
    "  -h          this help\n"
    "  --takeover  take the place of the switch that answers on SOCKET\n";

static int parse_size(const char *text, size_t *size)
{
	static const char units[] = "kmg";
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end | 0x20) : NULL;

	if (end == text || *text == '-' || (*end && (!unit || end[1])))
		return -EINVAL;
	if (unit)
		n <<= 10 * (unit - units + 1);
	*size = n;
	return n >= POOL_MIN && n <= (1ull << 40) ? 0 : -EINVAL;
}

static int wrong_words(const char *what, const char *value)
{
	fprintf(stderr, "swd: %s '%s'\n%s", what, value, usage);
	return 2;
}

/* Who takes a place takes it as it is. */
static int check_options(const struct options *o)
{
	const char *letter = o->config	    ? "-c"
			     : o->cpus	    ? "-w"
			     : o->pool_size ? "-m"
					    : NULL;

	return o->takeover && letter
		   ? wrong_words("--takeover leaves no choice about", letter)
		   : -1;
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char *argv[], struct options *o)
{
	static const struct option names[] = {
	    {"takeover", no_argument, NULL, TAKEOVER}, {0}};
	int c, level;

	while ((c = getopt_long(argc, argv, "c:r:S:w:m:l:Vh", names, NULL)) !=
	       -1) {
		switch (c) {
		case TAKEOVER:
			o->takeover = true;
			break;
		case 'c':
			o->config = optarg;
			break;
		case 'r':
			o->rundir = optarg;
			break;
		case 'S':
			o->socket = optarg;
			break;
		case 'w':
			o->cpus = optarg;
			break;
		case 'm':
			if (parse_size(optarg, &o->pool_size))
				return wrong_words("no such size", optarg);
			break;
		case 'l':
			level = log_level_parse(optarg);
			if (level < 0)
				return wrong_words("no such level", optarg);
			log_set_level((enum log_level)level);
			break;
		case 'V':
			puts("swd " SWITCH_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc)
		return wrong_words("unexpected word", argv[optind]);
	return check_options(o);
}

static int make_directory(const char *path, struct err *e)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		return err_set(e, -errno, "cannot make directory %s: %m", path);
	return 0;
}

static int prepare_rundir(const char *rundir, struct err *e)
{
	static const char *const kinds[] = {"vhost", "pipe"};
	char path[512];
	int rc = make_directory(rundir, e);

	for (unsigned i = 0; !rc && i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(path, sizeof(path), "%s/%s", rundir, kinds[i]);
		rc = make_directory(path, e);
	}
	return rc;
}

/* Every guest costs a handful of descriptors; take what we may have.  And a
 * card locks memory: more than an ordinary user may. */
static void raise_limits(void)
{
	struct rlimit limit;

	setrlimit(
	    RLIMIT_MEMLOCK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warning("cannot raise the limit of open files: %m");
}

static int on_signal(sd_event_source *source,
    const struct signalfd_siginfo *info, void *userdata)
{
	(void)userdata;
	log_info("ending on signal %u", info->ssi_signo);
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int open_loop(sd_event **event, struct err *e)
{
	sigset_t set;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL); /* inherited by the workers */
	rc = sd_event_new(event);
	if (rc >= 0)
		rc =
		    sd_event_add_signal(*event, NULL, SIGTERM, on_signal, NULL);
	if (rc >= 0)
		rc = sd_event_add_signal(*event, NULL, SIGINT, on_signal, NULL);
	if (rc >= 0)
		sd_event_set_watchdog(*event, true);
	return rc < 0 ? err_set(e, rc, "event loop: %s", strerror(-rc)) : 0;
}

/* Becomes the switch of that configuration, or the one that runs. */
static int start(struct control **control, struct sw *sw,
    struct succession *succession, const struct options *o, struct err *e)
{
	int rc;

	if (succession) {
		rc = succession_prepare(succession, sw, control, e);
		return rc ? rc : succession_complete(succession, sw, e);
	}
	rc = control_open(control, sw, o->socket, e);
	return rc || !o->config ? rc : config_load(sw, o->config, e);
}

static int serve(sd_event *event, struct sw *sw, struct control *control,
    struct succession *succession, struct err *e)
{
	struct leaver *leaver = NULL;
	int rc = leaver_open(&leaver, sw, control, succession, e);

	succession_close(succession);
	if (rc)
		log_warning("nobody will be able to take over: %s", e->message);
	sd_notify(0, "READY=1");
	log_info("ready, control socket %s", control_listener(control)->path);
	rc = sd_event_loop(event);
	sd_notify(0, "STOPPING=1");
	if (rc < 0)
		err_set(e, rc, "event loop: %s", strerror(-rc));
	leaver_close(leaver);
	return rc;
}

static void complain(const struct err *e)
{
	log_err("%s", e->message);
	if (e->hint[0])
		log_err("Hint: %s", e->hint);
}

static int run_switch(const struct options *o, struct succession *succession,
    sd_event *event, struct err *e)
{
	struct switch_options so = {.rundir = o->rundir,
	    .cpus = o->cpus,
	    .pool_size = o->pool_size ? o->pool_size : POOL_DEFAULT,
	    .succession = succession};
	struct control *control = NULL;
	struct sw *sw = NULL;
	int rc = switch_open(&sw, event, &so, e);

	if (!rc)
		rc = start(&control, sw, succession, o, e);
	if (rc && succession) {
		complain(e);
		_exit(1); /* the other one goes on with what we have */
	}
	if (!rc)
		rc = serve(event, sw, control, succession, e);
	control_close(control);
	switch_close(sw);
	return rc;
}

static int run(const struct options *o, struct err *e)
{
	struct succession *succession = NULL;
	sd_event *event = NULL;
	int rc = sandbox_enter(e);

	if (!rc)
		rc = prepare_rundir(o->rundir, e);
	if (!rc)
		rc = guard_install(e);
	if (!rc && o->takeover)
		rc = succession_ask(&succession, o->socket, o->rundir, e);
	if (!rc)
		rc = open_loop(&event, e);
	if (!rc)
		rc = run_switch(o, succession, event, e);
	sd_event_unref(event);
	return rc;
}

int main(int argc, char *argv[])
{
	struct options o = {.rundir = "/run/swd"};
	char socket_path[512];
	struct err e = {0};
	int rc = parse_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	if (!o.socket) {
		snprintf(
		    socket_path, sizeof(socket_path), "%s/swd.sock", o.rundir);
		o.socket = socket_path;
	}
	raise_limits();
	rc = run(&o, &e);
	if (rc == -EACCES && !e.hint[0] && !geteuid())
		err_hint(&e,
		    "root's swd has no right to files of others, either: "
		    "start it as the user whose they are");
	if (rc)
		complain(&e);
	return rc ? 1 : 0;
}
