/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_packed_ring.c - notifications of packed rings, alone and against a
 * guest's threads, and how a killed device finds its place again.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>

#include "tests/unit/packed_guest.h"

enum { W = VRING_DESC_F_WRITE, N = VRING_DESC_F_NEXT };
enum { HDR = VIRTIO_NET_HDR_LEN };
enum { ENABLE, DISABLE, DESC }; /* flags of an event structure */

static struct batch batch;

static unsigned forward_from(struct packed *g)
{
	batch.n = batch.n_segs = 0;
	return virtq_rx(g->vq, &batch, &g->r->w);
}

/* Sends one frame and takes its buffer back.  Returns the notifications. */
static unsigned receive_one(struct packed *g)
{
	struct packed_desc d;

	packed_put(g, BUFS, HDR + 60, 0, 0);
	cr_assert_eq(forward_from(g), 1);
	virtq_rx_done(g->vq, &g->r->w);
	cr_assert(packed_get(g, 1, &d));
	return (unsigned)ring_calls(g->r);
}

Test(packed_ring, calls_as_the_flag_says)
{
	struct packed *g = packed_open(5);

	ring_frame(g->r, BUFS, 60);
	cr_assert_eq(receive_one(g), 1);
	g->driver.flags = DISABLE;
	cr_assert_eq(receive_one(g), 0);
	g->driver.flags = DESC;
	cr_assert_eq(receive_one(g), 1, "not negotiated");
	g->driver.flags = 3;
	cr_assert_eq(receive_one(g), 1);
	cr_assert_eq(g->vq->n_calls, 3);
	cr_assert_eq(forward_from(g), 0);
	virtq_rx_done(g->vq, &g->r->w);
	cr_assert_eq(ring_calls(g->r), 0);
	packed_close(g);
}

/* Round and round: a call for the slot that is named, and for no other. */
Test(packed_ring, calls_as_the_event_says)
{
	struct packed *g = packed_open(5);

	ring_frame(g->r, BUFS, 60);
	g->vq->event_idx = true;
	g->driver.flags = DESC;
	for (unsigned i = 0; i < 40; i++) {
		g->driver.off_wrap = packed_place(g->vq, g->seen, i % 5);
		for (unsigned k = 0; k < 7; k++)
			cr_assert_eq(receive_one(g), k == i % 5);
	}
	packed_close(g);
}

/* One of many that are returned at once. */
Test(packed_ring, calls_for_a_slot_of_a_batch)
{
	for (unsigned i = 0; i < 60; i++) {
		struct packed *g = packed_open_at(50, 30);

		ring_frame(g->r, BUFS, 60);
		g->vq->event_idx = true;
		g->driver.flags = DESC;
		g->driver.off_wrap = packed_place(
		    g->vq, packed_place(g->vq, g->next, i / 2), i - i / 2);
		for (unsigned k = 0; k < 40; k++)
			packed_put(g, BUFS, HDR + 60, 0, 0);
		cr_assert_eq(forward_from(g), 40);
		virtq_rx_done(g->vq, &g->r->w);
		cr_assert_eq(ring_calls(g->r), i < 40, "%u", i);
		packed_close(g);
	}
}

Test(packed_ring, case_76_any_event_is_survived)
{
	struct packed *g = packed_open(17);

	ring_frame(g->r, BUFS, 60);
	for (unsigned i = 0; i < 1000; i++) {
		g->vq->event_idx = i % 2;
		g->driver.off_wrap = (uint16_t)rand();
		g->driver.flags = (uint16_t)rand();
		cr_assert_leq(receive_one(g), 1);
	}
	packed_close(g);
}

Test(packed_ring, does_not_call_who_polls)
{
	struct packed *g = packed_open(16);
	int fd = g->vq->call_fd;

	ring_frame(g->r, BUFS, 60);
	g->vq->call_fd = -1;
	cr_assert_eq(receive_one(g), 0);
	cr_assert_eq(g->vq->n_calls, 0);
	g->vq->call_fd = fd;
	packed_close(g);
}

Test(packed_ring, arms_an_empty_queue_by_flag)
{
	struct packed *g = packed_open(16);

	ring_frame(g->r, BUFS, 60);
	cr_assert_eq(g->device.flags, DISABLE);
	cr_assert(virtq_arm(g->vq));
	cr_assert_eq(g->device.flags, ENABLE);
	virtq_disarm(g->vq);
	cr_assert_eq(g->device.flags, DISABLE);
	cr_assert_eq(g->vq->n_kicks, 1);
	virtq_disarm(g->vq);
	cr_assert_eq(g->vq->n_kicks, 1);
	packed_put(g, BUFS, HDR + 60, 0, 0);
	cr_assert_not(virtq_arm(g->vq));
	cr_assert_eq(g->device.flags, DISABLE);
	packed_close(g);
}

