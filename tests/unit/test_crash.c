/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_crash.c - a device is killed at every instruction.
 *
 * The device serves a queue in a process that is stepped through.  After every
 * instruction that changed the ring, a successor is put in front of a copy of
 * it, as if that had been the last one: it finds its place, serves what is
 * left, and the driver must have got every chain back exactly once, in order,
 * and each buffer in full length.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "ports/vhost/inflight.h"
#include "tests/unit/packed_guest.h"

enum {
	SIZE = 16,
	RING_BYTES = 0x4000, /* from the beginning of the memory */
	NOTES_AT = 0x3000,   /* in-flight memory lies there as well */
	BUF_SIZE = 2048,
	CHAINS_MAX = 16,
	FRAME = 60,
	HDR = VIRTIO_NET_HDR_LEN,
};

/* A queue with chains in it, and what the driver knows of them. */
struct stage {
	bool packed, to_guest, tracked;
	uint16_t first; /* place */
	unsigned n;	/* chains, and descriptors of each */
	unsigned shape[CHAINS_MAX];
};

struct device {
	struct ring *r;
	struct packed *g; /* or NULL */
	uint16_t id[CHAINS_MAX];
};

static struct batch batch;

static struct device open_device(const struct stage *s)
{
	struct device d = {0};

	if (s->packed) {
		d.g = packed_open_at(SIZE, s->first);
		d.r = d.g->r;
	} else {
		d.r = ring_open(SIZE);
		d.r->avail->idx = d.r->used->idx = s->first;
		virtq_start(&d.r->vq, s->first);
	}
	close(d.r->vq.call_fd);
	d.r->vq.call_fd = -1;
	if (s->tracked) {
		d.r->vq.inflight = d.r->mem->region[0].host + NOTES_AT;
		memset(d.r->vq.inflight, 0, RING_BYTES - NOTES_AT);
		inflight_begin(&d.r->vq, s->first);
	}
	return d;
}

static void close_device(struct device *d)
{
	if (d->g)
		packed_close(d->g);
	else
		ring_close(d->r);
}

/* Descriptor @k of the chain whose buffers begin at @gpa: a header, and pieces
 * that are only together long enough for the frame. */
static uint32_t piece(unsigned n, unsigned k, uint64_t *gpa)
{
	uint32_t len = n == 1	    ? HDR + FRAME
		       : !k	    ? HDR
		       : k == n - 1 ? FRAME - (n - 2)
				    : 1;

	*gpa += len;
	return len;
}

static void offer_split(
    struct ring *r, unsigned at, unsigned n, uint64_t gpa, uint16_t write)
{
	for (unsigned k = 0; k < n; k++) {
		uint64_t here = gpa;
		uint32_t len = piece(n, k, &gpa);

		ring_desc(r, at + k, here, len,
		    write | (k + 1 < n ? VRING_DESC_F_NEXT : 0),
		    (uint16_t)(at + k + 1));
	}
	ring_offer(r, (uint16_t)at);
}

static void offer_packed(
    struct packed *g, uint16_t id, unsigned n, uint64_t gpa, uint16_t write)
{
	for (unsigned k = 0; k < n; k++) {
		uint64_t here = gpa;
		uint32_t len = piece(n, k, &gpa);

		packed_put(g, here, len, id,
		    write | (k + 1 < n ? VRING_DESC_F_NEXT : 0));
	}
}

static void offer_all(const struct stage *s, struct device *d)
{
	uint16_t write = s->to_guest ? VRING_DESC_F_WRITE : 0;
	unsigned at = 0;

	for (unsigned i = 0; i < s->n; at += s->shape[i++]) {
		uint64_t gpa = BUFS + i * BUF_SIZE;

		ring_frame(d->r, gpa, FRAME);
		d->id[i] = (uint16_t)(s->packed ? 100 + i : at);
		if (s->packed)
			offer_packed(d->g, d->id[i], s->shape[i], gpa, write);
		else
			offer_split(d->r, at, s->shape[i], gpa, write);
	}
}

/* What a worker does with the queue that does not change the ring, and all the
 * rest. */
static void take(const struct stage *s, struct device *d)
{
	batch.n = batch.n_segs = 0;
	if (!s->to_guest)
		virtq_rx(&d->r->vq, &batch, &d->r->w);
}

static void give(const struct stage *s, struct device *d)
{
	static uint8_t bytes[FRAME];
	struct frame frame = {.head = bytes, .len = FRAME, .head_len = FRAME};
	struct frame *f[CHAINS_MAX];

	for (unsigned i = 0; i < CHAINS_MAX; i++)
		f[i] = &frame;
	if (s->to_guest)
		virtq_tx(&d->r->vq, f, s->n, &d->r->w);
	else
		virtq_rx_done(&d->r->vq, &d->r->w);
}

/* How many chains the driver gets back from number @from on. */
static unsigned reap(const struct stage *s, struct device *d, unsigned from)
{
	uint32_t len = s->to_guest ? HDR + FRAME : 0;
	struct packed_desc desc;
	unsigned i = from;

	if (!s->packed) {
		for (; (uint16_t)(s->first + i) != d->r->used->idx; i++) {
			struct vring_used_elem u =
			    ring_used(d->r, s->first + i);

			cr_assert_eq(u.id, d->id[i]);
			cr_assert_eq(u.len, len);
		}
		return i;
	}
	for (; i < s->n && packed_get(d->g, s->shape[i], &desc); i++) {
		cr_assert_eq(desc.id, d->id[i]);
		cr_assert_eq(desc.len, len);
		cr_assert_not(desc.flags & PACKED_RETURNING);
	}
	return i;
}

