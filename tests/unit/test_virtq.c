/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_virtq.c - notifications both ways, alone and against a guest's threads.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>

#include "tests/unit/ring_guest.h"

enum { W = VRING_DESC_F_WRITE, HDR = VIRTIO_NET_HDR_LEN };

static struct batch batch;

static unsigned receive_one(struct ring *r)
{
	ring_offer_one(r, 0, BUFS, HDR + 60, 0);
	batch.n = batch.n_segs = 0;
	cr_assert_eq(virtq_rx(&r->vq, &batch, &r->w), 1);
	virtq_rx_done(&r->vq, &r->w);
	return (unsigned)ring_calls(r);
}

Test(virtq, calls_as_the_flag_says)
{
	struct ring *r = ring_open(16);

	ring_frame(r, BUFS, 60);
	cr_assert_eq(receive_one(r), 1);
	r->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	cr_assert_eq(receive_one(r), 0);
	r->avail->flags = 0xfffe;
	cr_assert_eq(receive_one(r), 1);
	cr_assert_eq(r->vq.n_calls, 2);
	batch.n = batch.n_segs = 0;
	cr_assert_eq(virtq_rx(&r->vq, &batch, &r->w), 0);
	virtq_rx_done(&r->vq, &r->w);
	cr_assert_eq(ring_calls(r), 0);
	ring_close(r);
}

Test(virtq, calls_as_the_event_index_says)
{
	struct ring *r = ring_open(16);

	ring_frame(r, BUFS, 60);
	r->vq.event_idx = true;
	virtq_start(&r->vq, 65534);
	r->avail->idx = 65534;
	cr_assert_eq(r->used->flags, 0);
	r->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	r->avail->ring[16] = 65534;
	cr_assert_eq(receive_one(r), 1);
	cr_assert_eq(receive_one(r), 0);
	r->avail->ring[16] = 1;
	cr_assert_eq(receive_one(r), 0);
	cr_assert_eq(receive_one(r), 1);
	cr_assert_eq(receive_one(r), 0);
	cr_assert_eq(r->vq.n_calls, 2);
	ring_close(r);
}

Test(virtq, case_76_any_event_index_is_survived)
{
	struct ring *r = ring_open(16);

	ring_frame(r, BUFS, 60);
	for (unsigned i = 0; i < 1000; i++) {
		r->vq.event_idx = i % 2;
		r->avail->ring[16] = (uint16_t)rand();
		r->avail->flags = (uint16_t)rand();
		cr_assert_leq(receive_one(r), 1);
	}
	cr_assert_eq(r->used->idx, 1000);
	ring_close(r);
}

Test(virtq, does_not_call_who_polls)
{
	struct ring *r = ring_open(16);
	int fd = r->vq.call_fd;

	ring_frame(r, BUFS, 60);
	r->vq.call_fd = -1;
	cr_assert_eq(receive_one(r), 0);
	cr_assert_eq(r->vq.n_calls, 0);
	r->vq.call_fd = fd;
	ring_close(r);
}

Test(virtq, arms_an_empty_queue_by_flag)
{
	struct ring *r = ring_open(16);

	ring_frame(r, BUFS, 60);
	cr_assert_eq(r->used->flags, VRING_USED_F_NO_NOTIFY);
	cr_assert(virtq_arm(&r->vq));
	cr_assert_eq(r->used->flags, 0);
	virtq_disarm(&r->vq);
	cr_assert_eq(r->used->flags, VRING_USED_F_NO_NOTIFY);
	cr_assert_eq(r->vq.n_kicks, 1);
	virtq_disarm(&r->vq);
	cr_assert_eq(r->vq.n_kicks, 1);
	ring_offer_one(r, 0, BUFS, HDR + 60, 0);
	cr_assert_not(virtq_arm(&r->vq));
	cr_assert_eq(r->used->flags, VRING_USED_F_NO_NOTIFY);
	cr_assert_eq(r->vq.n_kicks, 1);
	ring_close(r);
}

Test(virtq, arms_an_empty_queue_by_event_index)
{
	struct ring *r = ring_open(16);
	const uint16_t *event = (uint16_t *)&r->used->ring[16];

	r->vq.event_idx = true;
	ring_frame(r, BUFS, 60);
	virtq_start(&r->vq, 7);
	r->avail->idx = 7;
	cr_assert(virtq_arm(&r->vq));
	cr_assert_eq(*event, 7);
	cr_assert_eq(r->used->flags, 0);
	virtq_disarm(&r->vq);
	r->avail->ring[16] = 8;
	cr_assert_eq(receive_one(r) + receive_one(r), 1);
	cr_assert_eq(*event, 7);
	cr_assert(virtq_arm(&r->vq));
	cr_assert_eq(*event, 9);
	ring_close(r);
}

Test(virtq, keeps_the_first_reason)
{
	struct ring *r = ring_open(16);

	virtq_break(&r->vq, VIRTQ_DIRECTION);
	virtq_break(&r->vq, VIRTQ_DESC_LOOP);
	cr_assert_eq(r->vq.fault, VIRTQ_DIRECTION);
	cr_assert_eq(r->n_raised, 1);
	virtq_start(&r->vq, 0);
	cr_assert_eq(r->vq.fault, VIRTQ_NONE);
	ring_close(r);
}

Test(virtq, names_its_faults)
{
	cr_assert_str_eq(virtq_fault_name(VIRTQ_NONE), "");
	cr_assert_str_eq(virtq_fault_name(VIRTQ_AVAIL_JUMP), "avail_jump");
	cr_assert_str_eq(virtq_fault_name(VIRTQ_MEM_SHRUNK), "mem_shrunk");
}