Test(packed_ring, arms_an_empty_queue_by_event)
{
	struct packed *g = packed_open_at(3, 1);

	g->vq->event_idx = true;
	ring_frame(g->r, BUFS, 60);
	for (unsigned i = 0; i < 10; i++) {
		cr_assert(virtq_arm(g->vq));
		cr_assert_eq(g->device.flags, DESC);
		cr_assert_eq(g->device.off_wrap, g->next);
		virtq_disarm(g->vq);
		cr_assert_eq(g->device.flags, DISABLE);
		receive_one(g);
	}
	packed_close(g);
}

static void expect_place(struct packed *g, uint16_t want)
{
	uint16_t place;

	cr_assert(packed_recover(g->vq, &place));
	cr_assert_eq(place, want, "%x, not %x", place, want);
}

/* Wherever the device is, whatever the guest has offered since, and after
 * chains as after single descriptors. */
Test(packed_ring, finds_its_place)
{
	static const uint32_t size[] = {1, 2, 3, 4, 17, 64};

	for (unsigned s = 0; s < sizeof(size) / sizeof(*size); s++) {
		struct packed *g = packed_open(size[s]);
		unsigned seed = 1;

		ring_frame(g->r, BUFS, 60);
		expect_place(g, PACKED_WRAP);
		for (unsigned i = 0; i < 300; i++) {
			unsigned n = 1 + (seed = seed * 1103515245 + 12345) /
					     65536 % size[s];
			struct packed_desc d;

			n = n > 5 ? 5 : n;
			for (unsigned k = 0; k + 1 < n; k++)
				packed_put(g, BUFS, 1, 0, N);
			packed_put(g, BUFS, HDR + 60, 0, 0);
			expect_place(g, g->vq->next_used);
			cr_assert_eq(forward_from(g), 1);
			expect_place(g, g->vq->next_used);
			virtq_rx_done(g->vq, &g->r->w);
			expect_place(g, g->vq->next_used);
			cr_assert(packed_get(g, n, &d));
		}
		packed_close(g);
	}
}

/* Killed when it had written all of a batch but the first slot's flags; at every
 * other moment: test_crash.c. */
Test(packed_ring, finishes_what_it_was_about_to_return)
{
	for (unsigned n = 2; n < 12; n++)
		for (uint16_t i = 0; i < 16; i++)
			for (unsigned len = 0; len <= 60; len += 60) {
				struct packed *g = packed_open_at(16, i);
				struct virtq_return r[16];
				unsigned first = i;
				struct packed_desc d;

				for (uint16_t k = 0; k < n; k++) {
					packed_put(g, BUFS, 99, k, W);
					r[k] = (struct virtq_return){
					    len, (uint16_t)(100 + k), 1};
				}
				packed_return(g->vq, r, n);
				g->slot[first].flags ^=
				    PACKED_USED | PACKED_RETURNING;
				cr_assert_not(packed_get(g, 1, &d));
				expect_place(g, g->vq->next_used);
				for (unsigned k = 0; k < n; k++) {
					cr_assert(packed_get(g, 1, &d));
					cr_assert_eq(d.id, 100 + k);
					cr_assert_eq(d.len, len);
					cr_assert_eq(!!(d.flags & W), !!len);
				}
				cr_assert_eq(g->seen, g->vq->next_used);
				packed_close(g);
			}
}

/* A device that returns chains in their first slot and leaves the rest. */
Test(packed_ring, does_not_guess)
{
	struct packed *g = packed_open(64);
	uint16_t place = 77;

	for (unsigned i = 0; i < 20; i++)
		g->slot[i].flags = i % 3 ? PACKED_AVAIL : PACKED_TURN;
	cr_assert_not(packed_recover(g->vq, &place));
	for (unsigned i = 0; i < 64; i++)
		g->slot[i].flags = (uint16_t)rand();
	cr_assert_not(packed_recover(g->vq, &place));
	cr_assert_eq(place, 77);
	packed_close(g);
}

/* Two guests with a thread each, and the device between them, as in
 * test_virtq.c: a notification that is lost shows as a sleep that lasts until
 * the time-out. */

enum { N_FRAMES = 20000, SIZE = 33, SLOT = 2048, TIMEOUT_MS = 5000 };

struct lane {
	struct packed *from, *to;
	int kick_fd;
	uint64_t n_received;
	bool done; /* atomic: the last frame is on its way */
	bool in_order, overslept;
};

static bool sleep_on(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool woken = poll(&p, 1, TIMEOUT_MS) == 1;
	uint64_t n;

	return woken && read(fd, &n, sizeof(n)) == sizeof(n);
}

/* Whether the device wants to hear of the slot at @place. */
static bool kick_is_wanted(const struct packed *g, uint16_t place)
{
	uint32_t event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event =
	    __atomic_load_n((const shared_u32 *)&g->device, __ATOMIC_RELAXED);
	if (event >> 16 == DESC)
		return (uint16_t)event == place;
	return event >> 16 != DISABLE;
}

