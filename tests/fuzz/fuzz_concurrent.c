/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_concurrent.c - guests that rewrite rings and buffers while they are read.
 *
 * As fuzz_split.c and fuzz_packed.c, either of them by the first bit of the
 * input, with another thread at both memories all the while: what a check has
 * seen is gone a moment later, on every stage from the ring's index to the
 * checksum of the last segment.
 */
#include "tests/fuzz/packed_kind.h"
#include "tests/fuzz/split_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= RING_PAIR_MIN)
		ring_pair_run(data[0] & 0x80 ? &packed_kind : &split_kind, data,
		    size, true);
	return 0;
}