/* Where the successor @d goes on, as ring.c asks for it. */
static uint16_t find_place(const struct stage *s, struct device *d)
{
	struct virtq *vq = &d->r->vq;
	uint16_t place = 0, noted = 0;

	if (!s->packed)
		place = d->r->used->idx;
	else
		cr_assert(packed_recover(vq, &place));
	if (s->packed && s->tracked) {
		cr_assert(inflight_place(vq, &noted));
		cr_assert(noted == s->first || noted == place);
	}
	cr_assert_eq(inflight_resume(vq, place), place, "nothing in flight");
	inflight_begin(vq, place);
	return place;
}

/* The device is dead, its memory as in @dead, and @d comes after it; chains had been got back by the
 * driver up to number @n. */
static void succeed(const struct stage *s, struct device d,
    const struct device *dead, unsigned n)
{
	struct virtq fresh = d.r->vq;
	uint16_t place;

	memcpy(d.id, dead->id, sizeof(d.id));
	memcpy(
	    d.r->mem->region[0].host, dead->r->mem->region[0].host, RING_BYTES);
	if (s->packed) {
		d.g->next = dead->g->next;
		d.g->seen = s->first;
	}
	for (unsigned i = 0; !s->to_guest && i < s->n; i++)
		ring_frame(d.r, BUFS + i * BUF_SIZE, FRAME);
	for (unsigned i = 0; s->packed && i < n; i++)
		d.g->seen = packed_place(d.g->vq, d.g->seen, s->shape[i]);
	place = find_place(s, &d);
	n = reap(s, &d, n);
	if (s->packed)
		cr_assert_eq(d.g->seen, place, "%x, not %x", d.g->seen, place);
	virtq_start(&d.r->vq, place);
	take(s, &d);
	give(s, &d);
	cr_assert_eq(reap(s, &d, n), s->n, "%u of %u", n, s->n);
	cr_assert_not(virtq_is_broken(&d.r->vq));
	d.r->vq = fresh;
}

static pid_t run_device(const struct stage *s, struct device *d)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		take(s, d);
		raise(SIGSTOP);
		give(s, d);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSTOPPED(status), "cannot be traced");
	return pid;
}

/* One instruction; false: it was the last. */
static bool step(pid_t pid)
{
	int status;

	cr_assert_eq(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status)) {
		cr_assert_eq(WEXITSTATUS(status), 0);
		return false;
	}
	cr_assert(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	return true;
}

/* How many chains the driver can see returned, of a ring that is not recovered;
 * one that it has seen it cannot be made to see again. */
static unsigned look(const struct stage *s, const struct device *d)
{
	struct packed g;
	struct device look = *d;

	if (s->packed) {
		g = *d->g;
		look.g = &g;
	}
	return reap(s, &look, 0);
}

static void kill_everywhere(const struct stage *s)
{
	static uint8_t before[RING_BYTES];
	struct device d = open_device(s), heir = open_device(s);
	const uint8_t *ring = d.r->mem->region[0].host;
	unsigned n_states = 0, n_seen = 0;
	pid_t pid;

	offer_all(s, &d);
	pid = run_device(s, &d);
	memcpy(before, ring, RING_BYTES);
	while (step(pid)) {
		unsigned n;

		if (!memcmp(before, ring, RING_BYTES))
			continue;
		memcpy(before, ring, RING_BYTES);
		n = look(s, &d);
		cr_assert_geq(n, n_seen);
		n_seen = n;
		succeed(s, heir, &d, n);
		n_states++;
	}
	cr_assert_eq(n_seen, s->n);
	cr_assert_geq(n_states, s->n, "%u states", n_states);
	close_device(&d);
	close_device(&heir);
}

static const struct stage shapes[] = {
    {.n = 1, .shape = {1}}, {.n = 1, .shape = {2}}, {.n = 2, .shape = {1, 1}},
    {.n = 6, .shape = {1, 1, 1, 1, 1, 1}}, {.n = 5, .shape = {3, 2, 2, 4, 2}},
    {.n = 7, .shape = {1, 2, 1, 3, 2, 1, 1}},
    {.n = 6, .shape = {2, 1, 4, 1, 5, 3}}, /* all there is */
};

enum { N_SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

/* A sanitizer's instructions are many, and not the device's. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static void kill_all_shapes(struct stage s, const uint16_t first[], unsigned n)
{
	unsigned i = SANITIZED ? N_SHAPES - 1 : 0;

	for (; i < N_SHAPES; i++) {
		s.n = shapes[i].n;
		memcpy(s.shape, shapes[i].shape, sizeof(s.shape));
		s.first = first[i % n];
		for (int both = 0; both < 2; both++) {
			s.to_guest = both;
			kill_everywhere(&s);
		}
	}
}

static const uint16_t indices[] = {0, 0xfffd, 7};
static const uint16_t places[] = {PACKED_WRAP, 11, PACKED_WRAP | 15, 3};

TestSuite(crash, .timeout = 120);

Test(crash, split_ring)
{
	kill_all_shapes((struct stage){0}, indices, 3);
}

Test(crash, split_ring_with_notes)
{
	kill_all_shapes((struct stage){.tracked = true}, indices, 3);
}

Test(crash, packed_ring)
{
	for (unsigned i = 0; i < 4; i++)
		kill_all_shapes((struct stage){.packed = true}, places + i, 1);
}

Test(crash, packed_ring_with_notes)
{
	kill_all_shapes(
	    (struct stage){.packed = true, .tracked = true}, places, 4);
}
