/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_soak.c - a worker that is busy, and every now and then somebody hostile.
 *
 * Generated traffic, as much as keeps the worker busy for LOAD per cent of its
 * time, floods port evil; there, and at the control socket, one misdeed follows
 * another by chance.  After each the same process lives and no frame is
 * missing; in the end nothing has grown, and the bystanders lost nothing.
 * What was done and what the switch holds is printed once a minute.
 *
 * $SWD_SOAK is how many seconds it takes (3, after each misdeed was done once);
 * $SWD_SEED is the chance.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "switch/base/clock.h"
#include "tests/guest/hostile.h"
#include "tests/guest/lan.h"

enum {
	LOAD = 80,
	PPS = 100000, /* generated at first */
	PPS_MAX = 20000000,
	FRAME = 512,   /* bytes generated */
	LOOK_MS = 300, /* to see how busy the worker is */
	LOOKS = 4,
	MINUTE_MS = 60000,
	SECONDS = 3,
	GROWTH_KIB = 4096,
	KICKS = 20000,
	LEARNED = 5000,
	ROUNDS = 30,
	LINES_EACH = 12, /* of the log, for a misdeed */
};

static struct hostile h;
static uint64_t rng;

static void abandon(void)
{
	hostile_abandon(&h);
}

TestSuite(soak, .fini = abandon);

static uint32_t any(uint32_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 32) % below;
}

