/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_packed.c - any memory as two guests' packed rings; see ring_pair.h.
 *
 * A queue goes on where the slots say that a device stopped, if they do say
 * so, else in the middle of a lap: whatever wrote the memory, the place that
 * packed_recover() finds has to be one in the ring.
 */
#include "tests/fuzz/packed_kind.h"

/* Killed and started again: it goes on in the ring, and what it finishes for
 * its predecessor does no harm. */
static void recover(struct guest *g)
{
	uint16_t place;

	if (!packed_recover(&g->vq, &place))
		return;
	assert((place & PACKED_INDEX) < g->vq.size);
	virtq_start(&g->vq, place);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < RING_PAIR_MIN)
		return 0;
	ring_pair_run(&packed_kind, data, size, false);
	recover(&guests[0]);
	recover(&guests[1]);
	forward(&guests[0], &guests[1]);
	check_canaries(&guests[0]);
	check_canaries(&guests[1]);
	return 0;
}