/* Two guests with a thread each, and the device between them.  Whoever finds
 * nothing to do asks to be notified and sleeps; a notification that is lost
 * shows as a sleep that lasts until the time-out. */

enum { N_FRAMES = 20000, SIZE = 32, SLOT = 2048, TIMEOUT_MS = 5000 };

struct lane {
	struct ring *from, *to;
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

static uint16_t load(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static bool kick_is_wanted(const struct ring *r, uint16_t new)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (r->vq.event_idx)
		return vring_need_event(load((uint16_t *)&r->used->ring[SIZE]),
		    new, (uint16_t)(new - 1));
	return !(load(&r->used->flags) & VRING_USED_F_NO_NOTIFY);
}

/* Numbers its frames behind the addresses. */
static void *producer(void *arg)
{
	struct lane *l = arg;
	struct ring *r = l->from;
	uint64_t one = 1;

	for (uint32_t i = 0; i < N_FRAMES; i++) {
		uint16_t slot = i % SIZE;
		uint8_t *p = ring_at(r, BUFS + slot * SLOT);

		while ((uint16_t)(i - load(&r->used->idx)) >= SIZE)
			sched_yield();
		memset(p, 0, 200);
		memcpy(p + HDR + 14, &i, sizeof(i));
		memcpy(p + HDR + 100, &i, sizeof(i));
		ring_offer_one(r, slot, BUFS + slot * SLOT, HDR + 150, 0);
		if (kick_is_wanted(r, (uint16_t)(i + 1)) &&
		    write(l->kick_fd, &one, sizeof(one)) != sizeof(one))
			break;
		if (i % 1000 == 0)
			usleep(100);
	}
	return NULL;
}

/* True if there is still nothing used after @seen. */
static bool ask_for_calls(struct ring *r, uint16_t seen)
{
	if (r->vq.event_idx)
		__atomic_store_n(&r->avail->ring[SIZE], seen, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&r->avail->flags, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load(&r->used->idx) == seen;
}

static void *consumer(void *arg)
{
	struct lane *l = arg;
	struct ring *r = l->to;
	uint32_t last = 0;
	uint16_t seen = 0;

	while (!__atomic_load_n(&l->done, __ATOMIC_ACQUIRE) ||
	       load(&r->used->idx) != seen) {
		uint32_t i, again;
		uint16_t slot;

		if (load(&r->used->idx) == seen) {
			if (ask_for_calls(r, seen) && !sleep_on(r->vq.call_fd))
				l->overslept = true;
			continue;
		}
		slot = (uint16_t)ring_used(r, seen++).id;
		memcpy(&i, ring_at(r, BUFS + slot * SLOT + HDR + 14), 4);
		memcpy(&again, ring_at(r, BUFS + slot * SLOT + HDR + 100), 4);
		l->in_order &= i == again && (!l->n_received || i > last);
		last = i;
		l->n_received++;
		ring_offer_one(r, slot, BUFS + slot * SLOT, SLOT, W);
	}
	return NULL;
}

/* Forwards until @l->from has given all, sleeping when it gives nothing. */
static void forward(struct lane *l)
{
	struct ring *from = l->from, *to = l->to;
	unsigned n, total = 0;

	while (total < N_FRAMES) {
		struct frame *f[BATCH_MAX];

		batch.n = batch.n_segs = 0;
		n = virtq_rx(&from->vq, &batch, &from->w);
		if (!n) {
			if (virtq_arm(&from->vq) && !sleep_on(l->kick_fd)) {
				l->overslept = true;
				break;
			}
			virtq_disarm(&from->vq);
			continue;
		}
		for (unsigned i = 0; i < batch.n; i++)
			f[i] = &batch.f[i];
		virtq_tx(&to->vq, f, batch.n, &to->w);
		virtq_rx_done(&from->vq, &from->w);
		total += n;
	}
}

static void run_lane(bool event_idx)
{
	struct lane l = {.from = ring_open(SIZE),
	    .to = ring_open(SIZE),
	    .kick_fd = eventfd(0, 0),
	    .in_order = true};
	pthread_t thread[2];
	uint64_t one = 1;

	l.from->vq.event_idx = l.to->vq.event_idx = event_idx;
	virtq_start(&l.from->vq, 0);
	virtq_start(&l.to->vq, 0);
	for (uint16_t i = 0; i < SIZE; i++)
		ring_offer_one(l.to, i, BUFS + i * SLOT, SLOT, W);
	pthread_create(&thread[0], NULL, producer, &l);
	pthread_create(&thread[1], NULL, consumer, &l);
	forward(&l);
	__atomic_store_n(&l.done, true, __ATOMIC_RELEASE);
	cr_assert_eq(write(l.to->vq.call_fd, &one, sizeof(one)), 8);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	cr_assert_not(l.overslept);
	cr_assert(l.in_order);
	cr_assert_eq(l.n_received, l.to->counters.tx_packets);
	cr_assert_eq(l.to->counters.tx_packets +
			 l.to->counters.drops[DROP_GUEST_RING_FULL],
	    N_FRAMES);
	close(l.kick_fd);
	ring_close(l.from);
	ring_close(l.to);
}

Test(virtq, loses_no_notification_by_flag, .timeout = 60)
{
	run_lane(false);
}

Test(virtq, loses_no_notification_by_event_index, .timeout = 60)
{
	run_lane(true);
}
