/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null.h - the port that swallows, counts, and can generate.
 */
#ifndef PORTS_NULL_H
#define PORTS_NULL_H

#include "ports/port.h"

extern const struct port_ops null_port_ops;

#endif
