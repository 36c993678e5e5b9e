/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swd.h - the switch under test: a child process, its control socket, /proc.
 *
 * The binary is $SWD, else build/swd.  Each instance has a run directory of
 * its own under $TMPDIR, else /tmp; its log is DIR/swd.log and is printed when
 * the switch does not end as it should.
 *
 * Life: start, calls, then stop (SIGTERM, checked) or kill (SIGKILL); after a
 * kill, respawn brings it back in the same directory; fini removes that.  A
 * switch whose test dies is killed by the kernel.
 *
 * Threads: start and stop on the thread that lives longest; calls one at a
 * time.  The /proc readers may be called by any.
 * Ownership: every json_object returned is the caller's (json_object_put),
 * except @error.  Every wait is bounded.
 */
#ifndef TESTS_GUEST_SWD_H
#define TESTS_GUEST_SWD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SWD_OPTIONS_MAX = 16, SWD_WAIT_MS = 3000 };

struct swd {
	pid_t pid; /* 0: not running */
	char dir[64];
	const char *option[SWD_OPTIONS_MAX + 1];
	int control;		   /* connection, or -1 */
	uint64_t id;		   /* of the last request */
	struct json_object *error; /* of the last call that failed, or NULL */
};

/* Starts the switch with the options[0..] that a NULL ends (NULL: none), and
 * returns when it accepts control connections.  0, or -errno (-ECHILD: it
 * ended at once) with its log on stderr. */
int swd_start(struct swd *s, const char *const options[]);

/* Starts it again after swd_kill() or swd_stop(). */
int swd_respawn(struct swd *s);

/* Starts another one that is to take over; its pid, or -errno.  Once the first
 * one has ended, which is asked without waiting, @s is the other one. */
pid_t swd_start_successor(const struct swd *s);
bool swd_is_succeeded(struct swd *s, pid_t by);

/* Asks it to end.  0 if it did, with status 0; else -EPROTO with its log on
 * stderr, or -ETIMEDOUT after which it is killed. */
int swd_stop(struct swd *s);

/* SIGKILL, and waits for its end. */
void swd_kill(struct swd *s);

/* Kills it if it still runs, prints its log if it had died by itself, and
 * removes the run directory. */
void swd_fini(struct swd *s);

/* Whether it is the same process and not a zombie. */
bool swd_alive(const struct swd *s);

/* DIR/vhost/@port into path[0..size). */
void swd_socket(const struct swd *s, const char *port, char *path, size_t size);

/* One JSON-RPC request; @params is JSON text or NULL.  Returns the result, or
 * NULL with s->error set to the error object (NULL: no answer came). */
struct json_object *swd_call(
    struct swd *s, const char *method, const char *params);

/* The same for requests whose result does not matter, with @params formatted
 * in printf's way and ' standing for ".  0, -EREMOTEIO refused, -EIO no answer;
 * says on stderr what was refused. */
int swd_do(struct swd *s, const char *method, const char *params, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of @key, as a string, in the last error; "" if there is none. */
const char *swd_error(const struct swd *s, const char *key);

/* What `port show` with counters gives for @port; NULL if it is unknown. */
struct json_object *swd_port(struct swd *s, const char *port);

/* A counter of @port ("rx_packets"), and a reason of its drops; 0 if absent. */
uint64_t swd_counter(struct swd *s, const char *port, const char *key);
uint64_t swd_drops(struct swd *s, const char *port, const char *reason);

/* Waits until a counter or drop reason reaches @value, or a state is shown. */
bool swd_await_counter(
    struct swd *s, const char *port, const char *key, uint64_t value);
bool swd_await_drops(
    struct swd *s, const char *port, const char *reason, uint64_t value);
bool swd_await_state(struct swd *s, const char *port, const char *state);

/* Whether, over the ports of each bridge, rx_packets + flooded equals
 * tx_packets + drops; says on stderr what does not add up. */
bool swd_conserved(struct swd *s);

/* The port that @mac (lower case) is behind in br0's VLAN @vlan (0: any) into
 * port[0..32).  False: there is no such entry. */
bool swd_fdb_lookup(
    struct swd *s, const char *mac, unsigned vlan, char port[32]);

/* From /proc: open descriptors, mappings, KiB of its own memory, CPU time used, and
 * time that its threads were ready to run but did not get a CPU.  Mappings and
 * memory are 0 where $SWD_SANITIZED is set: the switch is not alone there. */
unsigned swd_n_fds(const struct swd *s);
unsigned swd_n_maps(const struct swd *s);
uint64_t swd_rss_kib(const struct swd *s);
uint64_t swd_cpu_ms(const struct swd *s);
uint64_t swd_run_delay_ns(const struct swd *s);

#endif
