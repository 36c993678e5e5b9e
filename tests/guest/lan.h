/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lan.h - a small network to test: a switch and machines vm1..vmN on br0.
 *
 * Machine i (from 1) has the address 02:00:00:00:00:0i.  A test starts the
 * network, exchanges frames and finishes it; finishing asserts what must be
 * true after every well-behaved test: frames conserved, nothing broken in any
 * ring, canaries intact, the switch ends with status 0.
 *
 * That a frame does not arrive is not awaited: lan_settle() returns when the
 * switch has counted every frame that was sent, and since it counts between
 * batches, what has not arrived then never will.
 *
 * All functions assert (Criterion) that they succeed.  Threads: the test's.
 */
#ifndef TESTS_GUEST_LAN_H
#define TESTS_GUEST_LAN_H

#include "tests/guest/netdev.h"
#include "tests/guest/swd.h"

enum {
	LAN_VMS_MAX = 4,
	LAN_FRAME_MAX = 9216 + 18,
	LAN_WAIT_MS = 2000,
	LAN_ETHERTYPE = 0x88b5, /* local experimental (IEEE 802) */
	LAN_HDR = 14,
};

struct lan {
	struct swd swd;
	unsigned n;
	struct netdev vm[LAN_VMS_MAX + 1]; /* vm[1..n] */
	uint64_t before[LAN_VMS_MAX + 1];  /* sent to an earlier switch */
};

struct lan_mac {
	uint8_t byte[6];
};

extern const struct lan_mac lan_broadcast;

/* The address of machine @i, and an address that nobody has. */
struct lan_mac lan_mac(unsigned i);
struct lan_mac lan_stranger(unsigned i);

/* "02:00:00:00:00:01" of machine @i; static. */
const char *lan_mac_text(unsigned i);

/* Starts a switch with @options (NULL: none), no machine. */
void lan_start_empty(struct lan *l, const char *const options[]);

/* Adds port vm@i with the JSON members @params (", 'mtu': 9000" with ' for ",
 * NULL: none), and the machine on it; config->socket is filled in. */
void lan_add(struct lan *l, unsigned i, const struct netdev_config *config,
    const char *params);

/* The usual beginning: @n equal machines. */
void lan_start(struct lan *l, unsigned n, const struct netdev_config *config,
    const char *params);

/* The usual end; and the end after a failed assertion (a suite's fini). */
void lan_finish(struct lan *l);
void lan_abandon(struct lan *l);

/* Changes port vm@i: lan_set(l, 1, "'flood': false"). */
void lan_set(struct lan *l, unsigned i, const char *params);

/* Makes frame[0..len) from @src to @dst; what follows the header depends on
 * @seed and the position alone. */
void lan_build(uint8_t *frame, uint32_t len, struct lan_mac dst,
    struct lan_mac src, uint32_t seed);

/* The same with an 802.1Q tag of @vid after the addresses. */
void lan_build_tagged(uint8_t *frame, uint32_t len, struct lan_mac dst,
    struct lan_mac src, unsigned vid, uint32_t seed);

/* Sends on pair 0 of machine @i. */
void lan_send(struct lan *l, unsigned i, const uint8_t *frame, uint32_t len);

/* The next frame of machine @i is this one, byte for byte. */
void lan_expect(struct lan *l, unsigned i, const uint8_t *frame, uint32_t len);

/* Everything that was sent has been dealt with. */
void lan_settle(struct lan *l);

/* Machine @i has no frame; after lan_settle(). */
void lan_expect_silence(struct lan *l, unsigned i);

/* Takes whatever machine @i has received and forgets it. */
void lan_discard(struct lan *l, unsigned i);

/* Sends a fresh frame of 60 bytes; which of the machines got it, as a set of
 * bits 1 << i.  Each that did got exactly that frame and no other. */
unsigned lan_probe(
    struct lan *l, unsigned from, struct lan_mac dst, struct lan_mac src);

/* Has machine @i's address learned, by a broadcast that the others take. */
void lan_announce(struct lan *l, unsigned i);

/* Sends a frame from each of the addresses 02:00:xx:xx:xx:xx of [first, first +
 * n) on pair 0 of @vm, as fast as it can, to 02:00:00:00:00:01: if that was
 * learned there, nobody gets any. */
void lan_teach(struct netdev *vm, unsigned first, unsigned n);

/* A frame each way between machines 1 and 2, known unicast or flooded. */
void lan_both_ways(struct lan *l);

/* Whether vm@i's port is where @mac was learned (@i 0: it is nowhere). */
bool lan_knows(struct lan *l, const char *mac, unsigned vlan, unsigned i);

#endif
