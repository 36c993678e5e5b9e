/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lan.c - a small network to test: a switch and machines vm1..vmN on br0.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/guest/lan.h"

const struct lan_mac lan_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct lan_mac lan_mac(unsigned i)
{
	return (struct lan_mac){{2, 0, 0, 0, 0, (uint8_t)i}};
}

struct lan_mac lan_stranger(unsigned i)
{
	return (struct lan_mac){{2, 0xee, 0, 0, (uint8_t)(i >> 8), (uint8_t)i}};
}

const char *lan_mac_text(unsigned i)
{
	static char text[4][18];
	char *t = text[i & 3];

	snprintf(t, sizeof(text[0]), "02:00:00:00:00:%02x", i & 0xff);
	return t;
}

void lan_start_empty(struct lan *l, const char *const options[])
{
	int err;

	l->n = 0;
	memset(l->before, 0, sizeof(l->before));
	err = swd_start(&l->swd, options);
	cr_assert_eq(err, 0, "swd does not start: %s", strerror(-err));
}

void lan_add(struct lan *l, unsigned i, const struct netdev_config *config,
    const char *params)
{
	struct netdev_config c = *config;
	char name[8], path[108];
	int err;

	snprintf(name, sizeof(name), "vm%u", i);
	swd_socket(&l->swd, name, path, sizeof(path));
	c.socket = path;
	err = netdev_create(&l->vm[i], &c);
	cr_assert_eq(err, 0, "memory of %s: %s", name, strerror(-err));
	l->n = i;
	err = swd_do(&l->swd, "port.add",
	    "{'name':'%s','type':'vhost-user','queues':%u%s}", name,
	    c.pairs ? c.pairs : 1, params ? params : "");
	cr_assert_eq(err, 0, "port.add %s is refused", name);
	err = netdev_connect(&l->vm[i]);
	cr_assert_eq(err, 0, "%s connects: %s", name, strerror(-err));
	err = netdev_start(&l->vm[i]);
	cr_assert_eq(err, 0, "%s starts: %s", name, strerror(-err));
	cr_assert(swd_await_state(&l->swd, name, "up"));
}

void lan_start(struct lan *l, unsigned n, const struct netdev_config *config,
    const char *params)
{
	static const struct netdev_config usual;

	lan_start_empty(l, NULL);
	for (unsigned i = 1; i <= n; i++)
		lan_add(l, i, config ? config : &usual, params);
}

void lan_finish(struct lan *l)
{
	cr_expect(swd_conserved(&l->swd), "frames are not conserved");
	for (unsigned i = 1; i <= l->n; i++) {
		const struct netdev_faults *f = &l->vm[i].faults;

		cr_expect(netdev_faultless(&l->vm[i]),
		    "vm%u: tx_written %ju rx_short %ju long %ju past_end %ju "
		    "header %ju missing %ju canaries %d",
		    i, (uintmax_t)f->tx_written, (uintmax_t)f->rx_short,
		    (uintmax_t)f->rx_long, (uintmax_t)f->rx_past_end,
		    (uintmax_t)f->rx_header, (uintmax_t)f->rx_missing,
		    guest_memory_canaries_intact(&l->vm[i].mem));
	}
	cr_expect_eq(swd_stop(&l->swd), 0, "swd does not end well");
	lan_abandon(l);
}

void lan_abandon(struct lan *l)
{
	for (unsigned i = 1; i <= l->n; i++)
		netdev_close(&l->vm[i]);
	l->n = 0;
	swd_fini(&l->swd);
}

void lan_set(struct lan *l, unsigned i, const char *params)
{
	int err = swd_do(&l->swd, "port.set", "{'name':'vm%u',%s}", i, params);

	cr_assert_eq(err, 0, "port.set vm%u %s is refused", i, params);
}

/* Fills frame[from..len) with bytes that tell positions and seeds apart. */
static void fill(uint8_t *frame, uint32_t from, uint32_t len, uint32_t seed)
{
	uint32_t x = seed * 2654435761u + 12345;

	for (uint32_t i = from; i < len; i++) {
		x = x * 1664525u + 1013904223u;
		frame[i] = (uint8_t)(x >> 24);
	}
}

void lan_build(uint8_t *frame, uint32_t len, struct lan_mac dst,
    struct lan_mac src, uint32_t seed)
{
	memcpy(frame, dst.byte, 6);
	memcpy(frame + 6, src.byte, 6);
	frame[12] = LAN_ETHERTYPE >> 8;
	frame[13] = LAN_ETHERTYPE & 0xff;
	fill(frame, LAN_HDR, len, seed);
}

