/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quiesce.c - what ThreadSanitizer is told about grace periods hangs on these.
 */
#include "switch/base/quiesce.h"

#ifdef QUIESCE_TSAN
char quiesce_readers, quiesce_writer;
#endif
