/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_split.c - any memory as two guests' split rings; see ring_pair.h.
 */
#include "tests/fuzz/split_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= RING_PAIR_MIN)
		ring_pair_run(&split_kind, data, size, false);
	return 0;
}
