/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_xsk.c - a socket between a driver that works and a kernel that errs.
 *
 * The input is a list of steps, each taken up to 16 times: what the kernel
 * does to the four rings, right or wrong, and what the switch calls.  After each, every slot is somewhere
 * once, and every frame was made of slots of its own and counted.  As long as
 * the kernel keeps the rules its socket is not broken for their sake, and the
 * holder of each slot is who the rings say.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/base/clock.h"
#include "tests/unit/xsk_kernel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { SLOTS = 512, STEPS_MAX = 500, PIECE = 1500 };

static struct {
	struct kernel *k;
	uint32_t n_got; /* slots taken from the fill ring and not given back */
	uint64_t got[SLOTS];
} m;

static struct pool *pool;
static uint8_t elsewhere[FRAME_LEN_MAX];

static const uint8_t *input, *input_end;

static uint8_t next_byte(void)
{
	return input < input_end ? *input++ : 0;
}

static uint32_t next_u32(void)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		v = v << 8 | next_byte();
	return v;
}

static void take_fill(unsigned n)
{
	while (n-- && m.n_got < SLOTS) {
		uint64_t addr = kernel_take_fill(m.k);

		if (addr == KERNEL_NOTHING)
			return;
		m.got[m.n_got++] = addr;
	}
}

/* The receive ring has room; an honest kernel looks. */
static bool can_give(void)
{
	return m.k->rx.producer - m.k->rx.consumer < XSK_RING_SIZE;
}

static void receive(unsigned n, uint32_t len, bool ended)
{
	for (unsigned i = 0; i < n && m.n_got && can_give(); i++) {
		bool more = !ended || (i + 1 < n && m.n_got > 1);

		kernel_give(
		    m.k, m.got[--m.n_got], len, more ? XDP_PKT_CONTD : 0);
	}
}

/* Any address, one that might be ours, or any place of a slot that it has. */
static void receive_wrongly(void)
{
	uint64_t addr = (uint64_t)next_u32() << (next_byte() % 33);
	uint32_t len = next_u32() >> next_byte() % 32;
	uint8_t how = next_byte();

	if (!can_give())
		return;
	if (how & 1)
		addr = (uint64_t)(how >> 3) * POOL_FRAME_SIZE + next_byte();
	else if (how & 4 && m.n_got)
		addr = (m.got[--m.n_got] & -(uint64_t)POOL_FRAME_SIZE) |
		       addr % POOL_FRAME_SIZE;
	m.k->honest = false;
	kernel_give(
	    m.k, addr, how & 8 ? -len : len, how & 2 ? XDP_PKT_CONTD : 0);
}

static void complete_wrongly(void)
{
	uint64_t addr = (uint64_t)next_u32() << (next_byte() % 33);
	uint8_t how = next_byte();

	if (how & 1)
		addr = (uint64_t)(how >> 1) * POOL_FRAME_SIZE;
	else if (how & 2 && m.k->n_in_flight)
		addr = m.k->in_flight[0].addr;
	m.k->honest = false;
	kernel_complete_addr(m.k, addr);
}

static uint64_t n_drops(bool is_rx)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		if ((bool)drop_is_rx((enum drop_reason)i) == is_rx)
			n += m.k->counters.drops[i];
	return n;
}

static bool is_in_slot(const uint8_t *data, uint32_t len)
{
	return len && kernel_addr(m.k, data) % POOL_FRAME_SIZE + len <=
			  POOL_FRAME_SIZE;
}

/* A batch is what frame.h says, and its slots are its own. */
static void check_batch(void)
{
	const struct batch *b = &m.k->batch;
	static uint8_t seen[SLOTS];
	unsigned n_segs = 0;

	assert(b->n <= BATCH_MAX && b->n_segs <= BATCH_SEGS_MAX);
	memset(seen, 0, sizeof(seen));
	for (unsigned i = 0; i < b->n; i++) {
		const struct frame *f = &b->f[i];
		uint32_t len = f->head_len;

		assert(f->flags == FRAME_OWNED && !f->offload.bits);
		assert(f->head_len >= FRAME_LEN_MIN);
		assert(is_in_slot(f->head, f->head_len));
		assert(f->len <= FRAME_LEN_MAX && f->n_segs <= FRAME_SEGS_MAX);
		assert(!seen[pool_slot(m.k->pool, f->head)]++);
		assert(kernel_addr(m.k, f->head) % POOL_FRAME_SIZE >=
		       FRAME_HEADROOM);
		for (unsigned s = 0; s < f->n_segs; s++) {
			uint32_t slot = pool_slot(m.k->pool, f->segs[s].data);

			assert(!seen[slot]++);
			assert(is_in_slot(f->segs[s].data, f->segs[s].len));
			assert(m.k->pool->holder[slot] == POOL_OURS);
			len += f->segs[s].len;
		}
		assert(len == f->len);
		n_segs += f->n_segs;
	}
	assert(n_segs == b->n_segs);
}

static void poll_socket(void)
{
	uint32_t consumed = m.k->rx.consumer;
	unsigned n = kernel_poll(m.k);

	assert(m.k->rx.consumer - consumed == n);
	assert(n <= BATCH_MAX + FRAME_SEGS_MAX);
	check_batch();
	assert(m.k->counters.rx_packets == n_drops(true));
}