void lan_build_tagged(uint8_t *frame, uint32_t len, struct lan_mac dst,
    struct lan_mac src, unsigned vid, uint32_t seed)
{
	lan_build(frame, len - 4, dst, src, seed);
	memmove(frame + 16, frame + 12, len - 16);
	frame[12] = 0x81;
	frame[13] = 0x00;
	frame[14] = (uint8_t)(vid >> 8);
	frame[15] = (uint8_t)vid;
}

void lan_send(struct lan *l, unsigned i, const uint8_t *frame, uint32_t len)
{
	int err = netdev_send(&l->vm[i], 0, frame, len, NULL);

	cr_assert_eq(err, 0, "vm%u sends %u bytes: %s", i, len, strerror(-err));
}

void lan_expect(struct lan *l, unsigned i, const uint8_t *frame, uint32_t len)
{
	static uint8_t got[LAN_FRAME_MAX];
	int n = netdev_recv_any(&l->vm[i], got, sizeof(got), LAN_WAIT_MS);

	cr_assert_geq(n, 0, "vm%u expects %u bytes: %s", i, len, strerror(-n));
	cr_assert_eq(
	    (uint32_t)n, len, "vm%u expects %u bytes, gets %d", i, len, n);
	for (uint32_t k = 0; k < len; k++)
		cr_assert_eq(got[k], frame[k],
		    "vm%u: byte %u of %u is %02x, not %02x", i, k, len, got[k],
		    frame[k]);
}

void lan_settle(struct lan *l)
{
	for (unsigned i = 1; i <= l->n; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vm%u", i);
		cr_assert(swd_await_counter(&l->swd, name, "rx_packets",
		    l->vm[i].n_sent - l->before[i]));
	}
}

void lan_expect_silence(struct lan *l, unsigned i)
{
	uint8_t got[LAN_FRAME_MAX];
	int n = netdev_recv_any(&l->vm[i], got, sizeof(got), 0);

	cr_assert_eq(n, -ETIMEDOUT,
	    "vm%u gets a frame of %d bytes to ..:%02x from ..:%02x", i, n,
	    got[5], got[11]);
}

void lan_discard(struct lan *l, unsigned i)
{
	uint8_t got[LAN_FRAME_MAX];

	while (netdev_recv_any(&l->vm[i], got, sizeof(got), 0) != -ETIMEDOUT)
		;
}

unsigned lan_probe(
    struct lan *l, unsigned from, struct lan_mac dst, struct lan_mac src)
{
	static uint32_t seed;
	uint8_t frame[60], got[LAN_FRAME_MAX];
	unsigned to = 0;

	lan_build(frame, sizeof(frame), dst, src, ++seed);
	lan_send(l, from, frame, sizeof(frame));
	lan_settle(l);
	for (unsigned i = 1; i <= l->n; i++) {
		int n = netdev_recv_any(&l->vm[i], got, sizeof(got), 0);

		if (n == -ETIMEDOUT)
			continue;
		cr_assert_eq(n, sizeof(frame), "vm%u gets %d bytes", i, n);
		cr_assert_arr_eq(got, frame, sizeof(frame));
		lan_expect_silence(l, i);
		to |= 1u << i;
	}
	return to;
}

void lan_announce(struct lan *l, unsigned i)
{
	unsigned others = ((2u << l->n) - 2) & ~(1u << i);

	cr_assert_eq(lan_probe(l, i, lan_broadcast, lan_mac(i)), others,
	    "the broadcast of vm%u does not reach all others", i);
}

void lan_teach(struct netdev *vm, unsigned first, unsigned n)
{
	uint8_t frame[60];
	const struct lan_mac dst = lan_mac(1);

	for (unsigned i = first; i < first + n; i++) {
		const struct lan_mac src = {{2, 0, (uint8_t)(i >> 24),
		    (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};

		lan_build(frame, sizeof(frame), dst, src, 0);
		while (netdev_queue_frame(
		    vm, 0, frame, sizeof(frame), NULL, NULL)) {
			netdev_flush(vm, 0);
			netdev_reap_tx(vm, 0);
		}
	}
	netdev_flush(vm, 0);
}

void lan_both_ways(struct lan *l)
{
	static uint32_t seed;
	uint8_t frame[99];

	lan_build(frame, sizeof(frame), lan_mac(2), lan_mac(1), ++seed);
	lan_send(l, 1, frame, sizeof(frame));
	lan_expect(l, 2, frame, sizeof(frame));
	lan_build(frame, sizeof(frame), lan_mac(1), lan_mac(2), ++seed);
	lan_send(l, 2, frame, sizeof(frame));
	lan_expect(l, 1, frame, sizeof(frame));
}

bool lan_knows(struct lan *l, const char *mac, unsigned vlan, unsigned i)
{
	char port[32], name[8];

	if (!swd_fdb_lookup(&l->swd, mac, vlan, port))
		return i == 0;
	snprintf(name, sizeof(name), "vm%u", i);
	return strcmp(port, name) == 0;
}