static void fill_at_random(void *at, size_t size)
{
	for (uint8_t *p = at; size; size--)
		*p++ = (uint8_t)any(256);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void must(const char *method, const char *params)
{
	cr_assert_eq(swd_do(&h.swd, method, "%s", params), 0);
}

/* The hostile machine, with rings of either format. */
static void open_with(struct netdev_config config)
{
	config.rings = any(2) ? NETDEV_RINGS_SPLIT : NETDEV_RINGS_PACKED;
	hostile_open(&h, &config);
}

static void open_usual(void)
{
	open_with((struct netdev_config){0});
}

/* --- misdeeds --- */

static void kick(void)
{
	open_usual();
	for (unsigned i = 0; i < KICKS; i++)
		guest_vring_kick_always(netdev_tx_ring(&h.vm, 0));
}

static void never_refill(void)
{
	open_with((struct netdev_config){.rx_empty = true});
	pause_ms(50);
}

static void flood_addresses(void)
{
	open_usual();
	lan_teach(&h.vm, any(1u << 24), LEARNED);
	netdev_drain_tx(&h.vm, 0, 2000);
}

static void send_noise(void)
{
	uint8_t noise[512];

	hostile_connect(&h);
	fill_at_random(noise, sizeof(noise));
	frontend_send_raw(&h.vm.fe, noise, 1 + any(sizeof(noise)), NULL, 0);
}

/* Requests that exist, with contents that make no sense. */
static void send_nonsense(void)
{
	uint8_t noise[64];
	int fd[2] = {eventfd(0, 0), eventfd(0, 0)};

	hostile_connect(&h);
	frontend_negotiate(&h.vm.fe, NETDEV_FEATURES, NETDEV_PROTOCOL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		fill_at_random(noise, sizeof(noise));
		if (any(2))
			memset(noise + 1, 0, 7); /* a small index, at least */
		if (frontend_send(&h.vm.fe, 1 + any(42), VU_VERSION, noise,
			8 * any(9), fd, any(3)))
			break;
	}
	close(fd[0]);
	close(fd[1]);
}

/* Noise in place of descriptors and indices. */
static void spoil_ring(void)
{
	struct guest_vring *tx;
	uint8_t *at;

	open_usual();
	tx = netdev_tx_ring(&h.vm, 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t gpa = any(2) ? tx->desc_gpa : tx->avail_gpa;

		at = guest_memory_at(&h.vm.mem, gpa, 256);
		fill_at_random(at + any(248), 1 + any(8));
		guest_vring_kick_always(tx);
	}
}

static void shrink_memory(void)
{
	const struct guest_region *r = &h.vm.mem.region[0];

	open_with((struct netdev_config){.memory_flags = GUEST_UNSEALABLE});
	cr_assert_eq(ftruncate(r->fd, 0), 0);
	guest_vring_kick_always(netdev_tx_ring(&h.vm, 0));
	pause_ms(20);
	/* Who takes the machine apart looks into its memory. */
	cr_assert_eq(ftruncate(r->fd, (off_t)r->map_size), 0);
}

static void replace_memory(void)
{
	open_usual();
	for (unsigned i = 0; i < ROUNDS; i++)
		cr_assert_eq(frontend_set_mem_table(&h.vm.fe, &h.vm.mem), 0);
}

static void remake_port(void)
{
	open_usual();
	must("port.del", "{'name':'evil'}");
	hostile_leave(&h);
	must("port.add", "{'name':'evil','type':'vhost-user','queues':2,"
			 "'bridge':'other'}");
}

static void move_workers(void)
{
	must("worker.add", "{'cpu':0}");
	must("worker.move", "{'port':'load','worker':1}");
	must("worker.del", "{'id':1}");
}

static void ask_and_not_read(void)
{
	static const char ask[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"fdb.show\"}\n";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%.60s/swd.sock", h.swd.dir);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	while (send(fd, ask, sizeof(ask) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	pause_ms(20);
	close(fd);
}

static void flush(void)
{
	must("fdb.flush", "{'bridge':'other'}");
}

static void (*const misdeeds[])(void) = {open_usual, kick, never_refill,
    flood_addresses, send_noise, send_nonsense, spoil_ring, shrink_memory,
    replace_memory, remake_port, move_workers, ask_and_not_read, flush};

enum { N_MISDEEDS = sizeof(misdeeds) / sizeof(misdeeds[0]) };

static void commit(unsigned which)
{
	misdeeds[which]();
	hostile_leave(&h);
	cr_assert(swd_alive(&h.swd), "misdeed %u", which);
	cr_assert(hostile_conserved(&h), "frames are missing: %u", which);
}

/* --- the load --- */

static double busy(void)
{
	struct json_object *all = swd_call(&h.swd, "worker.show", NULL);
	struct json_object *v = NULL;
	double part;

	cr_assert_eq(json_pointer_get(all, "/0/busy", &v), 0);
	part = json_object_get_double(v);
	json_object_put(all);
	return part;
}

static void generate(unsigned pps)
{
	cr_assert_eq(
	    swd_do(&h.swd, "port.set", "{'name':'load','generate':%u}", pps),
	    0);
}

/* Generates what keeps the worker busy for LOAD per cent. */
static unsigned set_load(void)
{
	double pps = PPS;

	for (unsigned i = 0; i < LOOKS; i++) {
		double part;

		generate((unsigned)pps);
		busy();
		pause_ms(LOOK_MS);
		part = busy();
		cr_assert_gt(part, 0);
		pps *= LOAD / 100.0 / part;
		pps = pps < PPS_MAX ? pps : PPS_MAX;
	}
	generate((unsigned)pps);
	return (unsigned)pps;
}

static void start(void)
{
	const char *seed = getenv("SWD_SEED");

	rng = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	printf("soak: SWD_SEED=%" PRIu64 "\n", rng);
	rng = rng * UINT64_C(0x9e3779b97f4a7c15) | 1;
	hostile_start(&h);
	cr_assert_eq(swd_do(&h.swd, "port.add",
			 "{'name':'load','type':'null','bridge':'other',"
			 "'generate':%u,'size':%u}",
			 PPS, FRAME),
	    0);
}

static void print_minute(uint64_t ms, uint64_t n)
{
	printf("soak: %6.1f min, %8" PRIu64 " misdeeds, %" PRIu64
	       " frames, busy %2.0f %%, %u descriptors, %u mappings, %" PRIu64
	       " KiB\n",
	    (double)ms / MINUTE_MS, n,
	    swd_counter(&h.swd, "load", "rx_packets"), busy() * 100,
	    swd_n_fds(&h.swd), swd_n_maps(&h.swd), swd_rss_kib(&h.swd));
	fflush(stdout);
}

Test(soak, misdeeds_at_random)
{
	const char *text = getenv("SWD_SOAK");
	uint64_t seconds = text ? strtoull(text, NULL, 10) : SECONDS;
	uint64_t since, now, told, rss, n = 0;

	start();
	printf("soak: %u frames a second\n", set_load());
	for (unsigned i = 0; i < 2 * N_MISDEEDS; i++)
		commit(i % N_MISDEEDS);
	h.log_lines += 2 * N_MISDEEDS * LINES_EACH;
	h.stalls = UINT32_MAX; /* of a machine that has more to do than cores */
	h.maps = swd_n_maps(&h.swd); /* a second worker has been there */
	rss = swd_rss_kib(&h.swd);
	since = told = clock_ms();
	for (now = since; now - since < seconds * 1000; now = clock_ms()) {
		commit(any(N_MISDEEDS));
		n++;
		h.log_lines += LINES_EACH;
		if (now - told < MINUTE_MS)
			continue;
		told = now;
		print_minute(now - since, n);
	}
	print_minute(now - since, n);
	cr_expect_leq(swd_rss_kib(&h.swd), rss + GROWTH_KIB);
	generate(0);
	must("port.del", "{'name':'load'}");
	hostile_finish(&h);
	printf("soak: bystanders: %" PRIu64 " sent, %" PRIu64 " lost, %" PRIu64
	       " later than %d ms, p99.9 %.1f ms, longest %.1f ms\n",
	    h.report.sent, h.report.lost, h.report.stalls, BYSTANDER_STALL_MS,
	    (double)h.report.p999_ns / 1e6, (double)h.report.max_ns / 1e6);
}