/* Numbers its frames behind the addresses. */
static void *producer(void *arg)
{
	struct lane *l = arg;
	struct packed *g = l->from;
	uint32_t n_out = 0;
	uint64_t one = 1;

	for (uint32_t i = 0; i < N_FRAMES; i++) {
		uint16_t place = g->next;
		uint16_t id = place & PACKED_INDEX;
		uint8_t *p = ring_at(g->r, BUFS + id * SLOT);
		struct packed_desc d;

		while (n_out == SIZE) {
			while (packed_get(g, 1, &d))
				n_out--;
			sched_yield();
		}
		memset(p, 0, 200);
		memcpy(p + HDR + 14, &i, sizeof(i));
		memcpy(p + HDR + 100, &i, sizeof(i));
		packed_put(g, BUFS + id * SLOT, HDR + 150, id, 0);
		n_out++;
		if (kick_is_wanted(g, place) &&
		    write(l->kick_fd, &one, sizeof(one)) != sizeof(one))
			break;
		if (i % 1000 == 0)
			usleep(100);
	}
	return NULL;
}

static bool nothing_there(const struct packed *g)
{
	struct packed look = *g;
	struct packed_desc d;

	return !packed_get(&look, 1, &d);
}

/* True if there is still nothing used. */
static bool ask_for_calls(struct packed *g)
{
	uint32_t flags = g->vq->event_idx ? DESC : ENABLE;

	__atomic_store_n(
	    (shared_u32 *)&g->driver, flags << 16 | g->seen, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return nothing_there(g);
}

static void *consumer(void *arg)
{
	struct lane *l = arg;
	struct packed *g = l->to;
	struct packed_desc d;
	uint32_t last = 0;

	for (;;) {
		bool done = __atomic_load_n(&l->done, __ATOMIC_ACQUIRE);
		uint32_t i, again;
		uint8_t *p;

		if (!packed_get(g, 1, &d)) {
			if (done)
				return NULL;
			if (ask_for_calls(g) && !sleep_on(g->vq->call_fd))
				l->overslept = true;
			continue;
		}
		p = ring_at(g->r, BUFS + d.id * SLOT + HDR);
		memcpy(&i, p + 14, 4);
		memcpy(&again, p + 100, 4);
		l->in_order &= i == again && (!l->n_received || i > last);
		last = i;
		l->n_received++;
		packed_put(g, BUFS + d.id * SLOT, SLOT, d.id, W);
	}
}

/* Forwards until @l->from has given all, sleeping when it gives nothing. */
static void forward(struct lane *l)
{
	struct packed *from = l->from, *to = l->to;
	unsigned n, total = 0;

	while (total < N_FRAMES) {
		struct frame *f[BATCH_MAX];

		n = forward_from(from);
		if (!n) {
			if (virtq_arm(from->vq) && !sleep_on(l->kick_fd)) {
				l->overslept = true;
				break;
			}
			virtq_disarm(from->vq);
			continue;
		}
		for (unsigned i = 0; i < batch.n; i++)
			f[i] = &batch.f[i];
		virtq_tx(to->vq, f, batch.n, &to->r->w);
		virtq_rx_done(from->vq, &from->r->w);
		total += n;
	}
}

static void run_lane(bool event_idx)
{
	struct lane l = {.from = packed_open(SIZE),
	    .to = packed_open(SIZE),
	    .kick_fd = eventfd(0, 0),
	    .in_order = true};
	struct counters *sent = &l.to->r->counters;
	pthread_t thread[2];
	uint64_t one = 1;

	l.from->vq->event_idx = l.to->vq->event_idx = event_idx;
	for (uint16_t i = 0; i < SIZE; i++)
		packed_put(l.to, BUFS + i * SLOT, SLOT, i, W);
	pthread_create(&thread[0], NULL, producer, &l);
	pthread_create(&thread[1], NULL, consumer, &l);
	forward(&l);
	__atomic_store_n(&l.done, true, __ATOMIC_RELEASE);
	cr_assert_eq(write(l.to->vq->call_fd, &one, sizeof(one)), 8);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	cr_assert_not(l.overslept);
	cr_assert(l.in_order);
	cr_assert_eq(l.n_received, sent->tx_packets);
	cr_assert_eq(
	    sent->tx_packets + sent->drops[DROP_GUEST_RING_FULL], N_FRAMES);
	close(l.kick_fd);
	packed_close(l.from);
	packed_close(l.to);
}

Test(packed_ring, loses_no_notification_by_flag, .timeout = 60)
{
	run_lane(false);
}

Test(packed_ring, loses_no_notification_by_event, .timeout = 60)
{
	run_lane(true);
}
