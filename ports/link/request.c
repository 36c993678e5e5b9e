/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request.c - one question to the kernel by netlink, and its answers.
 *
 * Every request asks for an acknowledgement, so that there is one rule for
 * the end of the answer: NLMSG_ERROR, whose code 0 means success, or for a
 * dump NLMSG_DONE.  Both carry the kernel's sentence (extended ack).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "ports/link/request.h"
#include "switch/base/privilege.h"

enum { TIMEOUT_S = 2, TRIES = 5 };

/* An answer being read. */
struct answer {
	struct link_request *request;
	mnl_cb_t each;
	void *arg;
	int rc; /* the verdict at its end */
};

void link_request_init(struct link_request *r, uint16_t type, uint16_t flags,
    const void *fixed, size_t size)
{
	r->words[0] = '\0';
	mnl_nlmsg_put_header(r->bytes);
	r->head.nlmsg_type = type;
	r->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	r->head.nlmsg_seq = 1;
	memcpy(mnl_nlmsg_put_extra_header(&r->head, size), fixed, size);
}

void link_attrs_sort(const void *payload, size_t size, const uint8_t types[],
    const struct nlattr *tb[], unsigned n)
{
	const char *end = (const char *)payload + size;
	const struct nlattr *a;

	memset(tb, 0, n * sizeof(tb[0]));
	for (a = payload; mnl_attr_ok(a, (int)(end - (const char *)a));
	     a = mnl_attr_next(a)) {
		unsigned type = mnl_attr_get_type(a);

		if (type < n && types[type] != MNL_TYPE_UNSPEC &&
		    mnl_attr_validate(a, types[type]) == 0)
			tb[type] = a;
	}
}

void link_attrs_nested(const struct nlattr *nest, const uint8_t types[],
    const struct nlattr *tb[], unsigned n)
{
	link_attrs_sort(mnl_attr_get_payload(nest),
	    mnl_attr_get_payload_len(nest), types, tb, n);
}

int link_attrs_of(const struct nlmsghdr *m, size_t fixed, const uint8_t types[],
    const struct nlattr *tb[], unsigned n)
{
	size_t size = mnl_nlmsg_get_payload_len(m);

	fixed = MNL_ALIGN(fixed);
	if (size < fixed)
		return -EBADMSG;
	link_attrs_sort(
	    mnl_nlmsg_get_payload_offset(m, fixed), size - fixed, types, tb, n);
	return 0;
}

const struct nlattr *link_attrs_next(
    const struct nlattr *list, const struct nlattr *last)
{
	const char *begin = mnl_attr_get_payload(list);
	const char *end = begin + mnl_attr_get_payload_len(list);
	const struct nlattr *a =
	    last ? mnl_attr_next(last) : (const struct nlattr *)begin;

	if (!mnl_attr_ok(a, (int)(end - (const char *)a)) ||
	    mnl_attr_validate(a, MNL_TYPE_NESTED))
		return NULL;
	return a;
}

uint32_t link_attr_u32(const struct nlattr *a)
{
	return a ? mnl_attr_get_u32(a) : 0;
}

/* Takes over the kernel's sentence, which follows @fixed bytes of @m. */
static void note_words(
    struct link_request *r, const struct nlmsghdr *m, size_t fixed)
{
	static const uint8_t types[NLMSGERR_ATTR_MAX + 1] = {
	    [NLMSGERR_ATTR_MSG] = MNL_TYPE_NUL_STRING};
	const struct nlattr *tb[NLMSGERR_ATTR_MAX + 1];

	if (!(m->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    link_attrs_of(m, fixed, types, tb, NLMSGERR_ATTR_MAX + 1) ||
	    !tb[NLMSGERR_ATTR_MSG])
		return;
	snprintf(r->words, sizeof(r->words), "%s",
	    mnl_attr_get_str(tb[NLMSGERR_ATTR_MSG]));
}

/* NLMSG_ERROR and NLMSG_DONE both begin with the verdict.  NETLINK_CAP_ACK
 * saw to it that the request is not repeated between it and the sentence. */
static int on_end(const struct nlmsghdr *m, void *data)
{
	struct answer *a = data;
	bool is_done = m->nlmsg_type == NLMSG_DONE;
	size_t fixed = is_done ? sizeof(int) : sizeof(struct nlmsgerr);
	int verdict = 0;

	if (mnl_nlmsg_get_payload_len(m) < fixed) {
		a->rc = is_done ? 0 : -EBADMSG;
		return MNL_CB_STOP;
	}
	memcpy(&verdict, mnl_nlmsg_get_payload(m), sizeof(verdict));
	a->rc = verdict < 0 ? verdict : 0;
	if (a->rc)
		note_words(a->request, m, fixed);
	return MNL_CB_STOP;
}

static int on_message(const struct nlmsghdr *m, void *data)
{
	struct answer *a = data;

	return a->each ? a->each(m, a->arg) : MNL_CB_OK;
}

/* Reads the answer to its end.  -EINTR: the kernel's tables changed under a
 * dump, which has to be asked for again. */
static int receive(struct mnl_socket *s, struct answer *a)
{
	mnl_cb_t ends[NLMSG_DONE + 1] = {
	    [NLMSG_ERROR] = on_end, [NLMSG_DONE] = on_end};
	_Alignas(struct nlmsghdr) uint8_t buf[LINK_REPLY_SIZE];
	ssize_t n;
	int go_on;

	do {
		n = mnl_socket_recvfrom(s, buf, sizeof(buf));
		if (n < 0 && errno == EINTR) {
			go_on = MNL_CB_OK;
			continue;
		}
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		go_on = mnl_cb_run2(buf, (size_t)n, a->request->head.nlmsg_seq,
		    mnl_socket_get_portid(s), on_message, a, ends,
		    NLMSG_DONE + 1);
		if (go_on < MNL_CB_STOP)
			return -errno;
	} while (go_on != MNL_CB_STOP);
	return a->rc;
}

static int exchange(struct mnl_socket *s, struct answer *a)
{
	static const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	const struct nlmsghdr *m = &a->request->head;
	int fd = mnl_socket_get_fd(s), on = 1;

	/* Strict: the kernel takes the filters of a dump seriously. */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) ||
	    setsockopt(
		fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) ||
	    setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_sendto(s, m, m->nlmsg_len) < 0)
		return -errno;
	return receive(s, a);
}

int link_request_run(struct link_request *r, int bus, mnl_cb_t each, void *arg)
{
	struct answer a = {.request = r, .each = each, .arg = arg};
	int rc = -EINTR;

	r->words[0] = '\0';
	privilege_raise(); /* the kernel asks who opened, and who sends */
	for (unsigned i = 0; i < TRIES && rc == -EINTR; i++) {
		struct mnl_socket *s = mnl_socket_open2(bus, SOCK_CLOEXEC);

		rc = s ? exchange(s, &a) : -errno;
		if (s)
			mnl_socket_close(s);
	}
	privilege_lower();
	if (rc && !r->words[0])
		snprintf(r->words, sizeof(r->words), "%s", strerror(-rc));
	return rc;
}