/* Sends the batch: the last to take it, or one of several. */
static void forward(uint8_t how)
{
	uint64_t sent = m.k->counters.tx_packets + n_drops(false);
	struct batch *b = &m.k->batch;

	for (unsigned i = 0; i < b->n; i++)
		b->f[i].n_left = how & 1 ? 2 : 1;
	kernel_tx_from(m.k, 0);
	assert(m.k->counters.tx_packets + n_drops(false) == sent + b->n);
	for (unsigned i = 0; i < b->n; i++)
		assert(!(how & 1) || !(b->f[i].flags & FRAME_TAKEN));
	kernel_done(m.k);
}

static void send_borrowed(unsigned n, uint32_t len)
{
	struct batch *b = &m.k->batch;

	kernel_done(m.k);
	while (n--)
		b->f[b->n++] = (struct frame){.head = elsewhere,
		    .segs = b->segs,
		    .len = len + PIECE,
		    .head_len = PIECE,
		    .n_segs = len > 0,
		    .n_left = 1};
	b->segs[0] = (struct frame_seg){elsewhere, len};
	forward(0);
}

static void send_made(unsigned n)
{
	kernel_done(m.k);
	if (m.k->cache.n + pool_n_free(m.k->pool) < n)
		return;
	kernel_make(m.k, n, 100);
	forward(0);
}

static void change_answers(uint8_t how)
{
	static const int errors[] = {0, EAGAIN, ENOBUFS, EBUSY, ENETDOWN};

	m.k->send_errno = errors[how % 5];
	m.k->tx.flags = how & 64 ? 0 : XDP_RING_NEED_WAKEUP;
	m.k->x.busy_poll = how & 128;
	if (!m.k->send_errno)
		m.k->x.gone = false;
}

static void step(uint8_t what, uint8_t n)
{
	switch (what) {
	case 0:
		take_fill(n);
		break;
	case 1:
		take_fill(n);
		receive(n, 60 + n, true);
		break;
	case 2:
		receive(n % 40, PIECE, n & 64);
		break;
	case 3:
		receive(n, 1, n & 64);
		break;
	case 4:
		receive_wrongly();
		break;
	case 5:
		kernel_send(m.k, n);
		break;
	case 6:
		kernel_complete(
		    m.k, n < m.k->n_in_flight ? n : m.k->n_in_flight);
		break;
	case 7:
		complete_wrongly();
		break;
	case 8:
		if (m.k->n_in_flight) {
			kernel_forget(m.k, 1);
			m.k->honest = false;
		}
		break;
	case 9:
		poll_socket();
		break;
	case 10:
		poll_socket();
		forward(n);
		break;
	case 11:
		send_borrowed(n % BATCH_MAX + 1u,
		    (FRAME_LEN_MAX - PIECE) / 255u * next_byte());
		break;
	case 12:
		send_made(n % 40 + 1);
		break;
	case 13:
		kernel_flush(m.k);
		m.k->w.now += clock_cycles_per_us() * 1000 * n;
		break;
	case 14:
		change_answers(n);
		break;
	default:
		xsk_arm(&m.k->x);
		m.k->budget = n;
		break;
	}
}

static void expect_holder(uint64_t addr, uint16_t holder, unsigned *n)
{
	assert(m.k->pool->holder[addr >> POOL_FRAME_SHIFT] == holder);
	++*n;
}

/* Who has what, as the rings tell.  That it is all is known by number. */
static void check_holders(void)
{
	const struct kernel *k = m.k;
	unsigned n_rx = 0, n_tx = 0;

	for (uint32_t i = k->fill.consumer; i != k->fill.producer; i++)
		expect_holder(
		    k->fill.addr[i % XSK_RING_SIZE], KERNEL_RX_HOLDER, &n_rx);
	for (uint32_t i = 0; i < m.n_got; i++)
		expect_holder(m.got[i], KERNEL_RX_HOLDER, &n_rx);
	for (uint32_t i = k->rx.consumer; i != k->rx.producer; i++)
		expect_holder(k->rx.desc[i % XSK_RING_SIZE].addr,
		    KERNEL_RX_HOLDER, &n_rx);
	for (uint32_t i = k->tx.consumer; i != k->tx.producer; i++)
		expect_holder(k->tx.desc[i % XSK_RING_SIZE].addr,
		    KERNEL_TX_HOLDER, &n_tx);
	for (uint32_t i = 0; i < k->n_in_flight; i++)
		expect_holder(k->in_flight[i].addr, KERNEL_TX_HOLDER, &n_tx);
	for (uint32_t i = k->completion.consumer; i != k->completion.producer;
	     i++)
		expect_holder(k->completion.addr[i % XSK_RING_SIZE],
		    KERNEL_TX_HOLDER, &n_tx);
	assert(n_rx == k->x.n_filled && n_tx == k->x.n_sending);
}

static void check(void)
{
	uint32_t fault = m.k->x.fault;

	assert(!(fault || m.k->x.gone) || m.k->n_raised);
	if (!m.k->honest)
		return;
	assert(fault != XSK_OWNER);
	check_holders();
}

/* Memory whose every slot was used once: the order is the same each time. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	m.k = kernel_open(SLOTS);
	pool = m.k->pool;
	kernel_stop(m.k);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = data;
	input_end = data + size;
	kernel_start(m.k, pool);
	m.k->x.max_bufs = next_byte() % 4 ? KERNEL_BUFS_MAX : 1;
	m.n_got = 0;
	for (unsigned i = 0; i < STEPS_MAX && input < input_end;) {
		uint8_t what = next_byte(), n = next_byte();

		for (int more = what / 16; more >= 0; more--, i++) {
			step(what % 16, n);
			check();
		}
	}
	kernel_stop(m.k);
	return 0;
}
