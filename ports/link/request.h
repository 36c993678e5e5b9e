/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request.h - one question to the kernel by netlink, and its answers.
 *
 *	init ──► mnl_attr_put_*(&r.head, ...) ──► run
 *
 * A question brings its own socket, so an answer that comes late has nowhere
 * to arrive.  Replies are read until the kernel says that it is done.
 *
 * Threads: any.  The kernel works inside of the system calls; where it says
 * nothing at all, run() gives up after two seconds.
 * Ownership: a struct link_request is the caller's stack.
 */
#ifndef PORTS_LINK_REQUEST_H
#define PORTS_LINK_REQUEST_H

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LINK_REQUEST_SIZE = 1024,
	LINK_REPLY_SIZE = 32768, /* what the kernel puts into one message */
	LINK_WORDS_SIZE = 160,
};

struct link_request {
	union {
		struct nlmsghdr head;
		uint8_t bytes[LINK_REQUEST_SIZE];
	};
	char words[LINK_WORDS_SIZE]; /* why run() failed, for a sentence */
};

/* Starts a message of @type with the family's header fixed[0..size). */
void link_request_init(struct link_request *r, uint16_t type, uint16_t flags,
    const void *fixed, size_t size);

/* Asks on @bus (NETLINK_ROUTE, NETLINK_GENERIC) and calls @each, which may be
 * NULL, for every message of the answer; more than once for the same message
 * of a dump that had to be begun again.  Returns 0 or -errno; the reason, in
 * the kernel's own words where it has any, is then in r->words. */
int link_request_run(struct link_request *r, int bus, mnl_cb_t each, void *arg);

/* Attributes by their number.  types[i] is the mnl_attr_data_type of number i;
 * those of number @n and above, of type 0, and those whose length does not
 * fit their type are left out: NULL in tb[0..n). */
void link_attrs_sort(const void *payload, size_t size, const uint8_t types[],
    const struct nlattr *tb[], unsigned n);

/* As above, for those inside of @nest, which has passed as MNL_TYPE_NESTED. */
void link_attrs_nested(const struct nlattr *nest, const uint8_t types[],
    const struct nlattr *tb[], unsigned n);

/* As above, for those of message @m after a header of @fixed bytes; -EBADMSG
 * if it is shorter than that. */
int link_attrs_of(const struct nlmsghdr *m, size_t fixed, const uint8_t types[],
    const struct nlattr *tb[], unsigned n);

/* The nest inside of @list that follows @last, NULL: the first one.  NULL at
 * the end, or at what is no nest. */
const struct nlattr *link_attrs_next(
    const struct nlattr *list, const struct nlattr *last);

/* The number in @a, which has passed as MNL_TYPE_U32; 0 without one. */
uint32_t link_attr_u32(const struct nlattr *a);

#endif
