/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vhost_inflight.c - a front end asks for in-flight memory, hands it over.
 */
#include "tests/unit/vhost_peer.h"

TestSuite(vhost_inflight, .init = start, .fini = stop, .timeout = 60);

enum { WIRE_SIZE = 20 }; /* without the padding that a compiler adds */

static void agree(void)
{
	cr_assert_eq(tell_u64(VHOST_USER_SET_PROTOCOL_FEATURES,
			 BIT(VHOST_PROTOCOL_REPLY_ACK) |
			     BIT(VHOST_PROTOCOL_INFLIGHT_SHMFD)),
	    0);
}

/* The descriptor in the reply to GET_INFLIGHT_FD, whose payload goes to *msg,
 * or -1. */
static int get(struct vhost_inflight_msg *msg, uint32_t size)
{
	struct {
		struct vhost_header h;
		uint8_t payload[64];
	} m;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {&m, sizeof(m)};
	struct msghdr h = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	int fd;

	send_message(
	    VHOST_USER_GET_INFLIGHT_FD, VHOST_VERSION, msg, size, NULL, 0);
	if (recvmsg(peer, &h, MSG_DONTWAIT) != (ssize_t)(sizeof(m.h) + size))
		return -1;
	cr_expect_eq(m.h.request, VHOST_USER_GET_INFLIGHT_FD);
	cr_expect_eq(m.h.size, size);
	memcpy(msg, m.payload, WIRE_SIZE);
	c = CMSG_FIRSTHDR(&h);
	if (!c)
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static uint64_t set(const struct vhost_inflight_msg *msg, int fd)
{
	return tell(VHOST_USER_SET_INFLIGHT_FD, msg, sizeof(*msg), &fd, 1);
}

static unsigned count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned n = 0;
	int c;

	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

/* All of a device's life: the memory comes back, and so do the notes. */
Test(vhost_inflight, memory_goes_round)
{
	struct vhost_inflight_msg msg = {.n_queues = 2, .queue_size = RING};
	struct inflight_split *q;
	int fd;

	agree();
	fd = get(&msg, sizeof(msg));
	cr_assert_geq(fd, 0);
	cr_assert_eq(set(&msg, fd), 0);
	cr_assert_eq(tell_u64(VHOST_USER_SET_FEATURES, MODERN), 0);
	cr_assert_eq(share_memory(), 0);
	for (unsigned i = 0; i < 3; i++) {
		describe_ring(i);
		cr_assert_eq(tell_state(VHOST_USER_SET_VRING_ENABLE, i, 1), 0);
	}
	q = p->ring[1].vq.inflight;
	cr_assert_not_null(q);
	cr_expect_eq(q->version, 1);
	cr_expect_eq(q->desc_num, RING);
	cr_expect_null(p->ring[2].vq.inflight, "it is of two rings");
	close(peer);
	pump();
	cr_expect_null(p->inflight);
	attach();
	agree();
	cr_assert_eq(set(&msg, fd), 0);
	close(fd);
}

/* Asked for while a ring runs, which goes on where it is. */
Test(vhost_inflight, memory_for_a_running_ring)
{
	struct vhost_inflight_msg msg = {.n_queues = 4, .queue_size = RING};
	int fd;

	run_rings(2);
	agree();
	p->ring[1].vq.next_avail = p->ring[1].vq.next_used = 7;
	fd = get(&msg, sizeof(msg));
	cr_assert_geq(fd, 0);
	cr_assert(p->ring[1].running);
	cr_expect_eq(p->ring[1].vq.next_used, 7);
	cr_expect_eq(
	    ((struct inflight_split *)p->ring[1].vq.inflight)->used_idx, 7);
	close(fd);
}

Test(vhost_inflight, payload_without_padding)
{
	struct vhost_inflight_msg msg = {.n_queues = 1, .queue_size = 1};
	int fd;

	agree();
	fd = get(&msg, WIRE_SIZE);
	cr_assert_geq(fd, 0);
	cr_expect_eq(msg.size, 64);
	cr_expect_eq(
	    tell(VHOST_USER_SET_INFLIGHT_FD, &msg, WIRE_SIZE, &fd, 1), 0);
	close(fd);
}

Test(vhost_inflight, case_09_asked_for_again_and_again)
{
	unsigned fds = 0, maps = 0;

	agree();
	for (unsigned i = 0; i < 5000; i++) {
		struct vhost_inflight_msg msg = {
		    .n_queues = 4, .queue_size = (uint16_t)(1 << i % 16)};
		int fd = get(&msg, sizeof(msg));

		if (i == 10) {
			fds = count_fds();
			maps = count_maps();
		}
		cr_assert_geq(fd, 0);
		close(fd);
	}
	cr_expect_leq(count_fds(), fds);
	cr_expect_leq(count_maps(), maps);
}

Test(vhost_inflight, case_18_sizes_that_cannot_be)
{
	static const struct vhost_inflight_msg bad[] = {
	    {0, 0, 2, RING},
	    {UINT64_MAX, 4096, 2, RING},
	    {1 << 20, 0, 2, RING},
	    {4096, 1 << 20, 2, RING},
	    {4096, 0, 0, RING},
	    {4096, 0, 2, 0},
	    {4096, 0, 2, 32769},
	    {4096, 0, 2 * QUEUES + 1, RING},
	};
	int fd = memfd_create("notes", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, 4096), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		agree();
		cr_expect_neq(set(&bad[i], fd), 0, "%u", i);
		cr_expect_null(p->inflight);
	}
	for (unsigned i = 4; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_neq(tell(VHOST_USER_GET_INFLIGHT_FD, &bad[i],
				  sizeof(bad[i]), NULL, 0),
		    0);
	cr_expect_geq(p->conn.fd, 0);
	close(fd);
}

Test(vhost_inflight, only_if_negotiated)
{
	struct vhost_inflight_msg msg = {4096, 0, 2, RING};

	cr_expect_neq(
	    tell(VHOST_USER_GET_INFLIGHT_FD, &msg, sizeof(msg), NULL, 0), 0);
	cr_expect_neq(set(&msg, 0), 0);
}

Test(vhost_inflight, case_07_wrong_number_of_descriptors)
{
	struct vhost_inflight_msg msg = {4096, 0, 2, RING};
	int fd[2] = {0, 0};

	agree();
	send_message(VHOST_USER_SET_INFLIGHT_FD, 1, &msg, sizeof(msg), fd, 2);
	expect_closed("msg_fds");
	agree();
	send_message(VHOST_USER_SET_INFLIGHT_FD, 1, &msg, sizeof(msg), NULL, 0);
	expect_closed("msg_fds");
	agree();
	send_message(VHOST_USER_GET_INFLIGHT_FD, 1, &msg, sizeof(msg), fd, 1);
	expect_closed("msg_fds");
}
